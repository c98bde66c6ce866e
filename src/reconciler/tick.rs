//! One tick of one application: observe what is live, decide, act, until nothing more can be done now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Options;
use super::act::Execution;
use super::onlooker::{self, Comparison};
use crate::adapters::clock::Clock;
use crate::adapters::cluster::{ClusterError, ClusterRead};
use crate::cluster::contact::FirstContact;
use crate::cluster::live::{LiveIndex, Place};
use crate::cluster::state::{Sight, namespace_id};
use crate::cluster::store;
use crate::cluster::writer::Writer;
use crate::diff::{self, LookedUp, Scope, as_stored, redacted};
use crate::inventory::{PackedSet, is_begun};
use crate::model::drift::{FieldChange, ObjectDrift};
use crate::model::hold::HoldReason;
use crate::model::inventory::{StoredHead, StoredSet, Suspension};
use crate::model::kinds::KindTable;
use crate::model::live::LiveRecord;
use crate::model::manifest::RenderedSet;
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::record::Record;
use crate::model::resource::{GroupKind, ResourceId};
use crate::sync::{
    Confirmations, Facts, Failure, FailureKind, Progress, ResourceState, SyncPlan, Wanted, plan, scaled_by,
};

/// A tick acts at most so many times: each time something was written, so this is a backstop against a fault
/// of ours, not a limit that work meets.
const ROUNDS: usize = 200;
/// How long after the inventory was found changed for the second time the next try comes.
const AGAIN: Duration = Duration::from_secs(10);

/// How we stand with the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// This daemon writes.
    Leads,
    /// Another daemon does, or nobody asked for the lease yet.
    Follows,
    /// The cluster does not answer, and why that is thought.
    Silent(Arc<str>),
}

/// What one tick works on: a copy of everything about one application.
pub(super) struct Tick {
    pub(super) application: ApplicationId,
    pub(super) cluster: Arc<dyn ClusterRead>,
    pub(super) writer: Writer,
    pub(super) standing: Standing,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) live: LiveIndex,
    pub(super) kinds: Arc<KindTable>,
    pub(super) contact: Arc<FirstContact>,
    pub(super) identity: String,
    pub(super) instance: InstanceName,
    pub(super) options: Arc<Options>,
    pub(super) wanted: Arc<Wanted>,
    pub(super) packed: Option<PackedSet>,
    pub(super) deployed: Option<PackedSet>,
    pub(super) head: Option<StoredHead>,
    pub(super) intent: Option<StoredSet>,
    pub(super) progress: Progress,
    pub(super) wanted_elsewhere: BTreeMap<ResourceId, ApplicationId>,
    pub(super) suspension: Option<Suspension>,
    pub(super) confirmations: Confirmations,
    pub(super) recorded_rollout: Option<u64>,
    pub(super) observed: Vec<HoldReason>,
    pub(super) namespace_known: bool,
    pub(super) keeps_records: bool,
    pub(super) heals: Vec<ResourceId>,
    pub(super) sight: Sight,
    pub(super) looked_up: LookedUp,
    /// Whether it is known what every other application of the cluster asks for.
    pub(super) claims_complete: bool,
}

/// What a tick found and did.
pub(crate) struct TickResult {
    pub(super) plan: SyncPlan,
    pub(super) live: BTreeMap<ResourceId, LiveRecord>,
    pub(super) changes: BTreeMap<ResourceId, Vec<FieldChange>>,
    pub(super) head: Option<StoredHead>,
    pub(super) intent: Option<StoredSet>,
    pub(super) progress: Progress,
    pub(super) sets: Vec<PackedSet>,
    pub(super) records: Vec<Record>,
    pub(super) namespace_exists: bool,
    pub(super) writes: usize,
    pub(super) heals: Vec<ResourceId>,
    pub(super) duration: std::time::Duration,
}

/// What acting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acted {
    /// Something was written.
    Wrote,
    /// Nothing was, or something failed.
    Nothing,
    /// The inventory is not as we knew it: an answer was lost, or another daemon had the lease meanwhile.
    Outdated,
}

/// The live side of an application at one moment.
#[derive(Default)]
struct Seen {
    live: BTreeMap<ResourceId, LiveRecord>,
    holds: Vec<HoldReason>,
    complete: bool,
    namespace_exists: bool,
    scaled: BTreeSet<ResourceId>,
    unreadable: BTreeSet<GroupKind>,
}

impl Tick {
    /// Runs until nothing more can be done now.
    pub(super) async fn run(self) -> TickResult {
        let started = tokio::time::Instant::now();
        let mut result = self.work().await;
        result.duration = started.elapsed();
        result
    }

