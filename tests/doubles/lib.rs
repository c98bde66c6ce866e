//! The outside world in memory: repositories, chart repositories, a cluster, a state repository and a clock that hold
//! state and can be told to fail or to stop in the middle. Tests, benchmarks and simulations run the whole reconciler
//! on it. Never a list of expected calls.

mod charts;
mod clock;
mod cluster;
mod mishap;
mod registries;
mod repositories;
pub mod sandbox;

use std::sync::Arc;

use moorline::adapters::World;
use moorline::adapters::workers::Workers;
use moorline::telemetry::Metrics;

pub use charts::{MemoryCharts, packaged};
pub use clock::{CountingEntropy, MemoryClock};
pub use cluster::SandboxCluster;
pub use mishap::{Mishap, Mishaps, Moment};
pub use registries::MemoryRegistries;
pub use repositories::{MemoryRepositories, MemoryState};

/// Everything in memory; cheap to clone, all clones are the same world.
#[derive(Clone)]
pub struct MemoryWorld {
    /// The repositories.
    pub repositories: Arc<MemoryRepositories>,
    /// The chart repositories.
    pub charts: Arc<MemoryCharts>,
    /// The image registries.
    pub registries: Arc<MemoryRegistries>,
    /// The only cluster.
    pub cluster: Arc<SandboxCluster>,
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
    fn default() -> Self {
        Self::of_seed(1)
    }
}

impl MemoryWorld {
    /// A world whose cluster takes its identities from a seed.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a registry refuses only a name that is there already"
    )]
    pub fn of_seed(seed: u64) -> Self {
        let (mishaps, clock) = (Arc::new(Mishaps::default()), Arc::new(MemoryClock::default()));
        let metrics = Arc::new(Metrics::new().expect("the names of metrics are distinct, as a test shows"));
        Self {
            repositories: Arc::new(MemoryRepositories::new(mishaps.clone())),
            charts: Arc::default(),
            registries: Arc::new(MemoryRegistries::new(mishaps.clone())),
            cluster: Arc::new(SandboxCluster::new(seed, &clock, mishaps.clone(), metrics.clone())),
            state: Arc::new(MemoryState::new(mishaps.clone())),
            clock,
            mishaps,
            entropy: Arc::default(),
            metrics,
        }
    }

    /// The world as one process of the reconciler takes it.
    pub fn world(&self) -> World {
        World {
            sources: self.repositories.clone(),
            charts: self.charts.clone(),
            clusters: Arc::new(self.cluster.connection()),
            registries: self.registries.clone(),
            state: Some(self.state.clone()),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            workers: Workers::in_place(),
            metrics: self.metrics.clone(),
        }
    }
}
