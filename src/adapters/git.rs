//! Git: reads repositories into mirrors and writes the state repository.
//!
//! libgit2 keeps the objects; the conversation with servers is our own (protocol 2, and 0 where a server has no
//! other). Its transports can only be replaced for the whole process and by unsafe code, and ours list just the
//! references that we follow and fetch a commit by its id, without history. Repositories on this machine are read in
//! place.

mod conversation;
mod failure;
mod history;
mod http;
mod local;
mod mirror;
mod packet;
mod protocol;
mod remote;
mod ssh;
mod state;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use self::failure::{denied, missing};
use self::mirror::Mirror;
use self::protocol::Depth;
use self::remote::{Network, blocking};
pub use self::state::GitState;
pub use self::tree::Limits;
use super::address::Address;
use super::credentials::Credentials;
use super::credentials::{CredentialEntry, InvalidCredential};
use super::sources::{SourceError, Sources};
use crate::model::history::{Comparison, ComparisonQuestion, Mainline, MainlineQuestion};
use crate::model::source::{CommitSha, FileTree, References, RepositoryPath, RepositoryUrl};

/// What the adapter needs to know.
#[derive(Clone, Debug)]
pub struct GitSettings {
    /// Where mirrors are kept: a cache that may be deleted at any time and shared by several processes.
    pub data_directory: PathBuf,
    /// `credentials` of the daemon's own settings.
    pub credentials: Vec<CredentialEntry>,
    /// What a repository may hold.
    pub limits: Limits,
}

/// Why the adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GitSetupError {
    /// An entry of the credentials is wrong.
    #[error("failed to read `credentials`")]
    Credentials(#[from] InvalidCredential),
    /// The HTTP client cannot be made.
    #[error("failed to set up HTTP")]
    Http(#[from] reqwest::Error),
}

/// All repositories that moorline reads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Git {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    data_directory: PathBuf,
    network: Network,
    /// One fetch at a time for each repository: who waits finds what the first one brought.
    fetching: Mutex<HashMap<RepositoryUrl, Arc<tokio::sync::Mutex<()>>>>,
}

