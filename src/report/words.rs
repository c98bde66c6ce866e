//! Numbers, times and revisions in words.

use jiff::{SignedDuration, Timestamp};

use crate::model::facts::{Awaiting, ImageState};

/// A number with its noun.
pub fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The first eight characters of a revision.
pub fn short(revision: &str) -> String {
    revision.chars().take(8).collect()
}

/// A time to the second, in UTC.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long something lasts, rounded down.
pub fn age(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        i64::MIN..60 => "less than a minute".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What is waited for before a newer commit is deployed.
pub fn awaiting(awaiting: &Awaiting) -> String {
    let Awaiting { commit, image, author, subject, since, message, .. } = awaiting;
    let what = format!("commit {} by {author} ({subject})", commit.short());
    let said = message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    match awaiting.state {
        ImageState::Awaited => {
            format!("waits for the image {image} of {what} since {}{said}", moment(*since))
        }
        ImageState::Missing => format!("the image {image} of {what} is missing{said}"),
        ImageState::Unknown => format!("it is not known whether the image {image} of {what} exists{said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_rounded_down() {
        for (seconds, words) in [
            (-5, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 min"),
            (3599, "59 min"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(age(SignedDuration::from_secs(seconds)), words, "{seconds}");
        }
    }

    #[test]
    fn one_has_no_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "field")), ["0 fields", "1 field", "2 fields"]);
    }

    #[test]
    fn times_are_shown_in_universal_time() {
        assert_eq!(moment("2026-05-04T12:00:01.5+02:00".parse().unwrap()), "2026-05-04 10:00:01 UTC");
    }
}
