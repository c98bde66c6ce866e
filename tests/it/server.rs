//! The dashboard over a real socket on loopback, from boards made by hand.

use std::sync::Arc;

use expect_test::expect;
use moorline::model::drift::{ExtraField, SyncStatus};
use moorline::model::facts::Version;
use moorline::model::health::HealthStatus;
use moorline::model::hold::HoldClass;
use moorline::model::inventory::Suspension;
use moorline::report::hold::HoldStatus;
use moorline::report::status::{ApplicationStatus, Board, ResourceStatus};
use moorline::server;
use moorline::telemetry::Metrics;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

fn version(commit: char) -> Version {
    Version {
        commit: Some(commit.to_string().repeat(40).parse().unwrap()),
        chart: Some("web-1.2.3".to_owned()),
        image: Some("registry.example.com/web:1".to_owned()),
        images: Vec::new(),
        config: "c".repeat(40).parse().unwrap(),
        digest: moorline::model::digest::Digest::of(&[commit as u8]),
    }
}

fn application(environment: &str, service: &str) -> ApplicationStatus {
    ApplicationStatus {
        environment: environment.to_owned(),
        service: service.to_owned(),
        namespace: format!("shop-{environment}"),
        wanted: Some(version('a')),
        deployed: Some(version('a')),
        previous: None,
        blocked: None,
        sync: SyncStatus::Synced,
        health: HealthStatus::Healthy,
        holds: Vec::new(),
        resources: vec![resource("web")],
        suspended: None,
        awaiting: None,
        never_promoted: false,
        notices: Vec::new(),
    }
}

fn resource(name: &str) -> ResourceStatus {
    ResourceStatus {
        group: "apps".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: "shop-dev".to_owned(),
        name: name.to_owned(),
        sync: SyncStatus::Synced,
        health: HealthStatus::Healthy,
        message: String::new(),
        extras: Vec::new(),
        changes: Vec::new(),
    }
}

fn board() -> Board {
    let blocked = ApplicationStatus {
        wanted: Some(version('b')),
        blocked: Some(version('b')),
        sync: SyncStatus::OutOfSync,
        holds: vec![HoldStatus {
            reason: "Blocked",
            class: HoldClass::Fault,
            message: "this version failed and is not tried again: pod web-1: ImagePullBackOff".to_owned(),
            since: Some("2026-05-04T10:00:00Z".parse().unwrap()),
        }],
        ..application("prod", "web")
    };
    Board {
        instance: "shop".to_owned(),
        config: Some("c".repeat(40)),
        environments: vec!["dev".to_owned(), "prod".to_owned()],
        applications: vec![application("dev", "queue"), application("dev", "web"), blocked],
        ready: true,
        time: Some("2026-05-04T10:12:00Z".parse().unwrap()),
    }
}

/// A server on a free port, and the sender of its boards.
struct Served {
    port: u16,
    boards: watch::Sender<Arc<Board>>,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn serve(board: Board) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (boards, receiver) = watch::channel(Arc::new(board));
    let (stop, stopped) = oneshot::channel::<()>();
    let metrics = Arc::new(Metrics::new().unwrap());
    let ended = tokio::spawn(server::serve(listener, receiver, metrics, async {
        let _ = stopped.await;
    }));
    Served { port, boards, stop: Some(stop), ended }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Served {
    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "localhost").await
    }

    async fn send(&self, method: &str, path: &str, host: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        });
        Answer { status, headers: headers.collect(), body: body.to_owned() }
    }
}

#[tokio::test]
async fn the_matrix_shows_services_by_environment() {
    let served = serve(board()).await;
    let page = served.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let cells: Vec<&str> =
        page.body.split("<td").skip(1).map(|cell| cell.split("</td>").next().unwrap()).collect();
    assert_eq!(cells.len(), 4, "2 services × 2 environments: {}", page.body);
    let of = |text: &str| cells.iter().find(|cell| cell.contains(text)).copied().unwrap_or("");
    assert!(of("/applications/dev/web").contains("Synced, Healthy"));
    let held = of("/applications/prod/web");
    for part in ["class=\"bad\"", "aaaaaaaa", "bbbbbbbb", "Blocked · OutOfSync"] {
        assert!(held.contains(part), "{part}: {held}");
    }
    assert_eq!(of("absent").matches("<a ").count(), 0);
}

