//! Go's date layouts: formatting and parsing by the reference time.

#![expect(
    clippy::format_push_string,
    reason = "short strings; writing in place would give a result to ignore"
)]

use super::calendar::{MONTHS, WEEKDAYS, days_in, seconds_of};
use super::{Moment, name};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    LongMonth,
    ShortMonth,
    Month,
    ZeroMonth,
    LongWeekday,
    ShortWeekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    ShortYear,
    UpperHalf,
    LowerHalf,
    Zone,
    /// Offset: whether Z stands for UTC, whether there are colons, how many groups of digits.
    Offset(bool, bool, u8),
    /// Decimals: how many digits, whether zeros at the end are cut, the separator.
    Fraction(usize, bool, char),
}

/// The layout elements in the order in which they are tried.
const PARTS: [(&str, Part); 38] = [
    ("January", Part::LongMonth),
    ("Jan", Part::ShortMonth),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::ShortWeekday),
    ("MST", Part::Zone),
    ("2006", Part::LongYear),
    ("__2", Part::SpaceYearDay),
    ("002", Part::ZeroYearDay),
    ("_2006", Part::LongYear),
    ("_2", Part::SpaceDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::ShortYear),
    ("15", Part::Hour),
    ("PM", Part::UpperHalf),
    ("pm", Part::LowerHalf),
    ("-07:00:00", Part::Offset(false, true, 3)),
    ("-070000", Part::Offset(false, false, 3)),
    ("-07:00", Part::Offset(false, true, 2)),
    ("-0700", Part::Offset(false, false, 2)),
    ("-07", Part::Offset(false, false, 1)),
    ("Z07:00:00", Part::Offset(true, true, 3)),
    ("Z070000", Part::Offset(true, false, 3)),
    ("Z07:00", Part::Offset(true, true, 2)),
    ("Z0700", Part::Offset(true, false, 2)),
    ("Z07", Part::Offset(true, false, 1)),
    ("1", Part::Month),
    ("2", Part::Day),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    (".0", Part::Fraction(0, false, '.')),
    (",0", Part::Fraction(0, false, ',')),
    (".9", Part::Fraction(0, true, '.')),
    (",9", Part::Fraction(0, true, ',')),
];

/// The next element of a layout: what stands before it, the element, what follows.
fn next_part(layout: &str) -> Option<(&str, Part, &str)> {
    for (index, _) in layout.char_indices() {
        let rest = layout.get(index..)?;
        for (text, part) in PARTS {
            let Some(after) = rest.strip_prefix(text) else {
                continue;
            };
            if text == "Jan" && after.starts_with("uary") {
                continue;
            }
            if text == "Mon" && after.chars().next().is_some_and(|c| c.is_ascii_lowercase()) {
                continue;
            }
            if text == "Jan" && after.chars().next().is_some_and(|c| c.is_ascii_lowercase()) {
                continue;
            }
            if text == "_2006" {
                // A blank stays in front of the year.
                return Some((layout.get(..=index)?, Part::LongYear, after));
            }
            if let Part::Fraction(_, cut, separator) = part {
                let digit = if cut { '9' } else { '0' };
                let count = rest.chars().skip(1).take_while(|c| *c == digit).count();
                let after = rest.get(1 + count..)?;
                if after.starts_with(|c: char| c.is_ascii_digit()) {
                    continue;
                }
                return Some((layout.get(..index)?, Part::Fraction(count, cut, separator), after));
            }
            return Some((layout.get(..index)?, part, after));
        }
    }
    None
}