impl Git {
    /// Checks the credentials; opens nothing yet.
    pub fn new(settings: GitSettings) -> Result<Self, GitSetupError> {
        // The first provider stays; it is the same one wherever moorline installs it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let credentials = Credentials::new(settings.credentials)?;
        let network = Network::new(http::client()?, credentials, settings.limits);
        let shared = Shared { data_directory: settings.data_directory, network, fetching: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The state repository, written on one branch.
    pub fn state(&self, repository: RepositoryUrl, branch: &str) -> GitState {
        GitState::new(self.clone(), repository, branch)
    }

    fn address(repository: &RepositoryUrl) -> Result<Address, SourceError> {
        Address::parse(repository).map_err(|error| denied(repository, error))
    }

    fn fetching(&self, repository: &RepositoryUrl) -> Arc<tokio::sync::Mutex<()>> {
        let mut fetching = self.shared.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(fetching.entry(repository.clone()).or_default())
    }

    fn mirror(&self, repository: &RepositoryUrl) -> Mirror {
        Mirror::new(&self.shared.data_directory, repository)
    }

    /// Sees to it that the mirror has the commit.
    async fn ensure(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
        mirror: &Mirror,
        wanted: (Option<&str>, CommitSha),
        depth: Depth,
    ) -> Result<(), SourceError> {
        let commit = wanted.1;
        let there = {
            let mirror = mirror.clone();
            move || mirror.has(commit)
        };
        if blocking(repository, there.clone()).await? {
            return Ok(());
        }
        let lock = self.fetching(repository);
        let _one_at_a_time = lock.lock().await;
        if blocking(repository, there).await? {
            return Ok(());
        }
        let worn = mirror.clone();
        blocking(repository, move || {
            worn.remove_if_worn();
            Ok(())
        })
        .await?;
        self.shared.network.fetch(repository, address, mirror, wanted, depth).await
    }

    /// Compares two commits. Their histories are fetched in full, which a server has to allow for commits that no branch
    /// points at.
    ///
    /// # Errors
    /// One of the commits is not there, or the remote cannot be read.
    pub async fn compare(
        &self,
        repository: &RepositoryUrl,
        question: &ComparisonQuestion,
    ) -> Result<Comparison, SourceError> {
        let address = Self::address(repository)?;
        let mirror = self.mirror(repository).of_history();
        if !matches!(address, Address::Local(_)) {
            for commit in [question.left, question.right] {
                self.ensure(repository, &address, &mirror, (None, commit), Depth::History).await?;
            }
        }
        let (url, question) = (repository.clone(), question.clone());
        blocking(repository, move || {
            let objects = match &address {
                Address::Local(place) => local::open(&url, place)?,
                _ => mirror.open()?,
            };
            for commit in [question.left, question.right] {
                if objects.find_commit(mirror::oid(commit)).is_err() {
                    return Err(missing(&url, commit));
                }
            }
            history::compare(&objects, &url, &question)
        })
        .await
    }

    async fn read_mainline(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
        question: &MainlineQuestion,
    ) -> Result<Mainline, SourceError> {
        let mirror = self.mirror(repository).of_history();
        let (address, url, question) = (address.clone(), repository.clone(), question.clone());
        blocking(repository, move || {
            let objects = match &address {
                Address::Local(place) => local::open(&url, place)?,
                _ => mirror.open()?,
            };
            if objects.find_commit(mirror::oid(question.head)).is_err() {
                return Err(missing(&url, question.head));
            }
            history::mainline(&objects, &url, &question)
        })
        .await
    }

    async fn read(
        &self,
        repository: &RepositoryUrl,
        address: &Address,
        commit: CommitSha,
        path: &RepositoryPath,
        previous: Option<&FileTree>,
    ) -> Result<FileTree, SourceError> {
        let mirror = self.mirror(repository);
        let limits = self.shared.network.limits;
        // Files are shared, not copied: this costs a map of names.
        let (address, path, previous) = (address.clone(), path.clone(), previous.cloned());
        let url = repository.clone();
        blocking(repository, move || {
            let objects = match &address {
                Address::Local(place) => local::open(&url, place)?,
                _ => mirror.open()?,
            };
            if objects.find_commit(mirror::oid(commit)).is_err() {
                return Err(missing(&url, commit));
            }
            tree::read(&objects, &url, commit, &path, previous.as_ref(), limits)
        })
        .await
    }
}

/// Throws a mirror away that lost something: it is a cache.
async fn discard(repository: &RepositoryUrl, mirror: &Mirror) -> Result<(), SourceError> {
    let mirror = mirror.clone();
    blocking(repository, move || {
        mirror.remove();
        Ok(())
    })
    .await
}

#[async_trait]
impl Sources for Git {
    async fn references(&self, repository: &RepositoryUrl) -> Result<References, SourceError> {
        match Self::address(repository)? {
            Address::Local(path) => {
                let url = repository.clone();
                blocking(repository, move || local::references(&url, &path)).await
            }
            address => self.shared.network.references(repository, &address).await,
        }
    }

    async fn tree(
        &self,
        repository: &RepositoryUrl,
        reference: Option<&str>,
        commit: CommitSha,
        path: &RepositoryPath,
        previous: Option<&FileTree>,
    ) -> Result<FileTree, SourceError> {
        let address = Self::address(repository)?;
        if matches!(address, Address::Local(_)) {
            return self.read(repository, &address, commit, path, previous).await;
        }
        let (mirror, wanted) = (self.mirror(repository), (reference, commit));
        let ensured = self.ensure(repository, &address, &mirror, wanted, Depth::Files).await;
        let read = match ensured {
            Ok(()) => self.read(repository, &address, commit, path, previous).await,
            Err(error) => Err(error),
        };
        if !matches!(read, Err(SourceError::Mirror { .. })) {
            return read;
        }
        // A mirror that lost something, to a full disk or a crash, is a cache that is made again.
        discard(repository, &mirror).await?;
        self.ensure(repository, &address, &mirror, wanted, Depth::Files).await?;
        self.read(repository, &address, commit, path, previous).await
    }

    async fn mainline(
        &self,
        repository: &RepositoryUrl,
        question: &MainlineQuestion,
    ) -> Result<Mainline, SourceError> {
        let address = Self::address(repository)?;
        if matches!(address, Address::Local(_)) {
            return self.read_mainline(repository, &address, question).await;
        }
        let mirror = self.mirror(repository).of_history();
        let wanted = (Some(question.reference.as_str()), question.head);
        self.ensure(repository, &address, &mirror, wanted, Depth::History).await?;
        match self.read_mainline(repository, &address, question).await {
            Err(SourceError::Mirror { .. }) => {
                discard(repository, &mirror).await?;
                self.ensure(repository, &address, &mirror, wanted, Depth::History).await?;
                self.read_mainline(repository, &address, question).await
            }
            read => read,
        }
    }
}
