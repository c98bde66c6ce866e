//! How the values of a chart and of the charts inside it become one tree.
//!
//! It works on the mutable values of one render, because Helm's result has shared parts: what a
//! child's `global` shares with its parent's stays shared while templates run.

use crate::helm::Compat;
use crate::helm::dependencies::Instance;
use crate::helm::notices::Notices;
use crate::helm::template::format;
use crate::helm::value::{Map, Text, Value, convert};

const GLOBAL: &[u8] = b"global";

/// Values of a chart over the defaults of it and its dependencies; nulls delete.
pub(crate) fn coalesce_values(instance: &Instance, values: &Map, notices: &Notices) -> Result<Map, String> {
    let copy = deep_copy(values);
    Coalescing { merge: false, notices }.chart(instance, &copy, "")?;
    Ok(copy)
}

/// The same, but nulls are kept.
pub(crate) fn merge_values(instance: &Instance, values: &Map, notices: &Notices) -> Result<Map, String> {
    let copy = deep_copy(values);
    Coalescing { merge: true, notices }.chart(instance, &copy, "")?;
    Ok(copy)
}

/// Merges a source map into a target map, which wins; nulls are kept.
pub(crate) fn merge_tables(target: &Map, source: &Map, notices: &Notices) {
    Coalescing { merge: true, notices }.tables(target, source, "", true);
}

/// A copy without any shared part.
pub(crate) fn deep_copy(map: &Map) -> Map {
    match Value::Map(map.clone()).deep_copy() {
        Value::Map(copy) => copy,
        _ => Map::new(),
    }
}

struct Coalescing<'n> {
    merge: bool,
    notices: &'n Notices,
}

fn path(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

impl Coalescing<'_> {
    fn chart(&self, instance: &Instance, target: &Map, prefix: &str) -> Result<(), String> {
        self.own_values(instance, target, prefix);
        let prefix = path(prefix, &instance.name);
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
            self.globals(&inner, target, &prefix);
            self.chart(child, &inner, &prefix)?;
        }
        Ok(())
    }

    fn globals(&self, target: &Map, source: &Map, prefix: &str) {
        let table = |map: &Map, side: &str, place: &str| match map.get(GLOBAL) {
            None => Some(Map::new()),
            Some(Value::Map(map)) => Some(map),
            Some(_) => {
                let message = format!("warning: skipping globals because {side} global is not a table.");
                self.notices.printed(place, &message);
                None
            }
        };
        let Some(target_global) = table(target, "destination", "coalesce.go:138") else { return };
        let Some(source_global) = table(source, "source", "coalesce.go:145") else { return };
        for (key, value) in source_global.entries() {
            let shown = key.lossy();
            match (&value, target_global.get(&key)) {
                (Value::Map(map), None) => target_global.insert(key, Value::Map(map.copied())),
                (Value::Map(map), Some(Value::Map(below))) => {
                    let merged = map.copied();
                    self.tables(&merged, &below, &path(prefix, &shown), true);
                    target_global.insert(key.clone(), Value::Map(merged));
                }
                (Value::Map(_), Some(_)) => {
                    let quoted = convert::quote(&key);
                    let message = format!("Conflict: cannot merge map onto non-map for {quoted}. Skipping.");
                    self.notices.printed("coalesce.go:161", &message);
                }
                (_, Some(Value::Map(_))) => {
                    self.notices.printed("coalesce.go:175", &format!("key {shown} is table. Skipping"));
                }
                (_, _) => target_global.insert(key, value),
            }
        }
        target.insert(Text::from("global"), Value::Map(target_global));
    }

    fn own_values(&self, instance: &Instance, target: &Map, prefix: &str) {
        let cleans = self.notices.compat == Compat::V4_3;
        let prefix = path(prefix, &instance.name);
        for (key, default) in instance.default_values(self.notices.compat).entries() {
            match target.get(&key) {
                Some(Value::Nil) if !self.merge => target.remove(&key),
                Some(Value::Map(present)) => {
                    let Value::Map(default) = default else {
                        if !matches!(default, Value::Nil) {
                            let message =
                                format!("warning: skipped value for {prefix}.{}: Not a table.", key.lossy());
                            self.notices.printed("coalesce.go:237", &message);
                        }
                        continue;
                    };
                    let child = instance.children.iter().any(|child| child.name.as_bytes() == key.bytes());
                    let merge = self.merge || child;
                    if !merge && cleans {
                        clean_nulls(&default);
                    }
                    self.tables(&present, &default, &path(&prefix, &key.lossy()), merge);
                }
                Some(_) => {}
                None => {
                    if !self.merge && cleans {
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
    fn tables(&self, target: &Map, source: &Map, prefix: &str, merge: bool) {
        if target.same(source) {
            return;
        }
        let newest = self.notices.compat == Compat::V4_3;
        let with_value: Vec<Text> = if newest && !merge {
            let has_value = |(_, value): &&(Text, Value)| !matches!(value, Value::Nil);
            source.read(|entries| entries.iter().filter(has_value).map(|(key, _)| key.clone()).collect())
        } else {
            Vec::new()
        };
        if newest {
            for (key, value) in target.entries() {
                if matches!(value, Value::Nil) {
                    source.insert(key, Value::Nil);
                }
            }
        }
        for (key, value) in source.entries() {
            match (target.get(&key), &value) {
                // A null of the user deletes a default; where there is none, Helm 4.3 keeps the null.
                (Some(Value::Nil), _) if !merge && (!newest || with_value.contains(&key)) => {
                    target.remove(&key);
                }
                (None, _) => target.insert(key, value),
                (Some(Value::Map(below)), Value::Map(above)) => {
                    self.tables(&below, above, &path(prefix, &key.lossy()), merge);
                }
                (Some(_), Value::Map(_)) => self.clash(
                    "coalesce.go:298",
                    &format!("cannot overwrite table with non table for {}", path(prefix, &key.lossy())),
                    &value,
                ),
                (Some(Value::Map(_)), other) if !matches!(other, Value::Nil) => self.clash(
                    "coalesce.go:301",
                    &format!(
                        "destination for {} is a table. Ignoring non-table value",
                        path(prefix, &key.lossy())
                    ),
                    &value,
                ),
                _ => {}
            }
        }
    }

    fn clash(&self, place: &str, message: &str, value: &Value) {
        let shown = format::display(value, false);
        self.notices.printed(place, &format!("warning: {message} ({})", String::from_utf8_lossy(&shown)));
    }
}

/// Go's `%t` of what is not a boolean.
fn type_mismatch(name: &str, value: &Value) -> String {
    let shown = match value {
        Value::Bool(flag) => flag.to_string(),
        other => {
            String::from_utf8_lossy(&format::sprintf(b"%t", std::slice::from_ref(other), false)).into_owned()
        }
    };
    format!("type mismatch on {name}: {shown}")
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
