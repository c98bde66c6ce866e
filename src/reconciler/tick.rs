//! One tick of one application: observe, decide, act, fold what came of it, until nothing more can be done now.

mod changes;
mod live;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Options;
use super::act::{Bodies, Records, Site, act};
use super::onlooker::{self, Comparison};
use crate::adapters::clock::Clock;
use crate::adapters::cluster::{ClusterError, ClusterRead};
use crate::cluster::contact::FirstContact;
use crate::cluster::live::LiveIndex;
use crate::cluster::state::Sight;
use crate::cluster::store;
use crate::cluster::writer::Writer;
use crate::diff::LookedUp;
use crate::inventory::{PackedSet, is_begun};
use crate::model::digest::Digest;
use crate::model::drift::FieldChange;
use crate::model::hold::HoldReason;
use crate::model::inventory::StoredHead;
use crate::model::manifest::RenderedSet;
use crate::model::name::ApplicationId;
use crate::model::record::Record;
use crate::model::resource::ResourceId;
use crate::sync::{Effect, Failure, FailureCause, Observation, Outcome, SyncPlan, Wanted, plan};

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

/// How the cluster of an application is reached.
pub(super) struct Reach {
    pub(super) cluster: Arc<dyn ClusterRead>,
    pub(super) writer: Writer,
    pub(super) live: LiveIndex,
    pub(super) contact: Arc<FirstContact>,
    pub(super) standing: Standing,
    pub(super) sight: Sight,
    pub(super) namespace_known: bool,
}

/// What one tick works on: a picture of one application, which it keeps up to date.
pub(super) struct Tick {
    pub(super) observation: Observation,
    /// Holds that do not depend on the cluster.
    pub(super) found: Vec<HoldReason>,
    pub(super) reach: Reach,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: Arc<Options>,
    pub(super) packed: Option<PackedSet>,
    pub(super) deployed: Option<PackedSet>,
    pub(super) records: Records,
    pub(super) looked_up: LookedUp,
}

/// What a tick found and did.
pub(crate) struct TickResult {
    pub(super) plan: SyncPlan,
    pub(super) observation: Observation,
    pub(super) changes: BTreeMap<ResourceId, Vec<FieldChange>>,
    pub(super) done: Done,
    pub(super) duration: Duration,
}

/// What a tick did, over all its rounds.
#[derive(Default)]
pub(super) struct Done {
    /// Sets written or read.
    pub(super) sets: Vec<PackedSet>,
    /// What goes to the state repository.
    pub(super) records: Vec<Record>,
    /// How many writes the API server was asked for.
    pub(super) writes: usize,
    /// Objects that were brought back.
    pub(super) heals: Vec<ResourceId>,
}

impl Tick {
    /// The application.
    pub(super) fn application(&self) -> &ApplicationId {
        &self.observation.application
    }

    /// Runs until nothing more can be done now.
    pub(super) async fn run(mut self) -> TickResult {
        let started = tokio::time::Instant::now();
        let mut done = Done::default();
        let plan = self.work(&mut done).await;
        let changes = self.changes(&plan);
        TickResult { plan, observation: self.observation, changes, done, duration: started.elapsed() }
    }

    async fn work(&mut self, done: &mut Done) -> SyncPlan {
        let (mut rendered, mut reread) = (None, false);
        if self.observation.progress.head_in_doubt {
            self.reread(done).await;
        }
        for _ in 0..ROUNDS {
            self.observe().await;
            if self.reach.sight == Sight::HeadsOnly {
                self.compare_fields();
            }
            let mut plan = plan(&self.observation);
            if self.has_failed_for_nothing(&plan) {
                self.observation.progress.clear_failure();
                plan = crate::sync::plan(&self.observation);
            }
            self.stand_by(&mut plan);
            if self.is_idle(&plan) {
                return plan;
            }
            // Bodies are unpacked once, and only by a tick that has something to do.
            let rendered = rendered.get_or_insert_with(|| self.unpack_wanted()).as_ref();
            let outcome = self.act(&plan, rendered).await;
            self.fold(&outcome, done);
            if outcome.is_outdated() {
                self.reread(done).await;
                if std::mem::replace(&mut reread, true) {
                    // What was read did not help: it may be older than what stands there.
                    self.try_later();
                    break;
                }
            } else if outcome.writes == 0 || !self.observation.progress.goes_on() {
                break;
            }
        }
        self.observe().await;
        plan(&self.observation)
    }

    /// Whether nothing is to be done now, or not by us.
    fn is_idle(&self, plan: &SyncPlan) -> bool {
        plan.steps.is_empty()
            || plan.is_waiting()
            || self.options.dry_run
            || self.reach.standing != Standing::Leads
    }

    /// What is to be done is another daemon's business while that one has the lease.
    fn stand_by(&self, plan: &mut SyncPlan) {
        if self.reach.standing == Standing::Leads || self.options.dry_run || plan.steps.is_empty() {
            return;
        }
        let holder = match self.reach.writer.lease().check() {
            Err(ClusterError::NotLeader { holder }) => Some(holder),
            Err(error @ (ClusterError::Forbidden { .. } | ClusterError::Rejected { .. })) => {
                plan.holds.push(cluster_hold(&error));
                return;
            }
            _ => None,
        };
        plan.holds.push(HoldReason::Standby { holder });
    }

