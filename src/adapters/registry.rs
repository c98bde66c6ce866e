//! Asking image registries which tags exist and which digest each has: those of AWS by their own API, all others by the
//! OCI distribution protocol. Nothing is pulled, and credentials go to no other host.

pub(in crate::adapters) mod conversation;
mod docker;
mod ecr;
mod hosts;
mod oci;
mod places;
mod remembered;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use self::docker::DockerFile;
use self::ecr::EcrRegistries;
use self::hosts::Hosts;
use self::oci::OciRegistries;
pub use self::places::{InvalidRegistry, RegistryEntry};
pub use self::remembered::Remembered;
use super::credentials::{CredentialEntry, Credentials, InvalidCredential};
use super::web::Web;
use crate::model::error::{Classified, ErrorClass};
use crate::model::image::{ImageDigest, ImageRepository, ImageTag};

/// The forms in which a registry may keep an image: an index of several platforms stays one.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// How long one question may take, with everything that it needs: told within 15 s, whoever is silent.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a registry could not be asked. None of them says that an image does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It did not answer in time, or answered with a passing error.
    #[error("the registry {host} cannot be reached: {message}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the transport said, without credentials.
        message: String,
    },
    /// It wants to be left alone for a while.
    #[error("the registry {host} takes no more questions{}", pause(.retry_after))]
    Throttled {
        /// Host and port.
        host: String,
        /// After which time it may be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// It knows who we are, or does not take what we say, and refuses.
    #[error("the registry {host} refuses access: {message}")]
    Denied {
        /// Host and port.
        host: String,
        /// What it said, without credentials.
        message: String,
        /// What a person can do.
        remedy: String,
    },
    /// It wants credentials, and there are none for it.
    #[error("the registry {host} wants credentials, and there are none: {message}")]
    NoCredentials {
        /// Host and port.
        host: String,
        /// What was asked, and how it was refused.
        message: String,
        /// Where credentials are to be named.
        remedy: String,
    },
    /// The answer is not that of a registry: not understood, too large, or leading from one address to the next.
    #[error("the registry {host} answers with what cannot be used: {message}")]
    Unusable {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        message: String,
    },
}

fn pause(retry_after: &Option<Duration>) -> String {
    retry_after.map(|pause| format!(" for {} s", pause.as_secs().max(1))).unwrap_or_default()
}

impl Classified for RegistryError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } | Self::Throttled { .. } => ErrorClass::Transient,
            Self::Denied { .. } | Self::NoCredentials { .. } | Self::Unusable { .. } => ErrorClass::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Unreachable { .. } => "check its name and the way to it; it is asked again by itself",
            Self::Throttled { .. } => "nothing needs to be done: it is asked again when it may be",
            Self::Denied { remedy, .. } | Self::NoCredentials { remedy, .. } => remedy,
            Self::Unusable { .. } => "check that a registry answers there, not a proxy or a page to sign in",
        };
        Some(text.to_owned())
    }
}

/// What a registry has of the tags that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The tags that exist, with the digest that each has now; that of the index where the image is one.
    pub images: BTreeMap<ImageTag, ImageDigest>,
    /// Whether the whole repository does not exist. As far as a registry tells: some refuse instead.
    pub repository_missing: bool,
}

/// Asks image registries.
#[async_trait]
pub trait Registries: Send + Sync {
    /// Which of these tags exist. Those that are not in the answer do not; a repository that does not exist is an
    /// empty answer, no error.
    async fn find(&self, repository: &ImageRepository, tags: &[ImageTag]) -> Result<Found, RegistryError>;

    /// Whether a digest exists there.
    async fn has(&self, repository: &ImageRepository, digest: &ImageDigest) -> Result<bool, RegistryError>;
}

#[async_trait]
impl<R: Registries + ?Sized> Registries for std::sync::Arc<R> {
    async fn find(&self, repository: &ImageRepository, tags: &[ImageTag]) -> Result<Found, RegistryError> {
        (**self).find(repository, tags).await
    }

    async fn has(&self, repository: &ImageRepository, digest: &ImageDigest) -> Result<bool, RegistryError> {
        (**self).has(repository, digest).await
    }
}

/// What the adapter needs to know.
#[derive(Clone, Debug, Default)]
pub struct RegistrySettings {
    /// `registries` of the daemon's own settings.
    pub registries: Vec<RegistryEntry>,
    /// `credentials` of the daemon's own settings.
    pub credentials: Vec<CredentialEntry>,
    /// docker's `config.json`, if that may be read; it need not exist.
    pub docker_config: Option<PathBuf>,
}

/// Why the adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RegistrySetupError {
    /// An entry of the credentials is wrong.
    #[error("failed to read `credentials`")]
    Credentials(#[from] InvalidCredential),
    /// An entry of the registries is wrong.
    #[error("failed to read `registries`")]
    Registries(#[from] InvalidRegistry),
    /// The HTTP client cannot be made.
    #[error("failed to set up HTTP")]
    Http(#[from] reqwest::Error),
}

/// All image registries.
pub struct ImageRegistries {
    ecr: EcrRegistries,
    oci: OciRegistries,
}

impl ImageRegistries {
    /// Checks the settings; asks nobody yet.
    pub fn new(settings: RegistrySettings) -> Result<Self, RegistrySetupError> {
        Self::with_deadline(settings, DEADLINE)
    }

    fn with_deadline(settings: RegistrySettings, deadline: Duration) -> Result<Self, RegistrySetupError> {
        // The first provider stays; it is the same one wherever moorline installs it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let places = places::Places::new(settings.registries)?;
        let web = Web::new(Credentials::new(settings.credentials)?)?;
        let docker = settings.docker_config.map(DockerFile::new);
        Ok(Self {
            ecr: EcrRegistries::new(places.clone(), Hosts::new(deadline)),
            oci: OciRegistries::new(web, docker, places, Hosts::new(deadline)),
        })
    }
}

#[async_trait]
impl Registries for ImageRegistries {
    async fn find(&self, repository: &ImageRepository, tags: &[ImageTag]) -> Result<Found, RegistryError> {
        // A tag that is asked for twice is one question.
        let tags: Vec<ImageTag> =
            tags.iter().collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect();
        match repository.ecr() {
            Some(registry) => self.ecr.find(&registry, repository, &tags).await,
            None => self.oci.find(repository, &tags).await,
        }
    }

    async fn has(&self, repository: &ImageRepository, digest: &ImageDigest) -> Result<bool, RegistryError> {
        match repository.ecr() {
            Some(registry) => self.ecr.has(&registry, repository, digest).await,
            None => self.oci.has(repository, digest).await,
        }
    }
}

#[cfg(test)]
mod tests;
