//! Numeric and quoted constants of templates, read as Go reads them. Pure functions.

use super::node::Number;
use crate::value::{Text, convert};
use crate::yaml::resolve::{Resolved, parse_integer};

/// What most constants are.
fn short_decimal(text: &str) -> Option<u32> {
    let is_short = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_short && (text.len() == 1 || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

/// Reads a number constant; the error is Go's message.
pub(super) fn number(text: &str) -> Result<Number, String> {
    if let Some(value) = short_decimal(text) {
        let (integer, float) = (Some(i64::from(value)), Some(f64::from(value)));
        let (unsigned, text) = (Some(u64::from(value)), Text::from(text));
        return Ok(Number { text, integer, unsigned, float, imaginary: None, floating: false });
    }
    let bad = || format!("bad number syntax: {}", convert::quote(text.as_bytes()));
    let mut number = Number {
        text: Text::from(text),
        integer: None,
        unsigned: None,
        float: None,
        imaginary: None,
        floating: false,
    };
    if let Some(plain) = text.strip_suffix('i') {
        return complex(text, plain).ok_or_else(bad);
    }
    if !underscores_allowed(text) {
        return Err(bad());
    }
    let plain = text.replace('_', "");
    match parse_integer(&plain) {
        Some(Resolved::Int(value)) => {
            number.integer = Some(value);
            number.unsigned = u64::try_from(value).ok();
        }
        Some(Resolved::Uint(value)) => number.unsigned = Some(value),
        _ => {}
    }
    let hexadecimal = plain.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    if let Some(value) = number.integer {
        number.float = Some(int_to_float(value));
    } else if let Some(value) = number.unsigned {
        #[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
        let value = value as f64;
        number.float = Some(value);
    } else {
        let value = if hexadecimal { hex_float(&plain) } else { plain.parse::<f64>().ok() };
        let looks_like = plain.contains(['.', 'e', 'E', 'p', 'P']);
        if let Some(value) =
            value.filter(|value| value.is_finite() && plain.contains(|c: char| c.is_ascii_digit()))
        {
            if !looks_like {
                return Err(format!("integer overflow: {}", convert::quote(text.as_bytes())));
            }
            number.float = Some(value);
            let whole = convert::float_to_int(value);
            if value.to_bits() == int_to_float(whole).to_bits() || (value == 0.0) {
                number.integer = Some(whole);
            }
            number.unsigned = whole_unsigned(value);
        }
    }
    number.floating = !hexadecimal && plain.contains(['.', 'e', 'E', 'p', 'P'])
        || hexadecimal && plain.contains(['p', 'P', '.']);
    if number.integer.is_none() && number.unsigned.is_none() && number.float.is_none() {
        return Err(format!("illegal number syntax: {}", convert::quote(text.as_bytes())));
    }
    Ok(number)
}

/// `2i`, or `1+2i`; without an imaginary part it is an ordinary number.
fn complex(text: &str, plain: &str) -> Option<Number> {
    let split = plain.char_indices().skip(1).filter(|(index, character)| {
        let exponent = plain.get(..*index).is_some_and(|before| before.ends_with(['e', 'E', 'p', 'P']));
        matches!(character, '+' | '-') && !exponent
    });
    let (real, imaginary) = match split.last() {
        Some((index, _)) => (number(plain.get(..index)?).ok()?.float?, plain.get(index..)?),
        None => (0.0, plain),
    };
    let imaginary = imaginary.trim_start_matches('+').parse::<f64>().ok()?;
    let whole = convert::float_to_int(real);
    let integer = (imaginary == 0.0 && int_to_float(whole).to_bits() == real.to_bits()).then_some(whole);
    Some(Number {
        text: Text::from(text),
        integer,
        unsigned: integer.and_then(|value| u64::try_from(value).ok()),
        float: Some(real),
        imaginary: Some(imaginary),
        floating: false,
    })
}

/// A float that is a whole number of 64 bits without a sign.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is whole, not negative and below 2^64"
)]
fn whole_unsigned(value: f64) -> Option<u64> {
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    (value.fract() == 0.0 && (0.0..BEYOND).contains(&value)).then_some(value as u64)
}

#[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
fn int_to_float(value: i64) -> f64 {
    value as f64
}

/// Underscores only between digits or after a base prefix.
pub(crate) fn underscores_allowed(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let digits = text.trim_start_matches(['+', '-']);
    !digits.contains("__") && !digits.ends_with('_') && !digits.starts_with('_')
}

fn hex_float(text: &str) -> Option<f64> {
    let negative = text.starts_with('-');
    let digits = text.trim_start_matches(['+', '-']);
    let digits = digits.get(2..)?;
    let (mantissa, exponent) = digits.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()? * 4;
    let value = value * 2.0_f64.powi(shift);
    Some(if negative { -value } else { value })
}

