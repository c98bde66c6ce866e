//! What controllers do to a store: create, change, delete, say what happened. Refusals are values they can act on.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::object::Fields;
use super::super::rest::{Caller, DeleteOptions, time};
use super::super::store::{Place, Store};

const MANAGER: &str = "kube-controller-manager";

/// Where an object of a collection is kept.
pub(super) fn place(collection: &str, object: &Value) -> Place {
    Place::new(collection, object.namespace(), object.name())
}

/// A time some seconds later.
pub(super) fn later(now: Timestamp, wait: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok()).unwrap_or(now)
}

/// A time in an object.
pub(super) fn time_of(object: &Value, pointer: &str) -> Option<Timestamp> {
    object.text(pointer).parse().ok()
}

/// Creates an object.
pub(super) fn create(
    store: &mut Store,
    collection: &str,
    namespace: &str,
    object: Value,
    now: Timestamp,
) -> Result<Arc<Value>, Failure> {
    let Some(resource) = store.catalog().of_collection(collection).cloned() else {
        return Err(Failure::no_such_resource());
    };
    let caller = Caller::system(MANAGER, now);
    store.create(&resource, namespace, object, &caller).map(|written| written.object)
}

/// Replaces an object or one of its parts, unless nothing would change.
pub(super) fn write(
    store: &mut Store,
    place: &Place,
    part: &str,
    manager: &str,
    now: Timestamp,
    change: impl FnOnce(&mut Value),
) -> Option<Arc<Value>> {
    let resource = store.catalog().of_collection(&place.collection).cloned()?;
    let live = store.at(place).cloned()?;
    let mut object = live.as_ref().clone();
    change(&mut object);
    // What comes back from the store has no empty lists: a change to one would be no change, for ever.
    store.schemas().store_form(&resource.kind, &mut object);
    if object == *live {
        return Some(live);
    }
    let caller = Caller::system(manager, now);
    store.rewrite(&resource, &live, object, part, &caller).ok()
}

/// Changes what is wanted of an object.
pub(super) fn change(
    store: &mut Store,
    place: &Place,
    now: Timestamp,
    change: impl FnOnce(&mut Value),
) -> Option<Arc<Value>> {
    write(store, place, "", MANAGER, now, change)
}

/// Changes an object's status.
pub(super) fn change_status(
    store: &mut Store,
    place: &Place,
    now: Timestamp,
    change: impl FnOnce(&mut Value),
) -> Option<Arc<Value>> {
    write(store, place, "status", MANAGER, now, change)
}

/// Deletes an object; a pod at once, if `grace` is 0.
pub(super) fn delete(store: &mut Store, place: &Place, grace: Option<i64>, now: Timestamp) {
    let Some(resource) = store.catalog().of_collection(&place.collection).cloned() else { return };
    let propagation = Some(super::super::rest::Propagation::Background);
    let options = DeleteOptions { grace, propagation, ..DeleteOptions::default() };
    let caller = Caller::system(MANAGER, now);
    // What is gone already needs no deletion.
    drop(store.delete(&resource, &place.namespace, &place.name, &options, &caller));
}

/// A condition among an object's.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object.items("/status/conditions").iter().find(|condition| condition.text("/type") == kind)
}

/// Whether a condition holds.
pub(super) fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition.text("/status") == "True")
}

/// Whether a pod has not ended and is not about to.
pub(super) fn is_active(pod: &Value) -> bool {
    !pod.is_terminating() && !matches!(pod.text("/status/phase"), "Succeeded" | "Failed")
}

/// Whether a pod has been ready for so long, or when it will have been.
pub(super) fn availability(pod: &Value, seconds: i64, now: Timestamp) -> Result<bool, Timestamp> {
    if !is_true(pod, "Ready") || pod.is_terminating() {
        return Ok(false);
    }
    let since = condition(pod, "Ready").and_then(|ready| time_of(ready, "/lastTransitionTime"));
    let due = since.and_then(|since| since.checked_add(SignedDuration::from_secs(seconds)).ok());
    match due {
        Some(due) if seconds > 0 && due > now => Err(due),
        _ => Ok(true),
    }
}

/// Events say who noticed something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice<'a> {
    pub kind: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
    pub by: &'a str,
}

/// Writes an event about an object, or counts one that was said before.
pub(super) fn say(store: &mut Store, object: &Value, notice: Notice<'_>, now: Timestamp) {
    let mut hash = fnv::new();
    for part in [object.uid(), notice.reason, notice.message, notice.by] {
        fnv::add(&mut hash, part.as_bytes());
    }
    let name = format!("{}.{hash:016x}", object.name());
    let namespace = match object.namespace() {
        "" => "default",
        namespace => namespace,
    };
    let at = Place::new("events", namespace, &name);
    let since = time(now);
    if store.at(&at).is_some() {
        write(store, &at, "", notice.by, now, |event| {
            let count = event.number("/count").unwrap_or(1);
            event.put("/count", json!(count + 1));
            event.put("/lastTimestamp", json!(since));
        });
        return;
    }
    let Some(resource) = store.catalog().of_collection("events").cloned() else { return };
    let node = if notice.by == "kubelet" { super::super::bootstrap::NODE } else { "" };
    let mut source = json!({"component": notice.by});
    if !node.is_empty() {
        source.put("/host", json!(node));
    }
    let mut about = json!({"kind": object.text("/kind"), "name": object.name(), "uid": object.uid(),
        "apiVersion": object.text("/apiVersion"), "resourceVersion": object.text("/metadata/resourceVersion")});
    if !object.namespace().is_empty() {
        about.put("/namespace", json!(namespace));
    }
    let event = json!({"metadata": {"name": name}, "involvedObject": about, "reason": notice.reason,
        "message": notice.message, "type": notice.kind, "source": source, "count": 1,
        "firstTimestamp": since, "lastTimestamp": since, "reportingComponent": notice.by,
        "reportingInstance": node});
    let caller = Caller::system(notice.by, now);
    // A namespace on its way out takes no events.
    drop(store.create(&resource, namespace, event, &caller));
}

/// FNV-1a, which is the same everywhere and for ever.
pub(super) mod fnv {
    /// A hash of nothing.
    pub(in super::super) fn new() -> u64 {
        0xcbf2_9ce4_8422_2325
    }

    /// Adds bytes.
    pub(in super::super) fn add(hash: &mut u64, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// A hash of a value that does not depend on the order of its fields.
pub(super) fn hash_of(value: &Value) -> u32 {
    let mut hash = fnv::new();
    add_value(&mut hash, value);
    u32::try_from((hash ^ (hash >> 32)) & 0xffff_ffff).unwrap_or_default()
}

fn add_value(hash: &mut u64, value: &Value) {
    match value {
        Value::Array(items) => {
            fnv::add(hash, b"[");
            items.iter().for_each(|item| add_value(hash, item));
        }
        Value::Object(map) => {
            fnv::add(hash, b"{");
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            for (key, value) in fields {
                fnv::add(hash, key.as_bytes());
                add_value(hash, value);
            }
        }
        other => fnv::add(hash, other.to_string().as_bytes()),
    }
}

/// A pod from a template, without name or owner.
pub(super) fn pod_from(template: &Value) -> Value {
    let mut metadata = json!({});
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.pointer(&format!("/metadata/{field}")) {
            metadata.put(&format!("/{field}"), value.clone());
        }
    }
    json!({"metadata": metadata, "spec": template.get("spec")})
}
