//! Two objects of one type, field by field: what a configuration covers, merging, comparing, removing.

use serde_json::{Map, Value};

use super::set::{Element, Set, key_text};
use crate::schema::decode::check_length;
use crate::schema::types::{Arena, Field, ListKind, Shape};

/// What differs between two objects.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) removed: Set,
    pub(super) modified: Set,
    pub(super) added: Set,
}

/// A value in the light of its shape.
enum View<'a> {
    Scalar,
    Atomic,
    List(&'a Shape, &'a ListKind),
    Map(Scope<'a>),
}

/// Which shapes the keys of a map have.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) arena: &'a Arena,
    /// None: nothing is known.
    pub(super) shape: Option<&'a Shape>,
}

static DEDUCED: Shape = Shape::Deduced;

impl<'a> Scope<'a> {
    pub(super) fn new(arena: &'a Arena, shape: &'a Shape) -> Scope<'a> {
        Scope { arena, shape: Some(shape) }
    }

    fn declared(self, key: &str) -> Option<&'a Field> {
        match self.shape {
            Some(Shape::Structure { id, .. }) => self.arena.structure(*id).field(key),
            _ => None,
        }
    }

    /// The shape below a key of a map, if there may be one.
    fn at(self, key: &str) -> Option<&'a Shape> {
        match self.shape? {
            Shape::Structure { id, .. } => {
                let structure = self.arena.structure(*id);
                structure.field(key).map(|field| &field.shape).or(structure.others.as_ref())
            }
            Shape::Map { value, .. } => Some(value),
            Shape::Deduced => Some(&DEDUCED),
            _ => None,
        }
    }

    fn with(self, shape: &'a Shape) -> Scope<'a> {
        Scope { arena: self.arena, shape: Some(shape) }
    }

    fn view(self, value: &Value) -> View<'a> {
        match self.shape {
            Some(Shape::Structure { atomic, .. }) => {
                if *atomic {
                    View::Atomic
                } else {
                    View::Map(self)
                }
            }
            Some(Shape::Map { atomic: true, .. } | Shape::List { kind: ListKind::Atomic, .. }) => {
                View::Atomic
            }
            Some(Shape::Map { .. }) => View::Map(self),
            Some(Shape::List { item, kind }) => View::List(item, kind),
            Some(Shape::Deduced) => match value {
                Value::Object(_) | Value::Null => View::Map(self),
                Value::Array(_) => View::Atomic,
                _ => View::Scalar,
            },
            _ => View::Scalar,
        }
    }

    /// The element of a key; the type's own name for it costs nothing.
    fn key(self, key: &str) -> Element {
        match self.declared(key) {
            Some(field) => Element::Field(field.name.clone()),
            None => Element::field(key),
        }
    }

    /// For [`Set::with_named`]: whether an element is a field that the type names, and what lies below it.
    pub(super) fn named(self, element: &Element) -> (bool, Scope<'a>) {
        match element {
            Element::Field(name) => {
                let inner = Scope { arena: self.arena, shape: self.at(name) };
                (self.declared(name).is_some(), inner)
            }
            Element::Key(_) => match self.shape {
                Some(Shape::List { item, .. }) => (false, self.with(item)),
                _ => (false, Scope { arena: self.arena, shape: None }),
            },
            Element::Member(_) | Element::Index(_) => (false, Scope { arena: self.arena, shape: None }),
        }
    }

    /// The element of an item of an associative list.
    fn element(self, item_shape: &'a Shape, kind: &ListKind, item: &Value) -> Result<Element, String> {
        let ListKind::Map(keys) = kind else {
            return match item {
                Value::Object(_) => {
                    Err("associative list without keys has an element that's a map type".to_owned())
                }
                Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
                Value::Null => {
                    Err("associative list without keys has an element that's an explicit null".to_owned())
                }
                scalar => Ok(Element::Member(scalar.to_string().into())),
            };
        };
        let map = match item {
            Value::Object(map) => map,
            Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
            _ => return Err("associative list with keys may not have non-map elements".to_owned()),
        };
        let scope = self.with(item_shape);
        let value_of = |key: &'_ str| -> Option<&Value> {
            map.get(key).or_else(|| scope.declared(key).and_then(|field| field.default.as_ref()))
        };
        if keys.iter().all(|key| value_of(key).is_none()) {
            let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
                keys.join(" ")
            ));
        }
        if keys.is_sorted() {
            let pairs = keys.iter().filter_map(|key| value_of(key).map(|value| (key.as_str(), value)));
            return Ok(Element::Key(key_text(pairs).into()));
        }
        let mut sorted: Vec<&String> = keys.iter().collect();
        sorted.sort();
        let pairs = sorted.into_iter().filter_map(|key| value_of(key).map(|value| (key.as_str(), value)));
        Ok(Element::Key(key_text(pairs).into()))
    }

    fn elements(self, item_shape: &'a Shape, kind: &ListKind, items: &[Value]) -> Vec<Element> {
        let items = items.iter().enumerate();
        items
            .map(|(index, item)| self.element(item_shape, kind, item).unwrap_or(Element::Index(index)))
            .collect()
    }
}