#[tokio::test]
async fn filters_leave_the_rest_out() {
    let served = serve(board()).await;
    for (query, shown) in [
        ("", vec!["dev/queue", "dev/web", "prod/web"]),
        ("?environment=dev", vec!["dev/queue", "dev/web"]),
        ("?environment=dev&environment=prod&q=WEB", vec!["dev/web", "prod/web"]),
        ("?only=problems", vec!["prod/web"]),
        ("?q=shop-prod", vec!["prod/web"]),
        ("?q=nobody", vec![]),
        ("?environment=nowhere", vec![]),
        ("?%zz=%ff&only=%00", vec!["dev/queue", "dev/web", "prod/web"]),
    ] {
        let page = served.get(&format!("/{query}")).await;
        let links: Vec<&str> = page
            .body
            .split("href=\"/applications/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        let mut sorted = links.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, shown, "{query}");
        let list = served.get(&format!("/api/v1/applications{query}")).await.json();
        assert_eq!(list.as_array().unwrap().len(), shown.len(), "{query}");
    }
}

#[tokio::test]
async fn an_application_tells_why_it_is_held() {
    let mut board = board();
    let web = &mut board.applications[2];
    web.suspended =
        Some(Suspension { reason: "stock-taking".to_owned(), until: None, actor: Some("mia".to_owned()) });
    web.notices = vec!["post-install hook web-notify is left out".to_owned()];
    web.resources[0].extras = vec![ExtraField {
        field: "/spec/replicas".to_owned(),
        manager: "kubectl-scale".to_owned(),
        time: Some("2026-05-04T09:00:00Z".to_owned()),
    }];
    let served = serve(board).await;
    let page = served.get("/applications/prod/web").await;
    assert_eq!(page.status, 200);
    for part in [
        "needs a person",
        "12 min",
        "pod web-1: ImagePullBackOff",
        "stock-taking",
        "mia",
        "post-install hook web-notify is left out",
        "1 field set by others",
        "kubectl-scale",
        "/applications/dev/web",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
}

#[tokio::test]
async fn the_api_has_the_shapes_of_status() {
    let served = serve(board()).await;
    let one = served.get("/api/v1/applications/prod/web").await.json();
    assert_eq!(served.get("/api/v1/applications").await.json()[2], one);
    assert_eq!(served.get("/api/v1/board").await.json()["applications"][2], one);
    expect![[r#"
        {
          "environment": "prod",
          "service": "web",
          "namespace": "shop-prod",
          "wanted": {
            "commit": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "chart": "web-1.2.3",
            "image": "registry.example.com/web:1",
            "config": "cccccccccccccccccccccccccccccccccccccccc",
            "digest": "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
          },
          "deployed": {
            "commit": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "chart": "web-1.2.3",
            "image": "registry.example.com/web:1",
            "config": "cccccccccccccccccccccccccccccccccccccccc",
            "digest": "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
          },
          "blocked": {
            "commit": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "chart": "web-1.2.3",
            "image": "registry.example.com/web:1",
            "config": "cccccccccccccccccccccccccccccccccccccccc",
            "digest": "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
          },
          "sync": "OutOfSync",
          "health": "Healthy",
          "holds": [
            {
              "reason": "Blocked",
              "class": "fault",
              "message": "this version failed and is not tried again: pod web-1: ImagePullBackOff",
              "since": "2026-05-04T10:00:00Z"
            }
          ],
          "resources": [
            {
              "group": "apps",
              "kind": "Deployment",
              "namespace": "shop-dev",
              "name": "web",
              "sync": "Synced",
              "health": "Healthy",
              "message": "",
              "extras": []
            }
          ],
          "suspended": null,
          "awaiting": null,
          "neverPromoted": false
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&one).unwrap());
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_reader_s_language() {
    let served = serve(board()).await;
    for path in ["/api/v1/applications/dev/nobody", "/api/v1/x", "/api/v1/applications/%ff/x"] {
        let answer = served.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"), "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    for path in
        ["/nothing", "/applications/dev/nobody", "/applications/%ff/x", "/applications/../../etc/passwd"]
    {
        let answer = served.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, "text/html; charset=utf-8"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn only_reading_methods_pass() {
    let served = serve(board()).await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/", "/api/v1/board", "/metrics", "/nothing"] {
            let answer = served.send(method, path, "localhost").await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method} {path}");
        }
    }
    let head = served.send("HEAD", "/", "localhost").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_gets_nothing() {
    let served = serve(board()).await;
    for host in ["evil.example", "localhost.evil.example:80", "10.1.2.3"] {
        for path in ["/", "/api/v1/board", "/metrics", "/healthz"] {
            let answer = served.send("GET", path, host).await;
            assert_eq!(answer.status, 421, "{host} {path}");
            assert!(!answer.body.contains("shop"), "{host} {path}");
        }
    }
    for host in ["localhost:8080", "127.0.0.1", "[::1]:1"] {
        assert_eq!(served.send("GET", "/", host).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn every_answer_is_strict() {
    let served = serve(board()).await;
    for path in
        ["/", "/applications/prod/web", "/api/v1/board", "/nothing", "/metrics", "/style.css", "/live.js"]
    {
        let answer = served.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    }
    let inline = regex::Regex::new(r"(?i)<style|\sstyle=|\son[a-z]+=|javascript:|https?://").unwrap();
    for path in ["/", "/applications/prod/web"] {
        let body = served.get(path).await.body;
        assert!(!inline.is_match(&body), "{path}: {:?}", inline.find(&body));
    }
}

#[tokio::test]
async fn assets_that_pages_name_are_there() {
    let served = serve(board()).await;
    let page = served.get("/").await.body;
    for (kind, start) in [
        ("text/css", "href=\"/style.css?"),
        ("text/javascript", "src=\"/live.js?"),
        ("image/svg", "href=\"/icon.svg?"),
    ] {
        let place = page.find(start).unwrap_or_else(|| panic!("{start}: {page}"));
        let address = page[place..].split('"').nth(1).unwrap();
        let asset = served.get(address).await;
        assert_eq!(asset.status, 200);
        assert!(asset.header("content-type").starts_with(kind), "{address}");
        assert!(asset.header("cache-control").contains("immutable"), "{address}");
    }
}

#[tokio::test]
async fn probes_follow_the_board() {
    let served = serve(Board::default()).await;
    assert_eq!(served.get("/healthz").await.status, 200);
    let unready = served.get("/readyz").await;
    assert_eq!((unready.status, unready.body.trim()), (503, "the config repository has not been read yet"));
    assert!(served.get("/").await.body.contains("Getting ready"));
    served.boards.send_replace(Arc::new(Board { ready: false, ..board() }));
    let unready = served.get("/readyz").await;
    assert!(unready.status == 503 && unready.body.starts_with("not every application"), "{}", unready.body);
    served.boards.send_replace(Arc::new(board()));
    assert_eq!(served.get("/readyz").await.status, 200);
    let scrape = served.get("/metrics").await;
    assert!(scrape.header("content-type").starts_with("text/plain"));
    let held = "moorline_application_info{environment=\"prod\",health=\"Healthy\",service=\"web\",sync=\"OutOfSync\"} 1";
    assert!(scrape.body.contains(held), "{}", scrape.body);
}

#[tokio::test]
async fn pages_are_told_of_news_and_let_go_at_the_end() {
    let mut served = serve(board()).await;
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    let request = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, "\r\n\r\n").await;
    assert!(seen.contains("text/event-stream"), "{seen}");
    // Another clock alone is no news: the first event is that of the changed config.
    let later = Board { time: None, ..board() };
    served.boards.send_replace(Arc::new(later));
    let changed = Board { config: Some("d".repeat(40)), ..board() };
    served.boards.send_replace(Arc::new(changed));
    read_until(&mut stream, &mut seen, "event: board\ndata: dddd").await;
    served.stop.take().unwrap().send(()).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    served.ended.await.unwrap().unwrap();
}

async fn read_until(stream: &mut TcpStream, seen: &mut String, text: &str) {
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "ended before {text:?}: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

/// A board whose every text is the one given.
fn hostile_board(text: &str) -> Board {
    let mut one = application(text, text);
    text.clone_into(&mut one.namespace);
    one.notices = vec![text.to_owned()];
    one.suspended = Some(Suspension { reason: text.to_owned(), until: None, actor: Some(text.to_owned()) });
    one.holds = vec![HoldStatus {
        reason: "Blocked",
        class: HoldClass::Fault,
        message: text.to_owned(),
        since: Some("2026-05-04T10:00:00Z".parse().unwrap()),
    }];
    for version in [&mut one.wanted, &mut one.deployed] {
        let version = version.as_mut().unwrap();
        version.commit = None;
        version.chart = Some(text.to_owned());
        version.image = Some(text.to_owned());
    }
    let object = &mut one.resources[0];
    for field in
        [&mut object.group, &mut object.kind, &mut object.namespace, &mut object.name, &mut object.message]
    {
        text.clone_into(field);
    }
    object.extras =
        vec![ExtraField { field: text.to_owned(), manager: text.to_owned(), time: Some(text.to_owned()) }];
    Board {
        instance: text.to_owned(),
        config: Some(text.to_owned()),
        environments: vec![text.to_owned()],
        applications: vec![one],
        ready: true,
        time: None,
    }
}

/// Tags and quotes of a page: the skeleton that text must not change.
fn skeleton(page: &str) -> (usize, usize, usize) {
    (page.matches('<').count(), page.matches('>').count(), page.matches('"').count())
}

fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"><img src=x onerror=alert(1)>".to_owned()),
        Just("' onmouseover='x".to_owned()),
        Just("javascript:alert(1)".to_owned()),
        Just("</title></style></textarea>".to_owned()),
        Just("../../%2e%2e/&amp;&#x3c;".to_owned()),
        Just("\u{202e}\u{0}\r\n\t".to_owned()),
        "[ -~]{1,20}",
        "\\PC{1,10}",
    ];
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat().replace('`', "'"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_becomes_markup(text in hostile_text()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let served = serve(hostile_board(&text)).await;
            let plain = serve(hostile_board("plain")).await;
            let segment: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let segment = segment.concat();
            for (hostile, harmless) in [
                ("/".to_owned(), "/".to_owned()),
                (format!("/applications/{segment}/{segment}"), "/applications/plain/plain".to_owned()),
                (format!("/?q={segment}&environment={segment}"), "/?q=plain&environment=plain".to_owned()),
            ] {
                let (page, other) = (served.get(&hostile).await, plain.get(&harmless).await);
                if hostile.contains("?q=") || page.status == 404 {
                    // Long texts are cut and match nothing then; no tag may come of them all the same.
                    assert!(!page.body.contains("<script>") && !page.body.contains("<img src=x"), "{text:?}");
                } else {
                    assert_eq!(skeleton(&page.body), skeleton(&other.body), "{text:?} {hostile}");
                }
            }
            let json = served.get("/api/v1/board").await.json();
            assert_eq!(json["applications"][0]["holds"][0]["message"].as_str(), Some(text.as_str()));
            assert!(served.get("/metrics").await.status == 200);
        });
    }
}
