//! The history of a repository, as far as decisions need it: one branch along its first parents.

use jiff::Timestamp;

use super::source::{CommitSha, RepositoryPath};

/// A commit as it stands in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCommit {
    /// Its id.
    pub id: CommitSha,
    /// The author's name.
    pub author: String,
    /// When it was committed.
    pub time: Timestamp,
    /// The first line of its message, shortened where it is long.
    pub subject: String,
}

/// A commit of a branch's first parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainlineCommit {
    /// The commit.
    pub commit: PastCommit,
    /// Whether it changes what the service is made of, compared with its first parent.
    pub changes: bool,
}

/// What is asked of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MainlineQuestion {
    /// The full name of the branch, `refs/heads/main`.
    pub reference: String,
    /// Its head.
    pub head: CommitSha,
    /// Only commits that change one of these are versions; none means that all are.
    pub paths: Vec<RepositoryPath>,
    /// The commit that is deployed: what does not contain it is older.
    pub base: Option<CommitSha>,
}

/// The first parents of a branch, newest first, down to the deployed commit or to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mainline {
    /// The commits, the head first. The deployed commit is the last where it is one of them.
    pub commits: Vec<MainlineCommit>,
    /// Whether the deployed commit is an ancestor of the head, or the head itself.
    pub contains_base: bool,
}

/// What is asked of two commits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ComparisonQuestion {
    /// The newer one, by intention.
    pub left: CommitSha,
    /// The one that it is compared with.
    pub right: CommitSha,
    /// Only commits that change one of these count; none means that all do.
    pub paths: Vec<RepositoryPath>,
}

/// How one commit stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It has all that the other has, and more.
    Ahead,
    /// The other has all that it has.
    Behind,
    /// Each has what the other lacks, or they share no history.
    Diverged,
}

/// Two commits compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the left stands to the right.
    pub relation: Relation,
    /// Whether both have the same files, where they count.
    pub same_content: bool,
    /// What the left has and the right lacks, newest first: `git log right..left`.
    pub commits: Vec<ComparedCommit>,
    /// How many commits the right has and the left lacks.
    pub lacking: usize,
}

/// A commit that one side lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedCommit {
    /// The commit.
    pub commit: PastCommit,
    /// Whether the other side has the same change under another commit (a cherry-pick).
    pub equivalent: bool,
    /// The pull request that brought it, as its message tells.
    pub pull_request: Option<String>,
}
