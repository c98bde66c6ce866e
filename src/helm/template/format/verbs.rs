//! `printf`: reads the format and hands each verb with its flags to the printer.

use super::{Flags, Printer};
use crate::value::{Object, Value};

/// The largest width and precision that Go accepts.
const WIDEST: usize = 1_000_000;

/// `fmt.Sprintf`
pub(crate) fn sprintf(format: &[u8], values: &[Value], compat_v3: bool) -> Vec<u8> {
    let mut formatter =
        Formatter { format, position: 0, values, argument: 0, reordered: false, good_index: true, compat_v3 };
    let mut out = Vec::with_capacity(format.len() + 16);
    formatter.run(&mut out);
    out
}

struct Formatter<'a> {
    format: &'a [u8],
    position: usize,
    values: &'a [Value],
    argument: usize,
    reordered: bool,
    good_index: bool,
    compat_v3: bool,
}

impl Formatter<'_> {
    fn byte(&self) -> Option<u8> {
        self.format.get(self.position).copied()
    }

    fn run(&mut self, out: &mut Vec<u8>) {
        loop {
            let rest = self.format.get(self.position..).unwrap_or(&[]);
            let Some(length) = memchr::memchr(b'%', rest) else {
                out.extend_from_slice(rest);
                break;
            };
            out.extend_from_slice(rest.get(..length).unwrap_or(&[]));
            self.position += length + 1;
            self.verb(out);
        }
        if !self.reordered && self.argument < self.values.len() {
            out.extend_from_slice(b"%!(EXTRA ");
            for (index, value) in self.values.iter().skip(self.argument).enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                if matches!(value, Value::Nil) {
                    out.extend_from_slice(b"<nil>");
                } else {
                    out.extend_from_slice(value.type_name(self.compat_v3).as_bytes());
                    out.push(b'=');
                    Printer { out, compat_v3: self.compat_v3, flags: Flags::default(), erroring: false }
                        .argument(value, 'v');
                }
            }
            out.push(b')');
        }
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.byte() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.position += 1;
        }
        flags
    }

    fn number(&mut self) -> Option<usize> {
        let rest = self.format.get(self.position..).unwrap_or(&[]);
        let (number, width) = leading_number(rest)?;
        self.position += width;
        number
    }

    /// An explicit index `[n]`; tells whether there was a good one.
    fn index(&mut self) -> bool {
        if self.byte() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.format.get(self.position..).unwrap_or(&[]);
        let close = if rest.len() < 3 { None } else { memchr::memchr(b']', rest) };
        let Some(close) = close else {
            self.good_index = false;
            self.position += 1;
            return false;
        };
        self.position += close + 1;
        let inner = rest.get(1..close).unwrap_or(&[]);
        let number = match leading_number(inner) {
            Some((Some(number), width)) if width == inner.len() => number,
            _ => {
                self.good_index = false;
                return false;
            }
        };
        if number >= 1 && number <= self.values.len() {
            self.argument = number - 1;
        } else {
            self.good_index = false;
        }
        true
    }

    /// A width or precision from the arguments.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.argument)?;
        self.argument += 1;
        let number = match value {
            Value::Int(number) | Value::Int64(number) => *number,
            Value::Uint64(number) => i64::try_from(*number).ok()?,
            Value::Byte(number) => i64::from(*number),
            Value::Object(object) => match &**object {
                Object::Duration(number) => *number,
                _ => return None,
            },
            _ => return None,
        };
        (number.unsigned_abs() <= WIDEST as u64).then_some(number)
    }

    fn verb(&mut self, out: &mut Vec<u8>) {
        self.good_index = true;
        let mut flags = self.flags();
        // Right after the flags, a small letter is the verb itself.
        if self.byte().is_some_and(|byte| byte.is_ascii_lowercase()) && self.argument < self.values.len() {
            return self.finish_verb(out, flags);
        }
        let mut after_index = self.index();
        if self.byte() == Some(b'*') {
            self.position += 1;
            match self.star() {
                Some(width) => {
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            flags.width = self.number();
            if after_index && flags.width.is_some() {
                self.good_index = false;
            }
        }
        if self.byte() == Some(b'.') && self.position + 1 < self.format.len() {
            self.position += 1;
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.byte() == Some(b'*') {
                self.position += 1;
                flags.precision = self.star().and_then(|number| usize::try_from(number).ok());
                if flags.precision.is_none() {
                    out.extend_from_slice(b"%!(BADPREC)");
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        self.finish_verb(out, flags);
    }

    fn finish_verb(&mut self, out: &mut Vec<u8>, mut flags: Flags) {
        let rest = self.format.get(self.position..).unwrap_or(&[]);
        if rest.is_empty() {
            out.extend_from_slice(b"%!(NOVERB)");
            return;
        }
        let head = rest.get(..rest.len().min(4)).unwrap_or(rest);
        let verb = String::from_utf8_lossy(head).chars().next().unwrap_or('\u{FFFD}');
        self.position += if verb == '\u{FFFD}' { 1 } else { verb.len_utf8() };
        if verb == '%' {
            out.push(b'%');
            return;
        }
        let mut bad = |note: &str| {
            out.extend_from_slice(b"%!");
            let mut buffer = [0; 4];
            out.extend_from_slice(verb.encode_utf8(&mut buffer).as_bytes());
            out.extend_from_slice(note.as_bytes());
        };
        if !self.good_index {
            bad("(BADINDEX)");
            return;
        }
        let Some(value) = self.values.get(self.argument) else {
            bad("(MISSING)");
            return;
        };
        self.argument += 1;
        if matches!(verb, 'v' | 'w') {
            flags.sharp_v = std::mem::take(&mut flags.sharp);
            flags.plus_v = std::mem::take(&mut flags.plus);
        }
        Printer { out, compat_v3: self.compat_v3, flags, erroring: false }.argument(value, verb);
    }
}

/// Digits at the start: the number, `None` if it is too large, and how many bytes it takes.
fn leading_number(text: &[u8]) -> Option<(Option<usize>, usize)> {
    let mut number = 0_usize;
    let mut width = 0;
    for digit in text.iter().take_while(|byte| byte.is_ascii_digit()) {
        if number > WIDEST {
            return Some((None, text.len()));
        }
        number = number * 10 + usize::from(digit - b'0');
        width += 1;
    }
    (width > 0).then_some((Some(number), width))
}
