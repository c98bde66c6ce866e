//! Connecting to a cluster: tried until it works, in a task of its own.

use std::ops::ControlFlow;
use std::time::Duration;

use super::state::ClusterState;
use super::store::InventoryError;
use super::{ClusterEvent, Setup, Tell};
use crate::adapters::World;
use crate::adapters::tasks::Tasks;
use crate::model::name::InstanceName;

/// How long after a failure it is tried again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// A program that gives credentials may take so long.
const LONGEST: Duration = Duration::from_secs(30);

/// A cluster that is to be connected.
#[derive(Clone)]
pub struct Connection {
    /// The world outside.
    pub world: World,
    /// How it is worked with.
    pub setup: Setup,
    /// The instance whose inventory is read.
    pub instance: InstanceName,
    /// The context; absent means the default one.
    pub context: Option<String>,
    /// The name of this daemon.
    pub identity: String,
    /// Where events go.
    pub tell: Tell,
}

impl Connection {
    /// Connects in a task of `tasks`, and tells of the end.
    pub fn start(self, tasks: &mut Tasks) {
        tasks.supervise("connect", move || self.clone().connect());
    }

    async fn connect(self) -> ControlFlow<()> {
        let mut pause = PAUSES.0;
        loop {
            match self.once().await {
                Ok(state) => {
                    (self.tell)(ClusterEvent::Connected(Box::new(state)));
                    return ControlFlow::Break(());
                }
                Err(error) => (self.tell)(ClusterEvent::Unconnected(error)),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    async fn once(&self) -> Result<ClusterState, InventoryError> {
        use crate::adapters::cluster::ClusterError;
        let connecting = self.world.clusters.connect(self.context.as_deref());
        let late = || ClusterError::Unavailable {
            message: format!("its credentials did not come within {} s", LONGEST.as_secs()),
            retry_after: None,
        };
        let cluster = tokio::time::timeout(LONGEST, connecting).await.unwrap_or_else(|_| Err(late()))?;
        ClusterState::connect(self, cluster).await
    }
}