/// Writes a moment by a layout.
pub(super) fn format(moment: &Moment, layout: &str) -> String {
    let civil = moment.civil();
    let mut out = String::new();
    let mut rest = layout;
    while let Some((before, part, after)) = next_part(rest) {
        out.push_str(before);
        rest = after;
        let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
        match part {
            Part::LongMonth => out.push_str(name(&MONTHS, civil.month - 1)),
            Part::ShortMonth => out.push_str(name(&MONTHS, civil.month - 1).get(..3).unwrap_or("")),
            Part::Month => out.push_str(&civil.month.to_string()),
            Part::ZeroMonth => out.push_str(&format!("{:02}", civil.month)),
            Part::LongWeekday => out.push_str(name(&WEEKDAYS, civil.weekday)),
            Part::ShortWeekday => out.push_str(name(&WEEKDAYS, civil.weekday).get(..3).unwrap_or("")),
            Part::Day => out.push_str(&civil.day.to_string()),
            Part::SpaceDay => out.push_str(&format!("{:>2}", civil.day)),
            Part::ZeroDay => out.push_str(&format!("{:02}", civil.day)),
            Part::SpaceYearDay => out.push_str(&format!("{:>3}", civil.year_day)),
            Part::ZeroYearDay => out.push_str(&format!("{:03}", civil.year_day)),
            Part::Hour => out.push_str(&format!("{:02}", civil.hour)),
            Part::Hour12 => out.push_str(&hour12.to_string()),
            Part::ZeroHour12 => out.push_str(&format!("{hour12:02}")),
            Part::Minute => out.push_str(&civil.minute.to_string()),
            Part::ZeroMinute => out.push_str(&format!("{:02}", civil.minute)),
            Part::Second => out.push_str(&civil.second.to_string()),
            Part::ZeroSecond => out.push_str(&format!("{:02}", civil.second)),
            Part::LongYear => out.push_str(&format!("{:04}", civil.year)),
            Part::ShortYear => out.push_str(&format!("{:02}", civil.year.rem_euclid(100))),
            Part::UpperHalf => out.push_str(if civil.hour >= 12 { "PM" } else { "AM" }),
            Part::LowerHalf => out.push_str(if civil.hour >= 12 { "pm" } else { "am" }),
            Part::Zone => push_zone(&mut out, moment),
            Part::Offset(zulu, colons, groups) => push_offset(&mut out, moment.offset, zulu, colons, groups),
            Part::Fraction(count, cut, separator) => {
                push_fraction(&mut out, moment.nanoseconds, count, cut, separator);
            }
        }
    }
    out.push_str(rest);
    out
}

fn push_zone(out: &mut String, moment: &Moment) {
    if moment.zone.is_empty() {
        out.push_str("UTC");
    } else if moment.zone.starts_with(['+', '-']) {
        push_offset(out, moment.offset, false, false, if moment.offset % 3600 == 0 { 1 } else { 2 });
    } else {
        out.push_str(&moment.zone);
    }
}

fn push_offset(out: &mut String, offset: i64, zulu: bool, colons: bool, groups: u8) {
    if zulu && offset == 0 {
        out.push('Z');
        return;
    }
    let total = offset.abs();
    out.push(if offset < 0 { '-' } else { '+' });
    let digits = [total / 3600, total / 60 % 60, total % 60];
    for (index, number) in digits.iter().take(usize::from(groups)).enumerate() {
        if index > 0 && colons {
            out.push(':');
        }
        out.push_str(&format!("{number:02}"));
    }
}

fn push_fraction(out: &mut String, nanoseconds: u32, count: usize, cut: bool, separator: char) {
    let digits = format!("{nanoseconds:09}");
    let digits = digits.get(..count.min(9)).unwrap_or(&digits);
    let digits = if cut { digits.trim_end_matches('0') } else { digits };
    if cut && digits.is_empty() {
        return;
    }
    out.push(separator);
    out.push_str(digits);
}

#[derive(Default)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    afternoon: Option<bool>,
    offset: Option<i64>,
    zone: String,
    /// What of the offset is too large.
    flaw: Option<&'static str>,
}

/// How Go's time package quotes what it shows: everything beyond ASCII as bytes.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            ' '..='\x7F' => out.push(character),
            _ => {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
            }
        }
    }
    out + "\""
}

