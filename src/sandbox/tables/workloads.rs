//! Rows of pods and of what makes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::{Fields, controller_of};
use super::super::selector::LabelSelector;
use super::{age, duration, labels, or};

pub(super) fn cells(collection: &str, object: &Value, age: &str, now: Timestamp) -> Option<Vec<Value>> {
    Some(match collection {
        "pods" => pod(object, age, now),
        "deployments.apps" => deployment(object, age),
        "replicasets.apps" | "replicationcontrollers" => replica_set(object, age),
        "statefulsets.apps" => {
            let (names, images) = containers(object, "/spec/template/spec/containers");
            vec![json!(object.name()), json!(ready(object)), json!(age), json!(names), json!(images)]
        }
        "daemonsets.apps" => daemon_set(object, age),
        "jobs.batch" => job(object, age, now),
        "cronjobs.batch" => cron_job(object, age, now),
        "podtemplates" => {
            let (names, images) = containers(object, "/template/spec/containers");
            let labels = labels(object, "/template/metadata/labels");
            vec![json!(object.name()), json!(names), json!(images), json!(labels)]
        }
        "controllerrevisions.apps" => controller_revision(object, age),
        super::SCALES => {
            let number = |pointer| object.number(pointer).unwrap_or_default();
            let (wanted, there) = (number("/spec/replicas"), number("/status/replicas"));
            vec![json!(object.name()), json!(wanted), json!(there), json!(age)]
        }
        "poddisruptionbudgets.policy" => {
            let limit = |pointer| match object.pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => "N/A".to_owned(),
                Some(number) => number.to_string(),
            };
            let (least, most) = (limit("/spec/minAvailable"), limit("/spec/maxUnavailable"));
            let allowed = object.number("/status/disruptionsAllowed").unwrap_or_default();
            vec![json!(object.name()), json!(least), json!(most), json!(allowed), json!(age)]
        }
        _ => return None,
    })
}

fn containers(object: &Value, pointer: &str) -> (String, String) {
    let of = |field: &str| {
        let texts: Vec<&str> =
            object.items(pointer).iter().map(|container| container.text(&format!("/{field}"))).collect();
        texts.join(",")
    };
    (of("name"), of("image"))
}

fn selector(object: &Value) -> String {
    match object.pointer("/spec/selector") {
        Some(selector)
            if selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some() =>
        {
            LabelSelector::of(selector).text()
        }
        Some(Value::Object(map)) => or(&LabelSelector::of_labels(map).text(), "<none>").to_owned(),
        _ => "<none>".to_owned(),
    }
}

fn ready(object: &Value) -> String {
    let ready = object.number("/status/readyReplicas").unwrap_or_default();
    format!("{ready}/{}", object.number("/spec/replicas").unwrap_or_default())
}

fn deployment(object: &Value, age: &str) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/template/spec/containers");
    vec![
        json!(object.name()),
        json!(ready(object)),
        json!(object.number("/status/updatedReplicas").unwrap_or_default()),
        json!(object.number("/status/availableReplicas").unwrap_or_default()),
        json!(age),
        json!(names),
        json!(images),
        json!(selector(object)),
    ]
}

fn replica_set(object: &Value, age: &str) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/template/spec/containers");
    vec![
        json!(object.name()),
        json!(object.number("/spec/replicas").unwrap_or_default()),
        json!(object.number("/status/replicas").unwrap_or_default()),
        json!(object.number("/status/readyReplicas").unwrap_or_default()),
        json!(age),
        json!(names),
        json!(images),
        json!(selector(object)),
    ]
}

fn daemon_set(object: &Value, age: &str) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/template/spec/containers");
    let status = |field: &str| json!(object.number(&format!("/status/{field}")).unwrap_or_default());
    vec![
        json!(object.name()),
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        json!(labels(object, "/spec/template/spec/nodeSelector")),
        json!(age),
        json!(names),
        json!(images),
        json!(selector(object)),
    ]
}

fn has_condition(object: &Value, kind: &str) -> bool {
    object
        .items("/status/conditions")
        .iter()
        .any(|condition| condition.text("/type") == kind && condition.text("/status") == "True")
}

