//! Dates and durations with Go's layouts. The clock is an argument of the render.

#![expect(clippy::unnecessary_wraps, reason = "every function of the tables has one signature")]

use std::fmt;

use super::{Function, Outcome, Type, int, text, value};
use crate::Compat;
use crate::chance::Drawn;
use crate::failure::Failure;
use crate::template::machine::Machine;
use crate::value::{Object, Value};

use Type::{Any, Int, Text as Str, Time};

mod calendar;
mod layout;
mod spans;

use calendar::{Civil, MONTHS, WEEKDAYS};
pub(crate) use spans::duration_text;
use spans::{as_duration, parse_duration, parse_seconds, rounded};

const SECOND: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("now", &[], |machine, _| Ok(time(instant(machine, "now")?))).drawing(),
    Function::new("date", &[Str, Any], |machine, a| {
        let moment = moment(machine, "date", &value(a, 1))?;
        Ok(Value::text(moment.format(&text(a, 0).lossy())))
    })
    .drawing(),
    Function::new("dateInZone", &[Str, Any, Str], date_in_zone).drawing(),
    Function::new("date_in_zone", &[Str, Any, Str], date_in_zone).drawing(),
    Function::new("htmlDate", &[Any], |machine, a| {
        let moment = moment(machine, "htmlDate", &value(a, 0))?;
        Ok(Value::text(moment.format("2006-01-02")))
    })
    .drawing(),
    Function::new("htmlDateInZone", &[Any, Str], |machine, a| {
        let moment = moment(machine, "htmlDateInZone", &value(a, 0))?.in_zone(&text(a, 1).lossy());
        Ok(Value::text(moment.format("2006-01-02")))
    })
    .drawing(),
    Function::new("dateModify", &[Str, Time], |machine, a| {
        Ok(date_modify(machine, a).unwrap_or_else(|_| value(a, 1)))
    }),
    Function::new("date_modify", &[Str, Time], |machine, a| {
        Ok(date_modify(machine, a).unwrap_or_else(|_| value(a, 1)))
    }),
    Function::new("mustDateModify", &[Str, Time], date_modify),
    Function::new("must_date_modify", &[Str, Time], date_modify),
    Function::new("toDate", &[Str, Str], |_, a| {
        Ok(time(layout::parse(&text(a, 0).lossy(), &text(a, 1).lossy()).unwrap_or(Moment::ZERO)))
    }),
    Function::new("mustToDate", &[Str, Str], |_, a| {
        layout::parse(&text(a, 0).lossy(), &text(a, 1).lossy()).map(time).map_err(Failure::new)
    }),
    Function::new("unixEpoch", &[Time], |machine, a| {
        Ok(Value::text(moment(machine, "unixEpoch", &value(a, 0))?.seconds.to_string()))
    })
    .drawing(),
    Function::new("ago", &[Any], |machine, a| {
        let now = instant(machine, "ago")?;
        let then = moment(machine, "ago", &value(a, 0))?;
        let passed = now.seconds.saturating_sub(then.seconds).saturating_mul(SECOND);
        Ok(Value::text(duration_text(passed.saturating_sub(i64::from(then.nanoseconds)))))
    })
    .drawing(),
    Function::new("duration", &[Any], |_, a| Ok(Value::text(duration_text(parse_seconds(&value(a, 0)))))),
    Function::new("durationRound", &[Any], duration_round).drawing(),
    Function::new("mustToDuration", &[Any], |_, a| as_duration(&value(a, 0)).map(span).map_err(Failure::new))
        .since(Compat::V4_3),
    Function::new("durationSeconds", &[Any], |_, a| in_units(a, 1)).since(Compat::V4_3),
    Function::new("durationMinutes", &[Any], |_, a| in_units(a, 60)).since(Compat::V4_3),
    Function::new("durationHours", &[Any], |_, a| in_units(a, 3600)).since(Compat::V4_3),
    Function::new("durationDays", &[Any], |_, a| of_hours(a, &[24.0])).since(Compat::V4_3),
    Function::new("durationWeeks", &[Any], |_, a| of_hours(a, &[24.0, 7.0])).since(Compat::V4_3),
    Function::new("durationMilliseconds", &[Any], |_, a| whole_units(a, 1_000_000)).since(Compat::V4_3),
    Function::new("durationMicroseconds", &[Any], |_, a| whole_units(a, 1_000)).since(Compat::V4_3),
    Function::new("durationNanoseconds", &[Any], |_, a| whole_units(a, 1)).since(Compat::V4_3),
    Function::new("durationRoundTo", &[Any, Any], |_, a| Ok(span(adjusted(a, rounded)))).since(Compat::V4_3),
    Function::new("durationTruncateTo", &[Any, Any], |_, a| {
        Ok(span(adjusted(a, |length, unit| if unit <= 0 { length } else { length - length % unit })))
    })
    .since(Compat::V4_3),
];

