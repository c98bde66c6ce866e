//! The status of a pod, as its kubelet reports it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::super::object::Fields;
use super::super::super::rest::time;
use super::super::actions::condition;
use super::life::{Container, Life, State};

const HOST: &str = "10.1.0.1";

/// The status of a pod that has been placed.
pub(super) fn of(pod: &Value, life: &Life, now: Timestamp) -> Value {
    let initialized = life.is_initialized(pod);
    let init: Vec<Value> = statuses(pod, life, "/spec/initContainers", true);
    let main: Vec<Value> = statuses(pod, life, "/spec/containers", initialized);
    let states: Vec<State> = pod
        .items("/spec/containers")
        .iter()
        .filter_map(|spec| life.containers.get(spec.text("/name")))
        .map(|container| container.state)
        .collect();
    let ended = states.iter().all(|state| matches!(state, State::Ended { .. }));
    let failed = states.iter().any(|state| matches!(state, State::Ended { code, .. } if *code != 0));
    let begun =
        states.iter().any(|state| !matches!(state, State::Creating { .. } | State::PullFailed { .. }));
    let init_failed = pod.items("/spec/initContainers").iter().any(|spec| {
        let state = life.containers.get(spec.text("/name")).map(|container| container.state);
        matches!(state, Some(State::Ended { code, .. }) if code != 0)
    });
    let phase = match () {
        () if init_failed || (initialized && ended && failed) => "Failed",
        () if initialized && ended => "Succeeded",
        () if initialized && begun => "Running",
        () => "Pending",
    };
    let mut status = json!({"phase": phase, "conditions": conditions(pod, &main, initialized, phase, now),
        "hostIP": HOST, "hostIPs": [{"ip": HOST}], "startTime": time(life.placed)});
    if begun || !init.is_empty() && initialized {
        status.put("/podIP", json!(life.address));
        status.put("/podIPs", json!([{"ip": life.address}]));
    }
    if !init.is_empty() {
        status.put("/initContainerStatuses", json!(init));
    }
    status.put("/containerStatuses", json!(main));
    status.put("/qosClass", json!(pod.text("/status/qosClass")));
    status.put("/observedGeneration", json!(pod.number("/metadata/generation").unwrap_or(1)));
    status
}

fn conditions(pod: &Value, main: &[Value], initialized: bool, phase: &str, now: Timestamp) -> Value {
    let list = |names: Vec<&str>| format!("[{}]", names.join(" "));
    let unready =
        main.iter().filter(|status| !status.holds("/ready")).map(|status| status.text("/name")).collect();
    let ready = main.iter().all(|status| status.holds("/ready"));
    let completed = phase == "Succeeded";
    let pending = |names: &str| format!("containers with {names}");
    let unready_said = match (completed, ready) {
        (true, _) => Some(("PodCompleted", String::new())),
        (false, false) if phase == "Failed" => Some(("PodFailed", String::new())),
        (false, false) => {
            Some(("ContainersNotReady", pending(&format!("unready status: {}", list(unready)))))
        }
        (false, true) => None,
    };
    let init_names: Vec<&str> =
        pod.items("/spec/initContainers").iter().map(|spec| spec.text("/name")).collect();
    let init_said = match (initialized, completed) {
        (true, false) => None,
        (true, true) => Some(("PodCompleted", String::new())),
        (false, _) => {
            let message = pending(&format!("incomplete status: {}", list(init_names)));
            Some(("ContainersNotInitialized", message))
        }
    };
    let one = |kind: &str, holds: bool, said: Option<&(&str, String)>| {
        let status = if holds { "True" } else { "False" };
        let since = condition(pod, kind)
            .filter(|known| known.text("/status") == status)
            .map_or_else(|| time(now), |known| known.text("/lastTransitionTime").to_owned());
        let mut condition = json!({"type": kind, "status": status, "lastProbeTime": null,
            "lastTransitionTime": since,
            "observedGeneration": pod.number("/metadata/generation").unwrap_or(1)});
        if let Some((reason, message)) = said {
            condition.put("/reason", json!(reason));
            if !message.is_empty() {
                condition.put("/message", json!(message));
            }
        }
        condition
    };
    json!([
        one("PodScheduled", true, None),
        one("Initialized", initialized, init_said.as_ref()),
        one("ContainersReady", ready && !completed, unready_said.as_ref()),
        one("Ready", ready && !completed, unready_said.as_ref()),
    ])
}

