//! The daemon's loop: one task that owns all state, ticks that run beside it, and one list of everything that
//! can wake it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cluster::ClusterState;
use super::inventory::PackedSet;
use super::observe::{ClusterView, Observer, Reading};
use super::record::{Recorder, recorded_rollouts};
use super::refresh::{Claims, Heads, Target, deployed_commits, targets};
use super::tick::{Tick, TickResult, cluster_hold};
use super::view::{HoldTimes, View};
use super::{Event, Options, inventory};
use crate::adapters::World;
use crate::adapters::bell::{LocalBell, SETTLE};
use crate::ledger::Entry;
use crate::model::digest::HashKey;
use crate::model::error::chain;
use crate::model::facts::Version;
use crate::model::hold::{HoldClass, HoldReason};
use crate::model::inventory::Suspension;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName};
use crate::model::resource::{GroupKind, ResourceId};
use crate::model::status::{ApplicationStatus, Board};
use crate::sync::{Progress, SyncPlan, Wanted};

/// So many applications are worked on at once.
const PARALLEL_TICKS: usize = 32;
/// A pass that waits for an API that does not come back ends after this.
const PATIENCE: Duration = Duration::from_mins(2);
/// While applications are worked on, the whole is looked at this often: to show it, and for what is late. Each look
/// costs as much as there are applications, so it cannot follow every event.
const LOOK: Duration = Duration::from_millis(100);
/// The longest time that running ticks get to end after a signal.
const GRACE: Duration = Duration::from_secs(8);

/// How long it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// Until it is told to stop.
    Forever,
    /// Until nothing moves.
    Once,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Repositories, clusters or the state repository that could not be used.
    pub failures: Vec<String>,
    /// The last status of every application.
    pub board: Board,
    /// The last plan of every application.
    pub plans: Vec<SyncPlan>,
    /// Writes that were asked of API servers.
    pub writes: usize,
    /// What explains each application further.
    pub details: Vec<ApplicationDetail>,
}

/// What a closer look at an application needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationDetail {
    /// The application.
    pub application: ApplicationId,
    /// The context of its cluster.
    pub context: Option<String>,
    /// The key of the cluster's fingerprints.
    pub key: HashKey,
    /// The wanted set; while nothing is wanted, the deployed one.
    pub set: Option<PackedSet>,
    /// Objects that are owned and no longer wanted.
    pub leaving: Vec<ResourceId>,
}

impl Outcome {
    /// Whether anything is held, degraded or did not arrive.
    pub fn needs_attention(&self) -> bool {
        use crate::model::health::HealthStatus;
        self.board.applications.iter().any(|application| {
            let bad = matches!(
                application.health,
                HealthStatus::Degraded
                    | HealthStatus::Progressing
                    | HealthStatus::Missing
                    | HealthStatus::Unknown
            );
            !application.holds.is_empty()
                || (bad && !application.never_promoted && application.suspended.is_none())
        })
    }
}

/// What the loop keeps of one application.
struct Application {
    context: Option<String>,
    target: Target,
    progress: Progress,
    times: HoldTimes,
    plan: Option<SyncPlan>,
    status: Option<ApplicationStatus>,
    moving: bool,
    said: Option<String>,
    wake: Option<Timestamp>,
}

/// Runs until `shutdown`, or until nothing moves.
pub async fn run(
    world: World,
    options: Options,
    mode: RunMode,
    board: watch::Sender<Arc<Board>>,
    shutdown: impl Future<Output = ()>,
) -> Outcome {
    let (sender, receiver) = unbounded_channel();
    let mut reconciler = Reconciler::new(world, options, mode, board, sender);
    reconciler.work(receiver, shutdown).await;
    reconciler.outcome()
}

