//! The rendered set of a rollout as Secrets of the cluster: compressed, split into parts, put together again. A set
//! whose parts do not belong together, or whose digest is another than the one it carries, is not used.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{FORMAT_ANNOTATION, Role, Unreadable, metadata};
use crate::helm::Remembered;
use crate::model::digest::Digest;
use crate::model::inventory::{Head, PendingProgress, Slot, StoredSet, set_name};
use crate::model::manifest::{APPLICATION_LABEL, Manifest, RenderedSet, annotation, label};
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::resource::ResourceId;

/// How many bytes at the end of a set are the values that its charts drew.
const DRAWN_ANNOTATION: &str = "moorline.dev/drawn-bytes";
/// The format in which sets are written.
const SET_FORMAT: u64 = 1;
/// The key of the first Secret that says how far the rollout has come.
pub const PENDING_KEY: &str = "pending";
/// The format in which it is written how far a rollout has come.
const PENDING_FORMAT: u64 = 1;
/// The type of the Secrets that hold sets.
const SET_TYPE: &str = "moorline.dev/set";
/// The most bytes of a set in one Secret, before base64 (RULES §3: under 900 KiB).
const PART_BYTES: usize = 640 << 10;
/// The most parts of a set that are read.
pub const PARTS: usize = 100;
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
    pub fn unpack(&self) -> Result<RenderedSet, Unreadable> {
        let unreadable =
            |why: String| Unreadable::Broken { object: format!("the set {}", self.digest.short()), why };
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

/// Whether a set is that of a rollout which began after the head was written. The deployed set is none, though it is
/// written again under a newer number where it was lost.
pub fn is_begun(stored: &StoredSet, head: Option<&Head>) -> bool {
    let deployed =
        head.is_some_and(|head| head.has_deployed(stored.digest) && head.slot == Some(stored.slot));
    stored.rollout > head.map_or(0, |head| head.rollout) && !deployed
}

/// The Secrets that hold a set in moorline's own namespace.
pub fn encode_set(
    namespace: &NamespaceName,
    instance: &InstanceName,
    stored: &StoredSet,
    packed: &PackedSet,
) -> Vec<Value> {
    let drawn = packed.packed_drawn();
    let bytes = [&*packed.bytes, &drawn].concat();
    let parts: Vec<&[u8]> = if bytes.is_empty() { vec![&[]] } else { bytes.chunks(PART_BYTES).collect() };
    let count = parts.len();
    let encode = |(index, bytes): (usize, &&[u8])| {
        let name = set_name(instance, &stored.application, stored.slot, index + 1);
        let mut metadata = metadata(name, namespace, instance, Some(&stored.application), Role::Set);
        metadata["annotations"] = json!({
            FORMAT_ANNOTATION: SET_FORMAT.to_string(),
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
            data[PENDING_KEY] = json!(encode_progress(&stored.progress));
        }
        json!({"apiVersion": "v1", "kind": "Secret", "type": SET_TYPE, "metadata": metadata, "data": data})
    };
    parts.iter().enumerate().map(encode).collect()
}

/// How far a rollout has come, as data of a Secret.
pub fn encode_progress(progress: &PendingProgress) -> String {
    let mut value = json!(progress);
    value["format"] = json!(PENDING_FORMAT);
    BASE64.encode(value.to_string())
}

/// Absent in sets that were written before rollouts noted how far they had come.
fn decode_progress(object: &Value) -> Option<Value> {
    serde_json::from_slice(&decoded(object, PENDING_KEY)?).ok()
}

fn decoded(object: &Value, key: &str) -> Option<Vec<u8>> {
    BASE64.decode(object.get("data")?.get(key)?.as_str()?).ok()
}

/// One Secret of a set.
pub struct Part {
    /// The application.
    pub application: ApplicationId,
    /// In which slot.
    pub slot: Slot,
    /// Of which rollout.
    pub rollout: u64,
    /// The digest of the set.
    pub digest: Digest,
    /// Its number, from 1.
    pub number: usize,
    /// How many parts there are.
    pub count: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The objects of the set, in the first part.
    pub objects: Vec<ResourceId>,
    /// How many bytes at the end of the set are values that charts drew.
    pub drawn: usize,
    /// How far the rollout has come, in the first part.
    pub progress: PendingProgress,
    /// The resourceVersion of the Secret.
    pub resource_version: String,
}

/// Whether a newer moorline wrote this part of a set: of which application, and in which format.
pub fn newer_set(object: &Value) -> Option<(ApplicationId, Unreadable)> {
    let set = annotation(object, FORMAT_ANNOTATION).and_then(|text| text.parse().ok());
    let pending = decode_progress(object).and_then(|progress| progress.get("format")?.as_u64());
    let newer = |format: Option<u64>, known: u64| Some((format.filter(|format| *format > known)?, known));
    let (format, known) = newer(set, SET_FORMAT).or_else(|| newer(pending, PENDING_FORMAT))?;
    let application = label(object, APPLICATION_LABEL).and_then(ApplicationId::from_label)?;
    let object = format!("a Secret of the set of {application}");
    Some((application, Unreadable::Newer { object, format, known }))
}

/// Reads one part; absent if it is none.
pub fn decode_part(object: &Value) -> Option<Part> {
    let text = |key: &str| annotation(object, key);
    let (number, count) = text("moorline.dev/part")?.split_once('/')?;
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or("");
    let progress = decode_progress(object).and_then(|progress| serde_json::from_value(progress).ok());
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
        bytes: decoded(object, "set").unwrap_or_default(),
        objects: decoded(object, "objects")
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default(),
        progress: progress.unwrap_or_default(),
        resource_version: version.to_owned(),
    })
}

/// Puts parts together; a slot whose parts do not all belong to one rollout is left out.
pub fn decode_sets(secrets: &[Value]) -> Vec<(StoredSet, PackedSet)> {
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
            progress: first.progress.clone(),
            resource_version: first.resource_version.clone(),
        };
        sets.push((stored, PackedSet::kept(digest, &bytes, first.drawn)));
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::Phase;

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
            progress: PendingProgress {
                phase: Phase::Sync,
                wave: 3,
                used_seconds: 90,
                created: [("|ConfigMap||a".parse().unwrap(), "uid-1".to_owned())].into(),
            },
            resource_version: String::new(),
        }
    }

    fn encode(set: &RenderedSet) -> Vec<Value> {
        let (namespace, instance) = ("moorline".parse().unwrap(), "shop".parse().unwrap());
        let stored = stored(set);
        encode_set(&namespace, &instance, &stored, &PackedSet::pack(set))
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
    fn a_rollout_of_a_newer_moorline_is_not_taken_for_ours() {
        let mut secret = encode(&set(1)).remove(0);
        assert_eq!(newer_set(&secret), None);
        let newer = json!({"format": 2, "phase": "Launch", "steps": []}).to_string();
        secret["data"][PENDING_KEY] = json!(BASE64.encode(newer));
        let (application, why) = newer_set(&secret).unwrap();
        assert_eq!(application.to_string(), "dev/web");
        assert!(matches!(why, Unreadable::Newer { format: 2, known: 1, .. }), "{why:?}");
        // Sets that say nothing of it were written before there was anything to say.
        secret["data"].as_object_mut().unwrap().shift_remove(PENDING_KEY);
        assert_eq!(decode_part(&secret).unwrap().progress, PendingProgress::default());
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
