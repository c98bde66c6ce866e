//! The calls that read and write the inventory: heads, sets, the key. How they are written is [`crate::inventory`]'s
//! business.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::lease::Lease;
use super::writer::Writer;
use super::{ClusterEvent, Tell};
use crate::adapters::cluster::{ClusterError, ClusterRead, WatchEvent};
use crate::helm::Remembered;
use crate::inventory::{
    PARTS, PENDING_KEY, PackedSet, Role, Unreadable, decode_head, decode_key, decode_part, decode_sets,
    encode_head, encode_key, encode_progress, encode_set, key_name, newer_set,
};
use crate::model::digest::HashKey;
use crate::model::inventory::{Head, Slot, StoredHead, StoredSet, head_name, set_name};
use crate::model::manifest::{APPLICATION_LABEL, label};
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::resource::{GroupKind, ResourceId};

/// Why something in the inventory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The cluster did not let us.
    #[error("failed to use the inventory")]
    Cluster(#[from] ClusterError),
    /// An object does not hold what it should.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The operating system gave no entropy for a key.
    #[error("failed to make the key of the fingerprints: {0}")]
    Entropy(String),
}

/// All that one cluster keeps for one instance.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Heads.
    pub heads: BTreeMap<ApplicationId, StoredHead>,
    /// Heads that cannot be read, with the reason.
    pub unreadable: BTreeMap<ApplicationId, Unreadable>,
    /// Sets, complete ones alone.
    pub sets: Vec<(StoredSet, PackedSet)>,
}

impl Inventory {
    /// What charts drew before, by application: the newest set has all that is kept.
    pub fn drawn(&self) -> BTreeMap<ApplicationId, Arc<Remembered>> {
        let mut newest: BTreeMap<ApplicationId, (u64, Arc<Remembered>)> = BTreeMap::new();
        for (stored, packed) in &self.sets {
            let known = newest.get(&stored.application).map(|(rollout, _)| *rollout);
            if known.is_none_or(|known| stored.rollout > known) {
                newest.insert(stored.application.clone(), (stored.rollout, packed.drawn().clone()));
            }
        }
        newest.into_iter().map(|(application, (_, drawn))| (application, drawn)).collect()
    }
}

fn config_map() -> GroupKind {
    GroupKind::new("", "ConfigMap")
}

fn secret() -> GroupKind {
    GroupKind::new("", "Secret")
}

/// Reads heads alone: what `status` needs.
pub async fn read_heads(
    cluster: &dyn ClusterRead,
    namespace: &NamespaceName,
    instance: &InstanceName,
) -> Result<Inventory, ClusterError> {
    let mut inventory = Inventory::default();
    let selector = Role::Head.selector(instance);
    for object in cluster.list(&config_map(), None, Some(namespace.as_str()), Some(&selector)).await? {
        let Some(application) = label(&object, APPLICATION_LABEL).and_then(ApplicationId::from_label) else {
            continue;
        };
        match decode_head(&object) {
            Ok(head) => {
                inventory.heads.insert(application, head);
            }
            Err(error) => {
                inventory.unreadable.insert(application, error);
            }
        }
    }
    Ok(inventory)
}

/// The instance whose heads came from a config repository; absent if there is none, or more than one.
pub async fn find_instance(
    cluster: &dyn ClusterRead,
    namespace: &NamespaceName,
    config: &str,
) -> Result<Option<InstanceName>, ClusterError> {
    let selector = Role::Head.selector_of_all();
    let objects = cluster.list(&config_map(), None, Some(namespace.as_str()), Some(&selector)).await?;
    let heads = objects.iter().filter_map(|object| decode_head(object).ok()).map(|stored| stored.head);
    let instances: BTreeSet<InstanceName> =
        heads.filter(|head| head.config == config).map(|head| head.instance).collect();
    let mut instances = instances.into_iter();
    Ok(instances.next().filter(|_| instances.next().is_none()))
}

/// Reads heads and sets.
pub async fn read_all(
    cluster: &dyn ClusterRead,
    namespace: &NamespaceName,
    instance: &InstanceName,
) -> Result<Inventory, ClusterError> {
    let mut inventory = read_heads(cluster, namespace, instance).await?;
    let selector = Role::Set.selector(instance);
    let secrets = cluster.list(&secret(), None, Some(namespace.as_str()), Some(&selector)).await?;
    inventory.unreadable.extend(secrets.iter().filter_map(newer_set));
    inventory.sets = decode_sets(&secrets);
    Ok(inventory)
}

