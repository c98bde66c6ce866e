//! Plays a script: the world, the daemons, the steps, and the judgement at the end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::adapters::World;
use moorline::model::chart::ChartAddress;
use moorline::model::source::{CommitSha, RepositoryUrl};
use moorline::reconciler::{Options, Outcome, RunMode, run};
use moorline::report::status::Board;
use moorline::sandbox::faults::FaultRule;
use moorline::sandbox::front::Served;
use moorline::sandbox::request::{Method, Request};
use moorline_doubles::sandbox::{by_hand, look};
use moorline_doubles::{MemoryWorld, Mishap};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::book::{Book, Commit};
use super::cluster::{client, locked};
use super::files::{CHARTED, CHARTS, CODED, Config, LATER, MEMBERS, Quality, Service};
use super::script::Step;

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

pub(super) struct Daemon {
    pub(super) task: JoinHandle<Outcome>,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) board: watch::Receiver<Arc<Board>>,
}

pub(super) struct Theatre {
    pub(super) memory: MemoryWorld,
    pub(super) served: Served,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) ids: Vec<CommitSha>,
    pub(super) config: Config,
    /// Which commit of the code repository its branch points at.
    pub(super) code: usize,
    pub(super) daemon: Option<Daemon>,
    pub(super) rival: Option<Daemon>,
    pub(super) number: u32,
}

pub(super) fn url() -> RepositoryUrl {
    "https://git.example.com/config.git".parse().unwrap_or_else(|_| unreachable!("an address"))
}

pub(super) fn code_url() -> RepositoryUrl {
    "https://git.example.com/pay.git".parse().unwrap_or_else(|_| unreachable!("an address"))
}

pub(super) fn chart() -> ChartAddress {
    let repository = CHARTS.parse().unwrap_or_else(|_| unreachable!("an address"));
    ChartAddress { repository, name: CHARTED.parse().unwrap_or_else(|_| unreachable!("a name")) }
}

impl Theatre {
    fn new(seed: u64) -> Self {
        let memory = MemoryWorld::of_seed(seed);
        memory.cluster.run_controllers();
        let mut theatre = Self {
            served: memory.cluster.served().clone(),
            memory,
            book: Arc::default(),
            ids: Vec::new(),
            config: Config::first(),
            code: 0,
            daemon: None,
            rival: None,
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
            leader_election: true,
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
    pub(super) fn wanted(&self, environment: &str, service: &str) -> Option<Service> {
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

    pub(super) fn path(environment: &str, service: &str, kind: &str) -> String {
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
        // A person sees what the API server says; whether it worked is of no concern here.
        drop(by_hand(&self.served, &request));
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
            "namespace" => {
                let namespace = format!("/api/v1/namespaces/blue-{environment}");
                self.person(Method::Delete, &namespace, Value::Null);
                let mut book = locked(&self.book);
                book.strangers.retain(|path| !path.starts_with(&format!("{namespace}/")));
                for (_, service) in MEMBERS.iter().chain(&LATER) {
                    book.meddled.insert((environment.to_owned(), (*service).to_owned()), self.served.now());
                }
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

    pub(super) fn check(&self) -> Result<(), String> {
        locked(&self.book).judge_records(&self.memory.state.operations());
        match locked(&self.book).violations.first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(()),
        }
    }
}

pub(super) async fn stop(daemon: Daemon) {
    let _ = daemon.stop.send(());
    let _ = daemon.task.await;
}

pub(super) fn uid(served: &Served, path: &str) -> Option<String> {
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
