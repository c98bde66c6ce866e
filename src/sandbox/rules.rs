//! What kinds do with a write beyond their schema: fields that the API server fills in, resets or allocates, quotas,
//! and what exists at once because something else does.

pub(super) mod account;
mod custom;
mod pod;
pub(super) mod quota;
mod service;
mod workload;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::catalog::Resource;
use super::failure::Failure;
use super::object::Fields;
use super::rest::Caller;
use super::store::Store;

/// Collections of built-in kinds whose objects count the changes of what is wanted of them.
const WITH_GENERATION: &[&str] = &[
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "horizontalpodautoscalers.autoscaling",
    "cronjobs.batch",
    "jobs.batch",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "endpointslices.discovery.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    "ingresses.networking.k8s.io",
    "ingressclasses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "deviceclasses.resource.k8s.io",
    "devicetaintrules.resource.k8s.io",
    "resourceslices.resource.k8s.io",
    "priorityclasses.scheduling.k8s.io",
];

/// Whether objects of a resource have a generation.
pub(super) fn has_generation(resource: &Resource) -> bool {
    resource.custom || WITH_GENERATION.contains(&resource.collection.as_str())
}

/// Whether the status of a new object is not the client's to say. Nodes register themselves with theirs.
pub(super) fn begins_without_status(resource: &Resource) -> bool {
    resource.has_status() && resource.collection != "nodes"
}

/// Whether a change is one of what is wanted.
pub(super) fn bumps_generation(resource: &Resource, live: &Value, object: &Value) -> bool {
    if !has_generation(resource) {
        return false;
    }
    // Of a custom resource without a status of its own, the status is like any other field.
    let apart =
        |key: &str| key == "metadata" || (key == "status" && (resource.has_status() || !resource.custom));
    let fields = |object: &Value| -> Vec<(String, Value)> {
        let fields = object.as_object().into_iter().flatten();
        let mut fields: Vec<_> = fields
            .filter(|(key, _)| !apart(key) && key.as_str() != "apiVersion")
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields
    };
    let annotated = resource.collection == "deployments.apps"
        && live.pointer("/metadata/annotations") != object.pointer("/metadata/annotations");
    annotated || fields(live) != fields(object)
}

/// What is filled in before a new object is validated.
pub(super) fn prepare_create(
    store: &mut Store,
    resource: &Resource,
    object: &mut Value,
    caller: &Caller,
) -> Result<Vec<String>, Failure> {
    match resource.collection.as_str() {
        "pods" => return pod::prepare(store, resource, object, caller),
        "services" => {
            service::allocate(store, object, None)?;
            if object.text("/spec/clusterIP") == "None" && object.text("/spec/sessionAffinity") == "ClientIP"
            {
                return Ok(vec!["spec.SessionAffinity is ignored for headless services".to_owned()]);
            }
        }
        "namespaces" => {
            object.put("/spec/finalizers", json!(["kubernetes"]));
            object.put("/status", json!({"phase": "Active"}));
            let name = object.name().to_owned();
            object.put("/metadata/labels/kubernetes.io~1metadata.name", json!(name));
        }
        "secrets" => take_string_data(object),
        "persistentvolumeclaims" => {
            object.put("/status", json!({"phase": "Pending"}));
            add_finalizer(object, "kubernetes.io/pvc-protection");
            default_storage_class(store, object);
        }
        "persistentvolumes" => {
            let now = super::rest::time(caller.now);
            object.put("/status", json!({"phase": "Pending", "lastPhaseTransitionTime": now}));
            add_finalizer(object, "kubernetes.io/pv-protection");
        }
        "jobs.batch" => workload::prepare_job(object),
        "daemonsets.apps" => {
            object.put("/metadata/annotations/deprecated.daemonset.template.generation", json!("1"));
        }
        "customresourcedefinitions.apiextensions.k8s.io" => custom::prepare(store, resource, object)?,
        _ => {}
    }
    Ok(Vec::new())
}

/// What is filled in before a changed object is validated.
pub(super) fn prepare_update(
    store: &mut Store,
    resource: &Resource,
    live: &Value,
    object: &mut Value,
    subresource: &str,
    _caller: &Caller,
) -> Result<Vec<String>, Failure> {
    match resource.collection.as_str() {
        "services" if subresource.is_empty() => service::allocate(store, object, Some(live))?,
        "secrets" => take_string_data(object),
        "namespaces" if subresource != "finalize" => {
            let finalizers = live.pointer("/spec/finalizers").cloned();
            match finalizers {
                Some(finalizers) => object.put("/spec/finalizers", finalizers),
                None => drop(object.take_out("/spec/finalizers")),
            }
        }
        "daemonsets.apps" if subresource.is_empty() => workload::count_templates(live, object),
        "customresourcedefinitions.apiextensions.k8s.io" if subresource.is_empty() => {
            custom::check(store, resource, object)?;
        }
        _ => {}
    }
    Ok(Vec::new())
}

/// Quotas, the last thing that can refuse a new object.
pub(super) fn admit_create(store: &Store, resource: &Resource, object: &Value) -> Result<(), Failure> {
    quota::admit(store, resource, object)
}

/// What exists at once because a new object does.
pub(super) fn after_create(
    store: &mut Store,
    resource: &Arc<Resource>,
    object: Arc<Value>,
    caller: &Caller,
    _warnings: &mut Vec<String>,
) -> Arc<Value> {
    match resource.collection.as_str() {
        "namespaces" => account::furnish(store, object.name(), caller.now),
        "customresourcedefinitions.apiextensions.k8s.io" => {
            custom::establish(store, resource, &object, caller)
        }
        _ => {}
    }
    object
}

/// What changes at once because an object has.
pub(super) fn after_update(
    store: &mut Store,
    resource: &Arc<Resource>,
    live: &Value,
    object: &Arc<Value>,
    caller: &Caller,
) {
    let defined = resource.collection == "customresourcedefinitions.apiextensions.k8s.io";
    if defined && live.get("spec") != object.get("spec") {
        custom::establish(store, resource, object, caller);
    }
}

/// What is written as text is kept as base64.
fn take_string_data(object: &mut Value) {
    let Some(Value::Object(texts)) = object.take_out("/stringData") else { return };
    for (key, text) in texts {
        let key = key.replace('~', "~0").replace('/', "~1");
        let bytes = text.as_str().unwrap_or_default();
        object.put(&format!("/data/{key}"), json!(STANDARD.encode(bytes)));
    }
}

fn add_finalizer(object: &mut Value, name: &str) {
    let mut finalizers = object.items("/metadata/finalizers").to_vec();
    if !finalizers.iter().any(|one| one.as_str() == Some(name)) {
        finalizers.push(json!(name));
        object.put("/metadata/finalizers", Value::Array(finalizers));
    }
}

fn default_storage_class(store: &Store, object: &mut Value) {
    if object.pointer("/spec/storageClassName").is_some() {
        return;
    }
    let default = store
        .list("storageclasses.storage.k8s.io", None)
        .find(|class| class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true"));
    if let Some(name) = default.map(|class| class.name().to_owned()) {
        object.put("/spec/storageClassName", json!(name));
    }
}