/// Reads text by a layout; the error is Go's message.
pub(super) fn parse(layout: &str, text: &str) -> Result<Moment, String> {
    let mut fields = Fields::default();
    let (mut pattern, mut rest) = (layout, text);
    while let Some((before, part, after)) = next_part(pattern) {
        let element = pattern.get(before.len()..pattern.len() - after.len()).unwrap_or("");
        let failed = |rest: &str, element: &str| {
            format!(
                "parsing time {} as {}: cannot parse {} as {}",
                quote(text),
                quote(layout),
                quote(rest),
                quote(element)
            )
        };
        rest = skip(rest, before).ok_or_else(|| failed(rest, before))?;
        pattern = after;
        let followed_by_fraction = next_part(pattern)
            .is_some_and(|(before, part, _)| before.is_empty() && matches!(part, Part::Fraction(..)));
        rest = fields.read(part, rest).ok_or_else(|| failed(rest, element))?;
        if matches!(part, Part::ZeroSecond | Part::Second)
            && !followed_by_fraction
            && rest.starts_with(['.', ','])
            && rest.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            rest = fields.fraction(rest).unwrap_or(rest);
        }
        if let Some(range) = fields.out_of_range() {
            return Err(format!("parsing time {}: {range} out of range", quote(text)));
        }
    }
    match skip(rest, pattern) {
        Some("") => {}
        Some(rest) => {
            return Err(format!("parsing time {}: extra text: {}", quote(text), quote(rest)));
        }
        None => {
            return Err(format!(
                "parsing time {} as {}: cannot parse {} as {}",
                quote(text),
                quote(layout),
                quote(rest),
                quote(pattern)
            ));
        }
    }
    fields.moment().ok_or_else(|| format!("parsing time {}: day out of range", quote(text)))
}

/// Takes the fixed text of a layout; blanks match blanks.
fn skip<'t>(text: &'t str, fixed: &str) -> Option<&'t str> {
    let (mut text, mut fixed) = (text, fixed);
    while let Some(expected) = fixed.chars().next() {
        if expected == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return None;
            }
            text = text.trim_start_matches(' ');
            fixed = fixed.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(expected)?;
        fixed = fixed.get(expected.len_utf8()..)?;
    }
    Some(text)
}

fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((text.get(..count)?.parse().ok()?, text.get(count..)?))
}

fn one_of<'t>(names: &[&str], text: &'t str, short: bool) -> Option<(i64, &'t str)> {
    names.iter().zip(0..).find_map(|(name, index)| {
        let name = if short { name.get(..3)? } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| text.get(name.len()..).map(|rest| (index, rest)))?
    })
}

