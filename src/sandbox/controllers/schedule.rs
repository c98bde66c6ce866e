//! The schedules of cron jobs: five fields, lists, ranges and steps.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// The minutes in which something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads a schedule.
    pub(super) fn parse(text: &str) -> Option<Schedule> {
        let text = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            text => text,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
        let weekday_bits = field(weekdays, 0, 7, &WEEKDAYS, 0)?;
        Some(Schedule {
            minutes: field(minutes, 0, 59, &[], 0)?,
            hours: field(hours, 0, 23, &[], 0)?,
            days: field(days, 1, 31, &[], 0)?,
            months: field(months, 1, 12, &MONTHS, 1)?,
            // Sunday is 0 and 7.
            weekdays: (weekday_bits | (weekday_bits >> 7)) & 0x7f,
            any_day: days.starts_with(['*', '?']),
            any_weekday: weekdays.starts_with(['*', '?']),
        })
    }

    /// The first time after another.
    pub(super) fn next(&self, after: Timestamp, zone: &str) -> Option<Timestamp> {
        let zone = if zone.is_empty() { TimeZone::UTC } else { TimeZone::get(zone).ok()? };
        let start = Timestamp::from_second(after.as_second().div_euclid(60) * 60 + 60).ok()?;
        let mut at = start.to_zoned(zone);
        let has = |bits: u64, number: i8| u32::try_from(number).is_ok_and(|number| bits >> number & 1 == 1);
        // Days are passed at once: the longest way is some leap years.
        for _ in 0..20_000 {
            let weekday = has(self.weekdays, at.weekday().to_sunday_zero_offset());
            let day = has(self.days, at.day());
            let of_day = if self.any_day || self.any_weekday { day && weekday } else { day || weekday };
            if !has(self.months, at.month()) || !of_day {
                at = at.start_of_day().ok()?.checked_add(Span::new().days(1)).ok()?;
            } else if !has(self.hours, at.hour()) {
                let rest = 60 - i64::from(at.minute());
                at = at.checked_add(Span::new().minutes(rest)).ok()?;
            } else if has(self.minutes, at.minute()) {
                return Some(at.timestamp());
            } else {
                at = at.checked_add(Span::new().minutes(1)).ok()?;
            }
        }
        None
    }
}

fn field(text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Option<u64> {
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_lowercase();
        let named = names.iter().position(|name| *name == lower);
        let named = named.and_then(|index| u32::try_from(index).ok()).map(|index| index + first);
        named.or_else(|| text.parse().ok()).filter(|number| (least..=most).contains(number))
    };
    let mut bits = 0_u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let stepped = part.contains('/');
        let (from, to) = match range {
            "*" | "?" => (least, most),
            range => match range.split_once('-') {
                Some((from, to)) => (number(from)?, number(to)?),
                None if stepped => (number(range)?, most),
                None => (number(range)?, number(range)?),
            },
        };
        let mut at = from;
        while at <= to {
            bits |= 1 << at;
            at += step;
        }
    }
    (bits != 0).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_times() {
        for (schedule, zone, after, expected) in [
            ("*/5 * * * *", "", "2026-01-01T00:01:30Z", "2026-01-01T00:05:00Z"),
            ("0 3 * * *", "", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"),
            ("30 9 * * 1-5", "", "2026-01-02T10:00:00Z", "2026-01-05T09:30:00Z"),
            ("0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 1 jan sun", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("@hourly", "", "2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z"),
            ("0 8 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T07:00:00Z"),
        ] {
            let after: Timestamp = after.parse().unwrap_or_default();
            let next = Schedule::parse(schedule).and_then(|schedule| schedule.next(after, zone));
            assert_eq!(next.map(|next| next.to_string()).as_deref(), Some(expected), "{schedule}");
        }
        for wrong in ["", "* * * *", "60 * * * *", "*/0 * * * *", "x * * * *"] {
            assert_eq!(Schedule::parse(wrong), None, "{wrong}");
        }
    }
}
