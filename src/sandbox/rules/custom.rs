//! CustomResourceDefinitions: refused if they cannot be served, established at once if they can.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::apply;
use super::super::catalog::Resource;
use super::super::failure::Failure;
use super::super::object::Fields;
use super::super::objects::Change;
use super::super::rest::Caller;
use super::super::store::Store;

/// Fills a new definition's names in, and refuses one that cannot be served.
pub(super) fn prepare(store: &Store, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    let kind = object.text("/spec/names/kind").to_owned();
    for (field, value) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
        let pointer = format!("/spec/names/{field}");
        if object.text(&pointer).is_empty() && !kind.is_empty() {
            object.put(&pointer, json!(value));
        }
    }
    check(store, resource, object)
}

/// Refuses a definition that cannot be served.
pub(super) fn check(store: &Store, resource: &Resource, object: &Value) -> Result<(), Failure> {
    let mut trial = store.schemas().clone();
    trial.define(object).map_err(|causes| Failure::invalid(&resource.named_kind, object.name(), &causes))
}

/// Says that the kind is served, as the controllers of the API server do a moment later.
pub(super) fn establish(store: &mut Store, resource: &Arc<Resource>, object: &Arc<Value>, caller: &Caller) {
    let live = object;
    let mut object = object.as_ref().clone();
    let since = super::super::rest::time(caller.now);
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": "True", "lastTransitionTime": since, "reason": reason,
            "message": message})
    };
    let stored = object.items("/spec/versions").iter().find(|version| version.holds("/storage"));
    let stored = stored.map(|version| version.text("/name").to_owned()).unwrap_or_default();
    let mut versions: Vec<Value> = object.items("/status/storedVersions").to_vec();
    if !versions.iter().any(|version| version.as_str() == Some(&stored)) {
        versions.push(json!(stored));
    }
    let names = object.pointer("/spec/names").cloned().unwrap_or_default();
    object.put(
        "/status",
        json!({"conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted")],
            "acceptedNames": names, "storedVersions": versions}),
    );
    let finalizer = "customresourcecleanup.apiextensions.k8s.io";
    if !object.is_terminating() {
        super::add_finalizer(&mut object, finalizer);
    }
    if live.is_terminating() {
        return;
    }
    let (kind, manager) = (&resource.kind, "kube-apiserver");
    let schemas = store.schemas().clone();
    apply::track_update(&schemas, kind, Some(live), &mut object, manager, Some("status"), &caller.now);
    disown_finalizers(&mut object, manager);
    store.commit(resource, object, Change::Modified);
}

/// The finalizer is nobody's.
fn disown_finalizers(object: &mut Value, manager: &str) {
    let entries = object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten().filter(|entry| entry.text("/manager") == manager) {
        entry.take_out("/fieldsV1/f:metadata");
    }
}
