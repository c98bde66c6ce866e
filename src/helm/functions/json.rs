//! JSON as Go's encoding/json writes and reads it. No state.

use crate::helm::value::{Map, Object, Text, Value, convert};

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
        Value::Map(map) if map.kind() == crate::helm::value::MapKind::Nil && map.len() == 0 => {
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
pub(crate) fn read(text: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { text, position: 0, misfit: None };
    reader.blanks();
    let value = reader.value(0)?;
    reader.blanks();
    match reader.byte() {
        // The syntax of the whole text comes first.
        None => reader.misfit.map_or(Ok(value), Err),
        Some(_) => Err(reader.invalid("after top-level value")),
    }
}

/// Reads the JSON value at the start of a text; gives how many bytes it took as well.
pub(crate) fn read_start(text: &[u8]) -> Result<(Value, usize), String> {
    let mut reader = Reader { text, position: 0, misfit: None };
    reader.blanks();
    let value = reader.value(0)?;
    reader.misfit.map_or(Ok((value, reader.position)), Err)
}

struct Reader<'a> {
    text: &'a [u8],
    position: usize,
    /// A number that no float holds.
    misfit: Option<String>,
}

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn invalid(&self, context: &str) -> String {
        match self.byte() {
            None => "unexpected end of JSON input".to_owned(),
            Some(byte) => {
                let shown = match byte {
                    b'\'' => r"'\''".to_owned(),
                    b'"' => "'\"'".to_owned(),
                    _ => convert::quote_with(&char::from(byte).to_string().into_bytes(), '\'', false),
                };
                format!("invalid character {shown} {context}")
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > 250 {
            return Err("exceeded max depth".to_owned());
        }
        match self.byte() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            _ => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for (index, expected) in word.bytes().enumerate() {
            if self.byte() != Some(expected) {
                let wanted = char::from(expected);
                let _ = index;
                return Err(self.invalid(&format!("in literal {word} (expecting '{wanted}')")));
            }
            self.position += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.position;
        let digits = |reader: &mut Self| {
            let from = reader.position;
            while reader.byte().is_some_and(|byte| byte.is_ascii_digit()) {
                reader.position += 1;
            }
            reader.position > from
        };
        if self.byte() == Some(b'-') {
            self.position += 1;
        }
        if self.byte() == Some(b'0') {
            self.position += 1;
        } else if !digits(self) {
            return Err(self.invalid("in numeric literal"));
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            if !digits(self) {
                return Err(self.invalid("after decimal point in numeric literal"));
            }
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            if !digits(self) {
                return Err(self.invalid("in exponent of numeric literal"));
            }
        }
        let text = self.text.get(start..self.position).unwrap_or(&[]);
        let text = String::from_utf8_lossy(text);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => {
                let message = format!("json: cannot unmarshal number {text} into Go value of type float64");
                self.misfit.get_or_insert(message);
                Ok(Value::Nil)
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.position += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.byte() == Some(b']') {
            self.position += 1;
            return Ok(Value::list(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.byte() {
                Some(b',') => self.position += 1,
                Some(b']') => {
                    self.position += 1;
                    return Ok(Value::list(items));
                }
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.position += 1;
        let map = Map::new();
        self.blanks();
        if self.byte() == Some(b'}') {
            self.position += 1;
            return Ok(Value::Map(map));
        }
        loop {
            self.blanks();
            if self.byte() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.blanks();
            if self.byte() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.position += 1;
            self.blanks();
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.blanks();
            match self.byte() {
                Some(b',') => self.position += 1,
                Some(b'}') => {
                    self.position += 1;
                    return Ok(Value::Map(map));
                }
                _ => return Err(self.invalid("after object key:value pair")),
            }
        }
    }

    fn string(&mut self) -> Result<Text, String> {
        self.position += 1;
        let mut out = Vec::new();
        loop {
            match self.byte() {
                None => return Err(self.invalid("")),
                Some(b'"') => {
                    self.position += 1;
                    return Ok(match std::str::from_utf8(&out) {
                        Ok(_) => Text::from(out),
                        Err(_) => Text::from(String::from_utf8_lossy(&out).into_owned()),
                    });
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(0..=0x1F) => return Err(self.invalid("in string literal")),
                Some(byte) => {
                    out.push(byte);
                    self.position += 1;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        self.position += 1;
        let plain = match self.byte() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0C,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.position += 1;
                let mut code = self.hex()?;
                if (0xD800..0xDC00).contains(&code)
                    && self.text.get(self.position..self.position + 2) == Some(b"\\u")
                {
                    let before = self.position;
                    self.position += 2;
                    let low = self.hex()?;
                    if (0xDC00..0xE000).contains(&low) {
                        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                    } else {
                        self.position = before;
                    }
                }
                let character = char::from_u32(code).unwrap_or('\u{FFFD}');
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                return Ok(());
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        out.push(plain);
        self.position += 1;
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            match self.byte().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => {
                    code = code * 16 + digit;
                    self.position += 1;
                }
                None => return Err(self.invalid("in \\u hexadecimal character escape")),
            }
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::{Style, read, write};

    #[test]
    fn round_trip_and_escapes() {
        let style = Style { escape_html: true, ..Style::default() };
        let value = read(br#"{"b":[1,2.5,"<\u00e9>",null],"a":{}}"#).expect("valid");
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
            assert_eq!(read(text.as_bytes()).expect_err("invalid"), expected, "{text}");
        }
    }
}
