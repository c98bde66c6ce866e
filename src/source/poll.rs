//! One repository's references: asked for again and again, for as long as somebody follows them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

use super::{AGAIN, Looks, Moment, SILENT};
use crate::adapters::panics;
use crate::adapters::sources::{SourceError, Sources};
use crate::model::source::{References, RepositoryUrl};

/// While an answer is awaited, the question is put again this often: the connection may be dead, the remote not.
const NEW_ATTEMPT: Duration = Duration::from_secs(5);
/// So many attempts wait for their answers at once.
const ATTEMPTS: usize = 6;

/// So many repositories of one host are asked at once.
const OF_ONE_HOST: usize = 16;

/// The repositories of one host share its patience. Cheap to clone.
#[derive(Clone)]
pub(super) struct Host(Arc<Semaphore>);

impl Default for Host {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(OF_ONE_HOST)))
    }
}

type Answer = Result<References, SourceError>;

/// The references of one repository; the polling ends with it.
pub(super) struct Poll {
    shared: Arc<Shared>,
    moment: Moment,
    task: AbortHandle,
}

struct Shared {
    /// The last answer; after silence, that there was none.
    last: Mutex<Option<Answer>>,
    /// Whether the first answer has come.
    came: watch::Sender<bool>,
    /// Whether a reader gave up waiting for the first one.
    given_up: AtomicBool,
    wake: Notify,
}

impl Poll {
    /// Starts to ask.
    pub(super) fn start(
        sources: Arc<dyn Sources>,
        repository: RepositoryUrl,
        host: Host,
        looks: Looks,
    ) -> Self {
        let (came, _) = watch::channel(false);
        let shared =
            Shared { last: Mutex::default(), came, given_up: AtomicBool::new(false), wake: Notify::new() };
        let (shared, moment) = (Arc::new(shared), looks.moment.clone());
        let task = tokio::spawn(Poller { sources, repository, looks, host, shared: shared.clone() }.run());
        Self { shared, moment, task: task.abort_handle() }
    }

    /// The last answer; the first is awaited while the reading's moment lasts.
    pub(super) async fn last(&self) -> Option<Answer> {
        let mut came = self.shared.came.subscribe();
        let first = tokio::time::timeout_at(self.moment.end(), came.wait_for(|came| *came)).await;
        if first.is_err() {
            self.shared.given_up.store(true, Ordering::SeqCst);
        }
        self.shared.lock().clone()
    }

    /// Asks now.
    pub(super) fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// Whether the first answer is awaited, and nobody calls the remote silent yet.
    pub(super) fn is_waiting(&self) -> bool {
        !*self.shared.came.borrow()
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Answer>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an answer. Whether it says anything new that nobody is about to hear.
    fn keep(&self, answer: Answer) -> bool {
        let news = {
            let mut last = self.lock();
            let same = match (&*last, &answer) {
                (Some(Ok(before)), Ok(now)) => before == now,
                (Some(Err(before)), Err(now)) => before == now,
                _ => false,
            };
            // Whoever waits for the first answer hears of it without a ring.
            let heard = last.is_none() && !self.given_up.load(Ordering::SeqCst);
            *last = Some(answer);
            !same && !heard
        };
        self.came.send_replace(true);
        news
    }
}

struct Poller {
    sources: Arc<dyn Sources>,
    repository: RepositoryUrl,
    host: Host,
    looks: Looks,
    shared: Arc<Shared>,
}

impl Poller {
    async fn run(self) {
        let mut failures = 0;
        loop {
            let answer = self.ask().await;
            let failed = answer.as_ref().err().is_some_and(is_passing);
            failures = if failed { failures + 1 } else { 0 };
            if self.shared.keep(answer) {
                (self.looks.ring)();
            }
            let pause = self.pause(failures);
            tokio::select! {
                biased;
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Asks until an answer comes, whatever it is. Says in between that the remote is silent.
    async fn ask(&self) -> Answer {
        let mut attempts = FuturesUnordered::new();
        let silent = tokio::time::sleep(SILENT);
        tokio::pin!(silent);
        let mut told = false;
        loop {
            if attempts.len() < ATTEMPTS {
                attempts.push(self.attempt());
            }
            let next = tokio::time::sleep(NEW_ATTEMPT);
            tokio::select! {
                biased;
                Some(answer) = attempts.next() => return answer,
                () = &mut silent, if !told => {
                    told = true;
                    self.say_silent();
                }
                () = next => {}
            }
        }
    }

    async fn attempt(&self) -> Answer {
        // The semaphore is never closed.
        let _place = self.host.0.acquire().await.ok();
        let asked = panics::caught(self.sources.references(&self.repository)).await;
        asked.unwrap_or_else(|place| Err(SourceError::Panicked { place }))
    }

    fn say_silent(&self) {
        let message = format!("no answer for {} s", SILENT.as_secs());
        let silent = SourceError::Unreachable { repository: self.repository.clone(), message };
        if self.shared.keep(Err(silent)) {
            (self.looks.ring)();
        }
    }

    /// The time until the next question: spread by up to a tenth by the repository's name, so that not all are asked
    /// at once; soon after a failure.
    fn pause(&self, failures: u32) -> Duration {
        let usual = self.looks.poll.unwrap_or(Duration::from_hours(24));
        if failures > 0 {
            return Duration::from_secs(1 << failures.min(6)).min(AGAIN).min(usual);
        }
        usual + usual * spread(&self.repository) / 1000
    }
}

/// From 0 to 99, the same for the same repository.
fn spread(repository: &RepositoryUrl) -> u32 {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = rustc_hash::FxHasher::default();
    repository.as_str().hash(&mut hasher);
    u32::try_from(hasher.finish() % 100).unwrap_or_default()
}

/// Whether a failure may be over soon.
pub(super) fn is_passing(error: &SourceError) -> bool {
    use crate::model::error::{Classified as _, ErrorClass};
    error.class() == ErrorClass::Transient
}
