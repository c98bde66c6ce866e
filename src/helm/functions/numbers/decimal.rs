//! Decimal arithmetic as the library behind `addf` and friends does it: exact sums and products,
//! quotients to 16 decimals. Digits are kept as decimal strings; charts add a handful of numbers.

#![expect(
    clippy::format_push_string,
    reason = "short strings; writing in place would give a result to ignore"
)]

use crate::value::convert;

/// A decimal number: sign, digits, and how many of them are decimals.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decimal {
    negative: bool,
    /// Most significant first.
    digits: Vec<u8>,
    decimals: usize,
}

/// Beyond this many digits numbers fall back to floats.
const MOST: usize = 2_000;

impl Decimal {
    /// The shortest decimal of a float; `None` for infinities and not-a-number.
    pub(super) fn from_float(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let (digits, exponent) = convert::shortest_digits(number);
        let mut digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
        let length = i32::try_from(digits.len()).ok()?;
        let scale = length - 1 - exponent;
        let decimals = usize::try_from(scale).unwrap_or(0);
        if scale < 0 {
            digits.resize(digits.len() + usize::try_from(-scale).ok()?, 0);
        }
        Some(Self { negative: number.is_sign_negative() && number != 0.0, digits, decimals }.trimmed())
    }

    /// The nearest float.
    pub(super) fn to_float(&self) -> f64 {
        let mut text = String::with_capacity(self.digits.len() + 8);
        if self.negative {
            text.push('-');
        }
        text.extend(self.digits.iter().map(|digit| char::from(b'0' + digit)));
        text.push_str(&format!("e-{}", self.decimals));
        text.parse().unwrap_or(0.0)
    }

    fn trimmed(mut self) -> Self {
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..zeros.min(self.digits.len().saturating_sub(1)));
        if self.digits.iter().all(|digit| *digit == 0) {
            self.negative = false;
        }
        self
    }

    fn scaled(&self, decimals: usize) -> Vec<u8> {
        let mut digits = self.digits.clone();
        digits.resize(digits.len() + decimals - self.decimals.min(decimals), 0);
        digits
    }
}

fn compare(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    let strip = |digits: &[u8]| digits.iter().copied().skip_while(|digit| *digit == 0).collect::<Vec<u8>>();
    let (left, right) = (strip(left), strip(right));
    left.len().cmp(&right.len()).then_with(|| left.cmp(&right))
}

fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(left.len().max(right.len()) + 1);
    let mut carry = 0;
    let (mut left, mut right) = (left.iter().rev(), right.iter().rev());
    loop {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            break;
        }
        let total = a.copied().unwrap_or(0) + b.copied().unwrap_or(0) + carry;
        out.push(total % 10);
        carry = total / 10;
    }
    out.push(carry);
    out.reverse();
    out
}

/// Left minus right, where left is not the smaller one.
fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(left.len());
    let mut borrow = 0_i8;
    let mut right = right.iter().rev();
    for digit in left.iter().rev() {
        let mut value = i8::try_from(*digit).unwrap_or(0)
            - borrow
            - right.next().map_or(0, |digit| i8::try_from(*digit).unwrap_or(0));
        borrow = i8::from(value < 0);
        if value < 0 {
            value += 10;
        }
        out.push(u8::try_from(value).unwrap_or(0));
    }
    out.reverse();
    out
}

/// The sum.
pub(super) fn add(left: &Decimal, right: &Decimal) -> Option<Decimal> {
    let decimals = left.decimals.max(right.decimals);
    if decimals > MOST {
        return Decimal::from_float(left.to_float() + right.to_float());
    }
    let (a, b) = (left.scaled(decimals), right.scaled(decimals));
    let (negative, digits) = if left.negative == right.negative {
        (left.negative, sum(&a, &b))
    } else if compare(&a, &b) == std::cmp::Ordering::Less {
        (right.negative, difference(&b, &a))
    } else {
        (left.negative, difference(&a, &b))
    };
    Some(Decimal { negative, digits, decimals }.trimmed())
}

/// The difference.
pub(super) fn subtract(left: &Decimal, right: &Decimal) -> Option<Decimal> {
    add(left, &Decimal { negative: !right.negative, ..right.clone() })
}

/// The product.
pub(super) fn multiply(left: &Decimal, right: &Decimal) -> Option<Decimal> {
    if left.digits.len() + right.digits.len() > MOST {
        return Decimal::from_float(left.to_float() * right.to_float());
    }
    let mut cells = vec![0_u32; left.digits.len() + right.digits.len()];
    for (i, a) in left.digits.iter().rev().enumerate() {
        for (j, b) in right.digits.iter().rev().enumerate() {
            if let Some(cell) = cells.get_mut(i + j) {
                *cell += u32::from(*a) * u32::from(*b);
            }
        }
    }
    let mut carry = 0;
    let mut digits: Vec<u8> = Vec::with_capacity(cells.len() + 1);
    for cell in cells {
        let total = cell + carry;
        digits.push(u8::try_from(total % 10).unwrap_or(0));
        carry = total / 10;
    }
    while carry > 0 {
        digits.push(u8::try_from(carry % 10).unwrap_or(0));
        carry /= 10;
    }
    digits.reverse();
    let decimals = left.decimals + right.decimals;
    Some(Decimal { negative: left.negative != right.negative, digits, decimals }.trimmed())
}

/// The quotient, rounded half away from zero at 16 decimals; `None` for a zero divisor.
pub(super) fn divide(left: &Decimal, right: &Decimal) -> Option<Decimal> {
    const PRECISION: usize = 16;
    if right.digits.iter().all(|digit| *digit == 0) {
        return None;
    }
    if left.digits.len() + right.digits.len() > MOST || left.decimals + right.decimals > MOST {
        return Decimal::from_float(left.to_float() / right.to_float());
    }
    let scale = left.decimals.max(right.decimals);
    let mut numerator = left.scaled(scale);
    let denominator = right.scaled(scale);
    numerator.resize(numerator.len() + PRECISION + 1, 0);
    let mut quotient = Vec::with_capacity(numerator.len());
    let mut rest: Vec<u8> = Vec::new();
    for digit in numerator {
        rest.push(digit);
        let mut times = 0;
        while compare(&rest, &denominator) != std::cmp::Ordering::Less {
            let padded =
                if rest.len() < denominator.len() { rest.clone() } else { difference(&rest, &denominator) };
            rest = padded.into_iter().skip_while(|digit| *digit == 0).collect();
            times += 1;
        }
        quotient.push(times);
    }
    let last = quotient.pop().unwrap_or(0);
    if last >= 5 {
        quotient = sum(&quotient, &[1]);
    }
    Some(
        Decimal { negative: left.negative != right.negative, digits: quotient, decimals: PRECISION }
            .trimmed(),
    )
}

#[cfg(test)]
mod tests {
    use super::{Decimal, add, divide, multiply, subtract};

    #[test]
    fn decimals_have_no_binary_noise() {
        let number = |value: f64| Decimal::from_float(value).expect("finite");
        assert_eq!(add(&number(0.1), &number(0.2)).expect("sum").to_float().to_string(), "0.3");
        assert_eq!(subtract(&number(0.3), &number(0.5)).expect("difference").to_float().to_string(), "-0.2");
        assert_eq!(
            multiply(&number(1000.0), &number(-1.5)).expect("product").to_float().to_string(),
            "-1500"
        );
        assert_eq!(
            divide(&number(10.0), &number(3.0)).expect("quotient").to_float().to_string(),
            "3.3333333333333335"
        );
        assert!(divide(&number(1.0), &number(0.0)).is_none());
    }
}
