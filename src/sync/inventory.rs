//! How the inventory of an application looks after a step: the set that begins a rollout, and the head of each
//! outcome with its record. Pure; the executor writes them.

use std::collections::BTreeMap;

use super::observation::Observation;
use super::wanted::{WantedObject, WantedVersion};
use crate::model::digest::KeyedHash;
use crate::model::facts::Blocked;
use crate::model::inventory::{
    HEAD_FORMAT, Head, HeadObject, PENDING_RECORDS, PendingProgress, Phase, Slot, StoredSet,
};
use crate::model::record::{Record, RecordOutcome};
use crate::model::resource::ResourceId;

/// A head to be written, with the record that says why.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadChange {
    /// The head.
    pub head: Head,
    /// The record; it waits in the head until the state repository has it.
    pub record: Record,
}

impl Observation {
    /// The set of the rollout that begins with it. `carried` are objects of earlier attempts.
    pub fn begun(&self, slot: Slot, rollout: u64, carried: &[ResourceId]) -> Option<StoredSet> {
        let wanted = self.wanted_version()?;
        let objects = wanted.set.objects.iter().map(|object| &object.id).chain(carried).cloned().collect();
        Some(StoredSet {
            application: self.application.clone(),
            slot,
            rollout,
            digest: wanted.set.digest,
            objects,
            progress: PendingProgress {
                wave: wanted.set.objects.first().map_or(0, |object| object.wave),
                created: self.created(),
                ..PendingProgress::default()
            },
            resource_version: String::new(),
        })
    }

    /// The pending rollout as far as it has come now.
    pub fn noted(&self, phase: Phase, wave: i32) -> Option<StoredSet> {
        let pending = self.under_way()?;
        let used = self.progress.rollout.as_ref().map(|rollout| rollout.used(self.now)).unwrap_or_default();
        let progress = PendingProgress { phase, wave, used_seconds: used.as_secs(), created: self.created() };
        Some(StoredSet { progress, ..pending.clone() })
    }

    /// What rollouts created that did not come to health, with uids.
    pub(super) fn created(&self) -> BTreeMap<ResourceId, String> {
        let mut created = self.head().map(|head| head.created.clone()).unwrap_or_default();
        created.extend(self.pending.iter().flat_map(|pending| pending.progress.created.clone()));
        let applied = self.progress.rollout.iter().flat_map(|rollout| &rollout.applied);
        let ours = applied.filter(|(_, applied)| applied.created);
        created.extend(ours.map(|(id, applied)| (id.clone(), applied.uid.clone())));
        created
    }

    /// The head once the wanted version is deployed; absent while an object was not applied yet.
    pub fn switched(&self, rollout: u64, leaving: &[ResourceId], config: &str) -> Option<HeadChange> {
        let wanted = self.wanted_version()?;
        let before = self.head();
        let mut objects = BTreeMap::new();
        for object in &wanted.set.objects {
            objects.insert(object.id.clone(), self.deployed_object(object)?);
        }
        for id in leaving {
            if let Some(entry) = self.leaving_object(id) {
                objects.insert(id.clone(), entry);
            }
        }
        let previous = before.and_then(|head| head.deployed.clone());
        let record = Record {
            wanted: Some(wanted.version.clone()),
            deployed: Some(wanted.version.clone()),
            previous: previous.clone(),
            ..self.record(rollout, RecordOutcome::Deployed)
        };
        let mut head = self.new_head(wanted, rollout, config);
        head.deployed = Some(wanted.version.clone());
        head.previous = previous;
        head.inputs = Some(wanted.inputs);
        head.slot =
            self.pending.as_ref().map(|pending| pending.slot).or_else(|| before.and_then(|head| head.slot));
        head.objects = objects;
        Some(HeadChange { head, record })
    }

