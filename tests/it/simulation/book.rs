//! What may never happen, checked at every write that the daemon makes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moorline::model::inventory::Head;
use moorline::model::source::CommitSha;
use serde_json::Value;

use super::files::{CODED, Config, Service};
use moorline::model::facts::Version;

/// A commit of the config repository.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// Its id.
    pub(crate) id: String,
    /// Its files.
    pub(crate) config: Config,
}

/// What is known of the world, to judge by.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Every commit of the config repository, oldest first.
    pub(crate) commits: Vec<Commit>,
    /// Every commit of the code repository with what it holds, oldest first.
    pub(crate) code: Vec<(CommitSha, Service)>,
    /// What went wrong.
    pub(crate) violations: Vec<String>,
    /// Annotations that somebody set, by object, with the uid of the object at that time.
    pub(crate) notes: BTreeMap<String, String>,
    /// Objects of strangers.
    pub(crate) strangers: Vec<String>,
    /// When somebody last had a hand in an application.
    pub(crate) meddled: BTreeMap<(String, String), Timestamp>,
    /// The highest rollout that a head of an application ever had.
    pub(crate) rollouts: BTreeMap<(String, String), u64>,
    /// How many calls were upkeep: of the lease, and probes.
    pub(crate) upkeep: u64,
    /// The writes that the daemons made.
    pub(crate) writes: Vec<String>,
}

/// One write of a daemon that was carried out.
#[derive(Debug)]
pub(crate) struct Write<'a> {
    /// `PATCH`, `DELETE`, …
    pub(crate) method: &'a str,
    /// The path.
    pub(crate) path: &'a str,
    /// The object before.
    pub(crate) before: Option<&'a Value>,
    /// The object after.
    pub(crate) after: Option<&'a Value>,
    /// The head of its application at this moment.
    pub(crate) head: Option<&'a Head>,
    /// The Deployment of its application at this moment.
    pub(crate) workload: Option<&'a Value>,
    /// The time.
    pub(crate) now: Timestamp,
}

impl Book {
    fn violation(&mut self, text: String) {
        self.violations.push(text);
    }

    /// What a commit of the code repository holds.
    pub(crate) fn coded(&self, commit: CommitSha) -> Option<&Service> {
        self.code.iter().find(|(id, _)| *id == commit).map(|(_, service)| service)
    }

    /// The value of a service at a version.
    pub(crate) fn value_at(&self, version: &Version, service: &str) -> Option<u32> {
        if service == CODED {
            return self.coded(version.commit?).map(|service| service.value);
        }
        let commit = self.commits.iter().find(|one| one.id == version.config.to_string())?;
        commit.config.services.get(service).map(|service| service.value)
    }

    /// What a service ever was, oldest first.
    fn history<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Service> {
        let code = self.code.iter().filter(move |_| service == CODED).map(|(_, service)| service);
        code.chain(self.commits.iter().filter_map(move |commit| commit.config.services.get(service)))
    }

    /// Judges one write.
    pub(crate) fn judge(&mut self, write: &Write<'_>) {
        self.writes.push(format!("{} {}", write.method, write.path));
        let object = write.after.or(write.before);
        let name =
            object.and_then(|object| object.pointer("/metadata/name")).and_then(Value::as_str).unwrap_or("");
        if name.starts_with("stranger") {
            self.violation(format!("{} {}: a stranger's object was touched", write.method, write.path));
        }
        if let Some((environment, service)) = name.strip_prefix("sim.").and_then(|name| name.split_once('.'))
            && let Some(after) = write.after.and_then(head_of)
        {
            self.judge_head(write, (environment, service), &after);
        }
        let Some((environment, service)) = object.and_then(application_of) else { return };
        if write.method == "DELETE" {
            self.judge_delete(write, &environment, &service, name);
        } else if let Some(value) = write.after.and_then(value_of) {
            self.judge_apply(write, &environment, &service, value);
        }
    }

    /// What a rollout made the deployed version is what runs, and healthy.
    fn judge_head(&mut self, write: &Write<'_>, application: (&str, &str), after: &Head) {
        let key = (application.0.to_owned(), application.1.to_owned());
        let reached = self.rollouts.entry(key.clone()).or_default();
        let is_new = after.rollout > *reached;
        *reached = after.rollout.max(*reached);
        let before = write.before.and_then(head_of);
        let Some(deployed) = after.deployed.as_ref().filter(|_| is_new && !after.rebuilt) else { return };
        if before.and_then(|head| head.deployed).is_some_and(|before| before.digest == deployed.digest) {
            return;
        }
        let since = self.meddled.get(&key).map(|at| write.now.duration_since(*at));
        if since.is_some_and(|since| since.as_secs() < 5) {
            return;
        }
        let value = self.value_at(deployed, application.1);
        let runs = write.workload.and_then(value_of);
        if value != runs || !write.workload.is_some_and(is_ready) {
            self.violation(format!(
                "{}: value {value:?} was called deployed while {runs:?} was there, {}",
                write.path,
                write.workload.and_then(|workload| workload.get("status")).unwrap_or(&Value::Null)
            ));
        }
    }

