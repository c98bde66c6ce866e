//! JSON as Go's encoding/json writes and reads it. No state.

use crate::value::{Map, Object, Text, Value, convert};

mod reader;

pub(crate) use reader::{Build, Wording, whole};

/// How to write.
#[derive(Clone, Copy, Default)]
pub(crate) struct Style {
    /// Whether `<`, `>` and `&` are escaped.
    pub(crate) escape_html: bool,
    /// Two spaces per level on lines of their own.
    pub(crate) pretty: bool,
    /// Whether the mark for invalid bytes is written as it is.
    pub(crate) raw_invalid: bool,
}

/// Bytes of one JSON text.
const LARGEST: usize = 64 << 20;

/// Writes a value; the error is Go's message.
pub(crate) fn write(value: &Value, style: Style) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    write_value(&mut out, value, style, 0)?;
    Ok(out)
}

fn write_value(out: &mut Vec<u8>, value: &Value, style: Style, level: usize) -> Result<(), String> {
    if level > 250 || out.len() > LARGEST {
        return Err("json: unsupported value: too large or too deep".to_owned());
    }
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Int(number) | Value::Int64(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Uint64(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Byte(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Float(number) => match convert::float_json(*number) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => {
                return Err(format!("json: unsupported value: {}", convert::float_general(*number)));
            }
        },
        Value::Text(text) => write_text(out, text, style),
        Value::Bytes(bytes) => write_text(out, convert::base64_standard(bytes).as_bytes(), style),
        Value::Map(map) if map.kind() == crate::value::MapKind::Nil && map.len() == 0 => {
            out.extend_from_slice(b"null");
        }
        Value::Map(map) => write_pairs(out, &map.entries(), style, level)?,
        // Helm's only empty map of strings is a nil one: annotations that are not there.
        Value::TextMap(pairs) if pairs.is_empty() => out.extend_from_slice(b"null"),
        Value::TextMap(pairs) => {
            let pairs: Vec<(Text, Value)> =
                pairs.iter().map(|(key, text)| (key.clone(), Value::Text(text.clone()))).collect();
            write_pairs(out, &pairs, style, level)?;
        }
        Value::Object(object) => match &**object {
            Object::Record(record) => write_pairs(out, &record.json_fields(), style, level)?,
            Object::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
            _ => write_value(out, &object.json(), style, level + 1)?,
        },
        _ => {
            let items = value.items().unwrap_or_default();
            if items.is_empty() {
                out.extend_from_slice(b"[]");
                return Ok(());
            }
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                new_line(out, style, level + 1);
                write_value(out, item, style, level + 1)?;
            }
            new_line(out, style, level);
            out.push(b']');
        }
    }
    Ok(())
}

fn new_line(out: &mut Vec<u8>, style: Style, level: usize) {
    if style.pretty {
        out.push(b'\n');
        out.resize(out.len() + level * 2, b' ');
    }
}

fn write_pairs(out: &mut Vec<u8>, pairs: &[(Text, Value)], style: Style, level: usize) -> Result<(), String> {
    if pairs.is_empty() {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    out.push(b'{');
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        new_line(out, style, level + 1);
        write_text(out, key, style);
        out.push(b':');
        if style.pretty {
            out.push(b' ');
        }
        write_value(out, value, style, level + 1)?;
    }
    new_line(out, style, level);
    out.push(b'}');
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &[u8], style: Style) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\x08' => out.extend_from_slice(b"\\b"),
                '\x0C' => out.extend_from_slice(b"\\f"),
                '<' | '>' | '&' if style.escape_html => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
                }
                '\0'..='\x1F' | '\u{2028}' | '\u{2029}' => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
                }
                _ => {
                    let mut buffer = [0; 4];
                    out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        if !chunk.invalid().is_empty() {
            for _ in chunk.invalid() {
                out.extend_from_slice(if style.raw_invalid { "\u{FFFD}".as_bytes() } else { b"\\ufffd" });
            }
        }
    }
    out.push(b'"');
}

/// Reads one JSON value; the error is Go's message.
pub(crate) fn read(text: &[u8], wording: Wording) -> Result<Value, String> {
    let mut builder = Values { misfit: None };
    let value = reader::whole(text, &mut builder, wording)?;
    // The syntax of the whole text comes first.
    builder.misfit.map_or(Ok(value), Err)
}

/// Reads the JSON value at the start of a text; gives how many bytes it took as well.
pub(crate) fn read_start(text: &[u8], wording: Wording) -> Result<(Value, usize), String> {
    let mut builder = Values { misfit: None };
    let (value, width) = reader::start(text, &mut builder, wording)?;
    builder.misfit.map_or(Ok((value, width)), Err)
}

/// Makes values for templates.
struct Values {
    /// A number that no float holds.
    misfit: Option<String>,
}

impl Build for Values {
    type Value = Value;

    fn nil(&mut self) -> Value {
        Value::Nil
    }

    fn flag(&mut self, flag: bool) -> Value {
        Value::Bool(flag)
    }

    fn number(&mut self, text: &str) -> Value {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Float(number),
            _ => {
                let message = format!("json: cannot unmarshal number {text} into Go value of type float64");
                self.misfit.get_or_insert(message);
                Value::Nil
            }
        }
    }

    fn text(&mut self, text: Text) -> Value {
        Value::Text(text)
    }

    fn list(&mut self, items: Vec<Value>) -> Value {
        Value::list(items)
    }

    fn map(&mut self, pairs: Vec<(Text, Value)>) -> Value {
        Value::Map(Map::from_pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::{Style, Wording, read, write};

    #[test]
    fn round_trip_and_escapes() {
        let style = Style { escape_html: true, ..Style::default() };
        let value = read(br#"{"b":[1,2.5,"<\u00e9>",null],"a":{}}"#, Wording::Go1_27).expect("valid");
        let text = write(&value, style).expect("writable");
        assert_eq!(String::from_utf8_lossy(&text), "{\"a\":{},\"b\":[1,2.5,\"\\u003cé\\u003e\",null]}");
    }

    #[test]
    fn messages_are_those_of_go() {
        for (text, expected) in [
            ("", "unexpected end of JSON input"),
            ("{a", "invalid character 'a' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("nul", "unexpected end of JSON input"),
            ("1 x", "invalid character 'x' after top-level value"),
        ] {
            for wording in [Wording::Go1_24, Wording::Go1_27] {
                assert_eq!(read(text.as_bytes(), wording).expect_err("invalid"), expected, "{text}");
            }
        }
    }

    #[test]
    fn messages_that_go_has_changed() {
        for (text, older, newer) in [
            (
                "\"\u{1}\"",
                r"invalid character '\x01' in string literal",
                r"invalid character '\x01' in string",
            ),
            (
                r#""\x""#,
                "invalid character 'x' in string escape code",
                r"invalid escape sequence `\x` in string",
            ),
            (
                r#""\u12x4""#,
                r"invalid character 'x' in \u hexadecimal character escape",
                r"invalid escape sequence `\u12x4` in string",
            ),
            (
                "1.]",
                "invalid character ']' after decimal point in numeric literal",
                "invalid character ']' in numeric literal",
            ),
            (
                "é",
                "invalid character 'Ã' looking for beginning of value",
                "invalid character 'é' looking for beginning of value",
            ),
        ] {
            assert_eq!(read(text.as_bytes(), Wording::Go1_24).expect_err("invalid"), older, "{text}");
            assert_eq!(read(text.as_bytes(), Wording::Go1_27).expect_err("invalid"), newer, "{text}");
        }
    }
}
