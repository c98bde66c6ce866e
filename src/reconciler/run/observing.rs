//! What the loop sees: Git, clusters, commands, records; and what every application wants from then on.

use super::{Application, Reconciler, RunMode};
use crate::adapters::bell::{LocalBell, SETTLE};
use crate::ledger::Entry;
use crate::model::drift::SyncStatus;
use crate::model::error::chain;
use crate::model::hold::HoldReason;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName};
use crate::model::record::{Record, RecordOutcome};
use crate::model::resource::{GroupKind, ResourceId};
use crate::reconciler::cluster::ClusterState;
use crate::reconciler::holds::HoldTimes;
use crate::reconciler::observe::{ClusterView, Desired};
use crate::reconciler::onlooker::Sight;
use crate::reconciler::rebuild::{self, Search};
use crate::reconciler::record::{Recorder, last_records};
use crate::reconciler::refresh::{Claims, Heads, Target, deployed_commits, targets};
use crate::reconciler::tick::cluster_hold;
use crate::reconciler::{Event, inventory};
use crate::sync::{Progress, SyncPlan, Wanted};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

impl Reconciler {
    pub(super) async fn refresh(&mut self) {
        let revision = self.options.revision.clone();
        let failure = self.observer.read_config(revision.as_deref()).await.err();
        self.find_instance().await;
        self.connect().await;
        let deployed = deployed_commits(self.clusters.values());
        let clusters: BTreeMap<Option<String>, ClusterView> = self
            .clusters
            .iter()
            .map(|(context, one)| {
                (
                    context.clone(),
                    ClusterView {
                        kinds: one.kinds.clone(),
                        version: one.identity.version.clone(),
                        key: one.live.key().clone(),
                        cluster: one.cluster.clone(),
                        drawn: (one.sight == Sight::Whole).then(|| Arc::new(one.drawn())),
                    },
                )
            })
            .collect();
        let views = |context: Option<&str>| clusters.get(&context.map(str::to_owned)).cloned();
        let read = failure.is_none();
        self.reading = self.observer.read(failure, &deployed, &views).await;
        self.read_commands().await;
        self.read_recorded().await;
        self.rebuild_heads().await;
        if read {
            for (id, application) in &mut self.applications {
                if application.rivalled.take().is_some() {
                    self.dirty.insert(id.clone());
                }
            }
        }
        self.retarget();
        self.watch_local_repositories();
        self.next_poll = self.next_poll_time();
    }

    /// A commit to a repository on this machine is seen at once.
    pub(super) fn watch_local_repositories(&mut self) {
        if self.mode == RunMode::Once {
            return;
        }
        if self.local.is_none() {
            let (sender, mut rings) = unbounded_channel();
            self.local = LocalBell::new(sender);
            let events = self.events.clone();
            self.bells.spawn(async move {
                while rings.recv().await.is_some() {
                    tokio::time::sleep(SETTLE).await;
                    while rings.try_recv().is_ok() {}
                    if events.send(Event::Sources).is_err() {
                        return;
                    }
                }
            });
        }
        if let Some(bell) = &mut self.local {
            bell.watch(&self.options.config);
            self.observer.repositories().for_each(|repository| bell.watch(repository));
        }
    }

    /// A poll period, spread by up to a tenth so that many daemons do not ask at once.
    pub(super) fn next_poll_time(&self) -> Timestamp {
        let now = self.world.clock.steady();
        let spread = now.subsec_nanosecond().unsigned_abs() % 100;
        let poll = self.options.poll + self.options.poll * spread / 1000;
        now.checked_add(poll).unwrap_or(Timestamp::MAX)
    }

    /// The name of the instance, from the config repository; if that was never read, from heads of the default
    /// cluster that came from it.
    pub(super) async fn find_instance(&mut self) {
        let configured = self.observer.config().and_then(|config| config.repository.configuration.as_ref());
        if let Some(configuration) = configured {
            self.instance = Some(configuration.instance.clone());
            return;
        }
        if self.instance.is_some() {
            return;
        }
        let Ok(cluster) = self.world.clusters.connect(None).await else {
            return;
        };
        let config = self.options.config.as_str();
        match inventory::find_instance(&*cluster, &self.options.own_namespace, config).await {
            Ok(found) => self.instance = found,
            Err(error) => tracing::warn!(error = %chain(&error), "Failed to look for heads"),
        }
    }

