//! What may never happen, checked at every write that the daemon makes.

use std::collections::BTreeMap;

use moorline::model::inventory::Head;
use serde_json::Value;

use super::files::Config;

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
    /// Every commit, oldest first.
    pub(crate) commits: Vec<Commit>,
    /// What went wrong.
    pub(crate) violations: Vec<String>,
    /// Annotations that somebody set, by object, with the uid of the object at that time.
    pub(crate) notes: BTreeMap<String, String>,
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
}

impl Book {
    fn violation(&mut self, text: String) {
        self.violations.push(text);
    }

    /// The value of a service at a commit.
    fn value_at(&self, commit: &str, service: &str) -> Option<u32> {
        let commit = self.commits.iter().find(|one| one.id == commit)?;
        commit.config.services.get(service).map(|service| service.value)
    }

    /// Judges one write.
    pub(crate) fn judge(&mut self, write: &Write<'_>) {
        self.writes.push(format!("{} {}", write.method, write.path));
        let object = write.after.or(write.before);
        let name =
            object.and_then(|object| object.pointer("/metadata/name")).and_then(Value::as_str).unwrap_or("");
        if name.starts_with("foreign") {
            self.violation(format!("{} {}: a foreign object was touched", write.method, write.path));
        }
        let Some((environment, service)) = object.and_then(application_of) else { return };
        if write.method == "DELETE" {
            self.judge_delete(write, &environment, &service, name);
        } else if let Some(value) = write.after.and_then(value_of) {
            self.judge_apply(write, &service, value);
        }
    }

    /// A blocked version is never applied, unless it is what is deployed.
    fn judge_apply(&mut self, write: &Write<'_>, service: &str, value: u32) {
        let Some(head) = write.head else { return };
        let Some(blocked) = &head.blocked else { return };
        let at =
            |version: &moorline::model::facts::Version| self.value_at(&version.config.to_string(), service);
        let deployed = head.deployed.as_ref().and_then(at);
        let before = write.before.and_then(value_of);
        // The same value with other extras is another version.
        let of = |commit: &Commit| commit.config.services.get(service).cloned();
        let versions: Vec<_> = self.commits.iter().filter_map(of).filter(|one| one.value == value).collect();
        let one_version = versions.windows(2).all(|pair| pair[0] == pair[1]);
        let blocked = at(&blocked.version) == Some(value) && one_version;
        if blocked && deployed != Some(value) && before != Some(value) {
            self.violation(format!("{} {}: value {value} is blocked", write.method, write.path));
        }
    }

    /// Only what some sound commit did not ask for, or what no version that became healthy had.
    fn judge_delete(&mut self, write: &Write<'_>, environment: &str, service: &str, name: &str) {
        let left = self
            .commits
            .iter()
            .any(|commit| !commit.config.empty && !commit.config.names(environment, service, name));
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
