//! Arithmetic with sprig's casts: integers wrap, floats go through decimals. No state.

#![expect(clippy::unnecessary_wraps, reason = "every function of the tables has one signature")]

use super::{Function, Outcome, Type, int, text, value};
use crate::failure::Failure;
use crate::template::machine::Machine;
use crate::value::{Object, Value, convert};
use crate::yaml::resolve::{Resolved, parse_integer};

use Type::{Any, Float, Int, Text as Str};

mod decimal;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("int", &[Any], |_, a| Ok(Value::Int(to_int64(&value(a, 0))))),
    Function::new("int64", &[Any], |_, a| Ok(Value::Int64(to_int64(&value(a, 0))))),
    Function::new("float64", &[Any], |_, a| Ok(Value::Float(to_float64(&value(a, 0))))),
    Function::new("atoi", &[Str], |_, a| Ok(Value::Int(text(a, 0).lossy().parse().unwrap_or(0)))),
    Function::new("toDecimal", &[Any], |machine, a| {
        let shown = crate::template::format::display(&value(a, 0), machine.v3());
        let shown = String::from_utf8_lossy(&shown).into_owned();
        Ok(Value::Int64(i64::from_str_radix(&shown, 8).unwrap_or(0)))
    }),
    Function::variadic("add", &[Any], |_, a| {
        Ok(Value::Int64(a.iter().map(to_int64).fold(0, i64::wrapping_add)))
    }),
    Function::new("add1", &[Any], |_, a| Ok(Value::Int64(to_int64(&value(a, 0)).wrapping_add(1)))),
    Function::new("sub", &[Any, Any], |_, a| {
        Ok(Value::Int64(to_int64(&value(a, 0)).wrapping_sub(to_int64(&value(a, 1)))))
    }),
    Function::new("div", &[Any, Any], |_, a| divide(a, i64::wrapping_div)),
    Function::new("mod", &[Any, Any], |_, a| divide(a, i64::wrapping_rem)),
    Function::variadic("mul", &[Any, Any], |_, a| {
        Ok(Value::Int64(a.iter().map(to_int64).reduce(i64::wrapping_mul).unwrap_or(0)))
    }),
    Function::variadic("max", &[Any, Any], |_, a| {
        Ok(Value::Int64(a.iter().map(to_int64).max().unwrap_or(0)))
    }),
    Function::variadic("biggest", &[Any, Any], |_, a| {
        Ok(Value::Int64(a.iter().map(to_int64).max().unwrap_or(0)))
    }),
    Function::variadic("min", &[Any, Any], |_, a| {
        Ok(Value::Int64(a.iter().map(to_int64).min().unwrap_or(0)))
    }),
    Function::variadic("maxf", &[Any, Any], |_, a| Ok(Value::Float(extreme(a, |new, best| new > best)))),
    Function::variadic("minf", &[Any, Any], |_, a| Ok(Value::Float(extreme(a, |new, best| new < best)))),
    Function::variadic("addf", &[Any], |_, a| {
        let zero = Value::Float(0.0);
        decimals(std::iter::once(&zero).chain(a), decimal::add)
    }),
    Function::new("add1f", &[Any], |_, a| {
        let one = Value::Float(1.0);
        decimals(a.iter().chain(std::iter::once(&one)), decimal::add)
    }),
    Function::variadic("subf", &[Any, Any], |_, a| decimals(a.iter(), decimal::subtract)),
    Function::variadic("mulf", &[Any, Any], |_, a| decimals(a.iter(), decimal::multiply)),
    Function::variadic("divf", &[Any, Any], |_, a| decimals(a.iter(), decimal::divide)),
    Function::new("floor", &[Any], |_, a| Ok(Value::Float(to_float64(&value(a, 0)).floor()))),
    Function::new("ceil", &[Any], |_, a| Ok(Value::Float(to_float64(&value(a, 0)).ceil()))),
    Function::variadic("round", &[Any, Int, Float], round),
    Function::variadic("seq", &[Int], sequence),
];

/// spf13/cast's `ToInt64`.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        #[expect(clippy::cast_possible_wrap, reason = "Go wraps as well")]
        Value::Uint64(number) => *number as i64,
        Value::Byte(number) => i64::from(*number),
        Value::Float(number) => convert::float_to_int(*number),
        Value::Bool(flag) => i64::from(*flag),
        Value::Text(text) => parse_cast(&text.lossy()),
        Value::Object(object) => match &**object {
            Object::Duration(number) => *number,
            _ => 0,
        },
        _ => 0,
    }
}

