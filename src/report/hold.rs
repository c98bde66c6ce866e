//! A hold as a value and in words. What each reason says is [`HoldReason::message`].

use jiff::Timestamp;
use serde::Serialize;

use crate::model::hold::{Hold, HoldClass, HoldReason};

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// The name of the reason.
    pub reason: &'static str,
    /// Whether it ends by itself.
    pub class: HoldClass,
    /// The sentence.
    pub message: String,
    /// Since when; absent in a plan that was made only to be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl From<&HoldReason> for HoldStatus {
    fn from(reason: &HoldReason) -> Self {
        Self { reason: reason.name(), class: reason.class(), message: reason.message(), since: None }
    }
}

impl From<&Hold> for HoldStatus {
    fn from(hold: &Hold) -> Self {
        Self { since: Some(hold.since), ..Self::from(&hold.reason) }
    }
}

impl HoldStatus {
    /// Reason, class and sentence in one line.
    pub fn line(&self) -> String {
        format!("{} ({}): {}", self.reason, self.class.as_str(), self.message)
    }
}

/// What a class means for the reader.
pub fn outlook(class: HoldClass) -> &'static str {
    match class {
        HoldClass::Waiting => "ends by itself",
        HoldClass::Fault => "needs a person",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hold_says_why_and_whether_it_ends_by_itself() {
        let waiting = HoldReason::ApiUnavailable { message: "timed out".to_owned() };
        let fault = HoldReason::Blocked { diagnosis: "pod web-1: OOMKilled".to_owned() };
        let since = "2026-05-04T10:00:00Z";
        let dated = Hold { reason: fault.clone(), since: since.parse().unwrap() };
        for (hold, expected) in [
            (
                HoldStatus::from(&waiting),
                json!({"reason": "ApiUnavailable", "class": "waiting", "message": waiting.message()}),
            ),
            (
                HoldStatus::from(&fault),
                json!({"reason": "Blocked", "class": "fault", "message": fault.message()}),
            ),
            (
                HoldStatus::from(&dated),
                json!({"reason": "Blocked", "class": "fault", "message": fault.message(), "since": since}),
            ),
        ] {
            assert_eq!(serde_json::to_value(hold).unwrap(), expected);
        }
    }
}
