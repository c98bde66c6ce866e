//! Reads histories from the object database, within limits: the first parents of a branch, and what one commit has that
//! another lacks.

use std::collections::BTreeSet;

use git2::{Commit, Oid, Repository, Sort, Tree};
use jiff::Timestamp;

use super::failure::mirror;
use super::mirror::{commit_sha, oid};
use crate::adapters::sources::SourceError;
use crate::model::history::{
    ComparedCommit, Comparison, ComparisonQuestion, Mainline, MainlineCommit, MainlineQuestion, PastCommit,
    Relation,
};
use crate::model::source::{RepositoryPath, RepositoryUrl};

/// So many versions are looked at, and so many commits to find them (RULES §9).
const VERSIONS: usize = 100;
const COMMITS: usize = 20_000;
/// The longest author's name and subject, in characters.
const TEXT: usize = 200;

/// The first parents of a branch that contain the deployed commit; where the head does not contain it, all of them.
pub(super) fn mainline(
    objects: &Repository,
    repository: &RepositoryUrl,
    question: &MainlineQuestion,
) -> Result<Mainline, SourceError> {
    let broken = |error: git2::Error| mirror(repository, error.message());
    let head = oid(question.head);
    let base = question.base.map(oid).filter(|base| objects.find_commit(*base).is_ok());
    let contains_base = match base {
        Some(base) => base == head || objects.graph_descendant_of(head, base).map_err(broken)?,
        None => false,
    };
    let mut walk = Walk { objects, paths: &question.paths, commits: Vec::new(), versions: 0 };
    walk.down(head, base.filter(|_| contains_base)).map_err(broken)?;
    if let Some(base) = base.filter(|_| contains_base) {
        walk.cut(base).map_err(broken)?;
    }
    Ok(Mainline { commits: walk.commits, contains_base })
}

struct Walk<'a> {
    objects: &'a Repository,
    paths: &'a [RepositoryPath],
    commits: Vec<MainlineCommit>,
    versions: usize,
}

impl Walk<'_> {
    /// Down from the head, up to `base` where that is met, else up to the limits.
    fn down(&mut self, head: Oid, base: Option<Oid>) -> Result<(), git2::Error> {
        let mut next = Some(self.objects.find_commit(head)?);
        while let Some(commit) = next {
            // Where the history was cut off, it ends.
            let parent = commit.parent(0).ok();
            let changes = self.changes(&commit, parent.as_ref())?;
            self.commits.push(MainlineCommit { commit: past(&commit), changes });
            self.versions += usize::from(changes);
            let ended = Some(commit.id()) == base;
            if ended || self.versions >= VERSIONS || self.commits.len() >= COMMITS {
                break;
            }
            next = parent;
        }
        Ok(())
    }

    /// Whether something that counts is different from the first parent's.
    fn changes(&self, commit: &Commit<'_>, parent: Option<&Commit<'_>>) -> Result<bool, git2::Error> {
        if self.paths.is_empty() || self.paths.iter().any(|path| path.as_str().is_empty()) {
            return Ok(true);
        }
        let (after, before) = (commit.tree()?, parent.map(Commit::tree).transpose()?);
        let differs = |path: &RepositoryPath| {
            entry(&after, path) != before.as_ref().and_then(|before| entry(before, path))
        };
        Ok(self.paths.iter().any(differs))
    }

    /// Leaves out what does not contain the base, which came in by a merge: along first parents that is all below some
    /// commit.
    fn cut(&mut self, base: Oid) -> Result<(), git2::Error> {
        let (mut contain, mut rest) = (1, self.commits.len());
        while contain < rest {
            let middle = contain.midpoint(rest);
            let commit = oid(self.commits[middle].commit.id);
            if commit == base || self.objects.graph_descendant_of(commit, base)? {
                contain = middle + 1;
            } else {
                rest = middle;
            }
        }
        self.commits.truncate(contain);
        Ok(())
    }
}

/// A commit in words.
pub(super) fn past(commit: &Commit<'_>) -> PastCommit {
    let text = |bytes: Option<&[u8]>| -> String {
        String::from_utf8_lossy(bytes.unwrap_or_default()).chars().take(TEXT).collect()
    };
    PastCommit {
        id: commit_sha(commit.id()),
        author: text(Some(commit.author().name_bytes())),
        time: Timestamp::from_second(commit.time().seconds()).unwrap_or_default(),
        subject: text(commit.summary_bytes()),
    }
}

/// So many commits of one side are told.
const COMPARED: usize = 1_000;

/// Two commits compared, as `git log right..left` and `git cherry` would.
pub(super) fn compare(
    objects: &Repository,
    repository: &RepositoryUrl,
    question: &ComparisonQuestion,
) -> Result<Comparison, SourceError> {
    let compared = Sides { objects, paths: &question.paths };
    compared
        .compare(oid(question.left), oid(question.right))
        .map_err(|error| mirror(repository, error.message()))
}

