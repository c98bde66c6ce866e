//! Stateful sets: numbered pods with claims of their own, made and replaced in order.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::{Fields, controlled_by};
use super::super::store::{Place, Store};
use super::actions::{
    Notice, availability, change_status, create, delete, is_true, place as place_of, pod_from, say,
};
use super::{Pace, revision};

const REVISION: &str = "/metadata/labels/controller-revision-hash";
const CLAIMS: &str = "persistentvolumeclaims";

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let set = store.at(place)?.clone();
    if set.is_terminating() {
        return None;
    }
    let update = revision::current(store, &set, now)?;
    let before = match set.text("/status/currentRevision") {
        "" => update.clone(),
        before => before.to_owned(),
    };
    let due = advance(store, &set, &update, &before, now);
    let later = report(store, place, &set, &update, &before, now);
    revision::forget(store, &set, &[&update, &before], now);
    [due, later].into_iter().flatten().min()
}

fn wanted(set: &Value) -> i64 {
    set.number("/spec/replicas").unwrap_or(1)
}

fn first(set: &Value) -> i64 {
    set.number("/spec/ordinals/start").unwrap_or_default()
}

fn pod_name(set: &Value, ordinal: i64) -> String {
    format!("{}-{ordinal}", set.name())
}

fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    pod.name().strip_prefix(set.name())?.strip_prefix('-')?.parse().ok()
}

fn pods_of(store: &Store, set: &Value) -> Vec<(i64, Arc<Value>)> {
    let mut pods: Vec<(i64, Arc<Value>)> = store
        .controlled(set.uid(), "pods")
        .filter_map(|pod| Some((ordinal(set, pod)?, pod.clone())))
        .collect();
    pods.sort_by_key(|(ordinal, _)| *ordinal);
    pods
}

/// One thing at a time, unless the set is told to be parallel.
fn advance(store: &mut Store, set: &Value, update: &str, before: &str, now: Timestamp) -> Option<Timestamp> {
    let parallel = set.text("/spec/podManagementPolicy") == "Parallel";
    let seconds = set.number("/spec/minReadySeconds").unwrap_or_default();
    let (start, end) = (first(set), first(set) + wanted(set));
    let partition = set.number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or_default();
    for ordinal in start..end {
        let pods = pods_of(store, set);
        let found = pods.iter().find(|(number, _)| *number == ordinal).map(|(_, pod)| pod.clone());
        match found {
            None => {
                let old = ordinal < partition && before != update;
                let made = start_pod(store, set, ordinal, if old { before } else { update }, now);
                if !made || !parallel {
                    return None;
                }
            }
            Some(pod) if matches!(pod.text("/status/phase"), "Failed" | "Succeeded") => {
                delete(store, &place_of("pods", &pod), None, now);
                return None;
            }
            Some(pod) if !parallel => match availability(&pod, seconds, now) {
                Ok(true) => {}
                Ok(false) => return replace_broken(store, set, &pod, update, now),
                Err(due) => return Some(due),
            },
            Some(_) => {}
        }
    }
    let pods = pods_of(store, set);
    let surplus = pods.iter().rev().filter(|(number, _)| *number >= end || *number < start);
    for (_, pod) in surplus {
        if !pod.is_terminating() {
            remove(store, set, pod, now);
        }
        if !parallel {
            return None;
        }
    }
    if set.text("/spec/updateStrategy/type") == "OnDelete" {
        return None;
    }
    let label = revision::pod_label(set, update);
    for (number, pod) in pods.iter().rev().filter(|(number, _)| *number >= partition && *number < end) {
        if pod.text(REVISION) != label && !pod.is_terminating() {
            remove(store, set, pod, now);
            return None;
        }
        match availability(pod, seconds, now) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(due) => return Some(due),
        }
        debug_assert!(*number >= start, "surplus pods are gone by now");
    }
    None
}

/// A pod of an old template that never becomes ready would block the new one for ever.
fn replace_broken(
    store: &mut Store,
    set: &Value,
    pod: &Value,
    update: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let old = pod.text(REVISION) != revision::pod_label(set, update);
    let begun = pod.items("/status/containerStatuses").iter().any(|status| {
        let waiting = status.text("/state/waiting/reason");
        ["CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull"].contains(&waiting)
    });
    if set.text("/spec/podManagementPolicy") == "Parallel" && old && begun && !pod.is_terminating() {
        remove(store, set, pod, now);
    }
    None
}

fn remove(store: &mut Store, set: &Value, pod: &Value, now: Timestamp) {
    delete(store, &place_of("pods", pod), None, now);
    let message = format!("Delete Pod {} in StatefulSet {} successful", pod.name(), set.name());
    let by = "statefulset-controller";
    say(store, set, Notice { kind: "Normal", reason: "SuccessfulDelete", message: &message, by }, now);
}

