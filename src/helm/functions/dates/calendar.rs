//! Days, months and years of the proleptic Gregorian calendar. Pure arithmetic.

/// English names.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// English names, from Sunday.
pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) weekday: i64,
    pub(super) year_day: i64,
}

/// Days since 1970 of a date; the month may lie outside 1 to 12, the day outside the month.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year
        .saturating_add((month - 1).div_euclid(12))
        .clamp(-1_000_000_000, 1_000_000_000);
    let month = (month - 1).rem_euclid(12) + 1;
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468).saturating_add(day - 1)
}

/// Seconds since 1970 of midnight of a date.
pub(super) fn seconds_of(year: i64, month: i64, day: i64) -> i64 {
    days_of(year, month, day).saturating_mul(86_400)
}

/// How many days a month has.
pub(super) fn days_in(year: i64, month: i64) -> i64 {
    days_of(year, month + 1, 1) - days_of(year, month, 1)
}

impl Civil {
    /// The date of seconds since 1970.
    pub(super) fn of(seconds: i64) -> Self {
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 {
            month_index + 3
        } else {
            month_index - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            weekday: (days + 4).rem_euclid(7),
            year_day: days - days_of(year, 1, 1) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Civil, days_in, seconds_of};

    #[test]
    fn dates_and_back() {
        for (year, month, day) in [
            (1970, 1, 1),
            (2000, 2, 29),
            (1, 1, 1),
            (2024, 12, 31),
            (1969, 12, 31),
        ] {
            let civil = Civil::of(seconds_of(year, month, day));
            assert_eq!((civil.year, civil.month, civil.day), (year, month, day));
        }
        assert_eq!(Civil::of(1_700_000_000).weekday, 2);
        assert_eq!(days_in(2024, 2), 29);
        assert_eq!(seconds_of(2024, 14, 1), seconds_of(2025, 2, 1));
    }
}
