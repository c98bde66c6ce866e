//! Scalars and keys with their tags, and the words of go-yaml's errors.

use std::borrow::Cow;

use base64::Engine as _;

use super::super::YamlError;
use super::super::resolve::{Resolved, resolve};
use super::super::scanner::Mark;
use super::{Build, Number, Read};
use crate::helm::value::Text;

/// The key of a pair.
pub(in super::super) enum Key {
    Text(Text),
    /// `<<`
    Merge,
    /// A null, which YAML allows and JSON does not.
    Null,
}

pub(in super::super) fn plain_key(text: &[u8]) -> Key {
    match resolve(text) {
        Resolved::Text if text == b"<<" => Key::Merge,
        Resolved::Text => Key::Text(Text::from(text)),
        Resolved::Null => Key::Null,
        Resolved::Bool(value) => Key::Text(Text::from(if value { "true" } else { "false" })),
        Resolved::Int(value) => Key::Text(Text::from(value.to_string())),
        Resolved::Uint(value) => Key::Text(Text::from(value.to_string())),
        Resolved::Float(value) => Key::Text(Text::from(float_key(value))),
    }
}

fn float_key(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    crate::helm::value::convert::float_general(value)
}

pub(in super::super) fn scalar<N: Build>(
    tag: Option<&[u8]>,
    text: Cow<'_, [u8]>,
    plain: bool,
    mark: Mark,
) -> Read<N> {
    let tag = tag.filter(|tag| *tag != b"!");
    match tag {
        None if !plain => Ok(N::text(text)),
        None => Ok(match resolve(&text) {
            Resolved::Null => N::null(),
            Resolved::Bool(value) => N::bool(value),
            Resolved::Int(value) => N::number(Number::Int(value)),
            Resolved::Uint(value) => N::number(Number::Uint(value)),
            Resolved::Float(value) if value.is_finite() => N::number(Number::Float(value)),
            Resolved::Float(value) => return Err(unsupported_float(value, mark)),
            Resolved::Text => N::text(text),
        }),
        Some(tag) => tagged(tag, text, mark),
    }
}

fn unsupported_float(value: f64, mark: Mark) -> YamlError {
    let shown = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    let message = format!("json: unsupported value: {shown}");
    YamlError::at(mark.line + 1, mark.column + 1, message.clone(), message)
}

fn tagged<N: Build>(tag: &[u8], text: Cow<'_, [u8]>, mark: Mark) -> Read<N> {
    let resolved = resolve(&text);
    let short = String::from_utf8_lossy(tag).replace("tag:yaml.org,2002:", "!!");
    let found = match resolved {
        Resolved::Null => "!!null",
        Resolved::Bool(_) => "!!bool",
        Resolved::Int(_) | Resolved::Uint(_) => "!!int",
        Resolved::Float(_) => "!!float",
        Resolved::Text => "!!str",
    };
    match (short.as_str(), resolved) {
        ("!!binary", _) => match base64::engine::general_purpose::STANDARD.decode(strip_breaks(&text)) {
            Ok(bytes) => Ok(N::text(Cow::Owned(by_way_of_json(&bytes)))),
            Err(_) => Err(plain_error(mark, "!!binary value contains invalid base64 data".to_owned())),
        },
        ("!!bool", Resolved::Bool(_))
        | ("!!int", Resolved::Int(_) | Resolved::Uint(_))
        | ("!!null", Resolved::Null)
        | ("!!float", Resolved::Float(_)) => scalar(None, text, true, mark),
        ("!!float", Resolved::Int(value)) => {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
            let value = value as f64;
            Ok(N::number(Number::Float(value)))
        }
        ("!!bool" | "!!int" | "!!float" | "!!null", _) => Err(plain_error(
            mark,
            format!("cannot decode {found} `{}` as a {short}", String::from_utf8_lossy(&text)),
        )),
        _ => Ok(N::text(text)),
    }
}

/// Helm reads YAML by way of JSON, where each byte that is no text becomes U+FFFD.
fn by_way_of_json(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        chunk.invalid().iter().for_each(|_| out.extend_from_slice("\u{FFFD}".as_bytes()));
    }
    out
}

fn strip_breaks(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()
}

/// A grammar error: go-yaml counts its line from 0 and leaves 0 out.
pub(super) fn parser_error(problem: Mark, context: Mark, message: &str) -> YamlError {
    let line = if problem.line == 0 { context.line } else { problem.line };
    let place = if line == 0 { String::new() } else { format!("line {line}: ") };
    YamlError::at(problem.line + 1, problem.column + 1, message, format!("yaml: {place}{message}"))
}

/// An error that go-yaml reports without a line.
pub(super) fn plain_error(mark: Mark, message: String) -> YamlError {
    let helm = format!("yaml: {message}");
    YamlError::at(mark.line + 1, mark.column + 1, message, helm)
}

/// A null as key; `value` is what Go shows of the value.
pub(super) fn key_error(mark: Mark, value: &str) -> YamlError {
    let message = format!("unsupported map key of type: %!s(<nil>), key: <nil>, value: {value}");
    YamlError::at(mark.line + 1, mark.column + 1, "a map key must not be null", message)
}