/// Methods of a time.
pub(super) const TIME_METHODS: &[Function] = &[
    Function::new("Unix", &[], |_, a| of(a, |moment| Value::Int64(moment.seconds))),
    Function::new("UnixNano", &[], |_, a| {
        of(a, |moment| {
            Value::Int64(moment.seconds.wrapping_mul(SECOND).wrapping_add(i64::from(moment.nanoseconds)))
        })
    }),
    Function::new("UnixMilli", &[], |_, a| {
        of(a, |moment| {
            Value::Int64(moment.seconds.wrapping_mul(1000) + i64::from(moment.nanoseconds / 1_000_000))
        })
    }),
    Function::new("Year", &[], |_, a| of(a, |moment| Value::Int(moment.civil().year))),
    Function::new("Month", &[], |_, a| of(a, |moment| Value::text(name(&MONTHS, moment.civil().month - 1)))),
    Function::new("Day", &[], |_, a| of(a, |moment| Value::Int(moment.civil().day))),
    Function::new("Hour", &[], |_, a| of(a, |moment| Value::Int(moment.civil().hour))),
    Function::new("Minute", &[], |_, a| of(a, |moment| Value::Int(moment.civil().minute))),
    Function::new("Second", &[], |_, a| of(a, |moment| Value::Int(moment.civil().second))),
    Function::new("Nanosecond", &[], |_, a| of(a, |moment| Value::Int(i64::from(moment.nanoseconds)))),
    Function::new("YearDay", &[], |_, a| of(a, |moment| Value::Int(moment.civil().year_day))),
    Function::new("Weekday", &[], |_, a| {
        of(a, |moment| Value::text(name(&WEEKDAYS, moment.civil().weekday)))
    }),
    Function::new("String", &[], |_, a| of(a, |moment| Value::text(moment.to_string()))),
    Function::new("UTC", &[], |_, a| of(a, |moment| time(Moment::utc(moment.seconds, moment.nanoseconds)))),
    Function::new("Local", &[], |_, a| of(a, |moment| time(Moment::utc(moment.seconds, moment.nanoseconds)))),
    Function::new("IsZero", &[], |_, a| of(a, |moment| Value::Bool(moment.seconds == Moment::ZERO.seconds))),
    Function::new("Format", &[Str], |_, a| {
        let layout = text(a, 1);
        of(a, |moment| Value::text(moment.format(&layout.lossy())))
    }),
    Function::new("AddDate", &[Int, Int, Int], |_, a| {
        let (years, months, days) = (int(a, 1), int(a, 2), int(a, 3));
        of(a, |moment| time(moment.plus_date(years, months, days)))
    }),
    Function::new("Add", &[Type::Duration], |_, a| {
        let length = as_duration(&value(a, 1)).unwrap_or(0);
        of(a, |moment| time(moment.plus(length)))
    }),
    Function::new("Sub", &[Time], |machine, a| {
        let other = moment(machine, "now", &value(a, 1))?;
        of(a, |moment| span(moment.since(&other)))
    }),
    Function::new("Before", &[Time], |machine, a| {
        let other = moment(machine, "now", &value(a, 1))?;
        of(a, |moment| Value::Bool(moment.since(&other) < 0))
    }),
    Function::new("After", &[Time], |machine, a| {
        let other = moment(machine, "now", &value(a, 1))?;
        of(a, |moment| Value::Bool(moment.since(&other) > 0))
    }),
    Function::new("Equal", &[Time], |machine, a| {
        let other = moment(machine, "now", &value(a, 1))?;
        of(a, |moment| Value::Bool(moment.since(&other) == 0))
    }),
];

