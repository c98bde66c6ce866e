//! Numbers with verbs and flags, as Go's fmt and strconv write them.

use super::Printer;
use crate::value::{Value, convert, printable};

impl Printer<'_> {
    pub(super) fn integer(&mut self, value: &Value, magnitude: u64, negative: bool, verb: char) {
        let mut digits = match verb {
            'v' if self.flags.sharp_v && matches!(value, Value::Uint64(_) | Value::Byte(_)) => {
                format!("0x{magnitude:x}")
            }
            'v' | 'd' => magnitude.to_string(),
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            'c' | 'q' | 'U' => return self.rune(magnitude, negative, verb),
            _ => return self.bad_verb(value, verb),
        };
        if self.flags.precision == Some(0) && magnitude == 0 {
            return self.padded_with_blanks(b"");
        }
        let sign = match (negative, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        };
        let wanted = match (self.flags.precision, self.flags.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => width - sign.len().min(width),
            _ => 0,
        };
        if digits.len() < wanted {
            digits.insert_str(0, &"0".repeat(wanted - digits.len()));
        }
        let prefix = match verb {
            'b' if self.flags.sharp => "0b",
            'o' if self.flags.sharp && !digits.starts_with('0') => "0",
            'O' if self.flags.sharp && !digits.starts_with('0') => "0o0",
            'O' => "0o",
            'x' if self.flags.sharp => "0x",
            'X' if self.flags.sharp => "0X",
            _ => "",
        };
        self.padded_with_blanks([sign, prefix, &digits].concat().as_bytes());
    }

    /// Pads without zeros.
    fn padded_with_blanks(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    fn rune(&mut self, magnitude: u64, negative: bool, verb: char) {
        let code = if negative { 0_u64.wrapping_sub(magnitude) } else { magnitude };
        let known = u32::try_from(code).ok().and_then(char::from_u32);
        let character = known.unwrap_or('\u{FFFD}');
        match verb {
            'c' => self.pad(character.to_string().as_bytes()),
            'q' => {
                let text = convert::quote_with(character.to_string().as_bytes(), '\'', self.flags.plus);
                self.pad(text.as_bytes());
            }
            _ => {
                let least = self.flags.precision.unwrap_or(4).max(4);
                let mut text = format!("U+{code:0least$X}");
                if self.flags.sharp
                    && let Some(shown) = known.filter(|shown| printable::is_printable(*shown))
                {
                    text.push_str(&format!(" '{shown}'"));
                }
                self.padded_with_blanks(text.as_bytes());
            }
        }
    }

    pub(super) fn float(&mut self, value: &Value, number: f64, verb: char) {
        let form = match verb {
            'v' => 'g',
            'F' => 'f',
            'b' | 'e' | 'E' | 'f' | 'g' | 'G' | 'x' | 'X' => verb,
            _ => return self.bad_verb(value, verb),
        };
        let default = if matches!(form, 'e' | 'E' | 'f') { Some(6) } else { None };
        let precision = self.flags.precision.or(default);
        let digits = magnitude_text(number.abs(), form, precision);
        let negative = number.is_sign_negative() && !number.is_nan();
        let sign = match (negative, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        };
        if !number.is_finite() {
            let sign = if number.is_infinite() && sign.is_empty() { "+" } else { sign };
            return self.padded_with_blanks(format!("{sign}{digits}").as_bytes());
        }
        let digits =
            if self.flags.sharp && verb != 'b' { with_zeros(&digits, verb, precision) } else { digits };
        if self.flags.zero && !self.flags.minus && !sign.is_empty() {
            let width = self.flags.width.unwrap_or(0);
            let zeros = "0".repeat(width.saturating_sub(sign.len() + digits.len()));
            return self.out.extend_from_slice(format!("{sign}{zeros}{digits}").as_bytes());
        }
        self.pad([sign, &digits].concat().as_bytes());
    }

    pub(super) fn complex(&mut self, value: &Value, (real, imaginary): (f64, f64), verb: char) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb);
        }
        let plus = self.flags.plus;
        self.out.push(b'(');
        self.float(&Value::Float(real), real, verb);
        // The imaginary part always has a sign.
        self.flags.plus = true;
        self.float(&Value::Float(imaginary), imaginary, verb);
        self.out.extend_from_slice(b"i)");
        self.flags.plus = plus;
    }
}

