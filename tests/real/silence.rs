//! Two real control planes, one of which is stopped, a Git host and a chart repository that take connections and
//! never answer: everyone else goes on, and the silent one is named (RULES §13).

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use crate::parts::control_plane::{self, ControlPlane};
use crate::parts::git_repository::BareRepository;
use crate::shop::{config_map, eventually};

/// How often something is changed by hand in each scene.
const HEALS: usize = 100;

/// A host that takes connections and never answers; it counts them.
struct Mute(TcpListener);

impl Mute {
    fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }
}

struct Fleet {
    folder: tempfile::TempDir,
    config: BareRepository,
    name: String,
    near: &'static ControlPlane,
    far: ControlPlane,
    git: Mute,
    charts: Mute,
}

impl Fleet {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = BareRepository::create(&folder.path().join("config.git"));
        let (near, far) = (control_plane::shared(), ControlPlane::start());
        let name = control_plane::unique_name("silence");
        let fleet = Self { folder, config, name, near, far, git: Mute::start(), charts: Mute::start() };
        fleet.commit("red");
        fleet.write_kubeconfig();
        fleet
    }

    /// Eight applications on each cluster, one whose code is on the mute host, one whose chart is.
    fn commit(&self, colour: &str) {
        let team = &self.name;
        let mut files = vec![
            (
                "moorline.yaml".to_owned(),
                format!(
                    "version: 1\nname: {team}\nenvironments:\n  near: {{namespace: {team}-near, branch: main}}\n  far: {{namespace: {team}-far, cluster: far}}\n  charted: {{namespace: {team}-charted}}\n"
                ),
            ),
            (
                "services/mute.yaml".to_owned(),
                format!(
                    "team: {team}\ncode: {{repository: \"http://{}/mute.git\"}}\nchart: {{path: chart}}\n",
                    self.git.address()
                ),
            ),
            ("environments/near/mute.yaml".to_owned(), String::new()),
            (
                "environments/charted/Chart.yaml".to_owned(),
                format!(
                    "apiVersion: v2\nname: charted\nversion: 1.0.0\ndependencies:\n- {{name: absent, version: 1.0.0, repository: \"http://{}/charts\"}}\n",
                    self.charts.address()
                ),
            ),
        ];
        for number in 0..8 {
            let service = format!("s{number}");
            let manifests = format!("team: {team}\nmanifests: {{path: k8s/{service}}}\n");
            files.push((format!("services/{service}.yaml"), manifests));
            files.push((format!("k8s/{service}/config.yaml"), config_map(&service, colour)));
            for environment in ["near", "far"] {
                files.push((format!("environments/{environment}/{service}.yaml"), String::new()));
            }
        }
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        self.config.commit("main", &files);
    }

    /// The near cluster as the current context, the far one as `far`.
    fn write_kubeconfig(&self) {
        let read = |path: PathBuf| -> Value {
            serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let (mut near, far) = (read(self.near.kubeconfig()), read(self.far.kubeconfig()));
        let (cluster, user) = (&far["clusters"][0]["cluster"], &far["users"][0]["user"]);
        let mut add = |list: &str, entry: Value| near[list].as_array_mut().unwrap().push(entry);
        add("clusters", json!({"name": "far", "cluster": cluster}));
        add("users", json!({"name": "far", "user": user}));
        add("contexts", json!({"name": "far", "context": {"cluster": "far", "user": "far"}}));
        std::fs::write(self.kubeconfig(), near.to_string()).unwrap();
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn daemon(&self) -> Daemon {
        let log = std::fs::File::create(self.folder.path().join("daemon.log")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
        command.args(["run", "--poll", "1s", "--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--config").arg(self.config.path()).arg("--kubeconfig").arg(self.kubeconfig());
        command.arg("--data-dir").arg(self.folder.path().join("data"));
        command.args(["--own-namespace", &format!("{}-moorline", self.name)]);
        Daemon { process: command.stdout(Stdio::null()).stderr(log).spawn().unwrap(), port }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("daemon.log")).unwrap()
    }
}

struct Daemon {
    process: Child,
    port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Daemon {
    fn board(&self) -> Vec<Value> {
        let answer = reqwest::blocking::get(format!("http://127.0.0.1:{}/api/v1/applications", self.port));
        let text = answer.and_then(reqwest::blocking::Response::text).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// How many applications of an environment are in this state of sync.
    fn count(&self, environment: &str, sync: &str) -> usize {
        let board = self.board();
        board.iter().filter(|one| one["environment"] == environment && one["sync"] == sync).count()
    }

    /// How many applications of an environment are held for this reason.
    fn held(&self, environment: &str, reason: &str) -> usize {
        let names = |one: &Value| {
            one["holds"].as_array().is_some_and(|holds| holds.iter().any(|hold| hold["reason"] == reason))
        };
        self.board().iter().filter(|one| one["environment"] == environment && names(one)).count()
    }
}

/// Changes a ConfigMap by hand again and again; how long each change stood, in milliseconds, sorted.
fn heals(kubeconfig: &Path, namespace: &str) -> Vec<u128> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = control_plane::client(kubeconfig).await;
        let maps: Api<ConfigMap> = Api::namespaced(client, namespace);
        let colour = maps.get("s1").await.unwrap().data.unwrap()["colour"].clone();
        let mut times = Vec::new();
        for number in 0..HEALS {
            let change = json!({"data": {"colour": format!("{number}")}});
            let changed = maps.patch("s1", &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
            let started = Instant::now();
            let version = changed.metadata.resource_version.unwrap();
            let only = WatchParams::default().fields("metadata.name=s1").timeout(30);
            let mut events = maps.watch(&only, &version).await.unwrap().boxed();
            let healed = async {
                while let Some(event) = events.next().await {
                    let Ok(WatchEvent::Modified(map)) = event else { continue };
                    if map.data.is_some_and(|data| data["colour"] == colour) {
                        return;
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(30), healed).await.unwrap();
            times.push(started.elapsed().as_millis());
        }
        times.sort_unstable();
        times
    })
}

fn assert_heals_fast(fleet: &Fleet, scene: &str) {
    let times = heals(&fleet.near.kubeconfig(), &format!("{}-near", fleet.name));
    let (median, late) = (times[HEALS / 2], times[HEALS * 99 / 100]);
    assert!(late < 200, "{scene}: heals p50 {median} ms, p99 {late} ms of {HEALS}");
}

/// How long it takes until something holds, at most a minute.
fn within(what: &str, limit: Duration, condition: impl Fn() -> bool) {
    let started = Instant::now();
    eventually(what, condition);
    let took = started.elapsed();
    assert!(took <= limit, "{what}: {took:?}, at most {limit:?}");
}

/// The colour of an application's ConfigMap on the near cluster.
fn colour(fleet: &Fleet, service: &str) -> String {
    let namespace = format!("{}-near", fleet.name);
    let arguments = ["-n", &namespace, "get", "configmap", service, "-o", "jsonpath={.data.colour}"];
    fleet.near.kubectl().succeed(&arguments)
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_stopped_api_server_and_mute_hosts_hold_up_nobody_else() {
    let fleet = Fleet::start();
    // The Git host and the chart repository are mute from the start.
    let daemon = fleet.daemon();
    within("both clusters are up beside the mute hosts", Duration::from_secs(30), || {
        daemon.count("near", "Synced") >= 8 && daemon.count("far", "Synced") >= 8
    });
    within("the mute hosts are named", Duration::from_secs(15), || {
        daemon.held("near", "SourceUnavailable") == 1 && daemon.held("charted", "ChartUnavailable") == 1
    });
    assert_heals_fast(&fleet, "mute hosts");
    // The far cluster stops later, and with it everything is silent that can be.
    fleet.far.freeze();
    within("the stopped cluster is named", Duration::from_secs(15), || {
        daemon.held("far", "ApiUnavailable") == 8 && daemon.count("far", "Unknown") == 8
    });
    assert_heals_fast(&fleet, "mute hosts and a stopped cluster");
    fleet.commit("blue");
    within("a commit elsewhere is applied", Duration::from_secs(3), || colour(&fleet, "s2") == "blue");
    fleet.far.thaw();
    within("the stopped cluster is back", Duration::from_secs(10), || {
        daemon.count("far", "Synced") == 8 && daemon.held("far", "ApiUnavailable") == 0
    });
    assert!(!fleet.log().contains("panicked"), "{}", fleet.log());
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_cluster_that_is_silent_from_the_start_holds_up_nobody_else() {
    let fleet = Fleet::start();
    fleet.far.freeze();
    let daemon = fleet.daemon();
    within("the near cluster is up", Duration::from_secs(30), || daemon.count("near", "Synced") >= 8);
    within("the silent cluster is named", Duration::from_secs(15), || {
        daemon.held("far", "ApiUnavailable") == 8
    });
    assert_heals_fast(&fleet, "a cluster that was never there");
    fleet.far.thaw();
    within("the silent cluster is up", Duration::from_secs(10), || daemon.count("far", "Synced") == 8);
}
