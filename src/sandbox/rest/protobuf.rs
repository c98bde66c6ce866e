//! Bodies in protocol buffers, which kubectl's typed commands send: decoded to the JSON that they stand for.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The first bytes of an object that is sent so.
const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may nest.
const DEPTH: usize = 64;

static RECORDED: &[u8] = include_bytes!("../data/messages.txt.gz");

/// A body that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct ProtobufError(&'static str);

const TRUNCATED: ProtobufError = ProtobufError("proto: unexpected end of the message");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Optional,
    Pointer,
    Repeated,
    Map,
    Inline,
}

#[derive(Clone, Debug)]
enum Kind {
    Text,
    Bytes,
    Bool,
    Integer,
    Double,
    Message(usize),
    Unknown,
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    shape: Shape,
    kind: Kind,
}

#[derive(Debug, Default)]
struct Message {
    name: String,
    fields: HashMap<u64, Field>,
}

#[derive(Debug, Default)]
struct Messages {
    all: Vec<Message>,
    by_name: HashMap<String, usize>,
}

static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    let mut text = String::new();
    // The bytes are part of the program; a test reads them.
    let read = flate2::read::GzDecoder::new(RECORDED).read_to_string(&mut text);
    let mut messages = Messages::default();
    if read.is_err() {
        return messages;
    }
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('=') {
            messages.by_name.insert(name.to_owned(), messages.all.len());
            messages.all.push(Message { name: name.to_owned(), fields: HashMap::new() });
        } else if let (Some((number, field)), Some(message)) = (field(line), messages.all.last_mut()) {
            message.fields.insert(number, field);
        }
    }
    messages
});

fn field(line: &str) -> Option<(u64, Field)> {
    let mut parts = line.split(' ');
    let number = parts.next()?.parse().ok()?;
    let name = parts.next()?.to_owned();
    let shape = match parts.next()? {
        "p" => Shape::Pointer,
        "r" => Shape::Repeated,
        "m" => Shape::Map,
        "i" => Shape::Inline,
        _ => Shape::Optional,
    };
    let kind = match parts.next()? {
        "string" => Kind::Text,
        "bytes" => Kind::Bytes,
        "bool" => Kind::Bool,
        "int32" | "int64" => Kind::Integer,
        "double" => Kind::Double,
        other => other.parse().map_or(Kind::Unknown, Kind::Message),
    };
    Some((number, Field { name, shape, kind }))
}

/// Decodes an object of a group, version and kind.
pub(super) fn decode(bytes: &[u8], group: &str, version: &str, kind: &str) -> Result<Value, ProtobufError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ProtobufError(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    ))?;
    let mut reader = Reader { rest };
    let (mut raw, mut types) = (&[][..], &[][..]);
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => types = bytes,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut said = (version_name(group, version), kind.to_owned());
    let mut reader = Reader { rest: types };
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => said.0 = String::from_utf8_lossy(bytes).into_owned(),
            (2, Wire::Bytes(bytes)) => said.1 = String::from_utf8_lossy(bytes).into_owned(),
            _ => {}
        }
    }
    let (group, version) = said.0.split_once('/').unwrap_or(("", &said.0));
    let name = message_name(group, version, &said.1);
    let unknown = ProtobufError("no kind of that name is registered");
    let index = MESSAGES.by_name.get(&name).copied().ok_or(unknown)?;
    let mut object = message(raw, index, DEPTH)?;
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".to_owned(), json!(said.0));
        map.insert("kind".to_owned(), json!(said.1));
    }
    Ok(object)
}

fn version_name(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

fn message_name(group: &str, version: &str, kind: &str) -> String {
    let first = group.split('.').next().unwrap_or_default();
    let package = match first {
        _ if kind == "DeleteOptions" => {
            return "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions".to_owned();
        }
        "" => "k8s.io.api.core".to_owned(),
        "apiextensions" => "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions".to_owned(),
        "apiregistration" => "k8s.io.kube_aggregator.pkg.apis.apiregistration".to_owned(),
        first => format!("k8s.io.api.{first}"),
    };
    format!("{package}.{version}.{kind}")
}

enum Wire<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u64, ProtobufError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
            self.rest = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ProtobufError("proto: integer overflow"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ProtobufError> {
        let length = usize::try_from(length).map_err(|_| TRUNCATED)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, ProtobufError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let wire = match key & 7 {
            0 => Wire::Number(self.number()?),
            1 => Wire::Double(f64::from_le_bytes(self.take(8)?.try_into().map_err(|_| TRUNCATED)?)),
            2 => {
                let length = self.number()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Number(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| TRUNCATED)?).into()),
            _ => return Err(ProtobufError("proto: illegal wireType")),
        };
        Ok(Some((key >> 3, wire)))
    }
}