/// Strings may end in `.0`; underscores follow Go's base-0 rule.
fn parse_cast(text: &str) -> i64 {
    let trimmed = match text.rsplit_once('.') {
        Some((whole, zeros)) if !whole.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    if !crate::template::number::underscores_allowed(trimmed) {
        return 0;
    }
    match parse_integer(&trimmed.replace('_', "")) {
        Some(Resolved::Int(number)) => number,
        _ => 0,
    }
}

/// spf13/cast's `ToFloat64`.
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
        Value::Int(number) | Value::Int64(number) => *number as f64,
        #[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
        Value::Uint64(number) => *number as f64,
        Value::Byte(number) => f64::from(*number),
        Value::Float(number) => *number,
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        Value::Text(text) => parse_float(&text.lossy()).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Go's `strconv.ParseFloat` for decimal text; out of range is an error there.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if text.len() > unsigned.len() + 1 {
        return None;
    }
    if matches!(unsigned.as_str(), "inf" | "infinity" | "nan") {
        return text.parse().ok();
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn divide(arguments: &[Value], operation: fn(i64, i64) -> i64) -> Outcome {
    let divisor = to_int64(&value(arguments, 1));
    if divisor == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(Value::Int64(operation(to_int64(&value(arguments, 0)), divisor)))
}

fn extreme(arguments: &[Value], better: fn(f64, f64) -> bool) -> f64 {
    let mut best = to_float64(&value(arguments, 0));
    for number in arguments.iter().skip(1).map(to_float64) {
        if number.is_nan() || better(number, best) {
            best = number;
        }
    }
    best
}

fn decimals<'v>(
    mut values: impl Iterator<Item = &'v Value>,
    operation: fn(&decimal::Decimal, &decimal::Decimal) -> Option<decimal::Decimal>,
) -> Outcome {
    let read = |value: &Value| {
        let number = to_float64(value);
        decimal::Decimal::from_float(number).ok_or_else(|| {
            Failure::new(format!("Cannot create a Decimal from {}", convert::float_general(number)))
        })
    };
    let mut result = match values.next() {
        Some(first) => read(first)?,
        None => return Ok(Value::Float(0.0)),
    };
    for value in values {
        result = operation(&result, &read(value)?).ok_or_else(|| Failure::new("decimal division by 0"))?;
    }
    Ok(Value::Float(result.to_float()))
}

fn round(_: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let number = to_float64(&value(arguments, 0));
    let places = int(arguments, 1);
    let threshold = match arguments.get(2) {
        Some(Value::Float(threshold)) => *threshold,
        _ => 0.5,
    };
    let power = 10_f64.powi(i32::try_from(places).unwrap_or(0));
    let shifted = power * number;
    let fraction = shifted - shifted.trunc();
    let whole = if fraction >= threshold { shifted.ceil() } else { shifted.floor() };
    Ok(Value::Float(whole / power))
}

fn sequence(_: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    const MOST: usize = 1_000_000;
    let (start, stop, step) = match arguments.len() {
        1 => {
            let end = int(arguments, 0);
            let step = if end < 1 { -1 } else { 1 };
            (1, end.wrapping_add(step), step)
        }
        2 => {
            let (start, end) = (int(arguments, 0), int(arguments, 1));
            let step = if end < start { -1 } else { 1 };
            (start, end.wrapping_add(step), step)
        }
        3 => {
            let (start, step, end) = (int(arguments, 0), int(arguments, 1), int(arguments, 2));
            let increment = if end < start { -1 } else { 1 };
            if end < start && step > 0 {
                return Ok(Value::text(""));
            }
            (start, end.wrapping_add(increment), step)
        }
        _ => return Ok(Value::text("")),
    };
    let mut shown = Vec::new();
    let mut number = start;
    let down = stop < start;
    if (down && step < 0) || (!down && step > 0) {
        while if down { number > stop } else { number < stop } {
            if shown.len() >= MOST {
                return Err(Failure::limit(crate::failure::Limit::Size, format!("more than {MOST} numbers")));
            }
            shown.push(number.to_string());
            number = number.wrapping_add(step);
        }
    }
    Ok(Value::text(shown.join(" ")))
}
