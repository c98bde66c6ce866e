//! Since when each hold of an application lasts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::hold::{Hold, HoldReason};

/// Since when each reason of an application holds.
#[derive(Clone, Debug, Default)]
pub struct HoldTimes(BTreeMap<(&'static str, String), Timestamp>);

impl HoldTimes {
    /// Dates the holds: those that held before keep their time.
    pub fn date(&mut self, reasons: &[HoldReason], now: Timestamp) -> Vec<Hold> {
        let mut times = BTreeMap::new();
        let mut holds: Vec<Hold> = Vec::new();
        for reason in reasons {
            if holds.iter().any(|hold| hold.reason == *reason) {
                continue;
            }
            let key = (reason.name(), subject(reason));
            let since = self.0.get(&key).copied().unwrap_or(now);
            times.insert(key, since);
            holds.push(Hold { reason: reason.clone(), since });
        }
        self.0 = times;
        holds
    }
}

/// What a reason is about, without the parts that change while it holds (the time of the next try).
fn subject(reason: &HoldReason) -> String {
    match reason {
        HoldReason::Contested { object, field, .. } => format!("{object} {field}"),
        HoldReason::Retrying { .. }
        | HoldReason::ApiUnavailable { .. }
        | HoldReason::SourceUnavailable { .. } => String::new(),
        other => other.message(),
    }
}
