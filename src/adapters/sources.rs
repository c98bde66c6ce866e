//! Reading code and config repositories, and writing the state repository.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::error::{Classified, ErrorClass};
use crate::model::history::{Mainline, MainlineQuestion};
use crate::model::source::{CommitSha, FileTree, References, RepositoryPath, RepositoryUrl};

/// Why a repository could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The remote did not answer, or answered with a passing error.
    #[error("failed to reach {repository}: {message}")]
    Unreachable {
        /// The repository.
        repository: RepositoryUrl,
        /// What the transport said, without credentials.
        message: String,
    },
    /// The remote refused us, or our credentials do not fit.
    #[error("{repository} refused access: {message}")]
    Denied {
        /// The repository.
        repository: RepositoryUrl,
        /// What the transport said, without credentials.
        message: String,
    },
    /// The repository is not there, or hidden from us.
    #[error("{repository} does not exist, or these credentials may not see it")]
    Absent {
        /// The repository.
        repository: RepositoryUrl,
    },
    /// The branch, tag or commit is not there.
    #[error("{revision} does not exist in {repository}")]
    Missing {
        /// The repository.
        repository: RepositoryUrl,
        /// What was asked for.
        revision: String,
    },
    /// The content passes a limit.
    #[error("{repository} at {commit}: {message}")]
    Limit {
        /// The repository.
        repository: RepositoryUrl,
        /// The commit.
        commit: CommitSha,
        /// Which limit, in words.
        message: String,
    },
    /// The local mirror is broken or not writable.
    #[error("failed to use the mirror of {repository}: {message}")]
    Mirror {
        /// The repository.
        repository: RepositoryUrl,
        /// What the library said.
        message: String,
    },
    /// Somebody else keeps pushing to the branch.
    #[error("failed to push to {branch} of {repository}: it moved {attempts} times")]
    PushRaced {
        /// The repository.
        repository: RepositoryUrl,
        /// The branch.
        branch: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Reading it broke off by a fault of moorline.
    #[error("a fault of moorline while it was read: {place}")]
    Panicked {
        /// Where, in moorline's source.
        place: String,
    },
}

impl Classified for SourceError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } | Self::Mirror { .. } => ErrorClass::Transient,
            Self::Absent { .. } | Self::Denied { .. } | Self::Missing { .. } | Self::Limit { .. } => {
                ErrorClass::Config
            }
            Self::PushRaced { .. } => ErrorClass::Conflict,
            Self::Panicked { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Denied { .. } | Self::Absent { .. } => {
                Some("check `credentials` in the settings: the longest matching prefix is used".to_owned())
            }
            _ => None,
        }
    }
}

/// Reads repositories: one request for references, a fetch only of what moved, trees from the object database.
#[async_trait]
pub trait Sources: Send + Sync {
    /// Branches and tags of a remote, with one request.
    async fn references(&self, repository: &RepositoryUrl) -> Result<References, SourceError>;

    /// The files below a path at a commit, fetched if the mirror does not have it. `reference` is the full
    /// name of a reference that leads to the commit (`refs/heads/main`), for servers that do not serve
    /// arbitrary commits. Files that `previous` already holds under the same object id are shared with it.
    async fn tree(
        &self,
        repository: &RepositoryUrl,
        reference: Option<&str>,
        commit: CommitSha,
        path: &RepositoryPath,
        previous: Option<&FileTree>,
    ) -> Result<FileTree, SourceError>;

    /// The first parents of a branch. Its history is fetched in full.
    async fn mainline(
        &self,
        repository: &RepositoryUrl,
        question: &MainlineQuestion,
    ) -> Result<Mainline, SourceError>;
}

/// One file to write or remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    /// The path in the repository.
    pub path: String,
    /// The new content; absent removes the file.
    pub content: Option<String>,
}

/// Who makes a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Default for Author {
    /// moorline itself.
    fn default() -> Self {
        Self { name: "moorline".to_owned(), email: "moorline@localhost".to_owned() }
    }
}

/// A batch of edits that becomes one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// Who makes it.
    pub author: Author,
    /// The first line and body.
    pub message: String,
    /// Trailers, as `("Moorline-Operation", "shop/dev/web/3")`.
    pub trailers: Vec<(String, String)>,
    /// The files.
    pub edits: Vec<FileEdit>,
    /// When, in seconds since 1970.
    pub time: i64,
}

/// Given the newest files, returns what is still to be written; nothing if all of it is there already.
pub type Prepare<'a> = dyn Fn(&FileTree) -> Option<CommitRequest> + Send + Sync + 'a;

/// Reads and writes the state repository; never forces.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The newest files of the state branch, fetched from the remote; none where the repository is empty. A
    /// branch that is gone while others are there is missing, not empty.
    async fn files(&self) -> Result<Arc<FileTree>, SourceError>;

    /// Commits and pushes one batch. `prepare` is called again on the new head when the remote moved or an answer
    /// was lost. Returns the head that holds the batch, or nothing if `prepare` had nothing to write.
    async fn commit(&self, prepare: &Prepare<'_>) -> Result<Option<CommitSha>, SourceError>;
}
