//! Daemon sets: a pod on the one node.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::bootstrap::NODE;
use super::super::object::{Fields, controlled_by};
use super::super::selector::LabelSelector;
use super::super::store::{Place, Store};
use super::actions::{
    Notice, availability, change_status, create, delete, is_active, is_true, place as place_of, pod_from, say,
};
use super::{Pace, revision};

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let set = store.at(place)?.clone();
    if set.is_terminating() {
        return None;
    }
    let update = revision::current(store, &set, now)?;
    let label = revision::pod_label(&set, &update);
    let wanted = wants_node(store, &set);
    let pods: Vec<Arc<Value>> = store.controlled(set.uid(), "pods").cloned().collect();
    let active: Vec<&Arc<Value>> = pods.iter().filter(|pod| is_active(pod)).collect();
    for pod in pods.iter().filter(|pod| pod.text("/status/phase") == "Failed" && !pod.is_terminating()) {
        delete(store, &place_of("pods", pod), None, now);
    }
    let rolls = set.text("/spec/updateStrategy/type") != "OnDelete";
    if !wanted {
        active.iter().for_each(|pod| remove(store, &set, pod, now));
    } else if pods.is_empty() {
        start(store, &set, &label, now);
    } else {
        let surplus = active.iter().skip(1);
        let old = active
            .iter()
            .take(1)
            .filter(|pod| rolls && pod.text("/metadata/labels/controller-revision-hash") != label);
        surplus.chain(old).for_each(|pod| remove(store, &set, pod, now));
    }
    let due = report(store, place, &set, wanted, &label, now);
    revision::forget(store, &set, &[&update], now);
    due
}

fn wants_node(store: &Store, set: &Value) -> bool {
    let Some(node) = store.get("nodes", "", NODE) else { return false };
    set.map("/spec/template/spec/nodeSelector")
        .is_none_or(|labels| LabelSelector::of_labels(labels).matches(node))
}

fn remove(store: &mut Store, set: &Value, pod: &Value, now: Timestamp) {
    delete(store, &place_of("pods", pod), None, now);
    let message = format!("Deleted pod: {}", pod.name());
    let by = "daemonset-controller";
    say(store, set, Notice { kind: "Normal", reason: "SuccessfulDelete", message: &message, by }, now);
}

fn start(store: &mut Store, set: &Value, label: &str, now: Timestamp) {
    let mut pod = pod_from(set.pointer("/spec/template").unwrap_or(&Value::Null));
    pod.put("/metadata/generateName", json!(format!("{}-", set.name())));
    pod.put("/metadata/ownerReferences", json!([controlled_by(set, "apps/v1", "DaemonSet")]));
    pod.put("/metadata/labels/controller-revision-hash", json!(label));
    let generation = set.annotation("deprecated.daemonset.template.generation").unwrap_or("1");
    pod.put("/metadata/labels/pod-template-generation", json!(generation));
    let by = "daemonset-controller";
    match create(store, "pods", set.namespace(), pod, now) {
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
            say(store, set, Notice { kind: "Warning", reason: "FailedCreate", message: &message, by }, now);
        }
    }
}

fn report(
    store: &mut Store,
    place: &Place,
    set: &Value,
    wanted: bool,
    label: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let seconds = set.number("/spec/minReadySeconds").unwrap_or_default();
    let desired = i64::from(wanted);
    let pods: Vec<Arc<Value>> = store.controlled(set.uid(), "pods").cloned().collect();
    let pod = pods.iter().find(|pod| is_active(pod));
    let ready = pod.is_some_and(|pod| is_true(pod, "Ready"));
    let (available, due) = match pod.map(|pod| availability(pod, seconds, now)) {
        Some(Ok(available)) => (available, None),
        Some(Err(due)) => (false, Some(due)),
        None => (false, None),
    };
    let updated = pod.is_some_and(|pod| pod.text("/metadata/labels/controller-revision-hash") == label);
    let generation = set.number("/metadata/generation").unwrap_or(1);
    change_status(store, place, now, |set| {
        let mut status = json!({"currentNumberScheduled": i64::from(pod.is_some()), "numberMisscheduled": 0,
            "desiredNumberScheduled": desired, "numberReady": i64::from(ready), "observedGeneration": generation});
        let counts = [
            ("updatedNumberScheduled", i64::from(updated)),
            ("numberAvailable", i64::from(available)),
            ("numberUnavailable", desired - i64::from(available)),
        ];
        for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            status.put(&format!("/{field}"), json!(count));
        }
        set.put("/status", status);
    });
    due
}
