//! Jobs: pods until enough have succeeded or too many have failed.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::object::{Fields, controlled_by};
use super::super::rest::time;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{
    Notice, change_status, create, delete, is_active, is_true, later, place as place_of, pod_from, say,
    time_of,
};

/// How soon a refused creation is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// From the first failure to the next pod; twice as long each time.
const BACK_OFF: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Counts {
    active: Vec<Arc<Value>>,
    ready: i64,
    succeeded: i64,
    failed: i64,
    last_failure: Option<Timestamp>,
    restarts: i64,
}

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let job = store.at(place)?.clone();
    if job.is_terminating() {
        return None;
    }
    if let Some(done) = finished(&job) {
        return expire(store, place, &job, done, now);
    }
    let counts = count(store, &job);
    let limit = job.number("/spec/backoffLimit").unwrap_or(6);
    let suspended = job.holds("/spec/suspend");
    let needed = job.number("/spec/completions").unwrap_or(1);
    let end = match job.number("/spec/activeDeadlineSeconds").zip(time_of(&job, "/status/startTime")) {
        Some((seconds, began)) => began.checked_add(SignedDuration::from_secs(seconds)).ok(),
        None => None,
    };
    let mut due = end;
    let failure = if counts.failed + counts.restarts > limit {
        Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else if end.is_some_and(|end| end <= now) {
        Some(("DeadlineExceeded", "Job was active longer than specified deadline"))
    } else {
        None
    };
    let complete = counts.succeeded >= needed;
    if let Some((reason, message)) = failure.filter(|_| !complete) {
        counts.active.iter().for_each(|pod| delete(store, &place_of("pods", pod), None, now));
        let by = "job-controller";
        say(store, &job, Notice { kind: "Warning", reason, message, by }, now);
        report(store, place, &count(store, &job), Some(("Failed", reason, message)), now);
        return Some(now);
    }
    if complete {
        let message = "Reached expected number of succeeded pods";
        let notice =
            Notice { kind: "Normal", reason: "Completed", message: "Job completed", by: "job-controller" };
        say(store, &job, notice, now);
        report(store, place, &counts, Some(("Complete", "CompletionsReached", message)), now);
        return Some(now);
    }
    if suspended {
        counts.active.iter().for_each(|pod| delete(store, &place_of("pods", pod), None, now));
    } else {
        due = [due, fill(store, &job, &counts, needed, now)].into_iter().flatten().min();
    }
    report(store, place, &count(store, &job), None, now);
    due
}

/// When a job ended, if it did.
fn finished(job: &Value) -> Option<Timestamp> {
    let ended =
        |one: &&Value| matches!(one.text("/type"), "Complete" | "Failed") && one.text("/status") == "True";
    let condition = job.items("/status/conditions").iter().find(ended)?;
    time_of(condition, "/lastTransitionTime")
}

fn expire(
    store: &mut Store,
    place: &Place,
    job: &Value,
    done: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let seconds = job.number("/spec/ttlSecondsAfterFinished")?;
    let due = done.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    if due > now {
        return Some(due);
    }
    delete(store, place, None, now);
    None
}

fn count(store: &Store, job: &Value) -> Counts {
    let mut counts = Counts::default();
    for pod in store.controlled(job.uid(), "pods") {
        match pod.text("/status/phase") {
            "Succeeded" => counts.succeeded += 1,
            "Failed" => {
                counts.failed += 1;
                let ended = pod.items("/status/containerStatuses").iter();
                let ended = ended.filter_map(|one| time_of(one, "/state/terminated/finishedAt")).max();
                counts.last_failure = counts.last_failure.max(ended);
            }
            _ if is_active(pod) => {
                counts.ready += i64::from(is_true(pod, "Ready"));
                let containers = pod.items("/status/containerStatuses").iter();
                counts.restarts += containers.filter_map(|one| one.number("/restartCount")).sum::<i64>();
                counts.active.push(pod.clone());
            }
            _ => {}
        }
    }
    counts
}

