//! The one mark that sums an application, an object or a hold up: the colour of a line in a terminal, a sign on a
//! page, and whether there is anything to wait for.

use super::status::ApplicationStatus;
use crate::model::drift::SyncStatus;
use crate::model::health::HealthStatus;
use crate::model::hold::HoldClass;

/// A mark, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
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
    pub fn of(application: &ApplicationStatus) -> Self {
        let held = |class| application.holds.iter().any(|hold| hold.class == class);
        let rests = application.suspended.is_some() || application.never_promoted;
        match Self::of_object(application.sync, application.health) {
            _ if held(HoldClass::Fault) => Self::Bad,
            Self::Bad if !application.never_promoted && !is_new(application) => Self::Bad,
            _ if rests => Self::Resting,
            _ if held(HoldClass::Waiting) || is_new(application) => Self::Busy,
            mark => mark,
        }
    }

    /// The mark of one object.
    pub fn of_object(sync: SyncStatus, health: HealthStatus) -> Self {
        match (sync, health) {
            (_, HealthStatus::Degraded | HealthStatus::Missing) => Self::Bad,
            (SyncStatus::OutOfSync, _) | (_, HealthStatus::Progressing) => Self::Busy,
            (SyncStatus::Unknown, _) | (_, HealthStatus::Unknown) => Self::Unclear,
            (_, HealthStatus::Suspended) => Self::Resting,
            (SyncStatus::Synced, HealthStatus::Healthy) => Self::Fine,
        }
    }

    /// The mark of a hold.
    pub fn of_hold(class: HoldClass) -> Self {
        match class {
            HoldClass::Fault => Self::Bad,
            HoldClass::Waiting => Self::Busy,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Busy => "busy",
            Self::Unclear => "unclear",
            Self::Resting => "resting",
            Self::Fine => "fine",
        }
    }

    /// What it says of an application.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Bad => "needs a person",
            Self::Busy => "on its way or waiting",
            Self::Unclear => "cannot be told",
            Self::Resting => "suspended or never promoted",
            Self::Fine => "synced and healthy",
        }
    }

    /// Whether there is nothing to wait for: it is as it should be, or somebody wants it to rest.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Fine | Self::Resting)
    }
}

/// Whether it was never there and is about to be: nothing is missing yet.
fn is_new(application: &ApplicationStatus) -> bool {
    application.health == HealthStatus::Missing
        && application.deployed.is_none()
        && application.wanted.is_some()
}
