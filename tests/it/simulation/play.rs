//! Plays a script: the world, the daemons, the steps, and the judgement at the end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::adapters::World;
use moorline::adapters::clock::Clock as _;
use moorline::adapters::memory::{MemoryWorld, Mishap};
use moorline::model::chart::ChartAddress;
use moorline::model::drift::SyncStatus;
use moorline::model::source::{CommitSha, RepositoryUrl};
use moorline::model::status::Board;
use moorline::reconciler::{Options, Outcome, RunMode, run};
use moorline::sandbox::cluster::Cluster;
use moorline::sandbox::controllers::Pace;
use moorline::sandbox::faults::FaultRule;
use moorline::sandbox::front::{Served, control};
use moorline::sandbox::request::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::book::{Book, Commit};
use super::cluster::{client, head, locked, look};
use super::files::{CHARTED, CHARTS, CODED, Config, LATER, MEMBERS, Quality, Service};
use super::script::Step;

/// How long everything may take to settle once nothing goes wrong any more.
const SETTLING: Duration = Duration::from_mins(40);

/// Reasons that may hold nothing for long once everything works again.
const PASSING: [&str; 5] =
    ["SourceUnavailable", "ChartUnavailable", "ApiUnavailable", "StateUnavailable", "Retrying"];

/// What a play came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Played {
    /// How many writes the daemons made.
    pub(crate) writes: usize,
    /// How many calls they made.
    pub(crate) calls: u64,
    /// How much time passed in the simulation.
    pub(crate) seconds: i64,
    /// What the cluster holds in the end, hashed: the same for the same script and seed.
    pub(crate) trace: String,
}

/// Plays a script. Gives the first thing that should not have happened.
///
/// # Errors
///
/// What was violated, in words.
pub(crate) fn play(script: &[Step], seed: u64) -> Result<Played, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let played = runtime.block_on(async {
        let mut theatre = Theatre::new(seed);
        for step in script {
            theatre.take(step).await?;
            theatre.check()?;
        }
        theatre.end().await
    });
    // Whatever still waits is dropped here.
    drop(runtime);
    played
}

struct Daemon {
    task: JoinHandle<Outcome>,
    stop: oneshot::Sender<()>,
    board: watch::Receiver<Arc<Board>>,
}

struct Theatre {
    memory: MemoryWorld,
    served: Served,
    book: Arc<Mutex<Book>>,
    ids: Vec<CommitSha>,
    config: Config,
    /// Which commit of the code repository its branch points at.
    code: usize,
    daemon: Option<Daemon>,
    rival: Option<Daemon>,
    controllers: JoinHandle<()>,
    number: u32,
}

fn url() -> RepositoryUrl {
    "https://git.example.com/config.git".parse().unwrap_or_else(|_| unreachable!("an address"))
}

fn code_url() -> RepositoryUrl {
    "https://git.example.com/pay.git".parse().unwrap_or_else(|_| unreachable!("an address"))
}

fn chart() -> ChartAddress {
    let repository = CHARTS.parse().unwrap_or_else(|_| unreachable!("an address"));
    ChartAddress { repository, name: CHARTED.parse().unwrap_or_else(|_| unreachable!("a name")) }
}

impl Theatre {
    fn new(seed: u64) -> Self {
        let memory = MemoryWorld::default();
        let clock = memory.clock.clone();
        let cluster = Cluster::new(seed, Pace { start: Duration::from_secs(1) }, clock.steady());
        let served = Served::with_clock(cluster, Arc::new(move || clock.steady()));
        let working = served.clone();
        let controllers = tokio::spawn(async move { control(&working).await });
        let mut theatre = Self {
            memory,
            served,
            book: Arc::default(),
            ids: Vec::new(),
            config: Config::first(),
            code: 0,
            daemon: None,
            rival: None,
            controllers,
            number: 1,
        };
        theatre.commit_code(Service::first());
        theatre.commit();
        theatre.daemon = Some(theatre.start());
        theatre
    }

    fn world(&self) -> World {
        let memory = &self.memory;
        let cluster = client(&self.served, &self.book, &memory.mishaps, &memory.metrics);
        World { clusters: Arc::new(cluster), ..memory.world() }
    }