    /// A record is written when its rollout is over, not before.
    pub(crate) fn judge_records(&mut self, operations: &[String]) {
        for operation in operations {
            let parts: Vec<&str> = operation.split('/').collect();
            let [_, application, rollout] = parts.as_slice() else { continue };
            let Some((environment, service)) = application.split_once('.') else { continue };
            let key = (environment.to_owned(), service.to_owned());
            let reached = self.rollouts.get(&key).copied().unwrap_or(0);
            if rollout.parse().is_ok_and(|rollout: u64| rollout > reached) {
                self.violation(format!("{operation} is recorded, and the head is at {reached}"));
            }
        }
    }

    /// A blocked version is never applied, unless it is what is deployed.
    fn judge_apply(&mut self, write: &Write<'_>, environment: &str, service: &str, value: u32) {
        if (environment, service) == ("prod", CODED) && !self.was_pinned(value) {
            self.violation(format!("{} {}: value {value} was never promoted", write.method, write.path));
        }
        let Some(head) = write.head else { return };
        let Some(blocked) = &head.blocked else { return };
        let at = |version: &Version| self.value_at(version, service);
        let deployed = head.deployed.as_ref().and_then(at);
        let before = write.before.and_then(value_of);
        // The same value with other extras is another version.
        let versions: Vec<&Service> = self.history(service).filter(|one| one.value == value).collect();
        let one_version = versions.windows(2).all(|pair| pair[0] == pair[1]);
        let blocked = at(&blocked.version) == Some(value) && one_version;
        if blocked && deployed != Some(value) && before != Some(value) {
            self.violation(format!("{} {}: value {value} is blocked", write.method, write.path));
        }
    }

    /// Whether prod was ever pinned to that value.
    fn was_pinned(&self, value: u32) -> bool {
        let pins = self.commits.iter().filter_map(|commit| commit.config.pin);
        pins.filter_map(|pin| self.coded(pin)).any(|service| service.value == value)
    }

    /// Only what some sound commit did not ask for, or what no version that became healthy had.
    fn judge_delete(&mut self, write: &Write<'_>, environment: &str, service: &str, name: &str) {
        let sound = || self.commits.iter().filter(|commit| !commit.config.empty);
        let left = sound().any(|commit| !commit.config.has(environment, service))
            || self.history(service).any(|one| !one.names(service, name));
        let deployed = write.head.is_some_and(|head| {
            head.deployed.is_some()
                && head
                    .objects
                    .keys()
                    .any(|id| &*id.name == name && write.path.contains(&plural(&id.kind.kind)))
        });
        if !left && (deployed || write.head.is_none()) {
            self.violation(format!("{}: deleted, though every commit asks for it", write.path));
        }
    }
}

/// The head in a ConfigMap.
pub(crate) fn head_of(object: &Value) -> Option<Head> {
    serde_json::from_str(object.pointer("/data/head")?.as_str()?).ok()
}

/// Whether a Deployment is rolled out by its own words.
fn is_ready(workload: &Value) -> bool {
    let number = |at: &str| workload.pointer(at).and_then(Value::as_i64).unwrap_or(0);
    let wanted = number("/spec/replicas");
    number("/status/observedGeneration") == number("/metadata/generation")
        && ["updatedReplicas", "replicas", "readyReplicas"]
            .iter()
            .all(|count| number(&format!("/status/{count}")) == wanted)
}

fn plural(kind: &str) -> String {
    format!("/{}s/", kind.to_lowercase())
}

/// The application on the label.
pub(crate) fn application_of(object: &Value) -> Option<(String, String)> {
    let label = object.pointer("/metadata/labels/moorline.dev~1application")?.as_str()?;
    let role = object.pointer("/metadata/labels/moorline.dev~1role");
    let (environment, service) = label.split_once('.').filter(|_| role.is_none())?;
    Some((environment.to_owned(), service.to_owned()))
}

/// The number in a ConfigMap or an image that says which version it is of.
pub(crate) fn value_of(object: &Value) -> Option<u32> {
    let name = object.pointer("/metadata/name")?.as_str()?;
    if name.contains("extra") {
        return None;
    }
    if let Some(value) = object.pointer("/data/value").and_then(Value::as_str) {
        return value.parse().ok();
    }
    let image = object.pointer("/spec/template/spec/containers/0/image")?.as_str()?;
    image.rsplit([':', '-']).next()?.parse().ok()
}
