//! Dates, times, durations and periods.

use super::{Check, integer, no, quoted};
use crate::functions::dates;

pub(super) fn duration(text: &str) -> Check {
    const UNITS: [&str; 2] = ["YMD", "HMS"];
    let Some(rest) = text.strip_prefix('P') else { return no("must start with P") };
    if rest.is_empty() {
        return no("nothing after P");
    }
    if let Some(weeks) = rest.strip_suffix('W') {
        if weeks.is_empty() {
            return no("no number in week");
        }
        let digits = weeks.bytes().all(|byte| byte.is_ascii_digit());
        return if digits { Ok(()) } else { no("invalid week") };
    }
    for (index, part) in rest.split('T').enumerate() {
        if index != 0 && part.is_empty() {
            return no("no time elements");
        }
        let Some(units) = UNITS.get(index) else { return no("more than one T") };
        elements(part, units)?;
    }
    Ok(())
}

/// Numbers with units in their order.
fn elements(part: &str, all: &str) -> Check {
    let (mut rest, mut units) = (part, all);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return no("missing number");
        }
        let Some(unit) = rest.as_bytes().get(digits).copied() else { return no("missing unit") };
        let unit = char::from(unit);
        let Some(found) = units.find(unit) else {
            return Err(if all.contains(unit) {
                format!("unit {} out of order", quoted(unit))
            } else {
                format!("invalid unit {}", quoted(unit))
            });
        };
        units = units.get(found + 1..).unwrap_or("");
        rest = rest.get(digits + 1..).unwrap_or("");
    }
    Ok(())
}

pub(super) fn date(text: &str) -> Check {
    dates::check("2006-01-02", text)
}

pub(super) fn date_time(text: &str) -> Check {
    if text.len() < 20 {
        return no("less than 20 characters long");
    }
    let (Some(day), Some(b't' | b'T'), Some(time_of_day)) =
        (text.get(..10), text.as_bytes().get(10), text.get(11..))
    else {
        return no("11th character must be t or T");
    };
    date(day).map_err(|message| format!("invalid date element: {message}"))?;
    time(time_of_day).map_err(|message| format!("invalid time element: {message}"))
}

pub(super) fn time(text: &str) -> Check {
    if text.len() < 9 {
        return no("less than 9 characters long");
    }
    let bytes = text.as_bytes();
    if bytes.get(2) != Some(&b':') || bytes.get(5) != Some(&b':') {
        return no("missing colon in correct place");
    }
    let Some((clock, rest)) = text.split_at_checked(8) else { return no("invalid hour/min/sec") };
    let mut parts = Vec::new();
    for part in clock.splitn(3, ':') {
        match integer(part) {
            Err(_) => return no("invalid hour/min/sec"),
            Ok(number) if number < 0 => return no("non-positive hour/min/sec"),
            Ok(number) => parts.push(number),
        }
    }
    let [mut hour, mut minute, second] = parts[..] else { return no("missing hour/min/sec") };
    if hour > 23 || minute > 59 || second > 60 {
        return no("hour/min/sec out of range");
    }
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return no("no digits in second fraction");
            }
            fraction.get(digits..).unwrap_or("")
        }
        None => rest,
    };
    if rest != "z" && rest != "Z" {
        let shift = offset(rest)?;
        let moved = hour * 60 + minute + shift;
        let moved = if moved < 0 { moved + 24 * 60 } else { moved };
        (hour, minute) = (moved / 60, moved % 60);
    }
    if second >= 60 && (hour != 23 || minute != 59) {
        return no("invalid leap second");
    }
    Ok(())
}

/// Minutes from the clock to UTC.
fn offset(text: &str) -> Result<i64, String> {
    if text.len() != 6 {
        return Err("offset must be 6 characters long".to_owned());
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => -1,
        Some(b'-') => 1,
        _ => return Err("offset must begin with plus/minus".to_owned()),
    };
    let text = text.get(1..).unwrap_or("");
    if text.as_bytes().get(2) != Some(&b':') {
        return Err("missing colon in offset in correct place".to_owned());
    }
    let mut parts = Vec::new();
    for part in text.splitn(2, ':') {
        match integer(part) {
            Err(_) => return Err("invalid hour/min in offset".to_owned()),
            Ok(number) if number < 0 => return Err("non-positive hour/min in offset".to_owned()),
            Ok(number) => parts.push(number),
        }
    }
    match parts[..] {
        [hours, minutes] if hours <= 23 && minutes <= 59 => Ok(sign * (hours * 60 + minutes)),
        _ => Err("hour/min in offset out of range".to_owned()),
    }
}

pub(super) fn period(text: &str) -> Check {
    let Some((start, end)) = text.split_once('/') else { return no("missing slash") };
    if start.starts_with('P') {
        duration(start).map_err(|message| format!("invalid start duration: {message}"))?;
        return date_time(end).map_err(|message| format!("invalid end date-time: {message}"));
    }
    date_time(start).map_err(|message| format!("invalid start date-time: {message}"))?;
    if end.starts_with('P') {
        return duration(end).map_err(|message| format!("invalid end duration: {message}"));
    }
    date_time(end).map_err(|message| format!("invalid end date-time: {message}"))
}
