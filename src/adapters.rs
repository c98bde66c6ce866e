//! Every way moorline touches the world, one narrow trait each. The reconciler knows the traits and the
//! [`World`] that holds them, never an implementation.

mod address;
pub mod bell;
pub mod charts;
pub mod checkout;
pub mod clock;
pub mod cluster;
pub mod credentials;
pub mod git;
pub mod kube;
pub mod panics;
pub mod registry;
pub mod sources;
pub mod tasks;
mod web;
pub mod workers;

use std::sync::Arc;

use crate::telemetry::Metrics;

/// Everything outside the process.
#[derive(Clone)]
pub struct World {
    /// Code and config repositories.
    pub sources: Arc<dyn sources::Sources>,
    /// Chart repositories.
    pub charts: Arc<dyn charts::Charts>,
    /// Image registries.
    pub registries: Arc<dyn registry::Registries>,
    /// Clusters.
    pub clusters: Arc<dyn cluster::Clusters>,
    /// The state repository; absent if no records are kept.
    pub state: Option<Arc<dyn sources::StateStore>>,
    /// The clock.
    pub clock: Arc<dyn clock::Clock>,
    /// Entropy for keys.
    pub entropy: Arc<dyn clock::Entropy>,
    /// Where work is done that takes the processor.
    pub workers: workers::Workers,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}