/// One message; those that stand for something else in JSON become that.
fn message(bytes: &[u8], index: usize, depth: usize) -> Result<Value, ProtobufError> {
    let Some(known) = MESSAGES.all.get(index) else { return Ok(Value::Null) };
    let depth = depth.checked_sub(1).ok_or(ProtobufError("the object nests deeper than 64 levels"))?;
    let mut map = Map::new();
    let mut reader = Reader { rest: bytes };
    while let Some((number, wire)) = reader.next()? {
        let Some(field) = known.fields.get(&number) else { continue };
        if field.shape == Shape::Map {
            let Wire::Bytes(entry) = wire else { continue };
            let (key, value) = entry_of(entry, field, depth)?;
            let entries = map.entry(field.name.clone()).or_insert_with(|| json!({}));
            if let Some(entries) = entries.as_object_mut() {
                entries.insert(key, value);
            }
            continue;
        }
        let value = value_of(wire, &field.kind, depth)?;
        match field.shape {
            Shape::Repeated => {
                let items = map.entry(field.name.clone()).or_insert_with(|| json!([]));
                if let Some(items) = items.as_array_mut() {
                    items.push(value);
                }
            }
            Shape::Inline => {
                if let Value::Object(fields) = value {
                    map.extend(fields);
                }
            }
            // What is no pointer is sent even when it is not set.
            Shape::Optional if is_zero(&value) => {}
            _ => drop(map.insert(field.name.clone(), value)),
        }
    }
    Ok(special(&known.name, map))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(holds) => !holds,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn entry_of(bytes: &[u8], field: &Field, depth: usize) -> Result<(String, Value), ProtobufError> {
    let (mut key, mut value) = (String::new(), None);
    let mut reader = Reader { rest: bytes };
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = String::from_utf8_lossy(bytes).into_owned(),
            (2, wire) => value = Some(value_of(wire, &field.kind, depth)?),
            _ => {}
        }
    }
    Ok((key, value.unwrap_or_else(|| json!(""))))
}

fn value_of(wire: Wire<'_>, kind: &Kind, depth: usize) -> Result<Value, ProtobufError> {
    Ok(match (wire, kind) {
        (Wire::Bytes(bytes), Kind::Text) => json!(String::from_utf8_lossy(bytes)),
        (Wire::Bytes(bytes), Kind::Bytes) => json!(STANDARD.encode(bytes)),
        (Wire::Bytes(bytes), Kind::Message(index)) => message(bytes, *index, depth)?,
        (Wire::Number(number), Kind::Bool) => json!(number != 0),
        (Wire::Number(number), Kind::Integer) => json!(number.cast_signed()),
        (Wire::Double(number), Kind::Double) => json!(number),
        _ => Value::Null,
    })
}

fn bytes_of(map: &Map<String, Value>, name: &str) -> Vec<u8> {
    let text = map.get(name).and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(text).unwrap_or_default()
}

/// Messages that JSON writes in another way.
fn special(name: &str, map: Map<String, Value>) -> Value {
    let number = |field: &str| map.get(field).and_then(Value::as_i64).unwrap_or_default();
    let (package, short) = name.rsplit_once('.').unwrap_or_default();
    match (package.rsplit('.').next().unwrap_or_default(), short) {
        ("v1", "Time" | "MicroTime" | "Timestamp") if name.contains(".meta.") => {
            let nanos = i32::try_from(number("nanos")).unwrap_or_default();
            match Timestamp::new(number("seconds"), nanos) {
                _ if map.is_empty() => Value::Null,
                Ok(time) if short == "MicroTime" => json!(format!("{time:.6}")),
                Ok(time) => json!(super::time(time)),
                Err(_) => Value::Null,
            }
        }
        ("resource", "Quantity") => map.get("string").cloned().unwrap_or_else(|| json!("0")),
        ("intstr", "IntOrString") if number("type") == 1 => {
            map.get("strVal").cloned().unwrap_or_else(|| json!(""))
        }
        ("intstr", "IntOrString") => json!(number("intVal")),
        ("runtime", "RawExtension") | ("v1", "JSON") => {
            serde_json::from_slice(&bytes_of(&map, "raw")).unwrap_or_default()
        }
        ("v1", "FieldsV1") => serde_json::from_slice(&bytes_of(&map, "Raw")).unwrap_or_default(),
        ("v1", "ExtraValue" | "Verbs") => map.get("items").cloned().unwrap_or_else(|| json!([])),
        ("v1", "Duration") => json!(format!("{}ns", number("duration"))),
        _ => Value::Object(map),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_as_kubectl_sends_it() {
        let bytes = b"k8s\0\n\x0f\n\x02v1\x12\tNamespace\x12\x1b\n\x13\n\x03foo\x12\0\x1a\0\"\0*\x002\08\0B\0\x12\0\x1a\x02\n\0\x1a\0\"\0";
        assert_eq!(
            decode(bytes, "", "v1", "Namespace"),
            Ok(
                json!({"metadata": {"name": "foo"}, "spec": {}, "status": {}, "apiVersion": "v1", "kind": "Namespace"})
            )
        );
        assert!(decode(b"{}", "", "v1", "Namespace").is_err());
        assert!(decode(b"k8s\0\x12\xff", "", "v1", "Namespace").is_err());
    }

    #[test]
    fn the_recorded_messages_are_whole() {
        assert!(MESSAGES.all.len() > 500, "{}", MESSAGES.all.len());
        let spec = MESSAGES
            .by_name
            .get("k8s.io.api.apps.v1.DeploymentSpec")
            .and_then(|index| MESSAGES.all.get(*index));
        let replicas = spec.and_then(|message| message.fields.get(&1));
        assert!(matches!(replicas, Some(Field { shape: Shape::Pointer, kind: Kind::Integer, .. })));
    }
}
