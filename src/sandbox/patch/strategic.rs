//! Strategic merge patch: maps merge by field, lists by the merge keys of their type, and directives (`$patch`,
//! `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`) say what merging cannot.

use serde_json::{Map, Value};

use crate::schema::decode::check_length;
use crate::schema::types::{Arena, Shape};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

type Fields = Map<String, Value>;

/// The type of what is merged.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    arena: &'a Arena,
    shape: Option<&'a Shape>,
}

/// How a field is merged.
#[derive(Clone, Copy, Default)]
struct Strategy<'a> {
    merge: bool,
    replace: bool,
    key: Option<&'a str>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(arena: &'a Arena, shape: Option<&'a Shape>) -> Scope<'a> {
        Scope { arena, shape }
    }

    fn with(self, shape: Option<&'a Shape>) -> Scope<'a> {
        Scope { arena: self.arena, shape }
    }

    /// What a field holds and how it is merged.
    fn field(self, name: &str) -> Result<(Scope<'a>, Strategy<'a>), String> {
        match self.shape {
            Some(Shape::Structure { id, .. }) => {
                let structure = self.arena.structure(*id);
                let Some(field) = structure.field(name) else {
                    return Err(format!(
                        "unable to find api field in struct {} for the json field {name:?}",
                        structure.name
                    ));
                };
                let strategy = Strategy {
                    merge: field.patch_merge,
                    replace: field.patch_replace,
                    key: field.merge_key.as_deref(),
                };
                Ok((self.with(Some(&field.shape)), strategy))
            }
            Some(Shape::Map { value, .. }) => Ok((self.with(Some(value)), Strategy::default())),
            _ => Ok((self.with(None), Strategy::default())),
        }
    }

    fn item(self) -> Scope<'a> {
        match self.shape {
            Some(Shape::List { item, .. }) => self.with(Some(item)),
            _ => self.with(None),
        }
    }
}

/// Lays a patch over an object.
pub(super) fn merge_maps(
    scope: Scope<'_>,
    mut original: Fields,
    mut patch: Fields,
) -> Result<Fields, String> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.shift_remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Fields::new()),
            _ => Err(unknown_directive(&patch)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    order_lists(scope, &mut original, &mut patch)?;
    for (key, value) in patch {
        if key.starts_with(ORDER) {
            continue;
        }
        let (key, deletes) = match key.strip_prefix(DELETE_FROM) {
            Some(name) => (name.to_owned(), true),
            None => (key, false),
        };
        if value.is_null() {
            original.shift_remove(&key);
            continue;
        }
        let there = original.get(&key).filter(|there| same_kind(there, &value)).cloned();
        let merged = match (there, value) {
            (None, _) if deletes => continue,
            (None, value) => without_directives(value),
            (Some(Value::Object(old)), Value::Object(new)) => {
                let (inner, strategy) = scope.field(&key)?;
                let merged = if strategy.replace { new } else { merge_maps(inner, old, new)? };
                Some(Value::Object(merged))
            }
            (Some(Value::Array(old)), Value::Array(new)) => {
                let (inner, strategy) = scope.field(&key)?;
                let merged = if strategy.merge || deletes {
                    merge_lists(inner, old, new, strategy.key, deletes)?
                } else {
                    new
                };
                Some(Value::Array(merged))
            }
            (Some(_), value) => Some(value),
        };
        match merged {
            Some(merged) => {
                original.insert(key, merged);
            }
            None => {
                original.shift_remove(&key);
            }
        }
    }
    Ok(original)
}

fn unknown_directive(patch: &Fields) -> String {
    let directive = patch.get(DIRECTIVE).map(shown).unwrap_or_default();
    format!("unknown patch type: {directive} in map: {}", shown(&Value::Object(patch.clone())))
}

