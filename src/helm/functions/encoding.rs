//! Encodings and digests: base64, base32, hashes, YAML, JSON, TOML. No state.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use super::json::{self, Style, Wording};
use super::{Function, Outcome, Type, text, toml, value};
use crate::Compat;
use crate::failure::{Failure, Limit};
use crate::template::machine::Machine;
use crate::value::{Map, MapKind, Text, Value};
use crate::yaml::{self, Emitter, YamlError, YamlLimits};

use Type::{Any, Text as Str};

mod digest;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("b64enc", &[Str], |_, a| Ok(Value::text(STANDARD.encode(text(a, 0).bytes())))),
    Function::new("b64dec", &[Str], |_, a| Ok(Value::text(base64_decode(&text(a, 0))))),
    Function::new("b32enc", &[Str], |_, a| Ok(Value::text(digest::base32_encode(&text(a, 0))))),
    Function::new("b32dec", &[Str], |_, a| Ok(Value::text(digest::base32_decode(&text(a, 0))))),
    Function::new("sha1sum", &[Str], |_, a| Ok(Value::text(hex(&digest::sha1(&text(a, 0)))))),
    Function::new("sha256sum", &[Str], |_, a| {
        Ok(Value::text(hex(&sha2::Sha256::digest(text(a, 0).bytes()))))
    }),
    Function::new("sha512sum", &[Str], |_, a| {
        Ok(Value::text(hex(&sha2::Sha512::digest(text(a, 0).bytes()))))
    }),
    Function::new("adler32sum", &[Str], |_, a| Ok(Value::text(digest::adler32(&text(a, 0)).to_string()))),
    Function::new("toYaml", &[Any], |machine, a| {
        let text = yaml_text(&value(a, 0));
        machine.charge_bytes(text.len())?;
        Ok(Value::text(text))
    }),
    Function::new("mustToYaml", &[Any], |_, a| {
        let argument = value(a, 0);
        let json = json_before_yaml(&argument)
            .map_err(|message| Failure::new(format!("error marshaling into JSON: {message}")))?;
        match yaml_text_of(&argument) {
            Some(text) => Ok(Value::text(text)),
            None => yaml_text_of_json(&json).map(Value::text).map_err(|error| Failure::new(error.helm)),
        }
    })
    .since(Compat::V4_1),
    Function::new("toYamlPretty", &[Any], |_, a| {
        let mut emitter = Emitter::pretty();
        emitter.value(&value(a, 0));
        Ok(Value::text(finished(emitter)))
    }),
    Function::new("fromYaml", &[Str], from_yaml),
    Function::new("fromYamlArray", &[Str], from_yaml_array),
    Function::new("toJson", &[Any], |machine, a| {
        to_json(machine, a, Style { escape_html: true, pretty: false, raw_invalid: false }, false)
    }),
    Function::new("mustToJson", &[Any], |machine, a| {
        to_json(machine, a, Style { escape_html: true, pretty: false, raw_invalid: false }, true)
    }),
    Function::new("toPrettyJson", &[Any], |machine, a| {
        to_json(machine, a, Style { escape_html: true, pretty: true, raw_invalid: false }, false)
    }),
    Function::new("mustToPrettyJson", &[Any], |machine, a| {
        to_json(machine, a, Style { escape_html: true, pretty: true, raw_invalid: false }, true)
    }),
    Function::new("toRawJson", &[Any], |machine, a| {
        to_json(machine, a, Style { escape_html: false, pretty: false, raw_invalid: false }, true)
    }),
    Function::new("mustToRawJson", &[Any], |machine, a| {
        to_json(machine, a, Style { escape_html: false, pretty: false, raw_invalid: false }, true)
    }),
    Function::new("fromJson", &[Str], |machine, a| {
        let read = read_json(machine, a)?.and_then(|value| object_only(value, "map[string]interface {}"));
        Ok(read.unwrap_or_else(|message| error_map(&message)))
    }),
    Function::new("mustFromJson", &[Str], |machine, a| read_json(machine, a)?.map_err(Failure::new)),
    Function::new("fromJsonArray", &[Str], |machine, a| {
        let read = read_json(machine, a)?.and_then(|value| match value {
            Value::List(_) => Ok(value),
            Value::Nil => Ok(Value::nil_slice("[]interface {}")),
            other => Err(cannot_unmarshal(&other, "[]interface {}")),
        });
        Ok(read.unwrap_or_else(|message| Value::list(vec![Value::text(message)])))
    }),
    Function::new("toToml", &[Any], |machine, a| {
        if matches!(a.first(), Some(Value::Nil)) {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        Ok(Value::text(toml::write(&value(a, 0), machine.v3()).unwrap_or_else(String::into_bytes)))
    }),
    Function::new("mustToToml", &[Any], |machine, a| {
        if matches!(a.first(), Some(Value::Nil)) {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        toml::write(&value(a, 0), machine.v3()).map(Value::text).map_err(Failure::new)
    })
    .since(Compat::V4_3),
    Function::new("fromToml", &[Str], |machine, a| {
        let text = readable(machine, a)?;
        let read = charged(machine, toml::read(&text, machine.v3()))?;
        Ok(read.unwrap_or_else(|message| error_map(&message)))
    }),
];

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |number: u8| char::from(DIGITS.get(usize::from(number)).copied().unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]).collect()
}