    fn start(&self) -> Daemon {
        let options = Options {
            config: url(),
            config_branch: Some("main".to_owned()),
            own_namespace: "moorline".parse().unwrap_or_else(|_| unreachable!("a DNS label")),
            environments: Vec::new(),
            poll: Duration::from_secs(5),
            dry_run: false,
            revision: None,
            random: false,
            as_helm: false,
        };
        let (sender, board) = watch::channel(Arc::default());
        let (stop, stopped) = oneshot::channel();
        let until = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(run(self.world(), options, RunMode::Forever, sender, until));
        Daemon { task, stop, board }
    }

    fn commit(&mut self) {
        let id = self.memory.repositories.commit(&url(), "main", self.config.tree());
        self.ids.push(id);
        locked(&self.book).commits.push(Commit { id: id.to_string(), config: self.config.clone() });
    }

    /// A commit of the code repository.
    fn commit_code(&mut self, service: Service) {
        let id = self.memory.repositories.commit(&code_url(), "main", service.code());
        let mut book = locked(&self.book);
        book.code.push((id, service));
        self.code = book.code.len() - 1;
    }

    /// What the branch of the code repository holds.
    fn coded(&self) -> (CommitSha, Service) {
        locked(&self.book).code[self.code].clone()
    }

    /// What an application asks for; nothing while it was never promoted.
    fn wanted(&self, environment: &str, service: &str) -> Option<Service> {
        match (environment, service) {
            (_, service) if service != CODED => self.config.services.get(service).cloned(),
            ("dev", _) => Some(self.coded().1),
            _ => locked(&self.book).coded(self.config.pin?).cloned(),
        }
    }

