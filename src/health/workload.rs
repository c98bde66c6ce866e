//! Kinds that run pods. Rules: `kubectl rollout status` (kubectl/pkg/polymorphichelpers/rollout_status.go) and
//! kstatus (cli-utils/pkg/kstatus/status/core.go).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::conditions::{condition, message_of};
use super::{is_unreported, number, text};
use crate::model::health::{Health, HealthStatus};

const UNSEEN: &str = "the controller has not seen the newest version yet";

/// Updated, available and no old pods left; a progress deadline exceeded is final.
pub(super) fn deployment(object: &Value, _now: Timestamp) -> Health {
    if is_unreported(object) {
        return Health::progressing(UNSEEN);
    }
    if let Some(progressing) = condition(object, "Progressing")
        && text(progressing, "/reason") == Some("ProgressDeadlineExceeded")
    {
        return Health::failed(format!("progress deadline exceeded: {}", message_of(progressing)));
    }
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let [updated, total, available] =
        ["/status/updatedReplicas", "/status/replicas", "/status/availableReplicas"]
            .map(|at| number(object, at));
    if object.pointer("/spec/paused") == Some(&Value::Bool(true)) && updated < wanted {
        return Health::new(HealthStatus::Suspended, "the rollout is paused");
    }
    if let Some(failure) =
        condition(object, "ReplicaFailure").filter(|one| text(one, "/status") == Some("True"))
    {
        return Health::degraded(format!("pods cannot be created: {}", message_of(failure)));
    }
    if updated < wanted {
        return Health::progressing(format!("{updated} of {wanted} replicas updated"));
    }
    if total > updated {
        return Health::progressing(format!("{} old replicas still there", total - updated));
    }
    if available < wanted {
        return Health::progressing(format!("{available} of {wanted} replicas available"));
    }
    Health::healthy()
}

/// Every replica ready and of the current revision; partitioned updates count the part.
pub(super) fn stateful_set(object: &Value, _now: Timestamp) -> Health {
    if is_unreported(object) {
        return Health::progressing(UNSEEN);
    }
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let [ready, updated] = ["/status/readyReplicas", "/status/updatedReplicas"].map(|at| number(object, at));
    if ready < wanted {
        return Health::progressing(format!("{ready} of {wanted} replicas ready"));
    }
    if text(object, "/spec/updateStrategy/type") == Some("OnDelete") {
        return Health::healthy();
    }
    let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition");
    if partition > 0 {
        let part = (wanted - partition).max(0);
        if updated < part {
            return Health::progressing(format!("{updated} of {part} replicas of the partition updated"));
        }
        return Health::healthy();
    }
    if text(object, "/status/currentRevision") != text(object, "/status/updateRevision") {
        return Health::progressing(format!("{updated} of {wanted} replicas updated"));
    }
    Health::healthy()
}

/// A pod of the current version, available, on every node that wants one.
pub(super) fn daemon_set(object: &Value, _now: Timestamp) -> Health {
    if is_unreported(object) {
        return Health::progressing(UNSEEN);
    }
    let wanted = number(object, "/status/desiredNumberScheduled");
    let [updated, available] =
        ["/status/updatedNumberScheduled", "/status/numberAvailable"].map(|at| number(object, at));
    if text(object, "/spec/updateStrategy/type") != Some("OnDelete") && updated < wanted {
        return Health::progressing(format!("{updated} of {wanted} pods updated"));
    }
    if available < wanted {
        return Health::progressing(format!("{available} of {wanted} pods available"));
    }
    Health::healthy()
}

/// As many pods available as asked for.
pub(super) fn replica_set(object: &Value, _now: Timestamp) -> Health {
    if is_unreported(object) {
        return Health::progressing(UNSEEN);
    }
    if let Some(failure) =
        condition(object, "ReplicaFailure").filter(|one| text(one, "/status") == Some("True"))
    {
        return Health::degraded(format!("pods cannot be created: {}", message_of(failure)));
    }
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let available = number(object, "/status/availableReplicas");
    if available < wanted {
        return Health::progressing(format!("{available} of {wanted} replicas available"));
    }
    Health::healthy()
}

/// Complete; a failed Job is final.
pub(super) fn job(object: &Value, _now: Timestamp) -> Health {
    let is_true = |name: &str| condition(object, name).filter(|one| text(one, "/status") == Some("True"));
    if let Some(failed) = is_true("Failed").or_else(|| is_true("FailureTarget")) {
        return Health::failed(format!("the job failed: {}", message_of(failed)));
    }
    if is_true("Complete").is_some() || is_true("SuccessCriteriaMet").is_some() {
        return Health::healthy();
    }
    if object.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return Health::new(HealthStatus::Suspended, "the job is suspended");
    }
    Health::progressing(format!(
        "{} running, {} failed so far",
        number(object, "/status/active"),
        number(object, "/status/failed")
    ))
}

/// A schedule is healthy by being there.
pub(super) fn cron_job(object: &Value, _now: Timestamp) -> Health {
    if object.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return Health::new(HealthStatus::Suspended, "the schedule is suspended");
    }
    Health::healthy()
}

/// Ready or done; a container that cannot start says why.
pub(super) fn pod(object: &Value, now: Timestamp) -> Health {
    match text(object, "/status/phase") {
        Some("Succeeded") => return Health::healthy(),
        Some("Failed") => {
            let why = text(object, "/status/message").or_else(|| text(object, "/status/reason"));
            return Health::failed(format!("the pod failed: {}", why.unwrap_or("no reason given")));
        }
        _ => {}
    }
    if let Some(trouble) = container_trouble(object) {
        return Health::degraded(trouble);
    }
    let ready = condition(object, "Ready").and_then(|one| text(one, "/status")) == Some("True");
    if ready {
        return Health::healthy();
    }
    if let Some(scheduled) = condition(object, "PodScheduled")
        && text(scheduled, "/reason") == Some("Unschedulable")
        && older_than(scheduled, now, SignedDuration::from_secs(15))
    {
        return Health::degraded(format!("cannot be scheduled: {}", message_of(scheduled)));
    }
    Health::progressing("the pod is not ready yet")
}

fn older_than(condition: &Value, now: Timestamp, age: SignedDuration) -> bool {
    let since = text(condition, "/lastTransitionTime").and_then(|time| time.parse::<Timestamp>().ok());
    since.is_some_and(|since| now.duration_since(since) >= age)
}

/// Why a container of a pod does not run, in words.
pub(super) fn container_trouble(pod: &Value) -> Option<String> {
    const WAITING: [&str; 7] = [
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
    ];
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = lists.iter().filter_map(|at| pod.pointer(at)?.as_array()).flatten();
    for status in statuses {
        let name = text(status, "/name").unwrap_or("?");
        let Some(reason) = text(status, "/state/waiting/reason").filter(|reason| WAITING.contains(reason))
        else {
            continue;
        };
        let mut words = match reason {
            "CrashLoopBackOff" => format!("container {name} crashes"),
            "ImagePullBackOff" | "ErrImagePull" => format!(
                "container {name} cannot pull its image {}",
                text(status, "/image").filter(|image| !image.is_empty()).unwrap_or("")
            ),
            other => format!("container {name} cannot start ({other})"),
        };
        if let Some(code) = status.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64) {
            words.push_str(&format!(" with exit code {code}"));
        }
        if let Some(message) = text(status, "/state/waiting/message").filter(|message| !message.is_empty()) {
            words.push_str(&format!(": {}", message.chars().take(300).collect::<String>()));
        }
        return Some(words);
    }
    None
}
