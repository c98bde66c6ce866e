//! What the loop hears of clusters: connections, inventories, leases, commands, what is served, who is silent.

use super::{Reconciler, RunMode};
use crate::adapters::World;
use crate::adapters::cluster::ClusterError;
use crate::adapters::tasks::Tasks;
use crate::cluster::connection::Connection;
use crate::cluster::lease::LeaseState;
use crate::cluster::rebuild::{self, Lost};
use crate::cluster::state::ClusterState;
use crate::cluster::store::{Inventory, InventoryError};
use crate::cluster::{ClusterEvent, Setup, Tell};
use crate::model::error::chain;
use crate::model::hold::HoldReason;
use crate::model::name::{ApplicationId, EnvironmentName};
use crate::model::resource::{GroupKind, ResourceId};
use crate::reconciler::Event;
use crate::reconciler::observe::Desired;
use crate::reconciler::queue::Urgency;
use crate::reconciler::record::Recorder;
use crate::reconciler::tick::cluster_hold;
use crate::sync::{Progress, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The name of this daemon in leases: of its machine, and something that no other start has.
pub(super) fn identity(world: &World) -> String {
    let system = rustix::system::uname();
    let machine = system.nodename().to_string_lossy().into_owned();
    let unique = world
        .entropy
        .key()
        .map(|key| key.expose().iter().take(4).map(|byte| format!("{byte:02x}")).collect());
    format!("{machine}-{}", unique.unwrap_or_else(|_: std::io::Error| std::process::id().to_string()))
}

impl Reconciler {
    pub(super) fn take_cluster(&mut self, context: Option<String>, event: ClusterEvent) {
        match event {
            ClusterEvent::Connected(state) => self.connected(context, *state),
            ClusterEvent::Unconnected(error) => self.not_connected(context, &error),
            ClusterEvent::Live(application) => self.live_changed(&application),
            ClusterEvent::Listed { refused } => {
                self.refused |= refused;
                self.enqueue_all(&context);
            }
            ClusterEvent::Searched { applications, found } => self.searched(&context, applications, found),
            event => self.update_cluster(&context, event),
        }
    }

    fn update_cluster(&mut self, context: &Option<String>, event: ClusterEvent) {
        let Some(state) = self.clusters.get_mut(context) else { return };
        match event {
            ClusterEvent::Silent(silent) => {
                match &silent {
                    Some(why) => {
                        tracing::warn!(cluster.context = name_of(context), "The cluster is silent: {why}")
                    }
                    None => tracing::info!(cluster.context = name_of(context), "The cluster answers again"),
                }
                state.silent = silent;
                self.reading_wanted = true;
                self.enqueue_all(context);
            }
            ClusterEvent::Discovered { kinds, version } => {
                state.kinds = kinds;
                state.identity.version = version;
                self.reading_wanted = true;
                self.watch_kinds();
                self.enqueue_all(context);
            }
            ClusterEvent::Commands(environment, commands) => {
                state.making.remove(&environment);
                let news = match commands {
                    Some(commands) => {
                        state.commands.insert(environment.clone(), commands.clone()) != Some(commands)
                    }
                    None => state.commands.remove(&environment).is_some(),
                };
                if news {
                    self.heed_commands(context, &environment);
                }
            }
            ClusterEvent::Lease(lease, inventory) => self.take_lease(context, &lease, inventory),
            ClusterEvent::Head(application, head) => {
                // Our own writes are known.
                if !state.leads {
                    for (id, object) in &head.head.objects {
                        state.live.expect(id, object.projection);
                    }
                    state.take_head(application.clone(), *head);
                    self.enqueue(&application, Urgency::Change(self.readings));
                }
            }
            ClusterEvent::Connected(_)
            | ClusterEvent::Unconnected(_)
            | ClusterEvent::Live(_)
            | ClusterEvent::Listed { .. }
            | ClusterEvent::Searched { .. } => {}
        }
    }

    /// Objects of an application changed: drift, unless it is its own rollout that goes on.
    fn live_changed(&mut self, id: &ApplicationId) {
        let rolls_out = self.applications.get(id).is_some_and(|one| one.progress.rollout.is_some());
        self.enqueue(id, if rolls_out { Urgency::Change(self.readings) } else { Urgency::Heal });
    }

    /// People asked for something: repositories are asked now, and what concerns the environment is judged again.
    fn heed_commands(&mut self, context: &Option<String>, environment: &EnvironmentName) {
        self.reader.wake(None);
        self.reading_wanted = true;
        self.retarget();
        let there = self.clusters.get(context).is_some_and(|state| state.commands.contains_key(environment));
        if !there {
            self.make_commands(context);
        }
        let concerned: Vec<ApplicationId> =
            self.applications.keys().filter(|id| id.environment == *environment).cloned().collect();
        concerned.iter().for_each(|id| self.enqueue(id, Urgency::Heal));
    }

    fn make_commands(&mut self, context: &Option<String>) {
        let here = self.reading.contexts.iter().filter(|(_, one)| *one == context);
        let environments: Vec<EnvironmentName> = here.map(|(environment, _)| environment.clone()).collect();
        if let Some(state) = self.clusters.get_mut(context) {
            state.make_commands(environments);
        }
    }

    fn take_lease(
        &mut self,
        context: &Option<String>,
        lease: &LeaseState,
        inventory: Option<Box<Inventory>>,
    ) {
        let Some(state) = self.clusters.get_mut(context) else { return };
        let leads = matches!(lease, LeaseState::Held(_));
        match lease {
            LeaseState::Held(_) => tracing::info!(
                cluster.context = name_of(context),
                "This moorline writes to the cluster from now on"
            ),
            LeaseState::Standby { holder } => {
                tracing::info!(
                    cluster.context = name_of(context),
                    lease.holder = holder,
                    "Another moorline writes to the cluster"
                );
            }
            LeaseState::Unknown { error } => {
                tracing::warn!(cluster.context = name_of(context), error = %error, "The lease cannot be renewed: nothing is written");
            }
            LeaseState::Unasked => {}
        }
        state.leads = leads;
        if let Some(inventory) = inventory {
            state.take_inventory(*inventory);
            state.searched.clear();
            // What this process did before was undone or taken up by another since.
            for application in self.applications.values_mut().filter(|one| one.context == *context) {
                application.progress = Progress::default();
            }
            self.requeue_pending();
            self.retarget();
        }
        self.make_commands(context);
        self.enqueue_all(context);
    }

    /// Connects to the clusters of all environments, and to the default one where there are none.
    pub(super) fn connect(&mut self) {
        let Some(instance) = self.instance.clone() else { return };
        let configured = self.config.as_ref().and_then(|config| config.repository.configuration.as_ref());
        let mut contexts: BTreeSet<Option<String>> = configured
            .iter()
            .flat_map(|configuration| &configuration.environments)
            .filter(|(name, _)| self.options.includes(name))
            .map(|(_, settings)| settings.cluster.clone())
            .collect();
        if contexts.is_empty() {
            contexts.insert(None);
        }
        self.unconnected.retain(|context, _| contexts.contains(context));
        self.connecting.retain(|context, _| contexts.contains(context));
        for context in contexts {
            self.make_commands(&context);
            if self.clusters.contains_key(&context) || self.connecting.contains_key(&context) {
                continue;
            }
            let mut tasks = Tasks::new(self.world.metrics.clone());
            let (events, to) = (self.events.clone(), context.clone());
            let tell: Tell = Arc::new(move |event| {
                // Nobody listens any more when the loop has ended.
                let _ = events.send(Event::Cluster(to.clone(), event));
            });
            let connection = Connection {
                world: self.world.clone(),
                setup: Setup {
                    own_namespace: self.options.own_namespace.clone(),
                    dry_run: self.options.dry_run,
                    lasting: self.mode == RunMode::Forever,
                    leader_election: self.options.leader_election,
                },
                instance: instance.clone(),
                context: context.clone(),
                identity: self.identity.clone(),
                tell,
            };
            connection.start(&mut tasks);
            self.connecting.insert(context, tasks);
        }
        if self.recorder.is_none() && !self.options.dry_run {
            self.recorder = Recorder::start(&self.world, instance, self.events.clone());
        }
    }

    fn connected(&mut self, context: Option<String>, state: ClusterState) {
        self.connecting.remove(&context);
        self.unconnected.remove(&context);
        self.clusters.insert(context.clone(), state);
        self.requeue_pending();
        self.make_commands(&context);
        // What it serves and what is deployed there decide what is rendered.
        self.reading_wanted = true;
        self.retarget();
    }

    fn not_connected(&mut self, context: Option<String>, error: &InventoryError) {
        let hold = connection_hold(context.as_deref(), error);
        if self.unconnected.insert(context.clone(), hold.clone()) != Some(hold) {
            tracing::warn!(cluster.context = name_of(&context), error = %chain(error), "Failed to connect to a cluster");
            self.retarget();
        }
    }

    /// Looks again for what watches do not show: kinds that were not known, and strangers' objects.
    pub(super) fn look_around_clusters(&mut self) {
        let commit = self.config.as_ref().map(|config| config.commit);
        let now = self.world.clock.steady();
        let misses_kind = |hold: &HoldReason| matches!(hold, HoldReason::KindUnknown { .. });
        let mut asking: BTreeSet<Option<String>> = BTreeSet::new();
        for application in self.applications.values() {
            if application.plan.iter().flat_map(|plan| &plan.holds).any(misses_kind) {
                asking.insert(application.context.clone());
            }
        }
        for (context, state) in &mut self.clusters {
            state.forget_contact();
            state.discover(commit, now, asking.contains(context));
        }
        // A search that failed is tried again.
        self.unsearched.retain(|_, hold| hold.is_none());
        for context in self.clusters.keys().cloned().collect::<Vec<_>>() {
            self.make_commands(&context);
        }
    }

    /// Looks once for what is left of applications whose heads are lost: those that the state repository has on this
    /// cluster, or, where none is kept, those that have no head. Only who writes needs to know.
    pub(super) fn search_for_lost(&mut self) {
        let Some(instance) = self.instance.clone() else { return };
        if self.recorded.is_none() {
            return;
        }
        let config = self.options.config.as_str().to_owned();
        let keeps_records = self.world.state.is_some();
        for (context, state) in &mut self.clusters {
            let lost: BTreeSet<ApplicationId> = if keeps_records {
                let here = self.lost.iter().filter(|(_, record)| record.cluster == state.identity.uid);
                here.map(|(id, _)| id.clone()).collect()
            } else {
                let here = |id: &ApplicationId| self.reading.contexts.get(&id.environment) == Some(context);
                let wanted = self.reading.desired.iter().filter(|(id, _)| here(id));
                let may_run = wanted.filter(|(_, desired)| !matches!(desired, Desired::NeverPromoted));
                may_run.map(|(id, _)| id.clone()).collect()
            };
            let is_new = |id: &ApplicationId| {
                !state.heads.contains_key(id)
                    && !state.searched.contains(id)
                    && !state.unreadable.contains_key(id)
                    && !self.busy.contains_key(id)
                    && !self.unsearched.contains_key(id)
            };
            let lost: Vec<ApplicationId> = lost.into_iter().filter(is_new).collect();
            if lost.is_empty() || state.silent.is_some() {
                continue;
            }
            self.unsearched.extend(lost.iter().map(|id| (id.clone(), None)));
            let with_record = |application: ApplicationId| {
                let recorded = self.lost.get(&application).cloned();
                Lost { application, recorded }
            };
            rebuild::search(state, &instance, &config, lost.into_iter().map(with_record).collect());
        }
    }

    fn searched(
        &mut self,
        context: &Option<String>,
        applications: Vec<ApplicationId>,
        found: Result<BTreeMap<ApplicationId, crate::model::inventory::StoredHead>, ClusterError>,
    ) {
        let Some(state) = self.clusters.get_mut(context) else { return };
        match found {
            Ok(heads) => {
                for (id, head) in heads {
                    // A head that came meanwhile is better than one put together.
                    if !state.heads.contains_key(&id) {
                        state.take_head(id, head);
                    }
                }
                applications.iter().for_each(|id| drop(self.unsearched.remove(id)));
                state.searched.extend(applications);
            }
            Err(error) => {
                let hold = cluster_hold(&error);
                self.unsearched.extend(applications.into_iter().map(|id| (id, Some(hold.clone()))));
            }
        }
        self.retarget();
    }

    pub(super) fn watch_kinds(&mut self) {
        for (context, state) in &mut self.clusters {
            let heads = state.heads.values().flat_map(|stored| stored.head.objects.keys());
            let pending = state.pending.values().flat_map(|pending| &pending.objects);
            let here = self.applications.values().filter(|one| one.context == *context);
            let wanted = here.filter_map(|application| match &*application.target.wanted {
                Wanted::Version(wanted) => Some(wanted.set.objects.iter().map(|object| &object.id)),
                _ => None,
            });
            let ids: Vec<&ResourceId> = heads.chain(pending).chain(wanted.flatten()).collect();
            let kinds: BTreeSet<GroupKind> = ids.iter().map(|id| id.kind.clone()).collect();
            let places = state.live.refused_places(&ids);
            state.watch(&kinds);
            state.watch_places(places);
        }
    }
}

fn name_of(context: &Option<String>) -> &str {
    context.as_deref().unwrap_or("default")
}

fn connection_hold(context: Option<&str>, error: &InventoryError) -> HoldReason {
    match (context, error) {
        (Some(context), InventoryError::Cluster(ClusterError::Unconfigured { .. })) => {
            HoldReason::ClusterUnknown { cluster: context.to_owned() }
        }
        (_, InventoryError::Cluster(error)) => cluster_hold(error),
        (_, other) => HoldReason::InventoryUnreadable { message: other.to_string() },
    }
}