fn base64_decode(text: &[u8]) -> Vec<u8> {
    let clean: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    match STANDARD.decode(&clean) {
        Ok(bytes) => bytes,
        Err(_) => digest::base64_lenient(text)
            .unwrap_or_else(|offset| format!("illegal base64 data at input byte {offset}").into_bytes()),
    }
}

/// `toYaml`: go-yaml's style without the last line break; what cannot be written is empty.
pub(super) fn yaml_text(value: &Value) -> Vec<u8> {
    yaml_text_of(value).unwrap_or_else(|| {
        json_before_yaml(value).ok().and_then(|json| yaml_text_of_json(&json).ok()).unwrap_or_default()
    })
}

/// What Helm makes of a value before it makes YAML of it.
fn json_before_yaml(value: &Value) -> Result<Vec<u8>, String> {
    json::write(value, Style { escape_html: true, ..Style::default() })
}

/// The same for values that JSON leaves as they are, which Helm makes of them on the way.
fn yaml_text_of(value: &Value) -> Option<Vec<u8>> {
    let mut emitter = Emitter::new();
    emitter.value(value);
    (!emitter.is_changed_by_json()).then(|| finished(emitter))
}

/// The long way: go-yaml reads JSON as YAML, which refuses some of it and folds other.
fn yaml_text_of_json(json: &[u8]) -> Result<Vec<u8>, YamlError> {
    let mut emitter = Emitter::new();
    emitter.json(&yaml::read_first(json, YamlLimits::default())?);
    Ok(finished(emitter))
}

fn finished(emitter: Emitter) -> Vec<u8> {
    if emitter.failed() {
        return Vec::new();
    }
    let mut text = emitter.finish();
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    text
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Nil => "null",
        Value::Bool(_) => "bool",
        Value::Float(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        _ => "object",
    }
}

fn cannot_unmarshal(value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {wanted}", go_type(value))
}

fn object_only(value: Value, wanted: &str) -> Result<Value, String> {
    match value {
        Value::Map(_) => Ok(value),
        Value::Nil => Ok(Value::Map(Map::new().with_kind(MapKind::Nil))),
        other => Err(cannot_unmarshal(&other, wanted)),
    }
}

fn from_yaml(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    Ok(match read_yaml(machine, arguments)? {
        Ok(Value::Map(map)) => Value::Map(map),
        Ok(Value::Nil) => Value::Map(Map::new()),
        Ok(other) => error_map(&format!(
            "error unmarshaling JSON: while decoding JSON: {}",
            cannot_unmarshal(&other, "map[string]interface {}")
        )),
        Err(message) => error_map(&message),
    })
}

