//! The inventory as objects of the cluster: heads in ConfigMaps, rendered sets in Secrets, the key of the
//! fingerprints in a Secret. Encoding and decoding, and the few calls that read and write them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::adapters::cluster::{ClusterError, ClusterRead, ClusterWrite};
use crate::helm::Remembered;
use crate::model::digest::{Digest, HashKey};
use crate::model::inventory::{HEAD_FORMAT, Head, Slot, StoredHead, StoredSet, head_name, set_name};
use crate::model::manifest::{APPLICATION_LABEL, INSTANCE_LABEL, Manifest, RenderedSet, annotation, label};
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::resource::{GroupKind, ResourceId};

/// What an object of the inventory is.
pub const ROLE_LABEL: &str = "moorline.dev/role";
/// How many bytes at the end of a set are the values that its charts drew.
const DRAWN_ANNOTATION: &str = "moorline.dev/drawn-bytes";
/// The type of the Secrets that hold sets.
const SET_TYPE: &str = "moorline.dev/set";
/// The most bytes of a set in one Secret, before base64 (RULES §3: under 900 KiB).
const PART_BYTES: usize = 640 << 10;
/// The most parts of a set that are read.
const PARTS: usize = 100;
/// The most bytes that a set may unpack to.
const SET_LIMIT: u64 = 256 << 20;

/// A set as it is kept: compressed, with the values that its charts drew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedSet {
    /// Which set.
    pub digest: Digest,
    bytes: Arc<[u8]>,
    drawn: Arc<Remembered>,
}

/// Why something in the inventory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The cluster did not let us.
    #[error("failed to use the inventory")]
    Cluster(#[from] ClusterError),
    /// An object does not hold what it should.
    #[error("{object} cannot be understood: {why}")]
    Unreadable {
        /// The object.
        object: String,
        /// Why.
        why: String,
    },
}

/// All that one cluster keeps for one instance.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Heads.
    pub heads: BTreeMap<ApplicationId, StoredHead>,
    /// Heads that cannot be read, with the reason.
    pub unreadable: BTreeMap<ApplicationId, String>,
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
                newest.insert(stored.application.clone(), (stored.rollout, packed.drawn.clone()));
            }
        }
        newest.into_iter().map(|(application, (_, drawn))| (application, drawn)).collect()
    }
}

impl PackedSet {
    /// Compresses a rendered set.
    pub fn pack(set: &RenderedSet) -> Self {
        let manifests: Vec<Value> = set
            .manifests
            .iter()
            .map(|manifest| json!({"source": &*manifest.source, "object": &*manifest.object}))
            .collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        // Writing into memory does not fail.
        let _ = encoder.write_all(json!({ "manifests": manifests }).to_string().as_bytes());
        let bytes = encoder.finish().unwrap_or_default();
        Self { digest: set.digest, bytes: bytes.into(), drawn: Arc::default() }
    }

    /// The same with values that were drawn.
    pub fn with_drawn(self, drawn: Arc<Remembered>) -> Self {
        Self { drawn, ..self }
    }

    /// The values that its charts drew, now or in rollouts not long ago.
    pub fn drawn(&self) -> &Arc<Remembered> {
        &self.drawn
    }