impl Fields {
    fn read<'t>(&mut self, part: Part, text: &'t str) -> Option<&'t str> {
        let (number, rest) = match part {
            Part::LongMonth | Part::ShortMonth => {
                let (index, rest) = one_of(&MONTHS, text, part == Part::ShortMonth)?;
                self.month = Some(index + 1);
                return Some(rest);
            }
            Part::LongWeekday | Part::ShortWeekday => {
                return one_of(&WEEKDAYS, text, part == Part::ShortWeekday).map(|(_, rest)| rest);
            }
            Part::UpperHalf | Part::LowerHalf => {
                let half = text.get(..2)?;
                let words = if part == Part::UpperHalf { ["AM", "PM"] } else { ["am", "pm"] };
                self.afternoon = Some(half == *words.iter().find(|word| **word == half)? && half == words[1]);
                return text.get(2..);
            }
            Part::Zone => return self.zone(text),
            Part::Offset(zulu, colons, groups) => return self.offset(text, zulu, colons, groups),
            Part::Fraction(_, true, _) if !text.starts_with(['.', ',']) => return Some(text),
            Part::Fraction(..) => return self.fraction(text),
            Part::LongYear => digits(text, 4, 4)?,
            Part::ShortYear
            | Part::ZeroMonth
            | Part::ZeroDay
            | Part::ZeroHour12
            | Part::ZeroMinute
            | Part::ZeroSecond => digits(text, 2, 2)?,
            Part::ZeroYearDay => digits(text, 3, 3)?,
            Part::SpaceYearDay => digits(text.trim_start_matches(' '), 1, 3)?,
            Part::SpaceDay => digits(text.strip_prefix(' ').unwrap_or(text), 1, 2)?,
            _ => digits(text, 1, 2)?,
        };
        match part {
            Part::LongYear => self.year = Some(number),
            Part::ShortYear => {
                self.year = Some(if number >= 69 { number + 1900 } else { number + 2000 });
            }
            Part::Month | Part::ZeroMonth => self.month = Some(number),
            Part::Day | Part::SpaceDay | Part::ZeroDay => self.day = Some(number),
            Part::SpaceYearDay | Part::ZeroYearDay => self.year_day = Some(number),
            Part::Hour | Part::Hour12 | Part::ZeroHour12 => self.hour = number,
            Part::Minute | Part::ZeroMinute => self.minute = number,
            _ => self.second = number,
        }
        Some(rest)
    }

    fn zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let length = text.bytes().take_while(u8::is_ascii_uppercase).count();
        if !(3..=5).contains(&length) {
            return None;
        }
        text.get(..length)?.clone_into(&mut self.zone);
        text.get(length..)
    }

    fn offset<'t>(&mut self, text: &'t str, zulu: bool, colons: bool, groups: u8) -> Option<&'t str> {
        if zulu && let Some(rest) = text.strip_prefix('Z') {
            self.offset = Some(0);
            "UTC".clone_into(&mut self.zone);
            return Some(rest);
        }
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+')?),
        };
        let mut total = 0;
        for (index, scale) in [3600, 60, 1].into_iter().take(usize::from(groups)).enumerate() {
            if index > 0 && colons {
                rest = rest.strip_prefix(':')?;
            }
            let (number, after) = digits(rest, 2, 2)?;
            let (most, flaw) = [(24, "time zone offset hour"), (60, "time zone offset minute")]
                .get(index)
                .copied()
                .unwrap_or((60, "time zone offset second"));
            if number > most {
                self.flaw = Some(flaw);
            }
            total += number * scale;
            rest = after;
        }
        self.offset = Some(sign * total);
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let rest = text.strip_prefix(['.', ','])?;
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return None;
        }
        let padded = format!("{:0<9}", rest.get(..count.min(9))?);
        self.nanoseconds = padded.parse().ok()?;
        rest.get(count..)
    }

    fn out_of_range(&self) -> Option<&'static str> {
        if self.flaw.is_some() {
            self.flaw
        } else if self.month.is_some_and(|month| !(1..=12).contains(&month)) {
            Some("month")
        } else if self.hour > 23 {
            Some("hour")
        } else if self.minute > 59 {
            Some("minute")
        } else if self.second > 59 {
            Some("second")
        } else {
            None
        }
    }

    fn moment(self) -> Option<Moment> {
        let year = self.year.unwrap_or(0);
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if day < 1 || day > days_in(year, month) {
            return None;
        }
        let date = match self.year_day {
            Some(year_day) => seconds_of(year, 1, year_day),
            None => seconds_of(year, month, day),
        };
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let offset = self.offset.unwrap_or(0);
        let zone = match (self.offset, self.zone.is_empty()) {
            (Some(offset), true) if offset != 0 => "+".to_owned(),
            (_, true) => "UTC".to_owned(),
            _ => self.zone,
        };
        let seconds = date + hour * 3600 + self.minute * 60 + self.second - offset;
        Some(Moment { seconds, nanoseconds: self.nanoseconds, offset, zone })
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, format, parse};

    #[test]
    fn layouts_of_go() {
        let moment = Moment::utc(1_700_000_000, 120_000_000);
        for (layout, expected) in [
            ("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20Z"),
            ("Mon Jan _2 3:04PM 06", "Tue Nov 14 10:13PM 23"),
            ("Monday, 02-Jan-06 15:04:05 MST", "Tuesday, 14-Nov-23 22:13:20 UTC"),
            ("15:04:05.000 -0700", "22:13:20.120 +0000"),
            (".999", ".12"),
            ("002", "318"),
        ] {
            assert_eq!(format(&moment, layout), expected, "{layout}");
        }
    }

    #[test]
    fn parsing_by_layout() {
        let moment = parse("2006-01-02 15:04:05 -0700", "2021-03-04 01:02:03 +0200").expect("valid");
        assert_eq!(moment.seconds, 1_614_812_523);
        assert!(parse("2006-01-02", "2020-02-30").is_err());
        assert!(parse("2006-01-02", "x").expect_err("invalid").contains("cannot parse \"x\" as \"2006\""));
    }
}
