//! Go's own template functions. No state.

#![expect(clippy::unnecessary_wraps, reason = "every function of the tables has one signature")]
#![expect(
    clippy::format_push_string,
    reason = "short strings; writing in place would give a result to ignore"
)]

use std::cmp::Ordering;

use super::{Function, Outcome, Special, Type, text};
use crate::Compat;
use crate::failure::Failure;
use crate::template::format;
use crate::template::machine::Machine;
use crate::value::{Text, Value};

use Type::{Any, Text as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { special: Special::And, ..Function::variadic("and", &[Any, Any], unreachable_code) },
    Function { special: Special::Or, ..Function::variadic("or", &[Any, Any], unreachable_code) },
    Function::new("not", &[Any], |_, arguments| Ok(Value::Bool(!super::value(arguments, 0).truth()))),
    Function::variadic("print", &[Any], |machine, arguments| {
        Ok(Value::text(format::sprint(arguments, machine.v3())))
    }),
    Function::variadic("println", &[Any], |machine, arguments| {
        Ok(Value::text(format::sprintln(arguments, machine.v3())))
    }),
    Function::variadic("printf", &[Str, Any], printf),
    Function::variadic("html", &[Any], |machine, arguments| Ok(escape(machine, arguments, html))),
    Function::variadic("js", &[Any], |machine, arguments| Ok(escape(machine, arguments, javascript))),
    Function::variadic("urlquery", &[Any], |machine, arguments| Ok(escape(machine, arguments, query))),
    Function { special: Special::Length, ..Function::new("len", &[Any], length) },
    Function::variadic("index", &[Any, Any], index),
    Function { special: Special::Call, ..Function::variadic("call", &[Any, Any], unreachable_code) },
    Function::variadic("eq", &[Any, Any], equal),
    Function::new("ne", &[Any, Any], |machine, arguments| {
        same(machine, &super::value(arguments, 0), &super::value(arguments, 1)).map(|same| Value::Bool(!same))
    }),
    Function::new("lt", &[Any, Any], |machine, arguments| {
        compare(machine, arguments).map(|order| Value::Bool(order == Some(Ordering::Less)))
    }),
    Function::new("le", &[Any, Any], |machine, arguments| {
        compare(machine, arguments)
            .map(|order| Value::Bool(matches!(order, Some(Ordering::Less | Ordering::Equal))))
    }),
    Function::new("gt", &[Any, Any], |machine, arguments| {
        // Go says a > b is !(a <= b).
        compare(machine, arguments)
            .map(|order| Value::Bool(!matches!(order, Some(Ordering::Less | Ordering::Equal))))
    }),
    Function::new("ge", &[Any, Any], |machine, arguments| {
        compare(machine, arguments).map(|order| Value::Bool(order != Some(Ordering::Less)))
    }),
];

/// `and`, `or` and `call` belong to the executor.
fn unreachable_code(_: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    Ok(super::value(arguments, 0))
}

fn printf(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let made = format::sprintf(&text(arguments, 0), arguments.get(1..).unwrap_or(&[]), machine.v3());
    machine.charge_bytes(made.len())?;
    Ok(Value::text(made))
}

/// The text of arguments as the escaping functions see it.
fn escape(machine: &Machine<'_>, arguments: &[Value], with: fn(&[u8]) -> Vec<u8>) -> Value {
    let plain = match arguments {
        [Value::Text(text)] => text.to_vec(),
        [Value::Nil] => b"<no value>".to_vec(),
        _ => format::sprint(arguments, machine.v3()),
    };
    Value::text(with(&plain))
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{FFFD}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(*byte),
        }
    }
    out
}

fn javascript(text: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' => out.push_str("\\u003C"),
            '>' => out.push_str("\\u003E"),
            '&' => out.push_str("\\u0026"),
            '=' => out.push_str("\\u003D"),
            _ if u32::from(character) < 0x20 => out.push_str(&format!("\\u{:04X}", u32::from(character))),
            _ if crate::value::printable::is_printable(character) => out.push(character),
            _ => out.push_str(&format!("\\u{:04X}", u32::from(character))),
        }
    }
    out.into_bytes()
}

