//! Decides what a plain scalar of YAML 1.1 is, as go-yaml v2 does. No structure, no IO.

/// A resolved plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Resolved {
    /// null
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An integer beyond the signed range.
    Uint(u64),
    /// A float.
    Float(f64),
    /// Anything else.
    Text,
}

/// Resolves a plain scalar.
pub(crate) fn resolve(text: &[u8]) -> Resolved {
    let Some(first) = text.first() else {
        return Resolved::Null;
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => resolve_number(text),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => resolve_word(text),
        _ => Resolved::Text,
    }
}

fn resolve_word(text: &[u8]) -> Resolved {
    match text {
        b"y" | b"Y" | b"yes" | b"Yes" | b"YES" | b"true" | b"True" | b"TRUE" | b"on" | b"On" | b"ON" => {
            Resolved::Bool(true)
        }
        b"n" | b"N" | b"no" | b"No" | b"NO" | b"false" | b"False" | b"FALSE" | b"off" | b"Off" | b"OFF" => {
            Resolved::Bool(false)
        }
        b"~" | b"null" | b"Null" | b"NULL" => Resolved::Null,
        _ => Resolved::Text,
    }
}

fn resolve_number(text: &[u8]) -> Resolved {
    if let Some(value) = short_decimal(text) {
        return Resolved::Int(value);
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Resolved::Text;
    };
    match text {
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if text.starts_with('.') {
        return if is_float(text) { finite(text) } else { Resolved::Text };
    }
    let without: std::borrow::Cow<'_, str> =
        if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    if let Some(number) = parse_integer(&without) {
        return number;
    }
    if is_float(&without) {
        return finite(&without);
    }
    Resolved::Text
}

/// Digits alone, so few that they fit, without a zero that would make them octal.
fn short_decimal(text: &[u8]) -> Option<i64> {
    const FITS: usize = 18;
    let plain = matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.len() <= FITS;
    let add = |number: i64, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'));
    if plain { text.iter().try_fold(0, add) } else { None }
}

fn finite(text: &str) -> Resolved {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Resolved::Float(value),
        _ => Resolved::Text,
    }
}

/// Go's `ParseInt` and `ParseUint` with base 0, on text without underscores.
pub(crate) fn parse_integer(text: &str) -> Option<Resolved> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, text.get(1..)?),
        b'+' => (false, true, text.get(1..)?),
        _ => (false, false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        let limit = i64::MIN.unsigned_abs();
        return (magnitude <= limit).then(|| Resolved::Int(0_i64.wrapping_sub_unsigned(magnitude)));
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Resolved::Int(value)),
        Err(_) if !signed => Some(Resolved::Uint(magnitude)),
        Err(_) => None,
    }
}

/// Whether the text has the form of a YAML float: digits, a dot, an exponent.
fn is_float(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    rest = rest.get(whole..).unwrap_or("");
    if let Some(after) = rest.strip_prefix('.') {
        let fraction = digits(after);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = after.get(fraction..).unwrap_or("");
    } else if whole == 0 {
        return false;
    }
    if let Some(after) = rest.strip_prefix(['e', 'E']) {
        let after = after.strip_prefix(['-', '+']).unwrap_or(after);
        return !after.is_empty() && digits(after) == after.len();
    }
    rest.is_empty()
}

/// Whether go-yaml would read this string as something else than text, or fears that others do.
pub(crate) fn needs_quotes(text: &[u8]) -> bool {
    match text.first() {
        None => true,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {
            resolve_number(text) != Resolved::Text || is_timestamp(text) || is_base60(text)
        }
        Some(_) => resolve_word(text) != Resolved::Text,
    }
}

