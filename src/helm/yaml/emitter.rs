//! Writes values in go-yaml's style: sorted keys, lists not indented under their key, folding at
//! 80 columns, the least quoting that reads back the same. Writes to memory only.

use crate::value::{Text, Value, convert};
use analysis::{Analysis, analyze, is_changed_by_json, number_text, sort_naturally};
use scalars::binary;

mod analysis;
mod scalars;

const BEST_WIDTH: usize = 80;
/// Bytes of a key from which on its JSON may be longer than what go-yaml takes for a key of one line.
const LONG_KEY: usize = 1024 / 6 - 2;
/// Bytes and levels of what is written from templates.
const LARGEST: usize = 64 << 20;
const DEPTH: usize = 250;

#[expect(clippy::struct_excessive_bools, reason = "the state of libyaml")]
/// A writer with libyaml's notion of where it stands.
pub(crate) struct Emitter {
    out: Vec<u8>,
    column: usize,
    whitespace: bool,
    indention: bool,
    indent: isize,
    failed: bool,
    changed_by_json: bool,
    /// yaml.v3's style: lists indented under their key, no folding, floats as they are.
    pretty: bool,
}

/// A string and how it may be written.
enum Prepared<'t> {
    Text(&'t [u8], Analysis),
    /// Base64 of what is no text, in lines.
    Binary(String),
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Item,
    Value,
    Key,
}

impl Emitter {
    /// A writer at the start of an empty document.
    pub(crate) fn new() -> Self {
        Self {
            out: Vec::new(),
            column: 0,
            whitespace: true,
            indention: true,
            indent: -1,
            failed: false,
            changed_by_json: false,
            pretty: false,
        }
    }

    /// The same in the style of `toYamlPretty`.
    pub(crate) fn pretty() -> Self {
        Self { pretty: true, ..Self::new() }
    }

