//! Rules of metadata.

use serde_json::{Value, json};

use super::names;
use super::{Findings, at, entries, items, text};
use crate::schema::ResourceType;

/// The size that all annotations together may have.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Kinds whose names are labels, without dots.
const LABEL_NAMES: [(&str, &str); 3] =
    [("", "Namespace"), ("", "Service"), ("discovery.k8s.io", "Endpoints")];

pub(super) fn check(resource: &ResourceType, object: &Value, before: Option<&Value>, found: &mut Findings) {
    let metadata = at(object, "/metadata");
    check_name(resource, metadata, found);
    owners(metadata, found);
    if let Some(before) = before {
        let old = at(before, "/metadata");
        new_finalizers(metadata, old, found);
        for field in ["name", "namespace", "uid", "creationTimestamp"] {
            let (new, old) = (at(metadata, &format!("/{field}")), at(old, &format!("/{field}")));
            if !new.is_null() {
                found.immutable(&format!("metadata.{field}"), new, old);
            }
        }
    }
    labels(metadata, "metadata.labels", found);
    let mut size = 0;
    for (key, value) in entries(metadata, "annotations") {
        // The case of an annotation's prefix never mattered.
        for why in names::qualified(&key.to_lowercase()) {
            found.invalid_text("metadata.annotations", key, &why);
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        let message = format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes");
        found.add("FieldValueTooLong", "metadata.annotations", message);
    }
    finalizers(metadata, found);
}

fn check_name(resource: &ResourceType, metadata: &Value, found: &mut Findings) {
    let name = text(metadata, "name");
    if name.is_empty() {
        found.required("metadata.name", "name or generateName is required");
        return;
    }
    let kind = (resource.group.as_str(), resource.kind.as_str());
    if resource.group == "rbac.authorization.k8s.io" {
        path_segment(name, found);
        return;
    }
    let wrong = if LABEL_NAMES.contains(&kind) { names::label(name) } else { names::subdomain(name) };
    for why in wrong {
        found.invalid_text("metadata.name", name, why);
    }
}

/// Names that need only fit into a path.
fn path_segment(name: &str, found: &mut Findings) {
    if name == "." || name == ".." {
        found.invalid_text("metadata.name", name, &format!("may not be '{name}'"));
    }
    for sign in ['/', '%'] {
        if name.contains(sign) {
            found.invalid_text("metadata.name", name, &format!("may not contain '{sign}'"));
        }
    }
}

/// Labels of anything that has them.
pub(super) fn labels(holder: &Value, field: &str, found: &mut Findings) {
    let key = field.rsplit('.').next().unwrap_or(field);
    for (name, value) in entries(holder, key) {
        for why in names::qualified(name) {
            found.invalid_text(field, name, &why);
        }
        let value = value.as_str().unwrap_or("");
        for why in names::label_value(value) {
            found.invalid_text(field, value, why);
        }
    }
}

fn owners(metadata: &Value, found: &mut Findings) {
    let owners = items(metadata, "ownerReferences");
    for (index, owner) in owners.iter().enumerate() {
        let field = format!("metadata.ownerReferences[{index}]");
        for part in ["apiVersion", "kind", "name", "uid"] {
            if text(owner, part).is_empty() {
                found.required(format!("{field}.{part}"), "must not be empty");
            }
        }
        let (version, kind) = (text(owner, "apiVersion"), text(owner, "kind"));
        if (version == "v1" || version.starts_with("events.k8s.io/")) && kind == "Event" {
            let shown = version.split_once('/').map_or_else(|| format!("/{version}"), |_| version.to_owned());
            let value = json!({"apiVersion": version, "kind": kind, "name": text(owner, "name"), "uid": text(owner, "uid")});
            found.invalid(field, &value, &format!("{shown}, Kind={kind} is disallowed from being an owner"));
        }
    }
    let controllers: Vec<&Value> =
        owners.iter().filter(|owner| owner.get("controller") == Some(&Value::Bool(true))).collect();
    if let [first, second, ..] = controllers.as_slice() {
        let name = |owner: &Value| format!("{}/{}", text(owner, "kind"), text(owner, "name"));
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            name(first),
            name(second)
        );
        let ordered: Vec<Value> = owners.iter().map(in_order).collect();
        found.invalid("metadata.ownerReferences", &Value::Array(ordered), &why);
    }
}

/// A reference with its fields as the API server writes them.
fn in_order(owner: &Value) -> Value {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let present =
        fields.iter().filter_map(|field| owner.get(*field).map(|value| ((*field).to_owned(), value.clone())));
    Value::Object(present.collect())
}

/// What is on its way out takes no more finalizers.
fn new_finalizers(metadata: &Value, before: &Value, found: &mut Findings) {
    if text(before, "deletionTimestamp").is_empty() {
        return;
    }
    let known = items(before, "finalizers");
    let new: Vec<String> = items(metadata, "finalizers")
        .iter()
        .filter(|name| !known.contains(name))
        .map(std::string::ToString::to_string)
        .collect();
    if !new.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            new.join(", ")
        );
        found.forbidden("metadata.finalizers", &why);
    }
}

fn finalizers(metadata: &Value, found: &mut Findings) {
    const STANDARD: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];
    let mut unqualified = Vec::new();
    for (index, finalizer) in items(metadata, "finalizers").iter().enumerate() {
        let name = finalizer.as_str().unwrap_or("");
        for why in names::qualified(name) {
            found.invalid_text("metadata.finalizers", name, &why);
        }
        if !name.contains('/') && !STANDARD.contains(&name) {
            unqualified.push((index, name));
        }
    }
    for (index, name) in unqualified {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        found.invalid_text(format!("metadata.finalizers[{index}]"), name, why);
    }
}
