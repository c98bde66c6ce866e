//! OpenAPI v3 documents of group versions, put together again from the recorded schemas and descriptions.

use serde_json::{Map, Value, json};

use super::custom::Custom;
use super::recorded::{descriptions, recorded};

const REFERENCE: &str = "#/components/schemas/";
const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The document of a group version, without paths.
pub(super) fn document<'a>(group_version: &str, custom: impl Iterator<Item = &'a Custom>) -> Value {
    let recorded = recorded();
    let mut wanted: Vec<String> = Vec::new();
    for ((version, _), name) in &recorded.definition_names {
        if version == group_version {
            wanted.push(name.clone());
        }
    }
    let mut schemas = Map::new();
    for custom in custom.filter(|custom| custom.resource.api_version() == group_version) {
        wanted.push(METADATA.to_owned());
        schemas.insert(custom_name(custom), custom_schema(custom));
    }
    wanted.sort();
    while let Some(name) = wanted.pop() {
        if schemas.contains_key(&name) {
            continue;
        }
        let Some(definition) = recorded.definitions.get(&name) else { continue };
        let texts = descriptions().get(&name).unwrap_or(&Value::Null);
        let schema = described(definition, texts, "");
        references(&schema, &mut wanted);
        schemas.insert(name, schema);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "1.37"},
        "paths": {},
        "components": {"schemas": schemas},
    })
}

/// A schema with its descriptions, and without our own notes.
fn described(schema: &Value, texts: &Value, path: &str) -> Value {
    let Some(map) = schema.as_object() else { return schema.clone() };
    let mut whole = Map::new();
    if let Some(text) = texts.get(path) {
        whole.insert("description".to_owned(), text.clone());
    }
    for (key, value) in map.iter().filter(|(key, _)| *key != "x-go") {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let inner = properties.iter();
                Value::Object(
                    inner
                        .map(|(name, schema)| {
                            (name.clone(), described(schema, texts, &format!("{path}/{name}")))
                        })
                        .collect(),
                )
            }
            ("items" | "additionalProperties", Value::Object(_)) => {
                described(value, texts, &format!("{path}/{key}"))
            }
            (_, other) => other.clone(),
        };
        whole.insert(key.clone(), value);
    }
    Value::Object(whole)
}

fn references(schema: &Value, wanted: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().and_then(|text| text.strip_prefix(REFERENCE)) {
                    Some(name) if key == "$ref" => wanted.push(name.to_owned()),
                    _ => references(value, wanted),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, wanted)),
        _ => {}
    }
}

/// `com.example.v1.Widget`.
fn custom_name(custom: &Custom) -> String {
    let resource = &custom.resource;
    let mut labels: Vec<&str> = resource.group.split('.').collect();
    labels.reverse();
    format!("{}.{}.{}", labels.join("."), resource.version, resource.kind)
}

fn custom_schema(custom: &Custom) -> Value {
    let resource = &custom.resource;
    let mut schema = custom.schema.as_object().cloned().unwrap_or_default();
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        let type_meta = |field: &str| {
            let texts = descriptions().get("io.k8s.api.core.v1.ConfigMap");
            let text = texts.and_then(|texts| texts.get(format!("/{field}"))).cloned().unwrap_or_default();
            json!({"description": text, "type": "string"})
        };
        properties.insert("apiVersion".to_owned(), type_meta("apiVersion"));
        properties.insert("kind".to_owned(), type_meta("kind"));
        properties.insert(
            "metadata".to_owned(),
            json!({
                "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
                "allOf": [{"$ref": format!("{REFERENCE}{METADATA}")}],
            }),
        );
    }
    schema.insert(
        "x-kubernetes-group-version-kind".to_owned(),
        json!([{"group": resource.group, "version": resource.version, "kind": resource.kind}]),
    );
    Value::Object(schema)
}