    /// What was written, with a line break at the end.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.column != 0 {
            self.out.push(b'\n');
        }
        self.out
    }

    /// Whether something was met that YAML of this kind cannot hold.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether a string was met that would not be the same after its way through JSON.
    pub(crate) fn is_changed_by_json(&self) -> bool {
        self.changed_by_json
    }

    /// Writes a JSON document.
    pub(crate) fn json(&mut self, value: &serde_json::Value) {
        self.json_node(value, Place::Root);
    }

    /// Writes a template value as a document.
    pub(crate) fn value(&mut self, value: &Value) {
        self.value_node(value, Place::Root, 0);
    }

    fn width(&self) -> usize {
        if self.pretty { usize::MAX } else { BEST_WIDTH }
    }

    fn put(&mut self, byte: u8) {
        self.out.push(byte);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
    }

    fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(b' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn write_indicator(&mut self, indicator: &[u8], needs_space: bool, is_space: bool, is_indention: bool) {
        if needs_space && !self.whitespace {
            self.put(b' ');
        }
        for byte in indicator {
            self.put(*byte);
        }
        self.whitespace = is_space;
        self.indention = self.indention && is_indention;
    }

    fn increase_indent(&mut self, flow: bool, indentless: bool) -> isize {
        let before = self.indent;
        if self.indent < 0 {
            self.indent = if flow { 2 } else { 0 };
        } else if !indentless {
            self.indent += 2;
        }
        before
    }

    fn json_node(&mut self, value: &serde_json::Value, place: Place) {
        use serde_json::Value as Json;
        match value {
            Json::Null => self.plain_text(b"null", place),
            Json::Bool(value) => self.plain_text(if *value { b"true" } else { b"false" }, place),
            Json::Number(number) => {
                let text = match (number.as_i64(), number.as_u64(), number.as_f64()) {
                    (Some(value), _, _) => value.to_string(),
                    (_, Some(value), _) => value.to_string(),
                    (_, _, Some(value)) => number_text(value),
                    _ => number.to_string(),
                };
                self.plain_text(text.as_bytes(), place);
            }
            Json::String(text) => self.string(text.as_bytes(), place),
            Json::Array(items) if items.is_empty() => self.write_flow(b"[]"),
            Json::Array(items) => {
                let before = self.open_sequence(place);
                for item in items {
                    self.write_item();
                    self.json_node(item, Place::Item);
                }
                self.indent = before;
            }
            Json::Object(map) if map.is_empty() => self.write_flow(b"{}"),
            Json::Object(map) => {
                let mut keys: Vec<(Text, &Json)> =
                    map.iter().map(|(key, value)| (Text::from(key.as_str()), value)).collect();
                sort_naturally(&mut keys, self.pretty);
                let before = self.increase_indent(false, false);
                for (key, value) in keys {
                    self.write_key(&key);
                    self.json_node(value, Place::Value);
                }
                self.indent = before;
            }
        }
    }

    fn value_node(&mut self, value: &Value, place: Place, depth: usize) {
        if depth > DEPTH || self.out.len() > LARGEST {
            self.failed = true;
            return;
        }
        match value {
            Value::Nil => self.plain_text(b"null", place),
            Value::Bool(value) => self.plain_text(if *value { b"true" } else { b"false" }, place),
            Value::Int(value) | Value::Int64(value) => self.plain_text(value.to_string().as_bytes(), place),
            Value::Uint64(value) => self.plain_text(value.to_string().as_bytes(), place),
            Value::Byte(value) => self.plain_text(value.to_string().as_bytes(), place),
            Value::Float(value) if self.pretty => {
                let text = match convert::float_general(*value).as_str() {
                    "NaN" => ".nan".to_owned(),
                    "+Inf" => ".inf".to_owned(),
                    "-Inf" => "-.inf".to_owned(),
                    text => text.to_owned(),
                };
                self.plain_text(text.as_bytes(), place);
            }
            Value::Float(value) if value.is_finite() => {
                self.plain_text(number_text(*value).as_bytes(), place);
            }
            Value::Float(_) => self.failed = true,
            Value::Text(text) => self.string(text, place),
            Value::Bytes(bytes) => self.string(convert::base64_standard(bytes).as_bytes(), place),
            Value::Map(map) => map.read(|entries| {
                if entries.len() == 0 {
                    if map.kind() == crate::value::MapKind::Nil {
                        return self.plain_text(b"null", place);
                    }
                    return self.write_flow(b"{}");
                }
                let mut pairs: Vec<(Text, &Value)> =
                    entries.iter().map(|(key, value)| (key.clone(), value)).collect();
                sort_naturally(&mut pairs, self.pretty);
                let before = self.increase_indent(false, false);
                for (key, value) in pairs {
                    self.write_key(&key);
                    self.value_node(value, Place::Value, depth + 1);
                }
                self.indent = before;
            }),
            Value::List(items) | Value::Lists(items) => self.list(items.iter(), place, depth),
            Value::Texts(_) | Value::Ints(_) => {
                let items = value.items().unwrap_or_default();
                self.list(items.iter(), place, depth);
            }
            // As in JSON: Helm's only empty map of strings is a nil one.
            Value::TextMap(pairs) if pairs.is_empty() => self.plain_text(b"null", place),
            Value::TextMap(pairs) => {
                let map = crate::value::Map::from_pairs(
                    pairs.iter().map(|(key, text)| (key.clone(), Value::Text(text.clone()))),
                );
                self.value_node(&Value::Map(map), place, depth);
            }
            Value::Object(object) => self.value_node(&object.json(), place, depth + 1),
        }
    }

    fn list<'v>(&mut self, items: impl ExactSizeIterator<Item = &'v Value>, place: Place, depth: usize) {
        if items.len() == 0 {
            return self.write_flow(b"[]");
        }
        let before = self.open_sequence(place);
        for item in items {
            self.write_item();
            self.value_node(item, Place::Item, depth + 1);
        }
        self.indent = before;
    }

    fn open_sequence(&mut self, place: Place) -> isize {
        let in_mapping = matches!(place, Place::Value | Place::Key);
        self.increase_indent(false, in_mapping && !self.indention && !self.pretty)
    }

    fn write_item(&mut self) {
        self.write_indent();
        self.write_indicator(b"-", true, false, true);
    }

    fn write_key(&mut self, key: &Text) {
        self.write_indent();
        self.changed_by_json |= key.len() > LONG_KEY;
        let prepared = self.prepare(key);
        let short = match &prepared {
            Prepared::Binary(encoded) => !encoded.contains('\n'),
            Prepared::Text(text, analysis) => !analysis.multiline && text.len() <= 128,
        };
        if short {
            self.write_prepared(&prepared, Place::Key);
            self.write_indicator(b":", false, false, false);
        } else {
            self.write_indicator(b"?", true, false, true);
            self.write_prepared(&prepared, Place::Item);
            self.write_indent();
            self.write_indicator(b":", true, false, true);
        }
    }

    fn write_flow(&mut self, text: &[u8]) {
        self.write_indicator(text, true, false, false);
    }

    fn plain_text(&mut self, text: &[u8], place: Place) {
        let before = self.increase_indent(true, false);
        self.write_plain(text, place != Place::Key);
        self.indent = before;
    }

    fn prepare<'t>(&mut self, text: &'t [u8]) -> Prepared<'t> {
        if self.pretty && std::str::from_utf8(text).is_err() {
            return Prepared::Binary(binary(text));
        }
        self.changed_by_json |= is_changed_by_json(text);
        Prepared::Text(text, analyze(text))
    }

    fn string(&mut self, text: &[u8], place: Place) {
        let prepared = self.prepare(text);
        self.write_prepared(&prepared, place);
    }

    fn write_prepared(&mut self, prepared: &Prepared<'_>, place: Place) {
        let before = self.increase_indent(true, false);
        match prepared {
            Prepared::Text(text, analysis) => self.write_text(text, analysis, place == Place::Key),
            Prepared::Binary(encoded) => {
                self.write_indicator(b"!!binary", true, false, false);
                if encoded.contains('\n') {
                    self.write_literal(encoded.as_bytes());
                } else {
                    self.write_plain(encoded.as_bytes(), false);
                }
            }
        }
        self.indent = before;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::Emitter;
    use crate::value::{Text, Value};
    use crate::yaml::to_string;

    #[test]
    fn behind_a_mark_at_the_start_everything_is_escaped() {
        let value = json!({"a": "\u{feff}x y", "b": "x\u{feff}y"});
        assert_eq!(to_string(&value), "a: \"\\uFEFF\\x78\\x20\\x79\"\nb: \"x\\uFEFFy\"\n");
    }

    #[test]
    fn the_pretty_writer_takes_bytes_as_they_are() {
        let list = |texts: &[&[u8]]| Value::texts(texts.iter().map(|text| Text::from(*text)).collect());
        let written = |value: Value| {
            let mut emitter = Emitter::pretty();
            emitter.value(&value);
            String::from_utf8(emitter.finish()).expect("text")
        };
        assert_eq!(
            written(list(&["a\u{85}".as_bytes(), b"\xFF", &[0xFE; 53]])),
            format!("- \"a\\N\"\n- !!binary /w==\n- !!binary |\n  /v7+{}/v\n  4=\n", "/v7+".repeat(16))
        );
    }

    #[test]
    fn styles() {
        let value = json!({"a": "x\ny", "b": "\nx\n", "c": "x \ny", "d": "x\n\n", "e": "it's: x", "f": "1e3",
            "g": [[1, {"k": []}], "x\tz"], "_x": 1, "a10": 1, "a9": 2, "10": 3, "9": 4, "B": {}});
        expect![[r#"
            _x: 1
            "9": 4
            "10": 3
            B: {}
            a: |-
              x
              y
            a9: 2
            a10: 1
            b: |2

              x
            c: "x \ny"
            d: |+
              x

            e: 'it''s: x'
            f: "1e3"
            g:
            - - 1
              - k: []
            - "x\tz"
        "#]]
        .assert_eq(&to_string(&value));
    }

    #[test]
    fn folding_at_eighty_columns() {
        let value = json!({"k": format!("{}x", "abcd ".repeat(17))});
        assert_eq!(to_string(&value), format!("k: {}\n  abcd x\n", "abcd ".repeat(16).trim_end()));
    }
}
