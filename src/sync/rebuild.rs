//! A head that is lost, put together again (RULES §3): from objects that carry our label and have our Apply entry,
//! from the state repository, and from the set if that is still there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wanted::is_protected;
use crate::model::digest::KeyedHash;
use crate::model::inventory::{HEAD_FORMAT, Head, HeadObject, StoredSet};
use crate::model::live::{LiveRecord, Projection};
use crate::model::manifest::Manifest;
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::policy::SyncPolicy;
use crate::model::record::Record;
use crate::model::resource::ResourceId;

/// An object that we applied, as its label and managedFields tell.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundObject {
    /// Which object.
    pub id: ResourceId,
    entry: HeadObject,
}

impl FoundObject {
    /// Takes a live object; absent if it is not one of ours. A label alone proves nothing: children inherit it.
    pub fn of(object: &Value, id: ResourceId, record: &LiveRecord) -> Option<(ApplicationId, Self)> {
        record.projection?;
        let application = record.application.clone()?;
        let manifest = Manifest::parse(object.clone(), "the cluster").ok()?;
        let entry = HeadObject {
            api_version: record.owned_version.as_deref().unwrap_or("").to_owned(),
            uid: record.uid.to_string(),
            desired: KeyedHash::default(),
            // What we applied is not known: whatever is there now may be drift already.
            projection: Projection::default(),
            leaving: false,
            keep: manifest.keep,
            protected: is_protected(&manifest),
        };
        Some((application, Self { id, entry }))
    }
}

/// What is left of an application whose head is lost.
#[derive(Clone, Debug)]
pub struct Remains<'a> {
    /// The instance.
    pub instance: &'a InstanceName,
    /// The config repository.
    pub config: &'a str,
    /// The uid of kube-system.
    pub cluster: &'a str,
    /// Objects of the application.
    pub found: Vec<FoundObject>,
    /// The last record of the state repository.
    pub recorded: Option<&'a Record>,
    /// Sets that are still there.
    pub sets: Vec<&'a StoredSet>,
}

/// The head as far as it can be known; absent if nothing is left. What is deployed is known where the set is:
/// without it, nothing could be restored. The labels of its namespace are for the caller to find.
pub fn rebuild(remains: Remains<'_>) -> Option<Head> {
    let recorded = remains.recorded;
    if remains.found.is_empty() {
        return None;
    }
    let deployed = recorded.and_then(|record| record.deployed.clone());
    let set =
        deployed.as_ref().and_then(|version| remains.sets.iter().find(|set| set.digest == version.digest));
    // The newest set may be that of a rollout which did not end; then it is the next number.
    let newest = remains.sets.iter().map(|set| set.rollout).max().unwrap_or(0);
    Some(Head {
        format: HEAD_FORMAT,
        instance: remains.instance.clone(),
        rollout: recorded.map_or(0, |record| record.rollout).max(newest.saturating_sub(1)),
        wanted: None,
        slot: set.map(|set| set.slot),
        deployed: deployed.filter(|_| set.is_some()),
        previous: recorded.and_then(|record| record.previous.clone()),
        blocked: recorded.and_then(|record| record.blocked.clone()),
        inputs: None,
        sync: SyncPolicy::default(),
        namespace: namespace_of(&remains.found)?,
        namespace_labels: BTreeMap::new(),
        release: String::new(),
        config: remains.config.to_owned(),
        cluster: remains.cluster.to_owned(),
        rebuilt: true,
        objects: remains.found.into_iter().map(|object| (object.id, object.entry)).collect(),
        created: BTreeMap::new(),
        pending: Vec::new(),
    })
}

/// The namespace that most of the objects are in; of cluster-scoped ones alone, `default`.
fn namespace_of(found: &[FoundObject]) -> Option<NamespaceName> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for namespace in found.iter().filter_map(|object| object.id.namespace.as_deref()) {
        *counts.entry(namespace).or_default() += 1;
    }
    let most =
        counts.into_iter().max_by_key(|(_, count)| *count).map_or("default", |(namespace, _)| namespace);
    most.parse().ok()
}
