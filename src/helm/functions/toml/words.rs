//! What the words of a TOML text mean: strings without their escapes, numbers, dates and times.

use super::cursor::{Found, Kind, Mistake, Word};
use crate::functions::dates;
use crate::value::convert::quote;
use crate::value::{Object, Value};

fn wrong<T>(word: &Word, message: String) -> Found<T> {
    Err(Mistake { line: word.line, message })
}

pub(super) fn text(word: &Word) -> Found<String> {
    match word.kind {
        Kind::Escaped => unescaped(word, &word.text),
        Kind::Multiline => unescaped(word, &without_escaped_lines(without_first_line(&word.text))),
        Kind::RawMultiline => Ok(without_first_line(&word.text).to_owned()),
        _ => Ok(word.text.clone()),
    }
}

fn without_first_line(text: &str) -> &str {
    text.strip_prefix('\n').or_else(|| text.strip_prefix("\r\n")).unwrap_or(text)
}

/// A backslash at the end of a line hides all blanks and lines up to the next word.
fn without_escaped_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let after = from.get(1..).unwrap_or("");
        if after.starts_with('\\') {
            out.push_str("\\\\");
            rest = after.get(1..).unwrap_or("");
            continue;
        }
        let kept = after.trim_start_matches([' ', '\t', '\r', '\n']);
        let blanks = after.get(..after.len() - kept.len()).unwrap_or("");
        if blanks.contains('\n') {
            rest = kept;
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out + rest
}

fn unescaped(word: &Word, text: &str) -> Found<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let escape = rest.get(at + 1..).unwrap_or("");
        let Some(letter) = escape.chars().next() else { break };
        let digits = match letter {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        match letter {
            'b' => out.push('\x08'),
            't' => out.push('\t'),
            'n' => out.push('\n'),
            'f' => out.push('\x0C'),
            'r' => out.push('\r'),
            'e' => out.push('\x1B'),
            'x' | 'u' | 'U' => {
                let digits = escape.get(1..=digits).unwrap_or("");
                let Some(character) = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) else {
                    return wrong(word, format!("Escaped character '\\u{digits}' is not valid UTF-8."));
                };
                out.push(character);
            }
            ' ' | '\t' => return wrong(word, format!("invalid escape: '\\{letter}'")),
            other => out.push(other),
        }
        rest = escape.get(letter.len_utf8() + digits..).unwrap_or("");
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether each underscore stands between digits.
fn underscores_fit(text: &str) -> bool {
    if matches!(text, "nan" | "+nan" | "-nan" | "inf" | "+inf" | "-inf") {
        return true;
    }
    let mut fits = false;
    for byte in text.bytes() {
        if byte == b'_' && !fits {
            return false;
        }
        fits = byte.is_ascii_hexdigit();
    }
    fits
}

fn has_leading_zero(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes {
        [b'0', second, ..] => !matches!(second, b'b' | b'o' | b'x'),
        [b'+' | b'-', b'0', _, ..] => true,
        _ => false,
    }
}

pub(super) fn integer(word: &Word) -> Found<Value> {
    let text = word.text.as_str();
    let shown = quote(text.as_bytes());
    if !underscores_fit(text) {
        return wrong(word, format!("Invalid integer {shown}: underscores must be surrounded by digits"));
    }
    if has_leading_zero(text) {
        return wrong(word, format!("Invalid integer {shown}: cannot have leading zeroes"));
    }
    let digits = text.replace('_', "");
    let parsed = match digits.get(..2) {
        Some("0b") => i64::from_str_radix(digits.get(2..).unwrap_or(""), 2),
        Some("0o") => i64::from_str_radix(digits.get(2..).unwrap_or(""), 8),
        Some("0x") => i64::from_str_radix(digits.get(2..).unwrap_or(""), 16),
        _ => digits.parse(),
    };
    match parsed {
        Ok(number) => Ok(Value::Int64(number)),
        Err(_) => wrong(word, format!("{text} is out of range for int64")),
    }
}

pub(super) fn float(word: &Word) -> Found<Value> {
    let text = word.text.as_str();
    let shown = quote(text.as_bytes());
    let parts: Vec<&str> = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| !underscores_fit(part)) {
        return wrong(word, format!("Invalid float {shown}: underscores must be surrounded by digits"));
    }
    if parts.first().is_some_and(|part| has_leading_zero(part)) {
        return wrong(word, format!("Invalid float {shown}: cannot have leading zeroes"));
    }
    let bytes = text.as_bytes();
    let lone = |index: usize| !bytes.get(index + 1).is_some_and(u8::is_ascii_digit);
    if bytes.iter().enumerate().any(|(index, byte)| *byte == b'.' && lone(index)) {
        return wrong(word, format!("Invalid float {shown}: '.' must be followed by one or more digits"));
    }
    let plain = text.replace('_', "");
    match (plain.as_str(), plain.parse::<f64>()) {
        ("nan" | "+nan", _) => Ok(Value::Float(f64::NAN)),
        ("-nan", _) => Ok(Value::Float(-f64::NAN)),
        (name, Ok(number)) if number.is_infinite() && !name.ends_with("inf") => {
            wrong(word, format!("{text} is out of range for float64"))
        }
        (_, Ok(number)) => Ok(Value::Float(number)),
        (_, Err(_)) => wrong(word, format!("Invalid float value: {shown}")),
    }
}

/// Layouts of dates and times, and the zone that each is in where the text names none.
const LAYOUTS: [(&str, Option<&str>); 7] = [
    ("2006-01-02T15:04:05.999999999Z07:00", None),
    ("2006-01-02T15:04:05.999999999", Some("datetime-local")),
    ("2006-01-02", Some("date-local")),
    ("15:04:05.999999999", Some("time-local")),
    ("2006-01-02T15:04Z07:00", None),
    ("2006-01-02T15:04", Some("datetime-local")),
    ("15:04", Some("time-local")),
];

pub(super) fn time(word: &Word, old: bool) -> Found<Value> {
    let text = word.text.replace('z', "Z").replace(['t', ' '], "T");
    let known = if old { 4 } else { LAYOUTS.len() };
    let read = LAYOUTS.iter().take(known).find_map(|(layout, zone)| {
        let moment = dates::read_in_zone(layout, &text, *zone)?;
        Some((moment, layout))
    });
    match read {
        Some((moment, layout)) if !misses_zero(&text, layout) => Ok(Value::object(Object::Time(moment))),
        _ => wrong(word, format!("invalid datetime: {}", quote(text.as_bytes()))),
    }
}

/// Go takes numbers without their leading zeros; then the marks between them are elsewhere.
fn misses_zero(text: &str, layout: &str) -> bool {
    let fixed = layout.bytes().take_while(|byte| !matches!(byte, b'.' | b'Z'));
    fixed.zip(text.bytes()).any(|(wanted, got)| !wanted.is_ascii_digit() && wanted != got)
}