    /// The values as they are kept: behind the manifests, compressed.
    fn packed_drawn(&self) -> Vec<u8> {
        if self.drawn.is_empty() {
            return Vec::new();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        let _ = encoder.write_all(self.drawn.to_json().to_string().as_bytes());
        encoder.finish().unwrap_or_default()
    }

    /// Takes apart what is kept; `drawn` bytes at the end are the values. Values that cannot be read are drawn anew.
    fn kept(digest: Digest, bytes: &[u8], drawn: usize) -> Self {
        let (manifests, drawn) = bytes.split_at(bytes.len().saturating_sub(drawn));
        let mut text = String::new();
        let read = GzDecoder::new(drawn).take(SET_LIMIT).read_to_string(&mut text).ok();
        let value = read.and_then(|_| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default();
        Self { digest, bytes: manifests.into(), drawn: Arc::new(Remembered::from_json(&value)) }
    }

    /// Unpacks the manifests; a set whose digest is another than the one it carries is refused.
    pub fn unpack(&self) -> Result<RenderedSet, InventoryError> {
        let unreadable = |why: String| InventoryError::Unreadable {
            object: format!("the set {}", self.digest.short()),
            why,
        };
        let mut text = String::new();
        let mut decoder = GzDecoder::new(&*self.bytes).take(SET_LIMIT);
        decoder.read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        let list = value.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut manifests = Vec::with_capacity(list.len());
        for mut item in list {
            let source = item.get("source").and_then(Value::as_str).unwrap_or("").to_owned();
            let object = item.get_mut("object").map(Value::take).unwrap_or_default();
            manifests.push(Manifest::parse(object, &source).map_err(|error| unreadable(error.to_string()))?);
        }
        let set = RenderedSet::new(manifests);
        if set.digest != self.digest {
            return Err(unreadable(format!("its digest is {}", set.digest.short())));
        }
        Ok(set)
    }
}

fn config_map() -> GroupKind {
    GroupKind::new("", "ConfigMap")
}

fn secret() -> GroupKind {
    GroupKind::new("", "Secret")
}

fn selector(instance: &InstanceName, role: &str) -> String {
    format!("{INSTANCE_LABEL}={instance},{ROLE_LABEL}={role}")
}

fn metadata(
    name: String,
    namespace: &NamespaceName,
    instance: &InstanceName,
    application: Option<&ApplicationId>,
    role: &str,
) -> Value {
    let mut labels = json!({INSTANCE_LABEL: instance.as_str(), ROLE_LABEL: role});
    if let Some(application) = application {
        labels[APPLICATION_LABEL] = json!(application.label());
    }
    json!({"name": name, "namespace": namespace.as_str(), "labels": labels})
}

/// Reads heads alone: what `status` needs.
pub async fn read_heads(
    cluster: &dyn ClusterRead,
    namespace: &NamespaceName,
    instance: &InstanceName,
) -> Result<Inventory, ClusterError> {
    let mut inventory = Inventory::default();
    let selector = selector(instance, "head");
    for object in cluster.list(&config_map(), None, Some(namespace.as_str()), Some(&selector)).await? {
        let Some(application) = label(&object, APPLICATION_LABEL).and_then(ApplicationId::from_label) else {
            continue;
        };
        match decode_head(&object) {
            Ok(head) => {
                inventory.heads.insert(application, head);
            }
            Err(error) => {
                inventory.unreadable.insert(application, error.to_string());
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
    let selector = format!("{ROLE_LABEL}=head");
    let objects = cluster.list(&config_map(), None, Some(namespace.as_str()), Some(&selector)).await?;
    let heads = objects.iter().filter_map(|object| decode_head(object).ok()).map(|stored| stored.head);
    let instances: std::collections::BTreeSet<InstanceName> =
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
    let selector = selector(instance, "set");
    let secrets = cluster.list(&secret(), None, Some(namespace.as_str()), Some(&selector)).await?;
    inventory.sets = decode_sets(&secrets);
    Ok(inventory)
}

fn decode_head(object: &Value) -> Result<StoredHead, InventoryError> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
    let unreadable = |why: String| InventoryError::Unreadable { object: format!("ConfigMap {name}"), why };
    let text = object.pointer("/data/head").and_then(Value::as_str);
    let text = text.ok_or_else(|| unreadable("it has no key `head`".to_owned()))?;
    let head: Head = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if head.format != HEAD_FORMAT {
        return Err(unreadable(format!("it has format {}, this moorline reads {HEAD_FORMAT}", head.format)));
    }
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or("");
    Ok(StoredHead { head, resource_version: version.to_owned() })
}

/// Writes a head: creates it without a resourceVersion, else replaces exactly the version given.
pub async fn write_head(
    cluster: &dyn ClusterWrite,
    namespace: &NamespaceName,
    application: &ApplicationId,
    head: &Head,
    resource_version: Option<&str>,
) -> Result<String, ClusterError> {
    let name = head_name(&head.instance, application);
    let mut metadata = metadata(name, namespace, &head.instance, Some(application), "head");
    if let Some(version) = resource_version {
        metadata["resourceVersion"] = json!(version);
    }
    let text =
        serde_json::to_string(head).map_err(|error| ClusterError::Rejected { message: error.to_string() })?;
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"head": text}});
    let stored = cluster.put(&object).await?;
    let version = stored.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or("");
    Ok(version.to_owned())
}

/// Whether a set is that of a rollout which began after the head was written. The deployed set is none, though it is
/// written again under a newer number where it was lost.
pub fn is_begun(stored: &StoredSet, head: Option<&Head>) -> bool {
    let deployed =
        head.is_some_and(|head| head.has_deployed(stored.digest) && head.slot == Some(stored.slot));
    stored.rollout > head.map_or(0, |head| head.rollout) && !deployed
}

/// Where a set goes.
pub struct SetPlace<'a> {
    /// moorline's own namespace.
    pub namespace: &'a NamespaceName,
    /// The instance.
    pub instance: &'a InstanceName,
    /// The application, slot, rollout, digest and objects.
    pub stored: &'a StoredSet,
    /// A rollout that did not end, whose set may be replaced.
    pub known: Option<&'a StoredSet>,
}

