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
