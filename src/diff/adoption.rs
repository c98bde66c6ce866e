//! First contact with objects that others made: which fields of `kubectl apply` become ours, and who else lays
//! claim to an object (RULES §4).

use serde_json::{Map, Value, json};

use super::managed::{FIELD_MANAGER, Step, entries, step};
use crate::model::manifest::annotation;

/// Managers whose fields are taken over, and no others.
const ADOPTED_MANAGERS: [&str; 2] = ["kubectl-client-side-apply", "before-first-apply"];
/// Paths that adoption never makes ours, because giving them up later would remove them.
const NEVER: [&str; 5] = [
    "/spec/replicas",
    "/metadata/finalizers",
    "/metadata/ownerReferences",
    "/status",
    "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
];

/// The one write that adopts an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// The JSON patch; it carries the resourceVersion as precondition.
    pub patch: Value,
    /// The managers whose fields are taken over.
    pub managers: Vec<String>,
}

/// Whether `kubectl apply` has fields on an object that [`adoption`] would take over.
pub(super) fn is_adoptable(object: &Value) -> bool {
    entries(object).any(|entry| {
        ADOPTED_MANAGERS.contains(&entry.manager)
            && entry.operation == "Update"
            && entry.subresource.is_none()
    })
}

/// What adopts a live object; absent if `kubectl apply` has no part in it.
pub fn adoption(object: &Value, api_version: &str) -> Option<Adoption> {
    let version = object.pointer("/metadata/resourceVersion")?.as_str()?;
    let list = object.pointer("/metadata/managedFields")?.as_array()?;
    let foreign = |entry: &Value| {
        let manager = entry.get("manager").and_then(Value::as_str).unwrap_or("");
        ADOPTED_MANAGERS.contains(&manager)
            && entry.get("operation").and_then(Value::as_str) == Some("Update")
            && entry.get("subresource").is_none_or(|name| name == "")
    };
    let managers: Vec<String> = list
        .iter()
        .filter(|entry| foreign(entry))
        .filter_map(|entry| Some(entry.get("manager")?.as_str()?.to_owned()))
        .collect();
    if managers.is_empty() {
        return None;
    }
    let last: Value = annotation(object, "kubectl.kubernetes.io/last-applied-configuration")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null);
    let mut ours = Map::new();
    for entry in entries(object) {
        if entry.is_ours() {
            merge(&mut ours, entry.fields);
        } else if ADOPTED_MANAGERS.contains(&entry.manager)
            && entry.operation == "Update"
            && entry.subresource.is_none()
        {
            merge(&mut ours, &named(entry.fields, &last, ""));
        }
    }
    let mut kept: Vec<Value> =
        list.iter().filter(|entry| !foreign(entry) && !is_ours(entry)).cloned().collect();
    if !ours.is_empty() {
        kept.push(json!({"manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": api_version,
            "fieldsType": "FieldsV1", "fieldsV1": ours}));
    }
    let patch = json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": kept},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]);
    Some(Adoption { patch, managers })
}

fn is_ours(entry: &Value) -> bool {
    entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER)
        && entry.get("operation").and_then(Value::as_str) == Some("Apply")
        && entry.get("subresource").is_none_or(|name| name == "")
}

/// The part of a field set that the last-applied configuration names, without what is never adopted.
fn named(fields: &Map<String, Value>, last: &Value, path: &str) -> Map<String, Value> {
    let mut part = Map::new();
    for (key, inner) in fields {
        if key == "." {
            part.insert(key.clone(), inner.clone());
            continue;
        }
        let Some(step) = step(key) else { continue };
        let here = match &step {
            Step::Field(name) => format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")),
            _ => format!("{path}[]"),
        };
        if NEVER.contains(&here.as_str()) {
            continue;
        }
        let Some(value) = super::managed::descend(last, &step) else {
            continue;
        };
        let whole = inner.as_object().cloned().unwrap_or_default();
        let inner = named(&whole, value, &here);
        // An empty set means "this field itself": a branch of which nothing is named must not become one.
        if inner.is_empty() && !whole.is_empty() {
            continue;
        }
        part.insert(key.clone(), Value::Object(inner));
    }
    part
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(there)), Value::Object(more)) => merge(there, more),
            (Some(_), _) => {}
            (None, _) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The tool that tracks an object, by the keys that it leaves on what it owns.
pub fn tracked_by(object: &Value) -> Option<&'static str> {
    let metadata = object.get("metadata")?;
    let has = |place: &str, key: &str| metadata.get(place).is_some_and(|map| map.get(key).is_some());
    if has("annotations", "argocd.argoproj.io/tracking-id") {
        return Some("Argo CD");
    }
    if has("labels", "kustomize.toolkit.fluxcd.io/name") || has("labels", "helm.toolkit.fluxcd.io/name") {
        return Some("Flux");
    }
    if has("annotations", "meta.helm.sh/release-name") {
        return Some("Helm");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_kubectl_apply_named_are_adopted() {
        let last = json!({"apiVersion": "apps/v1", "metadata": {"name": "a"}, "spec": {"replicas": 2, "paused": false}}).to_string();
        let object = json!({"metadata": {"resourceVersion": "9",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last},
            "managedFields": [
                {"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}, "f:strategy": {}},
                    "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}}}},
                {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:minReadySeconds": {}}}}]}});
        let adoption = adoption(&object, "apps/v1").unwrap();
        assert_eq!(adoption.managers, ["kubectl-client-side-apply"]);
        let entries = adoption.patch[0]["value"].as_array().unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0]["manager"], "kubectl-edit");
        assert_eq!(entries[1]["fieldsV1"], json!({"f:spec": {"f:paused": {}}}));
        assert_eq!(adoption.patch[1]["value"], "9");
    }

    #[test]
    fn other_tools_are_recognised() {
        assert_eq!(
            tracked_by(&json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "x"}}})),
            Some("Helm")
        );
        assert_eq!(
            tracked_by(&json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}})),
            Some("Flux")
        );
        assert_eq!(tracked_by(&json!({"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}})), None);
    }
}
