//! Server-side apply as the memory cluster does it: ownership of fields by manager, conflicts, removal of what is
//! no longer applied. Lists of objects with names are merged by name, all other lists are replaced whole, which is
//! enough for the kinds that scenarios use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// A path to a leaf: fields, and items by name.
type Path = Vec<String>;

/// The leaves of an object: what a manager owns. Identity and what the server writes itself are left out.
pub(super) fn leaves(object: &Value) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                for part in ["labels", "annotations", "finalizers"] {
                    if let Some(value) = value.get(part) {
                        walk(value, &mut vec!["f:metadata".to_owned(), format!("f:{part}")], &mut found);
                    }
                }
            }
            _ => walk(value, &mut vec![format!("f:{key}")], &mut found),
        }
    }
    found
}

fn walk(value: &Value, path: &mut Path, found: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                path.push(format!("f:{key}"));
                walk(inner, path, found);
                path.pop();
            }
        }
        Value::Array(items) if is_named(items) => {
            for item in items {
                path.push(format!("k:{}", json!({"name": item["name"]})));
                walk(item, path, found);
                path.pop();
            }
        }
        leaf => {
            found.insert(path.clone(), leaf.clone());
        }
    }
}

fn is_named(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item.get("name").is_some_and(Value::is_string))
}

/// `fieldsV1` of some paths.
pub(super) fn to_fields<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Value {
    let mut root = Map::new();
    for path in paths {
        let mut here = &mut root;
        for step in path {
            let entry = here.entry(step.clone()).or_insert_with(|| json!({}));
            let Some(inner) = entry.as_object_mut() else { break };
            here = inner;
        }
    }
    Value::Object(root)
}

/// The paths of `fieldsV1`.
pub(super) fn of_fields(fields: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    collect(fields, &mut Vec::new(), &mut found);
    found
}

fn collect(fields: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    match fields.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (step, inner) in map {
                path.push(step.clone());
                collect(inner, path, found);
                path.pop();
            }
        }
        None if !path.is_empty() => {
            found.insert(path.clone());
        }
        None => {}
    }
}

/// Sets a leaf.
pub(super) fn set(object: &mut Value, path: &[String], value: &Value) {
    let Some((step, rest)) = path.split_first() else {
        *object = value.clone();
        return;
    };
    if let Some(field) = step.strip_prefix("f:") {
        if !object.is_object() {
            *object = json!({});
        }
        set(&mut object[field], rest, value);
    } else if let Some(name) = item_name(step) {
        if !object.is_array() {
            *object = json!([]);
        }
        let Some(items) = object.as_array_mut() else { return };
        let index = items.iter().position(|item| item["name"] == name).unwrap_or_else(|| {
            items.push(json!({"name": name}));
            items.len() - 1
        });
        set(&mut items[index], rest, value);
    }
}

/// Removes a leaf, and what it leaves empty.
pub(super) fn remove(object: &mut Value, path: &[String]) {
    let Some((step, rest)) = path.split_first() else { return };
    if let Some(field) = step.strip_prefix("f:") {
        let Some(map) = object.as_object_mut() else { return };
        if rest.is_empty() {
            map.shift_remove(field);
            return;
        }
        if let Some(inner) = map.get_mut(field) {
            remove(inner, rest);
            if is_empty(inner) {
                map.shift_remove(field);
            }
        }
    } else if let Some(name) = item_name(step) {
        let Some(items) = object.as_array_mut() else { return };
        if let Some(item) = items.iter_mut().find(|item| item["name"] == name) {
            remove(item, rest);
        }
        items.retain(|item| !is_empty(item));
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

fn item_name(step: &str) -> Option<Value> {
    let keys: Value = serde_json::from_str(step.strip_prefix("k:")?).ok()?;
    keys.get("name").cloned()
}

/// A path as the API server writes it in a conflict: `.spec.containers[name="web"].image`.
pub(super) fn shown(path: &Path) -> String {
    path.iter().fold(String::new(), |mut text, step| {
        match (step.strip_prefix("f:"), item_name(step)) {
            (Some(field), _) => text.push_str(&format!(".{field}")),
            (None, Some(name)) => text.push_str(&format!("[name={name}]")),
            (None, None) => {}
        }
        text
    })
}
