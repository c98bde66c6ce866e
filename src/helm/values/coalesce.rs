//! How the values of a chart and of the charts inside it become one tree.
//!
//! It works on the mutable values of one render, because Helm's result has shared parts: what a
//! child's `global` shares with its parent's stays shared while templates run.

use crate::helm::Compat;
use crate::helm::dependencies::Instance;
use crate::helm::value::{Map, Text, Value};

const GLOBAL: &[u8] = b"global";

/// Values of a chart over the defaults of it and its dependencies; nulls delete.
pub(crate) fn coalesce_values(instance: &Instance, values: &Map, compat: Compat) -> Result<Map, String> {
    let copy = deep_copy(values);
    coalesce(instance, &copy, false, compat)?;
    Ok(copy)
}

/// The same, but nulls are kept.
pub(crate) fn merge_values(instance: &Instance, values: &Map, compat: Compat) -> Result<Map, String> {
    let copy = deep_copy(values);
    coalesce(instance, &copy, true, compat)?;
    Ok(copy)
}

/// A copy without any shared part.
pub(crate) fn deep_copy(map: &Map) -> Map {
    match Value::Map(map.clone()).deep_copy() {
        Value::Map(copy) => copy,
        _ => Map::new(),
    }
}

fn coalesce(instance: &Instance, target: &Map, merge: bool, compat: Compat) -> Result<(), String> {
    coalesce_chart(instance, target, merge, compat);
    for child in &instance.children {
        let key = Text::from(child.name.as_str());
        let inner = match target.get(&key) {
            None => {
                let inner = Map::new();
                target.insert(key.clone(), Value::Map(inner.clone()));
                inner
            }
            Some(Value::Map(inner)) => inner,
            Some(other) => return Err(type_mismatch(&child.name, &other)),
        };
        coalesce_globals(&inner, target, compat);
        coalesce(child, &inner, merge, compat)?;
    }
    Ok(())
}

/// Go's `%t` of what is not a boolean.
fn type_mismatch(name: &str, value: &Value) -> String {
    let shown = match value {
        Value::Bool(flag) => flag.to_string(),
        other => String::from_utf8_lossy(&crate::helm::template::format::sprintf(
            b"%t",
            std::slice::from_ref(other),
            false,
        ))
        .into_owned(),
    };
    format!("type mismatch on {name}: {shown}")
}

fn coalesce_globals(target: &Map, source: &Map, compat: Compat) {
    let target_global = match target.get(GLOBAL) {
        None => Map::new(),
        Some(Value::Map(map)) => map,
        Some(_) => return,
    };
    let source_global = match source.get(GLOBAL) {
        None => Map::new(),
        Some(Value::Map(map)) => map,
        Some(_) => return,
    };
    for (key, value) in source_global.entries() {
        let present = target_global.get(&key);
        match (&value, present) {
            (Value::Map(map), None) => target_global.insert(key, Value::Map(map.copied())),
            (Value::Map(map), Some(Value::Map(below))) => {
                let merged = map.copied();
                coalesce_tables(&merged, &below, true, compat);
                target_global.insert(key, Value::Map(merged));
            }
            (Value::Map(_), Some(_)) | (_, Some(Value::Map(_))) => {}
            (_, _) => target_global.insert(key, value),
        }
    }
    target.insert(Text::from("global"), Value::Map(target_global));
}

fn coalesce_chart(instance: &Instance, target: &Map, merge: bool, compat: Compat) {
    let cleans = compat == Compat::V4_3;
    for (key, default) in instance.default_values(compat).entries() {
        match target.get(&key) {
            Some(Value::Nil) if !merge => target.remove(&key),
            Some(Value::Map(present)) => {
                let Value::Map(default) = default else { continue };
                let child = instance
                    .children
                    .iter()
                    .any(|child| child.name.as_bytes() == key.bytes());
                let merge = merge || child;
                if !merge && cleans {
                    clean_nulls(&default);
                }
                coalesce_tables(&present, &default, merge, compat);
            }
            Some(_) => {}
            None => {
                if !merge && cleans {
                    match &default {
                        Value::Nil => continue,
                        Value::Map(map) => clean_nulls(map),
                        _ => {}
                    }
                }
                target.insert(key, default);
            }
        }
    }
}

/// Merges a source map into a target map, which wins.
pub(crate) fn coalesce_tables(target: &Map, source: &Map, merge: bool, compat: Compat) {
    if target.same(source) {
        return;
    }
    let with_value: Vec<Text> = source.read(|entries| {
        entries
            .iter()
            .filter(|(_, value)| !matches!(value, Value::Nil))
            .map(|(key, _)| key.clone())
            .collect()
    });
    if compat == Compat::V4_3 {
        for (key, value) in target.entries() {
            if matches!(value, Value::Nil) {
                source.insert(key, Value::Nil);
            }
        }
    }
    for (key, value) in source.entries() {
        match (target.get(&key), &value) {
            // A null of the user deletes a default; where there is none, Helm 4.3 keeps the null.
            (Some(Value::Nil), _) if !merge && (compat < Compat::V4_3 || with_value.contains(&key)) => {
                target.remove(&key);
            }
            (None, _) => target.insert(key, value),
            (Some(Value::Map(below)), Value::Map(above)) => coalesce_tables(&below, above, merge, compat),
            _ => {}
        }
    }
}

fn clean_nulls(map: &Map) {
    for (key, value) in map.entries() {
        match value {
            Value::Nil => map.remove(&key),
            Value::Map(inner) => clean_nulls(&inner),
            _ => {}
        }
    }
}