    /// Connects to the clusters of all environments, and to the default one.
    pub(super) async fn connect(&mut self) {
        let Some(instance) = self.instance.clone() else {
            return;
        };
        let configured = self.observer.config().and_then(|config| config.repository.configuration.clone());
        let mut contexts: BTreeSet<Option<String>> = configured
            .iter()
            .flat_map(|configuration| &configuration.environments)
            .filter(|(name, _)| self.options.includes(name))
            .map(|(_, settings)| settings.cluster.clone())
            .collect();
        if contexts.is_empty() {
            contexts.insert(None);
        }
        self.unconnected.clear();
        for context in contexts {
            if self.clusters.contains_key(&context) {
                self.update_cluster(&context).await;
                continue;
            }
            let connected = ClusterState::connect(
                &self.world,
                &self.options,
                &instance,
                context.as_deref(),
                self.events.clone(),
            );
            match connected.await {
                Ok(state) => {
                    self.watch_commands(&state, &instance);
                    self.clusters.insert(context, state);
                }
                Err(error) => {
                    let hold = connection_hold(context.as_deref(), &error);
                    tracing::warn!(cluster.context = context.as_deref().unwrap_or("default"), error = %chain(&error), "Failed to connect to a cluster");
                    self.unconnected.insert(context, hold);
                }
            }
        }
        if self.recorder.is_none() && !self.options.dry_run {
            self.recorder = Recorder::start(&self.world, instance, self.events.clone());
        }
    }

    /// Looks again for what watches do not show: kinds that were not known, and strangers' objects.
    pub(super) async fn update_cluster(&mut self, context: &Option<String>) {
        let asks_for_kinds = self.applications.values().filter(|one| one.context == *context).any(|one| {
            one.plan
                .iter()
                .flat_map(|plan| &plan.holds)
                .any(|hold| matches!(hold, HoldReason::KindUnknown { .. }))
        });
        let commit = self.observer.config().map(|config| config.commit);
        let now = self.world.clock.steady();
        let Some(state) = self.clusters.get_mut(context) else {
            return;
        };
        state.contact.clear().await;
        state.discovery.note(commit);
        if asks_for_kinds || state.discovery.is_due(commit, now) {
            state.discover(commit, now).await;
        }
    }

    pub(super) fn watch_commands(&mut self, state: &ClusterState, instance: &InstanceName) {
        use futures::StreamExt as _;
        let selector = format!(
            "{}={instance},{}=commands",
            crate::model::manifest::INSTANCE_LABEL,
            inventory::ROLE_LABEL
        );
        let namespace = Some(self.options.own_namespace.as_str());
        let mut stream = state.cluster.watch(&GroupKind::new("", "ConfigMap"), None, namespace, &selector);
        let events = self.events.clone();
        if self.mode == RunMode::Once {
            return;
        }
        self.bells.spawn(async move {
            let mut listed = false;
            while let Some(event) = stream.next().await {
                use crate::adapters::cluster::WatchEvent;
                let ring = match event {
                    WatchEvent::Listed => !std::mem::replace(&mut listed, true),
                    WatchEvent::Object(_) | WatchEvent::Gone(_) => listed,
                    WatchEvent::Started | WatchEvent::Failed(_) => false,
                };
                if ring && events.send(Event::Commands).is_err() {
                    return;
                }
            }
        });
    }

    pub(super) async fn read_commands(&mut self) {
        let Some(instance) = self.instance.clone() else {
            return;
        };
        for (environment, context) in self.reading.contexts.clone() {
            let Some(state) = self.clusters.get_mut(&context) else {
                continue;
            };
            if let Err(error) = state.read_commands(&self.options, &instance, &environment).await {
                tracing::warn!(environment.name = %environment, error = %chain(&error), "Failed to read commands");
            }
        }
    }

    pub(super) async fn read_recorded(&mut self) {
        let Some(store) = self.world.state.clone() else {
            self.recorded.get_or_insert_default();
            return;
        };
        if self.recorded.is_some() {
            return;
        }
        match last_records(&*store).await {
            Ok(records) => {
                let number = |(id, record): (&ApplicationId, &Record)| (id.clone(), record.rollout);
                self.recorded = Some(records.iter().map(number).collect());
                self.lost = records;
                self.lost.retain(|id, record| {
                    let known = self.clusters.values().any(|state| state.heads.contains_key(id));
                    !known && record.outcome != RecordOutcome::Removed
                });
                self.requeue_pending();
            }
            Err(error) => tracing::warn!(error = %chain(&error), "Failed to read the state repository"),
        }
    }

