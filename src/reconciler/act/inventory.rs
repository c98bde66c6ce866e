//! Steps on the application's inventory: its sets, its head, and the records that go with them.

use std::collections::BTreeMap;

use super::{Execution, Stop};
use crate::adapters::cluster::ClusterError;
use crate::cluster::state::restore_home;
use crate::cluster::store::{self, SetPlace};
use crate::model::digest::KeyedHash;
use crate::model::facts::Blocked;
use crate::model::inventory::{HEAD_FORMAT, Head, HeadObject, PENDING_RECORDS, Slot, StoredHead, StoredSet};
use crate::model::name::ApplicationId;
use crate::model::record::{Record, RecordOutcome};
use crate::model::resource::ResourceId;
use crate::reconciler::diagnose;
use crate::sync::WantedVersion;

impl Execution<'_> {
    pub(super) fn intent_of(
        &self,
        application: &ApplicationId,
        slot: Slot,
        rollout: u64,
        carried: &[ResourceId],
    ) -> Option<StoredSet> {
        let rendered = self.rendered?;
        let ids = rendered.manifests.iter().map(|manifest| &manifest.id).chain(carried);
        Some(StoredSet {
            application: application.clone(),
            slot,
            rollout,
            digest: rendered.digest,
            objects: ids.cloned().collect(),
        })
    }

    pub(super) async fn write_set(&mut self, stored: Option<StoredSet>) -> Result<(), Stop> {
        let (Some(stored), Some(packed)) = (stored, self.packed.cloned()) else {
            return Err(Stop::Waiting);
        };
        let (namespace, instance) = (self.namespace, self.instance);
        let known = self.intent.clone();
        let place = SetPlace { namespace, instance, stored: &stored, known: known.as_ref() };
        self.writes += 1;
        let mut answer = store::write_set(self.writer, &place, &packed).await;
        if let Err(ClusterError::Missing { .. }) = answer {
            self.restore_home().await?;
            answer = store::write_set(self.writer, &place, &packed).await;
        }
        match answer {
            Ok(()) => {}
            Err(ClusterError::Changed { .. }) => {
                self.outdated = true;
                return Err(Stop::Failed);
            }
            Err(error) => return Err(self.fail(None, &error)),
        }
        self.progress.begin(stored.digest, stored.rollout, self.now);
        self.sets.push(packed);
        self.intent = Some(stored);
        Ok(())
    }

    pub(super) async fn switch_head(
        &mut self,
        application: &ApplicationId,
        rollout: u64,
        leaving: &[ResourceId],
    ) -> Result<(), Stop> {
        let wanted = self.wanted_version()?;
        let before = self.head.as_ref().map(|stored| &stored.head);
        let mut objects = BTreeMap::new();
        for object in &wanted.set.objects {
            let Some(entry) = self.head_object(object, before) else {
                return Err(Stop::Waiting);
            };
            objects.insert(object.id.clone(), entry);
        }
        for id in leaving {
            let known = before.and_then(|head| head.objects.get(id)).cloned();
            let live = || {
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
            };
            if let Some(entry) = known.or_else(live) {
                objects.insert(id.clone(), HeadObject { leaving: true, ..entry });
            }
        }
        let previous = before.and_then(|head| head.deployed.clone());
        let record = Record {
            rollout,
            outcome: RecordOutcome::Deployed,
            wanted: Some(wanted.version.clone()),
            deployed: Some(wanted.version.clone()),
            previous: previous.clone(),
            blocked: None,
            cluster: self.identity.to_owned(),
            time: self.time,
        };
        let mut head = self.new_head(wanted, rollout);
        head.deployed = Some(wanted.version.clone());
        head.previous = previous;
        head.inputs = Some(wanted.inputs);
        head.slot =
            self.intent.as_ref().map(|intent| intent.slot).or_else(|| before.and_then(|head| head.slot));
        head.objects = objects;
        head.pending = self.pending(&record);
        self.store_head(application, head).await?;
        self.note_record(record);
        self.intent = None;
        self.progress.end();
        Ok(())
    }

    fn head_object(&self, object: &crate::sync::WantedObject, before: Option<&Head>) -> Option<HeadObject> {
        let running = self.progress.rollout.as_ref();
        let applied = running.and_then(|rollout| rollout.applied.get(&object.id));
        // What an earlier rollout applied may have been set back since.
        let applied = applied.filter(|applied| applied.desired == object.desired);
        let kept = before.and_then(|head| head.objects.get(&object.id));
        let entry = match (applied, kept) {
            (Some(applied), _) => HeadObject {
                api_version: applied.api_version.clone(),
                uid: applied.uid.clone(),
                desired: applied.desired,
                projection: applied.projection,
                leaving: false,
                keep: object.keep,
                protected: object.protected,
            },
            (None, Some(kept)) => {
                let projection = self.progress.healed.get(&object.id).copied().unwrap_or(kept.projection);
                let (keep, protected) = (object.keep, object.protected);
                HeadObject { projection, leaving: false, keep, protected, ..kept.clone() }
            }
            (None, None) => return None,
        };
        Some(entry)
    }

    fn new_head(&self, wanted: &WantedVersion, rollout: u64) -> Head {
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
            config: self.config.to_owned(),
            cluster: self.identity.to_owned(),
            rebuilt: false,
            objects: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    pub(super) async fn block(
        &mut self,
        application: &ApplicationId,
        rollout: u64,
        diagnosis: &str,
        suspects: &[ResourceId],
    ) -> Result<(), Stop> {
        let wanted = self.wanted_version()?;
        let details = diagnose::diagnose(self.reader(), suspects, self.time).await;
        let diagnosis =
            if details.is_empty() { diagnosis.to_owned() } else { format!("{diagnosis}: {details}") };
        let blocked = Blocked { version: wanted.version.clone(), diagnosis, since: self.time };
        let before = self.head.as_ref().map(|stored| stored.head.clone());
        let deployed = before.as_ref().and_then(|head| head.deployed.clone());
        let record = Record {
            rollout,
            outcome: RecordOutcome::Blocked,
            wanted: Some(wanted.version.clone()),
            deployed: deployed.clone(),
            previous: before.as_ref().and_then(|head| head.previous.clone()),
            blocked: Some(blocked.clone()),
            cluster: self.identity.to_owned(),
            time: self.time,
        };
        let mut head = before.unwrap_or_else(|| self.new_head(wanted, rollout));
        head.rollout = rollout;
        head.wanted = Some(wanted.version.clone());
        head.blocked = Some(blocked);
        head.pending = self.pending(&record);
        self.store_head(application, head).await?;
        self.note_record(record);
        self.progress.clear_failure();
        Ok(())
    }

    pub(super) async fn note_removed(
        &mut self,
        application: &ApplicationId,
        rollout: u64,
        leaving: &[ResourceId],
    ) -> Result<(), Stop> {
        let Some(before) = self.head.as_ref().map(|stored| stored.head.clone()) else {
            return Ok(());
        };
        let record = Record {
            rollout,
            outcome: RecordOutcome::Removed,
            wanted: None,
            deployed: None,
            previous: before.deployed.clone(),
            blocked: None,
            cluster: self.identity.to_owned(),
            time: self.time,
        };
        let mut head = before;
        head.rollout = rollout;
        head.previous = head.deployed.take();
        head.wanted = None;
        head.blocked = None;
        head.objects.retain(|id, _| leaving.contains(id));
        head.objects.values_mut().for_each(|object| object.leaving = true);
        head.pending = self.pending(&record);
        self.store_head(application, head).await?;
        self.note_record(record);
        self.progress.end();
        Ok(())
    }

    pub(super) async fn remove_head(&mut self, application: &ApplicationId) -> Result<(), Stop> {
        self.writes += 1;
        match store::remove(self.writer, self.namespace, self.instance, application).await {
            Ok(()) => {
                self.head = None;
                self.intent = None;
                Ok(())
            }
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    pub(super) async fn change_head(
        &mut self,
        application: &ApplicationId,
        change: impl FnOnce(&mut Head),
    ) -> Result<(), Stop> {
        let Some(mut head) = self.head.as_ref().map(|stored| stored.head.clone()) else {
            return Ok(());
        };
        change(&mut head);
        self.store_head(application, head).await
    }

    async fn store_head(&mut self, application: &ApplicationId, head: Head) -> Result<(), Stop> {
        let known = self.head.as_ref().map(|stored| stored.resource_version.clone());
        let gone = known.as_ref().is_some_and(String::is_empty);
        let version = known.filter(|version| !version.is_empty());
        if gone {
            self.restore_set(application, &head).await?;
        }
        self.writes += 1;
        let (writer, namespace) = (self.writer, self.namespace);
        let mut answer = store::write_head(writer, namespace, application, &head, version.as_deref()).await;
        if let Err(ClusterError::Missing { .. }) = answer {
            // Somebody deleted it, or the whole namespace; what it said is known here.
            self.restore_home().await?;
            self.restore_set(application, &head).await?;
            self.writes += 1;
            answer = store::write_head(writer, namespace, application, &head, None).await;
        }
        match answer {
            Ok(resource_version) => {
                self.head = Some(StoredHead { head, resource_version });
                Ok(())
            }
            Err(ClusterError::Changed { .. }) => {
                // Another process, or our own write whose answer was lost: read it again before deciding anew.
                self.outdated = true;
                Err(Stop::Failed)
            }
            Err(error) => {
                self.progress.head_in_doubt = matches!(error, ClusterError::Unavailable { .. });
                Err(self.fail(None, &error))
            }
        }
    }

    /// The deployed set, if it went with the head: a head without it could restore nothing.
    async fn restore_set(&mut self, application: &ApplicationId, head: &Head) -> Result<(), Stop> {
        let deployed = head.deployed.as_ref().map(|version| version.digest);
        let packed = self.deployed.iter().chain(&self.sets).find(|packed| Some(packed.digest) == deployed);
        let (Some(packed), Some(slot)) = (packed.cloned(), head.slot) else { return Ok(()) };
        let stored = StoredSet {
            application: application.clone(),
            slot,
            rollout: head.rollout,
            digest: packed.digest,
            objects: head.objects.keys().cloned().collect(),
        };
        let (namespace, instance) = (self.namespace, self.instance);
        let place = SetPlace { namespace, instance, stored: &stored, known: None };
        self.writes += 1;
        match store::write_set(self.writer, &place, &packed).await {
            // What stands there is of this rollout or newer: it was not lost.
            Ok(()) | Err(ClusterError::Changed { .. }) => Ok(()),
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    /// Our own namespace with the key, if somebody deleted them.
    async fn restore_home(&mut self) -> Result<(), Stop> {
        let key = self.live.key().clone();
        match restore_home(self.writer, self.namespace, self.instance, key).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    /// Records that wait for the state repository, this one last.
    fn pending(&self, record: &Record) -> Vec<Record> {
        if !self.keeps_records {
            return Vec::new();
        }
        let mut pending = self.records.clone();
        pending.push(record.clone());
        let surplus = pending.len().saturating_sub(PENDING_RECORDS);
        pending.drain(..surplus);
        pending
    }

    fn note_record(&mut self, record: Record) {
        if self.keeps_records {
            self.records.push(record);
        }
    }
}
