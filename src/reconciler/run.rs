//! The daemon's loop: one task that owns all state, and one list of everything that can wake it.

mod clusters;
mod git;
mod observing;
mod showing;
mod working;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::holds::HoldTimes;
use super::observe::{ConfigState, Reading};
use super::queue::{Queue, Urgency};
use super::reader::Reader;
use super::record::Recorder;
use super::refresh::{Claims, Target};
use super::{Event, Options};
use crate::adapters::World;
use crate::adapters::bell::LocalBell;
use crate::adapters::tasks::Tasks;
use crate::cluster::state::ClusterState;
use crate::diff::LookedUp;
use crate::inventory::PackedSet;
use crate::model::digest::HashKey;
use crate::model::hold::{HoldClass, HoldReason};
use crate::model::name::{ApplicationId, InstanceName};
use crate::model::record::Record;
use crate::model::resource::ResourceId;
use crate::report::status::{ApplicationStatus, Board};
use crate::sync::{Progress, SyncPlan};

/// A pass that waits for an API that does not come back ends after this.
const PATIENCE: Duration = Duration::from_mins(2);
/// A pass waits so long for another daemon's lease: that of one that was killed runs out meanwhile.
const LEASE_PATIENCE: Duration = Duration::from_secs(20);
/// While applications are worked on, the whole is looked at this often: to show it, and for what is late. Each look
/// costs as much as there are applications, so it cannot follow every event.
const LOOK: Duration = Duration::from_millis(100);
/// The longest time that running work gets to end after a signal.
const GRACE: Duration = Duration::from_secs(8);
/// So many events are taken before others get their turn.
const EVENTS: usize = 1000;

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
    /// Where work on it broke off last, until what it wants changes.
    broke: Option<String>,
}