/// Whether a configuration fits its type; all that does not is told, with its path. Without `duplicates` no item of an
/// associative list may stand twice.
pub(super) fn check(scope: Scope<'_>, value: &Value, duplicates: bool) -> Result<(), String> {
    let mut found = Vec::new();
    collect(scope, value, duplicates, &mut found);
    match found.as_slice() {
        [] => Ok(()),
        [only] => Err(only.clone()),
        several => Err(format!("errors:\n  {}", several.join("\n  "))),
    }
}

fn collect(scope: Scope<'_>, value: &Value, duplicates: bool, found: &mut Vec<String>) {
    match (scope.shape, value) {
        (Some(Shape::Structure { .. } | Shape::Map { .. }), Value::Object(map)) => {
            let mut keys: Vec<(&String, &Value)> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            for (key, inner) in keys {
                let before = found.len();
                match scope.at(key) {
                    Some(shape) => collect(scope.with(shape), inner, duplicates, found),
                    None => found.push("field not declared in schema".to_owned()),
                }
                place(&Element::field(key), &mut found[before..]);
            }
        }
        (Some(Shape::List { item, kind }), Value::Array(items)) => {
            if let Err(error) = check_length(items) {
                return found.push(error);
            }
            collect_items(scope, (item, kind), items, duplicates, found);
        }
        _ => found.extend(misfit(scope, value)),
    }
}

fn collect_items<'a>(
    scope: Scope<'a>,
    list: (&'a Shape, &ListKind),
    items: &[Value],
    duplicates: bool,
    found: &mut Vec<String>,
) {
    let (item, kind) = list;
    let mut seen: Vec<Element> = Vec::new();
    for (index, inner) in items.iter().enumerate() {
        let element = match kind {
            ListKind::Atomic => Ok(Element::Index(index)),
            _ => scope.element(item, kind, inner),
        };
        let element = match element {
            Ok(element) => element,
            Err(error) => {
                found.push(format!("element {index}: {error}"));
                continue;
            }
        };
        if *kind != ListKind::Atomic && !duplicates && seen.contains(&element) {
            found.push(format!("duplicate entries for key {}", element.shown()));
        }
        let before = found.len();
        collect(scope.with(item), inner, duplicates, found);
        place(&element, &mut found[before..]);
        seen.push(element);
    }
}

/// Puts what was found below an element below it.
fn place(element: &Element, found: &mut [String]) {
    for error in found {
        let joint = if error.starts_with(['.', '[']) { "" } else { ": " };
        *error = format!("{}{joint}{error}", element.shown());
    }
}

/// Why a value is not of its type.
fn misfit(scope: Scope<'_>, value: &Value) -> Option<String> {
    match (scope.shape?, value) {
        (_, Value::Null)
        | (Shape::Integer { .. } | Shape::Number, Value::Number(_))
        | (Shape::Text | Shape::Bytes, Value::String(_))
        | (Shape::Boolean, Value::Bool(_)) => None,
        (Shape::Structure { .. } | Shape::Map { .. }, other) => {
            Some(format!("expected map, got &{{{}}}", shown(other)))
        }
        (Shape::List { .. }, other) => Some(format!("expected list, got &{{{}}}", shown(other))),
        (Shape::Integer { .. } | Shape::Number, other) => {
            Some(format!("expected numeric (int or float), got {}", go_type(other)))
        }
        (Shape::Text | Shape::Bytes, other) => {
            Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", shown(other)))
        }
        (Shape::Boolean, other) => Some(format!("expected boolean, got &{{{}}}", shown(other))),
        (
            Shape::Time | Shape::MicroTime | Shape::Quantity | Shape::Scalar | Shape::IntegerOrText,
            Value::Object(_) | Value::Array(_),
        ) => Some(format!("expected any scalar, got &{{{}}}", shown(value))),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
        Value::Object(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(key, value)| format!("{key}:{}", shown(value))).collect();
            entries.sort();
            format!("map[{}]", entries.join(" "))
        }
        other => other.to_string(),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Null => "nil",
    }
}