    async fn work(mut self) -> TickResult {
        let mut rendered = None;
        let (mut sets, mut records, mut writes) = (Vec::new(), Vec::new(), 0);
        let (mut round, mut reread) = (0, false);
        if self.progress.head_in_doubt {
            self.reread(&mut sets).await;
        }
        loop {
            let seen = self.observe().await;
            if self.sight == Sight::HeadsOnly {
                self.compare_fields(&seen);
            }
            let mut plan = self.decide(&seen);
            if self.has_failed_for_nothing(&plan) {
                self.progress.clear_failure();
                plan = self.decide(&seen);
            }
            round += 1;
            self.stand_by(&mut plan);
            let idle = plan.steps.is_empty()
                || plan.is_waiting()
                || self.options.dry_run
                || self.standing != Standing::Leads
                || round > ROUNDS;
            if idle {
                return self.result(plan, seen, (sets, records, writes));
            }
            // Bodies are unpacked once, and only by a tick that has something to do.
            let bodies = rendered.get_or_insert_with(|| self.unpack_wanted());
            let bodies = bodies.as_ref();
            let acted = self.act(&plan, bodies, &mut sets, &mut records, &mut writes).await;
            if acted == Acted::Outdated {
                self.reread(&mut sets).await;
                if std::mem::replace(&mut reread, true) {
                    // What was read did not help: it may be older than what stands there.
                    self.try_later();
                    let plan = self.decide(&seen);
                    return self.result(plan, seen, (sets, records, writes));
                }
            }
            if acted == Acted::Nothing {
                let seen = self.observe().await;
                let plan = self.decide(&seen);
                return self.result(plan, seen, (sets, records, writes));
            }
        }
    }

    /// What is to be done is another daemon's business while that one has the lease.
    fn stand_by(&self, plan: &mut SyncPlan) {
        if self.standing == Standing::Leads || self.options.dry_run || plan.steps.is_empty() {
            return;
        }
        let holder = match self.writer.lease().check() {
            Err(ClusterError::NotLeader { holder }) => Some(holder),
            Err(error @ (ClusterError::Forbidden { .. } | ClusterError::Rejected { .. })) => {
                plan.holds.push(cluster_hold(&error));
                return;
            }
            _ => None,
        };
        plan.holds.push(HoldReason::Standby { holder });
    }

    /// Reads the inventory of the application again, after a write that met another version than the one we knew.
    async fn reread(&mut self, sets: &mut Vec<PackedSet>) {
        let (namespace, instance) = (&self.options.own_namespace, &self.instance);
        let read = store::read_one(&*self.cluster, namespace, instance, &self.application).await;
        let Ok(kept) = read else { return };
        if self.is_outdated(kept.head.as_ref()) {
            return;
        }
        if std::mem::take(&mut self.progress.head_in_doubt) {
            self.progress.clear_failure();
        }
        let version = |head: &Option<StoredHead>| head.as_ref().map(|stored| stored.resource_version.clone());
        // A head that is gone is known here, and written again.
        if let (None, Some(ours)) = (&kept.head, &mut self.head) {
            ours.resource_version.clear();
        }
        if kept.head.is_some() && version(&kept.head) != version(&self.head) {
            self.head = kept.head;
            self.progress.end();
        }
        let head = self.head.as_ref().map(|stored| &stored.head);
        let deployed = head.and_then(|head| head.deployed.as_ref()).map(|version| version.digest);
        self.intent =
            kept.sets.iter().map(|(stored, _)| stored).find(|stored| is_begun(stored, head)).cloned();
        for (_, packed) in kept.sets.into_iter().filter(|(_, packed)| Some(packed.digest) == deployed) {
            self.deployed = Some(packed.clone());
            sets.push(packed);
        }
        for (id, object) in self.head.iter().flat_map(|stored| &stored.head.objects) {
            self.live.expect(id, object.projection);
        }
    }

    /// Whether a head that was read is older than the one that we know, and not to be believed.
    fn is_outdated(&mut self, read: Option<&StoredHead>) -> bool {
        let outdated = self.head.as_ref().zip(read).is_some_and(|(known, read)| known.is_newer_than(read));
        if !outdated {
            self.progress.is_up_to_date();
        }
        outdated && !self.progress.is_set_back(self.clock.steady())
    }

