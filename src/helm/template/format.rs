//! Go's fmt: `print`, `println`, `printf` and how values look in a template's output.

use crate::value::{Object, Text, Value, convert};

/// What a value looks like when a template prints it.
pub(crate) fn print_value(out: &mut Vec<u8>, value: &Value, compat_v3: bool) {
    match value {
        Value::Text(text) => out.extend_from_slice(text),
        Value::Nil => out.extend_from_slice(b"<no value>"),
        Value::Object(object) => match &**object {
            Object::Record(record) if record.shown.is_some() => {
                out.extend_from_slice(record.shown.as_ref().map_or(&[], |text| text.bytes()));
            }
            // A template prints what a pointer leads to.
            Object::Record(record) if record.pointer => {
                let shown = display(value, compat_v3);
                out.extend_from_slice(shown.strip_prefix(b"&").unwrap_or(&shown));
            }
            _ => Printer { out, compat_v3, flags: Flags::default(), erroring: false }.argument(value, 'v'),
        },
        other => match digits(other) {
            Some(digits) => out.extend_from_slice(digits.as_bytes()),
            None => {
                Printer { out, compat_v3, flags: Flags::default(), erroring: false }.argument(other, 'v');
            }
        },
    }
}

/// The digits of most numbers, which no verb changes.
fn digits(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) | Value::Int64(number) => Some(number.to_string()),
        Value::Float(number) => convert::short_whole(*number).map(|number| number.to_string()),
        _ => None,
    }
}

/// `%v` of a value; nil is `<nil>`.
pub(crate) fn display(value: &Value, compat_v3: bool) -> Vec<u8> {
    if let Some(digits) = digits(value) {
        return digits.into_bytes();
    }
    let mut out = Vec::new();
    Printer { out: &mut out, compat_v3, flags: Flags::default(), erroring: false }.argument(value, 'v');
    out
}

/// `fmt.Sprint`
pub(crate) fn sprint(values: &[Value], compat_v3: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous_text = true;
    for (index, value) in values.iter().enumerate() {
        let text = matches!(value, Value::Text(_));
        if index > 0 && !text && !previous_text {
            out.push(b' ');
        }
        Printer { out: &mut out, compat_v3, flags: Flags::default(), erroring: false }.argument(value, 'v');
        previous_text = text;
    }
    out
}

/// `fmt.Sprintln`
pub(crate) fn sprintln(values: &[Value], compat_v3: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        Printer { out: &mut out, compat_v3, flags: Flags::default(), erroring: false }.argument(value, 'v');
    }
    out.push(b'\n');
    out
}

#[expect(clippy::struct_excessive_bools, reason = "Go's flags")]
#[derive(Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`
    plus_v: bool,
    /// `%#v`
    sharp_v: bool,
}

mod number;
mod verbs;

pub(crate) use verbs::sprintf;

/// Bytes of one printed value.
const LARGEST: usize = 16 << 20;

struct Printer<'a> {
    out: &'a mut Vec<u8>,
    compat_v3: bool,
    flags: Flags,
    /// While a complaint about a verb is printed, values show their fields and not their text.
    erroring: bool,
}

