//! Plans → what people are shown.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::drift::{FieldChange, ObjectDrift, SyncStatus};
use crate::model::facts::Version;
use crate::model::hold::{Hold, HoldReason};
use crate::model::inventory::{Head, Suspension};
use crate::model::live::LiveRecord;
use crate::model::resource::ResourceId;
use crate::report::hold::HoldStatus;
use crate::report::status::{ApplicationStatus, ResourceStatus};
use crate::sync::{ResourceState, SyncPlan, Wanted};

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

/// What an application is shown as.
pub struct View<'a> {
    /// Its plan.
    pub plan: &'a SyncPlan,
    /// Its holds with their times.
    pub holds: &'a [Hold],
    /// What Git asks for.
    pub wanted: &'a Wanted,
    /// Its inventory.
    pub head: Option<&'a Head>,
    /// Its live objects.
    pub live: &'a BTreeMap<ResourceId, LiveRecord>,
    /// What is not as it should be.
    pub changes: &'a BTreeMap<ResourceId, Vec<FieldChange>>,
    /// Its suspension.
    pub suspension: Option<&'a Suspension>,
    /// The namespace that Git asks for, if the wanted version cannot tell.
    pub namespace: Option<&'a str>,
    /// Notices of rendering.
    pub notices: &'a [String],
}

impl View<'_> {
    /// The status of the application.
    pub fn status(&self) -> ApplicationStatus {
        let wanted: Option<&Version> = match self.wanted {
            Wanted::Version(wanted) => Some(&wanted.version),
            _ => None,
        };
        let namespace = match self.wanted {
            Wanted::Version(wanted) => Some(wanted.namespace.as_str()),
            _ => self.head.map(|head| head.namespace.as_str()).or(self.namespace),
        };
        ApplicationStatus {
            environment: self.plan.application.environment.to_string(),
            service: self.plan.application.service.to_string(),
            namespace: namespace.unwrap_or("").to_owned(),
            wanted: wanted.cloned(),
            deployed: self.head.and_then(|head| head.deployed.clone()),
            blocked: self.head.and_then(|head| head.blocked.as_ref()).map(|blocked| blocked.version.clone()),
            sync: self.plan.sync,
            health: self.plan.health,
            holds: self.holds.iter().map(HoldStatus::from).collect(),
            resources: self.plan.resources.iter().map(|state| self.resource(state)).collect(),
            suspended: self.suspension.cloned(),
            never_promoted: matches!(self.wanted, Wanted::NeverPromoted),
            notices: self.notices.to_vec(),
        }
    }

    fn resource(&self, state: &ResourceState) -> ResourceStatus {
        let id = &state.drift.id;
        let (sync, words) = match state.drift.drift {
            ObjectDrift::InSync => (SyncStatus::Synced, ""),
            ObjectDrift::Unreadable => (SyncStatus::Unknown, ""),
            ObjectDrift::Missing => (SyncStatus::OutOfSync, "is missing"),
            ObjectDrift::Terminating => (SyncStatus::OutOfSync, "is being deleted"),
            ObjectDrift::Changed => (SyncStatus::OutOfSync, "differs from what was applied"),
            ObjectDrift::Pending => (SyncStatus::OutOfSync, "is not applied yet"),
        };
        let health = &state.health.message;
        let message = if words.is_empty() || health.is_empty() {
            format!("{words}{health}")
        } else {
            format!("{words}; {health}")
        };
        ResourceStatus {
            group: id.kind.group.to_string(),
            kind: id.kind.kind.to_string(),
            namespace: id.namespace.as_deref().unwrap_or("").to_owned(),
            name: id.name.to_string(),
            sync,
            health: state.health.status,
            message,
            changes: self.changes.get(id).cloned().unwrap_or_default(),
            extras: self.live.get(id).map(|live| live.extras.clone()).unwrap_or_default(),
        }
    }
}