    async fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Commit(service, quality) => self.change(service, quality),
            Step::Extra(service, number) => self.toggle_extra(service, *number),
            Step::Member(environment, service) => self.toggle_member(environment, service),
            Step::Revert => self.go_back(1, false),
            Step::Force(back) => self.go_back(*back, true),
            Step::Rewind(back) => {
                self.code = self.code.saturating_sub(*back);
                self.memory.repositories.force(&code_url(), "main", self.coded().0);
            }
            Step::Promote => {
                self.config.pin = Some(self.coded().0);
                self.commit();
            }
            Step::Empty => {
                let before = self.config.clone();
                self.config.empty = true;
                self.commit();
                self.config = before;
            }
            Step::Reach(repository, reachable) => self.reach(repository, *reachable),
            Step::Meddle(environment, service, how) => self.meddle(environment, service, how),
            Step::Lose(environment, service, sets) => self.lose(environment, service, *sets),
            Step::Fault(rule) => {
                let rule: FaultRule = rule.parse().map_err(|error| format!("{error}"))?;
                self.served.cluster().store.faults.add(rule);
            }
            Step::Calm => self.served.cluster().store.faults.clear(),
            Step::Crash(calls) => self.crash(*calls).await,
            Step::Forget => self.memory.charts.forget(),
            Step::Restart => self.restart().await,
            Step::Rival(runs) => self.rival(*runs).await,
            Step::Clock(seconds) => self.memory.clock.set_ahead(*seconds),
            Step::Wait(seconds) => tokio::time::sleep(Duration::from_secs((*seconds).into())).await,
        }
        // Whoever was woken gets a moment.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(())
    }

    fn change(&mut self, service: &str, quality: &str) {
        self.number += 1;
        let number = self.number;
        let quality = match quality {
            "image" => Quality::BadImage,
            "yaml" => Quality::BadYaml,
            "invalid" => Quality::Invalid,
            _ => Quality::Good,
        };
        self.change_service(service, |service| {
            service.value = number;
            service.quality = quality;
        });
    }

    /// A commit that changes a service, in the repository where it lives.
    fn change_service(&mut self, service: &str, change: impl FnOnce(&mut Service)) {
        if service == CODED {
            let mut coded = self.coded().1;
            change(&mut coded);
            return self.commit_code(coded);
        }
        if service == CHARTED {
            return self.release_chart(change);
        }
        if let Some((_, service)) = self.config.services.iter_mut().find(|(name, _)| **name == service) {
            change(service);
        }
        self.commit();
    }

    /// A new version of the chart in the chart repository, and a commit that asks for it.
    fn release_chart(&mut self, change: impl FnOnce(&mut Service)) {
        if !self.config.services.contains_key(CHARTED) {
            self.config.members.extend(LATER);
        }
        let service = self.config.services.entry(CHARTED).or_insert_with(Service::first);
        change(service);
        service.value = self.number;
        self.memory.charts.offer(&chart(), &service.version(), &service.archive());
        self.commit();
    }

    fn toggle_extra(&mut self, service: &str, number: u8) {
        self.number += u32::from(service == CHARTED);
        self.change_service(service, |service| {
            if !service.extras.remove(&number) {
                service.extras.insert(number);
            }
        });
    }

    fn toggle_member(&mut self, environment: &str, service: &str) {
        let known = MEMBERS
            .into_iter()
            .chain(LATER.into_iter().filter(|_| self.config.services.contains_key(CHARTED)));
        if let Some(member) = known.into_iter().find(|one| *one == (environment, service))
            && !self.config.members.remove(&member)
        {
            self.config.members.insert(member);
        }
        self.commit();
    }

    /// A revert is a new commit with older files; a force-push names the older commit itself.
    fn go_back(&mut self, back: usize, force: bool) {
        let index = self.ids.len().saturating_sub(1 + back);
        let commits = locked(&self.book).commits.clone();
        let Some(older) = commits.get(index) else { return };
        self.config = older.config.clone();
        if force {
            self.memory.repositories.force(&url(), "main", self.ids[index]);
        } else {
            self.commit();
        }
        self.config.empty = false;
    }

    fn reach(&mut self, repository: &str, reachable: bool) {
        if repository == "config" {
            self.memory.repositories.set_reachable(&url(), reachable);
        } else if repository == "code" {
            self.memory.repositories.set_reachable(&code_url(), reachable);
        } else if repository == "charts" {
            self.memory.charts.set_reachable(&chart().repository, reachable);
        } else if reachable {
            self.memory.mishaps.clear();
        } else {
            for _ in 0..4 {
                self.memory.mishaps.plan("state.commit", Mishap::Refused);
                self.memory.mishaps.plan("state.commit", Mishap::LostAnswer);
            }
        }
    }

    fn path(environment: &str, service: &str, kind: &str) -> String {
        let root = if kind == "deployments" { "apis/apps/v1" } else { "api/v1" };
        format!("/{root}/namespaces/blue-{environment}/{kind}/{service}")
    }

    fn person(&self, method: Method, path: &str, patch: Value) {
        let mut request = Request::new(method, &format!("{path}?fieldManager=kubectl-edit"));
        match method {
            Method::Patch => request = request.with("application/merge-patch+json", patch),
            Method::Post => request = request.with("application/json", patch),
            _ => {}
        }
        "kubectl/v1.37.2".clone_into(&mut request.agent);
        let now = self.memory.clock.steady();
        let mut cluster = self.served.cluster();
        let faults = std::mem::replace(&mut cluster.store.faults, moorline::sandbox::faults::Faults::new(0));
        // A person sees what the API server says; whether it worked is of no concern here.
        drop(cluster.handle(&request, now));
        cluster.store.faults = faults;
    }

    fn meddle(&mut self, environment: &str, service: &str, how: &str) {
        let key = (environment.to_owned(), service.to_owned());
        locked(&self.book).meddled.insert(key, self.served.now());
        let map = Self::path(environment, service, "configmaps");
        let deployment = Self::path(environment, service, "deployments");
        match how {
            "value" => self.person(Method::Patch, &map, json!({"data": {"value": "meddled"}})),
            "scale" => self.person(Method::Patch, &deployment, json!({"spec": {"replicas": 3}})),
            "image" => {
                let container = json!([{"name": service, "image": "somebody/else:999"}]);
                self.person(
                    Method::Patch,
                    &deployment,
                    json!({"spec": {"template": {"spec": {"containers": container}}}}),
                );
            }
            "stranger" => {
                let name = format!("stranger-{service}");
                let labels = json!({
                    "moorline.dev/instance": "sim",
                    "moorline.dev/application": format!("{environment}.{service}"),
                });
                let stranger = json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": name, "labels": labels}});
                let collection = format!("/api/v1/namespaces/blue-{environment}/configmaps");
                self.person(Method::Post, &collection, stranger);
                let path = format!("{collection}/{name}");
                if look(&self.served, &path).is_some() {
                    locked(&self.book).strangers.push(path);
                }
            }
            "note" => {
                self.person(
                    Method::Patch,
                    &map,
                    json!({"metadata": {"annotations": {"example.com/note": "mine"}}, "data": {"mine": "mine"}}),
                );
                if let Some(uid) = uid(&self.served, &map) {
                    locked(&self.book).notes.insert(map, uid);
                }
            }
            _ => self.person(Method::Delete, &map, Value::Null),
        }
    }

    fn lose(&mut self, environment: &str, service: &str, sets: bool) {
        let head = format!("/api/v1/namespaces/moorline/configmaps/sim.{environment}.{service}");
        self.person(Method::Delete, &head, Value::Null);
        for slot in ["a", "b"].iter().filter(|_| sets) {
            let set = format!("/api/v1/namespaces/moorline/secrets/sim.{environment}.{service}.{slot}.1");
            self.person(Method::Delete, &set, Value::Null);
        }
    }

    async fn crash(&mut self, calls: u32) {
        self.memory.mishaps.kill_after(calls);
        let minute = tokio::time::timeout(Duration::from_mins(1), self.memory.mishaps.stopped());
        let _ = minute.await;
        for daemon in self.daemon.take().into_iter().chain(self.rival.take()) {
            daemon.task.abort();
            let _ = daemon.task.await;
        }
        self.memory.mishaps.disarm();
        self.daemon = Some(self.start());
    }

    async fn restart(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            stop(daemon).await;
        }
        self.daemon = Some(self.start());
    }

    async fn rival(&mut self, runs: bool) {
        match (runs, self.rival.take()) {
            (true, None) => self.rival = Some(self.start()),
            (true, running) => self.rival = running,
            (false, Some(daemon)) => stop(daemon).await,
            (false, None) => {}
        }
    }

    fn check(&self) -> Result<(), String> {
        locked(&self.book).judge_records(&self.memory.state.operations());
        match locked(&self.book).violations.first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(()),
        }
    }

    /// Everything works again; then all must come to rest as Git says, or say why not.
    async fn end(self) -> Result<Played, String> {
        self.served.cluster().store.faults.clear();
        self.memory.mishaps.clear();
        self.memory.repositories.set_reachable(&url(), true);
        self.memory.repositories.set_reachable(&code_url(), true);
        self.memory.charts.set_reachable(&chart().repository, true);
        let started = tokio::time::Instant::now();
        let mut last = String::new();
        // What was called after the last fault and before everybody heard of it may wait for its patience.
        while started.elapsed() < SETTLING {
            tokio::time::sleep(Duration::from_secs(20)).await;
            self.check()?;
            match self.unsettled() {
                None => return self.quiet().await,
                Some(why) => last = why,
            }
        }
        Err(format!("not settled after {} minutes: {last}", SETTLING.as_secs() / 60))
    }

    /// A settled world stays as it is.
    async fn quiet(mut self) -> Result<Played, String> {
        let writes = locked(&self.book).writes.len();
        tokio::time::sleep(Duration::from_mins(3)).await;
        self.check()?;
        if let Some(why) = self.unsettled() {
            return Err(format!("settled, and then not: {why}"));
        }
        let more = locked(&self.book).writes[writes..].to_vec();
        // What is held by somebody's hand is tried again from time to time.
        let held = self
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.board.borrow().applications.iter().any(|one| !one.holds.is_empty()));
        if !more.is_empty() && !held {
            return Err(format!("writes in a settled world: {}", more.join(", ")));
        }
        self.check_records()?;
        self.check_notes()?;
        for daemon in self.daemon.take().into_iter().chain(self.rival.take()) {
            stop(daemon).await;
        }
        self.controllers.abort();
        let cluster = self.served.cluster();
        let objects: Vec<&Arc<Value>> = cluster
            .store
            .list("configmaps", None)
            .chain(cluster.store.list("deployments.apps", None))
            .collect();
        let text = serde_json::to_string(&objects).unwrap_or_default();
        Ok(Played {
            writes,
            calls: self.memory.mishaps.calls(),
            seconds: self.memory.clock.steady().as_second(),
            trace: moorline::model::digest::Digest::of(text.as_bytes()).short(),
        })
    }

    fn check_records(&self) -> Result<(), String> {
        let mut operations = self.memory.state.operations();
        operations.sort();
        match operations.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{} is recorded twice", pair[0])),
            None => Ok(()),
        }
    }

    fn check_notes(&self) -> Result<(), String> {
        let gone = |path: &&String| look(&self.served, path).is_none();
        if let Some(path) = locked(&self.book).strangers.iter().find(gone) {
            return Err(format!("{path}, a stranger's, is gone"));
        }
        for (path, noted) in &locked(&self.book).notes {
            let object = look(&self.served, path);
            let has = |field: &str| object.as_ref().is_some_and(|object| object.pointer(field).is_some());
            let kept = has("/metadata/annotations/example.com~1note") && has("/data/mine");
            if uid(&self.served, path).as_ref() == Some(noted) && !kept {
                return Err(format!("{path} lost what somebody added"));
            }
        }
        Ok(())
    }

    /// What is not as it should be; nothing if all is.
    fn unsettled(&self) -> Option<String> {
        let board = self.daemon.as_ref()?.board.borrow().clone();
        // The last commit or the one that was forced back to.
        let head = self.memory.repositories.head(&url(), "main");
        let empty = head.is_some_and(|tree| tree.get("moorline.yaml").is_none());
        for application in &board.applications {
            // Everything can be reached again and nobody else is at work: that is to be noticed.
            if let Some(hold) = application.holds.iter().find(|hold| PASSING.contains(&hold.reason)) {
                return Some(format!(
                    "{}/{} is still held: {}",
                    application.environment, application.service, hold.reason
                ));
            }
            let held = application.holds.iter().any(|hold| !hold.message.is_empty());
            let well = application.sync == SyncStatus::Synced || application.never_promoted;
            if !well && !held && application.suspended.is_none() && !empty {
                return Some(format!(
                    "{}/{} is {} without a reason",
                    application.environment,
                    application.service,
                    application.sync.as_str()
                ));
            }
        }
        if empty {
            return None;
        }
        self.config
            .members
            .iter()
            .find_map(|(environment, service)| self.unsettled_member(&board, environment, service))
    }

    fn unsettled_member(&self, board: &Board, environment: &str, service: &str) -> Option<String> {
        let wanted = self.wanted(environment, service);
        let status =
            board.applications.iter().find(|one| one.environment == environment && one.service == service);
        let Some(status) = status else { return Some(format!("{environment}/{service} is not shown")) };
        let held = !status.holds.is_empty();
        let map = look(&self.served, &Self::path(environment, service, "configmaps"));
        let value = map
            .as_ref()
            .and_then(|map| map.pointer("/data/value"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        let head = head(&self.served, environment, service);
        let deployed = head.as_ref().and_then(|head| head.deployed.as_ref());
        let deployed = deployed.and_then(|version| locked(&self.book).value_at(version, service));
        let Some(wanted) = wanted else {
            // Never promoted, or no longer: what is deployed stays, and what a first rollout left when its pin went.
            let left = deployed.is_some_and(|deployed| value != Some(deployed.to_string()));
            return left.then(|| format!("{environment}/{service} has {value:?} and no pin"));
        };
        if wanted.quality == Quality::Good && !held {
            (value != Some(wanted.value.to_string()))
                .then(|| format!("{environment}/{service} has {value:?} instead of {}", wanted.value))
        } else if !held {
            Some(format!("{environment}/{service} is bad and not held"))
        } else if let Some(deployed) = deployed {
            let holds: Vec<&str> = status.holds.iter().map(|hold| hold.reason).collect();
            // A set that somebody deleted in the middle of its rollout is nowhere: that is said, and no more can be.
            if holds.contains(&"SetMissing") {
                return None;
            }
            (value != Some(deployed.to_string()))
                .then(|| format!("{environment}/{service} has {value:?} instead of the deployed {deployed} (held: {holds:?})"))
        } else {
            None
        }
    }
}

async fn stop(daemon: Daemon) {
    let _ = daemon.stop.send(());
    let _ = daemon.task.await;
}

fn uid(served: &Served, path: &str) -> Option<String> {
    look(served, path)?.pointer("/metadata/uid")?.as_str().map(str::to_owned)
}

/// Removes steps as long as it still fails: the smallest script that is left, with its failure.
pub(crate) fn shrink(script: &[Step], seed: u64, failure: String) -> (Vec<Step>, String) {
    let (mut script, mut failure) = (script.to_vec(), failure);
    let mut index = 0;
    while index < script.len() {
        let mut shorter = script.clone();
        shorter.remove(index);
        match play(&shorter, seed) {
            Err(why) => (script, failure) = (shorter, why),
            Ok(_) => index += 1,
        }
    }
    (script, failure)
}
