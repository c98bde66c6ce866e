//! Deployments: a replica set for each template, and the way from one to the next.

mod report;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::ids::encoded;
use super::super::object::{Fields, controlled_by};
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{
    Notice, change, change_status, create, delete, hash_of, is_active, place as place_of, say,
};

const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";
const SETS: &str = "replicasets.apps";

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let deployment = store.at(place)?.clone();
    if deployment.is_terminating() {
        report::write(store, place, None, None, now);
        return None;
    }
    let paused = deployment.holds("/spec/paused");
    let found = newest(store, &deployment).is_some();
    let made = if found || paused { None } else { begin(store, &deployment, now) };
    if found && !paused {
        note_revision(store, place, &deployment, now);
    }
    let deployment = store.at(place)?.clone();
    if paused {
        rescale(store, &deployment, now);
    } else if deployment.text("/spec/strategy/type") == "Recreate" {
        recreate(store, &deployment, now);
    } else {
        roll(store, &deployment, now);
    }
    if !paused {
        forget(store, &deployment, now);
    }
    let newest = newest(store, &deployment).map(|set| set.name().to_owned());
    report::write(store, place, newest.as_deref(), made.as_deref(), now)
}

fn sets(store: &Store, deployment: &Value) -> Vec<Arc<Value>> {
    store.controlled(deployment.uid(), SETS).cloned().collect()
}

fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or_default()
}

fn desired(deployment: &Value) -> i64 {
    deployment.number("/spec/replicas").unwrap_or(1)
}

fn wanted(set: &Value) -> i64 {
    set.number("/spec/replicas").unwrap_or_default()
}

fn available(set: &Value) -> i64 {
    set.number("/status/availableReplicas").unwrap_or_default()
}

