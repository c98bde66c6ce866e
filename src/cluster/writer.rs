//! The one way to write to a cluster: objects, inventory, key, namespaces, commands. Every write asks the lease first
//! (RULES §14), and writes of rollouts wait for a place among those in flight; heals do not.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lease::Lease;
use crate::adapters::cluster::{Applied, ApplyOptions, ClusterError, ClusterRead, ClusterWrite};
use crate::diff::as_stored;
use crate::model::resource::{ApiVersion, ResourceId};

/// So many writes of rollouts are in flight at once in one cluster.
const IN_FLIGHT: usize = 32;

/// Writes to one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    cluster: Arc<dyn ClusterWrite>,
    lease: Lease,
    places: Arc<Semaphore>,
    urgent: bool,
}

impl Writer {
    pub(super) fn new(cluster: Arc<dyn ClusterWrite>, lease: Lease) -> Self {
        Self { cluster, lease, places: Arc::new(Semaphore::new(IN_FLIGHT)), urgent: false }
    }

    /// The same for what must not wait behind rollouts.
    pub fn urgent(&self) -> Self {
        Self { urgent: true, ..self.clone() }
    }

    /// For reading.
    pub fn reader(&self) -> &dyn ClusterRead {
        &*self.cluster
    }

    /// Whether a write would be allowed now.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Asks the lease, after a place is free: it may be lost while one waits.
    async fn place(&self) -> Result<Option<OwnedSemaphorePermit>, ClusterError> {
        let place = if self.urgent { None } else { self.places.clone().acquire_owned().await.ok() };
        self.lease.check()?;
        Ok(place)
    }

    /// Server-side apply. The texts of a Secret go as what is stored: who applies `stringData` owns nothing of `data`,
    /// so that an edit there would not be noticed, and a key that leaves the manifest would stay.
    pub async fn apply(&self, object: &Value, options: ApplyOptions) -> Result<Applied, ClusterError> {
        let _place = self.place().await?;
        self.cluster.apply(&as_stored(object), options).await
    }

    /// A JSON patch.
    pub async fn patch(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        patch: &Value,
    ) -> Result<Value, ClusterError> {
        let _place = self.place().await?;
        self.cluster.patch(id, version, patch).await
    }

    /// Creates an object without resourceVersion, replaces one with it only if it has not changed since.
    pub async fn put(&self, object: &Value) -> Result<Value, ClusterError> {
        let _place = self.place().await?;
        self.cluster.put(object).await
    }

    /// Deletes the object with this uid. True if it was there.
    pub async fn delete(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        uid: &str,
    ) -> Result<bool, ClusterError> {
        let _place = self.place().await?;
        self.cluster.delete(id, version, uid).await
    }
}
