//! Scalars and keys with their tags, and the words of go-yaml's errors.

use std::borrow::Cow;

use base64::Engine as _;

use super::super::YamlError;
use super::super::resolve::{Resolved, is_timestamp, resolve};
use super::super::scanner::Mark;
use super::{Build, Number, Read};
use crate::value::{Text, convert};

/// The key of a pair.
pub(in super::super) enum Key {
    Text(Text),
    /// `<<`
    Merge,
    /// A null, which YAML allows and JSON does not.
    Null,
    /// A number beyond the signed range, which sigs.k8s.io/yaml makes no text of.
    Uint(u64),
}

pub(in super::super) fn plain_key(text: &[u8]) -> Key {
    match resolve(text) {
        Resolved::Text if text == b"<<" => Key::Merge,
        resolved => resolved_key(resolved, text),
    }
}

/// The key of a scalar behind a tag or an anchor.
pub(super) fn described_key(tag: Option<&[u8]>, text: &[u8], plain: bool, mark: Mark) -> Read<Key> {
    match tag {
        None if plain => Ok(plain_key(text)),
        None => Ok(Key::Text(Text::from(text))),
        // go-yaml's `isMerge`, whether the text is quoted or not.
        Some(b"!" | b"tag:yaml.org,2002:merge") if text == b"<<" => Ok(Key::Merge),
        Some(tag) => {
            tagged(tag, Cow::Borrowed(text), mark).map(|(resolved, text)| resolved_key(resolved, &text))
        }
    }
}

/// What goes by way of JSON has texts for keys.
fn resolved_key(resolved: Resolved, text: &[u8]) -> Key {
    match resolved {
        Resolved::Text => Key::Text(Text::from(text)),
        Resolved::Null => Key::Null,
        Resolved::Bool(value) => Key::Text(Text::from(if value { "true" } else { "false" })),
        Resolved::Int(value) => Key::Text(Text::from(value.to_string())),
        Resolved::Uint(value) => Key::Uint(value),
        Resolved::Float(value) => Key::Text(Text::from(float_key(value))),
    }
}

/// sigs.k8s.io/yaml writes keys as if they were of 32 bits.
fn float_key(value: f64) -> String {
    match convert::float_general_32(value).as_str() {
        "NaN" => ".nan".to_owned(),
        "+Inf" => ".inf".to_owned(),
        "-Inf" => "-.inf".to_owned(),
        digits => digits.to_owned(),
    }
}

/// Why a scalar has no value.
pub(in super::super) enum Refused {
    /// Its tag does not fit.
    Tag(YamlError),
    /// JSON, which Helm's values go through, has no such number.
    Float(f64),
}

pub(in super::super) fn scalar<N: Build>(
    tag: Option<&[u8]>,
    text: Cow<'_, [u8]>,
    plain: bool,
    mark: Mark,
) -> Result<N, Refused> {
    match tag {
        None if !plain => Ok(N::text(text)),
        None => built(resolve(&text), text),
        Some(tag) => {
            let (resolved, text) = tagged(tag, text, mark).map_err(Refused::Tag)?;
            built(resolved, text)
        }
    }
}

fn built<N: Build>(resolved: Resolved, text: Cow<'_, [u8]>) -> Result<N, Refused> {
    Ok(match resolved {
        Resolved::Null => N::null(),
        Resolved::Bool(value) => N::bool(value),
        Resolved::Int(value) => N::number(Number::Int(value)),
        Resolved::Uint(value) => N::number(Number::Uint(value)),
        Resolved::Float(value) if value.is_finite() => N::number(Number::Float(value)),
        Resolved::Float(value) => return Err(Refused::Float(value)),
        Resolved::Text => N::text(text),
    })
}

pub(super) fn unsupported_float(value: f64, mark: Mark) -> YamlError {
    let message = format!("json: unsupported value: {}", convert::float_general(value));
    YamlError::at(mark.line + 1, mark.column + 1, message.clone(), message)
}

/// What a scalar is by its tag, and its text. A tag that is not known makes a text, `!` alone as well.
fn tagged<'t>(tag: &[u8], text: Cow<'t, [u8]>, mark: Mark) -> Read<(Resolved, Cow<'t, [u8]>)> {
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
            Ok(bytes) => Ok((Resolved::Text, Cow::Owned(by_way_of_json(&bytes)))),
            Err(_) => Err(plain_error(mark, "!!binary value contains invalid base64 data".to_owned())),
        },
        ("!!bool", Resolved::Bool(_))
        | ("!!int", Resolved::Int(_) | Resolved::Uint(_))
        | ("!!null", Resolved::Null)
        | ("!!float", Resolved::Float(_)) => Ok((resolved, text)),
        ("!!float", Resolved::Int(value)) => {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
            let value = value as f64;
            Ok((Resolved::Float(value), text))
        }
        ("!!timestamp", _) if is_timestamp(&text) => Ok((Resolved::Text, text)),
        ("!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp", _) => Err(plain_error(
            mark,
            format!("cannot decode {found} `{}` as a {short}", String::from_utf8_lossy(&text)),
        )),
        _ => Ok((Resolved::Text, text)),
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

