//! Reading chart repositories: which versions there are, and the archive of one of them. Fetched once and kept;
//! credentials come from the daemon's settings alone and go to no other host.

mod failure;
mod index;
mod oci;
mod store;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use self::store::Store;
use super::credentials::{CredentialEntry, Credentials, InvalidCredential};
use super::web::Web;
use crate::model::chart::{ChartAddress, ChartArchive, ChartRepository};
use crate::model::error::{Classified, ErrorClass};

/// Why a chart could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChartSourceError {
    /// The repository did not answer, or answered with a passing error.
    #[error("{repository} cannot be reached: {message}")]
    Unreachable {
        /// The repository.
        repository: ChartRepository,
        /// What the transport said, without credentials.
        message: String,
    },
    /// The repository refused us.
    #[error("{repository} refuses access: {message}")]
    Denied {
        /// The repository.
        repository: ChartRepository,
        /// What it said, without credentials.
        message: String,
    },
    /// The repository is there, and has no such chart or version.
    #[error("{repository} has no {what}")]
    Missing {
        /// The repository.
        repository: ChartRepository,
        /// What was asked for.
        what: String,
    },
    /// What it answered is not what it should be: another digest, no index, too large.
    #[error("{repository} answers with what cannot be used: {message}")]
    Unusable {
        /// The repository.
        repository: ChartRepository,
        /// What is wrong with it.
        message: String,
    },
    /// The folder on this machine cannot be used.
    #[error("the charts on this machine cannot be kept: {message}")]
    Store {
        /// Why.
        message: String,
    },
}

impl Classified for ChartSourceError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } | Self::Store { .. } => ErrorClass::Transient,
            Self::Denied { .. } | Self::Missing { .. } | Self::Unusable { .. } => ErrorClass::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Denied { .. } => {
                Some("check `credentials` in the settings: the longest matching prefix is used".to_owned())
            }
            _ => None,
        }
    }
}

/// The versions of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// As the repository writes them, in any order.
    pub list: Vec<String>,
    /// Why they are those of an earlier time, where they are.
    pub outdated: Option<ChartSourceError>,
}

/// Reads chart repositories.
#[async_trait]
pub trait Charts: Send + Sync {
    /// Every version of a chart. Where the repository cannot be reached, those that it had last.
    async fn versions(&self, chart: &ChartAddress) -> Result<Versions, ChartSourceError>;

    /// The archive of one version: the one that was fetched before, else a new one, whose digest is verified where
    /// the repository names one.
    async fn archive(&self, chart: &ChartAddress, version: &str) -> Result<ChartArchive, ChartSourceError>;

    /// The archive that was fetched before, without asking anybody.
    async fn kept(&self, chart: &ChartAddress, version: &str) -> Option<ChartArchive>;
}

/// What the adapter needs to know.
#[derive(Clone, Debug)]
pub struct ChartSettings {
    /// Where charts are kept: a cache that may be deleted at any time and shared by several processes.
    pub data_directory: PathBuf,
    /// `credentials` of the daemon's own settings.
    pub credentials: Vec<CredentialEntry>,
    /// How many bytes of archives are kept; those not used for longest go first.
    pub capacity: u64,
}

/// How many bytes of archives are kept where nothing else is said.
pub const CAPACITY: u64 = 512 << 20;

/// Why the adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ChartSetupError {
    /// An entry of the credentials is wrong.
    #[error("failed to read `credentials`")]
    Credentials(#[from] InvalidCredential),
    /// The HTTP client cannot be made.
    #[error("failed to set up HTTP")]
    Http(#[from] reqwest::Error),
}

/// All chart repositories.
pub struct ChartRepositories {
    web: Web,
    store: Store,
    /// One conversation at a time with each repository: who waits finds what the first one brought.
    talking: Mutex<HashMap<ChartRepository, Arc<tokio::sync::Mutex<()>>>>,
}

impl ChartRepositories {
    /// Checks the credentials; asks nobody yet.
    pub fn new(settings: ChartSettings) -> Result<Self, ChartSetupError> {
        // The first provider stays; it is the same one wherever moorline installs it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let credentials = Credentials::new(settings.credentials)?;
        Ok(Self {
            web: Web::new(credentials)?,
            store: Store::new(settings.data_directory.join("charts"), settings.capacity),
            talking: Mutex::default(),
        })
    }

    fn turn(&self, repository: &ChartRepository) -> Arc<tokio::sync::Mutex<()>> {
        let mut talking = self.talking.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(talking.entry(repository.clone()).or_default())
    }

    async fn fetch(&self, chart: &ChartAddress, version: &str) -> Result<ChartArchive, ChartSourceError> {
        if chart.repository.is_oci() {
            return oci::archive(&self.web, chart, version).await;
        }
        index::archive(&self.web, &self.store, chart, version).await
    }
}

#[async_trait]
impl Charts for ChartRepositories {
    async fn versions(&self, chart: &ChartAddress) -> Result<Versions, ChartSourceError> {
        let turn = self.turn(&chart.repository);
        let _one_at_a_time = turn.lock().await;
        if chart.repository.is_oci() {
            return oci::versions(&self.web, &self.store, chart).await;
        }
        index::versions(&self.web, &self.store, chart).await
    }

    async fn archive(&self, chart: &ChartAddress, version: &str) -> Result<ChartArchive, ChartSourceError> {
        if let Some(archive) = self.store.archive(chart, version).await {
            return Ok(archive);
        }
        let turn = self.turn(&chart.repository);
        let _one_at_a_time = turn.lock().await;
        if let Some(archive) = self.store.archive(chart, version).await {
            return Ok(archive);
        }
        let archive = self.fetch(chart, version).await?;
        // What cannot be kept is used all the same: it is fetched once more next time.
        if let Err(error) = self.store.keep(chart, version, &archive).await {
            tracing::warn!(error = %error, "Failed to keep a chart");
        }
        Ok(archive)
    }

    async fn kept(&self, chart: &ChartAddress, version: &str) -> Option<ChartArchive> {
        self.store.archive(chart, version).await
    }
}

#[cfg(test)]
mod tests;