impl Printer<'_> {
    fn argument(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) | (_, 'p') => self.bad_verb(value, verb),
            (_, 'T') => self.text(value.type_name(self.compat_v3).as_bytes(), 's'),
            _ => self.value(value, verb, 0),
        }
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.extend_from_slice(b"%!");
        let mut buffer = [0; 4];
        self.out.extend_from_slice(verb.encode_utf8(&mut buffer).as_bytes());
        self.out.push(b'(');
        if matches!(value, Value::Nil) {
            self.out.extend_from_slice(b"<nil>");
        } else {
            self.out.extend_from_slice(value.type_name(self.compat_v3).as_bytes());
            self.out.push(b'=');
            let erroring = std::mem::replace(&mut self.erroring, true);
            self.value(value, 'v', 0);
            self.erroring = erroring;
        }
        self.out.push(b')');
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        match value {
            Value::Nil => self.pad(b"<nil>"),
            Value::Bool(flag) if matches!(verb, 't' | 'v') => {
                self.pad(if *flag { b"true" } else { b"false" });
            }
            Value::Int(number) | Value::Int64(number) => {
                self.integer(value, number.unsigned_abs(), *number < 0, verb);
            }
            Value::Uint64(number) => self.integer(value, *number, false, verb),
            Value::Byte(number) => self.integer(value, u64::from(*number), false, verb),
            Value::Float(number) => self.float(value, *number, verb),
            Value::Text(text) => self.string(value, text, verb),
            Value::Bytes(bytes) if matches!(verb, 's' | 'q' | 'x' | 'X') => self.string(value, bytes, verb),
            Value::Map(map) => {
                let entries = map.entries();
                self.map(value, entries.into_iter(), verb, depth);
            }
            Value::TextMap(pairs) => {
                let entries: Vec<(Text, Value)> =
                    pairs.iter().map(|(key, text)| (key.clone(), Value::Text(text.clone()))).collect();
                self.map(value, entries.into_iter(), verb, depth);
            }
            Value::List(_) | Value::Lists(_) | Value::Texts(_) | Value::Ints(_) | Value::Bytes(_) => {
                self.list(value, verb, depth);
            }
            Value::Object(object) => self.object(value, object, verb, depth),
            Value::Bool(_) => self.bad_verb(value, verb),
        }
    }

    fn list(&mut self, value: &Value, verb: char, depth: usize) {
        let items = value.items().unwrap_or_default();
        if self.flags.sharp_v {
            self.out.extend_from_slice(value.type_name(self.compat_v3).as_bytes());
            self.out.push(b'{');
        } else {
            self.out.push(b'[');
        }
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(if self.flags.sharp_v {
                    b", ".as_slice()
                } else {
                    b" ".as_slice()
                });
            }
            self.element(item, verb, depth);
        }
        self.out.push(if self.flags.sharp_v { b'}' } else { b']' });
    }

    fn element(&mut self, item: &Value, verb: char, depth: usize) {
        if depth > 200 || self.out.len() > LARGEST {
            self.out.extend_from_slice(b"...");
        } else if matches!(item, Value::Nil) {
            if self.flags.sharp_v {
                self.out.extend_from_slice(b"interface {}(nil)");
            } else {
                self.out.extend_from_slice(b"<nil>");
            }
        } else {
            self.value(item, verb, depth + 1);
        }
    }

    fn map(&mut self, value: &Value, entries: impl Iterator<Item = (Text, Value)>, verb: char, depth: usize) {
        if self.flags.sharp_v {
            self.out.extend_from_slice(value.type_name(self.compat_v3).as_bytes());
            self.out.push(b'{');
        } else {
            self.out.extend_from_slice(b"map[");
        }
        for (index, (key, item)) in entries.enumerate() {
            if index > 0 {
                self.out.extend_from_slice(if self.flags.sharp_v {
                    b", ".as_slice()
                } else {
                    b" ".as_slice()
                });
            }
            self.element(&Value::Text(key), verb, depth);
            self.out.push(b':');
            self.element(&item, verb, depth);
        }
        self.out.push(if self.flags.sharp_v { b'}' } else { b']' });
    }

    fn object(&mut self, value: &Value, object: &Object, verb: char, depth: usize) {
        if let Some(shown) = object.shown()
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && !self.flags.sharp_v
            && !self.erroring
        {
            return self.string(&Value::Text(shown.clone()), &shown, verb);
        }
        match object {
            Object::Complex(real, imaginary) => self.complex(value, (*real, *imaginary), verb),
            Object::Duration(number) => self.integer(value, number.unsigned_abs(), *number < 0, verb),
            Object::NilSlice(name) if self.flags.sharp_v => {
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"(nil)");
            }
            Object::VersionSet(_) | Object::NilSlice(_) => self.list(value, verb, depth),
            Object::Files(files) => {
                let entries: Vec<(Text, Value)> =
                    files.iter().map(|(path, bytes)| (path.clone(), Value::Bytes(bytes.clone()))).collect();
                self.map(value, entries.into_iter(), verb, depth);
            }
            Object::Record(record) => {
                if record.pointer && depth == 0 {
                    self.out.push(b'&');
                } else if record.pointer {
                    return self.out.extend_from_slice(b"0xc000000000");
                }
                self.out.push(b'{');
                for (index, (name, field)) in record.fields.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b' ');
                    }
                    if self.flags.plus_v {
                        self.out.extend_from_slice(name.as_bytes());
                        self.out.push(b':');
                    }
                    self.element(field, verb, depth);
                }
                self.out.push(b'}');
            }
            Object::Version(_) | Object::Time(_) => self.bad_verb(value, verb),
        }
    }

    /// Pads text to the width, counted in characters.
    fn pad(&mut self, text: &[u8]) {
        let length = text.iter().filter(|byte| *byte & 0xC0 != 0x80).count();
        let missing = self.flags.width.unwrap_or(0).saturating_sub(length);
        let filler = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        if !self.flags.minus {
            self.out.extend(std::iter::repeat_n(filler, missing));
        }
        self.out.extend_from_slice(text);
        if self.flags.minus {
            self.out.extend(std::iter::repeat_n(b' ', missing));
        }
    }

    fn text(&mut self, text: &[u8], verb: char) {
        let text = self.truncated(text);
        match verb {
            'q' if self.flags.sharp && can_be_raw(text) => {
                let quoted = [b"`".as_slice(), text, b"`"].concat();
                self.pad(&quoted);
            }
            'q' => {
                let quoted = convert::quote_with(text, '"', self.flags.plus);
                self.pad(quoted.as_bytes());
            }
            _ => self.pad(text),
        }
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        let end = text
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte & 0xC0 != 0x80)
            .nth(precision)
            .map_or(text.len(), |(index, _)| index);
        text.get(..end).unwrap_or(text)
    }

    fn string(&mut self, value: &Value, text: &[u8], verb: char) {
        match verb {
            'v' if self.flags.sharp_v => {
                let quoted = convert::quote(text);
                self.pad(quoted.as_bytes());
            }
            'v' | 's' | 'q' => self.text(text, verb),
            'x' | 'X' => self.hexadecimal(text, verb == 'X'),
            _ => self.bad_verb(value, verb),
        }
    }

    fn hexadecimal(&mut self, text: &[u8], upper: bool) {
        let end = self.flags.precision.unwrap_or(text.len()).min(text.len());
        let mut shown = Vec::with_capacity(end * 2);
        for (index, byte) in text.iter().take(end).enumerate() {
            if self.flags.space && index > 0 {
                shown.push(b' ');
            }
            if self.flags.sharp && (index == 0 || self.flags.space) {
                shown.extend_from_slice(if upper { b"0X" } else { b"0x" });
            }
            let digits = if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
            shown.extend_from_slice(digits.as_bytes());
        }
        self.pad(&shown);
    }
}