fn statuses(pod: &Value, life: &Life, list: &str, begun: bool) -> Vec<Value> {
    let one = |spec: &Value| {
        let name = spec.text("/name");
        let container = life.containers.get(name).filter(|_| begun);
        status(pod, spec, name, container, life)
    };
    pod.items(list).iter().map(one).collect()
}

fn status(pod: &Value, spec: &Value, name: &str, container: Option<&Container>, life: &Life) -> Value {
    let image = spec.text("/image");
    let initializing = pod.items("/spec/initContainers").iter().any(|one| one.text("/name") != name)
        && !life.is_initialized(pod);
    let creating = if initializing { "PodInitializing" } else { "ContainerCreating" };
    let terminated = |started: Timestamp, ended: Timestamp, code: i64| {
        json!({"terminated": {"exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
            "startedAt": time(started), "finishedAt": time(ended), "containerID": id(pod, name)}})
    };
    let mut last = container
        .and_then(|container| container.last)
        .map_or_else(|| json!({}), |(started, ended)| terminated(started, ended, 1));
    let (mut restarts, mut known) = (0, true);
    let state = match container.map(|container| container.state) {
        None | Some(State::Creating { .. }) => {
            known = false;
            json!({"waiting": {"reason": creating}})
        }
        Some(State::PullFailed { backing_off, .. }) => {
            known = false;
            let (reason, message) = if backing_off {
                (
                    "ImagePullBackOff",
                    format!(
                        "Back-off pulling image \"{image}\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": not found"
                    ),
                )
            } else {
                (
                    "ErrImagePull",
                    format!(
                        "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": not found"
                    ),
                )
            };
            json!({"waiting": {"reason": reason, "message": message}})
        }
        Some(State::Running { since, run }) => {
            restarts = run;
            json!({"running": {"startedAt": time(since)}})
        }
        Some(State::BackOff { started, ended, until, run }) => {
            restarts = run;
            last = terminated(started, ended, 1);
            let seconds = until.as_second() - ended.as_second();
            let wait = match (seconds / 60, seconds % 60) {
                (0, seconds) => format!("{seconds}s"),
                (minutes, seconds) => format!("{minutes}m{seconds}s"),
            };
            let message = format!(
                "back-off {wait} restarting failed container={name} pod={}_{}({})",
                pod.name(),
                pod.namespace(),
                pod.uid()
            );
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        }
        Some(State::Ended { started, ended, code, run }) => {
            restarts = run;
            terminated(started, ended, code)
        }
    };
    let running = state.get("running").is_some();
    let completed = matches!(container.map(|one| one.state), Some(State::Ended { code: 0, .. }));
    let init = pod.items("/spec/initContainers").iter().any(|one| one.text("/name") == name);
    let ready = (running && container.is_some_and(|container| container.ready)) || (init && completed);
    let mut status = json!({"name": name, "state": state, "lastState": last, "ready": ready,
        "restartCount": restarts, "image": image, "imageID": "", "started": running});
    if known {
        status.put("/imageID", json!(format!("sandbox/{image}")));
        status.put("/containerID", json!(id(pod, name)));
    }
    status
}

/// Names a container, the same for every run.
fn id(pod: &Value, name: &str) -> String {
    let mut hash = super::super::actions::fnv::new();
    super::super::actions::fnv::add(&mut hash, pod.uid().as_bytes());
    super::super::actions::fnv::add(&mut hash, name.as_bytes());
    format!("sandbox://{hash:016x}")
}