/// Starts the pods that are missing, later after each failure.
fn fill(store: &mut Store, job: &Value, counts: &Counts, needed: i64, now: Timestamp) -> Option<Timestamp> {
    let parallel = job.number("/spec/parallelism").unwrap_or(1);
    let active = i64::try_from(counts.active.len()).unwrap_or_default();
    let missing = parallel.min(needed - counts.succeeded) - active;
    if let Some(failed) = counts.last_failure.filter(|_| missing > 0) {
        let times = u32::try_from(counts.failed - 1).unwrap_or_default().min(5);
        let due = later(failed, BACK_OFF.saturating_mul(1 << times));
        if due > now {
            return Some(due);
        }
    }
    let by = "job-controller";
    for _ in 0..missing {
        let mut pod = pod_from(job.pointer("/spec/template").unwrap_or(&Value::Null));
        pod.put("/metadata/generateName", json!(format!("{}-", job.name())));
        pod.put("/metadata/ownerReferences", json!([controlled_by(job, "batch/v1", "Job")]));
        if job.text("/spec/completionMode") == "Indexed" {
            let index = next_index(store, job);
            pod.put(
                "/metadata/annotations/batch.kubernetes.io~1job-completion-index",
                json!(index.to_string()),
            );
            pod.put("/metadata/labels/batch.kubernetes.io~1job-completion-index", json!(index.to_string()));
            pod.put("/metadata/generateName", json!(format!("{}-{index}-", job.name())));
        }
        match create(store, "pods", job.namespace(), pod, now) {
            Ok(pod) => {
                let message = format!("Created pod: {}", pod.name());
                say(
                    store,
                    job,
                    Notice { kind: "Normal", reason: "SuccessfulCreate", message: &message, by },
                    now,
                );
            }
            Err(failure) => {
                let message = format!("Error creating: {}", failure.message);
                say(
                    store,
                    job,
                    Notice { kind: "Warning", reason: "FailedCreate", message: &message, by },
                    now,
                );
                return Some(later(now, RETRY));
            }
        }
    }
    None
}

/// The lowest index that no pod has, failed ones apart.
fn next_index(store: &Store, job: &Value) -> usize {
    let taken: Vec<usize> = store
        .controlled(job.uid(), "pods")
        .filter(|pod| pod.text("/status/phase") != "Failed")
        .filter_map(|pod| pod.annotation("batch.kubernetes.io/job-completion-index")?.parse().ok())
        .collect();
    (0..=taken.len()).find(|index| !taken.contains(index)).unwrap_or_default()
}

fn report(
    store: &mut Store,
    place: &Place,
    counts: &Counts,
    end: Option<(&str, &str, &str)>,
    now: Timestamp,
) {
    let since = time(now);
    change_status(store, place, now, |job| {
        let began = match job.text("/status/startTime") {
            "" if job.holds("/spec/suspend") => None,
            "" => Some(since.clone()),
            began => Some(began.to_owned()),
        };
        let mut conditions = job.items("/status/conditions").to_vec();
        let mut status = json!({});
        if let Some(began) = began {
            status.put("/startTime", json!(began));
        }
        let condition = |kind: &str, reason: &str, message: &str| {
            json!({"type": kind, "status": "True", "lastProbeTime": since, "lastTransitionTime": since,
                "reason": reason, "message": message})
        };
        let mut active = i64::try_from(counts.active.len()).unwrap_or_default();
        if let Some((kind, reason, message)) = end {
            let before = if kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
            conditions.push(condition(before, reason, message));
            conditions.push(condition(kind, reason, message));
            if kind == "Complete" {
                status.put("/completionTime", json!(since));
            }
            active = 0;
        } else if job.holds("/spec/suspend") && conditions.is_empty() {
            conditions.push(condition("Suspended", "JobSuspended", "Job suspended"));
        }
        if !conditions.is_empty() {
            status.put("/conditions", Value::Array(conditions));
        }
        let numbers = [("active", active), ("succeeded", counts.succeeded), ("failed", counts.failed)];
        for (field, count) in numbers.into_iter().filter(|(_, count)| *count > 0) {
            status.put(&format!("/{field}"), json!(count));
        }
        status.put("/ready", json!(if end.is_some() { 0 } else { counts.ready }));
        status.put("/terminating", json!(0));
        status.put("/uncountedTerminatedPods", json!({}));
        job.put("/status", status);
    });
}
