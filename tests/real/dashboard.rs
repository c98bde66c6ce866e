//! The dashboard in a real browser: it draws, nothing is refused by its own content security policy, and an open
//! page follows the board. With `MOORLINE_SCREENSHOTS=FOLDER` it leaves pictures there, light and dark, wide and
//! narrow.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use moorline::model::digest::Digest;
use moorline::model::drift::{ExtraField, SyncStatus};
use moorline::model::facts::Version;
use moorline::model::health::HealthStatus;
use moorline::model::hold::HoldClass;
use moorline::model::inventory::Suspension;
use moorline::report::hold::HoldStatus;
use moorline::report::status::{ApplicationStatus, Board, ResourceStatus};
use moorline::server;
use moorline::telemetry::Metrics;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{oneshot, watch};

use crate::parts;

fn version(service: &str, number: u8) -> Version {
    let digest = Digest::of(format!("{service}{number}").as_bytes());
    Version {
        commit: Some(digest.hex()[..40].parse().unwrap()),
        chart: Some(format!("{service}-1.{number}.0")),
        image: Some(format!("registry.example.com/shop/{service}:{}", &digest.hex()[..12])),
        images: Vec::new(),
        config: "4be1c0d2a7f95e836b0cd1e4f2a8b7c6d5e4f302".parse().unwrap(),
        digest,
    }
}

fn object(kind: &str, group: &str, name: &str, health: HealthStatus, message: &str) -> ResourceStatus {
    ResourceStatus {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: "payments-prod".to_owned(),
        name: name.to_owned(),
        sync: SyncStatus::Synced,
        health,
        message: message.to_owned(),
        extras: Vec::new(),
        changes: Vec::new(),
    }
}

fn application(environment: &str, service: &str) -> ApplicationStatus {
    let team = if service.starts_with("pay") { "payments" } else { "shop" };
    ApplicationStatus {
        environment: environment.to_owned(),
        service: service.to_owned(),
        namespace: format!("{team}-{environment}"),
        wanted: Some(version(service, 1)),
        deployed: Some(version(service, 1)),
        previous: None,
        blocked: None,
        sync: SyncStatus::Synced,
        health: HealthStatus::Healthy,
        holds: Vec::new(),
        resources: vec![
            object("Service", "", service, HealthStatus::Healthy, ""),
            object("Deployment", "apps", service, HealthStatus::Healthy, ""),
        ],
        suspended: None,
        awaiting: None,
        never_promoted: false,
        notices: Vec::new(),
    }
}

fn hold(reason: &'static str, class: HoldClass, message: &str) -> HoldStatus {
    HoldStatus {
        reason,
        class,
        message: message.to_owned(),
        since: Some("2026-05-04T08:48:00Z".parse().unwrap()),
    }
}

fn blocked(one: &mut ApplicationStatus) {
    let failed = version(&one.service, 2);
    one.wanted = Some(failed.clone());
    one.blocked = Some(failed);
    one.sync = SyncStatus::OutOfSync;
    one.health = HealthStatus::Degraded;
    one.holds = vec![
        hold(
            "Blocked",
            HoldClass::Fault,
            "this version failed and is not tried again: pod payments-api-6d5f7c9b4-x2x7q, container api, CrashLoopBackOff, \
             exit code 1: \"panic: cannot reach ledger-db:5432\"; commit a fix, or run `moorline unblock`",
        ),
        hold(
            "PruneGuard",
            HoldClass::Fault,
            "a PersistentVolumeClaim is never pruned unasked: PersistentVolumeClaim payments-prod/payments-api-cache; \
             `moorline confirm prod payments-api sha256:2d1fe0c1b6` deletes them",
        ),
    ];
    let name = one.service.clone();
    one.resources = vec![
        object("ServiceAccount", "", &name, HealthStatus::Healthy, ""),
        object("ConfigMap", "", &name, HealthStatus::Healthy, ""),
        object("Service", "", &name, HealthStatus::Healthy, ""),
        object(
            "Deployment",
            "apps",
            &name,
            HealthStatus::Degraded,
            "1 of 3 replicas is ready; pod payments-api-6d5f7c9b4-x2x7q: container api crashed 7 times",
        ),
        object("HorizontalPodAutoscaler", "autoscaling", &name, HealthStatus::Healthy, ""),
        object(
            "Ingress",
            "networking.k8s.io",
            &name,
            HealthStatus::Progressing,
            "differs from what was applied",
        ),
    ];
    one.resources[5].sync = SyncStatus::OutOfSync;
    one.resources[3].extras = vec![
        ExtraField {
            field: "/spec/replicas".to_owned(),
            manager: "horizontal-pod-autoscaler".to_owned(),
            time: Some("2026-05-04T07:20:11Z".to_owned()),
        },
        ExtraField {
            field: "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt".to_owned(),
            manager: "kubectl-rollout".to_owned(),
            time: Some("2026-05-03T16:02:40Z".to_owned()),
        },
    ];
}