struct Reconciler {
    world: World,
    options: Arc<Options>,
    mode: RunMode,
    observer: Observer,
    instance: Option<InstanceName>,
    clusters: BTreeMap<Option<String>, ClusterState>,
    unconnected: BTreeMap<Option<String>, HoldReason>,
    reading: Reading,
    applications: BTreeMap<ApplicationId, Application>,
    claims: BTreeMap<Option<String>, Claims>,
    dirty: BTreeSet<ApplicationId>,
    busy: HashSet<ApplicationId>,
    ticks: JoinSet<TickResult>,
    bells: JoinSet<()>,
    local: Option<LocalBell>,
    recorder: Option<Recorder>,
    recorded: Option<BTreeMap<ApplicationId, u64>>,
    events: UnboundedSender<Event>,
    board: watch::Sender<Arc<Board>>,
    next_poll: Timestamp,
    next_look: Timestamp,
    failing_since: Option<Timestamp>,
    writes: usize,
}

impl Reconciler {
    fn new(
        world: World,
        options: Options,
        mode: RunMode,
        board: watch::Sender<Arc<Board>>,
        events: UnboundedSender<Event>,
    ) -> Self {
        let next_poll = world.clock.now();
        Self {
            observer: Observer::new(world.clone(), options.clone()),
            options: Arc::new(options),
            world,
            mode,
            instance: None,
            clusters: BTreeMap::new(),
            unconnected: BTreeMap::new(),
            reading: Reading::default(),
            applications: BTreeMap::new(),
            claims: BTreeMap::new(),
            dirty: BTreeSet::new(),
            busy: HashSet::new(),
            ticks: JoinSet::new(),
            bells: JoinSet::new(),
            local: None,
            recorder: None,
            recorded: None,
            events,
            board,
            next_poll,
            next_look: next_poll,
            failing_since: None,
            writes: 0,
        }
    }

