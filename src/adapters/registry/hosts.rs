//! Patience with each registry: so many questions at a time, a deadline for each, pauses that it asks for, and no
//! queue of those who would wait for one that is known to be silent.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::RegistryError;

/// So many questions one registry is asked at a time.
pub(super) const AT_A_TIME: usize = 8;

/// The pause where a registry asks for one and does not say how long, and the longest that is kept.
const PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// All registries that were asked.
pub(super) struct Hosts {
    deadline: Duration,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// One registry.
pub(super) struct Host {
    name: String,
    deadline: Duration,
    permits: Semaphore,
    known: Mutex<Known>,
}

/// What the questions before have taught.
#[derive(Default)]
struct Known {
    /// Until when it does not want to be asked.
    closed: Option<Instant>,
    /// When it was last given up for its silence, and in which words.
    silent: Option<(Instant, RegistryError)>,
}

impl Hosts {
    /// Nobody was asked yet. A question may take so long.
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, hosts: Mutex::default() }
    }

    /// The registry of this name, host and port.
    pub(super) fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Host {
            name: name.to_owned(),
            deadline: self.deadline,
            permits: Semaphore::new(AT_A_TIME),
            known: Mutex::default(),
        };
        Arc::clone(hosts.entry(name.to_owned()).or_insert_with(|| Arc::new(new())))
    }
}

impl Host {
    /// Asks when it is our turn. Those who waited while others found out that nobody answers hear the same at once:
    /// else the last of many would be told after minutes.
    pub(super) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let waiting = Instant::now();
        // Closed by nobody.
        let _permit = self.permits.acquire().await;
        self.check(waiting)?;
        let asked = Instant::now();
        let outcome = match timeout(self.deadline, question).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RegistryError::Unreachable {
                host: self.name.clone(),
                message: format!("no answer within {} s", self.deadline.as_secs_f32()),
            }),
        };
        if let Err(error) = &outcome {
            self.learn(error, asked);
        }
        outcome
    }

    fn check(&self, waiting: Instant) -> Result<(), RegistryError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let left = known.closed.map(|until| until.saturating_duration_since(Instant::now()));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Err(RegistryError::Throttled { host: self.name.clone(), retry_after: Some(left) });
        }
        match &known.silent {
            Some((since, error)) if *since > waiting => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn learn(&self, error: &RegistryError, asked: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match error {
            RegistryError::Throttled { retry_after, .. } => {
                let until = now + retry_after.unwrap_or(PAUSE).min(LONGEST_PAUSE);
                known.closed = known.closed.max(Some(until));
            }
            // An error that comes at once is the business of who asked; half a deadline is silence.
            RegistryError::Unreachable { .. } if now - asked >= self.deadline / 2 => {
                known.silent = Some((now, error.clone()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::{join_all, pending};

    use super::*;

    fn throttled(seconds: Option<u64>) -> Result<(), RegistryError> {
        let retry_after = seconds.map(Duration::from_secs);
        Err(RegistryError::Throttled { host: "r".to_owned(), retry_after })
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_registry_keeps_nobody_longer_than_its_deadline() {
        let host = Hosts::new(Duration::from_secs(10)).host("r");
        let begun = Instant::now();
        let asked = AtomicUsize::new(0);
        let question = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            pending::<Result<(), RegistryError>>().await
        };
        let outcomes = join_all((0..100).map(|_| host.ask(question()))).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(RegistryError::Unreachable { .. }))));
        assert_eq!(begun.elapsed().as_secs(), 10);
        assert_eq!(asked.load(Ordering::SeqCst), AT_A_TIME);
        // Who comes later asks for himself.
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(host.ask(async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_kept_for_everybody() {
        let hosts = Hosts::new(Duration::from_secs(10));
        for (said, pause) in [(Some(30), 30), (None, 10), (Some(1_000_000), 3600)] {
            let host = hosts.host(&format!("r{pause}"));
            assert_eq!(host.ask(async { throttled(said) }).await, throttled(said));
            tokio::time::advance(Duration::from_secs(pause - 1)).await;
            let early = host.ask(async { panic!("it is asked in its pause") }).await;
            let left = Some(Duration::from_secs(1));
            let host_name = format!("r{pause}");
            assert_eq!(early, Err::<(), _>(RegistryError::Throttled { host: host_name, retry_after: left }));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(host.ask(async { Ok(7) }).await, Ok(7));
        }
    }
}