/// Go's `strconv.FormatFloat` of a number that is not negative; no precision asks for the shortest.
fn magnitude_text(number: f64, form: char, precision: Option<usize>) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return "Inf".to_owned();
    }
    match (form, precision) {
        ('b', _) => {
            let (mantissa, exponent) = parts(number);
            format!("{mantissa}p{exponent:+}")
        }
        ('x' | 'X', _) => {
            let text = hexadecimal(number, precision);
            if form == 'X' { text.to_ascii_uppercase() } else { text }
        }
        ('e', Some(precision)) => exponent_form(number, precision),
        ('E', Some(precision)) => exponent_form(number, precision).to_ascii_uppercase(),
        ('f', Some(precision)) => format!("{number:.precision$}"),
        ('G', None) => convert::float_general(number).to_ascii_uppercase(),
        (_, None) => convert::float_general(number),
        (_, Some(precision)) => {
            let text = general_form(number, precision.max(1));
            if form == 'G' { text.to_ascii_uppercase() } else { text }
        }
    }
}

/// Mantissa and exponent of the binary form.
fn parts(number: f64) -> (u64, i64) {
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let exponent = i64::try_from((bits >> 52) & 0x7FF).unwrap_or(0);
    if exponent == 0 { (fraction, -1074) } else { (fraction | (1 << 52), exponent - 1075) }
}

/// `0x1.8p+00`
fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(number);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // One digit before the point, sixty bits after it.
        let shift = mantissa.leading_zeros().saturating_sub(3);
        mantissa <<= shift;
        exponent += 60 - i64::from(shift);
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let dropped = u32::try_from(60 - precision * 4).unwrap_or(0);
        let extra = mantissa & ((1 << dropped) - 1);
        mantissa >>= dropped;
        let half = 1_u64 << (dropped - 1);
        if extra > half || (extra == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let lead = mantissa >> 60;
    let digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) if precision <= 15 => digits.get(..precision).unwrap_or("").to_owned(),
        Some(precision) => format!("{digits:0<precision$}"),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{lead}{point}{digits}p{sign}{:02}", exponent.abs())
}

/// `#` keeps the point and, for the general form, zeros up to the precision.
fn with_zeros(text: &str, verb: char, precision: Option<usize>) -> String {
    let mut wanted = match verb {
        'v' | 'g' | 'G' | 'x' => i64::try_from(precision.unwrap_or(6)).unwrap_or(0),
        _ => 0,
    };
    let marks: &[char] = if matches!(verb, 'x' | 'X') { &['p', 'P'] } else { &['p', 'P', 'e', 'E'] };
    let (head, tail) = text.find(marks).map_or((text, ""), |at| text.split_at(at));
    let (mut point, mut seen) = (false, false);
    for character in head.chars() {
        if character == '.' {
            point = true;
        } else {
            seen |= character != '0';
            wanted -= i64::from(seen);
        }
    }
    let mut out = head.to_owned();
    if !point {
        if head == "0" {
            wanted -= 1;
        }
        out.push('.');
    }
    out.push_str(&"0".repeat(usize::try_from(wanted).unwrap_or(0)));
    out + tail
}

fn exponent_form(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn general_form(number: f64, precision: usize) -> String {
    let rounded = exponent_form(number, precision - 1);
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "+00"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let strip = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    let mantissa = strip(mantissa);
    let digits = i64::try_from(mantissa.len() - usize::from(mantissa.contains('.'))).unwrap_or(0);
    let mut limit = i64::try_from(precision).unwrap_or(i64::MAX);
    if limit > digits && digits > exponent {
        limit = digits;
    }
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let decimals = usize::try_from(digits - 1 - exponent).unwrap_or(0);
    strip(&format!("{number:.decimals$}"))
}