    /// Looks once for what is left of applications whose heads are lost: those that the state repository has on
    /// this cluster, or, where none is kept, those that have no head.
    async fn rebuild_heads(&mut self) {
        let Some(instance) = self.instance.clone() else { return };
        self.unsearched.clear();
        for (context, state) in &mut self.clusters {
            let lost: BTreeSet<ApplicationId> = if self.world.state.is_some() {
                let here = self.lost.iter().filter(|(_, record)| record.cluster == state.identity.uid);
                here.map(|(id, _)| id.clone()).collect()
            } else {
                let here = |id: &ApplicationId| self.reading.contexts.get(&id.environment) == Some(context);
                let wanted = self.reading.desired.iter().filter(|(id, _)| here(id));
                let may_run = wanted.filter(|(_, desired)| !matches!(desired, Desired::NeverPromoted));
                may_run.map(|(id, _)| id.clone()).collect()
            };
            let lost: BTreeSet<ApplicationId> = lost
                .into_iter()
                .filter(|id| !state.heads.contains_key(id) && !state.searched.contains(id))
                .filter(|id| !self.busy.contains(id) && !state.unreadable.contains_key(id))
                .collect();
            if lost.is_empty() {
                continue;
            }
            let config = self.options.config.as_str();
            let search = Search { instance: &instance, config, lost: &lost, recorded: &self.lost };
            match rebuild::heads(state, &search).await {
                Ok(heads) => {
                    heads.into_iter().for_each(|(id, head)| state.take_head(id, head));
                    state.searched.extend(lost);
                }
                Err(error) => {
                    let hold = cluster_hold(&error);
                    self.unsearched.extend(lost.into_iter().map(|id| (id, hold.clone())));
                }
            }
        }
    }

    /// Records that heads still carry and that the state repository does not have.
    pub(super) fn requeue_pending(&mut self) {
        let (Some(recorder), Some(recorded)) = (&self.recorder, &self.recorded) else {
            return;
        };
        for (application, stored) in self.clusters.values().flat_map(|cluster| &cluster.heads) {
            let reached = recorded.get(application).copied().unwrap_or(0);
            for record in stored.head.pending.iter().filter(|record| record.rollout > reached) {
                recorder.record(Entry { application: application.clone(), record: record.clone() });
            }
        }
    }

    /// Joins the reading with the heads: what every application wants from now on.
    pub(super) fn retarget(&mut self) {
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
        self.applications.retain(|id, _| all.contains_key(id) || self.busy.contains(id));
        for (id, (context, target)) in all {
            self.put_target(id, context, target);
        }
        self.watch_kinds();
    }

    pub(super) fn targets_of(&self, context: &Option<String>) -> BTreeMap<ApplicationId, Target> {
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
            let any = ApplicationId::new(environment.clone(), crate::model::name::ServiceName::environment());
            state.commands.get(environment).map(|one| one.confirmations(&any).plans).unwrap_or_default()
        };
        let mut targets =
            targets(&reading, &heads, &|environment| self.options.includes(environment), &confirmed);
        for (id, why) in state.unreadable.iter().filter(|(id, _)| here(&id.environment)) {
            let hold = HoldReason::InventoryUnreadable { message: why.clone() };
            targets.insert(id.clone(), Target::held(vec![hold]));
        }
        // Before it is known what is left of an application, nothing is begun.
        for (id, hold) in self.unsearched.iter().filter(|(id, _)| here(&id.environment)) {
            targets.insert(id.clone(), Target::held(vec![hold.clone()]));
        }
        targets
    }

    pub(super) fn put_target(&mut self, id: ApplicationId, context: Option<String>, target: Target) {
        match self.applications.get_mut(&id) {
            Some(application) => {
                let same = application.context == context && application.target.is_same_as(&target);
                application.context = context;
                application.target = target;
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
                    rivalled: None,
                };
                self.applications.insert(id.clone(), application);
            }
        }
        self.dirty.insert(id);
    }

    /// Whether somebody suspended or resumed the application since it was judged.
    fn is_suspension_new(&self, id: &ApplicationId) -> bool {
        let Some(application) = self.applications.get(id) else { return true };
        let shown = application.status.as_ref().and_then(|status| status.suspended.clone());
        self.suspension(id, application) != shown
    }

    pub(super) fn watch_kinds(&mut self) {
        for (context, state) in &mut self.clusters {
            let heads = state.heads.values().flat_map(|stored| stored.head.objects.keys());
            let intents = state.intents.values().flat_map(|intent| &intent.objects);
            let here = self.applications.values().filter(|one| one.context == *context);
            let wanted = here.filter_map(|application| match &*application.target.wanted {
                Wanted::Version(wanted) => Some(wanted.set.objects.iter().map(|object| &object.id)),
                _ => None,
            });
            let ids: Vec<&ResourceId> = heads.chain(intents).chain(wanted.flatten()).collect();
            let kinds: BTreeSet<GroupKind> = ids.iter().map(|id| id.kind.clone()).collect();
            let places = state.live.refused_places(&ids);
            state.watch(&kinds);
            state.watch_places(places);
        }
    }
}

fn connection_hold(context: Option<&str>, error: &inventory::InventoryError) -> HoldReason {
    use crate::adapters::cluster::ClusterError;
    match (context, error) {
        (Some(context), inventory::InventoryError::Cluster(ClusterError::Unconfigured { .. })) => {
            HoldReason::ClusterUnknown { cluster: context.to_owned() }
        }
        (_, inventory::InventoryError::Cluster(error)) => cluster_hold(error),
        (_, other) => HoldReason::InventoryUnreadable { message: other.to_string() },
    }
}