    fn try_later(&mut self) {
        let now = self.clock.steady();
        let until = now.checked_add(AGAIN).unwrap_or(now);
        let message = "its inventory changed under our hands".to_owned();
        let kind = FailureKind::Held(HoldReason::Retrying { message: message.clone(), until });
        self.progress.fail(Failure { kind, object: None, message }, Some(AGAIN), now);
    }

    /// Whether what failed is no longer to be done: a write whose answer was lost has arrived, or nobody asks for it.
    fn has_failed_for_nothing(&self, plan: &SyncPlan) -> bool {
        let due = self.progress.may_try(self.clock.steady()) && !self.progress.head_in_doubt;
        self.progress.failure.is_some() && due && plan.informed && plan.steps.is_empty()
    }

    fn result(self, plan: SyncPlan, seen: Seen, done: (Vec<PackedSet>, Vec<Record>, usize)) -> TickResult {
        let mut seen = seen;
        let changes = self.changes(&plan, &mut seen);
        TickResult {
            changes,
            plan,
            live: seen.live,
            head: self.head,
            intent: self.intent,
            progress: self.progress,
            sets: done.0,
            records: done.1,
            namespace_exists: seen.namespace_exists,
            writes: done.2,
            heals: self.heals,
            duration: std::time::Duration::ZERO,
        }
    }

    /// What is not as it should be, with values: of drift that is not healed yet, and of a wanted version that is
    /// not there yet. Bodies are unpacked only for these.
    fn changes(&self, plan: &SyncPlan, seen: &mut Seen) -> BTreeMap<ResourceId, Vec<FieldChange>> {
        // A first rollout has nothing to be told against.
        let differs = |state: &&ResourceState| match state.drift.drift {
            ObjectDrift::Changed => true,
            ObjectDrift::Pending => self.deployed.is_some(),
            _ => false,
        };
        let different: Vec<&ResourceState> = plan.resources.iter().filter(differs).collect();
        if different.is_empty() {
            return BTreeMap::new();
        }
        let unpack = |packed: &Option<PackedSet>| packed.as_ref().and_then(|packed| packed.unpack().ok());
        let (deployed, wanted) = (unpack(&self.deployed), unpack(&self.packed));
        let body = |set: &Option<RenderedSet>, id: &ResourceId| Some(set.as_ref()?.get(id)?.object.clone());
        let shown = |object: &Value| redacted(&as_stored(object), self.live.key(), &self.looked_up);
        let mut of = |state: &ResourceState| {
            let id = &state.drift.id;
            if state.drift.drift == ObjectDrift::Pending {
                let (before, after) = (body(&deployed, id)?, body(&wanted, id)?);
                return Some(diff::changes(&shown(&before), &shown(&after), Scope::All));
            }
            let record = seen.live.get_mut(id)?;
            let live = record.body.clone()?;
            let applied = body(&deployed, id).or_else(|| body(&wanted, id))?;
            // A field that we applied is drift, whoever has it now, and nothing extra.
            let taken = diff::changed_fields(&applied, &live);
            record.extras.retain(|extra| !taken.contains(&extra.field));
            Some(diff::changes(&shown(&live), &shown(&applied), Scope::Asked))
        };
        let changes = different.into_iter().filter_map(|state| Some((state.drift.id.clone(), of(state)?)));
        changes.filter(|(_, changes)| !changes.is_empty()).collect()
    }

    /// The bodies of the wanted set, if they will be needed: what is deployed already is not applied anew.
    fn unpack_wanted(&self) -> Option<RenderedSet> {
        let packed = self.packed.as_ref()?;
        if self.head.as_ref().is_some_and(|stored| stored.head.has_deployed(packed.digest)) {
            return None;
        }
        packed.unpack().ok()
    }

    fn compare_fields(&mut self, seen: &Seen) {
        let bodies = self.packed.as_ref().and_then(|packed| packed.unpack().ok());
        let wanted = match &*self.wanted {
            Wanted::Version(wanted) => bodies.as_ref().map(|bodies| (&*wanted.set, bodies)),
            _ => None,
        };
        let live = |id: &ResourceId| seen.live.get(id);
        let comparison = Comparison { wanted, live: &live, unreadable: &seen.unreadable };
        if let Some(stored) = &mut self.head {
            onlooker::compare(&mut stored.head, &comparison);
        }
    }

    fn is_rollout(&self) -> bool {
        let deployed = |digest| self.head.as_ref().is_some_and(|stored| stored.head.has_deployed(digest));
        matches!(&*self.wanted, Wanted::Version(wanted) if !deployed(wanted.version.digest))
    }