/// What goes on beside the loop, one of each at a time; its end is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    /// Git is read.
    Reading,
    /// The name of the instance is looked for in heads.
    FindInstance,
    /// The state repository is read.
    ReadRecords,
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
    /// The name of this daemon, in leases.
    identity: String,
    reader: Reader,
    /// What is under way beside the loop.
    under_way: BTreeSet<Errand>,
    /// Whether a reading is wanted, after the one that goes on if one does.
    reading_wanted: bool,
    /// Counts the readings: what each changes has lanes of its own in the queue.
    readings: u64,
    reading: Reading,
    config: Option<Arc<ConfigState>>,
    looked_up: BTreeMap<ApplicationId, LookedUp>,
    instance: Option<InstanceName>,
    /// Connections that are being made.
    connecting: BTreeMap<Option<String>, Tasks>,
    clusters: BTreeMap<Option<String>, ClusterState>,
    unconnected: BTreeMap<Option<String>, HoldReason>,
    applications: BTreeMap<ApplicationId, Application>,
    claims: BTreeMap<Option<String>, Claims>,
    queue: Queue,
    /// Applications that are worked on, with their clusters.
    busy: HashMap<ApplicationId, Option<String>>,
    /// Watches of a whole cluster were refused since watches were last started.
    refused: bool,
    work: JoinSet<()>,
    errands: JoinSet<()>,
    local: Option<LocalBell>,
    recorder: Option<Recorder>,
    recorded: Option<BTreeMap<ApplicationId, u64>>,
    /// Applications whose records a newer moorline wrote.
    newer_records: BTreeSet<ApplicationId>,
    /// Why the state repository could not be read.
    records_failure: Option<String>,
    /// Records of applications that had no head when the state repository was read.
    lost: BTreeMap<ApplicationId, Record>,
    /// Applications without a head that are looked for in their clusters, or could not be.
    unsearched: BTreeMap<ApplicationId, Option<HoldReason>>,
    events: UnboundedSender<Event>,
    board: watch::Sender<Arc<Board>>,
    next_look_around: Timestamp,
    next_look: Timestamp,
    failing_since: Option<Timestamp>,
    standing_by_since: Option<Timestamp>,
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
        let now = world.clock.steady();
        let reader = Reader::start(&world, &options, mode == RunMode::Forever, events.clone());
        Self {
            identity: clusters::identity(&world),
            options: Arc::new(options),
            world,
            mode,
            reader,
            under_way: BTreeSet::new(),
            reading_wanted: true,
            readings: 0,
            reading: Reading::default(),
            config: None,
            looked_up: BTreeMap::new(),
            instance: None,
            connecting: BTreeMap::new(),
            clusters: BTreeMap::new(),
            unconnected: BTreeMap::new(),
            applications: BTreeMap::new(),
            claims: BTreeMap::new(),
            queue: Queue::default(),
            busy: HashMap::new(),
            refused: false,
            work: JoinSet::new(),
            errands: JoinSet::new(),
            local: None,
            recorder: None,
            recorded: None,
            newer_records: BTreeSet::new(),
            records_failure: None,
            lost: BTreeMap::new(),
            unsearched: BTreeMap::new(),
            events,
            board,
            next_look_around: now,
            next_look: now,
            failing_since: None,
            standing_by_since: None,
            writes: 0,
        }
    }

    async fn work(&mut self, mut events: UnboundedReceiver<Event>, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        self.read_records();
        loop {
            self.look_around();
            self.read_git();
            if std::mem::take(&mut self.refused) {
                self.watch_kinds();
            }
            self.dispatch();
            if self.is_settled() || self.world.clock.steady() >= self.next_look {
                self.publish();
                if self.mode == RunMode::Once && self.is_done() {
                    return self.release().await;
                }
                self.next_look = self.world.clock.steady().checked_add(LOOK).unwrap_or(Timestamp::MAX);
            }
            let pause = self.pause();
            tokio::select! {
                biased;
                () = &mut shutdown => return self.finish(events).await,
                Some(event) = events.recv() => {
                    self.take(event);
                    for _ in 0..EVENTS {
                        let Ok(event) = events.try_recv() else { break };
                        self.take(event);
                    }
                }
                () = tokio::time::sleep(pause) => self.wake_late(),
            }
        }
    }

    /// Lets running work end its step and records reach the state repository, then lets go of the leases.
    async fn finish(&mut self, mut events: UnboundedReceiver<Event>) {
        tracing::info!(work.running = self.busy.len(), "Stopping: finishing what is in hand");
        let rest = async {
            while !self.busy.is_empty() {
                match events.recv().await {
                    Some(Event::Worked(id, result)) => self.end_work(&id, result),
                    Some(_) => {}
                    None => return,
                }
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
        self.release().await;
        self.publish();
    }

    async fn release(&self) {
        let leases = self.clusters.values().map(|state| state.writer.lease().release());
        futures::future::join_all(leases).await;
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Cluster(context, event) => self.take_cluster(context, event),
            Event::Sources => self.reading_wanted = true,
            Event::LocalChange(repository) => self.reader.wake(Some(&repository)),
            Event::Read(read) => self.take_read(*read),
            Event::Instance(found) => self.take_instance(found),
            Event::Records(records) => self.take_records(records),
            Event::Recorded { newer } => self.newer_records.extend(newer),
            Event::Worked(id, result) => self.end_work(&id, result),
        }
    }

    /// Puts an application into the queue.
    fn enqueue(&mut self, id: &ApplicationId, urgency: Urgency) {
        if let Some(application) = self.applications.get(id) {
            self.queue.push(&application.context, id, urgency);
        }
    }

    fn enqueue_all(&mut self, context: &Option<String>) {
        for (id, application) in self.applications.iter().filter(|(_, one)| one.context == *context) {
            self.queue.push(&application.context, id, Urgency::Change(self.readings));
        }
    }

    /// Whether no application is worked on or about to be.
    fn is_settled(&self) -> bool {
        self.busy.is_empty() && self.queue.is_empty()
    }

    /// How long to sleep if nothing happens: until the next look around or the next try of an application.
    fn pause(&self) -> Duration {
        if !self.is_settled() {
            return LOOK;
        }
        let now = self.world.clock.steady();
        let wakes = self
            .applications
            .iter()
            .filter(|(id, _)| !self.busy.contains_key(*id))
            .filter_map(|(_, one)| one.wake);
        let next = wakes.chain([self.next_look_around]).min().unwrap_or(now);
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
            self.enqueue(&id, Urgency::Change(0));
        }
    }

    /// Every poll period: a reading, a fresh look at what no watch shows, and another try for what did not come to rest.
    fn look_around(&mut self) {
        let now = self.world.clock.steady();
        if now < self.next_look_around {
            return;
        }
        self.reading_wanted = true;
        self.next_look_around = now.checked_add(self.options.poll).unwrap_or(Timestamp::MAX);
        self.read_records();
        self.look_around_clusters();
        if self.config.is_none() && self.instance.is_none() && self.readings > 0 {
            self.find_instance();
        }
    }

    fn is_done(&mut self) -> bool {
        let now = self.world.clock.steady();
        let busy = !self.is_settled() || self.reading_wanted || self.is_preparing();
        // What a person has to mend is not waited for.
        let open = |plan: &SyncPlan| !plan.informed && !has_fault(plan);
        let unknown = self.applications.values().any(|one| one.plan.as_ref().is_some_and(open));
        let moving = self.applications.values().any(|one| one.moving);
        let recording = self.recorder.as_ref().is_some_and(|recorder| recorder.waiting() > 0);
        let standing_by = self.stands_by(now);
        let failing = self.recorder.as_ref().is_some_and(|recorder| recorder.failure().is_some())
            || self.applications.values().any(|one| one.progress.failure.is_some())
            || unknown;
        if !failing {
            self.failing_since = None;
        }
        if !(busy || moving || recording || unknown || standing_by) {
            return true;
        }
        let since = *self.failing_since.get_or_insert(now);
        failing && Duration::try_from(now.duration_since(since)).unwrap_or_default() > PATIENCE
    }

    /// Whether something is on its way that applications wait for.
    fn is_preparing(&self) -> bool {
        let first_try =
            |context: &Option<String>| !self.unconnected.contains_key(context) && self.instance.is_some();
        self.reader.is_waiting()
            || !self.claims.values().all(Claims::is_complete)
            || !self.under_way.is_empty()
            || self.connecting.keys().any(first_try)
            || self.clusters.values().any(|state| !state.making.is_empty())
            || self.unsearched.values().any(Option::is_none)
    }

    /// Whether a pass waits for another daemon's lease, and not for too long yet.
    fn stands_by(&mut self, now: Timestamp) -> bool {
        let standby = |hold: &HoldReason| matches!(hold, HoldReason::Standby { .. });
        let waits = self.clusters.values().any(|state| state.writer.lease().is_awaited() && !state.leads)
            || self.unconnected.values().any(standby);
        if !waits {
            self.standing_by_since = None;
            return false;
        }
        let since = *self.standing_by_since.get_or_insert(now);
        Duration::try_from(now.duration_since(since)).unwrap_or_default() < LEASE_PATIENCE
    }
}

fn has_fault(plan: &SyncPlan) -> bool {
    plan.holds.iter().any(|hold| hold.class() == HoldClass::Fault)
}