/// Writes a set into its slot, part by part. What stood there before is replaced; parts left over are ignored
/// when read, because they name another rollout.
pub async fn write_set(
    cluster: &dyn ClusterWrite,
    place: &SetPlace<'_>,
    packed: &PackedSet,
) -> Result<(), ClusterError> {
    for object in encode_set(place, packed) {
        match cluster.put(&object).await {
            Err(ClusterError::Changed { .. }) => replace(cluster, object, place).await?,
            other => {
                other?;
            }
        }
    }
    Ok(())
}

/// Replaces what an older rollout left in the slot, or the unfinished one that we know of. Anything else of this
/// number or a newer one is another daemon's, unless it is the same set: then our own answer was lost.
async fn replace(
    cluster: &dyn ClusterWrite,
    mut object: Value,
    place: &SetPlace<'_>,
) -> Result<(), ClusterError> {
    let stored = place.stored;
    let Some(id) = ResourceId::of(&object) else {
        return Ok(());
    };
    let there = cluster.get(&id, None).await?;
    if let Some(part) = there.as_ref().and_then(decode_part).filter(|part| part.rollout >= stored.rollout) {
        if part.digest == stored.digest && part.rollout == stored.rollout {
            return Ok(());
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
    cluster.put(&object).await.map(drop)
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

fn encode_set(place: &SetPlace<'_>, packed: &PackedSet) -> Vec<Value> {
    let stored = place.stored;
    let drawn = packed.packed_drawn();
    let bytes = [&*packed.bytes, &drawn].concat();
    let parts: Vec<&[u8]> = if bytes.is_empty() { vec![&[]] } else { bytes.chunks(PART_BYTES).collect() };
    let count = parts.len();
    let encode = |(index, bytes): (usize, &&[u8])| {
        let name = set_name(place.instance, &stored.application, stored.slot, index + 1);
        let mut metadata = metadata(name, place.namespace, place.instance, Some(&stored.application), "set");
        metadata["annotations"] = json!({
            "moorline.dev/slot": stored.slot.as_str(),
            "moorline.dev/rollout": stored.rollout.to_string(),
            "moorline.dev/digest": stored.digest.to_string(),
            "moorline.dev/part": format!("{}/{count}", index + 1),
        });
        if !drawn.is_empty() {
            metadata["annotations"][DRAWN_ANNOTATION] = json!(drawn.len().to_string());
        }
        let mut data = json!({"set": BASE64.encode(bytes)});
        if index == 0 {
            let ids = serde_json::to_vec(&stored.objects).unwrap_or_default();
            data["objects"] = json!(BASE64.encode(ids));
        }
        json!({"apiVersion": "v1", "kind": "Secret", "type": SET_TYPE, "metadata": metadata, "data": data})
    };
    parts.iter().enumerate().map(encode).collect()
}

struct Part {
    application: ApplicationId,
    slot: Slot,
    rollout: u64,
    digest: Digest,
    number: usize,
    count: usize,
    bytes: Vec<u8>,
    objects: Vec<ResourceId>,
    drawn: usize,
}

fn decode_part(object: &Value) -> Option<Part> {
    let text = |key: &str| annotation(object, key);
    let (number, count) = text("moorline.dev/part")?.split_once('/')?;
    let decoded = |key: &str| {
        let data = object.get("data")?.get(key)?.as_str()?;
        BASE64.decode(data).ok()
    };
    Some(Part {
        application: label(object, APPLICATION_LABEL).and_then(ApplicationId::from_label)?,
        slot: match text("moorline.dev/slot")? {
            "a" => Slot::A,
            "b" => Slot::B,
            _ => return None,
        },
        rollout: text("moorline.dev/rollout")?.parse().ok()?,
        digest: text("moorline.dev/digest")?.parse().ok()?,
        number: number.parse().ok()?,
        count: count.parse().ok()?,
        drawn: text(DRAWN_ANNOTATION).and_then(|text| text.parse().ok()).unwrap_or(0),
        bytes: decoded("set").unwrap_or_default(),
        objects: decoded("objects").and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default(),
    })
}

/// Puts parts together; a slot whose parts do not all belong to one rollout is left out.
fn decode_sets(secrets: &[Value]) -> Vec<(StoredSet, PackedSet)> {
    let mut slots: BTreeMap<(ApplicationId, &'static str), Vec<Part>> = BTreeMap::new();
    for part in secrets.iter().filter_map(decode_part) {
        slots.entry((part.application.clone(), part.slot.as_str())).or_default().push(part);
    }
    let mut sets = Vec::new();
    for (_, mut parts) in slots {
        parts.sort_by_key(|part| part.number);
        let Some(first) = parts.first() else { continue };
        let (rollout, digest, count) = (first.rollout, first.digest, first.count);
        let belongs = |part: &&Part| part.rollout == rollout && part.digest == digest && part.count == count;
        let own: Vec<&Part> = parts.iter().filter(belongs).collect();
        let complete =
            own.len() == count && own.iter().enumerate().all(|(index, part)| part.number == index + 1);
        if !complete {
            continue;
        }
        let bytes: Vec<u8> = own.iter().flat_map(|part| part.bytes.iter().copied()).collect();
        let stored = StoredSet {
            application: first.application.clone(),
            slot: first.slot,
            rollout,
            digest,
            objects: first.objects.clone(),
        };
        sets.push((stored, PackedSet::kept(digest, &bytes, first.drawn)));
    }
    sets
}

/// Removes the head and the sets of an application that is gone.
pub async fn remove(
    cluster: &dyn ClusterWrite,
    namespace: &NamespaceName,
    instance: &InstanceName,
    application: &ApplicationId,
) -> Result<(), ClusterError> {
    let of_application =
        |role: &str| format!("{},{APPLICATION_LABEL}={}", selector(instance, role), application.label());
    for (kind, role) in [(secret(), "set"), (config_map(), "head")] {
        let objects =
            cluster.list(&kind, None, Some(namespace.as_str()), Some(&of_application(role))).await?;
        for object in objects {
            let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or("");
            if let Some(id) = ResourceId::of(&object) {
                cluster.delete(&id, None, uid).await?;
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
    let text = object.pointer("/data/fingerprints").and_then(Value::as_str).unwrap_or("");
    let bytes = BASE64.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let unreadable = || InventoryError::Unreadable {
        object: format!("Secret {namespace}/{instance}.keys"),
        why: "its key `fingerprints` has not 32 bytes".to_owned(),
    };
    Ok(Some(HashKey::new(bytes.ok_or_else(unreadable)?)))
}

/// Stores a new key, unless another process was faster: then its key is returned.
pub async fn make_key(
    cluster: &dyn ClusterWrite,
    namespace: &NamespaceName,
    instance: &InstanceName,
    key: HashKey,
) -> Result<HashKey, InventoryError> {
    let metadata = metadata(format!("{instance}.keys"), namespace, instance, None, "keys");
    let data = json!({"fingerprints": BASE64.encode(key.expose())});
    let object = json!({"apiVersion": "v1", "kind": "Secret", "type": "moorline.dev/keys", "metadata": metadata, "data": data});
    match cluster.put(&object).await {
        Ok(_) => Ok(key),
        Err(ClusterError::Changed { .. }) => {
            let there = read_key(cluster, namespace, instance).await?;
            Ok(there.unwrap_or(key))
        }
        Err(error) => Err(error.into()),
    }
}

fn key_id(namespace: &NamespaceName, instance: &InstanceName) -> ResourceId {
    ResourceId {
        kind: secret(),
        namespace: Some(namespace.as_str().into()),
        name: format!("{instance}.keys").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(size: usize) -> RenderedSet {
        // Text that hardly compresses, so that large sets need several parts.
        let noise: String = (0..size).map(|index| Digest::of(&index.to_le_bytes()).hex()).collect();
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"noise": noise}});
        RenderedSet::new(vec![Manifest::parse(object, "a.yaml").unwrap()])
    }

    fn stored(set: &RenderedSet) -> StoredSet {
        StoredSet {
            application: ApplicationId::new("dev".parse().unwrap(), "web".parse().unwrap()),
            slot: Slot::B,
            rollout: 7,
            digest: set.digest,
            objects: vec!["|ConfigMap||a".parse().unwrap()],
        }
    }

    fn encode(set: &RenderedSet) -> Vec<Value> {
        let (namespace, instance) = ("moorline".parse().unwrap(), "shop".parse().unwrap());
        let stored = stored(set);
        encode_set(
            &SetPlace { namespace: &namespace, instance: &instance, stored: &stored, known: None },
            &PackedSet::pack(set),
        )
    }

    #[test]
    fn a_set_is_split_and_put_together() {
        for (size, parts) in [(1, 1), (40_000, 3)] {
            let set = set(size);
            let secrets = encode(&set);
            assert_eq!(secrets.len(), parts);
            assert!(secrets.iter().all(|secret| secret.to_string().len() < 900 << 10));
            let decoded = decode_sets(&secrets);
            assert_eq!(decoded[0].0, stored(&set));
            assert_eq!(decoded[0].1.unpack().unwrap(), set);
        }
    }

    #[test]
    fn an_incomplete_or_changed_set_is_not_used() {
        let mut secrets = encode(&set(40_000));
        let last = secrets.pop().unwrap();
        assert!(decode_sets(&secrets).is_empty());
        let mut other = last;
        other["metadata"]["annotations"]["moorline.dev/rollout"] = json!("6");
        secrets.push(other);
        assert!(decode_sets(&secrets).is_empty());
        let mut packed = PackedSet::pack(&set(1));
        packed.digest = Digest::of(b"other");
        assert!(packed.unpack().is_err());
    }
}
