//! Resource quantities (`500m`, `1.5Gi`, `2e3`): reading, the one form in which the API server writes each, and
//! comparing.

use std::cmp::Ordering;

/// The message for what is no quantity.
pub(crate) const MALFORMED: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// More digits than these are no quantity of anything here.
const DIGITS: usize = 30;

/// A value in units of 10⁻⁹, and how it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    nano: i128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Decimal,
    Binary,
    Exponent,
}

const NANO: i128 = 1_000_000_000;

impl Quantity {
    pub(crate) fn parse(text: &str) -> Option<Quantity> {
        let sign_end = usize::from(text.starts_with(['+', '-']));
        let (sign, rest) = text.split_at(sign_end);
        let digits_end = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(digits_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        if whole.len() + fraction.len() > DIGITS {
            return None;
        }
        let (factor, power, form) = suffix_of(suffix)?;
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        // digits × factor × 10^(power + 9 - fraction)
        let scale = power + 9 - i32::try_from(fraction.len()).ok()?;
        let value = digits.checked_mul(factor)?;
        let nano = if scale >= 0 {
            value.checked_mul(10_i128.checked_pow(u32::try_from(scale).ok()?)?)?
        } else {
            // Rounded up: who asks for something gets something.
            let divisor = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
            value / divisor + i128::from(value % divisor != 0)
        };
        Some(Quantity { nano: if sign == "-" { -nano } else { nano }, form })
    }

    /// As the API server writes it.
    pub(crate) fn canonical(self) -> String {
        let whole = self.nano % NANO == 0;
        let units = self.nano / NANO;
        if self.form == Form::Binary && whole && units.abs() >= 1024 {
            let mut mantissa = units;
            let mut suffix = 0;
            while mantissa % 1024 == 0 && suffix < 6 {
                mantissa /= 1024;
                suffix += 1;
            }
            return format!("{mantissa}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][suffix]);
        }
        if self.nano == 0 {
            return "0".to_owned();
        }
        let (mut mantissa, mut exponent) = (self.nano, -9_i32);
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        while exponent.rem_euclid(3) != 0 || exponent > 18 {
            mantissa *= 10;
            exponent -= 1;
        }
        if self.form == Form::Exponent {
            return if exponent == 0 { mantissa.to_string() } else { format!("{mantissa}e{exponent}") };
        }
        let suffix = match exponent {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            18 => "E",
            _ => "",
        };
        format!("{mantissa}{suffix}")
    }

    /// The sum, written as the first one is; nothing beyond what can be counted.
    pub(crate) fn plus(self, other: Quantity) -> Quantity {
        Quantity { nano: self.nano.saturating_add(other.nano), form: self.form }
    }

    pub(crate) fn is_negative(self) -> bool {
        self.nano < 0
    }

    pub(crate) fn is_zero(self) -> bool {
        self.nano == 0
    }

    pub(crate) fn is_whole(self) -> bool {
        self.nano % NANO == 0
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.nano.cmp(&other.nano))
    }
}

/// Factor, power of ten, form.
fn suffix_of(suffix: &str) -> Option<(i128, i32, Form)> {
    let binary = |power: u32| Some((1024_i128.pow(power), 0, Form::Binary));
    let decimal = |power: i32| Some((1, power, Form::Decimal));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (-30..=18).contains(&power).then_some((1, power, Form::Exponent))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_each_value() {
        for (given, canonical) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("100", "100"),
            ("0", "0"),
            ("0Mi", "0"),
            ("512Ki", "512Ki"),
            ("1023Ki", "1023Ki"),
            ("1Ki", "1Ki"),
            ("2e3", "2e3"),
            ("1.1", "1100m"),
            ("-5", "-5"),
            ("10G", "10G"),
            ("0.1Ki", "102400m"),
            ("1n", "1n"),
        ] {
            assert_eq!(
                Quantity::parse(given).map(Quantity::canonical).as_deref(),
                Some(canonical),
                "{given}"
            );
        }
        for wrong in ["", "a", "1x", ".", "1 Gi", "1.2.3", "--1", "1ee3", "1Gii"] {
            assert_eq!(Quantity::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn comparing_goes_by_value() {
        assert!(Quantity::parse("1Gi") > Quantity::parse("1G"));
        assert!(Quantity::parse("1").unwrap().is_whole() && !Quantity::parse("1m").unwrap().is_whole());
    }
}