fn board() -> Board {
    let environments = ["dev", "rc", "sandbox", "prod"];
    let services = [
        "basket",
        "catalogue",
        "customer-notifications",
        "gateway",
        "ledger",
        "orders",
        "payments-api",
        "payments-worker",
        "redis",
        "search",
        "web",
    ];
    let mut applications = Vec::new();
    for environment in environments {
        for service in services {
            if (environment, service) != ("rc", "redis") && (environment, service) != ("dev", "ledger") {
                applications.push(application(environment, service));
            }
        }
    }
    for one in &mut applications {
        match (one.environment.as_str(), one.service.as_str()) {
            (_, "redis") => {
                for version in [&mut one.wanted, &mut one.deployed].into_iter().flatten() {
                    version.commit = None;
                    version.chart = Some("redis-19.6.4".to_owned());
                }
            }
            ("prod", "payments-api") => blocked(one),
            ("dev", "web") => {
                one.wanted = Some(version("web", 2));
                one.sync = SyncStatus::OutOfSync;
                one.health = HealthStatus::Progressing;
            }
            ("sandbox", "search") => {
                one.holds = vec![hold(
                    "ApiUnavailable",
                    HoldClass::Waiting,
                    "the cluster does not answer: timed out",
                )];
                one.health = HealthStatus::Unknown;
                one.sync = SyncStatus::Unknown;
            }
            ("prod", "catalogue") => {
                one.suspended = Some(Suspension {
                    reason: "stock-taking until Monday".to_owned(),
                    until: Some("2026-05-11T06:00:00Z".parse().unwrap()),
                    actor: Some("mia".to_owned()),
                });
                one.wanted = Some(version("catalogue", 2));
                one.sync = SyncStatus::OutOfSync;
            }
            ("prod", "basket") => {
                one.deployed = None;
                one.wanted = None;
                one.never_promoted = true;
                one.resources.clear();
                one.sync = SyncStatus::Unknown;
                one.health = HealthStatus::Missing;
            }
            ("rc", "orders") => {
                one.resources[1].extras = vec![ExtraField {
                    field: "/spec/replicas".to_owned(),
                    manager: "kubectl-scale".to_owned(),
                    time: None,
                }];
            }
            _ => {}
        }
    }
    Board {
        instance: "shop".to_owned(),
        config: Some("4be1c0d2a7f95e836b0cd1e4f2a8b7c6d5e4f302".to_owned()),
        environments: environments.map(str::to_owned).to_vec(),
        applications,
        ready: true,
        time: Some("2026-05-04T09:00:12Z".parse().unwrap()),
    }
}

struct Browser {
    profile: tempfile::TempDir,
    program: PathBuf,
}

