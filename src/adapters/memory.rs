//! A world in memory: repositories, clusters, a state repository and a clock that hold state and can be told to
//! fail or to stop in the middle. Tests and simulations run the whole reconciler on it. Never a list of expected
//! calls.

mod apply;
mod charts;
mod cluster;
mod mishap;
mod repositories;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::clock::{Clock, Entropy};
use super::workers::Workers;
use crate::model::digest::HashKey;
use crate::telemetry::Metrics;

pub use charts::{MemoryCharts, packaged};
pub use cluster::MemoryCluster;
pub use mishap::{Mishap, Mishaps, Moment};
pub use repositories::{MemoryRepositories, MemoryState};

/// Everything in memory; cheap to clone, all clones are the same world.
#[derive(Clone)]
pub struct MemoryWorld {
    /// The repositories.
    pub repositories: Arc<MemoryRepositories>,
    /// The chart repositories.
    pub charts: Arc<MemoryCharts>,
    /// The only cluster.
    pub cluster: Arc<MemoryCluster>,
    /// The state repository.
    pub state: Arc<MemoryState>,
    /// The clock.
    pub clock: Arc<MemoryClock>,
    /// What keys are made of.
    pub entropy: Arc<CountingEntropy>,
    /// What goes wrong, and when.
    pub mishaps: Arc<Mishaps>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Default for MemoryWorld {
    #[expect(clippy::expect_used, reason = "a registry refuses only a name that is there already")]
    fn default() -> Self {
        let mishaps = Arc::new(Mishaps::default());
        Self {
            repositories: Arc::new(MemoryRepositories::new(mishaps.clone())),
            charts: Arc::default(),
            cluster: Arc::new(MemoryCluster::new(mishaps.clone())),
            state: Arc::new(MemoryState::new(mishaps.clone())),
            clock: Arc::new(MemoryClock::default()),
            mishaps,
            entropy: Arc::default(),
            metrics: Arc::new(Metrics::new().expect("the names of metrics are distinct, as a test shows")),
        }
    }
}

impl MemoryWorld {
    /// The world as the reconciler takes it.
    pub fn world(&self) -> World {
        World {
            sources: self.repositories.clone(),
            charts: self.charts.clone(),
            clusters: Arc::new(cluster::OneCluster(self.cluster.clone())),
            state: Some(self.state.clone()),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            workers: Workers::in_place(),
            metrics: self.metrics.clone(),
        }
    }
}

/// A clock that follows tokio's, so that paused time moves both, until somebody sets it.
#[derive(Default)]
pub struct MemoryClock {
    origin: Mutex<Option<tokio::time::Instant>>,
    ahead: AtomicI64,
}

impl MemoryClock {
    /// Somebody sets the clock: it is so many seconds ahead of the true time from now on, or behind it.
    pub fn set_ahead(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst));
        self.steady().saturating_add(ahead).unwrap_or_default()
    }

    fn steady(&self) -> Timestamp {
        let now = tokio::time::Instant::now();
        let mut origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(*origin.get_or_insert(now));
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or_default();
        // 2026-01-01T00:00:00Z, so that what is printed looks like a time of today.
        Timestamp::from_second(1_767_225_600).unwrap_or_default().saturating_add(elapsed).unwrap_or_default()
    }
}

/// Keys that are the same in every play, and no two of which are the same in one.
#[derive(Default)]
pub struct CountingEntropy(AtomicU32);

impl Entropy for CountingEntropy {
    fn key(&self) -> Result<HashKey, std::io::Error> {
        let mut bytes = [42; 32];
        bytes[..4].copy_from_slice(&self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes());
        Ok(HashKey::new(bytes))
    }
}