struct Sides<'a> {
    objects: &'a Repository,
    paths: &'a [RepositoryPath],
}

impl Sides<'_> {
    fn compare(&self, left: Oid, right: Oid) -> Result<Comparison, git2::Error> {
        let (ahead, behind) = self.objects.graph_ahead_behind(left, right)?;
        let relation = match (ahead, behind) {
            (_, 0) => Relation::Ahead,
            (0, _) => Relation::Behind,
            _ => Relation::Diverged,
        };
        let (ours, theirs) = (self.only(left, right)?, self.only(right, left)?);
        let known: BTreeSet<Oid> =
            theirs.iter().filter_map(|commit| self.patch(commit).transpose()).collect::<Result<_, _>>()?;
        let told = |commit: &Commit<'_>| {
            let patch = self.patch(commit)?;
            Ok(ComparedCommit {
                commit: past(commit),
                equivalent: patch.is_some_and(|patch| known.contains(&patch)),
                pull_request: pull_request(&String::from_utf8_lossy(commit.message_bytes())),
            })
        };
        let commits = ours.iter().map(told).collect::<Result<_, git2::Error>>()?;
        Ok(Comparison {
            relation,
            same_content: self.same_content(left, right)?,
            commits,
            lacking: theirs.len(),
        })
    }

    /// The commits of one side that the other lacks, newest first, as far as they count.
    fn only(&self, of: Oid, without: Oid) -> Result<Vec<Commit<'_>>, git2::Error> {
        let mut walk = self.objects.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(of)?;
        walk.hide(without)?;
        let mut commits = Vec::new();
        for id in walk {
            let commit = self.objects.find_commit(id?)?;
            if self.counts(&commit)? {
                commits.push(commit);
            }
            if commits.len() >= COMPARED {
                break;
            }
        }
        Ok(commits)
    }

    /// Whether a commit changes what counts. A merge does where it is unlike each of its parents, as for `git log`.
    fn counts(&self, commit: &Commit<'_>) -> Result<bool, git2::Error> {
        if self.paths.is_empty() {
            return Ok(true);
        }
        let tree = commit.tree()?;
        let parents: Vec<Tree<'_>> =
            commit.parents().map(|parent| parent.tree()).collect::<Result<_, _>>()?;
        if parents.is_empty() {
            return Ok(self.paths.iter().any(|path| entry(&tree, path).is_some()));
        }
        let differs =
            |parent: &Tree<'_>| self.paths.iter().any(|path| entry(parent, path) != entry(&tree, path));
        Ok(parents.iter().all(differs))
    }

    fn same_content(&self, left: Oid, right: Oid) -> Result<bool, git2::Error> {
        let tree = |id| self.objects.find_commit(id)?.tree();
        let (left, right) = (tree(left)?, tree(right)?);
        if self.paths.is_empty() {
            return Ok(left.id() == right.id());
        }
        Ok(self.paths.iter().all(|path| entry(&left, path) == entry(&right, path)))
    }

    /// The id of a commit's change, the same for a cherry-pick; none for merges.
    fn patch(&self, commit: &Commit<'_>) -> Result<Option<Oid>, git2::Error> {
        if commit.parent_count() > 1 {
            return Ok(None);
        }
        let before = commit.parent(0).ok().map(|parent| parent.tree()).transpose()?;
        let diff = self.objects.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)?;
        diff.patchid(None).map(Some)
    }
}

fn entry(tree: &Tree<'_>, path: &RepositoryPath) -> Option<Oid> {
    if path.as_str().is_empty() {
        return Some(tree.id());
    }
    tree.get_path(std::path::Path::new(path.as_str())).ok().map(|entry| entry.id())
}

/// The pull request that a message names: as forges write it into merges and squashed commits.
fn pull_request(message: &str) -> Option<String> {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let found = |marker: &str, sign: &str| {
        let rest = &message[message.find(marker)? + marker.len()..];
        Some(digits(rest)).filter(|number| !number.is_empty()).map(|number| format!("{sign}{number}"))
    };
    let merged = found("Merge pull request #", "#").or_else(|| {
        let line = message.lines().find(|line| line.starts_with("See merge request "))?;
        let number = digits(line.rsplit_once('!')?.1);
        (!number.is_empty()).then(|| format!("!{number}"))
    });
    merged.or_else(|| {
        let subject = message.lines().next()?.trim_end();
        let inner = subject.strip_suffix(')')?.rsplit_once("(#")?.1;
        (!inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("#{inner}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forges_name_the_pull_request_in_the_message() {
        for (message, found) in [
            ("Merge pull request #12 from ann/fix\n\nFix it", Some("#12")),
            ("Merge branch 'fix' into 'main'\n\nFix it\n\nSee merge request shop/pay!34", Some("!34")),
            ("Fix it (#56)\n\n* first", Some("#56")),
            ("Fix #7", None),
            ("Fix (#x)", None),
            ("", None),
        ] {
            assert_eq!(pull_request(message).as_deref(), found, "{message}");
        }
    }
}