/// Methods of a duration.
pub(super) const DURATION_METHODS: &[Function] = &[
    Function::new("String", &[], |_, a| {
        Ok(Value::text(duration_text(as_duration(&value(a, 0)).unwrap_or(0))))
    }),
    Function::new("Seconds", &[], |_, a| in_units(a, 1)),
    Function::new("Minutes", &[], |_, a| in_units(a, 60)),
    Function::new("Hours", &[], |_, a| in_units(a, 3600)),
    Function::new("Milliseconds", &[], |_, a| whole_units(a, 1_000_000)),
    Function::new("Microseconds", &[], |_, a| whole_units(a, 1_000)),
    Function::new("Nanoseconds", &[], |_, a| whole_units(a, 1)),
    Function::new("Round", &[Type::Duration], |_, a| Ok(span(adjusted(a, rounded)))),
    Function::new("Truncate", &[Type::Duration], |_, a| {
        Ok(span(adjusted(a, |length, unit| if unit <= 0 { length } else { length - length % unit })))
    }),
];

fn name(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or("")
}

fn time(moment: Moment) -> Value {
    Value::object(Object::Time(moment))
}

fn span(nanoseconds: i64) -> Value {
    Value::object(Object::Duration(nanoseconds))
}

fn of(arguments: &[Value], read: impl FnOnce(&Moment) -> Value) -> Outcome {
    match value(arguments, 0) {
        Value::Object(object) => match &*object {
            Object::Time(moment) => Ok(read(moment)),
            _ => Err("not a time".into()),
        },
        _ => Err("not a time".into()),
    }
}

/// Whole units and the rest apart, as Go adds them up.
#[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
fn units(arguments: &[Value], seconds: i64) -> f64 {
    let length = as_duration(&value(arguments, 0)).unwrap_or(0);
    let unit = seconds * 1_000_000_000;
    (length / unit) as f64 + (length % unit) as f64 / unit as f64
}

fn in_units(arguments: &[Value], seconds: i64) -> Outcome {
    Ok(Value::Float(units(arguments, seconds)))
}

fn of_hours(arguments: &[Value], divisors: &[f64]) -> Outcome {
    Ok(Value::Float(divisors.iter().fold(units(arguments, 3600), |hours, divisor| hours / divisor)))
}

fn whole_units(arguments: &[Value], unit: i64) -> Outcome {
    Ok(Value::Int64(as_duration(&value(arguments, 0)).unwrap_or(0) / unit))
}

fn adjusted(arguments: &[Value], adjust: impl Fn(i64, i64) -> i64) -> i64 {
    match (as_duration(&value(arguments, 0)), as_duration(&value(arguments, 1))) {
        (Ok(length), Ok(unit)) => adjust(length, unit),
        (Ok(length), Err(_)) => length,
        _ => 0,
    }
}

/// A point in time in some zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    seconds: i64,
    nanoseconds: u32,
    /// Seconds east of UTC.
    offset: i64,
    zone: String,
}

impl Moment {
    /// Go's zero time: the first of January of the year 1.
    const ZERO: Self = Self { seconds: -62_135_596_800, nanoseconds: 0, offset: 0, zone: String::new() };

    fn utc(seconds: i64, nanoseconds: u32) -> Self {
        Self { seconds, nanoseconds, offset: 0, zone: "UTC".to_owned() }
    }

    fn civil(&self) -> Civil {
        Civil::of(self.seconds.saturating_add(self.offset))
    }

    /// The same moment in a zone of the database; UTC for unknown ones.
    fn in_zone(&self, zone: &str) -> Self {
        let utc = Self::utc(self.seconds, self.nanoseconds);
        if matches!(zone, "" | "UTC" | "Local") {
            return utc;
        }
        let (Ok(zone), Ok(stamp)) =
            (jiff::tz::TimeZone::get(zone), jiff::Timestamp::from_second(self.seconds))
        else {
            return utc;
        };
        let about = zone.to_offset_info(stamp);
        Self { offset: i64::from(about.offset().seconds()), zone: about.abbreviation().to_owned(), ..utc }
    }

    fn plus(&self, nanoseconds: i64) -> Self {
        let total = i64::from(self.nanoseconds) + nanoseconds.rem_euclid(SECOND);
        Self {
            seconds: self
                .seconds
                .saturating_add(nanoseconds.div_euclid(SECOND))
                .saturating_add(total / SECOND),
            nanoseconds: u32::try_from(total % SECOND).unwrap_or(0),
            ..self.clone()
        }
    }