/// A null, or a number beyond the signed range, as a key; `value` is what Go shows of the value.
pub(super) fn key_error(mark: Mark, key: Option<u64>, value: &str) -> YamlError {
    let (kind, shown, plain) = match key {
        None => ("%!s(<nil>)", "<nil>".to_owned(), "null"),
        Some(number) => ("uint64", format!("{number:#x}"), "a number beyond the range of int64"),
    };
    let message = format!("unsupported map key of type: {kind}, key: {shown}, value: {value}");
    YamlError::at(mark.line + 1, mark.column + 1, format!("a map key must not be {plain}"), message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::YamlLimits;
    use super::super::Reader;
    use crate::values::Tree;

    /// As helm 4.3.1 and 3.19.0 read these values; yq writes merge keys with their tag.
    #[test]
    fn keys_behind_tags_and_anchors_are_what_they_are_without() {
        for (text, expected) in [
            ("{!!merge <<: {a: 1}, b: 2}", json!({"a": 1, "b": 2})),
            ("{!!merge \"<<\": [{a: 1}]}", json!({"a": 1})),
            ("{! \"<<\": {a: 1}}", json!({"a": 1})),
            ("{&k <<: {a: 1}}", json!({"a": 1})),
            ("? !<tag:yaml.org,2002:merge> &k <<\n: {a: 1}\nb: *k", json!({"a": 1, "b": "<<"})),
            ("{!<!!merge> <<: 1, !!merge b: 2}", json!({"<<": 1, "b": 2})),
            ("{!!str <<: 1, \"<<\": 2}", json!({"<<": 2})),
            ("[&k <<, {*k : 1}]", json!(["<<", {"<<": 1}])),
            ("{!!int 5: a, &k 1e3: b, !!bool on: d}", json!({"5": "a", "1000": "b", "true": "d"})),
            ("{!!float 1000000: a, !!float .inf: b}", json!({"1e+06": "a", ".inf": "b"})),
            (
                "{1.123456789: a, 1e300: b, -0.0: c, 18446744073709551616: d}",
                json!({"1.1234568": "a", ".inf": "b", "-0": "c", "1.8446744e+19": "d"}),
            ),
            ("{!!str ~: a, !foo 6: b, ! 7: c}", json!({"~": "a", "6": "b", "7": "c"})),
            (
                "{a: &k 5, b: {*k : c}, d: &l on, e: {*l : f}}",
                json!({"a": 5, "b": {"5": "c"}, "d": true, "e": {"true": "f"}}),
            ),
            ("a: ! yes\nb: !\nc: !!float 1", json!({"a": "yes", "b": "", "c": 1.0})),
        ] {
            let read =
                Reader::new(text.as_bytes(), YamlLimits::default(), false).unwrap().document::<Value>();
            assert_eq!(read.unwrap(), Some(expected), "{text}");
        }
        // What another pair takes the place of is not looked at.
        let overwritten = b"{a: .inf, b: [{c: .nan, c: 1}], a: 2}";
        let read =
            Reader::new(overwritten, YamlLimits::default(), false).unwrap().document::<Tree>().unwrap();
        assert_eq!(read.map(|tree| tree.to_json()), Some(json!({"a": 2, "b": [{"c": 1}]})));
        for (text, words) in [
            ("{!!int x: 1}", "yaml: cannot decode !!str `x` as a !!int"),
            ("a: !!timestamp 2001-01", "yaml: cannot decode !!str `2001-01` as a !!timestamp"),
            (
                "{9223372036854775808: a}",
                "unsupported map key of type: uint64, key: 0x8000000000000000, value: \"a\"",
            ),
            (
                "{~: [a, ~, '<nil>']}",
                "unsupported map key of type: %!s(<nil>), key: <nil>, value: []interface {}{\"a\", interface {}(nil), \"<nil>\"}",
            ),
            ("[?:-2", "yaml: did not find expected ',' or ']'"),
            ("!%+50", "yaml: did not find URI escaped octet"),
            ("{&k [1]: 1}", "yaml: invalid map key: []interface {}{1}"),
        ] {
            let read =
                Reader::new(text.as_bytes(), YamlLimits::default(), false).unwrap().document::<Value>();
            assert_eq!(read.unwrap_err().helm, words, "{text}");
        }
    }
}