/// Floats of base 60 are not read, but quoted when written.
fn is_base60(text: &[u8]) -> bool {
    let rest = match text.first() {
        Some(b'-' | b'+') => text.get(1..).unwrap_or(&[]),
        _ => text,
    };
    if !rest.first().is_some_and(u8::is_ascii_digit) || !rest.contains(&b':') {
        return false;
    }
    let head = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'_').count();
    let mut rest = rest.get(head..).unwrap_or(&[]);
    let mut groups = 0;
    while let Some((b':', after)) = rest.split_first().map(|(first, after)| (*first, after)) {
        let width = match after {
            [b'0'..=b'5', second, ..] if second.is_ascii_digit() => 2,
            [first, ..] if first.is_ascii_digit() => 1,
            _ => return false,
        };
        rest = after.get(width..).unwrap_or(&[]);
        groups += 1;
    }
    if let Some((b'.', after)) = rest.split_first().map(|(first, after)| (*first, after)) {
        rest = after;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'_').count();
        rest = rest.get(digits..).unwrap_or(&[]);
    }
    groups > 0 && rest.is_empty()
}

/// The timestamps that go-yaml recognises: a date, or a date with a time.
pub(crate) fn is_timestamp(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    if year != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return false;
    }
    let Some((month, rest)) = small_number(text.get(5..).unwrap_or("")) else {
        return false;
    };
    let Some(rest) = rest.strip_prefix('-') else {
        return false;
    };
    let Some((day, rest)) = small_number(rest) else {
        return false;
    };
    let year = text.get(..4).and_then(|year| year.parse::<u32>().ok()).unwrap_or(0);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return false;
    }
    let (separator, rest) = match rest.as_bytes().first() {
        None => return true,
        Some(b'T' | b't') => ('T', rest.get(1..).unwrap_or("")),
        Some(b' ') => (' ', rest.get(1..).unwrap_or("")),
        _ => return false,
    };
    let Some(rest) = clock(rest) else { return false };
    if separator == ' ' { rest.is_empty() } else { zone(rest) }
}

fn small_number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    Some((text.get(..digits)?.parse().ok()?, text.get(digits..)?))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn clock(text: &str) -> Option<&str> {
    let (hour, rest) = small_number(text)?;
    let (minute, rest) = small_number(rest.strip_prefix(':')?)?;
    let (second, mut rest) = small_number(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if let Some(after) = rest.strip_prefix(['.', ',']) {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            rest = after.get(digits..)?;
        }
    }
    Some(rest)
}

fn zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let bytes = text.as_bytes();
    matches!(bytes, [b'+' | b'-', h1, h2, b':', m1, m2]
        if [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Resolved, is_timestamp, needs_quotes, resolve};

    #[test]
    fn scalars_resolve_as_in_yaml_1_1() {
        for (text, expected) in [
            ("", Resolved::Null),
            ("~", Resolved::Null),
            ("yes", Resolved::Bool(true)),
            ("Off", Resolved::Bool(false)),
            ("0644", Resolved::Int(420)),
            ("0o17", Resolved::Int(15)),
            ("0x1F", Resolved::Int(31)),
            ("1_000", Resolved::Int(1000)),
            ("1:30", Resolved::Text),
            ("08", Resolved::Float(8.0)),
            ("1e3", Resolved::Float(1000.0)),
            (".5", Resolved::Float(0.5)),
            ("18446744073709551615", Resolved::Uint(u64::MAX)),
            ("1e400", Resolved::Text),
            ("-", Resolved::Text),
            (".", Resolved::Text),
        ] {
            assert_eq!(resolve(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn strings_that_others_would_retype_are_quoted() {
        for text in ["y", "on", "1:2", "1_0", "0b1", "1e3", "~", "2020-01-01", "08", ""] {
            assert!(needs_quotes(text.as_bytes()), "{text}");
        }
        for text in ["NaN", "=", "<<", "1.2.3", "a", "-x"] {
            assert!(!needs_quotes(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn timestamps() {
        assert!(is_timestamp(b"2001-12-14T21:59:43.10-05:00"));
        assert!(!is_timestamp(b"2001-02-30"));
    }
}
