//! Repositories and the state repository in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::Mishaps;
use moorline::adapters::sources::{CommitRequest, Prepare, SourceError, Sources, StateStore};
use moorline::model::digest::Digest;
use moorline::model::history::{Mainline, MainlineCommit, MainlineQuestion, PastCommit};
use moorline::model::source::{CommitSha, File, FileTree, References, RepositoryPath, RepositoryUrl};

#[derive(Default)]
struct Repository {
    references: References,
    commits: BTreeMap<CommitSha, Committed>,
}

/// A commit: its files, and the one before it on its branch.
struct Committed {
    tree: FileTree,
    parent: Option<CommitSha>,
    number: usize,
}

/// Code and config repositories.
pub struct MemoryRepositories {
    repositories: Mutex<BTreeMap<RepositoryUrl, Repository>>,
    unreachable: Mutex<Vec<RepositoryUrl>>,
    mishaps: Arc<Mishaps>,
}

fn commit_of(tree: &FileTree, number: usize) -> CommitSha {
    let digest = Digest::of_parts([tree.digest().hex().as_bytes(), &number.to_le_bytes()]).hex();
    // Forty hex digits of a digest are a commit id.
    digest[..40].parse().unwrap_or(CommitSha::from_bytes([0; 20]))
}

impl MemoryRepositories {
    pub(super) fn new(mishaps: Arc<Mishaps>) -> Self {
        Self { repositories: Mutex::default(), unreachable: Mutex::default(), mishaps }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RepositoryUrl, Repository>> {
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a whole tree on a branch, which becomes the default one if it is the first.
    pub fn commit(&self, url: &RepositoryUrl, branch: &str, tree: FileTree) -> CommitSha {
        let mut repositories = self.lock();
        let repository = repositories.entry(url.clone()).or_default();
        let number = repository.commits.len();
        let commit = commit_of(&tree, number);
        let parent = repository.references.branches.get(branch).copied();
        repository.commits.insert(commit, Committed { tree, parent, number });
        repository.references.branches.insert(branch.to_owned(), commit);
        repository.references.head_branch.get_or_insert_with(|| branch.to_owned());
        commit
    }

    /// The tree of a branch's head.
    pub fn head(&self, url: &RepositoryUrl, branch: &str) -> Option<FileTree> {
        let repositories = self.lock();
        let repository = repositories.get(url)?;
        let head = repository.references.branches.get(branch)?;
        repository.commits.get(head).map(|commit| commit.tree.clone())
    }

    /// Begins a branch at the head of another, as `git branch` does.
    pub fn branch(&self, url: &RepositoryUrl, from: &str, to: &str) {
        if let Some(repository) = self.lock().get_mut(url)
            && let Some(head) = repository.references.branches.get(from).copied()
        {
            repository.references.branches.insert(to.to_owned(), head);
        }
    }

    /// Points a branch at an older commit, as a force-push does.
    pub fn force(&self, url: &RepositoryUrl, branch: &str, commit: CommitSha) {
        if let Some(repository) = self.lock().get_mut(url) {
            repository.references.branches.insert(branch.to_owned(), commit);
        }
    }

    /// Deletes a branch.
    pub fn delete_branch(&self, url: &RepositoryUrl, branch: &str) {
        if let Some(repository) = self.lock().get_mut(url) {
            repository.references.branches.remove(branch);
        }
    }

    /// Cuts a repository off, or brings it back.
    pub fn set_reachable(&self, url: &RepositoryUrl, reachable: bool) {
        let mut list = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|one| one != url);
        if !reachable {
            list.push(url.clone());
        }
    }

    fn check(&self, url: &RepositoryUrl) -> Result<(), SourceError> {
        let list = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        if list.contains(url) { Err(unreachable(url)) } else { Ok(()) }
    }
}

fn unreachable(url: &RepositoryUrl) -> SourceError {
    SourceError::Unreachable { repository: url.clone(), message: "connection refused".to_owned() }
}

#[async_trait]
impl Sources for MemoryRepositories {
    async fn references(&self, repository: &RepositoryUrl) -> Result<References, SourceError> {
        let call = || {
            self.check(repository)?;
            let missing = || SourceError::Absent { repository: repository.clone() };
            self.lock().get(repository).map(|one| one.references.clone()).ok_or_else(missing)
        };
        self.mishaps.around("references", call, || unreachable(repository)).await
    }

