//! Reads the first parents of a branch from the object database, within limits.

use git2::{Commit, Oid, Repository, Tree};
use jiff::Timestamp;

use super::failure::mirror;
use super::mirror::{commit_sha, oid};
use crate::adapters::sources::SourceError;
use crate::model::history::{Mainline, MainlineCommit, MainlineQuestion, PastCommit};
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
        Ok(self.paths.iter().any(|path| {
            let path = std::path::Path::new(path.as_str());
            let id = |tree: &Tree<'_>| tree.get_path(path).ok().map(|entry| entry.id());
            id(&after) != before.as_ref().and_then(id)
        }))
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
