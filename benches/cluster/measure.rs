//! What is measured from outside: requests from the API server's audit log, CPU and memory from `/proc`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::parts::control_plane::ControlPlane;

/// The API server's audit log from some moment on.
pub(crate) struct Audit {
    path: PathBuf,
    start: u64,
    time: Timestamp,
}

/// One finished request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) uri: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) code: i64,
    pub(crate) mutates: bool,
    pub(crate) done: Timestamp,
}

impl Request {
    /// Whether it is a server-side apply of an object of the fleet.
    pub(crate) fn is_apply_to(&self, fleet: &str) -> bool {
        self.mutates && self.verb == "patch" && self.namespace.starts_with(&format!("{fleet}-e"))
    }

    pub(crate) fn since_start(&self, audit: &Audit) -> Duration {
        self.since(audit.time)
    }

    pub(crate) fn since(&self, time: Timestamp) -> Duration {
        Duration::try_from(self.done.duration_since(time)).unwrap_or_default()
    }
}

impl Audit {
    /// From now on.
    pub(crate) fn of(plane: &ControlPlane) -> Self {
        let path = plane.kubeconfig().with_file_name("audit.log");
        let start = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Self { path, start, time: Timestamp::now() }
    }

    fn text(&self) -> String {
        let mut file = std::fs::File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.start)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text
    }

    /// Requests of programs whose user agent begins so.
    pub(crate) fn requests(&self, agent: &str) -> Vec<Request> {
        let marker = format!("\"userAgent\":\"{agent}");
        self.text().lines().filter(|line| line.contains(&marker)).filter_map(request).collect()
    }

    /// Waits until nothing but leases and health checks was written for two seconds.
    pub(crate) fn settle(mut self) {
        let end = Instant::now() + Duration::from_secs(90);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_secs(2));
            let text = self.text();
            self.start += text.len() as u64;
            let moving = text.lines().filter_map(request).filter(|one| one.mutates).count();
            if moving < 5 {
                return;
            }
        }
    }

    /// Waits for a write of an agent, and then a moment for its fellows.
    pub(crate) fn until_write(&self, agent: &str, limit: Duration) -> Vec<Request> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if last_apply(&self.requests(agent)).is_some() {
                std::thread::sleep(Duration::from_millis(500));
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.requests(agent)
    }
}

fn request(line: &str) -> Option<Request> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verb = text(&event["verb"]);
    let stage = if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    let uri = text(&event["requestURI"]);
    let reads = matches!(verb.as_str(), "get" | "list" | "watch");
    (event["stage"] == stage).then(|| Request {
        mutates: !reads && !uri.contains("dryRun=All"),
        verb,
        resource: text(&event["objectRef"]["resource"]),
        namespace: text(&event["objectRef"]["namespace"]),
        code: event["responseStatus"]["code"].as_i64().unwrap_or_default(),
        done: text(&event["stageTimestamp"]).parse().unwrap(),
        uri,
    })
}

pub(crate) fn first_write(requests: &[Request]) -> Option<&Request> {
    requests.iter().filter(|one| one.mutates).min_by_key(|one| one.done)
}

/// The last apply of an object that is not the inventory's.
pub(crate) fn last_apply(requests: &[Request]) -> Option<&Request> {
    let applies = requests.iter().filter(|one| one.mutates && one.verb == "patch");
    applies.filter(|one| !one.namespace.ends_with("-moorline")).max_by_key(|one| one.done)
}

/// How many requests of each verb.
pub(crate) struct Verbs(BTreeMap<String, usize>);

impl Verbs {
    pub(crate) fn count(requests: &[Request]) -> Self {
        let mut counts = BTreeMap::new();
        for request in requests {
            let own = request.namespace.ends_with("-moorline");
            let verb = match request.verb.as_str() {
                "patch" if request.uri.contains("dryRun=All") => "dry run".to_owned(),
                "patch" if request.uri.contains("fieldManager=moorline&force") => "apply".to_owned(),
                verb if own => format!("{verb} {} of the inventory", request.resource),
                verb if request.resource == "namespaces" => format!("{verb} namespaces"),
                verb => verb.to_owned(),
            };
            *counts.entry(verb).or_default() += 1;
        }
        Self(counts)
    }
}

impl fmt::Display for Verbs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(verb, count)| format!("{count} {verb}")).collect();
        formatter.write_str(&if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
    }
}

/// A child whose use of the machine is watched.
pub(crate) struct Process {
    child: Child,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: u64,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        Self { child: command.spawn().unwrap() }
    }

    /// Waits for its end. The peak is that of a look 20 ms before the end at the latest.
    pub(crate) fn end(mut self) -> Ended {
        let before = waited_for();
        let mut peak_kib = 0;
        let status = loop {
            peak_kib = peak_kib.max(self.status_kib("VmHWM:"));
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Ended { code: status.code().unwrap_or(-1), cpu: waited_for().saturating_sub(before), peak_kib }
    }

    fn status_kib(&self, field: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    pub(crate) fn cpu(&self) -> Duration {
        times(&format!("/proc/{}/stat", self.child.id()), 13)
    }

    /// SIGTERM, and its end.
    pub(crate) fn end_by_signal(self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        self.end();
    }
}

/// CPU time of children that were waited for.
fn waited_for() -> Duration {
    times("/proc/self/stat", 15)
}

/// Two neighbouring fields of a stat file, in the kernel's unit of a hundredth of a second.
fn times(path: &str, field: usize) -> Duration {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let numbers = rest.split(' ').skip(field - 2).take(2).filter_map(|word| word.parse::<u64>().ok());
    Duration::from_millis(numbers.sum::<u64>() * 10)
}

/// Least squares: slope and intercept.
pub(crate) fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (covariance / variance, y - covariance / variance * x)
}

/// A quantile of sorted values.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = (part * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
