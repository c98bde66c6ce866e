//! The status of a deployment: counts, and conditions in the words of the deployment controller.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::super::object::Fields;
use super::super::super::rest::time;
use super::super::super::store::{Place, Store};
use super::super::actions::{change_status, condition, time_of};
use super::{available, desired, parted, surge, wanted};

/// What the replica sets add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
    terminating: i64,
}

/// Writes the status, and says when the deadline of the rollout passes.
pub(super) fn write(
    store: &mut Store,
    place: &Place,
    newest: Option<&str>,
    made: Option<&str>,
    now: Timestamp,
) -> Option<Timestamp> {
    let deployment = store.at(place)?.clone();
    let (new, old) = parted(store, &deployment);
    let mut counts = Counts::default();
    let count = |set: &Value, field: &str| set.number(&format!("/status/{field}")).unwrap_or_default();
    for set in old.iter().chain(&new) {
        counts.replicas += count(set, "replicas");
        counts.ready += count(set, "readyReplicas");
        counts.available += available(set);
        counts.terminating += count(set, "terminatingReplicas");
    }
    counts.updated = new.as_ref().map_or(0, |set| count(set, "replicas"));
    let total: i64 = old.iter().chain(&new).map(|set| wanted(set)).sum();
    let failure = new.as_ref().and_then(|set| condition(set, "ReplicaFailure")).cloned();
    let mut conditions = deployment.items("/status/conditions").to_vec();
    let mut note = Conditions { list: &mut conditions, now };
    if let Some(name) = made {
        note.progress("True", "NewReplicaSetCreated", &format!("Created new replica set \"{name}\""));
    } else if let Some(name) = newest.filter(|_| condition(&deployment, "Progressing").is_none()) {
        note.progress("True", "FoundNewReplicaSet", &format!("Found new replica set \"{name}\""));
    }
    let enough = counts.available >= desired(&deployment) - surge(&deployment).1;
    if enough {
        note.set("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.");
    } else {
        let message = "Deployment does not have minimum availability.";
        note.set("Available", "False", "MinimumReplicasUnavailable", message);
    }
    match &failure {
        Some(failure) => {
            note.set("ReplicaFailure", "True", failure.text("/reason"), failure.text("/message"))
        }
        None => note.list.retain(|one| one.text("/type") != "ReplicaFailure"),
    }
    let due = judge(&deployment, &counts, newest, &mut note);
    let generation = deployment.number("/metadata/generation").unwrap_or(1);
    change_status(store, place, now, |deployment| {
        let mut status = json!({"observedGeneration": generation});
        let unavailable = (total - counts.available).max(0);
        for (field, count) in [
            ("replicas", counts.replicas),
            ("updatedReplicas", counts.updated),
            ("readyReplicas", counts.ready),
            ("availableReplicas", counts.available),
            ("unavailableReplicas", unavailable),
        ] {
            if count > 0 {
                status.put(&format!("/{field}"), json!(count));
            }
        }
        status.put("/terminatingReplicas", json!(counts.terminating));
        status.put("/conditions", Value::Array(conditions));
        deployment.put("/status", status);
    });
    due
}

/// Judges the progress of the rollout: done, moving, or stuck for too long.
fn judge(
    deployment: &Value,
    counts: &Counts,
    newest: Option<&str>,
    note: &mut Conditions<'_>,
) -> Option<Timestamp> {
    let seconds = deployment.number("/spec/progressDeadlineSeconds")?;
    let subject = match newest {
        Some(name) => format!("ReplicaSet \"{name}\""),
        None => format!("Deployment \"{}\"", deployment.name()),
    };
    let wanted = desired(deployment);
    let complete = counts.updated == wanted && counts.replicas == wanted && counts.available == wanted;
    let known = note.find("Progressing");
    let settled = known.as_ref().is_some_and(|known| known.text("/reason") == "NewReplicaSetAvailable");
    if settled && counts.replicas == counts.updated {
        return None;
    }
    let before = |field: &str| deployment.number(&format!("/status/{field}")).unwrap_or_default();
    let old_before = before("replicas") - before("updatedReplicas");
    let moved = counts.updated > before("updatedReplicas")
        || counts.replicas - counts.updated < old_before
        || counts.ready > before("readyReplicas")
        || counts.available > before("availableReplicas");
    if complete {
        let message = format!("{subject} has successfully progressed.");
        note.progress("True", "NewReplicaSetAvailable", &message);
        return None;
    }
    if moved {
        note.progress("True", "ReplicaSetUpdated", &format!("{subject} is progressing."));
    }
    if deployment.holds("/spec/paused") {
        return None;
    }
    let known = note.find("Progressing")?;
    if known.text("/reason") == "ProgressDeadlineExceeded" {
        return None;
    }
    let since = time_of(&known, "/lastUpdateTime")?;
    let due = since.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    if due > note.now {
        return Some(due);
    }
    let message = format!("{subject} has timed out progressing.");
    note.progress("False", "ProgressDeadlineExceeded", &message);
    None
}

struct Conditions<'a> {
    list: &'a mut Vec<Value>,
    now: Timestamp,
}

impl Conditions<'_> {
    fn find(&self, kind: &str) -> Option<Value> {
        self.list.iter().find(|one| one.text("/type") == kind).cloned()
    }

    /// Sets a condition, unless it says so already.
    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let known = self.find(kind);
        if known.as_ref().is_some_and(|known| {
            known.text("/status") == status
                && known.text("/reason") == reason
                && known.text("/message") == message
        }) {
            return;
        }
        self.replace(kind, status, reason, message);
    }

    /// Notes progress, even if it is said in the same words.
    fn progress(&mut self, status: &str, reason: &str, message: &str) {
        self.replace("Progressing", status, reason, message);
    }

    fn replace(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let now = time(self.now);
        let since = self
            .find(kind)
            .filter(|known| known.text("/status") == status)
            .map_or_else(|| now.clone(), |known| known.text("/lastTransitionTime").to_owned());
        self.list.retain(|one| one.text("/type") != kind);
        self.list.push(json!({"type": kind, "status": status, "lastUpdateTime": now,
            "lastTransitionTime": since, "reason": reason, "message": message}));
    }
}
