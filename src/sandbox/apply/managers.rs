//! The entries of `metadata.managedFields`.

use serde_json::{Map, Value, json};

use super::set::Set;

/// How many entries of updates an object keeps; older ones become one.
const UPDATE_LIMIT: usize = 10;

/// Who writes, how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) manager: String,
    pub(super) applied: bool,
    /// Empty for those who apply: they have one entry whatever the version.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

/// Which fields are whose.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) identity: Identity,
    pub(super) api_version: String,
    pub(super) time: Option<String>,
    pub(super) set: Set,
}

impl Identity {
    /// As the API server names it in conflicts.
    pub(super) fn shown(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applied {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }

    /// By what the API server sorts them in conflicts.
    pub(super) fn sort_text(&self) -> String {
        let mut text = format!("{{\"manager\":{:?}", self.manager);
        text.push_str(if self.applied { ",\"operation\":\"Apply\"" } else { ",\"operation\":\"Update\"" });
        text.push_str(&format!(",\"apiVersion\":{:?},{:?}", self.api_version, self.subresource));
        text
    }
}

/// The entries of an object; none if any of them is malformed.
pub(super) fn decode(object: &Value) -> Vec<Entry> {
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let entries: Option<Vec<Entry>> = list.into_iter().flatten().map(decode_entry).collect();
    entries.unwrap_or_default()
}

fn decode_entry(entry: &Value) -> Option<Entry> {
    let part = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("");
    let applied = match part("operation") {
        "Apply" => true,
        "Update" => false,
        _ => return None,
    };
    let api_version = part("apiVersion");
    if api_version.is_empty() || part("fieldsType") != "FieldsV1" {
        return None;
    }
    let set = match entry.get("fieldsV1") {
        Some(Value::Object(fields)) => Set::parse(fields)?,
        _ => Set::default(),
    };
    let identity = Identity {
        manager: part("manager").to_owned(),
        applied,
        api_version: if applied { String::new() } else { api_version.to_owned() },
        subresource: part("subresource").to_owned(),
    };
    let time = entry.get("time").and_then(Value::as_str).map(str::to_owned);
    Some(Entry { identity, api_version: api_version.to_owned(), time, set })
}

/// Whether a request asks for the entries to be forgotten: an empty list, or one empty entry.
pub(super) fn is_reset(object: &Value) -> bool {
    match object.pointer("/metadata/managedFields").and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => true,
        Some([entry]) => entry.as_object().is_some_and(Map::is_empty),
        _ => false,
    }
}

/// Writes entries into an object, in their order.
pub(super) fn encode(mut entries: Vec<Entry>, object: &mut Value) {
    entries.sort_by(|one, other| {
        let key = |entry: &Entry| (!entry.identity.applied, entry.time.clone().unwrap_or_default());
        key(one)
            .cmp(&key(other))
            .then_with(|| one.identity.manager.cmp(&other.identity.manager))
            .then_with(|| one.api_version.cmp(&other.api_version))
            .then_with(|| one.identity.subresource.cmp(&other.identity.subresource))
    });
    let list: Vec<Value> = entries.iter().map(encode_entry).collect();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if list.is_empty() {
        metadata.shift_remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), Value::Array(list));
    }
}

fn encode_entry(entry: &Entry) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| {
        map.insert(key.to_owned(), value);
    };
    put("manager", json!(entry.identity.manager));
    put("operation", json!(if entry.identity.applied { "Apply" } else { "Update" }));
    put("apiVersion", json!(entry.api_version));
    if let Some(time) = &entry.time {
        put("time", json!(time));
    }
    put("fieldsType", json!("FieldsV1"));
    put("fieldsV1", entry.set.written());
    if !entry.identity.subresource.is_empty() {
        put("subresource", json!(entry.identity.subresource));
    }
    Value::Object(map)
}

/// Folds the oldest entries of updates into one per version while there are too many.
pub(super) fn cap(entries: &mut Vec<Entry>) {
    let mut updates: Vec<(String, Identity)> = entries
        .iter()
        .filter(|entry| !entry.identity.applied)
        .map(|entry| (entry.time.clone().unwrap_or_default(), entry.identity.clone()))
        .collect();
    let mut count = updates.len();
    updates.sort();
    let mut firsts: Vec<(String, Identity)> = Vec::new();
    for (_, identity) in updates {
        if count <= UPDATE_LIMIT {
            return;
        }
        let Some(place) = entries.iter().position(|entry| entry.identity == identity) else { continue };
        let version = entries[place].api_version.clone();
        let Some((_, first)) = firsts.iter().find(|(known, _)| *known == version) else {
            firsts.push((version, identity));
            continue;
        };
        let bucket = Identity {
            manager: "ancient-changes".to_owned(),
            applied: false,
            api_version: version,
            subresource: String::new(),
        };
        if !entries.iter().any(|entry| entry.identity == bucket)
            && let Some(entry) = entries.iter_mut().find(|entry| entry.identity == *first)
        {
            entry.identity = bucket.clone();
        }
        let old = entries.remove(place);
        if let Some(entry) = entries.iter_mut().find(|entry| entry.identity == bucket) {
            entry.set = entry.set.union(&old.set);
            entry.time = old.time;
        }
        count -= 1;
    }
}
