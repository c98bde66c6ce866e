//! Replica sets and replication controllers: as many pods as are wanted.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::object::{Fields, controlled_by};
use super::super::rest::time;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{
    Notice, availability, change_status, create, delete, is_active, is_true, later, place as place_of,
    pod_from, say,
};

/// How soon a refused creation is tried again.
const RETRY: Duration = Duration::from_secs(5);

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let set = store.at(place)?.clone();
    let short = pods_of(store, &set).len() < wanted(&set);
    let waits = store.refused.get(place).copied().filter(|due| short && *due > now);
    let mut message = super::actions::condition(&set, "ReplicaFailure")
        .filter(|_| waits.is_some())
        .map(|known| known.text("/message").to_owned());
    if !set.is_terminating() && waits.is_none() {
        message = scale(store, &set, now).map(|failure| failure.message);
        match &message {
            Some(_) => drop(store.refused.insert(place.clone(), later(now, RETRY))),
            None => drop(store.refused.remove(place)),
        }
    }
    let due = report(store, place, &set, message.as_deref(), now);
    let retry = store.refused.get(place).copied();
    [due, retry].into_iter().flatten().min()
}

fn pods_of(store: &Store, set: &Value) -> Vec<Arc<Value>> {
    store.controlled(set.uid(), "pods").filter(|pod| is_active(pod)).cloned().collect()
}

fn wanted(set: &Value) -> usize {
    usize::try_from(set.number("/spec/replicas").unwrap_or(1)).unwrap_or_default()
}

fn scale(store: &mut Store, set: &Value, now: Timestamp) -> Option<Failure> {
    let wanted = wanted(set);
    let mut pods = pods_of(store, set);
    let by =
        if set.text("/kind") == "ReplicaSet" { "replicaset-controller" } else { "replication-controller" };
    for _ in pods.len()..wanted {
        match start(store, set, now) {
            Ok(pod) => {
                let message = format!("Created pod: {}", pod.name());
                say(
                    store,
                    set,
                    Notice { kind: "Normal", reason: "SuccessfulCreate", message: &message, by },
                    now,
                );
            }
            Err(failure) => {
                let message = format!("Error creating: {}", failure.message);
                say(
                    store,
                    set,
                    Notice { kind: "Warning", reason: "FailedCreate", message: &message, by },
                    now,
                );
                return Some(failure);
            }
        }
    }
    // Those that are of least use go first: not placed, not ready, the youngest.
    pods.sort_by_key(|pod| {
        let version: u64 = pod.text("/metadata/resourceVersion").parse().unwrap_or_default();
        let created = pod.text("/metadata/creationTimestamp").to_owned();
        (!pod.text("/spec/nodeName").is_empty(), is_true(pod, "Ready"), std::cmp::Reverse(created), version)
    });
    let surplus = pods.len().saturating_sub(wanted);
    for pod in pods.iter().take(surplus) {
        delete(store, &place_of("pods", pod), None, now);
        let message = format!("Deleted pod: {}", pod.name());
        say(store, set, Notice { kind: "Normal", reason: "SuccessfulDelete", message: &message, by }, now);
    }
    None
}

fn start(store: &mut Store, set: &Value, now: Timestamp) -> Result<Arc<Value>, Failure> {
    let mut pod = pod_from(set.pointer("/spec/template").unwrap_or(&Value::Null));
    pod.put("/metadata/generateName", json!(format!("{}-", set.name())));
    let (version, kind) = (set.text("/apiVersion"), set.text("/kind"));
    pod.put("/metadata/ownerReferences", json!([controlled_by(set, version, kind)]));
    create(store, "pods", set.namespace(), pod, now)
}

fn report(
    store: &mut Store,
    place: &Place,
    set: &Value,
    refusal: Option<&str>,
    now: Timestamp,
) -> Option<Timestamp> {
    let pods = pods_of(store, set);
    let terminating =
        store.controlled(set.uid(), "pods").filter(|pod| pod.is_terminating() && !is_ended(pod)).count();
    let seconds = set.number("/spec/minReadySeconds").unwrap_or_default();
    let (mut ready, mut available, mut due) = (0, 0, None);
    for pod in &pods {
        ready += i64::from(is_true(pod, "Ready"));
        match availability(pod, seconds, now) {
            Ok(holds) => available += i64::from(holds),
            Err(later) => due = [due, Some(later)].into_iter().flatten().min(),
        }
    }
    let template = set.map("/spec/template/metadata/labels").cloned().unwrap_or_default();
    let labelled = |pod: &&Arc<Value>| {
        let labels = pod.map("/metadata/labels");
        template.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    };
    let full = pods.iter().filter(labelled).count();
    let since = time(now);
    change_status(store, place, now, |set| {
        let generation = set.number("/metadata/generation").unwrap_or(1);
        let mut status = json!({"replicas": pods.len(), "observedGeneration": generation});
        let counts = [
            ("fullyLabeledReplicas", i64::try_from(full).unwrap_or_default()),
            ("readyReplicas", ready),
            ("availableReplicas", available),
        ];
        for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            status.put(&format!("/{field}"), json!(count));
        }
        if set.text("/kind") == "ReplicaSet" {
            status.put("/terminatingReplicas", json!(terminating));
        }
        if let Some(message) = refusal {
            let known = super::actions::condition(set, "ReplicaFailure");
            let since = known.map_or(since, |known| known.text("/lastTransitionTime").to_owned());
            status.put(
                "/conditions",
                json!([{"type": "ReplicaFailure", "status": "True", "lastTransitionTime": since,
                    "reason": "FailedCreate", "message": message}]),
            );
        }
        set.put("/status", status);
    });
    due
}

fn is_ended(pod: &Value) -> bool {
    matches!(pod.text("/status/phase"), "Succeeded" | "Failed")
}