impl Browser {
    fn new() -> Self {
        Self { profile: tempfile::tempdir().unwrap(), program: parts::program("MOORLINE_CHROMIUM") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let mut command = Command::new(&self.program);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--hide-scrollbars", "--enable-logging=stderr", &profile])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The page once it is loaded, and what the browser complained of.
    async fn dump(&self, address: &str) -> (String, String) {
        let output = self.command(&["--dump-dom", address]).output();
        let output = tokio::time::timeout(Duration::from_mins(1), output).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    async fn picture(&self, address: &str, file: &Path, size: &str, dark: bool) {
        let file = format!("--screenshot={}", file.display());
        let size = format!("--window-size={size}");
        let mut arguments = vec![file.as_str(), size.as_str()];
        if dark {
            arguments.push("--blink-settings=preferredColorScheme=0");
        }
        arguments.push(address);
        let output = self.command(&arguments).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

struct Served {
    address: SocketAddr,
    boards: watch::Sender<Arc<Board>>,
    stop: oneshot::Sender<()>,
}

async fn serve(board: Board) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (boards, receiver) = watch::channel(Arc::new(board));
    let (stop, stopped) = oneshot::channel::<()>();
    let metrics = Arc::new(Metrics::new().unwrap());
    tokio::spawn(server::serve(listener, receiver, metrics, async {
        let _ = stopped.await;
    }));
    Served { address, boards, stop }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real parts: tests/run"]
async fn pages_are_drawn_and_nothing_is_refused_by_their_own_policy() {
    let served = serve(board()).await;
    let address = format!("http://{}", served.address);
    let browser = Browser::new();
    for (path, parts) in [
        ("/", ["customer-notifications", "never promoted", "redis-19.6.4"]),
        ("/applications/prod/payments-api", ["CrashLoopBackOff", "2 fields set by others", "PruneGuard"]),
        ("/?only=problems", ["payments-api", "ApiUnavailable", "Progressing"]),
    ] {
        let (page, complaints) = browser.dump(&format!("{address}{path}")).await;
        for part in parts {
            assert!(page.contains(part), "{path} lacks {part}: {page}");
        }
        let refused = complaints
            .lines()
            .find(|line| line.contains("Content Security Policy") || line.contains("CONSOLE"));
        assert_eq!(refused, None, "{path}");
    }
    if let Some(folder) = std::env::var_os("MOORLINE_SCREENSHOTS") {
        pictures(&browser, &address, Path::new(&folder)).await;
    }
}

async fn pictures(browser: &Browser, address: &str, folder: &Path) {
    for (name, path) in
        [("matrix", "/"), ("application", "/applications/prod/payments-api"), ("missing", "/nothing")]
    {
        for (look, size, dark) in
            [("light", "1280,900", false), ("dark", "1280,900", true), ("phone", "500,1400", false)]
        {
            let file = folder.join(format!("{name}-{look}.png"));
            browser.picture(&format!("{address}{path}"), &file, size, dark).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real parts: tests/run"]
async fn an_open_page_follows_the_board() {
    let served = serve(board()).await;
    let mut page = OpenPage::new(&format!("http://{}/", served.address)).await;
    let unseen = page.evaluate("document.body.innerText.includes('KindUnknown')").await;
    assert_eq!(unseen, json!(false));
    let mut changed = board();
    changed.applications[0].holds =
        vec![hold("KindUnknown", HoldClass::Fault, "written after the page was opened")];
    served.boards.send_replace(Arc::new(changed));
    let seen = page
        .evaluate(
            "new Promise(done => {
                const look = () => document.body.innerText.includes('KindUnknown') && done(true);
                new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
                look();
            })",
        )
        .await;
    assert_eq!(seen, json!(true));
    drop(served.stop);
}

/// A page in a browser that stays open, spoken to over the browser's debugging pipe.
struct OpenPage {
    _profile: Browser,
    _child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    count: u64,
}

impl OpenPage {
    async fn new(address: &str) -> Self {
        let browser = Browser::new();
        let plain = browser.command(&["--remote-debugging-pipe"]);
        // The browser reads commands from descriptor 3 and answers on 4.
        let mut child = Command::new("bash")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "bash"])
            .arg(plain.as_std().get_program())
            .args(plain.as_std().get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut page = Self {
            _profile: browser,
            _child: child,
            to,
            from: BufReader::new(from),
            session: None,
            count: 0,
        };
        let target = page.call("Target.createTarget", json!({"url": address})).await["targetId"].take();
        let attached = page.call("Target.attachToTarget", json!({"targetId": target, "flatten": true})).await;
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        page.call("Page.enable", json!({})).await;
        while page.loaded().await.is_none_or(|state| state != "complete") {}
        page
    }

    async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = tokio::time::timeout(Duration::from_mins(1), self.call("Runtime.evaluate", parameters));
        let answer = answer.await.unwrap_or_else(|_| panic!("no answer to {expression}"));
        answer.pointer("/result/value").unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// How far the page is; nothing while the browser has none yet.
    async fn loaded(&mut self) -> Option<Value> {
        let parameters = json!({"expression": "location.href === 'about:blank' ? '' : document.readyState"});
        let mut answer = self.answer("Runtime.evaluate", parameters).await;
        answer.pointer_mut("/result/result/value").map(Value::take)
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        let mut answer = self.answer(method, parameters).await;
        assert_eq!(answer["error"], Value::Null, "{method}");
        answer["result"].take()
    }

    async fn answer(&mut self, method: &str, parameters: Value) -> Value {
        self.count += 1;
        let mut message = json!({"id": self.count, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).await.unwrap();
        loop {
            let mut bytes = Vec::new();
            let length = self.from.read_until(0, &mut bytes).await.unwrap();
            assert!(length > 0, "the browser ended");
            let answer: Value = serde_json::from_slice(&bytes[..length - 1]).unwrap();
            if answer["id"] == self.count {
                return answer;
            }
        }
    }
}