/// The paths that an object covers: whether it is itself a leaf, and what lies below it.
pub(super) fn covered(scope: Scope<'_>, value: &Value) -> (bool, Set) {
    match (scope.view(value), value) {
        (View::Scalar | View::Atomic, _) => (true, Set::default()),
        (View::List(item, kind), Value::Array(items)) => {
            let elements = scope.elements(item, kind, items);
            let mut set = Set::default();
            for (index, (element, inner)) in elements.iter().zip(items).enumerate() {
                let twice = elements.iter().enumerate().any(|(other, it)| other != index && it == element);
                let children = if twice { Set::default() } else { covered(scope.with(item), inner).1 };
                set.put(element.clone(), true, children);
            }
            (false, set)
        }
        (View::Map(map_scope), Value::Object(map)) => {
            let mut set = Set::default();
            for (key, inner) in in_order(Some(map)) {
                let Some(shape) = map_scope.at(key) else { continue };
                let (leaf, children) = covered(map_scope.with(shape), inner);
                let empty = inner.is_null() || inner.as_object().is_some_and(Map::is_empty);
                let member = leaf || empty || map_scope.declared(key).is_none();
                set.put(map_scope.key(key), member, children);
            }
            (false, set)
        }
        _ => (false, Set::default()),
    }
}

/// The live object with a configuration laid over it.
pub(super) fn merge(scope: Scope<'_>, live: &Value, applied: &Value) -> Value {
    match (scope.view(applied), live, applied) {
        (View::Map(map_scope), Value::Object(old), Value::Object(new))
            if !(old.is_empty() && new.is_empty()) =>
        {
            let mut merged = Map::with_capacity(old.len() + new.len());
            for (key, there) in old {
                let value = match (new.get(key), map_scope.at(key)) {
                    (Some(value), Some(shape)) => merge(map_scope.with(shape), there, value),
                    (Some(value), None) => value.clone(),
                    (None, _) => there.clone(),
                };
                merged.insert(key.clone(), value);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                merged.insert(key.clone(), value.clone());
            }
            Value::Object(merged)
        }
        // Null on one side is an empty one.
        (View::Map(_), Value::Object(old), Value::Null) if !old.is_empty() => live.clone(),
        (View::List(item, kind), Value::Array(old), Value::Array(new)) => {
            Value::Array(merge_lists(scope, item, kind, old, new))
        }
        (View::List(..), Value::Array(old), Value::Null) if !old.is_empty() => live.clone(),
        _ => applied.clone(),
    }
}

/// Items of both lists: shared ones in the order of the configuration, others where they stood.
fn merge_lists<'a>(
    scope: Scope<'a>,
    item: &'a Shape,
    kind: &ListKind,
    old: &[Value],
    new: &[Value],
) -> Vec<Value> {
    let old_elements = scope.elements(item, kind, old);
    let new_elements = scope.elements(item, kind, new);
    let inner = scope.with(item);
    let old_at = |element: &Element| {
        let mut places = old_elements.iter().enumerate().filter(|(_, known)| *known == element);
        // What stands twice is not merged with.
        match (places.next(), places.next()) {
            (Some((index, _)), None) => old.get(index),
            _ => None,
        }
    };
    let joined = |element: &Element, value: &Value| match old_at(element) {
        Some(there) => merge(inner, there, value),
        None => value.clone(),
    };
    let mut shared = new_elements.iter().filter(|element| old_elements.contains(element));
    let mut next_shared = shared.next();
    let mut taken: Vec<&Element> = Vec::new();
    let mut merged = Vec::with_capacity(old.len().max(new.len()));
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < new.len() {
        if let (Some(old_element), Some(new_element)) = (old_elements.get(left), new_elements.get(right)) {
            if old_element == new_element {
                taken.push(new_element);
                merged.push(joined(new_element, &new[right]));
                left += 1;
                right += 1;
                next_shared = shared.next();
                continue;
            }
            if new_elements.contains(old_element) && next_shared.is_some_and(|next| next != old_element) {
                left += 1;
                continue;
            }
        }
        if let Some(old_element) = old_elements.get(left) {
            if !new_elements.contains(old_element) {
                merged.push(old[left].clone());
                left += 1;
                continue;
            }
            if taken.contains(&old_element) {
                left += 1;
            }
        }
        if let Some(new_element) = new_elements.get(right) {
            taken.push(new_element);
            merged.push(joined(new_element, &new[right]));
            right += 1;
            if next_shared == Some(new_element) {
                next_shared = shared.next();
            }
        }
    }
    merged
}

/// What a change from one object to another removes, modifies and adds.
pub(super) fn compare(scope: Scope<'_>, before: &Value, after: &Value) -> Comparison {
    let mut found = Comparison::default();
    differ(scope, Some(before), Some(after), &mut Vec::new(), &mut found);
    found
}

