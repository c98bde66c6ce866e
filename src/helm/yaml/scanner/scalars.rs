//! Scalars of all styles: folding, chomping, escapes.

use std::borrow::Cow;

use super::{Kind, Mark, Scan, Scanner, Token};

/// Bytes at which a plain scalar has to be looked at more closely.
const MAY_END: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b" \t\n\r\0:,?[]{}\xC2\xE2";
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
};

impl<'a> Scanner<'a> {
    pub(super) fn fetch_block_scalar(&mut self) -> Scan<()> {
        self.remove_key()?;
        self.key_allowed = true;
        let start = self.mark();
        let literal = self.byte(0) == b'|';
        self.position += 1;
        let (chomping, increment) = self.scan_block_header(start)?;
        let mut indent = match increment {
            0 => 0,
            _ if self.indent >= 0 => self.indent + increment,
            _ => increment,
        };
        let mut text = Vec::new();
        let (mut leading_break, mut trailing_breaks) = (Vec::new(), Vec::new());
        self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        let mut leading_blank = false;
        while self.column_signed() == indent && !self.at_end() {
            let trailing_blank = self.is_blank(0);
            if !literal && !leading_blank && !trailing_blank && leading_break.first() == Some(&b'\n') {
                if trailing_breaks.is_empty() {
                    text.push(b' ');
                }
            } else {
                text.extend_from_slice(&leading_break);
            }
            leading_break.clear();
            text.append(&mut trailing_breaks);
            leading_blank = self.is_blank(0);
            let from = self.position;
            self.skip_to_break();
            text.extend_from_slice(self.input.get(from..self.position).unwrap_or(&[]));
            if !self.at_end() {
                self.read_line(&mut leading_break);
            }
            self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        }
        if chomping != Chomping::Strip {
            text.extend_from_slice(&leading_break);
        }
        if chomping == Chomping::Keep {
            text.extend_from_slice(&trailing_breaks);
        }
        self.tokens.push_back(Token { kind: Kind::Scalar(Cow::Owned(text), false), start });
        Ok(())
    }

    fn scan_block_header(&mut self, start: Mark) -> Scan<(Chomping, isize)> {
        let mut chomping = Chomping::Clip;
        let mut increment = 0;
        for _ in 0..2 {
            match self.byte(0) {
                b'+' if chomping == Chomping::Clip => chomping = Chomping::Keep,
                b'-' if chomping == Chomping::Clip => chomping = Chomping::Strip,
                b'0' if increment == 0 => {
                    return self.error(start, "found an indentation indicator equal to 0");
                }
                digit @ b'1'..=b'9' if increment == 0 => increment = isize::from(digit - b'0'),
                _ => break,
            }
            self.position += 1;
        }
        while self.is_blank(0) {
            self.position += 1;
        }
        if self.byte(0) == b'#' {
            while !self.is_breakz(0) {
                self.position += 1;
            }
        }
        if !self.is_breakz(0) {
            return self.error(start, "did not find expected comment or line break");
        }
        self.skip_line();
        Ok((chomping, increment))
    }

