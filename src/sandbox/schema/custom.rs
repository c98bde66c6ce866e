//! Kinds that CustomResourceDefinitions add: their resources, and what happens to their objects (pruning, defaults,
//! rules). CEL rules are not evaluated.

mod rules;

use base64::Engine as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::decode::{Decoder, check_length};
use super::recorded::recorded;
use super::types::{Arena, Shape};
use super::{Cause, ResourceType, Subresource};

/// How deep a schema may nest.
const DEPTH_LIMIT: usize = 64;

/// One served version of a custom kind.
#[derive(Debug)]
pub(super) struct Custom {
    /// The name of its CustomResourceDefinition.
    pub(super) definition: String,
    pub(super) resource: ResourceType,
    pub(super) arena: Arena,
    pub(super) shape: Shape,
    pub(super) schema: Value,
    /// Whether unknown fields stay everywhere.
    preserves: bool,
}

/// The versions that a definition serves.
pub(super) fn versions(definition: &Value) -> Result<Vec<Custom>, Vec<Cause>> {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let mut served = Vec::new();
    for (index, version) in versions.enumerate() {
        let schema =
            version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        if depth_exceeds(&schema, DEPTH_LIMIT) {
            return Err(vec![Cause {
                reason: "FieldValueInvalid",
                field: format!("spec.versions[{index}].schema.openAPIV3Schema"),
                message: format!("Invalid value: \"\": must not nest deeper than {DEPTH_LIMIT} levels"),
            }]);
        }
        if version.get("served") == Some(&Value::Bool(true)) {
            served.push(Custom::of(definition, version, schema));
        }
    }
    Ok(served)
}

fn depth_exceeds(value: &Value, limit: usize) -> bool {
    match value {
        Value::Object(map) => limit == 0 || map.values().any(|inner| depth_exceeds(inner, limit - 1)),
        Value::Array(items) => limit == 0 || items.iter().any(|inner| depth_exceeds(inner, limit - 1)),
        _ => false,
    }
}

impl Custom {
    fn of(definition: &Value, version: &Value, schema: Value) -> Custom {
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned()
        };
        let texts = |pointer: &str| -> Vec<String> {
            let list = definition.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (group, kind) = (text(definition, "/spec/group"), text(definition, "/spec/names/kind"));
        let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
        let mut stored = versions.filter(|version| version.get("storage") == Some(&Value::Bool(true)));
        let stored = stored.next().map(|version| text(version, "/name")).unwrap_or_default();
        let hash = Sha256::digest(format!("{group}/{stored}/{kind}"));
        let hash = base64::engine::general_purpose::STANDARD.encode(hash.get(..8).unwrap_or_default());
        let resource = ResourceType {
            version: text(version, "/name"),
            plural: text(definition, "/spec/names/plural"),
            singular: text(definition, "/spec/names/singular"),
            short_names: texts("/spec/names/shortNames"),
            categories: texts("/spec/names/categories"),
            namespaced: text(definition, "/spec/scope") == "Namespaced",
            verbs: verbs(&[
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "create",
                "update",
                "watch",
            ]),
            subresources: subresources(&group, &kind, version),
            storage_version_hash: hash,
            group,
            kind,
        };
        let mut arena = Arena::default();
        let shape = arena.custom(&resource.kind, &schema, &recorded().definitions);
        arena.find_defaults();
        let preserves = definition.pointer("/spec/preserveUnknownFields") == Some(&Value::Bool(true));
        Custom { definition: text(definition, "/metadata/name"), resource, arena, shape, schema, preserves }
    }