    fn decide(&self, seen: &Seen) -> SyncPlan {
        plan(&Facts {
            application: &self.application,
            wanted: &self.wanted,
            head: self.head.as_ref().map(|stored| &stored.head),
            intent: self.intent.as_ref(),
            live: &seen.live,
            observed: &seen.holds,
            live_complete: seen.complete,
            progress: &self.progress,
            scaled: &seen.scaled,
            unreadable: &seen.unreadable,
            wanted_elsewhere: &self.wanted_elsewhere,
            claims_complete: self.claims_complete,
            kinds: &self.kinds,
            cluster: &self.identity,
            namespace_exists: seen.namespace_exists,
            suspension: self.suspension.as_ref(),
            confirmations: &self.confirmations,
            recorded_rollout: self.recorded_rollout,
            instance: self.instance.as_str(),
            now: self.clock.steady(),
        })
    }

    /// Looks up the live records of everything that the head, the intent or the wanted set names.
    async fn observe(&self) -> Seen {
        let mut seen = Seen { complete: true, holds: self.observed.clone(), ..Seen::default() };
        if let Standing::Silent(why) = &self.standing {
            seen.complete = false;
            seen.holds.push(HoldReason::ApiUnavailable { message: why.to_string() });
            return seen;
        }
        let mut ids: BTreeSet<&ResourceId> = BTreeSet::new();
        ids.extend(self.head.iter().flat_map(|head| head.head.objects.keys()));
        ids.extend(self.intent.iter().flat_map(|intent| &intent.objects));
        if let Wanted::Version(wanted) = &*self.wanted {
            ids.extend(wanted.set.objects.iter().map(|object| &object.id));
        }
        let places: BTreeSet<Place> =
            ids.iter().map(|id| Place { kind: id.kind.clone(), namespace: id.namespace.clone() }).collect();
        for place in places {
            self.check_readiness(&place, &mut seen);
        }
        if !seen.complete {
            return seen;
        }
        let mut missing = Vec::new();
        for id in ids {
            match self.live.get(id) {
                Some(record) => {
                    seen.live.insert(id.clone(), record);
                }
                None => missing.push(id),
            }
        }
        if self.sight == Sight::HeadsOnly {
            seen.namespace_exists = true;
        } else if let Err(error) = self.look_around(&missing, &mut seen).await {
            seen.complete = false;
            seen.holds.push(cluster_hold(&error));
        }
        self.find_scaled(&mut seen).await;
        seen
    }

    /// Objects whose replicas an autoscaler sets: those of our own set, and, where replicas are no longer ours,
    /// those that one list of the namespace names. If that list fails, replicas stay as they are.
    async fn find_scaled(&self, seen: &mut Seen) {
        if let Wanted::Version(wanted) = &*self.wanted {
            seen.scaled.extend(wanted.set.objects.iter().filter_map(|object| object.scales.clone()));
        }
        let drifted = |(id, record): (&ResourceId, &LiveRecord)| {
            let replicas = record.replicas?;
            (!replicas.ours && record.projection.is_some() && !seen.scaled.contains(id)).then(|| id.clone())
        };
        let drifted: Vec<ResourceId> = seen.live.iter().filter_map(drifted).collect();
        let namespaces: BTreeSet<Option<Arc<str>>> = drifted.iter().map(|id| id.namespace.clone()).collect();
        let kind = GroupKind::new("autoscaling", "HorizontalPodAutoscaler");
        for namespace in namespaces.into_iter().flatten().filter(|_| self.kinds.get(&kind).is_some()) {
            match self.cluster.list(&kind, None, Some(&namespace), None).await {
                Ok(autoscalers) => {
                    let targets: BTreeSet<ResourceId> = autoscalers.iter().filter_map(scaled_by).collect();
                    seen.scaled.extend(drifted.iter().filter(|id| targets.contains(*id)).cloned());
                }
                Err(error) => {
                    if self.sight == Sight::Whole {
                        seen.holds.push(cluster_hold(&error));
                    }
                    let here = drifted.iter().filter(|id| id.namespace.as_ref() == Some(&namespace));
                    seen.scaled.extend(here.cloned());
                }
            }
        }
    }

    fn check_readiness(&self, place: &Place, seen: &mut Seen) {
        // A kind that is not served has no objects.
        if !self.kinds.get(&place.kind).is_some_and(|info| info.watchable) {
            return;
        }
        match self.live.readiness(place) {
            Ok(true) => {}
            Ok(false) => seen.complete = false,
            Err(ClusterError::Forbidden { .. }) if self.sight == Sight::HeadsOnly => {
                seen.unreadable.insert(place.kind.clone());
            }
            Err(error) => {
                seen.complete = false;
                let hold = cluster_hold(&error);
                if !seen.holds.contains(&hold) {
                    seen.holds.push(hold);
                }
            }
        }
    }

