//! The only code that holds a cluster writer. Carries a plan out, step by step, and makes no choice that is not
//! in the plan; what the API server answers goes into the progress, for the next plan to judge.

mod answer;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::answer::{names_field, signature, sort, with_replicas};
use super::cluster::{namespace_id, restore_home};
use super::diagnose;
use super::inventory::{self, PackedSet, SetPlace};
use super::live::LiveIndex;
use crate::adapters::cluster::{Applied, ApplyOptions, ClusterError, ClusterWrite, FieldOwner};
use crate::diff;
use crate::model::digest::KeyedHash;
use crate::model::facts::Blocked;
use crate::model::hold::HoldReason;
use crate::model::inventory::{HEAD_FORMAT, Head, HeadObject, PENDING_RECORDS, StoredHead, StoredSet};
use crate::model::manifest::{INSTANCE_LABEL, RenderedSet};
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::record::{Record, RecordOutcome};
use crate::model::resource::ResourceId;
use crate::sync::{
    AppliedObject, ApplyObject, ApplyReason, DeleteObject, Failure, FailureKind, Progress, Step, SyncPlan,
    Wanted, WantedVersion,
};

/// So many objects of one step are applied at once.
const PARALLEL: usize = 16;

/// What an execution may use and change: everything of one application.
pub struct Execution<'a> {
    /// The writer.
    pub cluster: &'a dyn ClusterWrite,
    /// Live objects; answers are noted at once.
    pub live: &'a LiveIndex,
    /// moorline's own namespace.
    pub namespace: &'a NamespaceName,
    /// The instance.
    pub instance: &'a InstanceName,
    /// The config repository, for the head.
    pub config: &'a str,
    /// The uid of kube-system.
    pub identity: &'a str,
    /// What Git asks for.
    pub wanted: &'a Wanted,
    /// The rendered set of the wanted version.
    pub rendered: Option<&'a RenderedSet>,
    /// The same set as it is kept.
    pub packed: Option<&'a PackedSet>,
    /// The deployed set, unpacked when it is needed.
    pub deployed: Option<PackedSet>,
    /// Whether records are kept.
    pub keeps_records: bool,
    /// The inventory.
    pub head: Option<StoredHead>,
    /// The set of a rollout that did not end.
    pub intent: Option<StoredSet>,
    /// What this process did.
    pub progress: Progress,
    /// Sets written or used.
    pub sets: Vec<PackedSet>,
    /// Records to be written to the state repository.
    pub records: Vec<Record>,
    /// How many writes the API server was asked for.
    pub writes: usize,
    /// Objects that were brought back.
    pub heals: Vec<ResourceId>,
    /// Whether another daemon of this instance was found at work: the inventory is to be read again.
    pub rivalled: bool,
    /// The even time, for waiting.
    pub now: Timestamp,
    /// The time on the machine's clock, for records.
    pub time: Timestamp,
}

/// Why a step ended the execution.
enum Stop {
    /// It failed; the progress says how.
    Failed,
    /// The plan ends here until something changes.
    Waiting,
}