    async fn tree(
        &self,
        repository: &RepositoryUrl,
        _reference: Option<&str>,
        commit: CommitSha,
        path: &RepositoryPath,
        _previous: Option<&FileTree>,
    ) -> Result<FileTree, SourceError> {
        let call = || {
            self.check(repository)?;
            let repositories = self.lock();
            let tree = repositories.get(repository).and_then(|one| one.commits.get(&commit));
            let missing =
                || SourceError::Missing { repository: repository.clone(), revision: commit.to_string() };
            Ok(tree.ok_or_else(missing)?.tree.subtree(path.as_str()))
        };
        self.mishaps.around("tree", call, || unreachable(repository)).await
    }

    async fn mainline(
        &self,
        repository: &RepositoryUrl,
        question: &MainlineQuestion,
    ) -> Result<Mainline, SourceError> {
        let call = || {
            self.check(repository)?;
            let repositories = self.lock();
            let missing = || SourceError::Missing {
                repository: repository.clone(),
                revision: question.head.to_string(),
            };
            repositories.get(repository).and_then(|one| one.mainline(question)).ok_or_else(missing)
        };
        self.mishaps.around("mainline", call, || unreachable(repository)).await
    }
}

impl Repository {
    fn mainline(&self, question: &MainlineQuestion) -> Option<Mainline> {
        let mut commits = Vec::new();
        let mut next = Some(question.head);
        while let Some(id) = next {
            let commit = self.commits.get(&id)?;
            let before = commit.parent.and_then(|parent| self.commits.get(&parent));
            let below =
                |commit: &Committed, path: &RepositoryPath| commit.tree.subtree(path.as_str()).digest();
            let changes = question.paths.is_empty()
                || before.is_none_or(|before| {
                    question.paths.iter().any(|path| below(before, path) != below(commit, path))
                });
            commits.push(MainlineCommit { commit: commit.told(id), changes });
            next = commit.parent.filter(|_| Some(id) != question.base);
        }
        let last = commits.last().map(|commit| commit.commit.id);
        let contains_base = question.base.is_some() && last == question.base;
        Some(Mainline { commits, contains_base })
    }
}

impl Committed {
    fn told(&self, id: CommitSha) -> PastCommit {
        // A minute lies between two commits, and the first was made when the world began.
        let time = Timestamp::from_second(1_767_225_600 + 60 * i64::try_from(self.number).unwrap_or(0));
        let subject = format!("change {}", self.number);
        PastCommit { id, author: "Ann".to_owned(), time: time.unwrap_or_default(), subject }
    }
}

/// The state repository: its files and its history.
pub struct MemoryState {
    files: Mutex<FileTree>,
    history: Mutex<Vec<CommitRequest>>,
    url: RepositoryUrl,
    mishaps: Arc<Mishaps>,
}

impl MemoryState {
    #[expect(
        clippy::expect_used,
        reason = "the literal is a repository address, as a test of RepositoryUrl shows"
    )]
    pub(super) fn new(mishaps: Arc<Mishaps>) -> Self {
        let url = "/memory/state".parse().expect("a local path is an address");
        Self { files: Mutex::default(), history: Mutex::default(), url, mishaps }
    }

    /// Every commit, oldest first.
    pub fn history(&self) -> Vec<CommitRequest> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every operation that was recorded, oldest first, as often as it was.
    pub fn operations(&self) -> Vec<String> {
        let trailers = self.history().into_iter().flat_map(|commit| commit.trailers);
        trailers.filter(|(key, _)| key == "Moorline-Operation").map(|(_, value)| value).collect()
    }

    fn unreachable(&self) -> SourceError {
        unreachable(&self.url)
    }
}

#[async_trait]
impl StateStore for MemoryState {
    async fn files(&self) -> Result<Arc<FileTree>, SourceError> {
        let call = || Ok(Arc::new(self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()));
        self.mishaps.around("state.files", call, || self.unreachable()).await
    }

    async fn commit(&self, prepare: &Prepare<'_>) -> Result<Option<CommitSha>, SourceError> {
        let call = || {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(request) = prepare(&files) else { return Ok(None) };
            for edit in &request.edits {
                if let Some(content) = &edit.content {
                    files.insert(edit.path.clone(), File::of_bytes(content.as_bytes()));
                }
            }
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.push(request);
            Ok(Some(commit_of(&files, history.len())))
        };
        self.mishaps.around("state.commit", call, || self.unreachable()).await
    }
}