    async fn work(&mut self, mut events: UnboundedReceiver<Event>, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            if self.world.clock.now() >= self.next_poll && self.busy.is_empty() {
                tokio::select! {
                    () = self.refresh() => {}
                    () = &mut shutdown => return self.finish().await,
                }
            }
            self.dispatch();
            if self.is_settled() || self.world.clock.now() >= self.next_look {
                self.publish();
                if self.mode == RunMode::Once && self.is_done() {
                    return;
                }
                self.next_look = self.world.clock.now().checked_add(LOOK).unwrap_or(Timestamp::MAX);
            }
            let pause = self.pause();
            tokio::select! {
                Some(event) = events.recv() => {
                    self.take(event);
                    while let Ok(event) = events.try_recv() {
                        self.take(event);
                    }
                }
                Some(result) = self.ticks.join_next(), if !self.ticks.is_empty() => self.end_tick(result),
                () = tokio::time::sleep(pause) => self.wake_late(),
                () = &mut shutdown => return self.finish().await,
            }
        }
    }

    /// Lets running ticks end their step and records reach the state repository.
    async fn finish(&mut self) {
        tracing::info!(ticks.running = self.ticks.len(), "Stopping: finishing what is in hand");
        let rest = async {
            while let Some(result) = self.ticks.join_next().await {
                self.end_tick(result);
            }
            while self
                .recorder
                .as_ref()
                .is_some_and(|recorder| recorder.waiting() > 0 && recorder.failure().is_none())
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(GRACE, rest).await.is_err() {
            tracing::warn!("Some work did not end in time; the next start takes it up again");
        }
        self.publish();
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Live(application) => {
                self.dirty.insert(application);
            }
            Event::Listed => self.dirty.extend(self.applications.keys().cloned()),
            Event::Commands | Event::Sources => self.next_poll = self.world.clock.now(),
            Event::Recorded => {}
        }
    }

    /// Whether no application is worked on or about to be.
    fn is_settled(&self) -> bool {
        self.busy.is_empty() && self.dirty.is_empty()
    }

    /// How long to sleep if nothing happens: until the next poll or the next try of an application.
    fn pause(&self) -> Duration {
        if !self.is_settled() {
            return LOOK;
        }
        let now = self.world.clock.now();
        let wakes = self
            .applications
            .iter()
            .filter(|(id, _)| !self.busy.contains(*id))
            .filter_map(|(_, one)| one.wake);
        let next = wakes.chain([self.next_poll]).min().unwrap_or(now);
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or(Duration::ZERO);
        let wait = if self.mode == RunMode::Once { wait.min(Duration::from_millis(500)) } else { wait };
        wait.max(Duration::from_millis(1))
    }

    fn wake_late(&mut self) {
        let now = self.world.clock.now();
        let late = self.applications.iter().filter(|(_, one)| one.wake.is_some_and(|wake| wake <= now));
        let late: Vec<ApplicationId> = late.map(|(id, _)| id.clone()).collect();
        for id in late {
            if let Some(application) = self.applications.get_mut(&id) {
                application.wake = None;
            }
            self.dirty.insert(id);
        }
    }

    // Observing: Git and clusters.

    async fn refresh(&mut self) {
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
                    },
                )
            })
            .collect();
        let views = |context: Option<&str>| clusters.get(&context.map(str::to_owned)).cloned();
        self.reading = self.observer.read(failure, &deployed, &views).await;
        self.read_commands().await;
        self.read_recorded().await;
        self.retarget();
        self.watch_local_repositories();
        self.next_poll = self.next_poll_time();
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
    fn next_poll_time(&self) -> Timestamp {
        let now = self.world.clock.now();
        let spread = now.subsec_nanosecond().unsigned_abs() % 100;
        let poll = self.options.poll + self.options.poll * spread / 1000;
        now.checked_add(poll).unwrap_or(Timestamp::MAX)
    }

    /// The name of the instance, from the config repository; if that was never read, from heads of the default
    /// cluster that came from it.
    async fn find_instance(&mut self) {
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
    async fn connect(&mut self) {
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
    async fn update_cluster(&mut self, context: &Option<String>) {
        let asks_for_kinds = self.applications.values().filter(|one| one.context == *context).any(|one| {
            one.plan
                .iter()
                .flat_map(|plan| &plan.holds)
                .any(|hold| matches!(hold, HoldReason::KindUnknown { .. }))
        });
        let Some(state) = self.clusters.get_mut(context) else {
            return;
        };
        state.contact.clear().await;
        if asks_for_kinds && let Ok(kinds) = state.cluster.kinds(true).await {
            state.kinds = kinds;
        }
    }

    fn watch_commands(&mut self, state: &ClusterState, instance: &InstanceName) {
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

    async fn read_commands(&mut self) {
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

    async fn read_recorded(&mut self) {
        let Some(store) = self.world.state.clone() else {
            self.recorded.get_or_insert_default();
            return;
        };
        if self.recorded.is_some() {
            return;
        }
        match recorded_rollouts(&*store).await {
            Ok(numbers) => {
                self.recorded = Some(numbers);
                self.requeue_pending();
            }
            Err(error) => tracing::warn!(error = %chain(&error), "Failed to read the state repository"),
        }
    }

    /// Records that heads still carry and that the state repository does not have.
    fn requeue_pending(&mut self) {
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
    fn retarget(&mut self) {
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
            let any = ApplicationId::new(environment.clone(), crate::model::name::ServiceName::environment());
            state.commands.get(environment).map(|one| one.confirmations(&any).plans).unwrap_or_default()
        };
        let mut targets =
            targets(&reading, &heads, &|environment| self.options.includes(environment), &confirmed);
        for (id, why) in state.unreadable.iter().filter(|(id, _)| here(&id.environment)) {
            let hold = HoldReason::InventoryUnreadable { message: why.clone() };
            targets.insert(id.clone(), Target::held(vec![hold]));
        }
        targets
    }

    fn put_target(&mut self, id: ApplicationId, context: Option<String>, target: Target) {
        match self.applications.get_mut(&id) {
            Some(application) => {
                let same = application.context == context && application.target.is_same_as(&target);
                application.context = context;
                application.target = target;
                if same && application.plan.as_ref().is_some_and(|plan| plan.holds.is_empty()) {
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
                };
                self.applications.insert(id.clone(), application);
            }
        }
        self.dirty.insert(id);
    }

    fn watch_kinds(&mut self) {
        for (context, state) in &mut self.clusters {
            let mut kinds: BTreeSet<GroupKind> = BTreeSet::new();
            kinds.extend(
                state.heads.values().flat_map(|stored| stored.head.objects.keys()).map(|id| id.kind.clone()),
            );
            kinds.extend(state.intents.values().flat_map(|intent| &intent.objects).map(|id| id.kind.clone()));
            for application in self.applications.values().filter(|one| one.context == *context) {
                if let Wanted::Version(wanted) = &*application.target.wanted {
                    kinds.extend(wanted.set.objects.iter().map(|object| object.id.kind.clone()));
                }
            }
            state.watch(&kinds);
        }
    }

    // Working on applications.

    fn dispatch(&mut self) {
        let ready: Vec<ApplicationId> = self
            .dirty
            .iter()
            .filter(|id| !self.busy.contains(*id))
            .take(PARALLEL_TICKS.saturating_sub(self.ticks.len()))
            .cloned()
            .collect();
        for id in ready {
            self.dirty.remove(&id);
            if let Some(tick) = self.tick(&id) {
                self.busy.insert(id);
                self.ticks.spawn(tick.run());
            } else if let Some(application) = self.applications.get_mut(&id) {
                application.moving = false;
                show_unconnected(&id, application, self.world.clock.now());
            }
        }
    }

    fn tick(&self, id: &ApplicationId) -> Option<Tick> {
        let application = self.applications.get(id)?;
        let state = self.clusters.get(&application.context)?;
        let instance = self.instance.clone()?;
        let head = state.heads.get(id).cloned();
        let intent = state.intents.get(id).cloned();
        let wanted = &application.target.wanted;
        let named = head.iter().flat_map(|head| head.head.objects.keys());
        let named = named.chain(intent.iter().flat_map(|intent| &intent.objects));
        let wanted_ids: Vec<_> = match &**wanted {
            Wanted::Version(wanted) => wanted.set.objects.iter().map(|object| &object.id).collect(),
            _ => Vec::new(),
        };
        let claims = self.claims.get(&application.context);
        let elsewhere =
            claims.map(|claims| claims.elsewhere(id, named.chain(wanted_ids))).unwrap_or_default();
        let commands = state.commands.get(&id.environment);
        let deployed =
            head.as_ref().and_then(|head| head.head.deployed.as_ref()).map(|version| version.digest);
        let namespace_known = match &**wanted {
            Wanted::Version(wanted) => state.namespaces.contains(&wanted.namespace),
            _ => false,
        };
        Some(Tick {
            application: id.clone(),
            cluster: state.cluster.clone(),
            clock: self.world.clock.clone(),
            live: state.live.clone(),
            kinds: state.kinds.clone(),
            contact: state.contact.clone(),
            identity: state.identity.uid.clone(),
            instance,
            options: self.options.clone(),
            wanted: wanted.clone(),
            packed: application.target.packed.clone(),
            deployed: deployed.and_then(|digest| state.set(id, &digest).cloned()),
            head,
            intent,
            progress: application.progress.clone(),
            wanted_elsewhere: elsewhere,
            suspension: self.suspension(id, application),
            confirmations: commands.map(|commands| commands.confirmations(id)).unwrap_or_default(),
            recorded_rollout: self.recorded.as_ref().map(|recorded| recorded.get(id).copied().unwrap_or(0)),
            observed: self.observed_holds(application),
            namespace_known,
            keeps_records: self.world.state.is_some(),
            heals: 0,
        })
    }

    fn suspension(&self, id: &ApplicationId, application: &Application) -> Option<Suspension> {
        let in_git = application.target.suspended_in_git.clone();
        let in_git = in_git.map(|reason| Suspension { reason, until: None, actor: None });
        let state = self.clusters.get(&application.context)?;
        let commands = state.commands.get(&id.environment)?;
        commands.suspension(id, self.world.clock.now()).or(in_git)
    }

    /// While the config repository cannot be read anew, everyone is told.
    fn observed_holds(&self, application: &Application) -> Vec<HoldReason> {
        let held = matches!(&*application.target.wanted, Wanted::Held(_));
        let config = |hold: &&HoldReason| match hold {
            HoldReason::SourceUnavailable { repository, .. }
            | HoldReason::RevisionMissing { repository, .. } => *repository == self.options.config,
            _ => false,
        };
        self.reading.failures.iter().filter(|_| !held).filter(config).cloned().collect()
    }

    fn end_tick(&mut self, result: Result<TickResult, tokio::task::JoinError>) {
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                // A panic is a bug of ours; the application is looked at again at the next poll.
                tracing::error!(error = %error, "A tick ended abnormally");
                self.busy.clear();
                return;
            }
        };
        let id = result.application.clone();
        self.busy.remove(&id);
        self.writes += result.writes;
        self.count(&id, &result);
        self.keep_result(&id, &result);
        let recorder = self.recorder.as_ref();
        for record in &result.records {
            if let Some(recorder) = recorder {
                recorder.record(Entry { application: id.clone(), record: record.clone() });
            }
            if let Some(recorded) = &mut self.recorded {
                recorded.insert(id.clone(), record.rollout);
            }
        }
        self.judge(&id, result);
    }

    fn count(&self, id: &ApplicationId, result: &TickResult) {
        let metrics = &self.world.metrics;
        metrics.reconciled(result.duration);
        metrics.healed(&id.environment, result.heals);
        for record in &result.records {
            metrics.rolled_out(&id.environment, record.outcome);
        }
    }

    /// Takes back the inventory of the application as the tick left it.
    fn keep_result(&mut self, id: &ApplicationId, result: &TickResult) {
        let Some(application) = self.applications.get(id) else {
            return;
        };
        let Some(state) = self.clusters.get_mut(&application.context) else {
            return;
        };
        match &result.head {
            Some(head) => state.heads.insert(id.clone(), head.clone()),
            None => state.heads.remove(id),
        };
        match &result.intent {
            Some(intent) => state.intents.insert(id.clone(), intent.clone()),
            None => state.intents.remove(id),
        };
        for packed in &result.sets {
            state.keep_set(id, packed.clone());
        }
        if let (Wanted::Version(wanted), true) = (&*application.target.wanted, result.namespace_exists) {
            state.namespaces.insert(wanted.namespace.clone());
        } else if let Wanted::Version(wanted) = &*application.target.wanted {
            state.namespaces.remove(&wanted.namespace);
        }
    }

    fn judge(&mut self, id: &ApplicationId, result: TickResult) {
        let now = self.world.clock.now();
        let Some(application) = self.applications.get(id) else {
            return;
        };
        let suspension = self.suspension(id, application);
        let Some(application) = self.applications.get_mut(id) else {
            return;
        };
        let holds = application.times.date(&result.plan.holds, now);
        let view = View {
            plan: &result.plan,
            holds: &holds,
            wanted: &application.target.wanted,
            head: result.head.as_ref().map(|stored| &stored.head),
            live: &result.live,
            suspension: suspension.as_ref(),
            namespace: application.target.namespace.as_deref(),
            notices: &application.target.notices,
        };
        let status = view.status();
        application.moving = is_moving(&result);
        application.wake = result.plan.wake;
        if result.head.is_none() && matches!(&*application.target.wanted, Wanted::Removed) {
            application.moving = false;
        }
        say(id, application, &status, &result);
        application.status = Some(status);
        application.progress = result.progress;
        application.plan = Some(result.plan);
        if result.writes > 0 {
            self.learn_kinds(id);
        }
    }

    /// A rollout may have brought definitions: their kinds are watched from now on.
    fn learn_kinds(&mut self, id: &ApplicationId) {
        let Some(application) = self.applications.get(id) else {
            return;
        };
        let Wanted::Version(wanted) = &*application.target.wanted else {
            return;
        };
        let defines = wanted
            .set
            .objects
            .iter()
            .any(|object| object.id.kind.is("apiextensions.k8s.io", "CustomResourceDefinition"));
        if !defines {
            return;
        }
        let Some(state) = self.clusters.get_mut(&application.context) else {
            return;
        };
        let cluster = state.cluster.clone();
        if let Some(kinds) = futures::FutureExt::now_or_never(cluster.kinds(false)).and_then(Result::ok) {
            state.kinds = kinds;
        }
        let kinds: Vec<GroupKind> = wanted.set.objects.iter().map(|object| object.id.kind.clone()).collect();
        state.watch(&kinds);
    }

    // Ending and showing.

    fn is_done(&mut self) -> bool {
        let now = self.world.clock.now();
        let busy = !self.is_settled();
        let unknown =
            self.applications.values().any(|one| one.plan.as_ref().is_some_and(|plan| !plan.informed));
        let moving = self.applications.values().any(|one| one.moving);
        let recording = self.recorder.as_ref().is_some_and(|recorder| recorder.waiting() > 0);
        let failing = self.recorder.as_ref().is_some_and(|recorder| recorder.failure().is_some())
            || self.applications.values().any(|one| one.progress.failure.is_some())
            || unknown;
        if !failing {
            self.failing_since = None;
        }
        if !(busy || moving || recording || unknown) {
            return true;
        }
        let since = *self.failing_since.get_or_insert(now);
        failing && Duration::try_from(now.duration_since(since)).unwrap_or_default() > PATIENCE
    }

    fn publish(&self) {
        let configured = self.observer.config();
        let environments = configured
            .and_then(|config| config.repository.configuration.as_ref())
            .map(|configuration| configuration.environments.keys().map(ToString::to_string).collect())
            .unwrap_or_default();
        let judged = !self.applications.is_empty() || configured.is_some();
        let board = Board {
            instance: self.instance.as_ref().map(ToString::to_string).unwrap_or_default(),
            config: configured.map(|config| config.commit.to_string()),
            environments,
            applications: self.applications.values().filter_map(|one| one.status.clone()).collect(),
            ready: judged
                && self.applications.values().all(|one| one.status.is_some())
                && !self.clusters.is_empty(),
            time: Some(self.world.clock.now()),
        };
        let metrics = &self.world.metrics;
        metrics.set_objects(self.clusters.values().map(|state| state.live.len()).sum());
        metrics.set_watches(self.clusters.values().map(|state| state.watches.len()).sum());
        metrics.set_records_waiting(self.recorder.as_ref().map_or(0, Recorder::waiting));
        self.board.send_replace(Arc::new(board));
    }

    fn outcome(&self) -> Outcome {
        let mut failures: Vec<String> = self.reading.failures.iter().map(HoldReason::message).collect();
        failures.extend(self.unconnected.values().map(HoldReason::message));
        if let Some(recorder) = self.recorder.as_ref().filter(|recorder| recorder.waiting() > 0) {
            let why = recorder.failure().unwrap_or_else(|| "it did not answer in time".to_owned());
            failures.push(format!("{} records are not in the state repository: {why}", recorder.waiting()));
        }
        if self.recorded.is_none() {
            failures.push("the state repository cannot be read".to_owned());
        }
        let unavailable =
            self.applications.values().flat_map(|one| one.plan.iter().flat_map(|plan| &plan.holds));
        failures.extend(
            unavailable
                .filter(|hold| matches!(hold, HoldReason::ApiUnavailable { .. }))
                .map(HoldReason::message),
        );
        failures.sort();
        failures.dedup();
        Outcome {
            failures,
            board: (**self.board.borrow()).clone(),
            plans: self.applications.values().filter_map(|one| one.plan.clone()).collect(),
            writes: self.writes,
            details: self.applications.iter().filter_map(|(id, one)| self.detail(id, one)).collect(),
        }
    }

    fn detail(&self, id: &ApplicationId, application: &Application) -> Option<ApplicationDetail> {
        let state = self.clusters.get(&application.context)?;
        let head = state.heads.get(id).map(|stored| &stored.head);
        let deployed = || state.set(id, &head?.deployed.as_ref()?.digest).cloned();
        let set = application.target.packed.clone().or_else(deployed);
        let wanted: BTreeSet<&ResourceId> = match &*application.target.wanted {
            Wanted::Version(wanted) => wanted.set.objects.iter().map(|object| &object.id).collect(),
            Wanted::Removed => BTreeSet::new(),
            _ => head.iter().flat_map(|head| head.objects.keys()).collect(),
        };
        let owned = head.iter().flat_map(|head| head.objects.keys());
        Some(ApplicationDetail {
            application: id.clone(),
            context: application.context.clone(),
            key: state.live.key().clone(),
            set: set.filter(|_| !matches!(&*application.target.wanted, Wanted::Removed)),
            leaving: owned.filter(|id| !wanted.contains(id)).cloned().collect(),
        })
    }
}

fn has_fault(plan: &SyncPlan) -> bool {
    plan.holds.iter().any(|hold| hold.class() == HoldClass::Fault)
}

/// Whether something is under way that will end by itself: a rollout that waits for health, or a try that is
/// due again.
fn is_moving(result: &TickResult) -> bool {
    let retrying = result.progress.failure.is_some() && !has_fault(&result.plan);
    let waiting = result.plan.is_waiting() && result.progress.rollout.is_some();
    waiting || retrying
}

/// One readable line for each change of what an application does or is held by.
fn say(id: &ApplicationId, application: &mut Application, status: &ApplicationStatus, result: &TickResult) {
    if !result.plan.informed && status.holds.is_empty() {
        return;
    }
    let holds: Vec<&str> = status.holds.iter().map(|hold| hold.message.as_str()).collect();
    let wanted = status.wanted.as_ref().map(describe).unwrap_or_default();
    let line = format!("{} {} {} {}", status.sync.as_str(), status.health.as_str(), wanted, holds.join("; "));
    if application.said.as_ref() == Some(&line) && result.writes == 0 {
        return;
    }
    application.said = Some(line);
    let (sync, health) = (status.sync.as_str(), status.health.as_str());
    if holds.is_empty() {
        tracing::info!(application.name = %id, sync, health, wanted, api.writes = result.writes, "{id} is {sync} and {health}");
    } else {
        let holds = holds.join("; ");
        tracing::warn!(application.name = %id, sync, health, wanted, api.writes = result.writes, "{id} is held: {holds}");
    }
}

fn describe(version: &Version) -> String {
    match version.commit {
        Some(commit) => commit.short(),
        None => format!("config {}", version.config.short()),
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

/// What is shown of an application whose cluster is out of reach.
fn show_unconnected(id: &ApplicationId, application: &mut Application, now: Timestamp) {
    use crate::model::drift::SyncStatus;
    use crate::model::health::HealthStatus;
    let holds = match &*application.target.wanted {
        Wanted::Held(holds) => holds.clone(),
        _ => Vec::new(),
    };
    let dated = application.times.date(&holds, now);
    let plan = SyncPlan {
        application: id.clone(),
        steps: Vec::new(),
        holds,
        sync: SyncStatus::Unknown,
        health: HealthStatus::Unknown,
        resources: Vec::new(),
        wake: None,
        informed: true,
    };
    let view = View {
        plan: &plan,
        holds: &dated,
        wanted: &application.target.wanted,
        head: None,
        live: &BTreeMap::new(),
        suspension: None,
        namespace: application.target.namespace.as_deref(),
        notices: &application.target.notices,
    };
    application.status = Some(view.status());
    application.plan = Some(plan);
}