/// Reads a character constant with its quotes.
pub(super) fn character(text: &str) -> Result<Number, String> {
    let malformed = || format!("malformed character constant: {text}");
    let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or_else(malformed)?;
    let (bytes, used) = unescape_one(inner.as_bytes(), b'\'').ok_or_else(|| "invalid syntax".to_owned())?;
    if used != inner.len() {
        return Err(malformed());
    }
    let code = match (bytes.as_slice(), std::str::from_utf8(&bytes)) {
        (_, Ok(text)) => text.chars().next().map(u32::from),
        ([byte], _) => Some(u32::from(*byte)),
        _ => None,
    };
    let value = i64::from(code.ok_or_else(malformed)?);
    Ok(Number {
        text: Text::from(text),
        integer: Some(value),
        unsigned: u64::try_from(value).ok(),
        float: Some(int_to_float(value)),
        imaginary: None,
        floating: false,
    })
}

/// Takes the quotes off a string constant and resolves its escapes; `None` is Go's "invalid
/// syntax".
pub(super) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = text.split_first()?;
    let (_, inner) = rest.split_last()?;
    if *first == b'`' {
        return Some(inner.iter().copied().filter(|byte| *byte != b'\r').collect());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(escape) = memchr::memchr(b'\\', rest) {
        let (plain, escaped) = rest.split_at_checked(escape)?;
        out.extend_from_slice(plain);
        let (bytes, used) = unescape_one(escaped, b'"')?;
        out.extend_from_slice(&bytes);
        rest = escaped.get(used..)?;
    }
    out.extend_from_slice(rest);
    Some(out)
}

fn unescape_one(text: &[u8], mark: u8) -> Option<(Vec<u8>, usize)> {
    let (first, rest) = text.split_first()?;
    if *first != b'\\' {
        let width = match first {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            _ => 1,
        };
        let width = width.min(text.len());
        return Some((text.get(..width)?.to_vec(), width));
    }
    let escape = *rest.first()?;
    let simple = match escape {
        b'a' => Some(0x07),
        b'b' => Some(0x08),
        b'f' => Some(0x0C),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'v' => Some(0x0B),
        b'\\' => Some(b'\\'),
        _ if escape == mark => Some(mark),
        _ => None,
    };
    if let Some(byte) = simple {
        return Some((vec![byte], 2));
    }
    let (start, length, base) = match escape {
        b'x' => (2, 2, 16),
        b'u' => (2, 4, 16),
        b'U' => (2, 8, 16),
        b'0'..=b'7' => (1, 3, 8),
        _ => return None,
    };
    let digits = std::str::from_utf8(text.get(start..start + length)?).ok()?;
    let code = u32::from_str_radix(digits, base).ok()?;
    let bytes = if matches!(escape, b'u' | b'U') {
        char::from_u32(code)?.to_string().into_bytes()
    } else {
        vec![u8::try_from(code).ok()?]
    };
    Some((bytes, start + length))
}

#[cfg(test)]
mod tests {
    use super::{number, unquote};

    #[test]
    fn numbers_as_go_reads_them() {
        let read = |text: &str| number(text).map(|number| (number.integer, number.float, number.floating));
        assert_eq!(read("0x1F"), Ok((Some(31), Some(31.0), false)));
        assert_eq!(read("0"), Ok((Some(0), Some(0.0), false)));
        assert_eq!(read("1048576"), Ok((Some(1_048_576), Some(1_048_576.0), false)));
        assert_eq!(read("017"), Ok((Some(15), Some(15.0), false)));
        assert_eq!(read("1.0"), Ok((Some(1), Some(1.0), true)));
        assert_eq!(read("1e3"), Ok((Some(1000), Some(1000.0), true)));
        assert_eq!(read("1.5"), Ok((None, Some(1.5), true)));
        assert!(read("1_2__3").is_err());
        let unsigned = |text: &str| number(text).ok().and_then(|number| number.unsigned);
        assert_eq!(unsigned("2.0"), Some(2));
        assert_eq!(unsigned("1e19"), Some(10_000_000_000_000_000_000));
        assert_eq!(unsigned("2.5").or(unsigned("1e20")).or(unsigned("-2.0")), None);
        assert!(read("0x").is_err());
    }

    #[test]
    fn strings_lose_their_quotes() {
        assert_eq!(unquote(br#""a\n\u00e9\x41""#), Some("a\né\u{41}".as_bytes().to_vec()));
        assert_eq!(unquote(b"`a\\n`"), Some(b"a\\n".to_vec()));
        assert_eq!(unquote(br#""\q""#), None);
    }
}
