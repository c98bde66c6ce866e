//! Git repositories as the reconciler reads them: what came last, at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt as _;

use super::Looks;
use super::desk::{Answer, Desk};
use super::poll::{Host, Poll, is_passing};
use crate::adapters::sources::{SourceError, Sources};
use crate::model::history::{Mainline, MainlineQuestion};
use crate::model::source::{CommitSha, FileTree, References, RepositoryPath, RepositoryUrl};

/// A repository that nobody read for so many readings is let go of.
const UNREAD: u64 = 3;

/// All repositories. Cheap to clone.
#[derive(Clone)]
pub struct Repositories {
    shared: Arc<Shared>,
}

struct Shared {
    sources: Arc<dyn Sources>,
    looks: Looks,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    repositories: HashMap<RepositoryUrl, Repository>,
    hosts: HashMap<String, Host>,
    /// Counts the readings.
    reading: u64,
}

/// The tasks of one repository.
struct Repository {
    /// Polls its references, once somebody follows them.
    poll: Option<Arc<Poll>>,
    files: Arc<Files>,
    mainlines: Arc<Mainlines>,
    before: Before,
    read: u64,
}

type Files = Desk<FilesAt, Result<FileTree, SourceError>>;
type Mainlines = Desk<MainlineQuestion, Result<Mainline, SourceError>>;
/// What readers have of each path: files that stayed the same are shared with it.
type Before = Arc<Mutex<HashMap<RepositoryPath, FileTree>>>;

/// A question: the files below a path at a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FilesAt {
    commit: CommitSha,
    path: RepositoryPath,
    reference: Option<String>,
}

impl<T: Clone + Send + 'static> Answer for Result<T, SourceError> {
    fn broken(place: &str) -> Self {
        Err(SourceError::Panicked { place: place.to_owned() })
    }

    fn is_passing(&self) -> bool {
        self.as_ref().err().is_some_and(is_passing)
    }
}

impl Repositories {
    /// Asks nobody yet.
    pub fn new(sources: Arc<dyn Sources>, looks: Looks) -> Self {
        Self { shared: Arc::new(Shared { sources, looks, known: Mutex::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a reading begins: repositories that none of the last ones read are let go of.
    pub fn begin_reading(&self) {
        self.shared.looks.moment.begin();
        let mut known = self.lock();
        known.reading += 1;
        let oldest = known.reading.saturating_sub(UNREAD);
        known.repositories.retain(|_, repository| repository.read >= oldest);
    }

    /// Asks a repository for its references now; without one, all that are followed.
    pub fn wake(&self, only: Option<&RepositoryUrl>) {
        let known = self.lock();
        let woken = known.repositories.iter().filter(|(url, _)| only.is_none_or(|only| only == *url));
        woken.filter_map(|(_, repository)| repository.poll.as_ref()).for_each(|poll| poll.wake());
    }

    /// Whether an answer is on its way that may still come soon.
    pub fn is_waiting(&self) -> bool {
        let waits = |repository: &Repository| {
            let waits = repository.poll.as_ref().is_some_and(|poll| poll.is_waiting());
            waits || repository.files.is_waiting() || repository.mainlines.is_waiting()
        };
        self.lock().repositories.values().any(waits)
    }

    /// Every repository whose references are followed.
    pub fn followed(&self) -> Vec<RepositoryUrl> {
        let known = self.lock();
        let followed = known.repositories.iter().filter(|(_, repository)| repository.poll.is_some());
        followed.map(|(url, _)| url.clone()).collect()
    }

    fn with<T>(&self, url: &RepositoryUrl, get: impl FnOnce(&mut Repository, &Shared) -> T) -> T {
        let mut known = self.lock();
        let reading = known.reading;
        let open = || {
            let (before, sources) = (Before::default(), self.shared.sources.clone());
            let mainlines = open_mainlines(sources.clone(), url.clone(), &self.shared.looks);
            let files = open_files(sources, url.clone(), before.clone(), &self.shared.looks);
            let (files, mainlines) = (Arc::new(files), Arc::new(mainlines));
            Repository { poll: None, files, mainlines, before, read: reading }
        };
        let repository = known.repositories.entry(url.clone()).or_insert_with(open);
        repository.read = reading;
        get(repository, &self.shared)
    }
}

fn open_files(sources: Arc<dyn Sources>, url: RepositoryUrl, known: Before, looks: &Looks) -> Files {
    let answer = move |question: FilesAt| {
        let (sources, url) = (sources.clone(), url.clone());
        let known = known.lock().unwrap_or_else(PoisonError::into_inner).remove(&question.path);
        async move {
            let (reference, path) = (question.reference.as_deref(), &question.path);
            sources.tree(&url, reference, question.commit, path, known.as_ref()).await
        }
        .boxed()
    };
    Desk::open(answer, looks)
}

fn open_mainlines(sources: Arc<dyn Sources>, url: RepositoryUrl, looks: &Looks) -> Mainlines {
    let answer = move |question: MainlineQuestion| {
        let (sources, url) = (sources.clone(), url.clone());
        async move { sources.mainline(&url, &question).await }.boxed()
    };
    Desk::open(answer, looks)
}

#[async_trait]
impl Sources for Repositories {
    async fn references(&self, repository: &RepositoryUrl) -> Result<References, SourceError> {
        let host = self.lock().hosts.entry(host_of(repository)).or_default().clone();
        let poll = self.with(repository, |known, shared| {
            let start = || {
                let (sources, looks) = (shared.sources.clone(), shared.looks.clone());
                Arc::new(Poll::start(sources, repository.clone(), host, looks))
            };
            known.poll.get_or_insert_with(start).clone()
        });
        poll.last().await.unwrap_or_else(|| Err(not_yet(repository, "it has not answered yet")))
    }

    async fn tree(
        &self,
        repository: &RepositoryUrl,
        reference: Option<&str>,
        commit: CommitSha,
        path: &RepositoryPath,
        previous: Option<&FileTree>,
    ) -> Result<FileTree, SourceError> {
        let (files, before) = self.with(repository, |known, _| (known.files.clone(), known.before.clone()));
        if let Some(previous) = previous {
            let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
            before.insert(path.clone(), previous.clone());
        }
        let question = FilesAt { commit, path: path.clone(), reference: reference.map(str::to_owned) };
        let answer = files.ask(&question).await;
        answer.unwrap_or_else(|| Err(not_yet(repository, "its files are still being fetched")))
    }

    async fn mainline(
        &self,
        repository: &RepositoryUrl,
        question: &MainlineQuestion,
    ) -> Result<Mainline, SourceError> {
        let mainlines = self.with(repository, |known, _| known.mainlines.clone());
        let answer = mainlines.ask(question).await;
        answer.unwrap_or_else(|| Err(not_yet(repository, "its history is still being fetched")))
    }
}

fn not_yet(repository: &RepositoryUrl, message: &str) -> SourceError {
    SourceError::Unreachable { repository: repository.clone(), message: message.to_owned() }
}

/// What comes before the path: repositories of one host share its patience.
fn host_of(repository: &RepositoryUrl) -> String {
    let text = repository.as_str();
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    after_scheme.split(['/', ':']).next().unwrap_or_default().to_owned()
}