    fn deployed_object(&self, object: &WantedObject) -> Option<HeadObject> {
        let running = self.progress.rollout.as_ref();
        let applied = running.and_then(|rollout| rollout.applied.get(&object.id));
        // What an earlier rollout applied may have been set back since.
        let applied = applied.filter(|applied| applied.desired == object.desired);
        let (keep, protected) = (object.keep, object.protected);
        if let Some(applied) = applied {
            return Some(HeadObject {
                api_version: applied.api_version.clone(),
                uid: applied.uid.clone(),
                desired: applied.desired,
                projection: applied.projection,
                leaving: false,
                keep,
                protected,
            });
        }
        let kept = self.head()?.objects.get(&object.id)?;
        let projection = self.progress.healed.get(&object.id).copied().unwrap_or(kept.projection);
        Some(HeadObject { projection, leaving: false, keep, protected, ..kept.clone() })
    }

    /// An object that is no longer wanted and stays owned.
    fn leaving_object(&self, id: &ResourceId) -> Option<HeadObject> {
        if let Some(known) = self.head().and_then(|head| head.objects.get(id)) {
            return Some(HeadObject { leaving: true, ..known.clone() });
        }
        let record = self.live.get(id)?;
        Some(HeadObject {
            api_version: record.owned_version.as_deref().unwrap_or("").to_owned(),
            uid: record.uid.to_string(),
            desired: KeyedHash::default(),
            projection: record.projection.unwrap_or_default(),
            leaving: true,
            keep: false,
            protected: true,
        })
    }

    /// The head once the wanted version is blocked.
    pub fn blocking(&self, rollout: u64, diagnosis: String, config: &str) -> Option<HeadChange> {
        let wanted = self.wanted_version()?;
        let blocked = Blocked { version: wanted.version.clone(), diagnosis, since: self.time };
        let before = self.head();
        let record = Record {
            wanted: Some(wanted.version.clone()),
            deployed: before.and_then(|head| head.deployed.clone()),
            previous: before.and_then(|head| head.previous.clone()),
            blocked: Some(blocked.clone()),
            ..self.record(rollout, RecordOutcome::Blocked)
        };
        let mut head = before.cloned().unwrap_or_else(|| self.new_head(wanted, rollout, config));
        head.rollout = rollout;
        head.wanted = Some(wanted.version.clone());
        head.blocked = Some(blocked);
        head.created = self.created();
        Some(HeadChange { head, record })
    }

    /// The head once the application is gone but for objects that wait for a person.
    pub fn removed(&self, rollout: u64, leaving: &[ResourceId]) -> Option<HeadChange> {
        let mut head = self.head()?.clone();
        let record =
            Record { previous: head.deployed.clone(), ..self.record(rollout, RecordOutcome::Removed) };
        head.rollout = rollout;
        head.previous = head.deployed.take();
        head.wanted = None;
        head.blocked = None;
        head.objects.retain(|id, _| leaving.contains(id));
        head.objects.values_mut().for_each(|object| object.leaving = true);
        Some(HeadChange { head, record })
    }

    fn record(&self, rollout: u64, outcome: RecordOutcome) -> Record {
        Record {
            rollout,
            outcome,
            wanted: None,
            deployed: None,
            previous: None,
            blocked: None,
            cluster: self.cluster.uid.clone(),
            time: self.time,
        }
    }

    fn new_head(&self, wanted: &WantedVersion, rollout: u64, config: &str) -> Head {
        Head {
            format: HEAD_FORMAT,
            instance: self.instance.clone(),
            rollout,
            wanted: Some(wanted.version.clone()),
            deployed: None,
            previous: None,
            blocked: None,
            inputs: None,
            slot: None,
            sync: wanted.policy.clone(),
            namespace: wanted.namespace.clone(),
            namespace_labels: wanted.namespace_labels.clone(),
            release: wanted.release.clone(),
            config: config.to_owned(),
            cluster: self.cluster.uid.clone(),
            rebuilt: false,
            objects: BTreeMap::new(),
            created: BTreeMap::new(),
            pending: Vec::new(),
        }
    }
}

impl HeadChange {
    /// Lets the record wait in the head, after those that wait there already.
    pub fn keeping_record(mut self, waiting: &[Record]) -> Self {
        self.head.pending = waiting.to_vec();
        self.head.pending.push(self.record.clone());
        let surplus = self.head.pending.len().saturating_sub(PENDING_RECORDS);
        self.head.pending.drain(..surplus);
        self
    }
}
