//! What the loop hears of Git: readings, records of the state repository, commits on this machine; and what every
//! application wants from then on.

use super::{Application, Errand, Reconciler, RunMode};
use crate::adapters::bell::{LocalBell, SETTLE};
use crate::adapters::sources::SourceError;
use crate::cluster::state::Sight;
use crate::cluster::store;
use crate::inventory::Unreadable;
use crate::ledger::Entry;
use crate::model::drift::SyncStatus;
use crate::model::error::chain;
use crate::model::hold::HoldReason;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName, ServiceName};
use crate::model::record::{Record, RecordOutcome};
use crate::reconciler::Event;
use crate::reconciler::holds::HoldTimes;
use crate::reconciler::observe::{ClusterView, ClusterViews};
use crate::reconciler::queue::Urgency;
use crate::reconciler::reader::{Read, ReadRequest};
use crate::reconciler::record::{LastRecords, last_records};
use crate::reconciler::refresh::{Claims, Heads, Target, deployed_versions, targets};
use crate::sync::{Progress, SyncPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

impl Reconciler {
    /// Begins a reading, if one is wanted and none goes on.
    pub(super) fn read_git(&mut self) {
        if !self.reading_wanted || !self.under_way.insert(Errand::Reading) {
            return;
        }
        self.reading_wanted = false;
        let view = |(context, state): (&Option<String>, &crate::cluster::state::ClusterState)| {
            let view = ClusterView {
                kinds: state.kinds.clone(),
                version: state.identity.version.clone(),
                key: state.live.key().clone(),
                cluster: state.cluster.clone(),
                drawn: (state.sight == Sight::Whole).then(|| Arc::new(state.drawn())),
            };
            (context.clone(), view)
        };
        let connected = self.clusters.iter().map(view).collect();
        let views = ClusterViews { connected, awaited: true };
        self.reader.read(ReadRequest { deployed: deployed_versions(self.clusters.values()), views });
    }

    pub(super) fn take_read(&mut self, read: Result<Read, String>) {
        self.under_way.remove(&Errand::Reading);
        self.readings += 1;
        match read {
            Ok(read) => {
                self.reading = read.reading;
                self.config = read.config;
                self.looked_up = read.looked_up;
            }
            Err(place) => {
                tracing::error!(panic.place = %place, "Reading Git broke off");
                let hold = HoldReason::Bug { place };
                if self.config.is_none() {
                    self.reading.held = vec![hold.clone()];
                }
                self.reading.failures = vec![hold];
            }
        }
        let configured = self.config.as_ref().and_then(|config| config.repository.configuration.as_ref());
        if let Some(configuration) = configured {
            self.take_instance(Some(configuration.instance.clone()));
        } else if self.instance.is_none() && !self.reader.is_waiting() {
            self.find_instance();
        }
        self.connect();
        self.retarget();
        self.watch_local_repositories();
    }

    /// The name of the instance, from the config repository; if that was never read, from heads of the default
    /// cluster that came from it.
    pub(super) fn find_instance(&mut self) {
        if !self.under_way.insert(Errand::FindInstance) {
            return;
        }
        let (clusters, events) = (self.world.clusters.clone(), self.events.clone());
        let (namespace, config) = (self.options.own_namespace.clone(), self.options.config.clone());
        self.errands.spawn(async move {
            let found = match clusters.connect(None).await {
                Ok(cluster) => store::find_instance(&*cluster, &namespace, config.as_str()).await,
                Err(error) => Err(error),
            };
            let found = found.unwrap_or_else(|error| {
                tracing::warn!(error = %chain(&error), "Failed to look for heads");
                None
            });
            // Nobody listens any more when the loop has ended.
            let _ = events.send(Event::Instance(found));
        });
    }

    pub(super) fn take_instance(&mut self, found: Option<InstanceName>) {
        self.under_way.remove(&Errand::FindInstance);
        if found.is_some() && self.instance != found {
            self.instance = found;
            self.connect();
        }
    }

    /// A commit to a repository on this machine is seen at once.
    fn watch_local_repositories(&mut self) {
        if self.mode == RunMode::Once {
            return;
        }
        if self.local.is_none() {
            let (sender, mut rings) = unbounded_channel();
            self.local = LocalBell::new(sender);
            let events = self.events.clone();
            self.errands.spawn(async move {
                while let Some(first) = rings.recv().await {
                    tokio::time::sleep(SETTLE).await;
                    let mut changed = BTreeSet::from([first]);
                    while let Ok(another) = rings.try_recv() {
                        changed.insert(another);
                    }
                    for repository in changed {
                        if events.send(Event::LocalChange(repository)).is_err() {
                            return;
                        }
                    }
                }
            });
        }
        if let Some(bell) = &mut self.local {
            bell.watch(&self.options.config);
            self.reader.followed().iter().for_each(|repository| bell.watch(repository));
        }
    }

    /// Reads the state repository, until that worked once.
    pub(super) fn read_records(&mut self) {
        let Some(store) = self.world.state.clone() else {
            self.recorded.get_or_insert_default();
            return;
        };
        if self.recorded.is_some() || !self.under_way.insert(Errand::ReadRecords) {
            return;
        }
        let events = self.events.clone();
        self.errands.spawn(async move {
            // Nobody listens any more when the loop has ended.
            let _ = events.send(Event::Records(last_records(&*store).await));
        });
    }

    pub(super) fn take_records(&mut self, records: Result<LastRecords, SourceError>) {
        self.under_way.remove(&Errand::ReadRecords);
        match records {
            Ok(LastRecords { records, newer }) => {
                self.newer_records = newer;
                let number = |(id, record): (&ApplicationId, &Record)| (id.clone(), record.rollout);
                self.recorded = Some(records.iter().map(number).collect());
                self.records_failure = None;
                self.lost = records;
                self.lost.retain(|_, record| record.outcome != RecordOutcome::Removed);
                self.requeue_pending();
                self.retarget();
            }
            Err(error) => {
                let message = chain(&error);
                tracing::warn!(error = %message, "Failed to read the state repository");
                self.records_failure = Some(message);
            }
        }
    }

    /// Records that heads still carry and that the state repository does not have.
    pub(super) fn requeue_pending(&mut self) {
        let (Some(recorder), Some(recorded)) = (&self.recorder, &mut self.recorded) else {
            return;
        };
        for (application, stored) in self.clusters.values().flat_map(|cluster| &cluster.heads) {
            let reached = recorded.get(application).copied().unwrap_or(0);
            for record in stored.head.pending.iter().filter(|record| record.rollout > reached) {
                recorder.record(Entry { application: application.clone(), record: record.clone() });
                recorded.insert(application.clone(), record.rollout);
            }
        }
    }

    /// Joins the reading with the heads: what every application wants from now on.
    pub(super) fn retarget(&mut self) {
        self.search_for_lost();
        let contexts: BTreeSet<Option<String>> =
            self.clusters.keys().chain(self.unconnected.keys()).cloned().collect();
        let mut all: BTreeMap<ApplicationId, (Option<String>, Target)> = BTreeMap::new();
        for context in contexts {
            for (application, target) in self.targets_of(&context) {
                all.insert(application, (context.clone(), target));
            }
        }
        self.claims.clear();
        for context in self.clusters.keys() {
            let own = all.iter().filter(|(_, (one, _))| one == context).map(|(id, (_, target))| (id, target));
            self.claims.insert(context.clone(), Claims::new(own));
        }
        self.applications.retain(|id, _| all.contains_key(id) || self.busy.contains_key(id));
        for (id, (context, target)) in all {
            self.put_target(id, context, target);
        }
        self.watch_kinds();
    }

    fn targets_of(&self, context: &Option<String>) -> BTreeMap<ApplicationId, Target> {
        let here = |environment: &EnvironmentName| match self.reading.contexts.get(environment) {
            Some(one) => one == context,
            // An environment that is gone from Git stays where its heads are.
            None => true,
        };
        let mut reading = self.reading.clone();
        reading.desired.retain(|id, _| here(&id.environment));
        let Some(state) = self.clusters.get(context) else {
            let hold = self.unconnected.get(context);
            let held = |id: &ApplicationId| (id.clone(), Target::held(hold.into_iter().cloned().collect()));
            return reading.desired.keys().map(held).collect();
        };
        let heads: Heads<'_> = state
            .heads
            .iter()
            .filter(|(id, _)| here(&id.environment))
            .map(|(id, stored)| (id, &stored.head))
            .collect();
        let confirmed = |environment: &EnvironmentName| {
            let any = ApplicationId::new(environment.clone(), ServiceName::environment());
            state.commands.get(environment).map(|one| one.confirmations(&any).plans).unwrap_or_default()
        };
        let mut targets =
            targets(&reading, &heads, &|environment| self.options.includes(environment), &confirmed);
        for (id, why) in state.unreadable.iter().filter(|(id, _)| here(&id.environment)) {
            targets.insert(id.clone(), Target::held(vec![unreadable_hold(why)]));
        }
        // Before it is known what is left of an application, nothing is begun.
        for (id, hold) in self.unsearched.iter().filter(|(id, _)| here(&id.environment)) {
            targets.insert(id.clone(), Target::held(hold.iter().cloned().collect()));
        }
        targets
    }

    fn put_target(&mut self, id: ApplicationId, context: Option<String>, target: Target) {
        match self.applications.get_mut(&id) {
            Some(application) => {
                let same = application.context == context && application.target.is_same_as(&target);
                application.context = context;
                application.target = target;
                if !same {
                    application.broke = None;
                }
                let settled = |plan: &SyncPlan| plan.holds.is_empty() && plan.sync == SyncStatus::Synced;
                if same && application.plan.as_ref().is_some_and(settled) && !self.is_suspension_new(&id) {
                    return;
                }
            }
            None => {
                let application = Application {
                    context,
                    target,
                    progress: Progress::default(),
                    times: HoldTimes::default(),
                    plan: None,
                    status: None,
                    moving: true,
                    said: None,
                    wake: None,
                    broke: None,
                };
                self.applications.insert(id.clone(), application);
            }
        }
        self.enqueue(&id, Urgency::Change(self.readings));
    }

    /// Whether somebody suspended or resumed the application since it was judged.
    fn is_suspension_new(&self, id: &ApplicationId) -> bool {
        let Some(application) = self.applications.get(id) else { return true };
        let shown = application.status.as_ref().and_then(|status| status.suspended.clone());
        self.suspension(id, application) != shown
    }
}

fn unreadable_hold(why: &Unreadable) -> HoldReason {
    let message = why.to_string();
    match why {
        Unreadable::Broken { .. } => HoldReason::InventoryUnreadable { message },
        Unreadable::Newer { .. } => HoldReason::WrittenByNewer { message },
    }
}
