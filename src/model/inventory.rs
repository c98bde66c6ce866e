//! The inventory of an application: the head (what we own, and the three facts) and the pending rollout (one that
//! was begun). Parsed from and written to JSON; where it is kept is the business of adapters.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::digest::{Digest, KeyedHash};
use super::facts::{Blocked, Version};
use super::live::{Projection, ResourceVersion};
use super::name::{ApplicationId, EnvironmentName, InstanceName, NamespaceName};
use super::policy::SyncPolicy;
use super::record::Record;
use super::resource::ResourceId;

/// The format written into every head.
pub const HEAD_FORMAT: u32 = 1;
/// At most this many records wait in a head for the state repository.
pub const PENDING_RECORDS: usize = 20;

/// One of the two places of a rendered set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// Secrets named `….a.…`.
    A,
    /// Secrets named `….b.…`.
    B,
}

impl Slot {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The letter in the names of Secrets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// What we know of one object that we applied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadObject {
    /// The apiVersion it was applied in.
    pub api_version: String,
    /// Its uid.
    pub uid: String,
    /// The keyed hash of the manifest.
    pub desired: KeyedHash,
    /// The keyed hash of the fields that we own, as the API server answered.
    pub projection: Projection,
    /// Set while it is no longer wanted and waits to be pruned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Whether an annotation says that it must never be pruned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Whether it may be pruned only after confirmation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// A suspension, by a command or in Git.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Suspension {
    /// Why.
    pub reason: String,
    /// Until when; absent means until somebody resumes it.
    pub until: Option<Timestamp>,
    /// Who, as claimed.
    pub actor: Option<String>,
}

/// What is known of an application without Git: kept in a ConfigMap, without values.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// [`HEAD_FORMAT`].
    pub format: u32,
    /// The instance it belongs to.
    pub instance: InstanceName,
    /// The number of the last rollout that reached the head or was blocked.
    pub rollout: u64,
    /// What Git asked for last.
    pub wanted: Option<Version>,
    /// What we last brought to health.
    pub deployed: Option<Version>,
    /// What was deployed before.
    pub previous: Option<Version>,
    /// What failed and must not return.
    pub blocked: Option<Blocked>,
    /// The digest of the inputs that rendered to `deployed`.
    pub inputs: Option<Digest>,
    /// Where the deployed set is kept.
    pub slot: Option<Slot>,
    /// The effective sync options.
    pub sync: SyncPolicy,
    /// The namespace of the application.
    pub namespace: NamespaceName,
    /// The labels of that namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// The release name.
    pub release: String,
    /// The config repository.
    pub config: String,
    /// The uid of kube-system at the first rollout.
    pub cluster: String,
    /// Whether the head was lost and put together again: what it names may be incomplete or old, so nothing is
    /// pruned by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuilt: bool,
    /// What we own.
    pub objects: BTreeMap<ResourceId, HeadObject>,
    /// What rollouts created that were blocked, with uids: a restore may delete these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub created: BTreeMap<ResourceId, String>,
    /// Records that the state repository does not have yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Record>,
}

impl Head {
    /// Whether a rendered set is what we last brought to health.
    pub fn has_deployed(&self, digest: Digest) -> bool {
        !self.rebuilt && self.deployed.as_ref().is_some_and(|version| version.digest == digest)
    }
}

/// A head with the version of the object that holds it, for compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHead {
    /// The head.
    pub head: Head,
    /// The resourceVersion of its ConfigMap; empty while there is none.
    pub resource_version: String,
}

impl StoredHead {
    /// Whether another reading of the same head is surely of an earlier time.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let version = |stored: &Self| ResourceVersion::new(&stored.resource_version);
        version(self).is_newer_than(&version(other))
    }
}

/// A set that was written before a rollout began; while that one has not ended, the pending rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSet {
    /// The application.
    pub application: ApplicationId,
    /// In which slot.
    pub slot: Slot,
    /// Of which rollout.
    pub rollout: u64,
    /// The digest of the rendered set.
    pub digest: Digest,
    /// Which objects it names, with those of earlier attempts that may still be there.
    pub objects: Vec<ResourceId>,
    /// How far the rollout has come.
    pub progress: PendingProgress,
    /// The resourceVersion of the first Secret, which holds `progress`; empty while there is none.
    pub resource_version: String,
}

/// The part of a rollout that is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// The objects are applied, wave by wave.
    #[default]
    Sync,
}

/// How far a pending rollout has come: kept beside its set, so that another process goes on where this one ended
/// (RULES §11).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingProgress {
    /// The phase.
    pub phase: Phase,
    /// The wave that was begun last.
    pub wave: i32,
    /// How much of the timeout was used when this was written, in whole seconds.
    pub used_seconds: u64,
    /// What this rollout and failed ones before it created, with uids: the objects that a restore may delete.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub created: BTreeMap<ResourceId, String>,
}

/// The name of the head's ConfigMap.
pub fn head_name(instance: &InstanceName, application: &ApplicationId) -> String {
    format!("{instance}.{}", application.label())
}

/// The name of the ConfigMap in which people leave commands for an environment.
pub fn commands_name(instance: &InstanceName, environment: &EnvironmentName) -> String {
    format!("{instance}.{environment}.commands")
}

/// The name of one part of a set, from 1.
pub fn set_name(instance: &InstanceName, application: &ApplicationId, slot: Slot, part: usize) -> String {
    format!("{}.{}.{part}", head_name(instance, application), slot.as_str())
}