fn start_pod(store: &mut Store, set: &Value, ordinal: i64, wanted: &str, now: Timestamp) -> bool {
    let Some(template) = revision::template(store, set, wanted) else { return false };
    let name = pod_name(set, ordinal);
    let mut pod = pod_from(&template);
    pod.put("/metadata/name", json!(name));
    pod.put("/metadata/ownerReferences", json!([controlled_by(set, "apps/v1", "StatefulSet")]));
    pod.put(REVISION, json!(revision::pod_label(set, wanted)));
    pod.put("/metadata/labels/statefulset.kubernetes.io~1pod-name", json!(name));
    pod.put("/metadata/labels/apps.kubernetes.io~1pod-index", json!(ordinal.to_string()));
    pod.put("/spec/hostname", json!(name));
    if !set.text("/spec/serviceName").is_empty() {
        pod.put("/spec/subdomain", json!(set.text("/spec/serviceName")));
    }
    let mut volumes = pod.items("/spec/volumes").to_vec();
    for template in set.items("/spec/volumeClaimTemplates") {
        let claim = format!("{}-{name}", template.name());
        volumes.retain(|volume| volume.text("/name") != template.name());
        volumes.push(json!({"name": template.name(), "persistentVolumeClaim": {"claimName": claim}}));
        claim_for(store, set, template, &claim, now);
    }
    if !volumes.is_empty() {
        pod.put("/spec/volumes", Value::Array(volumes));
    }
    let by = "statefulset-controller";
    match create(store, "pods", set.namespace(), pod, now) {
        Ok(_) => {
            let message = format!("Create Pod {name} in StatefulSet {} successful", set.name());
            say(
                store,
                set,
                Notice { kind: "Normal", reason: "SuccessfulCreate", message: &message, by },
                now,
            );
            true
        }
        Err(failure) => {
            let message =
                format!("Create Pod {name} in StatefulSet {} failed error: {}", set.name(), failure.message);
            say(store, set, Notice { kind: "Warning", reason: "FailedCreate", message: &message, by }, now);
            false
        }
    }
}

fn claim_for(store: &mut Store, set: &Value, template: &Value, name: &str, now: Timestamp) {
    if store.get(CLAIMS, set.namespace(), name).is_some() {
        return;
    }
    let mut claim = json!({"metadata": {"name": name}, "spec": template.get("spec")});
    let labels = set.pointer("/spec/selector/matchLabels").or_else(|| template.pointer("/metadata/labels"));
    if let Some(labels) = labels {
        claim.put("/metadata/labels", labels.clone());
    }
    if let Some(annotations) = template.pointer("/metadata/annotations") {
        claim.put("/metadata/annotations", annotations.clone());
    }
    if set.text("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == "Delete" {
        claim.put("/metadata/ownerReferences", json!([controlled_by(set, "apps/v1", "StatefulSet")]));
    }
    if create(store, CLAIMS, set.namespace(), claim, now).is_ok() {
        let pod = name.strip_prefix(&format!("{}-", template.name())).unwrap_or(name);
        let message = format!("Create Claim {name} Pod {pod} in StatefulSet {} success", set.name());
        let by = "statefulset-controller";
        say(store, set, Notice { kind: "Normal", reason: "SuccessfulCreate", message: &message, by }, now);
    }
}

fn report(
    store: &mut Store,
    place: &Place,
    set: &Value,
    update: &str,
    before: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let seconds = set.number("/spec/minReadySeconds").unwrap_or_default();
    let (mut ready, mut available, mut current, mut updated, mut due) = (0, 0, 0, 0, None);
    let pods = pods_of(store, set);
    for (_, pod) in &pods {
        let live = !pod.is_terminating();
        ready += i64::from(is_true(pod, "Ready"));
        match availability(pod, seconds, now) {
            Ok(holds) => available += i64::from(holds),
            Err(later) => due = [due, Some(later)].into_iter().flatten().min(),
        }
        let label = pod.text(REVISION);
        current += i64::from(live && label == revision::pod_label(set, before));
        updated += i64::from(live && label == revision::pod_label(set, update));
    }
    // Once all pods are of the new template, that one is the current one.
    let all = i64::try_from(pods.len()).unwrap_or_default();
    let done = updated == wanted(set) && all == wanted(set) && ready == wanted(set);
    let (before, current) = if done { (update, updated) } else { (before, current) };
    let generation = set.number("/metadata/generation").unwrap_or(1);
    change_status(store, place, now, |set| {
        let mut status = json!({"observedGeneration": generation, "replicas": all,
            "availableReplicas": available, "currentRevision": before, "updateRevision": update,
            "collisionCount": 0});
        for (field, count) in
            [("readyReplicas", ready), ("currentReplicas", current), ("updatedReplicas", updated)]
        {
            if count > 0 {
                status.put(&format!("/{field}"), json!(count));
            }
        }
        set.put("/status", status);
    });
    due
}
