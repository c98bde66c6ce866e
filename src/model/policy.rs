//! How an application is synced: parsed from `sync:` in the config repository.

use std::time::Duration;

use super::resource::ResourceId;

/// What becomes of a rollout that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// Apply the deployed set again.
    Restore,
    /// Touch nothing.
    Leave,
}

/// What becomes of fields that others added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Extras {
    /// They stay and are listed.
    Keep,
    /// Those that kubectl-like managers set under spec or data go away.
    Remove,
}

/// What becomes of hooks that would run before the sync, until phases are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hooks {
    /// The application is held.
    Hold,
    /// They are left out.
    Skip,
}

/// Fields left out of the apply.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IgnoreRule {
    /// The kind, as `Deployment`.
    pub kind: String,
    /// One object's name; absent means all of the kind.
    pub name: Option<String>,
    /// JSON pointers, as `/spec/replicas`.
    pub fields: Vec<String>,
}

impl IgnoreRule {
    /// Whether the rule speaks of this object.
    pub fn matches(&self, id: &ResourceId) -> bool {
        *id.kind.kind == *self.kind && self.name.as_deref().is_none_or(|name| name == &*id.name)
    }
}

/// The effective sync options of an application.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncPolicy {
    /// Whether drift is applied back.
    pub self_heal: bool,
    /// Whether objects that left Git are deleted.
    pub prune: bool,
    /// How long a rollout may take to become healthy.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// What becomes of a failed rollout.
    pub on_failure: OnFailure,
    /// What becomes of foreign fields.
    pub extras: Extras,
    /// What becomes of hooks.
    pub hooks: Hooks,
    /// Kinds of custom resources that may be pruned without confirmation.
    pub prune_kinds: Vec<String>,
    /// Fields left out of the apply.
    pub ignore: Vec<IgnoreRule>,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self {
            self_heal: true,
            prune: true,
            timeout: Duration::from_mins(10),
            on_failure: OnFailure::Restore,
            extras: Extras::Keep,
            hooks: Hooks::Hold,
            prune_kinds: Vec::new(),
            ignore: Vec::new(),
        }
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}
