//! Objects of requests as Go's decoding leaves them: types checked, unknown fields dropped, empty values left out,
//! values in their one form.

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::quantity::{self, Quantity};
use super::types::{Arena, Field, Shape, Structure};

/// How deep objects may nest.
pub(crate) const DEPTH_LIMIT: usize = 128;

/// How many items a list may have. The items of some are compared with one another.
pub(crate) const ITEM_LIMIT: usize = 10_000;

/// What decoding found on its way.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Paths of unknown fields.
    pub(crate) unknown: Vec<String>,
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Field(String),
    Key(String),
    Index(usize),
}

/// Where a value stands: its structure's name and its Go type.
#[derive(Clone, Copy)]
struct Place<'a> {
    structure: &'a str,
    go: &'a str,
}

impl Decoder {
    /// Brings a value into the form of its type; the first thing that does not fit is the error.
    pub(crate) fn decode(&mut self, arena: &Arena, shape: &Shape, value: &mut Value) -> Result<(), String> {
        self.value(arena, shape, value, Place { structure: "", go: "" })
    }

    fn value(
        &mut self,
        arena: &Arena,
        shape: &Shape,
        value: &mut Value,
        place: Place<'_>,
    ) -> Result<(), String> {
        if self.path.len() > DEPTH_LIMIT {
            return Err(format!("exceeded max depth of {DEPTH_LIMIT}"));
        }
        if value.is_null() {
            return Ok(());
        }
        match shape {
            Shape::Structure { id, .. } => match value {
                Value::Object(map) => self.structure(arena, arena.structure(*id), map),
                other => Err(self.mismatch(other, place)),
            },
            Shape::Map { value: inner, .. } => {
                let Value::Object(map) = value else { return Err(self.mismatch(value, place)) };
                let place = Place { go: element(place.go), ..place };
                for (key, item) in map.iter_mut() {
                    self.path.push(Step::Key(key.clone()));
                    self.value(arena, inner, item, place)?;
                    self.path.pop();
                    if item.is_null() && !place.go.is_empty() {
                        *item = zero(arena, inner);
                    }
                }
                Ok(())
            }
            Shape::List { item: inner, .. } => {
                let Value::Array(items) = value else { return Err(self.mismatch(value, place)) };
                check_length(items)?;
                let place = Place { go: element(place.go), ..place };
                for (index, item) in items.iter_mut().enumerate() {
                    self.path.push(Step::Index(index));
                    self.value(arena, inner, item, place)?;
                    self.path.pop();
                    if item.is_null() && !place.go.is_empty() {
                        *item = zero(arena, inner);
                    }
                }
                Ok(())
            }
            Shape::Untyped | Shape::Deduced => Ok(()),
            scalar => self.scalar(scalar, value, place),
        }
    }

    fn structure(
        &mut self,
        arena: &Arena,
        structure: &Structure,
        map: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let mut dropped = false;
        for (key, value) in map.iter_mut() {
            let Some(field) = structure.field(key) else {
                match &structure.others {
                    Some(shape) => {
                        self.path.push(Step::Field(key.clone()));
                        self.value(arena, shape, value, Place { structure: &structure.name, go: "" })?;
                        self.path.pop();
                    }
                    None => {
                        self.path.push(Step::Field(key.clone()));
                        let path = self.shown();
                        self.unknown.push(path);
                        self.path.pop();
                        dropped = true;
                    }
                }
                continue;
            };
            self.path.push(Step::Field(key.clone()));
            let place = Place { structure: &structure.name, go: field.go.trim_start_matches('*') };
            self.value(arena, &field.shape, value, place)?;
            self.path.pop();
            dropped = dropped || is_left_out(field, value);
        }
        if dropped {
            map.retain(|key, value| match structure.field(key) {
                Some(field) => !is_left_out(field, value),
                None => structure.others.is_some(),
            });
        }
        for field in structure.fields().iter().filter(|field| field.is_always_written()) {
            match map.get_mut(field.name.as_ref()) {
                None => {
                    map.insert(field.name.to_string(), zero_of(arena, field));
                }
                Some(value) if value.is_null() => *value = zero_of(arena, field),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn scalar(&self, shape: &Shape, value: &mut Value, place: Place<'_>) -> Result<(), String> {
        match (shape, &*value) {
            (Shape::Text | Shape::Scalar | Shape::IntegerOrText, Value::String(_))
            | (Shape::Boolean, Value::Bool(_))
            | (Shape::Number, Value::Number(_)) => Ok(()),
            (Shape::Integer { bits }, Value::Number(number)) => {
                let fits = number.as_i64().is_some_and(|number| *bits == 64 || i32::try_from(number).is_ok());
                if fits {
                    return Ok(());
                }
                let go = if *bits == 32 { "int32" } else { "int64" };
                Err(self.wrong(&format!("number {number}"), place, go))
            }
            (Shape::Bytes, Value::String(text)) => match decode_base64(text) {
                Ok(()) => Ok(()),
                Err(place) => Err(format!("illegal base64 data at input byte {place}")),
            },
            (Shape::Time | Shape::MicroTime, Value::String(text)) => {
                *value = Value::String(time(text, matches!(shape, Shape::MicroTime))?);
                Ok(())
            }
            (Shape::Quantity, Value::String(_) | Value::Number(_)) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let quantity = Quantity::parse(text.trim()).ok_or_else(|| quantity::MALFORMED.to_owned())?;
                *value = Value::String(quantity.canonical());
                Ok(())
            }
            (Shape::Quantity, _) => Err(quantity::MALFORMED.to_owned()),
            (Shape::IntegerOrText, Value::Number(number)) => {
                if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) {
                    return Ok(());
                }
                Err(self.wrong(&format!("number {number}"), place, "int32"))
            }
            (Shape::IntegerOrText, other) => Err(self.wrong(kind(other), place, "int32")),
            (Shape::Time | Shape::MicroTime, other) => Err(self.wrong(kind(other), place, "string")),
            (_, other) => Err(self.mismatch(other, place)),
        }
    }

    fn mismatch(&self, value: &Value, place: Place<'_>) -> String {
        self.wrong(kind(value), place, place.go)
    }

    fn wrong(&self, what: &str, place: Place<'_>, go: &str) -> String {
        let go = match go.trim_start_matches('*') {
            "" => "map[string]interface {}",
            go => go,
        };
        let fields = self.path.iter().filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Key(_) | Step::Index(_) => None,
        });
        let fields: Vec<&str> = fields.collect();
        if fields.is_empty() {
            return format!("json: cannot unmarshal {what} into Go value of type {go}");
        }
        let path = fields.join(".");
        format!("json: cannot unmarshal {what} into Go struct field {}.{path} of type {go}", place.structure)
    }

    fn shown(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) | Step::Key(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }
}