/// Writes a head: creates it without a resourceVersion, else replaces exactly the version given.
pub async fn write_head(
    writer: &Writer,
    namespace: &NamespaceName,
    application: &ApplicationId,
    head: &Head,
    resource_version: Option<&str>,
) -> Result<String, ClusterError> {
    let object = encode_head(namespace, application, head, resource_version)
        .map_err(|error| ClusterError::Rejected { message: error.to_string() })?;
    let stored = writer.put(&object).await?;
    let version = stored.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or("");
    Ok(version.to_owned())
}

/// Where a set goes.
pub struct SetPlace<'a> {
    /// moorline's own namespace.
    pub namespace: &'a NamespaceName,
    /// The instance.
    pub instance: &'a InstanceName,
    /// A rollout that did not end, whose set may be replaced.
    pub known: Option<&'a StoredSet>,
}

/// Writes a set into its slot, part by part; gives the resourceVersion of the first. What stood there before is
/// replaced; parts left over are ignored when read, because they name another rollout.
pub async fn write_set(
    writer: &Writer,
    place: &SetPlace<'_>,
    stored: &StoredSet,
    packed: &PackedSet,
) -> Result<String, ClusterError> {
    let mut first = None;
    for object in encode_set(place.namespace, place.instance, stored, packed) {
        let written = match writer.put(&object).await {
            Err(ClusterError::Changed { .. }) => replace(writer, object, stored, place).await?,
            other => other?,
        };
        first.get_or_insert_with(|| version_of(&written));
    }
    Ok(first.unwrap_or_default())
}

/// Notes beside the set of a rollout how far it has come, if nobody else wrote there meanwhile. Gives the new
/// resourceVersion.
pub async fn note_progress(
    writer: &Writer,
    namespace: &NamespaceName,
    instance: &InstanceName,
    stored: &StoredSet,
) -> Result<String, ClusterError> {
    let name = set_name(instance, &stored.application, stored.slot, 1);
    let id = ResourceId { kind: secret(), namespace: Some(namespace.as_str().into()), name: name.into() };
    let patch = json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": stored.resource_version},
        {"op": "add", "path": format!("/data/{PENDING_KEY}"), "value": encode_progress(&stored.progress)},
    ]);
    writer.patch(&id, None, &patch).await.map(|object| version_of(&object))
}

fn version_of(object: &Value) -> String {
    object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or("").to_owned()
}

/// Replaces what an older rollout left in the slot, or the unfinished one that we know of. Anything else of this
/// number or a newer one is another daemon's, unless it is the same set: then our own answer was lost.
async fn replace(
    writer: &Writer,
    mut object: Value,
    stored: &StoredSet,
    place: &SetPlace<'_>,
) -> Result<Value, ClusterError> {
    let Some(id) = ResourceId::of(&object) else {
        return Ok(object);
    };
    let there = writer.reader().get(&id, None).await?;
    if let Some((_, newer)) = there.as_ref().and_then(newer_set) {
        return Err(ClusterError::Rejected { message: newer.to_string() });
    }
    if let Some(part) = there.as_ref().and_then(decode_part).filter(|part| part.rollout >= stored.rollout) {
        if part.digest == stored.digest && part.rollout == stored.rollout {
            return Ok(there.unwrap_or_default());
        }
        let known = |known: &StoredSet| known.rollout == part.rollout && known.digest == part.digest;
        if !place.known.is_some_and(known) {
            let message = format!("{id} holds rollout {} of another daemon", part.rollout);
            return Err(ClusterError::Changed { message });
        }
    }
    if let Some(version) = there.as_ref().and_then(|there| there.pointer("/metadata/resourceVersion")) {
        object["metadata"]["resourceVersion"] = version.clone();
    }
    writer.put(&object).await
}

/// What the cluster keeps for one application.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The head.
    pub head: Option<StoredHead>,
    /// Sets, complete ones alone.
    pub sets: Vec<(StoredSet, PackedSet)>,
}

