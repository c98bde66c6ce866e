//! Pods: a scheduler that knows one node, and a kubelet whose containers are a few states.
//!
//! What a container does follows from the annotation `sandbox.moorline.dev/fail` of its pod, or from its image's tag:
//!
//! | annotation | tag contains | what happens |
//! |---|---|---|
//! | `image` | `missing` | `ErrImagePull`, then `ImagePullBackOff` |
//! | `crash` | `crash` | runs for a second (or `…/fail-after`), ends with exit code 1, `CrashLoopBackOff` |
//! | `probe` | `unready` | runs and is not ready |
//! | `unschedulable` | `unschedulable` | stays pending |
//! | `quota` | | is refused by a quota |
//!
//! All else runs and is ready, after a delay (`…/start-delay`); with another restart policy than `Always` it completes.

pub(super) mod life;
mod status;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::bootstrap::NODE;
use super::super::logs::Line;
use super::super::object::Fields;
use super::super::rest::{Caller, time};
use super::super::selector::LabelSelector;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{Notice, condition, delete, say, write};
use life::{Happening, Life};

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, pace: &Pace) -> Option<Timestamp> {
    let pod = store.at(place)?.clone();
    if pod.is_terminating() {
        if !pod.text("/spec/nodeName").is_empty() && store.lives.contains_key(pod.uid()) {
            for container in pod.items("/spec/containers") {
                let message = format!("Stopping container {}", container.text("/name"));
                let notice = Notice { kind: "Normal", reason: "Killing", message: &message, by: "kubelet" };
                say(store, &pod, notice, now);
            }
        }
        store.lives.remove(pod.uid());
        delete(store, place, Some(0), now);
        return None;
    }
    if matches!(pod.text("/status/phase"), "Succeeded" | "Failed") {
        store.lives.remove(pod.uid());
        return None;
    }
    if pod.text("/spec/nodeName").is_empty() {
        return schedule(store, place, &pod, now);
    }
    // A node that nobody plays runs nothing.
    if pod.text("/spec/nodeName") != NODE {
        return None;
    }
    run(store, place, &pod, now, pace)
}

/// Why a pod cannot be placed.
fn obstacle(store: &Store, pod: &Value) -> Option<String> {
    let preemption = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    if life::fails(pod, "unschedulable", "unschedulable") {
        return Some("0/1 nodes are available: 1 Insufficient cpu.".to_owned());
    }
    let Some(node) = store.get("nodes", "", NODE) else {
        return Some("no nodes available to schedule pods".to_owned());
    };
    if node.holds("/spec/unschedulable") {
        return Some(format!("0/1 nodes are available: 1 node(s) were unschedulable. {preemption}"));
    }
    let selected =
        pod.map("/spec/nodeSelector").is_none_or(|labels| LabelSelector::of_labels(labels).matches(node));
    if !selected {
        return Some(format!(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {preemption}"
        ));
    }
    pod.items("/spec/volumes").iter().find_map(|volume| {
        let claim = match volume.text("/persistentVolumeClaim/claimName") {
            "" => return None,
            claim => claim,
        };
        let found = store.get("persistentvolumeclaims", pod.namespace(), claim);
        match found.map(|claim| claim.text("/status/phase")) {
            Some("Bound") => None,
            Some(_) => Some(format!(
                "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. {preemption}"
            )),
            None => Some(format!(
                "0/1 nodes are available: persistentvolumeclaim \"{claim}\" not found. {preemption}"
            )),
        }
    })
}

