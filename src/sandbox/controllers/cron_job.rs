//! Cron jobs: a job at each time of the schedule.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::{Fields, controlled_by};
use super::super::rest::time;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{Notice, change_status, create, delete, is_true, place as place_of, say, time_of};
use super::schedule::Schedule;

const JOBS: &str = "jobs.batch";
const BY: &str = "cronjob-controller";

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let cron = store.at(place)?.clone();
    if cron.is_terminating() {
        return None;
    }
    forget(store, &cron, now);
    let schedule = Schedule::parse(cron.text("/spec/schedule"));
    let mut last = time_of(&cron, "/status/lastScheduleTime");
    let mut due = None;
    if let Some(schedule) = schedule.filter(|_| !cron.holds("/spec/suspend")) {
        let zone = cron.text("/spec/timeZone");
        let since = last.or_else(|| time_of(&cron, "/metadata/creationTimestamp")).unwrap_or(now);
        // Of the times that were missed only the last counts.
        let mut next = schedule.next(since, zone);
        let mut missed = None;
        for _ in 0..1_000 {
            let Some(at) = next.filter(|at| *at <= now) else { break };
            missed = Some(at);
            next = schedule.next(at, zone);
        }
        if let Some(at) = missed {
            let late = now.as_second() - at.as_second();
            let in_time = cron.number("/spec/startingDeadlineSeconds").is_none_or(|most| late <= most);
            if in_time && start(store, &cron, at, now) {
                last = Some(at);
            }
        }
        due = next.filter(|next| *next > now);
    }
    report(store, place, last, now);
    due
}

fn active(store: &Store, cron: &Value) -> Vec<Arc<Value>> {
    store
        .controlled(cron.uid(), JOBS)
        .filter(|job| !is_true(job, "Complete") && !is_true(job, "Failed"))
        .cloned()
        .collect()
}

fn start(store: &mut Store, cron: &Value, at: Timestamp, now: Timestamp) -> bool {
    let running = active(store, cron);
    match cron.text("/spec/concurrencyPolicy") {
        "Forbid" if !running.is_empty() => {
            let message =
                "Not starting job because prior execution is running and concurrency policy is Forbid";
            say(store, cron, Notice { kind: "Normal", reason: "JobAlreadyActive", message, by: BY }, now);
            return false;
        }
        "Replace" => running.iter().for_each(|job| delete(store, &place_of(JOBS, job), None, now)),
        _ => {}
    }
    let name = format!("{}-{}", cron.name(), at.as_second() / 60);
    let mut job = json!({"metadata": {"name": name,
            "ownerReferences": [controlled_by(cron, "batch/v1", "CronJob")]},
        "spec": cron.pointer("/spec/jobTemplate/spec")});
    for field in ["labels", "annotations"] {
        if let Some(value) = cron.pointer(&format!("/spec/jobTemplate/metadata/{field}")) {
            job.put(&format!("/metadata/{field}"), value.clone());
        }
    }
    job.put("/metadata/annotations/batch.kubernetes.io~1cronjob-scheduled-timestamp", json!(time(at)));
    match create(store, JOBS, cron.namespace(), job, now) {
        Ok(_) => {
            let message = format!("Created job {name}");
            say(
                store,
                cron,
                Notice { kind: "Normal", reason: "SuccessfulCreate", message: &message, by: BY },
                now,
            );
            true
        }
        Err(failure) => {
            let message = format!("Error creating job: {}", failure.message);
            say(
                store,
                cron,
                Notice { kind: "Warning", reason: "FailedCreate", message: &message, by: BY },
                now,
            );
            failure.code == 409
        }
    }
}

/// Finished jobs beyond the limits are deleted, the oldest first.
fn forget(store: &mut Store, cron: &Value, now: Timestamp) {
    for (condition, field, default) in
        [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
    {
        let limit = cron.number(&format!("/spec/{field}")).unwrap_or(default);
        let mut done: Vec<Arc<Value>> =
            store.controlled(cron.uid(), JOBS).filter(|job| is_true(job, condition)).cloned().collect();
        done.sort_by_key(|job| job.text("/status/startTime").to_owned());
        let surplus = done.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
        for job in done.iter().take(surplus) {
            delete(store, &place_of(JOBS, job), None, now);
        }
    }
}

fn report(store: &mut Store, place: &Place, last: Option<Timestamp>, now: Timestamp) {
    let Some(cron) = store.at(place).cloned() else { return };
    let running = active(store, &cron);
    for job in &running {
        let ours = job.annotation("batch.kubernetes.io/cronjob-scheduled-timestamp").is_some();
        if !ours {
            let message = format!("Saw a job that the controller did not create or forgot: {}", job.name());
            let notice = Notice { kind: "Warning", reason: "UnexpectedJob", message: &message, by: BY };
            say(store, &cron, notice, now);
        }
    }
    let active: Vec<Value> = running
        .iter()
        .filter(|job| job.annotation("batch.kubernetes.io/cronjob-scheduled-timestamp").is_some())
        .map(|job| {
            json!({"kind": "Job", "namespace": job.namespace(), "name": job.name(), "uid": job.uid(),
                "apiVersion": "batch/v1", "resourceVersion": job.text("/metadata/resourceVersion")})
        })
        .collect();
    let succeeded = store.controlled(cron.uid(), JOBS).map(|job| job.text("/status/completionTime")).max();
    let succeeded = succeeded.filter(|time| !time.is_empty()).map(str::to_owned);
    change_status(store, place, now, |cron| {
        let before = cron.text("/status/lastSuccessfulTime").to_owned();
        let mut status = json!({});
        if !active.is_empty() {
            status.put("/active", Value::Array(active));
        }
        if let Some(last) = last {
            status.put("/lastScheduleTime", json!(time(last)));
        }
        if let Some(succeeded) = succeeded.or(Some(before).filter(|before| !before.is_empty())) {
            status.put("/lastSuccessfulTime", json!(succeeded));
        }
        cron.put("/status", status);
    });
}