fn job(object: &Value, age: &str, now: Timestamp) -> Vec<Value> {
    let succeeded = object.number("/status/succeeded").unwrap_or_default();
    let parallelism = object.number("/spec/parallelism").unwrap_or_default();
    let completions = match object.number("/spec/completions") {
        Some(completions) => format!("{succeeded}/{completions}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    };
    let second = |pointer| {
        let time: Option<Timestamp> = object.text(pointer).parse().ok();
        time.map(Timestamp::as_second)
    };
    let took = second("/status/startTime").map_or_else(String::new, |started| {
        duration(second("/status/completionTime").unwrap_or(now.as_second()) - started)
    });
    let states = [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("", "Terminating"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ];
    let holds =
        |kind: &str| if kind.is_empty() { object.is_terminating() } else { has_condition(object, kind) };
    let status = states.iter().find(|(kind, _)| holds(kind)).map_or("Running", |(_, status)| status);
    let (names, images) = containers(object, "/spec/template/spec/containers");
    vec![
        json!(object.name()),
        json!(status),
        json!(completions),
        json!(took),
        json!(age),
        json!(names),
        json!(images),
        json!(selector(object)),
    ]
}

fn cron_job(object: &Value, created: &str, now: Timestamp) -> Vec<Value> {
    let last = object.text("/status/lastScheduleTime");
    let last = if last.is_empty() { "<none>".to_owned() } else { age(last, now) };
    let suspended = match object.pointer("/spec/suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let (names, images) = containers(object, "/spec/jobTemplate/spec/template/spec/containers");
    let selector = object
        .pointer("/spec/jobTemplate/spec/selector")
        .map_or("<none>".to_owned(), |selector| LabelSelector::of(selector).text());
    vec![
        json!(object.name()),
        json!(object.text("/spec/schedule")),
        json!(or(object.text("/spec/timeZone"), "<none>")),
        json!(suspended),
        json!(object.items("/status/active").len()),
        json!(last),
        json!(created),
        json!(names),
        json!(images),
        json!(selector),
    ]
}

fn controller_revision(object: &Value, age: &str) -> Vec<Value> {
    let owner = controller_of(object).map_or("<none>".to_owned(), |owner| {
        let group = owner.text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
        let kind = owner.text("/kind").to_lowercase();
        let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
        format!("{kind}/{}", owner.text("/name"))
    });
    let revision = object.number("/revision").unwrap_or_default();
    vec![json!(object.name()), json!(owner), json!(revision), json!(age)]
}

/// What the containers of a pod add up to.
#[derive(Default)]
struct Containers {
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: String,
    reason: String,
}

fn pod(object: &Value, created: &str, now: Timestamp) -> Vec<Value> {
    let mut sum = Containers {
        total: object.items("/spec/containers").len(),
        reason: or(object.text("/status/reason"), object.text("/status/phase")).to_owned(),
        ..Containers::default()
    };
    let gated = |condition: &Value| condition.text("/reason") == "SchedulingGated";
    if object.items("/status/conditions").iter().any(gated) {
        "SchedulingGated".clone_into(&mut sum.reason);
    }
    let (initializing, sidecars) = init_containers(object, &mut sum);
    if !initializing || has_condition(object, "Initialized") {
        (sum.restarts, sum.last_restart) = sidecars;
        main_containers(object, &mut sum);
    }
    if object.is_terminating() {
        match object.text("/status/phase") {
            _ if object.text("/status/reason") == "NodeLost" => "Unknown".clone_into(&mut sum.reason),
            "Succeeded" | "Failed" => {}
            _ => "Terminating".clone_into(&mut sum.reason),
        }
    }
    let restarts = match (sum.restarts, sum.last_restart.as_str()) {
        (0, _) | (_, "") => sum.restarts.to_string(),
        (restarts, last) => format!("{restarts} ({} ago)", age(last, now)),
    };
    let gates = object.items("/spec/readinessGates");
    let open = gates.iter().filter(|gate| has_condition(object, gate.text("/conditionType"))).count();
    let gates = if gates.is_empty() { "<none>".to_owned() } else { format!("{open}/{}", gates.len()) };
    let address = object.items("/status/podIPs").first().map_or("", |address| address.text("/ip"));
    vec![
        json!(object.name()),
        json!(format!("{}/{}", sum.ready, sum.total)),
        json!(sum.reason),
        json!(restarts),
        json!(created),
        json!(or(address, "<none>")),
        json!(or(object.text("/spec/nodeName"), "<none>")),
        json!(or(object.text("/status/nominatedNodeName"), "<none>")),
        json!(gates),
    ]
}

fn note_restart(container: &Value, last: &mut String) {
    let finished = container.text("/lastState/terminated/finishedAt");
    if finished > last.as_str() {
        finished.clone_into(last);
    }
}

/// How a container ended, in a word.
fn ending(container: &Value) -> String {
    let terminated =
        |field: &str| container.number(&format!("/state/terminated/{field}")).unwrap_or_default();
    match container.text("/state/terminated/reason") {
        "" if terminated("signal") != 0 => format!("Signal:{}", terminated("signal")),
        "" => format!("ExitCode:{}", terminated("exitCode")),
        reason => reason.to_owned(),
    }
}

/// Whether the pod is still initializing, and the restarts of its sidecars with the last of them.
fn init_containers(object: &Value, sum: &mut Containers) -> (bool, (i64, String)) {
    let specs = object.items("/spec/initContainers");
    let is_sidecar = |name: &str| {
        specs.iter().any(|spec| spec.name_field() == name && spec.text("/restartPolicy") == "Always")
    };
    sum.total += specs.iter().filter(|spec| is_sidecar(spec.name_field())).count();
    let mut sidecars = (0, String::new());
    for (index, container) in object.items("/status/initContainerStatuses").iter().enumerate() {
        let restarts = container.number("/restartCount").unwrap_or_default();
        sum.restarts += restarts;
        note_restart(container, &mut sum.last_restart);
        let sidecar = is_sidecar(container.name_field());
        if sidecar {
            sidecars.0 += restarts;
            note_restart(container, &mut sidecars.1);
        }
        let terminated = container.pointer("/state/terminated").is_some();
        let waiting = container.text("/state/waiting/reason");
        if terminated && container.number("/state/terminated/exitCode") == Some(0) {
            continue;
        }
        if sidecar && container.holds("/started") {
            sum.ready += usize::from(container.holds("/ready"));
            continue;
        }
        sum.reason = if terminated {
            format!("Init:{}", ending(container))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", specs.len())
        };
        return (true, sidecars);
    }
    (false, sidecars)
}

fn main_containers(object: &Value, sum: &mut Containers) {
    let (mut running, mut error) = (false, String::new());
    for container in object.items("/status/containerStatuses").iter().rev() {
        sum.restarts += container.number("/restartCount").unwrap_or_default();
        note_restart(container, &mut sum.last_restart);
        let waiting = container.text("/state/waiting/reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut sum.reason);
        } else if container.pointer("/state/terminated").is_some() {
            sum.reason = ending(container);
            if container.number("/state/terminated/exitCode") != Some(0) {
                error.clone_from(&sum.reason);
            }
        } else if container.holds("/ready") && container.pointer("/state/running").is_some() {
            running = true;
            sum.ready += 1;
        }
    }
    if sum.reason == "Completed" {
        if running && has_condition(object, "Ready") {
            "Running".clone_into(&mut sum.reason);
        } else if !error.is_empty() {
            sum.reason = error;
        } else if running {
            "NotReady".clone_into(&mut sum.reason);
        }
    }
}

/// Containers carry their names at the top.
trait NameField {
    fn name_field(&self) -> &str;
}

impl NameField for Value {
    fn name_field(&self) -> &str {
        self.text("/name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_in_a_crash_loop() {
        let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}], "nodeName": "n1"},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.244.0.1"}], "containerStatuses": [{"name": "c",
                "ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:00:00Z"}}}]}});
        let now = "2026-01-01T00:01:00Z".parse().unwrap_or_default();
        let cells = cells("pods", &pod, "5m", now).unwrap_or_default();
        assert_eq!(
            cells,
            ["a", "0/1", "CrashLoopBackOff", "3 (60s ago)", "5m", "10.244.0.1", "n1", "<none>", "<none>"]
        );
    }
}
