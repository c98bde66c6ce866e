//! Reads JSON as Go's encoding/json does, with its complaints. What is made of it is the caller's.

use crate::Compat;
use crate::value::printable::is_printable;
use crate::value::{Text, convert};

/// Makes values of what is read.
pub(crate) trait Build {
    type Value;
    fn nil(&mut self) -> Self::Value;
    fn flag(&mut self, flag: bool) -> Self::Value;
    /// A number as it is written.
    fn number(&mut self, text: &str) -> Self::Value;
    fn text(&mut self, text: Text) -> Self::Value;
    fn list(&mut self, items: Vec<Self::Value>) -> Self::Value;
    /// Pairs in the order of the text; a key may stand twice.
    fn map(&mut self, pairs: Vec<(Text, Self::Value)>) -> Self::Value;
}

/// The words of the Go that a helm was built with: 1.27 reads JSON by a second implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    Go1_24,
    Go1_27,
}

impl Wording {
    pub(crate) fn of(compat: Compat) -> Self {
        if compat < Compat::V4_3 { Self::Go1_24 } else { Self::Go1_27 }
    }
}

/// Reads a text that is one JSON value.
pub(crate) fn whole<B: Build>(text: &[u8], builder: &mut B, wording: Wording) -> Result<B::Value, String> {
    let mut reader = Reader { text, position: 0, builder, wording };
    reader.blanks();
    let value = reader.value(0)?;
    reader.blanks();
    match reader.byte() {
        None => Ok(value),
        Some(_) => Err(reader.invalid("after top-level value")),
    }
}

/// Reads the value at the start of a text; gives how many bytes it took as well.
pub(crate) fn start<B: Build>(
    text: &[u8],
    builder: &mut B,
    wording: Wording,
) -> Result<(B::Value, usize), String> {
    let mut reader = Reader { text, position: 0, builder, wording };
    reader.blanks();
    let value = reader.value(0)?;
    Ok((value, reader.position))
}

struct Reader<'a, B> {
    text: &'a [u8],
    position: usize,
    builder: &'a mut B,
    wording: Wording,
}

impl<B: Build> Reader<'_, B> {
    fn byte(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn invalid(&self, context: &str) -> String {
        let Some(byte) = self.byte() else {
            return "unexpected end of JSON input".to_owned();
        };
        let rest = self.text.get(self.position..).unwrap_or(&[]);
        let character = char::from(byte).to_string();
        let shown = match self.wording {
            Wording::Go1_27 => {
                let (_, width) = crate::functions::strings::decode_rune(rest);
                convert::quote_with(rest.get(..width).unwrap_or(rest), '\'', false)
            }
            Wording::Go1_24 => convert::quote_with(character.as_bytes(), '\'', false),
        };
        format!("invalid character {shown} {context}")
    }

    /// `invalid` in the words of either Go.
    fn invalid_in(&self, older: &str, newer: &str) -> String {
        self.invalid(if self.wording == Wording::Go1_24 { older } else { newer })
    }

    fn value(&mut self, depth: usize) -> Result<B::Value, String> {
        if depth > 250 {
            return Err("exceeded max depth".to_owned());
        }
        match self.byte() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let text = self.string()?;
                Ok(self.builder.text(text))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => {
                self.word("true")?;
                Ok(self.builder.flag(true))
            }
            Some(b'f') => {
                self.word("false")?;
                Ok(self.builder.flag(false))
            }
            Some(b'n') => {
                self.word("null")?;
                Ok(self.builder.nil())
            }
            _ => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.byte() != Some(expected) {
                let wanted = char::from(expected);
                return Err(self.invalid(&format!("in literal {word} (expecting '{wanted}')")));
            }
            self.position += 1;
        }
        Ok(())
    }

    fn digits(&mut self) -> bool {
        let from = self.position;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        self.position > from
    }

    fn number(&mut self) -> Result<B::Value, String> {
        const PLAIN: &str = "in numeric literal";
        let start = self.position;
        if self.byte() == Some(b'-') {
            self.position += 1;
        }
        if self.byte() == Some(b'0') {
            self.position += 1;
        } else if !self.digits() {
            return Err(self.invalid(PLAIN));
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            if !self.digits() {
                return Err(self.invalid_in("after decimal point in numeric literal", PLAIN));
            }
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            if !self.digits() {
                return Err(self.invalid_in("in exponent of numeric literal", PLAIN));
            }
        }
        let text = self.text.get(start..self.position).unwrap_or(&[]);
        Ok(self.builder.number(&String::from_utf8_lossy(text)))
    }

    fn array(&mut self, depth: usize) -> Result<B::Value, String> {
        self.position += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.byte() == Some(b']') {
            self.position += 1;
            return Ok(self.builder.list(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.byte() {
                Some(b',') => self.position += 1,
                Some(b']') => {
                    self.position += 1;
                    return Ok(self.builder.list(items));
                }
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<B::Value, String> {
        self.position += 1;
        let mut pairs = Vec::new();
        self.blanks();
        if self.byte() == Some(b'}') {
            self.position += 1;
            return Ok(self.builder.map(pairs));
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
            pairs.push((key, value));
            self.blanks();
            match self.byte() {
                Some(b',') => self.position += 1,
                Some(b'}') => {
                    self.position += 1;
                    return Ok(self.builder.map(pairs));
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
                Some(0..=0x1F) => return Err(self.invalid_in("in string literal", "in string")),
                Some(byte) => {
                    out.push(byte);
                    self.position += 1;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let start = self.position;
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
                let mut code = self.hex(start)?;
                if (0xD800..0xDC00).contains(&code)
                    && self.text.get(self.position..self.position + 2) == Some(b"\\u")
                {
                    let before = self.position;
                    self.position += 2;
                    let low = self.hex(before)?;
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
            _ => return Err(self.invalid_escape(start, 2, "in string escape code")),
        };
        out.push(plain);
        self.position += 1;
        Ok(())
    }

    fn hex(&mut self, start: usize) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            match self.byte().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => {
                    code = code * 16 + digit;
                    self.position += 1;
                }
                None => return Err(self.invalid_escape(start, 6, "in \\u hexadecimal character escape")),
            }
        }
        Ok(code)
    }

    /// An escape from `start` that is none; the newer Go shows all of its bytes.
    fn invalid_escape(&self, start: usize, width: usize, older: &str) -> String {
        if self.wording == Wording::Go1_24 || self.byte().is_none() {
            return self.invalid(older);
        }
        let rest = self.text.get(start..).unwrap_or(&[]);
        let shown = rest.get(..width).unwrap_or(rest);
        let plain = std::str::from_utf8(shown).is_ok_and(|shown| {
            !shown
                .chars()
                .any(|character| character == '`' || character.is_whitespace() || !is_printable(character))
        });
        if plain {
            format!("invalid escape sequence `{}` in string", String::from_utf8_lossy(shown))
        } else {
            format!("invalid escape sequence {} in string", convert::quote(shown))
        }
    }
}