fn same_kind(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn retain_keys(original: &mut Fields, patch: &mut Fields) -> Result<(), String> {
    let Some(kept) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(kept) = kept else {
        return Err("invalid patch format of retainKeys".to_owned());
    };
    let is_kept = |key: &str| kept.iter().any(|name| name == key);
    let outside =
        |(key, value): (&String, &Value)| !value.is_null() && !key.starts_with('$') && !is_kept(key);
    if patch.iter().any(outside) {
        return Err("invalid patch format of retainKeys".to_owned());
    }
    original.retain(|key, _| is_kept(key));
    Ok(())
}

/// Lists whose order the patch gives.
fn order_lists(scope: Scope<'_>, original: &mut Fields, patch: &mut Fields) -> Result<(), String> {
    let names: Vec<String> =
        patch.keys().filter_map(|key| key.strip_prefix(ORDER)).map(str::to_owned).collect();
    for name in names {
        let Some(Value::Array(order)) = patch.shift_remove(&format!("{ORDER}{name}")) else {
            return Err("invalid patch format of setElementOrder list".to_owned());
        };
        check_length(&order)?;
        let (inner, strategy) = scope.field(&name)?;
        let changes = match patch.get(&name) {
            Some(Value::Array(changes)) => Some(changes.clone()),
            None => None,
            Some(_) => continue,
        };
        let deleted = match patch.get(&format!("{DELETE_FROM}{name}")) {
            Some(Value::Array(deleted)) => deleted.clone(),
            _ => Vec::new(),
        };
        if let Some(changes) = &changes {
            check_order(changes, &order, strategy.key)?;
        }
        let server = match original.get(&name) {
            Some(Value::Array(server)) => server.clone(),
            _ => Vec::new(),
        };
        let server: Vec<Value> = server.into_iter().filter(|item| !deleted.contains(item)).collect();
        patch.shift_remove(&name);
        patch.shift_remove(&format!("{DELETE_FROM}{name}"));
        let merged = match changes {
            Some(changes) if !(server.is_empty() && changes.is_empty()) => {
                merge_lists(inner, server.clone(), changes, strategy.key, false)?
            }
            _ => server.clone(),
        };
        let key = strategy.key;
        let ordered = arrange(merged, &order, &server, key);
        if !ordered.is_empty() || original.contains_key(&name) {
            original.insert(name, Value::Array(ordered));
        }
    }
    Ok(())
}

fn check_order(changes: &[Value], order: &[Value], key: Option<&str>) -> Result<(), String> {
    let kept = changes.iter().filter(|item| item.get(DIRECTIVE).is_none());
    let mut rest = order.iter();
    for item in kept {
        if !rest.any(|place| same_item(place, item, key)) {
            let list = |items: &[Value]| shown(&Value::Array(items.to_vec()));
            return Err(format!(
                "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                list(changes),
                list(order)
            ));
        }
    }
    Ok(())
}

fn same_item(one: &Value, other: &Value, key: Option<&str>) -> bool {
    match key {
        Some(key) => one.get(key).is_some() && one.get(key) == other.get(key),
        None => one == other,
    }
}

fn merge_lists(
    scope: Scope<'_>,
    original: Vec<Value>,
    patch: Vec<Value>,
    key: Option<&str>,
    deletes: bool,
) -> Result<Vec<Value>, String> {
    check_length(&original)?;
    check_length(&patch)?;
    let Some(first) = original.first().or(patch.first()) else { return Ok(original) };
    if !first.is_object() {
        if deletes {
            return Ok(original.into_iter().filter(|item| !patch.contains(item)).collect());
        }
        let server = original.clone();
        let mut merged = original;
        for item in &patch {
            if !merged.contains(item) {
                merged.push(item.clone());
            }
        }
        return Ok(arrange(merged, &patch, &server, None));
    }
    if !original.iter().chain(&patch).all(Value::is_object) {
        return Err("list element types are not identical".to_owned());
    }
    let Some(key) = key else {
        let name = match scope.shape {
            Some(Shape::List { item, .. }) => match item.as_ref() {
                Shape::Structure { id, .. } => scope.arena.structure(*id).name.clone(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        return Err(format!("cannot merge lists without merge key for {name}"));
    };
    let (mut server, changes) = special_items(original, patch, key)?;
    let before = server.clone();
    for change in &changes {
        let Some(value) = change.get(key) else { return Err(no_key(change, key)) };
        match server.iter_mut().find(|item| item.get(key) == Some(value)) {
            Some(item) => {
                if let (Value::Object(old), Value::Object(new)) = (item.take(), change.clone()) {
                    *item = Value::Object(merge_maps(scope.item(), old, new)?);
                }
            }
            None => server.push(change.clone()),
        }
    }
    Ok(arrange(server, &changes, &before, Some(key)))
}

fn no_key(item: &Value, key: &str) -> String {
    format!("map: {} does not contain declared merge key: {key}", shown(item))
}

/// Items that say that others go.
fn special_items(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), String> {
    let mut plain = Vec::new();
    let mut replaces = false;
    for item in patch {
        match item.get(DIRECTIVE).map(|directive| directive.as_str().unwrap_or("").to_owned()) {
            None => plain.push(item),
            Some(directive) => match directive.as_str() {
                "delete" => {
                    let Some(value) = item.get(key) else { return Err(no_key(&item, key)) };
                    original.retain(|known| known.get(key) != Some(value));
                }
                "replace" => replaces = true,
                "merge" => return Err("merging lists cannot yet be specified in the patch".to_owned()),
                _ => return Err(unknown_directive(item.as_object().unwrap_or(&Fields::new()))),
            },
        }
    }
    Ok(if replaces { (plain, Vec::new()) } else { (original, plain) })
}

/// Items that the patch names in its order, others where the server had them.
fn arrange(merged: Vec<Value>, order: &[Value], server: &[Value], key: Option<&str>) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| list.iter().position(|known| same_item(known, item, key));
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    others.sort_by_key(|item| place(server, item));
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let other_first = match (others.peek(), named.peek()) {
            (None, None) => return arranged,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(other), Some(item)) => {
                matches!((place(server, other), place(server, item)), (Some(one), Some(two)) if one < two)
            }
        };
        arranged.extend(if other_first { others.next() } else { named.next() });
    }
}

/// What a patch adds, without directives and nulls; nothing if it is a directive itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => {
            let mut map = map;
            // To replace what is not there is to add it.
            (map.shift_remove(DIRECTIVE)? == "replace").then_some(Value::Object(map))
        }
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(key, value)| !value.is_null() && !key.starts_with('$'));
            Some(Value::Object(
                kept.filter_map(|(key, value)| without_directives(value).map(|value| (key, value))).collect(),
            ))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