/// Whether Go writes a string between backquotes: no controls but tabs, no backquote, no mark.
fn can_be_raw(text: &[u8]) -> bool {
    let plain = |character: char| match character {
        '\t' => true,
        '`' | '\u{7F}' | '\u{FEFF}' => false,
        _ => character >= ' ',
    };
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::sprintf;
    use crate::value::{Map, Value};

    #[test]
    fn verbs_as_in_go() {
        for (format, value, expected) in [
            ("%d", Value::Float(3.0), "%!d(float64=3)"),
            ("%s", Value::Nil, "%!s(<nil>)"),
            ("%d", Value::text("s"), "%!d(string=s)"),
            ("%05d", Value::Int(-42), "-0042"),
            ("%-5d|", Value::Int(42), "42   |"),
            ("%+d", Value::Int(42), "+42"),
            ("%x", Value::text("hi"), "6869"),
            ("%#x", Value::Int(255), "0xff"),
            ("%6.2f|", Value::Float(2.25), "  2.25|"),
            ("%e", Value::Float(1234.5), "1.234500e+03"),
            ("%.3g", Value::Float(1234.5), "1.23e+03"),
            ("%q", Value::list(vec![Value::text("a")]), "[\"a\"]"),
            ("%5s|", Value::text("é"), "    é|"),
            ("%.1s", Value::text("éa"), "é"),
            ("%c%%", Value::Int(65), "A%"),
            ("%t", Value::Bool(true), "true"),
            (
                "%v",
                Value::Map(Map::from_pairs([("b", Value::Int(1)), ("a", Value::Nil)])),
                "map[a:<nil> b:1]",
            ),
            ("%T", Value::list(vec![]), "[]interface {}"),
            ("%", Value::Int(1), "%!(NOVERB)%!(EXTRA int=1)"),
            ("%d %d", Value::Int(1), "1 %!d(MISSING)"),
            ("%[3]d", Value::Int(1), "%!d(BADINDEX)"),
        ] {
            let shown = sprintf(format.as_bytes(), &[value], false);
            assert_eq!(String::from_utf8_lossy(&shown), expected, "{format}");
        }
    }
}
