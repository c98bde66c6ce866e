//! How states, versions and times are put into words and marks, once for every page.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::drift::SyncStatus;
use crate::model::facts::Version;
use crate::model::health::HealthStatus;
use crate::model::hold::HoldClass;
use crate::report::status::{ApplicationStatus, Board};

/// What stays as it is in a segment of an address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The one mark that sums an application or object up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// A person is needed, or it does not run.
    Bad,
    /// On its way, waiting, or about to be brought back.
    Busy,
    /// Nobody can tell.
    Unclear,
    /// Somebody wants it to rest.
    Resting,
    /// As it should be.
    Fine,
}

impl Mark {
    /// The mark of an application.
    pub(super) fn of(application: &ApplicationStatus) -> Self {
        let held = |class| application.holds.iter().any(|hold| hold.class == class);
        let of_parts = Self::of_parts(application.sync, application.health);
        if held(HoldClass::Fault) || of_parts == Self::Bad && !application.never_promoted {
            Self::Bad
        } else if application.suspended.is_some() || application.never_promoted {
            Self::Resting
        } else if held(HoldClass::Waiting) {
            Self::Busy
        } else {
            of_parts
        }
    }

    /// The mark of one object.
    pub(super) fn of_parts(sync: SyncStatus, health: HealthStatus) -> Self {
        match (sync, health) {
            (_, HealthStatus::Degraded | HealthStatus::Missing) => Self::Bad,
            (SyncStatus::OutOfSync, _) | (_, HealthStatus::Progressing) => Self::Busy,
            (SyncStatus::Unknown, _) | (_, HealthStatus::Unknown) => Self::Unclear,
            (_, HealthStatus::Suspended) => Self::Resting,
            (SyncStatus::Synced, HealthStatus::Healthy) => Self::Fine,
        }
    }

    /// The name of its style.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Busy => "busy",
            Self::Unclear => "unclear",
            Self::Resting => "resting",
            Self::Fine => "fine",
        }
    }
}

/// Everything about an application that is not as usual, in few words, the worst first.
pub(super) fn oddities(application: &ApplicationStatus) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for hold in &application.holds {
        if !words.iter().any(|word| word == hold.reason) {
            words.push(hold.reason.to_owned());
        }
    }
    if application.suspended.is_some() {
        words.push("suspended".to_owned());
    }
    if application.never_promoted {
        words.push("never promoted".to_owned());
        return words;
    }
    match (application.health, application.sync) {
        (HealthStatus::Unknown, SyncStatus::Unknown) => words.push("nothing known".to_owned()),
        (health, sync) => {
            match health {
                HealthStatus::Healthy => {}
                HealthStatus::Unknown => words.push("health unknown".to_owned()),
                odd => words.push(odd.as_str().to_owned()),
            }
            match sync {
                SyncStatus::Synced => {}
                SyncStatus::Unknown => words.push("sync unknown".to_owned()),
                SyncStatus::OutOfSync => words.push(sync.as_str().to_owned()),
            }
        }
    }
    words
}

/// How many fields of others stand on an application's objects.
pub(super) fn extras(application: &ApplicationStatus) -> usize {
    application.resources.iter().map(|object| object.extras.len()).sum()
}

/// A number with its noun.
pub(super) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// What people call a version: its commit, else its chart, else the config repository's revision.
pub(super) fn label(version: &Version) -> String {
    match (&version.commit, &version.chart) {
        (Some(commit), _) => commit.short(),
        (None, Some(chart)) => chart.clone(),
        (None, None) => version.config.short(),
    }
}

/// The first eight characters of a revision.
pub(super) fn short(revision: &str) -> String {
    revision.chars().take(8).collect()
}

/// The address of an application's page.
pub(super) fn address(application: &ApplicationStatus) -> String {
    let encoded = |text| utf8_percent_encode(text, SEGMENT);
    format!("/applications/{}/{}", encoded(&application.environment), encoded(&application.service))
}

/// Applications in the order of their environments in `moorline.yaml`.
pub(super) fn in_order<'a>(
    board: &Board,
    applications: impl Iterator<Item = &'a ApplicationStatus>,
) -> Vec<&'a ApplicationStatus> {
    let place = |one: &ApplicationStatus| board.environments.iter().position(|name| *name == one.environment);
    let mut applications: Vec<_> = applications.collect();
    applications.sort_by_key(|one| place(one).unwrap_or(usize::MAX));
    applications
}

/// A sentence; what stands between backticks is shown as code.
pub(super) fn prose(text: &str) -> Markup {
    let closed = text.matches('`').count().is_multiple_of(2);
    html! {
        @for (number, part) in text.split('`').enumerate() {
            @if !closed { @if number > 0 { "`" } (part) }
            @else if number % 2 == 1 { code { (part) } }
            @else { (part) }
        }
    }
}

/// A time to the second, in UTC.
pub(super) fn moment(time: Timestamp) -> Markup {
    html! { time datetime=(time.to_string()) { (time.strftime("%Y-%m-%d %H:%M:%S UTC")) } }
}

/// How long something had lasted when the board was true; the exact time beside it for those who point at it.
pub(super) fn lasting(time: Timestamp, now: Option<Timestamp>) -> Markup {
    let exact = time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let words = now.map_or_else(|| exact.clone(), |now| age(now.duration_since(time)));
    html! { time datetime=(time.to_string()) title=(exact) { (words) } }
}

fn age(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        i64::MIN..60 => "less than a minute".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
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
}
