//! Durations in nanoseconds: Go's text form and its parser. Pure functions.

use crate::value::{Object, Value, convert};

use super::SECOND;

/// A duration as Go prints it.
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let trimmed = |whole: u64, fraction: u64, width: usize, unit: &str| {
        let digits = format!("{fraction:0width$}");
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() { format!("{whole}{unit}") } else { format!("{whole}.{digits}{unit}") }
    };
    if total < 1_000 {
        return format!("{sign}{total}ns");
    }
    if total < 1_000_000 {
        return format!("{sign}{}", trimmed(total / 1_000, total % 1_000, 3, "µs"));
    }
    if total < 1_000_000_000 {
        return format!("{sign}{}", trimmed(total / 1_000_000, total % 1_000_000, 6, "ms"));
    }
    let (seconds, fraction) = (total / 1_000_000_000, total % 1_000_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = trimmed(seconds % 60, fraction, 9, "s");
    match (hours, minutes) {
        (0, 0) => format!("{sign}{rest}"),
        (0, _) => format!("{sign}{minutes}m{rest}"),
        _ => format!("{sign}{hours}h{minutes}m{rest}"),
    }
}

/// Go's `time.ParseDuration`; the error is its message.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let shown = super::layout::quote(text);
    let invalid = || format!("time: invalid duration {shown}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let scale: i128 = match unit {
            "" => return Err(format!("time: missing unit in duration {shown}")),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            other => {
                return Err(format!(
                    "time: unknown unit {} in duration {shown}",
                    super::layout::quote(other)
                ));
            }
        };
        let whole: i128 =
            if whole.is_empty() { 0 } else { whole.parse::<i64>().map_err(|_| invalid())?.into() };
        let digits = fraction.get(..fraction.len().min(18)).unwrap_or("");
        let part: i128 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| invalid())? };
        let power = 10_i128.pow(u32::try_from(digits.len()).unwrap_or(0));
        total += whole * scale + part * scale / power;
        rest = next;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// The argument of `duration`: seconds as text or int64, everything else is nothing.
pub(super) fn parse_seconds(value: &Value) -> i64 {
    let seconds = match value {
        Value::Text(text) => text.lossy().parse::<i64>().unwrap_or(0),
        Value::Int64(seconds) => *seconds,
        _ => 0,
    };
    seconds.wrapping_mul(SECOND)
}

/// Helm's reading of a duration: text with units, or a number of seconds.
pub(super) fn as_duration(value: &Value) -> Result<i64, String> {
    let from_seconds = |seconds: i64| {
        seconds.checked_mul(SECOND).ok_or_else(|| format!("duration seconds overflow: {seconds}"))
    };
    match value {
        Value::Object(object) => match &**object {
            Object::Duration(nanoseconds) => Ok(*nanoseconds),
            other => Err(format!("unsupported duration type {}", other.type_name(false))),
        },
        Value::Int(seconds) | Value::Int64(seconds) => from_seconds(*seconds),
        Value::Uint64(seconds) => from_seconds(i64::try_from(*seconds).unwrap_or(i64::MAX)),
        Value::Float(seconds) if seconds.is_finite() && seconds.abs() < 9.2e9 => {
            Ok(convert::float_to_int(seconds * 1e9))
        }
        Value::Float(seconds) => {
            Err(format!("invalid duration seconds: {}", convert::float_general(*seconds)))
        }
        Value::Text(text) => {
            let text = text.lossy();
            let text = text.trim();
            if text.is_empty() {
                return Err("empty duration".to_owned());
            }
            if let Ok(nanoseconds) = parse_duration(text) {
                return Ok(nanoseconds);
            }
            if let Ok(seconds) = text.parse::<i64>() {
                return from_seconds(seconds);
            }
            match text.parse::<f64>() {
                Ok(seconds) if seconds.is_finite() && seconds.abs() < 9.2e9 => {
                    Ok(convert::float_to_int(seconds * 1e9))
                }
                _ => Err(format!("could not parse duration {}", convert::quote(text.as_bytes()))),
            }
        }
        Value::Nil => Err("unsupported duration type <nil>".to_owned()),
        other => Err(format!("unsupported duration type {}", other.type_name(false))),
    }
}

/// Go's `Duration.Round`: half away from zero.
pub(super) fn rounded(length: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return length;
    }
    let rest = length % unit;
    if rest.unsigned_abs().saturating_mul(2) < unit.unsigned_abs() {
        return length - rest;
    }
    let step = if length < 0 { -unit } else { unit };
    length.saturating_sub(rest).saturating_add(step)
}

#[cfg(test)]
mod tests {
    use super::{duration_text, parse_duration, rounded};

    #[test]
    fn durations_as_go_has_them() {
        for (text, expected) in
            [("1h2m3s", "1h2m3s"), ("1.5h", "1h30m0s"), ("-90s", "-1m30s"), ("1500us", "1.5ms")]
        {
            assert_eq!(duration_text(parse_duration(text).expect("valid")), expected);
        }
        assert_eq!(parse_duration("5").expect_err("no unit"), "time: missing unit in duration \"5\"");
        assert_eq!(rounded(100, 30), 90);
    }
}
