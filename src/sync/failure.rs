//! Why a step failed, as the cluster answered, and what becomes of it (RULES §5).

use std::time::Duration;

use crate::model::digest::Digest;
use crate::model::drift::FieldOwner;
use crate::model::hold::HoldReason;
use crate::model::resource::ResourceId;

/// A step that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What the cluster said.
    pub cause: FailureCause,
    /// At which object, if at one.
    pub object: Option<ResourceId>,
    /// The words of the API server.
    pub message: String,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
}

/// What the cluster said, or what was found while acting.
#[derive(Clone, Debug, PartialEq)]
pub enum FailureCause {
    /// No answer, or one that says nothing of what we sent.
    Unavailable,
    /// Another daemon has the lease.
    Standby {
        /// Its name.
        holder: String,
    },
    /// Our rights do not suffice.
    Forbidden,
    /// A quota is used up.
    Quota,
    /// The object changed since it was read.
    Changed,
    /// The object, its namespace or its kind is not there.
    Missing,
    /// The object is invalid, or an admission rule denies it.
    Rejected,
    /// Other managers own fields that we want to set.
    Conflict {
        /// The fields.
        owners: Vec<FieldOwner>,
        /// Whether every one of them was in what we applied last: somebody took them from us.
        taken: bool,
        /// The version of the object now, for taking them back from exactly this one.
        version: Option<String>,
    },
    /// The deployed set cannot be found.
    SetMissing {
        /// Its digest.
        digest: Digest,
    },
    /// The deployed set cannot be read.
    SetUnreadable,
    /// The inventory changed under our hands, twice.
    InventoryChanging,
}

/// What becomes of a failed step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// The fields are taken back at once.
    TakeBack,
    /// It is tried again; the rollout's clock stands still meanwhile.
    Wait,
    /// It is tried again, however long it takes.
    Retry,
    /// It is tried again until the timeout, then the version is blocked.
    RetryUntilTimeout,
    /// The version is blocked at once.
    Block,
    /// It is held with this reason and tried again.
    Hold(HoldReason),
}

impl Failure {
    /// What becomes of it.
    pub(super) fn fate(&self) -> Fate {
        match &self.cause {
            FailureCause::Unavailable => Fate::Wait,
            FailureCause::Standby { holder } => {
                Fate::Hold(HoldReason::Standby { holder: Some(holder.clone()) })
            }
            FailureCause::Forbidden => Fate::Hold(HoldReason::Forbidden { message: self.message.clone() }),
            FailureCause::Quota | FailureCause::Changed | FailureCause::Missing => Fate::RetryUntilTimeout,
            FailureCause::Rejected => Fate::Block,
            FailureCause::Conflict { taken: true, version: Some(_), .. } => Fate::TakeBack,
            FailureCause::Conflict { owners, .. } => match (&self.object, owners.first()) {
                (Some(object), Some(owner)) => Fate::Hold(HoldReason::FieldConflict {
                    object: object.clone(),
                    field: owner.field.clone(),
                    manager: owner.manager.clone(),
                }),
                _ => Fate::RetryUntilTimeout,
            },
            FailureCause::SetMissing { digest } => Fate::Hold(HoldReason::SetMissing { digest: *digest }),
            FailureCause::SetUnreadable => {
                Fate::Hold(HoldReason::InventoryUnreadable { message: self.message.clone() })
            }
            FailureCause::InventoryChanging => Fate::Retry,
        }
    }

    /// The object whose fields are taken back, and from which version of it.
    pub(super) fn take_back(&self) -> Option<(&ResourceId, &str)> {
        match (&self.cause, &self.object) {
            (FailureCause::Conflict { taken: true, version: Some(version), .. }, Some(object)) => {
                Some((object, version))
            }
            _ => None,
        }
    }

    /// In words, with the object.
    pub(super) fn words(&self) -> String {
        match &self.object {
            Some(object) => format!("{object}: {}", self.message),
            None => self.message.clone(),
        }
    }
}
