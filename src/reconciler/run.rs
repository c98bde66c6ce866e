//! The daemon's loop: one task that owns all state, ticks that run beside it, and one list of everything that
//! can wake it.

mod observing;
mod showing;
mod working;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cluster::ClusterState;
use super::holds::HoldTimes;
use super::inventory::PackedSet;
use super::observe::{Observer, Reading};
use super::record::Recorder;
use super::refresh::{Claims, Target};
use super::tick::TickResult;
use super::{Event, Options};
use crate::adapters::World;
use crate::adapters::bell::LocalBell;
use crate::diff::LookedUp;
use crate::model::digest::HashKey;
use crate::model::hold::{HoldClass, HoldReason};
use crate::model::name::{ApplicationId, InstanceName};
use crate::model::record::Record;
use crate::model::resource::ResourceId;
use crate::report::status::{ApplicationStatus, Board};
use crate::sync::{Progress, SyncPlan};

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
    /// Values that its chart looked up from Secrets.
    pub looked_up: LookedUp,
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
    /// When another daemon of this instance was found at work, until Git was read again.
    rivalled: Option<Timestamp>,
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
    /// A watch of a whole cluster was refused since watches were last started.
    refused: bool,
    ticks: JoinSet<TickResult>,
    bells: JoinSet<()>,
    local: Option<LocalBell>,
    recorder: Option<Recorder>,
    recorded: Option<BTreeMap<ApplicationId, u64>>,
    /// Records of applications that had no head when the state repository was read.
    lost: BTreeMap<ApplicationId, Record>,
    /// Applications without a head for which the cluster could not be searched.
    unsearched: BTreeMap<ApplicationId, HoldReason>,
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
        let next_poll = world.clock.steady();
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
            refused: false,
            ticks: JoinSet::new(),
            bells: JoinSet::new(),
            local: None,
            recorder: None,
            recorded: None,
            lost: BTreeMap::new(),
            unsearched: BTreeMap::new(),
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
            if self.world.clock.steady() >= self.next_poll && self.busy.is_empty() {
                tokio::select! {
                    biased;
                    () = self.refresh() => {}
                    () = &mut shutdown => return self.finish().await,
                }
            }
            if std::mem::take(&mut self.refused) {
                self.watch_kinds();
            }
            self.dispatch();
            if self.is_settled() || self.world.clock.steady() >= self.next_look {
                self.publish();
                if self.mode == RunMode::Once && self.is_done() {
                    return;
                }
                self.next_look = self.world.clock.steady().checked_add(LOOK).unwrap_or(Timestamp::MAX);
            }
            let pause = self.pause();
            tokio::select! {
                biased;
                () = &mut shutdown => return self.finish().await,
                Some(event) = events.recv() => {
                    self.take(event);
                    while let Ok(event) = events.try_recv() {
                        self.take(event);
                    }
                }
                Some(result) = self.ticks.join_next(), if !self.ticks.is_empty() => self.end_tick(result),
                () = tokio::time::sleep(pause) => self.wake_late(),
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
            Event::Listed { refused } => {
                self.dirty.extend(self.applications.keys().cloned());
                self.refused |= refused;
            }
            Event::Commands | Event::Sources => self.next_poll = self.world.clock.steady(),
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
        let now = self.world.clock.steady();
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
        let now = self.world.clock.steady();
        let late = self.applications.iter().filter(|(_, one)| one.wake.is_some_and(|wake| wake <= now));
        let late: Vec<ApplicationId> = late.map(|(id, _)| id.clone()).collect();
        for id in late {
            if let Some(application) = self.applications.get_mut(&id) {
                application.wake = None;
            }
            self.dirty.insert(id);
        }
    }

    fn is_done(&mut self) -> bool {
        let now = self.world.clock.steady();
        let busy = !self.is_settled();
        // What a person has to mend is not waited for.
        let open = |plan: &SyncPlan| !plan.informed && !has_fault(plan);
        let unknown = self.applications.values().any(|one| one.plan.as_ref().is_some_and(open));
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
}

fn has_fault(plan: &SyncPlan) -> bool {
    plan.holds.iter().any(|hold| hold.class() == HoldClass::Fault)
}
