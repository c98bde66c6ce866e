//! A hold as a value and in words. What each reason says is [`message`](crate::model::hold::HoldReason::message).

use jiff::Timestamp;
use serde::Serialize;

use crate::model::hold::{Hold, HoldClass};

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// The name of the reason.
    pub reason: &'static str,
    /// Whether it ends by itself.
    pub class: HoldClass,
    /// The sentence.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

impl From<&Hold> for HoldStatus {
    fn from(hold: &Hold) -> Self {
        Self {
            reason: hold.reason.name(),
            class: hold.reason.class(),
            message: hold.reason.message(),
            since: hold.since,
        }
    }
}
