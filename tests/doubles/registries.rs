//! Image registries in memory: every image exists, until somebody says which do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::Mishaps;
use moorline::adapters::registry::{Found, Registries, RegistryError};
use moorline::model::image::{ImageDigest, ImageRepository, ImageTag};

/// The registries. Those whose images nobody named have all of them.
pub struct MemoryRegistries {
    inner: Mutex<Inner>,
    mishaps: Arc<Mishaps>,
}

#[derive(Default)]
struct Inner {
    /// By repository and tag; a repository that is here has these alone.
    images: BTreeMap<String, BTreeMap<String, ImageDigest>>,
    unreachable: BTreeSet<String>,
    asked: Vec<String>,
}

impl MemoryRegistries {
    pub(crate) fn new(mishaps: Arc<Mishaps>) -> Self {
        Self { inner: Mutex::default(), mishaps }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a repository has only what is pushed to it.
    pub fn empty(&self, repository: &str) {
        self.lock().images.entry(repository.to_owned()).or_default();
    }

    /// Pushes an image: its digest is that of the text.
    pub fn push(&self, repository: &str, tag: &str, content: &str) -> ImageDigest {
        let digest = ImageDigest::of(content.as_bytes());
        self.lock().images.entry(repository.to_owned()).or_default().insert(tag.to_owned(), digest);
        digest
    }

    /// Deletes an image.
    pub fn remove(&self, repository: &str, tag: &str) {
        self.lock().images.entry(repository.to_owned()).or_default().remove(tag);
    }

    /// Cuts a registry off, or brings it back.
    pub fn set_reachable(&self, host: &str, reachable: bool) {
        let mut inner = self.lock();
        if reachable {
            inner.unreachable.remove(host);
        } else {
            inner.unreachable.insert(host.to_owned());
        }
    }

    /// Every tag that was asked for, as `repository:tag`, oldest first.
    pub fn asked(&self) -> Vec<String> {
        self.lock().asked.clone()
    }
}

fn unreachable(repository: &ImageRepository) -> RegistryError {
    let (host, message) = (repository.host().to_owned(), "connection refused".to_owned());
    RegistryError::Unreachable { host, message }
}

#[async_trait]
impl Registries for MemoryRegistries {
    async fn find(&self, repository: &ImageRepository, tags: &[ImageTag]) -> Result<Found, RegistryError> {
        let call = || {
            let mut inner = self.lock();
            inner.asked.extend(tags.iter().map(|tag| format!("{repository}:{tag}")));
            if inner.unreachable.contains(repository.host()) {
                return Err(unreachable(repository));
            }
            let there = inner.images.get(&repository.to_string());
            let digest = |tag: &ImageTag| match there {
                Some(there) => there.get(tag.as_str()).copied(),
                None => Some(ImageDigest::of(format!("{repository}:{tag}").as_bytes())),
            };
            let images = tags.iter().filter_map(|tag| Some((tag.clone(), digest(tag)?))).collect();
            Ok(Found { images, repository_missing: false })
        };
        self.mishaps.around("images", call, || unreachable(repository)).await
    }

    async fn has(&self, repository: &ImageRepository, digest: &ImageDigest) -> Result<bool, RegistryError> {
        let call = || {
            let inner = self.lock();
            if inner.unreachable.contains(repository.host()) {
                return Err(unreachable(repository));
            }
            let there = inner.images.get(&repository.to_string());
            Ok(there.is_none_or(|there| there.values().any(|one| one == digest)))
        };
        self.mishaps.around("images", call, || unreachable(repository)).await
    }
}
