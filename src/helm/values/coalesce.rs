//! How the values of a chart and of the charts inside it become one tree.
//!
//! It works on the mutable values of one render, because Helm's result has shared parts: what a
//! child's `global` shares with its parent's stays shared while templates run.

use std::fmt;

use crate::Compat;
use crate::dependencies::Instance;
use crate::notices::Notices;
use crate::template::format;
use crate::value::{Map, Text, Value, convert, lossy};

const GLOBAL: &[u8] = b"global";

/// Values of a chart over the defaults of it and its dependencies; nulls delete.
pub(crate) fn coalesce_values(instance: &Instance, values: &Map, notices: &Notices) -> Result<Map, String> {
    let copy = deep_copy(values);
    Coalescing { merge: false, notices }.chart(instance, &copy, &KeyPath::TOP)?;
    Ok(copy)
}

/// The same, but nulls are kept.
pub(crate) fn merge_values(instance: &Instance, values: &Map, notices: &Notices) -> Result<Map, String> {
    let copy = deep_copy(values);
    Coalescing { merge: true, notices }.chart(instance, &copy, &KeyPath::TOP)?;
    Ok(copy)
}

/// Merges a source map into a target map, which wins; nulls are kept.
pub(crate) fn merge_tables(target: &Map, source: &Map, notices: &Notices) {
    Coalescing { merge: true, notices }.tables(target, source, &KeyPath::TOP, true);
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

/// The keys that lead to a table, for messages: written out only where one is due.
struct KeyPath<'t> {
    above: Option<&'t KeyPath<'t>>,
    key: &'t [u8],
}

impl<'t> KeyPath<'t> {
    const TOP: KeyPath<'static> = KeyPath { above: None, key: b"" };

    fn to(&'t self, key: &'t [u8]) -> KeyPath<'t> {
        KeyPath { above: Some(self), key }
    }

    fn is_empty(&self) -> bool {
        self.key.is_empty() && self.above.is_none_or(Self::is_empty)
    }
}

impl fmt::Display for KeyPath<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above.filter(|above| !above.is_empty()) {
            write!(formatter, "{above}.")?;
        }
        formatter.write_str(&lossy(self.key))
    }
}

impl Coalescing<'_> {
    fn chart(&self, instance: &Instance, target: &Map, above: &KeyPath<'_>) -> Result<(), String> {
        let keys = above.to(instance.name.as_bytes());
        self.own_values(instance, target, &keys);
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
            self.globals(&inner, target, &keys);
            self.chart(child, &inner, &keys)?;
        }
        Ok(())
    }

    fn globals(&self, target: &Map, source: &Map, keys: &KeyPath<'_>) {
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
            match (&value, target_global.get(&key)) {
                (Value::Map(map), None) => target_global.insert(key, Value::Map(map.copied())),
                (Value::Map(map), Some(Value::Map(below))) => {
                    let merged = map.copied();
                    self.tables(&merged, &below, &keys.to(&key), true);
                    target_global.insert(key.clone(), Value::Map(merged));
                }
                (Value::Map(_), Some(_)) => {
                    let quoted = convert::quote(&key);
                    let message = format!("Conflict: cannot merge map onto non-map for {quoted}. Skipping.");
                    self.notices.printed("coalesce.go:161", &message);
                }
                (_, Some(Value::Map(_))) => {
                    self.notices
                        .printed("coalesce.go:175", &format!("key {} is table. Skipping", key.lossy()));
                }
                (_, _) => target_global.insert(key, value),
            }
        }
        target.insert(Text::from("global"), Value::Map(target_global));
    }

    fn own_values(&self, instance: &Instance, target: &Map, keys: &KeyPath<'_>) {
        let cleans = self.notices.compat == Compat::V4_3;
        for (key, default) in instance.default_values(self.notices.compat).into_entries() {
            match target.get(&key) {
                Some(Value::Nil) if !self.merge => target.remove(&key),
                Some(Value::Map(present)) => {
                    let Value::Map(default) = default else {
                        if !matches!(default, Value::Nil) {
                            let message =
                                format!("warning: skipped value for {}: Not a table.", keys.to(&key));
                            self.notices.printed("coalesce.go:237", &message);
                        }
                        continue;
                    };
                    let child = instance.children.iter().any(|child| child.name.as_bytes() == key.bytes());
                    let merge = self.merge || child;
                    if !merge && cleans {
                        clean_nulls(&default);
                    }
                    self.tables(&present, &default, &keys.to(&key), merge);
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
    fn tables(&self, target: &Map, source: &Map, keys: &KeyPath<'_>, merge: bool) {
        if target.same(source) {
            return;
        }
        let newest = self.notices.compat == Compat::V4_3;
        // The user's nulls, and whether they stand for defaults.
        let mut nulls: Vec<(Text, bool)> = Vec::new();
        if newest {
            let is_null = |(_, value): &&(Text, Value)| matches!(value, Value::Nil);
            let has_value = |key: &Text| !matches!(source.get(key), None | Some(Value::Nil));
            target.read(|entries| {
                nulls.extend(entries.iter().filter(is_null).map(|(key, _)| (key.clone(), has_value(key))));
            });
            for (key, _) in &nulls {
                source.insert(key.clone(), Value::Nil);
            }
        }
        let with_value = |key: &Text| nulls.iter().any(|(null, with_value)| null == key && *with_value);
        for (key, value) in source.entries() {
            match (target.get(&key), &value) {
                // A null of the user deletes a default; where there is none, Helm 4.3 keeps the null.
                (Some(Value::Nil), _) if !merge && (!newest || with_value(&key)) => {
                    target.remove(&key);
                }
                (None, _) => target.insert(key, value),
                (Some(Value::Map(below)), Value::Map(above)) => {
                    self.tables(&below, above, &keys.to(&key), merge);
                }
                (Some(_), Value::Map(_)) => self.clash(
                    "coalesce.go:298",
                    &format!("cannot overwrite table with non table for {}", keys.to(&key)),
                    &value,
                ),
                (Some(Value::Map(_)), other) if !matches!(other, Value::Nil) => self.clash(
                    "coalesce.go:301",
                    &format!("destination for {} is a table. Ignoring non-table value", keys.to(&key)),
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
    map.retain(|value| {
        if let Value::Map(inner) = value {
            clean_nulls(inner);
        }
        !matches!(value, Value::Nil)
    });
}
