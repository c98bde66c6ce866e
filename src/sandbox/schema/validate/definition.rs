//! Rules of CustomResourceDefinitions.

use serde_json::{Map, Value, json};

use super::{Findings, at, has, items, text};

pub(super) fn check(object: &Value, found: &mut Findings) {
    let spec = at(object, "/spec");
    let names = at(spec, "/names");
    let name = text(at(object, "/metadata"), "name");
    if !name.is_empty() && name != format!("{}.{}", text(names, "plural"), text(spec, "group")) {
        found.invalid_text("metadata.name", name, "must be spec.names.plural+\".\"+spec.group");
    }
    if text(spec, "group").is_empty() {
        found.required("spec.group", "");
    }
    found.one_of("spec.scope", text(spec, "scope"), &["Cluster", "Namespaced"]);
    let versions = items(spec, "versions");
    for (index, version) in versions.iter().enumerate() {
        let schema = at(version, "/schema/openAPIV3Schema");
        if schema.is_null() {
            found.required(format!("spec.versions[{index}].schema.openAPIV3Schema"), "");
            continue;
        }
        // One version's schema is what all share, and is told as such.
        let field = if versions.len() == 1 {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            format!("spec.versions[{index}].schema.openAPIV3Schema")
        };
        check_schema(schema, &field, 0, found);
    }
    let stored = versions.iter().filter(|version| version.get("storage") == Some(&Value::Bool(true))).count();
    if stored != 1 {
        let shown: Vec<Value> = versions.iter().map(internal).collect();
        let why = "must have exactly one version marked as storage version";
        found.invalid("spec.versions", &Value::Array(shown), why);
    }
    for key in ["plural", "singular", "kind", "listKind"] {
        if text(names, key).is_empty() {
            found.required(format!("spec.names.{key}"), "");
        }
    }
    if items(at(object, "/status"), "storedVersions").is_empty() {
        found.invalid("status.storedVersions", &Value::Null, "must have at least one stored version");
    }
}

/// A version as the API server prints its own form of it.
fn internal(version: &Value) -> Value {
    let flag = |key: &str| json!(version.get(key) == Some(&Value::Bool(true)));
    let mut map = Map::new();
    map.insert("Name".to_owned(), json!(text(version, "name")));
    map.insert("Served".to_owned(), flag("served"));
    map.insert("Storage".to_owned(), flag("storage"));
    map.insert("Deprecated".to_owned(), flag("deprecated"));
    for key in
        ["DeprecationWarning", "Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields"]
    {
        map.insert(key.to_owned(), Value::Null);
    }
    Value::Object(map)
}

/// Every field of a structural schema says its type.
fn check_schema(schema: &Value, field: &str, depth: usize, found: &mut Findings) {
    if depth > 64 {
        return;
    }
    let untyped = text(schema, "type").is_empty()
        && schema.get("x-kubernetes-int-or-string") != Some(&Value::Bool(true))
        && schema.get("x-kubernetes-preserve-unknown-fields") != Some(&Value::Bool(true));
    if untyped {
        let what = match (depth, field.rsplit('.').next() == Some("items")) {
            (0, _) => "must not be empty at the root",
            (_, true) => "must not be empty for specified array items",
            _ => "must not be empty for specified object fields",
        };
        found.required(format!("{field}.type"), what);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in properties.into_iter().flatten() {
        check_schema(inner, &format!("{field}.properties[{name}]"), depth + 1, found);
    }
    if has(schema, "items") {
        check_schema(at(schema, "/items"), &format!("{field}.items"), depth + 1, found);
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
        check_schema(inner, &format!("{field}.additionalProperties"), depth + 1, found);
    }
}
