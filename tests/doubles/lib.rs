//! The outside world in memory: repositories, chart repositories, a cluster, a state repository and a clock that hold
//! state and can be told to fail or to stop in the middle. Tests, benchmarks and simulations run the whole reconciler
//! on it. Never a list of expected calls.

mod apply;
mod charts;
mod clock;
mod cluster;
mod mishap;
mod repositories;

use std::sync::Arc;

use moorline::adapters::World;
use moorline::adapters::workers::Workers;
use moorline::telemetry::Metrics;

pub use charts::{MemoryCharts, packaged};
pub use clock::{CountingEntropy, MemoryClock};
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
