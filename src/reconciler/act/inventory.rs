//! Steps on the application's inventory: its sets, its head, and the records that go with them.

use super::{Execution, Records, Stop};
use crate::adapters::cluster::ClusterError;
use crate::cluster::state::restore_home;
use crate::cluster::store::{self, SetPlace};
use crate::model::inventory::{Head, PendingProgress, StoredHead, StoredSet};
use crate::model::resource::ResourceId;
use crate::reconciler::diagnose;
use crate::sync::{Effect, Ends, HeadChange};

impl Execution<'_> {
    pub(super) async fn write_set(&mut self, stored: Option<StoredSet>) -> Result<(), Stop> {
        let (Some(stored), Some(packed)) = (stored, self.bodies.wanted) else {
            return Err(Stop);
        };
        let known = self.observation.pending.as_ref();
        let place = SetPlace { namespace: self.site.namespace, instance: &self.observation.instance, known };
        self.outcome.writes += 1;
        let mut answer = store::write_set(self.site.writer, &place, &stored, packed).await;
        if let Err(ClusterError::Missing { .. }) = answer {
            self.restore_home().await?;
            answer = store::write_set(self.site.writer, &place, &stored, packed).await;
        }
        match answer {
            Ok(resource_version) => {
                self.effect(Effect::SetWritten(StoredSet { resource_version, ..stored }));
                Ok(())
            }
            Err(ClusterError::Changed { .. }) => Err(self.outdated()),
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    pub(super) async fn note_progress(&mut self, stored: Option<StoredSet>) -> Result<(), Stop> {
        let stored = stored.ok_or(Stop)?;
        let (namespace, instance) = (self.site.namespace, &self.observation.instance);
        self.outcome.writes += 1;
        match store::note_progress(self.site.writer, namespace, instance, &stored).await {
            Ok(resource_version) => {
                self.effect(Effect::ProgressNoted(StoredSet { resource_version, ..stored }));
                Ok(())
            }
            // Another daemon, our own write whose answer was lost, or somebody deleted it.
            Err(ClusterError::Changed { .. } | ClusterError::Missing { .. }) => Err(self.outdated()),
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    pub(super) async fn switch_head(&mut self, rollout: u64, leaving: &[ResourceId]) -> Result<(), Stop> {
        let change = self.observation.switched(rollout, leaving, self.site.config).ok_or(Stop)?;
        self.store_change(change, Ends::PendingRollout).await
    }

    pub(super) async fn block(
        &mut self,
        rollout: u64,
        diagnosis: &str,
        suspects: &[ResourceId],
    ) -> Result<(), Stop> {
        let details = diagnose::diagnose(self.site.writer.reader(), suspects, self.observation.time).await;
        let diagnosis =
            if details.is_empty() { diagnosis.to_owned() } else { format!("{diagnosis}: {details}") };
        let change = self.observation.blocking(rollout, diagnosis, self.site.config).ok_or(Stop)?;
        self.store_change(change, Ends::Failure).await
    }

    pub(super) async fn note_removed(&mut self, rollout: u64, leaving: &[ResourceId]) -> Result<(), Stop> {
        let change = self.observation.removed(rollout, leaving).ok_or(Stop)?;
        self.store_change(change, Ends::Rollout).await
    }

    pub(super) async fn unblock(&mut self) -> Result<(), Stop> {
        let mut head = self.observation.head().ok_or(Stop)?.clone();
        head.blocked = None;
        self.store_head(head, Ends::Rollout, None).await
    }

    pub(super) async fn forget(&mut self, objects: &[ResourceId]) -> Result<(), Stop> {
        let mut head = self.observation.head().ok_or(Stop)?.clone();
        head.objects.retain(|id, _| !objects.contains(id));
        self.store_head(head, Ends::Nothing, None).await
    }

    pub(super) async fn remove_head(&mut self) -> Result<(), Stop> {
        self.outcome.writes += 1;
        let Execution { observation, site, .. } = self;
        let instance = &observation.instance;
        match store::remove(site.writer, site.namespace, instance, &observation.application).await {
            Ok(()) => {
                self.effect(Effect::HeadRemoved);
                Ok(())
            }
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    async fn store_change(&mut self, change: HeadChange, ends: Ends) -> Result<(), Stop> {
        let waiting = self.observation.head().map_or(&[][..], |head| &head.pending);
        let change = match self.site.records {
            Records::Unkept => return self.store_head(change.head, ends, None).await,
            Records::Pushed => change.keeping_record(&[]),
            Records::Waiting => change.keeping_record(waiting),
        };
        self.store_head(change.head, ends, Some(Box::new(change.record))).await
    }

    async fn store_head(
        &mut self,
        head: Head,
        ends: Ends,
        record: Option<Box<crate::model::record::Record>>,
    ) -> Result<(), Stop> {
        let known = self.observation.head.as_ref().map(|stored| stored.resource_version.as_str());
        if known == Some("") {
            self.restore_set(&head).await?;
        }
        let version = known.filter(|version| !version.is_empty());
        let (writer, namespace) = (self.site.writer, self.site.namespace);
        let application = &self.observation.application;
        self.outcome.writes += 1;
        let mut answer = store::write_head(writer, namespace, application, &head, version).await;
        if let Err(ClusterError::Missing { .. }) = answer {
            // Somebody deleted it, or the whole namespace; what it said is known here.
            self.restore_home().await?;
            self.restore_set(&head).await?;
            self.outcome.writes += 1;
            answer = store::write_head(writer, namespace, application, &head, None).await;
        }
        match answer {
            Ok(resource_version) => {
                let head = Box::new(StoredHead { head, resource_version });
                self.effect(Effect::HeadWritten { head, ends, record });
                Ok(())
            }
            // Another process, or our own write whose answer was lost: it is read again before deciding anew.
            Err(ClusterError::Changed { .. }) => Err(self.outdated()),
            Err(error) => {
                if matches!(error, ClusterError::Unavailable { .. }) {
                    self.effect(Effect::HeadInDoubt);
                }
                Err(self.fail(None, &error))
            }
        }
    }

    /// The deployed set, if it went with the head: a head without it could restore nothing.
    async fn restore_set(&mut self, head: &Head) -> Result<(), Stop> {
        let deployed = head.deployed.as_ref().map(|version| version.digest);
        let mut sets = self.bodies.deployed.into_iter().chain(self.bodies.wanted);
        let packed = sets.find(|packed| Some(packed.digest) == deployed);
        let (Some(packed), Some(slot)) = (packed, head.slot) else { return Ok(()) };
        let stored = StoredSet {
            application: self.observation.application.clone(),
            slot,
            rollout: head.rollout,
            digest: packed.digest,
            objects: head.objects.keys().cloned().collect(),
            progress: PendingProgress::default(),
            resource_version: String::new(),
        };
        let (namespace, instance) = (self.site.namespace, &self.observation.instance);
        let place = SetPlace { namespace, instance, known: None };
        self.outcome.writes += 1;
        match store::write_set(self.site.writer, &place, &stored, packed).await {
            // What stands there is of this rollout or newer: it was not lost.
            Ok(_) | Err(ClusterError::Changed { .. }) => Ok(()),
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    /// Our own namespace with the key, if somebody deleted them.
    async fn restore_home(&mut self) -> Result<(), Stop> {
        let key = self.site.live.key().clone();
        let (writer, instance) = (self.site.writer, &self.observation.instance);
        match restore_home(writer, self.site.namespace, instance, key).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(None, &error)),
        }
    }
}