/// Whether a merged object can be of its type; if not, as Go's converter says it.
pub(super) fn fits(scope: Scope<'_>, value: &Value) -> Result<(), String> {
    match (scope.shape, value) {
        (_, Value::Null) | (None, _) => Ok(()),
        (Some(Shape::Structure { .. } | Shape::Map { .. }), Value::Object(map)) => {
            map.iter().try_for_each(|(key, inner)| match scope.field(key) {
                Ok((scope, _)) => fits(scope, inner),
                Err(_) => Ok(()),
            })
        }
        (Some(Shape::Structure { .. }), other) => {
            Err(format!("cannot restore struct from: {}", go_kind(other)))
        }
        (Some(Shape::Map { .. }), other) => Err(format!("cannot restore map from {}", go_kind(other))),
        (Some(Shape::List { .. }), Value::Array(items)) => {
            items.iter().try_for_each(|item| fits(scope.item(), item))
        }
        (Some(Shape::List { .. }), other) => Err(format!("cannot restore slice from {}", go_kind(other))),
        (Some(Shape::Text), other) if !other.is_string() => {
            Err(format!("cannot convert {} to string", go_kind(other)))
        }
        (Some(Shape::Boolean), other) if !other.is_boolean() => {
            Err(format!("cannot convert {} to bool", go_kind(other)))
        }
        (Some(Shape::Integer { bits }), other) if !other.is_i64() => {
            Err(format!("cannot convert {} to int{bits}", go_kind(other)))
        }
        _ => Ok(()),
    }
}

fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

/// As Go prints a value.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let mut entries: Vec<(&String, String)> =
                map.iter().map(|(key, value)| (key, shown(value))).collect();
            entries.sort();
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("map[{}]", entries.join(" "))
        }
        other => other.to_string(),
    }
}