    /// Decodes an object: metadata as of every object, the rest pruned by the schema and filled with its defaults.
    /// Gives the paths of unknown fields.
    pub(super) fn decode(&self, object: &mut Value) -> Result<Vec<String>, String> {
        check_lengths(object)?;
        let mut unknown = Vec::new();
        let recorded = recorded();
        if let (Some(shape), Some(metadata)) = (recorded.metadata.as_ref(), object.get_mut("metadata")) {
            let mut decoder = Decoder::default();
            decoder.decode(&recorded.arena, shape, metadata)?;
            unknown.extend(decoder.unknown.iter().map(|path| format!("metadata.{path}")));
        }
        if !self.preserves {
            let mut path = Vec::new();
            if let (Shape::Structure { id, .. }, Value::Object(map)) = (&self.shape, &mut *object) {
                let structure = self.arena.structure(*id);
                map.retain(|key, value| match structure.field(key) {
                    Some(_) if key == "metadata" => true,
                    Some(field) => {
                        path.push(key.clone());
                        prune(&self.arena, &field.shape, value, &mut path, &mut unknown);
                        path.pop();
                        true
                    }
                    None if structure.others.is_some() => true,
                    None => {
                        unknown.push(key.clone());
                        false
                    }
                });
            }
        }
        unknown.sort();
        fill(&self.schema, object);
        Ok(unknown)
    }

    /// Checks an object against the schema.
    pub(super) fn validate(&self, object: &Value) -> Vec<Cause> {
        rules::validate(&self.schema, object)
    }
}

fn check_lengths(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(items) => {
            check_length(items)?;
            items.iter().try_for_each(check_lengths)
        }
        Value::Object(map) => map.values().try_for_each(check_lengths),
        _ => Ok(()),
    }
}

fn verbs(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn subresources(group: &str, kind: &str, version: &Value) -> Vec<Subresource> {
    let mut found = Vec::new();
    let name = version.get("name").and_then(Value::as_str).unwrap_or("");
    let of = |name: &str, group: &str, version: &str, kind: &str| Subresource {
        name: name.to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        verbs: verbs(&["get", "patch", "update"]),
    };
    if version.pointer("/subresources/status").is_some_and(|status| !status.is_null()) {
        found.push(of("status", group, name, kind));
    }
    if version.pointer("/subresources/scale").is_some_and(|scale| !scale.is_null()) {
        found.push(of("scale", "autoscaling", "v1", "Scale"));
    }
    found
}

fn prune(arena: &Arena, shape: &Shape, value: &mut Value, path: &mut Vec<String>, unknown: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Structure { id, .. }, Value::Object(map)) => {
            let structure = arena.structure(*id);
            map.retain(|key, value| {
                path.push(key.clone());
                let known = match structure.field(key) {
                    Some(field) => {
                        prune(arena, &field.shape, value, path, unknown);
                        true
                    }
                    None if structure.others.is_some() => true,
                    None => {
                        unknown.push(joined(path));
                        false
                    }
                };
                path.pop();
                known
            });
        }
        (Shape::Map { value: inner, .. }, Value::Object(map)) => {
            for (key, value) in map.iter_mut() {
                path.push(key.clone());
                prune(arena, inner, value, path, unknown);
                path.pop();
            }
        }
        (Shape::List { item, .. }, Value::Array(items)) => {
            for (index, value) in items.iter_mut().enumerate() {
                path.push(format!("[{index}]"));
                prune(arena, item, value, path, unknown);
                path.pop();
            }
        }
        _ => {}
    }
}

fn joined(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        if !text.is_empty() && !step.starts_with('[') {
            text.push('.');
        }
        text.push_str(step);
    }
    text
}

/// Fills in defaults; nulls that may not be are as good as absent.
fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            fill_properties(properties, map);
            if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
                let declared = |key: &str| properties.is_some_and(|known| known.contains_key(key));
                map.iter_mut().filter(|(key, _)| !declared(key)).for_each(|(_, value)| fill(inner, value));
            }
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(inner, item));
            }
        }
        _ => {}
    }
}

fn fill_properties(properties: Option<&Map<String, Value>>, map: &mut Map<String, Value>) {
    for (key, property) in properties.into_iter().flatten() {
        let nullable = property.get("nullable") == Some(&Value::Bool(true));
        let absent = map.get(key).is_none_or(|value| value.is_null() && !nullable);
        if absent {
            match property.get("default").filter(|default| !default.is_null()) {
                Some(default) => {
                    map.insert(key.clone(), default.clone());
                }
                None => {
                    map.shift_remove(key);
                }
            }
        }
        if let Some(value) = map.get_mut(key) {
            fill(property, value);
        }
    }
}
