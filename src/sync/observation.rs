//! What the planner looks at: one picture of one application at one moment. It owns all that it holds, all times
//! included, so that the same picture gives the same plan wherever and whenever it is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::progress::Progress;
use super::wanted::Wanted;
use crate::model::digest::Digest;
use crate::model::hold::HoldReason;
use crate::model::inventory::{Head, StoredHead, StoredSet, Suspension};
use crate::model::kinds::KindTable;
use crate::model::live::LiveRecord;
use crate::model::name::{ApplicationId, InstanceName};
use crate::model::policy::SyncPolicy;
use crate::model::resource::{GroupKind, ResourceId};

/// All that a decision depends on.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The application.
    pub application: ApplicationId,
    /// The instance.
    pub instance: InstanceName,
    /// The even time: for waiting, deadlines and backoff.
    pub now: Timestamp,
    /// The time on the machine's clock: for what is recorded.
    pub time: Timestamp,
    /// What Git asks for.
    pub wanted: Arc<Wanted>,
    /// The inventory, if the application was ever deployed or blocked.
    pub head: Option<StoredHead>,
    /// A rollout that was begun and did not end, with the set that was written for it.
    pub pending: Option<StoredSet>,
    /// What the state repository knows.
    pub recorded: Recorded,
    /// What this process did so far.
    pub progress: Progress,
    /// The cluster.
    pub cluster: Cluster,
    /// The application's objects in the cluster.
    pub live: Live,
    /// What other applications of this instance and cluster ask for.
    pub others: Others,
    /// What people asked for.
    pub commands: Commands,
    /// Holds that observing found: the cluster or a repository could not be used.
    pub holds: Vec<HoldReason>,
}

/// What is known of the cluster itself.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The uid of kube-system; empty where it may not be read.
    pub uid: String,
    /// What it serves.
    pub kinds: Arc<KindTable>,
}

/// The live side of an application.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// All that the head, the pending rollout and the wanted set name, where they exist.
    pub objects: BTreeMap<ResourceId, LiveRecord>,
    /// Whether they could be read in full.
    pub complete: bool,
    /// Whether the namespace of the wanted version, or of what is deployed, exists.
    pub namespace_exists: bool,
    /// Objects whose replicas an autoscaler sets.
    pub scaled: BTreeSet<ResourceId>,
    /// Kinds that may not be read with the rights of a person who only looks.
    pub unreadable: BTreeSet<GroupKind>,
}

impl Live {
    /// The record of an object that exists.
    pub fn get(&self, id: &ResourceId) -> Option<&LiveRecord> {
        self.objects.get(id)
    }

    /// Whether an object exists.
    pub fn contains(&self, id: &ResourceId) -> bool {
        self.objects.contains_key(id)
    }
}

/// What other applications of this instance and cluster ask for.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// Objects of this application that they want.
    pub wanted: BTreeMap<ResourceId, ApplicationId>,
    /// Whether it is known what every one of them asks for: before that, nothing is pruned that one of them may
    /// take over.
    pub all_known: bool,
}

/// What people asked for.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Why nothing may be written.
    pub suspension: Option<Suspension>,
    /// What was confirmed and unblocked.
    pub confirmations: Confirmations,
    /// Why the commands cannot be read: a newer moorline wrote them, so that nobody here knows what they forbid.
    pub written_by_newer: Option<String>,
}

/// Digests that a person confirmed, and what was unblocked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmations {
    /// Plan digests.
    pub plans: BTreeSet<Digest>,
    /// Digests of versions that may be tried again.
    pub unblocked: BTreeSet<Digest>,
}

/// What the state repository knows of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It could not be read.
    Unknown,
    /// The number of the last rollout that is recorded; 0 if there is none.
    Rollout(u64),
    /// A newer moorline wrote the record: in words, which file.
    WrittenByNewer(String),
}

impl Observation {
    /// The inventory, if there is one.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref().map(|stored| &stored.head)
    }

    /// The wanted version, if one is wanted.
    pub(super) fn wanted_version(&self) -> Option<&super::wanted::WantedVersion> {
        match &*self.wanted {
            Wanted::Version(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// The sync options: of the wanted version, else of the head.
    pub(super) fn policy(&self) -> SyncPolicy {
        match self.wanted_version() {
            Some(wanted) => wanted.policy.clone(),
            None => self.head().map(|head| head.sync.clone()).unwrap_or_default(),
        }
    }

    /// The digest of what is blocked, if something is.
    pub(super) fn blocked(&self) -> Option<Digest> {
        self.head()?.blocked.as_ref().map(|blocked| blocked.version.digest)
    }

    /// Whether anything was ever brought to health.
    pub(super) fn has_deployed(&self) -> bool {
        self.head().is_some_and(|head| head.deployed.is_some())
    }

    /// The rollout that goes on: one that was blocked has ended, though its set is still there.
    pub(super) fn under_way(&self) -> Option<&StoredSet> {
        let ended = self.head().map_or(0, |head| head.rollout);
        self.pending.as_ref().filter(|pending| pending.rollout > ended)
    }

    /// Takes the rollout up that another process began, with the time that it used.
    pub fn resume(&mut self) {
        let Some(digest) = self.wanted_version().map(|wanted| wanted.version.digest) else { return };
        if let Some(pending) = self.under_way().filter(|pending| pending.digest == digest).cloned() {
            self.progress.begin(&pending, self.now);
        }
    }

    /// Objects that rollouts brought which did not end well: they must not be forgotten.
    pub(super) fn remnants(&self) -> impl Iterator<Item = &ResourceId> {
        let created = self.head().into_iter().flat_map(|head| head.created.keys());
        let named = self.pending.iter().flat_map(|pending| &pending.objects);
        created.chain(named)
    }
}