/// Whether a list is short enough to work with.
pub(crate) fn check_length(items: &[Value]) -> Result<(), String> {
    if items.len() <= ITEM_LIMIT {
        return Ok(());
    }
    Err(format!("a list may have at most {ITEM_LIMIT} items, this one has {}", items.len()))
}

/// `[]v1.Container` → `v1.Container`.
fn element(go: &str) -> &str {
    let go = go.trim_start_matches('*');
    match go.strip_prefix("[]").or_else(|| go.strip_prefix("map[string]")) {
        Some(inner) => inner,
        None if go.is_empty() => "",
        // A named list or map; its elements are named otherwise.
        None => "string",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_left_out(field: &Field, value: &Value) -> bool {
    if field.go.is_empty() {
        return value.is_null() && !field.nullable;
    }
    if field.is_always_written() {
        return false;
    }
    match value {
        Value::Null => true,
        _ if field.is_pointer() => false,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        // An empty list of managers asks for them to be forgotten.
        Value::Array(items) => items.is_empty() && field.name.as_ref() != "managedFields",
        Value::Object(map) => map.is_empty() && !matches!(field.shape, Shape::Structure { .. }),
    }
}

fn zero_of(arena: &Arena, field: &Field) -> Value {
    if field.is_pointer() { Value::Null } else { zero(arena, &field.shape) }
}

/// Go's zero value, as JSON.
pub(crate) fn zero(arena: &Arena, shape: &Shape) -> Value {
    match shape {
        Shape::Structure { id, .. } => {
            let always = arena.structure(*id).fields().iter().filter(|field| field.is_always_written());
            Value::Object(always.map(|field| (field.name.to_string(), zero_of(arena, field))).collect())
        }
        Shape::Text | Shape::Scalar => Value::from(""),
        Shape::Integer { .. } | Shape::Number | Shape::IntegerOrText => Value::from(0),
        Shape::Boolean => Value::Bool(false),
        Shape::Quantity => Value::from("0"),
        _ => Value::Null,
    }
}

/// The place of the first byte that is not base64.
fn decode_base64(text: &str) -> Result<(), usize> {
    use base64::DecodeError;
    let text: String = text.chars().filter(|char| !matches!(char, '\n' | '\r')).collect();
    match base64::engine::general_purpose::STANDARD.decode(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(DecodeError::InvalidByte(place, _) | DecodeError::InvalidLastSymbol { offset: place, .. }) => {
            Err(place)
        }
        Err(DecodeError::InvalidLength(_) | DecodeError::InvalidPadding) => Err(text.len() / 4 * 4),
    }
}

fn time(text: &str, micro: bool) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let layout = if micro { "2006-01-02T15:04:05.000000Z07:00" } else { "2006-01-02T15:04:05Z07:00" };
    if micro {
        let fraction = text.split_once('.').map_or("", |(_, rest)| rest.trim_end_matches(['Z', 'z']));
        if fraction.len() < 6 && text.len() >= 20 {
            let rest = text.get(19..).unwrap_or("");
            return Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as \".000000\""));
        }
    }
    let parsed: Timestamp = text
        .parse()
        .map_err(|_| format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""))?;
    let format = if micro { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(parsed.strftime(format).to_string())
}

/// Storage knows no empty lists beside absent ones: what must be written is null then.
pub(crate) fn as_stored(arena: &Arena, shape: &Shape, value: &mut Value) {
    match (shape, value) {
        (Shape::Structure { id, .. }, Value::Object(map)) => {
            let structure = arena.structure(*id);
            for (key, value) in map.iter_mut() {
                let Some(field) = structure.field(key) else { continue };
                if field.go.is_empty() {
                    continue;
                }
                match value {
                    Value::Array(items) if items.is_empty() && !field.is_pointer() => *value = Value::Null,
                    Value::Object(inner)
                        if inner.is_empty()
                            && !field.is_pointer()
                            && matches!(field.shape, Shape::Map { .. }) =>
                    {
                        *value = Value::Null;
                    }
                    other => as_stored(arena, &field.shape, other),
                }
            }
        }
        (Shape::List { item, .. }, Value::Array(items)) => {
            items.iter_mut().for_each(|value| as_stored(arena, item, value));
        }
        (Shape::Map { value: inner, .. }, Value::Object(map)) => {
            map.values_mut().for_each(|value| as_stored(arena, inner, value));
        }
        _ => {}
    }
}