/// Go's `url.QueryEscape`.
pub(super) fn query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            _ if byte.is_ascii_alphanumeric() => out.push(*byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

fn count(value: &Value) -> Option<usize> {
    match value {
        Value::Text(text) | Value::Bytes(text) => Some(text.len()),
        Value::Map(map) => Some(map.len()),
        Value::TextMap(pairs) => Some(pairs.len()),
        Value::Object(object) => match object.json() {
            Value::Map(map) if object.kind_name() == "map" => Some(map.len()),
            _ => value.items().map(|items| items.len()),
        },
        _ => value.items().map(|items| items.len()),
    }
}

fn length(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let value = super::value(arguments, 0);
    match (&value, count(&value)) {
        (Value::Nil, _) => Err("len of nil pointer".into()),
        (_, Some(count)) => Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX))),
        _ => Err(Failure::new(format!("len of type {}", value.type_name(machine.v3())))),
    }
}

fn index(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let mut value = super::value(arguments, 0);
    if matches!(value, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for key in arguments.get(1..).unwrap_or(&[]) {
        value = match &value {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::Map(map) => map.get(&map_key(machine, key)?).unwrap_or(Value::Nil),
            Value::TextMap(pairs) => {
                let key = map_key(machine, key)?;
                let found = pairs.iter().find(|(known, _)| *known == key).map(|(_, text)| text.clone());
                Value::Text(found.unwrap_or_else(|| Text::from("")))
            }
            Value::Text(bytes) => {
                Value::Byte(bytes.get(position(machine, key, bytes.len(), "string")?).copied().unwrap_or(0))
            }
            other => match other.items() {
                Some(items) => {
                    items.get(position(machine, key, items.len(), "slice")?).cloned().unwrap_or(Value::Nil)
                }
                None => {
                    return Err(Failure::new(format!(
                        "can't index item of type {}",
                        other.type_name(machine.v3())
                    )));
                }
            },
        };
    }
    Ok(value)
}

fn map_key(machine: &Machine<'_>, key: &Value) -> Result<Text, Failure> {
    match key {
        Value::Text(text) => Ok(text.clone()),
        Value::Nil => Err("value is nil; should be of type string".into()),
        other => {
            Err(Failure::new(format!("value has type {}; should be string", other.type_name(machine.v3()))))
        }
    }
}

/// The place that an index asks for. Go's own check lets one pass that is just behind the end; reflection refuses it.
fn position(machine: &Machine<'_>, key: &Value, length: usize, what: &str) -> Result<usize, Failure> {
    let number = match (key, whole(key).filter(|_| basic(key) == Some(Basic::Int))) {
        (_, Some(number)) => number,
        (Value::Uint64(number), _) => i128::from(i64::try_from(*number).unwrap_or(i64::MAX)),
        (Value::Byte(number), _) => i128::from(*number),
        (Value::Nil, _) => return Err("cannot index slice/array with nil".into()),
        (other, _) => {
            return Err(Failure::new(format!(
                "cannot index slice/array with type {}",
                other.type_name(machine.v3())
            )));
        }
    };
    match usize::try_from(number) {
        Ok(index) if index < length => Ok(index),
        Ok(index) if index == length => Err(Failure::new(format!("reflect: {what} index out of range"))),
        _ => Err(Failure::new(format!("index out of range: {number}"))),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Basic {
    Bool,
    Int,
    Uint,
    Float,
    Complex,
    Text,
}

fn basic(value: &Value) -> Option<Basic> {
    match value {
        Value::Bool(_) => Some(Basic::Bool),
        Value::Int(_) | Value::Int64(_) => Some(Basic::Int),
        Value::Uint64(_) | Value::Byte(_) => Some(Basic::Uint),
        Value::Float(_) => Some(Basic::Float),
        Value::Text(_) => Some(Basic::Text),
        Value::Object(object) => match object.kind_name() {
            "int64" => Some(Basic::Int),
            "complex128" => Some(Basic::Complex),
            _ => None,
        },
        _ => None,
    }
}

/// The type for messages of a comparison.
fn described(machine: &Machine<'_>, value: &Value) -> String {
    value.type_name(machine.v3()).to_owned()
}

fn incompatible(machine: &Machine<'_>, left: &Value, right: &Value) -> Failure {
    if machine.compat < Compat::V4_3 {
        return "incompatible types for comparison".into();
    }
    Failure::new(format!(
        "incompatible types for comparison: {} and {}",
        described(machine, left),
        described(machine, right)
    ))
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) | Value::Int64(number) => Some(i128::from(*number)),
        Value::Uint64(number) => Some(i128::from(*number)),
        Value::Byte(number) => Some(i128::from(*number)),
        Value::Object(object) => match &**object {
            crate::value::Object::Duration(number) => Some(i128::from(*number)),
            _ => None,
        },
        _ => None,
    }
}

fn same(machine: &Machine<'_>, left: &Value, right: &Value) -> Result<bool, Failure> {
    let is_nil = |value: &Value| matches!(value, Value::Nil);
    match (basic(left), basic(right)) {
        (Some(Basic::Int | Basic::Uint), Some(Basic::Int | Basic::Uint)) => Ok(whole(left) == whole(right)),
        (Some(a), Some(b)) if a == b => Ok(left.deep_equal(right)),
        (None, None) => same_complex(machine, left, right),
        _ if is_nil(left) || is_nil(right) => Ok(false),
        _ => Err(incompatible(machine, left, right)),
    }
}

/// Values that are no scalars: only structs and pointers can be compared.
fn same_complex(machine: &Machine<'_>, left: &Value, right: &Value) -> Result<bool, Failure> {
    if matches!(left, Value::Nil) || matches!(right, Value::Nil) {
        return Ok(matches!((left, right), (Value::Nil, Value::Nil)));
    }
    let v3 = machine.v3();
    let shown = |value: &Value| {
        String::from_utf8_lossy(&format::sprintf(b"%s", std::slice::from_ref(value), v3)).into_owned()
    };
    if left.kind_name() != right.kind_name() {
        return Err(Failure::new(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(left),
            left.type_name(v3),
            right.type_name(v3),
            String::from_utf8_lossy(&format::display(right, v3))
        )));
    }
    let nil_slice = |value: &Value| match value {
        Value::Object(object) => matches!(&**object, crate::value::Object::NilSlice(_)),
        _ => false,
    };
    if nil_slice(left) || nil_slice(right) {
        return Ok(nil_slice(left) == nil_slice(right));
    }
    if matches!(right.kind_name(), "map" | "slice") {
        return Err(Failure::new(format!("non-comparable type {}: {}", shown(right), right.type_name(v3))));
    }
    Ok(left.type_name(v3) == right.type_name(v3) && left.deep_equal(right))
}

fn equal(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let first = super::value(arguments, 0);
    if arguments.len() < 2 {
        return Err("missing argument for comparison".into());
    }
    for other in arguments.get(1..).unwrap_or(&[]) {
        if same(machine, &first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn compare(machine: &Machine<'_>, arguments: &[Value]) -> Result<Option<Ordering>, Failure> {
    let (left, right) = (super::value(arguments, 0), super::value(arguments, 1));
    let unordered = || Failure::new("invalid type for comparison");
    let (Some(first), Some(second)) = (basic(&left), basic(&right)) else {
        return Err(unordered());
    };
    match (first, second) {
        (Basic::Int | Basic::Uint, Basic::Int | Basic::Uint) => Ok(whole(&left).partial_cmp(&whole(&right))),
        (Basic::Bool, Basic::Bool) | (Basic::Complex, Basic::Complex) => Err(unordered()),
        (Basic::Float, Basic::Float) => match (&left, &right) {
            (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
            _ => Ok(None),
        },
        (Basic::Text, Basic::Text) => Ok(Some(text(arguments, 0).bytes().cmp(text(arguments, 1).bytes()))),
        _ => Err(incompatible(machine, &left, &right)),
    }
}