    fn scan_block_breaks(&mut self, indent: &mut isize, breaks: &mut Vec<u8>, start: Mark) -> Scan<()> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.column_signed() < *indent) && self.byte(0) == b' ' {
                self.position += 1;
            }
            deepest = deepest.max(self.column_signed());
            if (*indent == 0 || self.column_signed() < *indent) && self.byte(0) == b'\t' {
                return self.error(start, "found a tab character where an indentation space is expected");
            }
            if !self.is_break(0) {
                break;
            }
            self.read_line(breaks);
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }

    pub(super) fn fetch_flow_scalar(&mut self) -> Scan<()> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark();
        let single = self.byte(0) == b'\'';
        self.position += 1;
        let text = match self.simple_quoted(single) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.scan_quoted(single, start)?),
        };
        self.tokens.push_back(Token { kind: Kind::Scalar(text, false), start });
        Ok(())
    }

    /// The common case: a quoted scalar of one line without escapes, borrowed.
    fn simple_quoted(&mut self, single: bool) -> Option<&'a [u8]> {
        let rest = self.input.get(self.position..)?;
        let length = rest.iter().position(|byte| {
            matches!(byte, b'\n' | b'\r' | 0x80..)
                || if single { *byte == b'\'' } else { matches!(byte, b'"' | b'\\') }
        })?;
        let quote = if single { b'\'' } else { b'"' };
        if rest.get(length) != Some(&quote) || (single && rest.get(length + 1) == Some(&b'\'')) {
            return None;
        }
        self.position += length + 1;
        rest.get(..length)
    }

    fn scan_quoted(&mut self, single: bool, start: Mark) -> Scan<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            if self.position == self.line_start && self.is_document_indicator() {
                return self.error(start, "found unexpected document indicator");
            }
            if self.at_end() {
                return self.error(start, "found unexpected end of stream");
            }
            let mut leading_blanks = false;
            while !self.is_blankz(0) {
                match self.byte(0) {
                    b'\'' if single && self.byte(1) == b'\'' => {
                        text.push(b'\'');
                        self.position += 2;
                    }
                    b'\'' if single => break,
                    b'"' if !single => break,
                    b'\\' if !single && self.is_break(1) => {
                        self.position += 1;
                        self.skip_line();
                        leading_blanks = true;
                        break;
                    }
                    b'\\' if !single => self.scan_escape(&mut text, start)?,
                    byte => {
                        text.push(byte);
                        self.position += 1;
                    }
                }
            }
            if self.byte(0) == if single { b'\'' } else { b'"' } && !self.at_end() {
                self.position += 1;
                return Ok(text);
            }
            self.fold_blanks(&mut text, leading_blanks);
        }
    }

    fn fold_blanks(&mut self, text: &mut Vec<u8>, mut leading_blanks: bool) {
        let (mut leading_break, mut trailing_breaks, mut whitespace) = (Vec::new(), Vec::new(), Vec::new());
        while self.is_blank(0) || self.is_break(0) {
            if self.is_blank(0) {
                if !leading_blanks {
                    whitespace.push(self.byte(0));
                }
                self.position += 1;
            } else if leading_blanks {
                self.read_line(&mut trailing_breaks);
            } else {
                whitespace.clear();
                self.read_line(&mut leading_break);
                leading_blanks = true;
            }
        }
        if leading_blanks {
            join_breaks(text, &leading_break, &trailing_breaks);
        } else {
            text.append(&mut whitespace);
        }
    }

    fn scan_escape(&mut self, text: &mut Vec<u8>, start: Mark) -> Scan<()> {
        let escape = self.byte(1);
        let plain: Option<&[u8]> = match escape {
            b'0' => Some(b"\0"),
            b'a' => Some(b"\x07"),
            b'b' => Some(b"\x08"),
            b't' | b'\t' => Some(b"\t"),
            b'n' => Some(b"\n"),
            b'v' => Some(b"\x0B"),
            b'f' => Some(b"\x0C"),
            b'r' => Some(b"\r"),
            b'e' => Some(b"\x1B"),
            b' ' => Some(b" "),
            b'"' => Some(b"\""),
            b'\'' => Some(b"'"),
            b'\\' => Some(b"\\"),
            b'N' => Some(b"\xC2\x85"),
            b'_' => Some(b"\xC2\xA0"),
            b'L' => Some(b"\xE2\x80\xA8"),
            b'P' => Some(b"\xE2\x80\xA9"),
            _ => None,
        };
        if let Some(plain) = plain {
            text.extend_from_slice(plain);
            self.position += 2;
            return Ok(());
        }
        let length = match escape {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => return self.error(start, "found unknown escape character"),
        };
        self.position += 2;
        let digits = self.input.get(self.position..self.position + length).unwrap_or(&[]);
        let code = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.len() == length && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(code) = code else {
            return self.error(start, "did not find expected hexdecimal number");
        };
        let Some(character) = char::from_u32(code) else {
            return self.error(start, "found invalid Unicode character escape code");
        };
        let mut buffer = [0; 4];
        text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        self.position += length;
        Ok(())
    }

    pub(super) fn fetch_plain_scalar(&mut self) -> Scan<()> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark();
        let indent = self.indent + 1;
        let mut text: Cow<'a, [u8]> = Cow::Borrowed(&[]);
        let mut leading_blanks = false;
        let (mut leading_break, mut trailing_breaks) = (Vec::new(), Vec::new());
        let mut blank_from = self.position;
        loop {
            if self.byte(0) == b'#' || (self.position == self.line_start && self.is_document_indicator()) {
                break;
            }
            let from = self.position;
            self.skip_plain_characters();
            let run = self.input.get(from..self.position).unwrap_or(&[]);
            if !run.is_empty() {
                if leading_blanks {
                    join_breaks(text.to_mut(), &leading_break, &trailing_breaks);
                    leading_break.clear();
                    trailing_breaks.clear();
                    leading_blanks = false;
                    text.to_mut().extend_from_slice(run);
                } else if let Cow::Borrowed(_) = text {
                    text = Cow::Borrowed(self.input.get(start.offset..self.position).unwrap_or(&[]));
                } else {
                    text.to_mut().extend_from_slice(self.input.get(blank_from..self.position).unwrap_or(&[]));
                }
            }
            if !(self.is_blank(0) || self.is_break(0)) {
                break;
            }
            blank_from = self.position;
            while self.is_blank(0) || self.is_break(0) {
                if self.is_blank(0) {
                    if leading_blanks && self.column_signed() < indent && self.byte(0) == b'\t' {
                        return self.error(start, "found a tab character that violates indentation");
                    }
                    self.position += 1;
                } else if leading_blanks {
                    self.read_line(&mut trailing_breaks);
                } else {
                    self.read_line(&mut leading_break);
                    leading_blanks = true;
                }
            }
            if self.flow_level == 0 && self.column_signed() < indent {
                break;
            }
        }
        if leading_blanks {
            self.key_allowed = true;
        }
        self.tokens.push_back(Token { kind: Kind::Scalar(text, true), start });
        Ok(())
    }

    fn skip_plain_characters(&mut self) {
        let in_flow = self.flow_level > 0;
        loop {
            let rest = self.input.get(self.position..).unwrap_or(&[]);
            self.position += rest.iter().position(|byte| MAY_END[usize::from(*byte)]).unwrap_or(rest.len());
            match self.byte(0) {
                b' ' | b'\t' | b'\n' | b'\r' => return,
                0 if self.at_end() => return,
                b':' if self.is_blankz(1) => return,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if in_flow => return,
                0xC2 | 0xE2 if self.is_break(0) => return,
                _ => self.position += 1,
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    Clip,
    Keep,
    Strip,
}

fn join_breaks(text: &mut Vec<u8>, leading: &[u8], trailing: &[u8]) {
    if leading.first() == Some(&b'\n') {
        if trailing.is_empty() {
            text.push(b' ');
        } else {
            text.extend_from_slice(trailing);
        }
    } else {
        text.extend_from_slice(leading);
        text.extend_from_slice(trailing);
    }
}