    /// Carries the plan out.
    async fn act(&self, plan: &SyncPlan, rendered: Option<&RenderedSet>) -> Outcome {
        let site = Site {
            writer: &self.reach.writer,
            live: &self.reach.live,
            namespace: &self.options.own_namespace,
            config: self.options.config.as_str(),
            records: self.records,
        };
        let bodies = Bodies { rendered, wanted: self.packed.as_ref(), deployed: self.deployed.as_ref() };
        act(plan, &self.observation, &bodies, &site).await
    }

    /// Takes in what was done.
    fn fold(&mut self, outcome: &Outcome, done: &mut Done) {
        self.observation.fold(outcome);
        done.writes += outcome.writes;
        done.heals.extend(outcome.healed().cloned());
        done.records.extend(outcome.records().cloned());
        if outcome.begins_rollout() {
            done.sets.extend(self.packed.clone());
        }
        let deployed = self.deployed_digest();
        let known = done.sets.iter().chain(&self.packed).find(|packed| Some(packed.digest) == deployed);
        if let Some(packed) = known {
            self.deployed = Some(packed.clone());
        }
    }

    fn deployed_digest(&self) -> Option<Digest> {
        self.observation.head()?.deployed.as_ref().map(|version| version.digest)
    }

    /// Reads the inventory of the application again, after a write that met another version than the one we knew.
    async fn reread(&mut self, done: &mut Done) {
        let observation = &mut self.observation;
        let (namespace, instance) = (&self.options.own_namespace, &observation.instance);
        let read = store::read_one(&*self.reach.cluster, namespace, instance, &observation.application).await;
        let Ok(kept) = read else { return };
        if self.is_outdated(kept.head.as_ref()) {
            return;
        }
        let observation = &mut self.observation;
        if std::mem::take(&mut observation.progress.head_in_doubt) {
            observation.progress.clear_failure();
        }
        let version = |head: &Option<StoredHead>| head.as_ref().map(|stored| stored.resource_version.clone());
        // A head that is gone is known here, and written again.
        if let (None, Some(ours)) = (&kept.head, &mut observation.head) {
            ours.resource_version.clear();
        }
        if kept.head.is_some() && version(&kept.head) != version(&observation.head) {
            observation.head = kept.head;
            observation.progress.end();
        }
        let head = observation.head();
        let begun = kept.sets.iter().map(|(stored, _)| stored).find(|stored| is_begun(stored, head));
        observation.pending = begun.cloned();
        let deployed = self.deployed_digest();
        for (_, packed) in kept.sets.into_iter().filter(|(_, packed)| Some(packed.digest) == deployed) {
            self.deployed = Some(packed.clone());
            done.sets.push(packed);
        }
        for (id, object) in self.observation.head().into_iter().flat_map(|head| &head.objects) {
            self.reach.live.expect(id, object.projection);
        }
    }

    /// Whether a head that was read is older than the one that we know, and not to be believed.
    fn is_outdated(&mut self, read: Option<&StoredHead>) -> bool {
        let outdated =
            self.observation.head.as_ref().zip(read).is_some_and(|(known, read)| known.is_newer_than(read));
        if !outdated {
            self.observation.progress.is_up_to_date();
        }
        outdated && !self.observation.progress.is_set_back(self.clock.steady())
    }

    fn try_later(&mut self) {
        let message = "its inventory changed under our hands".to_owned();
        let cause = FailureCause::InventoryChanging;
        let failure = Failure { cause, object: None, message, retry_after: Some(AGAIN) };
        self.observation.fold(&Outcome { effects: vec![Effect::Failed(failure)], writes: 0 });
    }

    /// Whether what failed is no longer to be done: a write whose answer was lost has arrived, or nobody asks for it.
    fn has_failed_for_nothing(&self, plan: &SyncPlan) -> bool {
        let due = self.observation.progress.may_try(self.clock.steady())
            && !self.observation.progress.head_in_doubt;
        self.observation.progress.failure.is_some()
            && due
            && plan.informed
            && (plan.steps.is_empty() || plan.is_waiting())
    }

    /// The bodies of the wanted set, if they will be needed: what is deployed already is not applied anew.
    fn unpack_wanted(&self) -> Option<RenderedSet> {
        let packed = self.packed.as_ref()?;
        if self.observation.head().is_some_and(|head| head.has_deployed(packed.digest)) {
            return None;
        }
        packed.unpack().ok()
    }

    fn compare_fields(&mut self) {
        let observation = &mut self.observation;
        let bodies = self.packed.as_ref().and_then(|packed| packed.unpack().ok());
        let wanted = match &*observation.wanted {
            Wanted::Version(wanted) => bodies.as_ref().map(|bodies| (&*wanted.set, bodies)),
            _ => None,
        };
        let live = |id: &ResourceId| observation.live.get(id);
        let comparison = Comparison { wanted, live: &live, unreadable: &observation.live.unreadable };
        if let Some(stored) = &mut observation.head {
            onlooker::compare(&mut stored.head, &comparison);
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