fn differ(
    scope: Scope<'_>,
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut Vec<Element>,
    found: &mut Comparison,
) {
    if before == after {
        return;
    }
    let Some(known) = after.or(before) else { return };
    let (one, two) = (before.map(|value| scope.view(value)), after.map(|value| scope.view(value)));
    if let (Some(one), Some(two)) = (&one, &two)
        && std::mem::discriminant(one) != std::mem::discriminant(two)
    {
        // Of no fixed type, and changed from one form to another.
        found.modified.insert(path);
        match two {
            View::Map(_) => differ_maps(scope, None, after, path, found),
            _ => differ_maps(scope, before, None, path, found),
        }
        return;
    }
    let empty = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(_) => false,
    };
    let leaf = match scope.view(known) {
        View::Scalar | View::Atomic => true,
        View::List(..) | View::Map(_) => empty(before) && empty(after),
    };
    match (before, after) {
        (None, _) => found.added.insert(path),
        (_, None) => found.removed.insert(path),
        _ if leaf => found.modified.insert(path),
        _ => {}
    }
    if leaf {
        return;
    }
    match scope.view(known) {
        View::List(item, kind) => differ_lists(scope, (item, kind), before, after, path, found),
        _ => differ_maps(scope, before, after, path, found),
    }
}

fn differ_maps(
    scope: Scope<'_>,
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut Vec<Element>,
    found: &mut Comparison,
) {
    let (old, new) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
    let mut visit = |key: &String, before: Option<&Value>, after: Option<&Value>| {
        let Some(shape) = scope.at(key) else { return };
        path.push(scope.key(key));
        differ(scope.with(shape), before, after, path, found);
        path.pop();
    };
    // In order: sets grow cheaply at their end.
    for (key, value) in in_order(old) {
        visit(key, Some(value), new.and_then(|new| new.get(key)));
    }
    for (key, value) in in_order(new) {
        if !old.is_some_and(|old| old.contains_key(key)) {
            visit(key, None, Some(value));
        }
    }
}

fn in_order(map: Option<&Map<String, Value>>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    entries
}

fn differ_lists<'a>(
    scope: Scope<'a>,
    (item, kind): (&'a Shape, &ListKind),
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut Vec<Element>,
    found: &mut Comparison,
) {
    let (old, new) = (items(before), items(after));
    let (old_elements, new_elements) = (scope.elements(item, kind, old), scope.elements(item, kind, new));
    let mut seen: Vec<&Element> = Vec::new();
    for element in old_elements.iter().chain(&new_elements) {
        if seen.contains(&element) {
            continue;
        }
        seen.push(element);
        let (old, new) = (at(&old_elements, old, element), at(&new_elements, new, element));
        path.push(element.clone());
        let inner = scope.with(item);
        if old.len() <= 1 && new.len() <= 1 {
            differ(inner, old.first().copied(), new.first().copied(), path, found);
        } else if old.len() >= 2 && new.len() >= 2 {
            if old != new {
                found.modified.insert(path);
            }
        } else if old.len() >= 2 {
            differ(inner, None, new.first().copied(), path, found);
            found.removed.insert(path);
        } else {
            differ(inner, old.first().copied(), None, path, found);
            found.added.insert(path);
        }
        path.pop();
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

fn at<'v>(elements: &[Element], items: &'v [Value], element: &Element) -> Vec<&'v Value> {
    elements.iter().zip(items).filter(|(known, _)| *known == element).map(|(_, value)| value).collect()
}

/// An object without the members of a set; what becomes empty is null.
pub(super) fn remove(scope: Scope<'_>, value: &Value, gone: &Set) -> Value {
    match (scope.view(value), value) {
        (View::Scalar, _) => value.clone(),
        (View::List(item, kind), Value::Array(items)) => {
            let elements = scope.elements(item, kind, items);
            let kept = elements.iter().zip(items).filter(|(element, _)| !gone.has(element));
            let kept: Vec<Value> = kept
                .map(|(element, inner)| match gone.below(element) {
                    Some(below) => remove(scope.with(item), inner, below),
                    None => inner.clone(),
                })
                .collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        (View::Map(map_scope), Value::Object(map)) => {
            let mut kept = Map::with_capacity(map.len());
            for (key, inner) in map {
                if gone.has_field(key) {
                    continue;
                }
                let inner = match (gone.below_field(key), map_scope.at(key)) {
                    (Some(below), Some(shape)) => remove(map_scope.with(shape), inner, below),
                    _ => inner.clone(),
                };
                kept.insert(key.clone(), inner);
            }
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        _ => Value::Null,
    }
}
