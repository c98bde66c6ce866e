//! What stands where nothing of ours was written yet: objects without our labels are in no watch.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Mutex;

use super::live::{LiveIndex, Place};
use crate::adapters::cluster::{ClusterError, ClusterRead};
use crate::diff;
use crate::model::live::LiveRecord;
use crate::model::resource::ResourceId;

/// What stands in places where we want to write for the first time: objects without our labels are in no watch.
/// One list per kind and namespace, shared by all applications of a pass.
pub struct FirstContact {
    cluster: Arc<dyn ClusterRead>,
    live: LiveIndex,
    lists: Mutex<HashMap<Place, Arc<BTreeMap<ResourceId, LiveRecord>>>>,
}

impl FirstContact {
    pub(super) fn new(cluster: Arc<dyn ClusterRead>, live: LiveIndex) -> Self {
        Self { cluster, live, lists: Mutex::default() }
    }

    /// The record of an object that no watch shows.
    pub async fn look(&self, id: &ResourceId, namespaced: bool) -> Result<Option<LiveRecord>, ClusterError> {
        if !namespaced {
            let object = self.cluster.get(id, None).await?;
            return Ok(object.as_ref().and_then(|object| self.observe(object)).map(|(_, record)| record));
        }
        let key = Place { kind: id.kind.clone(), namespace: id.namespace.clone() };
        let mut lists = self.lists.lock().await;
        if let Some(list) = lists.get(&key) {
            return Ok(list.get(id).cloned());
        }
        let objects = self.cluster.list(&id.kind, None, id.namespace.as_deref(), None).await?;
        let list: BTreeMap<ResourceId, LiveRecord> =
            objects.iter().filter_map(|object| self.observe(object)).collect();
        let found = list.get(id).cloned();
        lists.insert(key, Arc::new(list));
        Ok(found)
    }

    fn observe(&self, object: &Value) -> Option<(ResourceId, LiveRecord)> {
        let observed = diff::observe(object, self.live.key(), self.live.now())?;
        Some((observed.id, observed.record))
    }
}
