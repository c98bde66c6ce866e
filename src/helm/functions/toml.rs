//! TOML in the layout of Helm's library: plain values first, tables sorted and indented.

use crate::value::{Object, Text, Value, convert};

mod cursor;
mod document;
mod words;

/// Writes a map as TOML; the error is the library's message.
pub(crate) fn write(value: &Value, compat_v3: bool) -> Result<Vec<u8>, String> {
    let mut writer = Writer { out: Vec::new(), compat_v3, level: 0 };
    match value {
        Value::Map(map) => writer.table(&[], &map.entries())?,
        Value::TextMap(pairs) => {
            let entries: Vec<(Text, Value)> =
                pairs.iter().map(|(key, text)| (key.clone(), Value::Text(text.clone()))).collect();
            writer.table(&[], &entries)?;
        }
        other if Writer::is_table_list(other) => {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        other => writer.value(other)?,
    }
    Ok(writer.out)
}

/// How deep values may nest: Go would go on until its stack ends.
const LEVELS: usize = 250;

struct Writer {
    out: Vec<u8>,
    compat_v3: bool,
    level: usize,
}

impl Writer {
    fn is_table(value: &Value) -> bool {
        matches!(value, Value::Map(_) | Value::TextMap(_))
    }

    fn is_table_list(value: &Value) -> bool {
        match value {
            Value::List(items) => !items.is_empty() && items.iter().all(Self::is_table),
            _ => false,
        }
    }

    fn indent(&mut self, depth: usize) {
        self.out.resize(self.out.len() + depth * 2, b' ');
    }

    fn table(&mut self, path: &[Text], entries: &[(Text, Value)]) -> Result<(), String> {
        self.enter()?;
        let written = self.table_entries(path, entries);
        self.level -= 1;
        written
    }

    fn enter(&mut self) -> Result<(), String> {
        self.level += 1;
        if self.level > LEVELS { Err(format!("toml: nested deeper than {LEVELS} levels")) } else { Ok(()) }
    }

    fn table_entries(&mut self, path: &[Text], entries: &[(Text, Value)]) -> Result<(), String> {
        let (tables, plain): (Vec<_>, Vec<_>) =
            entries.iter().partition(|(_, value)| Self::is_table(value) || Self::is_table_list(value));
        for (key, value) in plain {
            if is_nil(value) {
                continue;
            }
            self.indent(path.len());
            self.out.extend_from_slice(&key_text(key));
            self.out.extend_from_slice(b" = ");
            self.value(value)?;
            self.out.push(b'\n');
        }
        for (key, value) in tables {
            let mut path = path.to_vec();
            path.push(key.clone());
            match value {
                Value::List(items) => {
                    for item in items.iter() {
                        self.sub_table(&path, item, true)?;
                    }
                }
                other => self.sub_table(&path, other, false)?,
            }
        }
        Ok(())
    }

    fn sub_table(&mut self, path: &[Text], value: &Value, item: bool) -> Result<(), String> {
        let entries = match value {
            Value::Map(map) => map.entries(),
            Value::TextMap(pairs) => {
                pairs.iter().map(|(key, text)| (key.clone(), Value::Text(text.clone()))).collect()
            }
            _ => Vec::new(),
        };
        if (item || path.len() == 1) && !self.out.is_empty() {
            self.out.push(b'\n');
        }
        self.indent(path.len() - 1);
        let name = path.iter().map(|key| key_text(key)).collect::<Vec<_>>().join(&b'.');
        let (opening, closing): (&[u8], &[u8]) = if item { (b"[[", b"]]\n") } else { (b"[", b"]\n") };
        self.out.extend_from_slice(&[opening, &name, closing].concat());
        self.table(path, &entries)
    }

    fn value(&mut self, value: &Value) -> Result<(), String> {
        self.enter()?;
        let written = self.plain_value(value);
        self.level -= 1;
        written
    }

    fn plain_value(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Bool(flag) => self.out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Value::Int(number) | Value::Int64(number) => {
                self.out.extend_from_slice(number.to_string().as_bytes());
            }
            Value::Uint64(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
            Value::Byte(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
            Value::Float(number) => self.float(*number),
            Value::Text(text) => self.out.extend_from_slice(&quoted(text)),
            Value::Map(map) => {
                self.out.push(b'{');
                for (index, (key, value)) in map.entries().iter().enumerate() {
                    if index > 0 {
                        self.out.extend_from_slice(b", ");
                    }
                    self.out.extend_from_slice(&key_text(key));
                    self.out.extend_from_slice(b" = ");
                    self.value(value)?;
                }
                self.out.push(b'}');
            }
            Value::Nil => return Err("toml: cannot encode array with nil element".to_owned()),
            Value::Object(object) if let Object::Time(moment) = &**object => {
                self.out.extend_from_slice(moment.toml().as_bytes());
            }
            other => {
                let items = other
                    .items()
                    .ok_or_else(|| format!("toml: unsupported type: {}", other.type_name(self.compat_v3)))?;
                self.out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.extend_from_slice(b", ");
                    }
                    self.value(item)?;
                }
                self.out.push(b']');
            }
        }
        Ok(())
    }

    fn float(&mut self, number: f64) {
        let text = if number.is_nan() {
            if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned()
        } else if number.is_infinite() {
            if number > 0.0 { "inf" } else { "-inf" }.to_owned()
        } else if self.compat_v3 {
            with_point(&format!("{number}"))
        } else {
            with_point(&convert::float_general(number))
        };
        self.out.extend_from_slice(text.as_bytes());
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Object(object) => matches!(&**object, Object::NilSlice(_)),
        _ => false,
    }
}

fn with_point(text: &str) -> String {
    if text.contains(['.', 'e']) { text.to_owned() } else { format!("{text}.0") }
}

fn key_text(key: &[u8]) -> Vec<u8> {
    let bare =
        !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { key.to_vec() } else { quoted(key) }
}

/// A text in quotes. Bytes that are no UTF-8 stay as they are.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in text {
        match byte {
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\x0C' => out.extend_from_slice(b"\\f"),
            b'\0'..=b'\x1F' | b'\x7F' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    out
}

/// Reads TOML into a map; the error is the library's message.
pub(crate) fn read(text: &[u8], compat_v3: bool) -> Result<Value, String> {
    document::read(text, compat_v3)
}

#[cfg(test)]
mod tests {
    use super::{key_text, quoted};

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        assert_eq!(quoted(b"a\xE6\x97|\"\x01"), b"\"a\xE6\x97|\\\"\\u0001\"");
        assert_eq!(key_text(b"\xFF"), b"\"\xFF\"");
        assert_eq!(key_text(b"a-1_b"), b"a-1_b");
    }
}