fn schedule(
    store: &mut Store,
    place: &Place,
    pod: &std::sync::Arc<Value>,
    now: Timestamp,
) -> Option<Timestamp> {
    if !pod.items("/spec/schedulingGates").is_empty() {
        return None;
    }
    let scheduler = "default-scheduler";
    if let Some(why) = obstacle(store, pod) {
        let known = condition(pod, "PodScheduled").is_some_and(|known| known.text("/message") == why);
        if known {
            return None;
        }
        let since = time(now);
        write(store, place, "status", "kube-scheduler", now, |pod| {
            let conditions = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": why, "lastProbeTime": null, "lastTransitionTime": since}]);
            pod.put("/status/conditions", conditions);
        });
        let notice = Notice { kind: "Warning", reason: "FailedScheduling", message: &why, by: scheduler };
        say(store, pod, notice, now);
        return None;
    }
    let caller = Caller::system("kube-scheduler", now);
    // Nobody else binds in between: the store is ours while this runs.
    drop(store.assign(pod, NODE, &caller));
    let message = format!("Successfully assigned {}/{} to {NODE}", place.namespace, place.name);
    let notice = Notice { kind: "Normal", reason: "Scheduled", message: &message, by: scheduler };
    say(store, pod, notice, now);
    None
}

fn run(store: &mut Store, place: &Place, pod: &Value, now: Timestamp, pace: &Pace) -> Option<Timestamp> {
    let uid = pod.uid().to_owned();
    let mut life = match store.lives.remove(&uid) {
        Some(life) => life,
        None => {
            let address = store.next_pod_address();
            Life::begin(pod, address, now, pace)
        }
    };
    let (due, happenings) = life.advance(pod, now, pace);
    for happening in happenings {
        tell(store, place, pod, &happening, now);
    }
    let status = status::of(pod, &life, now);
    store.lives.insert(uid, life);
    write(store, place, "status", "kubelet", now, |pod| pod.put("/status", status));
    due
}

fn tell(store: &mut Store, place: &Place, pod: &Value, happening: &Happening, now: Timestamp) {
    let mut event = |kind: &str, reason: &str, message: String| {
        say(store, pod, Notice { kind, reason, message: &message, by: "kubelet" }, now);
    };
    match happening {
        Happening::Pulling { image } => event("Normal", "Pulling", format!("Pulling image \"{image}\"")),
        Happening::PullFailed { image } => {
            let message = format!(
                "Failed to pull image \"{image}\": rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": not found"
            );
            event("Warning", "Failed", message);
            event("Warning", "Failed", "Error: ErrImagePull".to_owned());
        }
        Happening::PullBackOff { image } => {
            event("Normal", "BackOff", format!("Back-off pulling image \"{image}\""));
            event("Warning", "Failed", "Error: ImagePullBackOff".to_owned());
        }
        Happening::Started { container, image, run, at } => {
            if *run == 0 {
                let message = format!("Successfully pulled image \"{image}\"");
                event("Normal", "Pulled", message);
            } else {
                event("Normal", "Pulled", format!("Container image \"{image}\" already present on machine"));
            }
            event("Normal", "Created", format!("Container created: {container}"));
            event("Normal", "Started", format!("Container started: {container}"));
            line(store, place, container, *run, *at, &format!("{container}: started from {image}"));
        }
        Happening::Unready { container } => {
            let message = "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned();
            event("Warning", "Unhealthy", message);
            let at = now;
            line(store, place, container, 0, at, "GET /ready 503");
        }
        Happening::Crashed { container, run, at } => {
            line(store, place, container, *run, *at, "fatal: simulated crash");
            line(store, place, container, *run, *at, "exit status 1");
        }
        Happening::BackOff { container } => {
            let message = format!(
                "Back-off restarting failed container {container} in pod {}_{}({})",
                place.name,
                place.namespace,
                pod.uid()
            );
            event("Warning", "BackOff", message);
        }
        Happening::Completed { container, run, at } => {
            line(store, place, container, *run, *at, &format!("{container}: done"));
        }
    }
}

fn line(store: &mut Store, place: &Place, container: &str, run: i64, at: Timestamp, text: &str) {
    let line = Line { container: container.to_owned(), run, time: at, text: text.to_owned() };
    store.say(place, line);
}
