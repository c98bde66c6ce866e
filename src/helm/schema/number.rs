//! Numbers of JSON: exact, and as messages show them.

use std::cmp::Ordering;

use num_bigint::BigUint;

use crate::value::convert::shortest_digits;

/// A number as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number(Box<str>);

impl Number {
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn decimal(&self) -> Decimal {
        Decimal::parse(&self.0)
    }
}

/// A decimal number: digits without zeros at either end, times a power of ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// A remainder is sought between numbers of at most so many digits.
const LONGEST: usize = 4096;

impl Decimal {
    fn parse(text: &str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // An exponent beyond 64 bits is as good as the largest one.
        let exponent: i64 = exponent.parse().unwrap_or(if exponent.starts_with('-') { -1 } else { 1 } << 62);
        let all = format!("{whole}{fraction}");
        let kept = all.trim_end_matches('0');
        let dropped = all.len() - kept.len();
        let digits = kept.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX >> 2);
        let exponent = exponent.saturating_add(length(dropped)).saturating_sub(length(fraction.len()));
        Self { negative, digits, exponent }
    }

    pub(super) fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// A whole number that counts something; none is beyond 64 bits in practice.
    pub(super) fn to_count(&self) -> Option<i64> {
        if !self.is_integer() {
            return None;
        }
        let sign = if self.negative { -1 } else { 1 };
        let zeros = usize::try_from(self.exponent).unwrap_or(usize::MAX).min(32);
        let text = format!("{}{}", self.digits, "0".repeat(zeros));
        Some(if text.is_empty() {
            0
        } else {
            text.parse::<i64>().map_or(sign * i64::MAX, |number| sign * number)
        })
    }

    /// How far the first digit is left of the point.
    fn magnitude(&self) -> i64 {
        self.exponent.saturating_add(i64::try_from(self.digits.len()).unwrap_or(i64::MAX >> 2))
    }

    pub(super) fn is_multiple_of(&self, other: &Self) -> bool {
        if self.is_zero() {
            return true;
        }
        if other.is_zero() || self.digits.len() > LONGEST || other.digits.len() > LONGEST {
            return other.is_zero();
        }
        let number = |text: &str| text.parse::<BigUint>().unwrap_or_default();
        let shift = self.exponent.saturating_sub(other.exponent);
        if shift >= 0 {
            // The power of ten may be huge; its remainder is not.
            let by = number(&other.digits);
            let power = BigUint::from(10_u32).modpow(&BigUint::from(shift.unsigned_abs()), &by);
            return (number(&self.digits) * power) % by == BigUint::default();
        }
        if other.magnitude() > self.magnitude() {
            return false;
        }
        let zeros = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX).min(LONGEST);
        let by = number(&format!("{}{}", other.digits, "0".repeat(zeros)));
        number(&self.digits) % by == BigUint::default()
    }

    /// The nearest float.
    pub(super) fn to_float(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.is_zero() { "0" } else { &self.digits };
        format!("{sign}{digits}e{}", self.exponent).parse().unwrap_or(f64::NAN)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let sizes = self.magnitude().cmp(&other.magnitude()).then_with(|| self.digits.cmp(&other.digits));
            if self.negative { sizes.reverse() } else { sizes }
        })
    }
}

/// A count in a message, in groups of three digits.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    format!("{}{}", if number < 0 { "-" } else { "" }, in_groups(&digits))
}

fn in_groups(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number in a message: groups of three digits, and a power of ten below 1e-4 and from 1e6 on.
pub(super) fn shown(number: &Decimal) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let float = number.to_float();
    let sign = if float < 0.0 { "-" } else { "" };
    if float.is_infinite() {
        return format!("{sign}∞");
    }
    if float == 0.0 {
        return "0".to_owned();
    }
    let (digits, exponent) = shortest_digits(float);
    let (first, rest) = digits.split_at(1.min(digits.len()));
    if !(-4..6).contains(&exponent) {
        let dot = if rest.is_empty() { "" } else { "." };
        let below = if exponent < 0 { "⁻" } else { "" };
        let raised: String = format!("{:02}", exponent.abs())
            .chars()
            .filter_map(|digit| digit.to_digit(10).and_then(|digit| RAISED.get(digit as usize)))
            .collect();
        return format!("{sign}{first}{dot}{rest}×10{below}{raised}");
    }
    let Ok(whole) = usize::try_from(exponent + 1) else {
        return format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)));
    };
    let padded = format!("{digits:0<whole$}");
    let (whole, fraction) = padded.split_at(whole);
    let whole = if whole.is_empty() { "0".to_owned() } else { in_groups(whole) };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::{Number, shown};

    #[test]
    fn numbers_are_shown_as_by_helm() {
        for (text, expected) in [
            ("1000", "1,000"),
            ("1234567.5", "1.2345675×10⁰⁶"),
            ("1e20", "1×10²⁰"),
            ("0.00001", "1×10⁻⁰⁵"),
            ("-1234.5678", "-1,234.5678"),
            ("999999", "999,999"),
            ("0.0001", "0.0001"),
            ("0.25", "0.25"),
            ("-0", "0"),
            ("1e999", "∞"),
        ] {
            assert_eq!(shown(&Number::new(text).decimal()), expected);
        }
    }

    #[test]
    fn comparisons_and_remainders_are_exact() {
        let number = |text| Number::new(text).decimal();
        assert!(number("0.3").is_multiple_of(&number("0.1")));
        assert!(!number("7").is_multiple_of(&number("2")));
        assert!(!number("1e30").is_multiple_of(&number("7")));
        assert!(number("1e999999999").is_multiple_of(&number("5")));
        assert!(!number("5").is_multiple_of(&number("1e999999999")));
        assert!(number("9007199254740993") > number("9007199254740992"));
        assert!(
            number("-2") < number("-1.5") && number("-1") < number("0") && number("1e2") == number("100.0")
        );
    }
}