    fn plus_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let seconds = calendar::seconds_of(
            civil.year.saturating_add(years),
            civil.month.saturating_add(months),
            civil.day.saturating_add(days),
        );
        let of_day = civil.hour * 3600 + civil.minute * 60 + civil.second;
        Self { seconds: seconds.saturating_add(of_day).saturating_sub(self.offset), ..self.clone() }
    }

    fn since(&self, other: &Self) -> i64 {
        let seconds = self.seconds.saturating_sub(other.seconds).saturating_mul(SECOND);
        seconds.saturating_add(i64::from(self.nanoseconds)).saturating_sub(i64::from(other.nanoseconds))
    }

    fn format(&self, layout: &str) -> String {
        layout::format(self, layout)
    }

    /// As TOML has it: without what its own zone says that it lacks.
    pub(crate) fn toml(&self) -> String {
        match self.zone.as_str() {
            "datetime-local" => self.format("2006-01-02T15:04:05.999999999"),
            "date-local" => self.format("2006-01-02"),
            "time-local" => self.format("15:04:05.999999999"),
            _ => self.rfc3339_nano(),
        }
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

/// Reads a time; where it names no zone, it is in one of the given name that is UTC.
pub(crate) fn read_in_zone(layout: &str, text: &str, zone: Option<&str>) -> Option<Moment> {
    let moment = layout::parse(layout, text).ok()?;
    Some(match zone {
        Some(zone) => Moment { zone: zone.to_owned(), ..moment },
        None => moment,
    })
}

/// Whether a text is a time in a layout; the error is Go's message.
pub(crate) fn check(layout: &str, text: &str) -> Result<(), String> {
    layout::parse(layout, text).map(drop)
}

/// Reads a time as JSON has it; the error is Go's message.
pub(crate) fn read_rfc3339(text: &str) -> Result<Moment, String> {
    layout::parse("2006-01-02T15:04:05Z07:00", text)
}

/// The form of certificates: year to second, then Z.
pub(super) fn der_time(seconds: i64) -> String {
    Moment::utc(seconds, 0).format("20060102150405Z")
}

/// The time, as the render was given or remembers it.
fn instant(machine: &mut Machine<'_>, function: &'static str) -> Result<Moment, Failure> {
    machine.deterministic = false;
    let drawn = machine.draws.draw(function, &[], |_, now| Ok(Drawn::Time(now).into()))?;
    Ok(match drawn {
        Drawn::Time(seconds) => Moment::utc(seconds, 0),
        _ => Moment::ZERO,
    })
}

fn moment(machine: &mut Machine<'_>, function: &'static str, value: &Value) -> Result<Moment, Failure> {
    match value {
        Value::Object(object) => match &**object {
            Object::Time(moment) => Ok(moment.clone()),
            _ => instant(machine, function),
        },
        Value::Int(seconds) | Value::Int64(seconds) => Ok(Moment::utc(*seconds, 0)),
        _ => instant(machine, function),
    }
}

fn date_in_zone(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let moment = moment(machine, "dateInZone", &value(arguments, 1))?.in_zone(&text(arguments, 2).lossy());
    Ok(Value::text(moment.format(&text(arguments, 0).lossy())))
}

fn date_modify(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let length = parse_duration(&text(arguments, 0).lossy()).map_err(Failure::new)?;
    Ok(time(moment(machine, "dateModify", &value(arguments, 1))?.plus(length)))
}

/// Units of `durationRound` in seconds.
const UNITS: [(u64, &str); 6] =
    [(31_536_000, "y"), (2_592_000, "mo"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];

fn duration_round(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let length = match value(arguments, 0) {
        Value::Text(text) => parse_duration(&text.lossy()).unwrap_or(0),
        Value::Int64(number) => number,
        Value::Object(object) => match &*object {
            Object::Time(then) => instant(machine, "durationRound")?.since(then),
            _ => 0,
        },
        _ => 0,
    };
    let total = length.unsigned_abs();
    let found = UNITS.iter().find(|(seconds, _)| total > seconds * 1_000_000_000);
    Ok(Value::text(found.map_or_else(
        || "0s".to_owned(),
        |(seconds, unit)| format!("{}{unit}", total / (seconds * 1_000_000_000)),
    )))
}
