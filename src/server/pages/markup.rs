//! What every page marks up in the same way: addresses, sentences, times. Their words are those of
//! [`crate::report`].

use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::report::status::{ApplicationStatus, Board};
use crate::report::words;

/// What stays as it is in a segment of an address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

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
    html! { time datetime=(time.to_string()) { (words::moment(time)) } }
}

/// How long something had lasted when the board was true; the exact time beside it for those who point at it.
pub(super) fn lasting(time: Timestamp, now: Option<Timestamp>) -> Markup {
    let exact = words::moment(time);
    let words = now.map_or_else(|| exact.clone(), |now| words::age(now.duration_since(time)));
    html! { time datetime=(time.to_string()) title=(exact) { (words) } }
}
