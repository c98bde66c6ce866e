//! The styles of scalars: plain, quoted once, quoted twice, literal, and Base64 of what is no text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Emitter;
use super::analysis::{Analysis, break_width, character_width, is_printable, last_character};
use crate::yaml::resolve::needs_quotes;

impl Emitter {
    pub(super) fn write_text(&mut self, text: &[u8], analysis: &Analysis, key: bool) {
        if text.contains(&b'\n') {
            if analysis.block && !key {
                self.write_literal(text);
            } else {
                self.write_double(text, !key);
            }
        } else if needs_quotes(text) {
            self.write_double(text, !key);
        } else if analysis.plain {
            self.write_plain(text, !key);
        } else if analysis.single {
            self.write_single(text, !key);
        } else {
            self.write_double(text, !key);
        }
    }

    /// Copies one character; the column counts characters.
    fn write_character(&mut self, text: &[u8], index: usize) -> usize {
        let width = character_width(text, index);
        self.out.extend_from_slice(text.get(index..index + width).unwrap_or(&[]));
        self.column += 1;
        width
    }

    pub(super) fn write_plain(&mut self, text: &[u8], breaks_allowed: bool) {
        if !self.whitespace {
            self.put(b' ');
        }
        if text.is_ascii() && (!breaks_allowed || self.column + text.len() <= self.width()) {
            self.out.extend_from_slice(text);
            self.column += text.len();
            self.whitespace = false;
            self.indention = false;
            return;
        }
        let mut spaces = false;
        let mut index = 0;
        while let Some(byte) = text.get(index) {
            if *byte == b' ' {
                let folds = breaks_allowed && !spaces && text.get(index + 1) != Some(&b' ');
                index += self.write_space(text, index, folds);
                spaces = true;
            } else {
                index += self.write_character(text, index);
                self.indention = false;
                spaces = false;
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn write_single(&mut self, text: &[u8], breaks_allowed: bool) {
        self.write_indicator(b"'", true, false, false);
        let mut spaces = false;
        let mut breaks = false;
        let mut index = 0;
        while let Some(byte) = text.get(index) {
            if *byte == b' ' {
                let inner = index > 0 && index + 1 < text.len() && text.get(index + 1) != Some(&b' ');
                index += self.write_space(text, index, breaks_allowed && !spaces && inner);
                spaces = true;
            } else if break_width(text, index) > 0 {
                index += self.write_break(text, index);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if *byte == b'\'' {
                    self.put(b'\'');
                }
                index += self.write_character(text, index);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
        self.write_indicator(b"'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// A space, or the line break in its place where it may fold and the line is full; gives what it took of the text.
    fn write_space(&mut self, text: &[u8], index: usize, folds: bool) -> usize {
        if folds && self.column > self.width() {
            self.write_indent();
            return 1;
        }
        self.write_character(text, index)
    }

    fn write_break(&mut self, text: &[u8], index: usize) -> usize {
        if text.get(index) == Some(&b'\n') {
            self.put_break();
            return 1;
        }
        let width = self.write_character(text, index);
        self.column = 0;
        width
    }

    fn write_double(&mut self, text: &[u8], breaks_allowed: bool) {
        self.write_indicator(b"\"", true, false, false);
        let mut spaces = false;
        let mut index = 0;
        // go-yaml looks for the mark at the start of the text when it asks about any of its characters.
        let marked = text.starts_with(b"\xEF\xBB\xBF");
        while let Some(byte) = text.get(index) {
            if marked
                || !is_printable(text, index)
                || break_width(text, index) > 0
                || matches!(byte, b'"' | b'\\')
            {
                index += self.write_escape(text, index);
                spaces = false;
            } else if *byte == b' ' {
                if breaks_allowed
                    && !spaces
                    && self.column > self.width()
                    && index > 0
                    && index + 1 < text.len()
                {
                    self.write_indent();
                    if text.get(index + 1) == Some(&b' ') {
                        self.put(b'\\');
                    }
                    index += 1;
                } else {
                    index += self.write_character(text, index);
                }
                spaces = true;
            } else {
                index += self.write_character(text, index);
                spaces = false;
            }
        }
        self.write_indicator(b"\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_escape(&mut self, text: &[u8], index: usize) -> usize {
        let width = character_width(text, index);
        let code = text
            .get(index..index + width)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .and_then(|text| text.chars().next())
            .map_or(0xFFFD, u32::from);
        let short = match code {
            0x00 => Some(b'0'),
            0x07 => Some(b'a'),
            0x08 => Some(b'b'),
            0x09 => Some(b't'),
            0x0A => Some(b'n'),
            0x0B => Some(b'v'),
            0x0C => Some(b'f'),
            0x0D => Some(b'r'),
            0x1B => Some(b'e'),
            0x22 => Some(b'"'),
            0x5C => Some(b'\\'),
            0x85 => Some(b'N'),
            0xA0 => Some(b'_'),
            0x2028 => Some(b'L'),
            0x2029 => Some(b'P'),
            _ => None,
        };
        self.put(b'\\');
        if let Some(short) = short {
            self.put(short);
        } else {
            let text = match code {
                0..=0xFF => format!("x{code:02X}"),
                0x100..=0xFFFF => format!("u{code:04X}"),
                _ => format!("U{code:08X}"),
            };
            for byte in text.bytes() {
                self.put(byte);
            }
        }
        width
    }

    pub(super) fn write_literal(&mut self, text: &[u8]) {
        self.write_indicator(b"|", true, false, false);
        if text.first() == Some(&b' ') || break_width(text, 0) > 0 {
            self.write_indicator(b"2", false, false, false);
        }
        let last = last_character(text, text.len());
        if break_width(text, last) == 0 {
            self.write_indicator(b"-", false, false, false);
        } else if last == 0 || break_width(text, last_character(text, last)) > 0 {
            self.write_indicator(b"+", false, false, false);
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        let mut index = 0;
        while index < text.len() {
            if break_width(text, index) > 0 {
                index += self.write_break(text, index);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                index += self.write_character(text, index);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

/// A string that is no UTF-8, as the pretty writer gives it: Base64 in lines of 70.
pub(super) fn binary(text: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = STANDARD.encode(text);
    if encoded.len() < LINE {
        return encoded;
    }
    encoded.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line) + "\n").collect()
}
