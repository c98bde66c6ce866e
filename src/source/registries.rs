//! Image registries as the reconciler reads them: what came last, at once. Tags that do not exist are asked for again
//! while somebody waits for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::task::AbortHandle;

use super::desk::{Answer, Desk};
use super::{Looks, Ring};
use crate::adapters::registry::{Found, Registries, RegistryError};
use crate::model::error::{Classified as _, ErrorClass};
use crate::model::image::{ImageDigest, ImageRepository, ImageTag};

/// After which time a reading asks again for what was not there, at first and at most (RULES §9).
const AGAIN: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(2));

/// All registries, each asked by a task of its own. Cheap to clone.
#[derive(Clone)]
pub struct ImageRegistries {
    shared: Arc<Shared>,
}

struct Shared {
    registries: Arc<dyn Registries>,
    looks: Looks,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// One registry.
struct Host {
    desk: Desk<Question, Result<Found, RegistryError>>,
    waiting: Mutex<Waiting>,
}

/// The next reading for what was not there.
#[derive(Default)]
struct Waiting {
    asked: Vec<(ImageRepository, ImageTag)>,
    pause: Duration,
    timer: Option<AbortHandle>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    Tags(ImageRepository, Vec<ImageTag>),
    Digest(ImageRepository, ImageDigest),
}

impl Answer for Result<Found, RegistryError> {
    fn broken(place: &str) -> Self {
        Err(RegistryError::Unusable {
            host: "?".to_owned(),
            message: format!("a fault of moorline: {place}"),
        })
    }

    fn is_passing(&self) -> bool {
        self.as_ref().is_err_and(|error| error.class() == ErrorClass::Transient)
    }
}

impl ImageRegistries {
    /// Asks nobody yet.
    pub fn new(registries: Arc<dyn Registries>, looks: Looks) -> Self {
        Self { shared: Arc::new(Shared { registries, looks, hosts: Mutex::default() }) }
    }

    /// Whether an answer is on its way.
    pub fn is_waiting(&self) -> bool {
        let hosts = self.shared.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.values().any(|host| host.desk.is_waiting())
    }

    fn host(&self, repository: &ImageRepository) -> Arc<Host> {
        let mut hosts = self.shared.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let registries = self.shared.registries.clone();
            let answer = move |question| answer(registries.clone(), question).boxed();
            let desk = Desk::open(answer, &self.shared.looks);
            Arc::new(Host { desk, waiting: Mutex::default() })
        };
        hosts.entry(repository.host().to_owned()).or_insert_with(open).clone()
    }

    async fn ask(&self, repository: &ImageRepository, question: Question) -> Result<Found, RegistryError> {
        let host = self.host(repository);
        let late = || RegistryError::Unreachable {
            host: repository.host().to_owned(),
            message: "it has not answered yet".to_owned(),
        };
        let found = host.desk.ask(&question).await.unwrap_or_else(|| Err(late()))?;
        if let (Question::Tags(_, tags), Some(_)) = (&question, self.shared.looks.poll) {
            host.wait_for(repository, tags, &found, &self.shared.looks.ring);
        }
        Ok(found)
    }
}

async fn answer(registries: Arc<dyn Registries>, question: Question) -> Result<Found, RegistryError> {
    match question {
        Question::Tags(repository, tags) => registries.find(&repository, &tags).await,
        // A digest that is there is told as one that is not missing.
        Question::Digest(repository, digest) => {
            let there = registries.has(&repository, &digest).await?;
            Ok(Found { repository_missing: !there, ..Found::default() })
        }
    }
}

impl Host {
    /// Sees to it that what is not there is asked for again: soon at first, then less and less often.
    fn wait_for(&self, repository: &ImageRepository, tags: &[ImageTag], found: &Found, ring: &Ring) {
        let absent = tags.iter().filter(|tag| !found.images.contains_key(*tag));
        let absent: Vec<_> = absent.map(|tag| (repository.clone(), tag.clone())).collect();
        if absent.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let known = absent.iter().all(|one| waiting.asked.contains(one));
        waiting.pause = if known { (waiting.pause * 2).min(AGAIN.1) } else { AGAIN.0 };
        waiting.asked.retain(|(other, _)| other != repository);
        waiting.asked.extend(absent);
        let (pause, ring) = (waiting.pause, ring.clone());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            ring();
        });
        if let Some(before) = waiting.timer.replace(timer.abort_handle()) {
            before.abort();
        }
    }
}

#[async_trait]
impl Registries for ImageRegistries {
    async fn find(&self, repository: &ImageRepository, tags: &[ImageTag]) -> Result<Found, RegistryError> {
        self.ask(repository, Question::Tags(repository.clone(), tags.to_vec())).await
    }

    async fn has(&self, repository: &ImageRepository, digest: &ImageDigest) -> Result<bool, RegistryError> {
        let found = self.ask(repository, Question::Digest(repository.clone(), *digest)).await?;
        Ok(!found.repository_missing)
    }
}