impl Execution<'_> {
    /// Carries the plan out up to the first wait or failure. True if anything was written.
    pub async fn carry_out(&mut self, plan: &SyncPlan) -> bool {
        let before = self.writes;
        for step in &plan.steps {
            if self.step(&plan.application, step).await.is_err() {
                break;
            }
        }
        self.writes > before
    }

    async fn step(&mut self, application: &ApplicationId, step: &Step) -> Result<(), Stop> {
        match step {
            Step::CreateNamespace { namespace, labels } => self.create_namespace(namespace, labels).await,
            Step::WriteSet { slot, rollout, carried } => {
                let stored = self.intent_of(application, *slot, *rollout, carried);
                self.write_set(stored).await
            }
            Step::DryRun { objects } => self.dry_run(objects).await,
            Step::Apply { objects, .. } => self.apply_all(objects).await,
            Step::AwaitHealth { .. } => Err(Stop::Waiting),
            Step::RemoveExtras { objects } => self.remove_extras(objects).await,
            Step::Delete { objects } => self.delete_all(objects).await,
            Step::SwitchHead { rollout, leaving } => self.switch_head(application, *rollout, leaving).await,
            Step::Block { rollout, diagnosis, suspects } => {
                self.block(application, *rollout, diagnosis, suspects).await
            }
            Step::Unblock => {
                self.change_head(application, |head| head.blocked = None).await?;
                self.progress.end();
                Ok(())
            }
            Step::Forget { objects } => {
                self.change_head(application, |head| head.objects.retain(|id, _| !objects.contains(id))).await
            }
            Step::NoteRemoved { rollout } => self.note_removed(application, *rollout).await,
            Step::RemoveHead => self.remove_head(application).await,
        }
    }

    fn wanted_version(&self) -> Result<&WantedVersion, Stop> {
        match self.wanted {
            Wanted::Version(wanted) => Ok(wanted),
            _ => Err(Stop::Waiting),
        }
    }

    async fn create_namespace(
        &mut self,
        namespace: &NamespaceName,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Stop> {
        let mut labels = labels.clone();
        labels.insert(INSTANCE_LABEL.to_owned(), self.instance.to_string());
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.as_str(), "labels": labels}});
        self.writes += 1;
        match self.cluster.put(&object).await {
            Ok(_) | Err(ClusterError::Changed { .. }) => Ok(()),
            Err(error) => Err(self.fail(Some(namespace_id(namespace)), &error)),
        }
    }

    fn intent_of(
        &self,
        application: &ApplicationId,
        slot: crate::model::inventory::Slot,
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

    async fn write_set(&mut self, stored: Option<StoredSet>) -> Result<(), Stop> {
        let (Some(stored), Some(packed)) = (stored, self.packed.cloned()) else {
            return Err(Stop::Waiting);
        };
        let (namespace, instance) = (self.namespace, self.instance);
        let known = self.intent.clone();
        let place = SetPlace { namespace, instance, stored: &stored, known: known.as_ref() };
        self.writes += 1;
        let mut answer = inventory::write_set(self.cluster, &place, &packed).await;
        if let Err(ClusterError::Missing { .. }) = answer {
            self.restore_home().await?;
            answer = inventory::write_set(self.cluster, &place, &packed).await;
        }
        match answer {
            Ok(()) => {}
            Err(ClusterError::Changed { .. }) => {
                self.rivalled = true;
                return Err(Stop::Failed);
            }
            Err(error) => return Err(self.fail(None, &error)),
        }
        self.progress.begin(stored.digest, stored.rollout, self.now);
        self.sets.push(packed);
        self.intent = Some(stored);
        Ok(())
    }

    async fn dry_run(&mut self, objects: &[ResourceId]) -> Result<(), Stop> {
        let Some(rendered) = self.rendered else {
            return Err(Stop::Waiting);
        };
        self.begin();
        let options = ApplyOptions { force: true, dry_run: true };
        let cluster = self.cluster;
        let mut calls = Vec::new();
        for manifest in objects.iter().filter_map(|id| rendered.get(id)) {
            let call = async move { (manifest.id.clone(), cluster.apply(&manifest.object, options).await) };
            calls.push(call.boxed());
        }
        let answers: Vec<_> = futures::stream::iter(calls).buffered(PARALLEL).collect().await;
        for (id, answer) in answers {
            match answer {
                // A kind or namespace that this very rollout brings is not there yet.
                Ok(_) | Err(ClusterError::KindUnknown { .. } | ClusterError::Missing { .. }) => {}
                Err(error) => return Err(self.fail(Some(id), &error)),
            }
        }
        if let Some(rollout) = &mut self.progress.rollout {
            rollout.rehearsed = true;
        }
        Ok(())
    }

    /// Makes sure that the progress is about the wanted version: after a restart the intent is there already.
    fn begin(&mut self) {
        if let (Wanted::Version(wanted), Some(intent)) = (self.wanted, &self.intent) {
            self.progress.begin(wanted.version.digest, intent.rollout, self.now);
        }
    }

    async fn apply_all(&mut self, objects: &[ApplyObject]) -> Result<(), Stop> {
        if objects.iter().any(|object| object.reason == ApplyReason::Rollout) {
            self.begin();
        }
        let deployed = self.deployed_set(objects)?;
        let (cluster, live) = (self.cluster, self.live);
        let before = deployed.as_ref();
        let mut calls = Vec::new();
        for object in objects {
            let from = if object.reason == ApplyReason::Rollout { self.rendered } else { before };
            let Some(manifest) = from.and_then(|set| set.get(&object.id)).cloned() else {
                continue;
            };
            let sent = with_replicas(&manifest.object, object.replicas);
            let last = self.last_applied(&object.id, before, &manifest.object);
            let call = async move {
                let answer = apply_one(cluster, object, &sent, &last).await;
                (object, manifest, answer)
            };
            calls.push(call.boxed());
        }
        let answers: Vec<_> = futures::stream::iter(calls).buffer_unordered(PARALLEL).collect().await;
        self.writes += answers.len();
        let mut failure = None;
        for (object, manifest, answer) in answers {
            match answer {
                Ok(applied) => self.note_applied(object, &manifest.object, applied, live),
                Err(error) => failure = Some((object.id.clone(), error)),
            }
        }
        match failure {
            None => {
                self.progress.clear_failure();
                Ok(())
            }
            Some((id, error)) => Err(self.fail(Some(id), &error)),
        }
    }

    /// What we applied of an object before: as deployed, and as wanted if this rollout applied it already, in this
    /// process or in one before it.
    fn last_applied(
        &self,
        id: &ResourceId,
        deployed: Option<&RenderedSet>,
        wanted: &Arc<Value>,
    ) -> Vec<Arc<Value>> {
        let deployed = deployed.and_then(|set| set.get(id)).map(|manifest| manifest.object.clone());
        let running = self.progress.rollout.as_ref();
        let here = running.is_some_and(|rollout| rollout.applied.contains_key(id));
        let before = deployed.is_none() && self.live.get(id).is_some_and(|live| live.projection.is_some());
        deployed.into_iter().chain((here || before).then(|| wanted.clone())).collect()
    }

    fn deployed_set(&mut self, objects: &[ApplyObject]) -> Result<Option<RenderedSet>, Stop> {
        let needed = objects.iter().any(|object| object.reason != ApplyReason::Rollout);
        let Some(packed) = self.deployed.as_ref() else {
            if !needed {
                return Ok(None);
            }
            let digest =
                self.head.as_ref().and_then(|head| head.head.deployed.as_ref()).map(|one| one.digest);
            if let Some(digest) = digest {
                let reason = HoldReason::SetMissing { digest };
                let failure =
                    Failure { kind: FailureKind::Held(reason), object: None, message: String::new() };
                self.progress.fail(failure, None, self.now);
            }
            return Err(Stop::Failed);
        };
        match packed.unpack() {
            Ok(set) => Ok(Some(set)),
            Err(_) if !needed => Ok(None),
            Err(error) => {
                let reason = HoldReason::InventoryUnreadable { message: error.to_string() };
                let failure =
                    Failure { kind: FailureKind::Held(reason), object: None, message: String::new() };
                self.progress.fail(failure, None, self.now);
                Err(Stop::Failed)
            }
        }
    }

    fn note_applied(&mut self, object: &ApplyObject, manifest: &Value, applied: Applied, live: &LiveIndex) {
        let before = live.get(&object.id);
        let Some(record) = live.learn(&applied.object) else {
            return;
        };
        let projection = record.projection.unwrap_or_default();
        live.expect(&object.id, projection);
        let version = applied.object.get("apiVersion").and_then(Value::as_str).unwrap_or("");
        match object.reason {
            ApplyReason::Rollout => {
                let entry = AppliedObject {
                    desired: live.key().of_value(manifest),
                    projection,
                    uid: record.uid.to_string(),
                    api_version: version.to_owned(),
                    created: applied.created,
                };
                if let Some(rollout) = &mut self.progress.rollout {
                    let created = rollout.applied.get(&object.id).is_some_and(|earlier| earlier.created);
                    let entry = AppliedObject { created: entry.created || created, ..entry };
                    rollout.applied.insert(object.id.clone(), entry);
                }
            }
            ApplyReason::Heal | ApplyReason::Restore => {
                self.heals.push(object.id.clone());
                self.progress.healed.insert(object.id.clone(), projection);
                let body = before.and_then(|record| record.body);
                let signature = body.and_then(|body| signature(manifest, &body, live));
                self.progress.note_heal(&object.id, signature, self.now);
            }
        }
    }

    async fn remove_extras(&mut self, objects: &[(ResourceId, Vec<String>)]) -> Result<(), Stop> {
        for (id, fields) in objects {
            let Some(live) = self.live.get(id) else { continue };
            // Only from the object as it was seen: somebody may have changed it since.
            let version = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version.as_str()});
            let removals = fields.iter().map(|field| json!({"op": "remove", "path": field}));
            let patch: Vec<Value> = std::iter::once(version).chain(removals).collect();
            self.writes += 1;
            match self.cluster.patch(id, None, &Value::Array(patch)).await {
                Ok(object) => {
                    self.live.learn(&object);
                }
                Err(error) => return Err(self.fail(Some(id.clone()), &error)),
            }
        }
        Ok(())
    }

    async fn delete_all(&mut self, objects: &[DeleteObject]) -> Result<(), Stop> {
        for object in objects {
            self.writes += 1;
            match self.cluster.delete(&object.id, None, &object.uid).await {
                // Of an object that took its name since, or of a kind that is gone, nothing is ours to delete.
                Ok(_) | Err(ClusterError::Changed { .. } | ClusterError::KindUnknown { .. }) => {}
                Err(error) => return Err(self.fail(Some(object.id.clone()), &error)),
            }
        }
        Ok(())
    }

    async fn switch_head(
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

    async fn block(
        &mut self,
        application: &ApplicationId,
        rollout: u64,
        diagnosis: &str,
        suspects: &[ResourceId],
    ) -> Result<(), Stop> {
        let wanted = self.wanted_version()?;
        let details = diagnose::diagnose(self.cluster, suspects, self.time).await;
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

    async fn note_removed(&mut self, application: &ApplicationId, rollout: u64) -> Result<(), Stop> {
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
        head.objects.clear();
        head.pending = self.pending(&record);
        self.store_head(application, head).await?;
        self.note_record(record);
        self.progress.end();
        Ok(())
    }

    async fn remove_head(&mut self, application: &ApplicationId) -> Result<(), Stop> {
        self.writes += 1;
        match inventory::remove(self.cluster, self.namespace, self.instance, application).await {
            Ok(()) => {
                self.head = None;
                self.intent = None;
                Ok(())
            }
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    async fn change_head(
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
        let (cluster, namespace) = (self.cluster, self.namespace);
        let mut answer =
            inventory::write_head(cluster, namespace, application, &head, version.as_deref()).await;
        if let Err(ClusterError::Missing { .. }) = answer {
            // Somebody deleted it, or the whole namespace; what it said is known here.
            self.restore_home().await?;
            self.restore_set(application, &head).await?;
            self.writes += 1;
            answer = inventory::write_head(cluster, namespace, application, &head, None).await;
        }
        match answer {
            Ok(resource_version) => {
                self.head = Some(StoredHead { head, resource_version });
                Ok(())
            }
            Err(ClusterError::Changed { .. }) => {
                // Another process, or our own write whose answer was lost: read it again before deciding anew.
                self.rivalled = true;
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
        match inventory::write_set(self.cluster, &place, &packed).await {
            // What stands there is of this rollout or newer: it was not lost.
            Ok(()) | Err(ClusterError::Changed { .. }) => Ok(()),
            Err(error) => Err(self.fail(None, &error)),
        }
    }

    /// Our own namespace with the key, if somebody deleted them.
    async fn restore_home(&mut self) -> Result<(), Stop> {
        let key = self.live.key().clone();
        match restore_home(self.cluster, self.namespace, self.instance, key).await {
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

    fn fail(&mut self, object: Option<ResourceId>, error: &ClusterError) -> Stop {
        let (kind, retry_after) = sort(error, object.as_ref());
        let failure = Failure { kind, object, message: error.to_string() };
        self.progress.fail(failure, retry_after, self.now);
        Stop::Failed
    }
}

async fn apply_one(
    cluster: &dyn ClusterWrite,
    object: &ApplyObject,
    manifest: &Value,
    last: &[Arc<Value>],
) -> Result<Applied, ClusterError> {
    if object.adopt {
        adopt(cluster, &object.id, manifest).await?;
    }
    let options = ApplyOptions { force: object.force, dry_run: false };
    match cluster.apply(manifest, options).await {
        Err(ClusterError::Conflict { owners, message }) => {
            let ours = |owner: &FieldOwner| last.iter().any(|object| names_field(object, owner));
            if !owners.iter().all(ours) {
                return Err(ClusterError::Conflict { owners, message });
            }
            // Somebody took fields that we had applied: take them back, but only from the object as it is now.
            let live = cluster.get(&object.id, None).await?;
            let mut manifest = manifest.clone();
            if let Some(version) = live.as_ref().and_then(|live| live.pointer("/metadata/resourceVersion")) {
                manifest["metadata"]["resourceVersion"] = version.clone();
            }
            cluster.apply(&manifest, ApplyOptions { force: true, dry_run: false }).await
        }
        other => other,
    }
}

/// Takes over the fields of `kubectl apply`, with the one write that it needs.
async fn adopt(cluster: &dyn ClusterWrite, id: &ResourceId, manifest: &Value) -> Result<(), ClusterError> {
    let Some(live) = cluster.get(id, None).await? else {
        return Ok(());
    };
    let version = manifest.get("apiVersion").and_then(Value::as_str).unwrap_or("");
    if let Some(adoption) = diff::adoption(&live, version) {
        cluster.patch(id, None, &adoption.patch).await?;
    }
    Ok(())
}