fn from_yaml_array(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    Ok(match read_yaml(machine, arguments)? {
        Ok(Value::List(items)) => Value::List(items),
        Ok(Value::Nil) => Value::list(Vec::new()),
        Ok(other) => Value::list(vec![Value::text(format!(
            "error unmarshaling JSON: while decoding JSON: {}",
            cannot_unmarshal(&other, "[]interface {}")
        ))]),
        Err(message) => Value::list(vec![Value::text(message)]),
    })
}

fn error_map(message: &str) -> Value {
    Value::Map(Map::from_pairs([("Error", Value::text(message))]))
}

/// What a text says, or why it says nothing.
type Said = Result<Value, String>;

fn read_yaml(machine: &mut Machine<'_>, arguments: &[Value]) -> Result<Said, Failure> {
    let text = readable(machine, arguments)?;
    charged(machine, yaml::read_first(&text, YamlLimits::default()).map_err(|error| error.unmarshal()))
}

fn read_json(machine: &mut Machine<'_>, arguments: &[Value]) -> Result<Said, Failure> {
    let text = readable(machine, arguments)?;
    charged(machine, json::read(&text, Wording::of(machine.compat)))
}

/// A text that is to be read. What is read of one takes up to thirty times its bytes.
fn readable(machine: &mut Machine<'_>, arguments: &[Value]) -> Result<Text, Failure> {
    const LARGEST: usize = 16 << 20;
    let text = text(arguments, 0);
    if text.len() > LARGEST {
        return Err(Failure::limit(Limit::Size, format!("a text of more than {LARGEST} bytes is not read")));
    }
    machine.charge(text.len() as u64 / 16)?;
    Ok(text)
}

/// What was read, paid for.
fn charged(machine: &mut Machine<'_>, read: Said) -> Result<Said, Failure> {
    if let Ok(value) = &read {
        machine.charge_bytes(value.whole_bytes())?;
    }
    Ok(read)
}

fn to_json(machine: &Machine<'_>, arguments: &[Value], style: Style, must: bool) -> Outcome {
    let style = Style { raw_invalid: machine.compat == Compat::V4_3, ..style };
    match json::write(&value(arguments, 0), style) {
        Ok(text) => Ok(Value::text(text)),
        Err(message) if must => Err(Failure::new(message)),
        Err(_) => Ok(Value::text("")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, yaml_text};
    use crate::value::{Map, Text};

    /// What helm 4.3.1 and 3.19.0 print.
    #[test]
    fn what_json_changes_or_yaml_refuses() {
        let of_list = |text: &[u8]| {
            let items = Value::list(vec![Value::Text(Text::from(text))]);
            String::from_utf8(yaml_text(&items)).unwrap()
        };
        assert_eq!(of_list("x\u{7f}y".as_bytes()), "");
        assert_eq!(of_list("x\u{81}y".as_bytes()), "");
        assert_eq!(of_list("x\u{fffe}y".as_bytes()), "");
        assert_eq!(of_list("a\u{85}--- b".as_bytes()), "");
        assert_eq!(of_list("a\u{85}b".as_bytes()), "- a b");
        assert_eq!(of_list("a \u{85}\u{85} b".as_bytes()), "- |-\n  a\n  b");
        assert_eq!(of_list(b"\xFF"), "- \u{fffd}");
        let of_key = |key: String| {
            let map = Map::from_pairs([(Text::from(key), Value::Int(9_007_199_254_740_993))]);
            yaml_text(&Value::Map(map)).len()
        };
        assert_eq!(of_key("x".repeat(1022)), 1022 + "? \n: 9007199254740993".len());
        assert_eq!(of_key("x".repeat(1023)), 0);
        assert_eq!(of_key("\"".repeat(520)), 0);
        assert_eq!(of_key("a\u{85}b".to_owned()), 0);
    }
}