/// Reads the head and the sets of one application by their names: a list would go through everybody's.
pub async fn read_one(
    cluster: &dyn ClusterRead,
    namespace: &NamespaceName,
    instance: &InstanceName,
    application: &ApplicationId,
) -> Result<Kept, InventoryError> {
    let id = |kind: GroupKind, name: String| ResourceId {
        kind,
        namespace: Some(namespace.as_str().into()),
        name: name.into(),
    };
    let head = id(config_map(), head_name(instance, application));
    let part = |slot: Slot, number: usize| id(secret(), set_name(instance, application, slot, number));
    let (first, second) = (part(Slot::A, 1), part(Slot::B, 1));
    let (head, a, b) =
        tokio::try_join!(cluster.get(&head, None), cluster.get(&first, None), cluster.get(&second, None))?;
    let mut secrets = Vec::new();
    for (slot, first) in [(Slot::A, a), (Slot::B, b)] {
        let Some(first) = first else { continue };
        let count = decode_part(&first).map_or(1, |part| part.count).min(PARTS);
        secrets.push(first);
        for number in 2..=count {
            secrets.extend(cluster.get(&part(slot, number), None).await?);
        }
    }
    Ok(Kept { head: head.as_ref().map(decode_head).transpose()?, sets: decode_sets(&secrets) })
}

/// Removes the head and the sets of an application that is gone.
pub async fn remove(
    writer: &Writer,
    namespace: &NamespaceName,
    instance: &InstanceName,
    application: &ApplicationId,
) -> Result<(), ClusterError> {
    let of_application =
        |role: Role| format!("{},{APPLICATION_LABEL}={}", role.selector(instance), application.label());
    for (kind, role) in [(secret(), Role::Set), (config_map(), Role::Head)] {
        let objects =
            writer.reader().list(&kind, None, Some(namespace.as_str()), Some(&of_application(role))).await?;
        for object in objects {
            let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or("");
            if let Some(id) = ResourceId::of(&object) {
                writer.delete(&id, None, uid).await?;
            }
        }
    }
    Ok(())
}

/// The key of the instance's fingerprints; absent if it was not made yet.
pub async fn read_key(
    cluster: &dyn ClusterRead,
    namespace: &NamespaceName,
    instance: &InstanceName,
) -> Result<Option<HashKey>, InventoryError> {
    let Some(object) = cluster.get(&key_id(namespace, instance), None).await? else {
        return Ok(None);
    };
    Ok(Some(decode_key(&object)?))
}

/// Stores a new key, unless another process was faster: then its key is returned.
pub async fn make_key(
    writer: &Writer,
    namespace: &NamespaceName,
    instance: &InstanceName,
    key: HashKey,
) -> Result<HashKey, InventoryError> {
    let object = encode_key(namespace, instance, &key);
    match writer.put(&object).await {
        Ok(_) => Ok(key),
        Err(ClusterError::Changed { .. }) => {
            let there = read_key(writer.reader(), namespace, instance).await?;
            Ok(there.unwrap_or(key))
        }
        Err(error) => Err(error.into()),
    }
}

fn key_id(namespace: &NamespaceName, instance: &InstanceName) -> ResourceId {
    ResourceId { kind: secret(), namespace: Some(namespace.as_str().into()), name: key_name(instance).into() }
}

/// Follows the heads that another daemon writes, for as long as that one holds the lease.
#[derive(Clone)]
pub(super) struct FollowHeads {
    pub(super) cluster: Arc<dyn ClusterRead>,
    pub(super) namespace: NamespaceName,
    pub(super) instance: InstanceName,
    pub(super) lease: Lease,
    pub(super) tell: Tell,
}

impl FollowHeads {
    pub(super) async fn run(self) -> ControlFlow<()> {
        loop {
            self.lease.stands_by(true).await;
            let selector = Role::Head.selector(&self.instance);
            let mut heads = self.cluster.watch(&config_map(), None, Some(self.namespace.as_str()), &selector);
            loop {
                let event = tokio::select! {
                    biased;
                    () = self.lease.stands_by(false) => break,
                    event = heads.next() => event,
                };
                match event {
                    Some(WatchEvent::Object(object)) => self.take(&object),
                    Some(_) => {}
                    None => return ControlFlow::Continue(()),
                }
            }
        }
    }

    fn take(&self, object: &Value) {
        let application = label(object, APPLICATION_LABEL).and_then(ApplicationId::from_label);
        if let (Some(application), Ok(head)) = (application, decode_head(object)) {
            (self.tell)(ClusterEvent::Head(application, Box::new(head)));
        }
    }
}