fn revision(object: &Value) -> i64 {
    object.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The replica set of the template as it is now.
fn newest(store: &Store, deployment: &Value) -> Option<Arc<Value>> {
    let template = deployment.pointer("/spec/template")?;
    let same = |set: &Arc<Value>| {
        let mut other = set.pointer("/spec/template").cloned().unwrap_or_default();
        other.take_out(&format!("/metadata/labels/{HASH}"));
        if other.map("/metadata/labels").is_some_and(serde_json::Map::is_empty)
            && template.pointer("/metadata/labels").is_none()
        {
            other.take_out("/metadata/labels");
        }
        other == *template
    };
    sets(store, deployment)
        .into_iter()
        .filter(same)
        .min_by_key(|set| (set.text("/metadata/creationTimestamp").to_owned(), set.name().to_owned()))
}

/// Annotations that go from a deployment to its replica sets.
fn inherited(deployment: &Value) -> Vec<(String, Value)> {
    let own = ["kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MOST];
    let annotations = deployment.map("/metadata/annotations").into_iter().flatten();
    annotations
        .filter(|(key, _)| !own.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn annotate(object: &mut Value, name: &str, value: &str) {
    object
        .put(&format!("/metadata/annotations/{}", name.replace('~', "~0").replace('/', "~1")), json!(value));
}

/// Makes the replica set of a new template.
fn begin(store: &mut Store, deployment: &Value, now: Timestamp) -> Option<String> {
    let mut template = deployment.pointer("/spec/template")?.clone();
    let hash = encoded(hash_of(&template));
    template.put(&format!("/metadata/labels/{HASH}"), json!(hash));
    let latest = sets(store, deployment).iter().map(|set| revision(set)).max().unwrap_or_default();
    let replicas = first_replicas(store, deployment);
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_else(|| json!({}));
    selector.put(&format!("/matchLabels/{HASH}"), json!(hash));
    let labels = template.pointer("/metadata/labels").cloned().unwrap_or_default();
    let mut set = json!({"metadata": {"name": format!("{}-{hash}", deployment.name()), "labels": labels,
            "ownerReferences": [controlled_by(deployment, "apps/v1", "Deployment")]},
        "spec": {"replicas": replicas, "selector": selector, "template": template}});
    if let Some(seconds) = deployment.number("/spec/minReadySeconds").filter(|seconds| *seconds > 0) {
        set.put("/spec/minReadySeconds", json!(seconds));
    }
    for (name, value) in inherited(deployment) {
        annotate(&mut set, &name, value.as_str().unwrap_or_default());
    }
    annotate(&mut set, REVISION, &(latest + 1).to_string());
    annotate(&mut set, DESIRED, &desired(deployment).to_string());
    annotate(&mut set, MOST, &(desired(deployment) + surge(deployment).0).to_string());
    let made = create(store, SETS, deployment.namespace(), set, now).ok()?;
    change_status(store, &place_of("deployments.apps", deployment), now, |deployment| {
        annotate(deployment, REVISION, &(latest + 1).to_string());
    });
    if replicas > 0 {
        say_scaled(store, deployment, made.name(), 0, replicas, now);
    }
    Some(made.name().to_owned())
}

/// With how many pods a new replica set begins.
fn first_replicas(store: &Store, deployment: &Value) -> i64 {
    let old: i64 = sets(store, deployment).iter().map(|set| wanted(set)).sum();
    if deployment.text("/spec/strategy/type") == "Recreate" {
        let runs =
            sets(store, deployment).iter().any(|set| store.controlled(set.uid(), "pods").next().is_some());
        return if old > 0 || runs { 0 } else { desired(deployment) };
    }
    (desired(deployment) + surge(deployment).0 - old).clamp(0, desired(deployment))
}

/// Gives a replica set that is in use again the newest revision.
fn note_revision(store: &mut Store, place: &Place, deployment: &Value, now: Timestamp) {
    let Some(set) = newest(store, deployment) else { return };
    let others = sets(store, deployment);
    let latest = others
        .iter()
        .filter(|other| other.uid() != set.uid())
        .map(|other| revision(other))
        .max()
        .unwrap_or_default();
    let own = revision(&set);
    let wanted = if own > latest { own } else { latest + 1 };
    change(store, &place_of(SETS, &set), now, |set| {
        for (name, value) in inherited(deployment) {
            annotate(set, &name, value.as_str().unwrap_or_default());
        }
        if wanted != own {
            let before = set.annotation(HISTORY).map(|text| format!("{text},")).unwrap_or_default();
            annotate(set, HISTORY, &format!("{before}{own}"));
            annotate(set, REVISION, &wanted.to_string());
        }
    });
    if revision(deployment) != wanted {
        change_status(store, place, now, |deployment| annotate(deployment, REVISION, &wanted.to_string()));
    }
}

/// How many pods more, and how many fewer than wanted, there may be on the way.
fn surge(deployment: &Value) -> (i64, i64) {
    if deployment.text("/spec/strategy/type") == "Recreate" {
        return (0, 0);
    }
    let desired = desired(deployment);
    let share = |field: &str, up: bool| -> i64 {
        let value = deployment.pointer(&format!("/spec/strategy/rollingUpdate/{field}"));
        let percent = value.and_then(Value::as_str).and_then(|text| text.strip_suffix('%'));
        match percent.map(str::parse::<i64>) {
            Some(Ok(percent)) => (percent.saturating_mul(desired) + if up { 99 } else { 0 }) / 100,
            Some(Err(_)) => 0,
            None => value.and_then(Value::as_i64).unwrap_or_default(),
        }
    };
    match (share("maxSurge", true), share("maxUnavailable", false)) {
        (0, 0) => (0, 1),
        (more, fewer) => (more, fewer.min(desired)),
    }
}

fn scale(store: &mut Store, deployment: &Value, set: &Value, replicas: i64, now: Timestamp) {
    let before = wanted(set);
    change(store, &place_of(SETS, set), now, |set| {
        set.put("/spec/replicas", json!(replicas));
        annotate(set, DESIRED, &desired(deployment).to_string());
        annotate(set, MOST, &(desired(deployment) + surge(deployment).0).to_string());
    });
    if before == replicas {
        return;
    }
    say_scaled(store, deployment, set.name(), before, replicas, now);
}

fn say_scaled(store: &mut Store, deployment: &Value, set: &str, before: i64, replicas: i64, now: Timestamp) {
    let direction = if replicas > before { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {set} from {before} to {replicas}");
    let by = "deployment-controller";
    say(
        store,
        deployment,
        Notice { kind: "Normal", reason: "ScalingReplicaSet", message: &message, by },
        now,
    );
}

/// The newest replica set and the others, oldest first.
fn parted(store: &Store, deployment: &Value) -> (Option<Arc<Value>>, Vec<Arc<Value>>) {
    let newest = newest(store, deployment);
    let uid = newest.as_ref().map(|set| set.uid().to_owned()).unwrap_or_default();
    let mut old: Vec<Arc<Value>> =
        sets(store, deployment).into_iter().filter(|set| set.uid() != uid).collect();
    old.sort_by_key(|set| (set.text("/metadata/creationTimestamp").to_owned(), set.name().to_owned()));
    (newest, old)
}

/// While a rollout is paused, only the number of pods follows.
fn rescale(store: &mut Store, deployment: &Value, now: Timestamp) {
    let (newest, old) = parted(store, deployment);
    let active: Vec<Arc<Value>> = old.into_iter().chain(newest).filter(|set| wanted(set) > 0).collect();
    if let [only] = active.as_slice() {
        scale(store, deployment, only, desired(deployment), now);
    }
}

fn recreate(store: &mut Store, deployment: &Value, now: Timestamp) {
    let (newest, old) = parted(store, deployment);
    for set in old.iter().filter(|set| wanted(set) > 0) {
        scale(store, deployment, set, 0, now);
    }
    let runs = |set: &Arc<Value>| {
        let mut pods = store.controlled(set.uid(), "pods");
        pods.any(|pod| is_active(pod) || pod.is_terminating())
    };
    let gone = !old.iter().any(runs);
    if let Some(set) = newest.filter(|_| gone) {
        scale(store, deployment, &set, desired(deployment), now);
    }
}

/// A few pods more of the new template, a few fewer of the old ones.
fn roll(store: &mut Store, deployment: &Value, now: Timestamp) {
    let (more, fewer) = surge(deployment);
    let desired = desired(deployment);
    let (newest, old) = parted(store, deployment);
    let Some(newest) = newest else { return };
    let total: i64 = old.iter().map(|set| wanted(set)).sum::<i64>() + wanted(&newest);
    let own = wanted(&newest);
    if own > desired {
        scale(store, deployment, &newest, desired, now);
    } else if own < desired && total < desired + more {
        let room = (desired + more - total).min(desired - own);
        scale(store, deployment, &newest, own + room, now);
    } else {
        // The annotations follow the wish, even if the number is right.
        scale(store, deployment, &newest, own, now);
    }
    let (newest, old) = parted(store, deployment);
    let Some(newest) = newest else { return };
    let least = desired - fewer;
    let total: i64 = old.iter().map(|set| wanted(set)).sum::<i64>() + wanted(&newest);
    let unavailable = (wanted(&newest) - available(&newest)).max(0);
    let mut may_go = total - least - unavailable;
    for set in &old {
        let unhealthy = (wanted(set) - available(set)).clamp(0, may_go.max(0));
        if unhealthy > 0 {
            may_go -= unhealthy;
            scale(store, deployment, set, wanted(set) - unhealthy, now);
        }
    }
    let (_, old) = parted(store, deployment);
    let all: i64 = old.iter().map(|set| available(set).min(wanted(set))).sum::<i64>() + available(&newest);
    let mut may_go = all - least;
    for set in old.iter().filter(|set| wanted(set) > 0) {
        let going = wanted(set).min(may_go.max(0));
        if going > 0 {
            may_go -= going;
            scale(store, deployment, set, wanted(set) - going, now);
        }
    }
}

/// Old replica sets beyond the limit are deleted, once the rollout is complete.
fn forget(store: &mut Store, deployment: &Value, now: Timestamp) {
    let limit = deployment.number("/spec/revisionHistoryLimit").unwrap_or(10);
    let (_, mut old) = parted(store, deployment);
    old.retain(|set| wanted(set) == 0 && set.number("/status/replicas").unwrap_or_default() == 0);
    old.sort_by_key(|set| revision(set));
    let surplus = (number(old.len()) - limit).max(0);
    for set in old.iter().take(usize::try_from(surplus).unwrap_or_default()) {
        delete(store, &place_of(SETS, set), None, now);
    }
}
