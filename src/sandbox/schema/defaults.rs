//! The defaults that the API server fills into objects of the built-in kinds. They are Go code there, not part of the
//! published schemas; which structure gets which stands in one table, and [`fill`] walks an object to apply it.

mod cluster;
mod pod;
mod workload;

use serde_json::{Map, Value};

use super::types::{Arena, Shape};

/// Fills in one structure; what lies inside comes after.
pub(super) type Filler = fn(&mut Map<String, Value>);

/// The filler of a structure, by its name in OpenAPI.
pub(super) fn filler(name: &str) -> Option<Filler> {
    let (package, short) = name.rsplit_once('.')?;
    match package {
        "io.k8s.api.core.v1" => pod::filler(short).or_else(|| cluster::core(short)),
        "io.k8s.api.apps.v1" | "io.k8s.api.batch.v1" => workload::filler(short),
        "io.k8s.api.autoscaling.v1" => workload::autoscaling_v1(short),
        "io.k8s.api.autoscaling.v2" => workload::autoscaling_v2(short),
        "io.k8s.api.networking.v1" => cluster::networking(short),
        "io.k8s.api.rbac.v1" => cluster::access(short),
        "io.k8s.api.storage.v1" => cluster::storage(short),
        "io.k8s.api.admissionregistration.v1" => cluster::admission(short),
        "io.k8s.api.discovery.v1" => cluster::discovery(short),
        "io.k8s.api.scheduling.v1" => cluster::scheduling(short),
        "io.k8s.api.flowcontrol.v1" => cluster::flow_control(short),
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1" => cluster::extensions(short),
        _ => None,
    }
}

/// Fills a decoded object with the defaults of its type.
pub(super) fn fill(arena: &Arena, shape: &Shape, value: &mut Value) {
    match (shape, value) {
        (Shape::Structure { id, .. }, Value::Object(map)) => {
            let structure = arena.structure(*id);
            if !structure.has_defaults() {
                return;
            }
            if let Some(filler) = structure.filler {
                filler(map);
            }
            for field in structure.fields() {
                if let Some(default) = field.nonzero_default()
                    && map.get(field.name.as_ref()).is_none_or(|value| value.is_null() || value == "")
                {
                    map.insert(field.name.to_string(), default.clone());
                }
                if let Some(inner) = map.get_mut(field.name.as_ref()) {
                    fill(arena, &field.shape, inner);
                }
            }
        }
        (Shape::List { item, .. }, Value::Array(items)) => {
            items.iter_mut().for_each(|value| fill(arena, item, value));
        }
        (Shape::Map { value: inner, .. }, Value::Object(map)) => {
            map.values_mut().for_each(|value| fill(arena, inner, value));
        }
        _ => {}
    }
}

/// Whether a key holds nothing that counts.
fn lacks(map: &Map<String, Value>, key: &str) -> bool {
    match map.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

/// Whether a key holds no items.
fn lacks_items(map: &Map<String, Value>, key: &str) -> bool {
    match map.get(key) {
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(inner)) => inner.is_empty(),
        _ => true,
    }
}

/// Sets what is not there.
fn set(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    if lacks(map, key) {
        map.insert(key.to_owned(), value.into());
    }
}

/// Sets a number that is not there or zero.
fn set_number(map: &mut Map<String, Value>, key: &str, value: i64) {
    if map.get(key).and_then(Value::as_i64).unwrap_or(0) == 0 {
        map.insert(key.to_owned(), value.into());
    }
}

/// An inner object, made if it is not there.
fn inner<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let value = map.entry(key.to_owned()).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// An inner object, if it is there.
fn present<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_object_mut)
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or("")
}
