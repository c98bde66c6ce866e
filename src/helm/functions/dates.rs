//! Dates and durations with Go's layouts. The clock is an argument of the render.

use std::fmt;

use super::{Function, Outcome, Type, text, value};
use crate::helm::template::exec::Machine;
use crate::helm::value::{Object, Value};

use Type::{Any, Text as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("now", &[], now),
    Function::new("date", &[Str, Any], |machine, a| {
        let moment = moment(machine, &value(a, 1));
        Ok(Value::text(moment.format(&text(a, 0).lossy())))
    }),
    Function::new("htmlDate", &[Any], |machine, a| {
        let moment = moment(machine, &value(a, 0));
        Ok(Value::text(moment.format("2006-01-02")))
    }),
    Function::new("unixEpoch", &[Type::Time], |machine, a| {
        Ok(Value::text(moment(machine, &value(a, 0)).seconds.to_string()))
    }),
];

/// Methods of a time.
pub(super) const TIME_METHODS: &[Function] = &[
    Function::new("Unix", &[], |machine, a| Ok(Value::Int64(moment(machine, &value(a, 0)).seconds))),
    Function::new("Format", &[Str], |machine, a| {
        let moment = moment(machine, &value(a, 0));
        Ok(Value::text(moment.format(&text(a, 1).lossy())))
    }),
];

/// Methods of a duration.
pub(super) const DURATION_METHODS: &[Function] = &[];

/// A point in time in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    seconds: i64,
}

impl Moment {
    fn format(&self, _layout: &str) -> String {
        String::new()
    }

    /// RFC 3339 with as many decimals as needed.
    pub(crate) fn rfc3339_nano(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

fn now(machine: &mut Machine<'_>, _: &[Value]) -> Outcome {
    machine.deterministic = false;
    Ok(Value::object(Object::Time(Moment { seconds: machine.now })))
}

fn moment(machine: &mut Machine<'_>, value: &Value) -> Moment {
    match value {
        Value::Object(object) => match &**object {
            Object::Time(moment) => moment.clone(),
            _ => Moment { seconds: 0 },
        },
        Value::Int(seconds) | Value::Int64(seconds) => Moment { seconds: *seconds },
        _ => {
            machine.deterministic = false;
            Moment { seconds: machine.now }
        }
    }
}

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
