//! Go's conversions between numbers and text. Pure functions without state.

#![expect(
    clippy::format_push_string,
    reason = "short strings; writing in place would give a result to ignore"
)]

use base64::Engine as _;

use super::printable::is_printable;

/// Standard base64 with padding.
pub(crate) fn base64_standard(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The shortest digits that read back as `value`, and the decimal exponent of the first one.
pub(crate) fn shortest_digits(value: f64) -> (String, i32) {
    digits(&format!("{:e}", value.abs()))
}

fn digits(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// A whole number whose digits are all exact, as the shortest ones are then. Zero has a sign, and is not one.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = value.fract() == 0.0 && value.abs() < EXACT && value != 0.0;
    is_whole.then(|| float_to_int(value))
}

/// A whole number that `%v` prints without an exponent.
pub(crate) fn short_whole(value: f64) -> Option<i64> {
    whole(value).filter(|whole| whole.abs() < 1_000_000)
}

/// `strconv.FormatFloat(value, 'g', -1, 64)`, which `%v` prints: an exponent below 1e-4 and from
/// 1e6 on.
pub(crate) fn float_general(value: f64) -> String {
    if let Some(whole) = short_whole(value) {
        return whole.to_string();
    }
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    general(value.is_sign_negative(), shortest_digits(value))
}

/// The same for a `float32`, which the value becomes: `strconv.FormatFloat(value, 'g', -1, 32)`.
pub(crate) fn float_general_32(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "Go loses the same digits")]
    let narrow = value as f32;
    if !narrow.is_finite() {
        return float_general(f64::from(narrow));
    }
    general(narrow.is_sign_negative(), digits(&format!("{:e}", narrow.abs())))
}

fn general(is_negative: bool, (digits, exponent): (String, i32)) -> String {
    let sign = if is_negative { "-" } else { "" };
    if !(-4..6).contains(&exponent) {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let dot = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{dot}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    format!("{sign}{}", plain_decimal(&digits, exponent))
}

fn plain_decimal(digits: &str, exponent: i32) -> String {
    let Ok(whole) = usize::try_from(exponent + 1) else {
        return format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)));
    };
    if whole == 0 {
        return format!("0.{digits}");
    }
    if digits.len() <= whole {
        return format!("{digits}{}", "0".repeat(whole - digits.len()));
    }
    let (left, right) = digits.split_at(whole);
    format!("{left}.{right}")
}

/// A float as Go's `encoding/json` writes it; `None` for infinities and not-a-number.
pub(crate) fn float_json(value: f64) -> Option<String> {
    if let Some(whole) = whole(value) {
        return Some(whole.to_string());
    }
    if !value.is_finite() {
        return None;
    }
    let (digits, exponent) = shortest_digits(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let dot = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return Some(format!("{sign}{first}{dot}{rest}e{exponent_sign}{}", exponent.abs()));
    }
    Some(format!("{sign}{}", plain_decimal(&digits, exponent)))
}

/// A float to an integer as Go on amd64 does it: out of range becomes the smallest integer.
pub(crate) fn float_to_int(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) {
        #[expect(clippy::cast_possible_truncation, reason = "inside the range")]
        return value as i64;
    }
    i64::MIN
}

/// Quotes bytes as Go's `%q` does.
pub(crate) fn quote(text: &[u8]) -> String {
    quote_with(text, '"', false)
}

/// Quotes bytes with the given quote; `ascii` escapes everything beyond ASCII.
pub(crate) fn quote_with(text: &[u8], mark: char, ascii: bool) -> String {
    let mut out = String::new();
    push_quote(&mut out, text, mark, ascii);
    out
}

/// Appends what [`quote_with`] makes.
pub(crate) fn push_quote(out: &mut String, text: &[u8], mark: char, ascii: bool) {
    out.reserve(text.len() + 2);
    out.push(mark);
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        if valid.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\' && char::from(byte) != mark)
        {
            out.push_str(valid);
        } else {
            valid.chars().for_each(|character| push_quoted(out, character, mark, ascii));
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push(mark);
}

fn push_quoted(out: &mut String, character: char, mark: char, ascii: bool) {
    let code = u32::from(character);
    match character {
        _ if character == mark || character == '\\' => {
            out.push('\\');
            out.push(character);
        }
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0C' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0B' => out.push_str("\\v"),
        _ if (!ascii || character.is_ascii()) && is_printable(character) => out.push(character),
        _ if code < 0x20 || code == 0x7F => out.push_str(&format!("\\x{code:02x}")),
        _ if code < 0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
        _ => out.push_str(&format!("\\U{code:08x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{float_general, float_json, plain_decimal, quote, shortest_digits, whole};

    #[test]
    fn floats_as_go_prints_them() {
        for (value, expected) in [
            (3.0, "3"),
            (999_999.5, "999999.5"),
            (1_000_000.0, "1e+06"),
            (2_097_152.0, "2.097152e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.0, "-0"),
            (1e21, "1e+21"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(float_general(value), expected);
        }
        assert_eq!(float_json(1e20).as_deref(), Some("100000000000000000000"));
        assert_eq!(float_json(1e21).as_deref(), Some("1e+21"));
        assert_eq!(float_json(0.000_000_1).as_deref(), Some("1e-7"));
    }

    #[test]
    fn quoting_as_go_does() {
        assert_eq!(quote("é☃\x01\u{200b}\n\"".as_bytes()), "\"é☃\\x01\\u200b\\n\\\"\"");
        assert_eq!(quote(b"\xff"), "\"\\xff\"");
    }

    #[test]
    fn whole_numbers_are_their_shortest_digits() {
        for number in [1.0, 7.0, 10.0, 120.0, 65_536.0, 999_999.0, 1e6, 1e15, 9_007_199_254_740_991.0] {
            let (digits, exponent) = shortest_digits(number);
            let slow = plain_decimal(&digits, exponent);
            assert_eq!(whole(number).map(|whole| whole.to_string()), Some(slow.clone()), "{number}");
            assert_eq!(float_json(-number), Some(format!("-{slow}")));
        }
        assert_eq!([0.0, -0.0, 1.5, 1e16, f64::NAN, f64::INFINITY].map(whole), [None; 6]);
        assert_eq!([-0.0, 999_999.0, 1e6].map(float_general), ["-0", "999999", "1e+06"]);
    }
}