    /// Before a first write: does the namespace exist, and does anything stand there that no watch shows?
    async fn look_around(&self, missing: &[&ResourceId], seen: &mut Seen) -> Result<(), ClusterError> {
        seen.namespace_exists = true;
        if missing.is_empty() {
            return Ok(());
        }
        let Some(namespace) = self.namespace() else {
            return Ok(());
        };
        // Whatever lives in the namespace proves that it is there; one that is being deleted refuses the write.
        let inside = |id: &ResourceId| id.namespace.as_deref() == Some(namespace.as_str());
        // After a failure nothing is taken for granted: somebody may have deleted it.
        let proven = self.progress.failure.is_none()
            && (self.is_rollout() && self.namespace_known || seen.live.keys().any(inside));
        if !proven {
            seen.namespace_exists = match self.cluster.get(&namespace_id(&namespace), None).await {
                // Roles in namespaces alone: the first write tells.
                Err(ClusterError::Forbidden { .. }) => true,
                answer => answer?.is_some(),
            };
        }
        if !self.is_rollout() {
            return Ok(());
        }
        for id in missing {
            let Some(namespaced) = self.kinds.is_namespaced(&id.kind) else {
                continue;
            };
            let inside = id.namespace.as_deref() == Some(namespace.as_str());
            let known = self.head.as_ref().is_some_and(|head| head.head.objects.contains_key(*id));
            if known || (inside && !seen.namespace_exists) {
                continue;
            }
            if let Some(record) = self.contact.look(id, namespaced).await? {
                // What carries our label is in a watch, which knows better whether it is still there.
                if record.instance.as_deref() != Some(self.instance.as_str()) {
                    seen.live.insert((*id).clone(), record);
                }
            }
        }
        Ok(())
    }

    fn namespace(&self) -> Option<NamespaceName> {
        match &*self.wanted {
            Wanted::Version(wanted) => Some(wanted.namespace.clone()),
            _ => self.head.as_ref().map(|stored| stored.head.namespace.clone()),
        }
    }

    async fn act(
        &mut self,
        plan: &SyncPlan,
        rendered: Option<&RenderedSet>,
        sets: &mut Vec<PackedSet>,
        records: &mut Vec<Record>,
        writes: &mut usize,
    ) -> Acted {
        let mut execution = Execution {
            writer: &self.writer,
            live: &self.live,
            namespace: &self.options.own_namespace,
            instance: &self.instance,
            config: self.options.config.as_str(),
            identity: &self.identity,
            wanted: &self.wanted,
            rendered,
            packed: self.packed.as_ref(),
            deployed: self.deployed.clone(),
            keeps_records: self.keeps_records,
            head: self.head.take(),
            intent: self.intent.take(),
            progress: std::mem::take(&mut self.progress),
            sets: Vec::new(),
            records: Vec::new(),
            writes: 0,
            heals: Vec::new(),
            outdated: false,
            now: self.clock.steady(),
            time: self.clock.now(),
        };
        let wrote = execution.carry_out(plan).await;
        *writes += execution.writes;
        self.heals.extend(execution.heals);
        let outdated = execution.outdated;
        self.head = execution.head;
        self.intent = execution.intent;
        self.progress = execution.progress;
        let deployed =
            self.head.as_ref().and_then(|head| head.head.deployed.as_ref()).map(|version| version.digest);
        for packed in execution.sets {
            sets.push(packed);
        }
        if let Some(packed) = sets.iter().chain(&self.packed).find(|packed| Some(packed.digest) == deployed) {
            self.deployed = Some(packed.clone());
        }
        records.extend(execution.records);
        match (outdated, wrote && self.progress.failure.is_none()) {
            (true, _) => Acted::Outdated,
            (false, true) => Acted::Wrote,
            (false, false) => Acted::Nothing,
        }
    }
}

/// The hold that a failed call becomes.
pub(super) fn cluster_hold(error: &ClusterError) -> HoldReason {
    match error {
        ClusterError::Forbidden { message } => HoldReason::Forbidden { message: message.clone() },
        ClusterError::NotLeader { holder } => HoldReason::Standby { holder: Some(holder.clone()) },
        other => HoldReason::ApiUnavailable { message: other.to_string() },
    }
}
