//! Rules of what runs pods.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::pod;
use super::selector;
use super::{Findings, at, cron, has, items, number, text};

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

pub(super) fn deployment(spec: &Value, before: Option<&Value>, found: &mut Findings) {
    found.not_negative("spec.replicas", at(spec, "/replicas"));
    check_selector_and_template(spec, "deployment", found);
    deployment_strategy(at(spec, "/strategy"), found);
    found.not_negative("spec.minReadySeconds", at(spec, "/minReadySeconds"));
    found.not_negative("spec.revisionHistoryLimit", at(spec, "/revisionHistoryLimit"));
    if let Some(deadline) = spec.get("progressDeadlineSeconds").and_then(Value::as_i64) {
        found.not_negative("spec.progressDeadlineSeconds", &json!(deadline));
        if deadline <= number(spec, "minReadySeconds") {
            let why = "must be greater than minReadySeconds";
            found.invalid("spec.progressDeadlineSeconds", &json!(deadline), why);
        }
    }
    if let Some(before) = before {
        found.immutable("spec.selector", at(spec, "/selector"), at(before, "/selector"));
    }
}

/// A selector, and a template whose labels it selects and that restarts always.
fn check_selector_and_template(spec: &Value, kind: &str, found: &mut Findings) {
    let chosen = at(spec, "/selector");
    if chosen.is_null() {
        found.required("spec.selector", "");
    } else {
        selector::check(chosen, "spec.selector", found);
        if selector::is_empty(chosen) {
            found.invalid("spec.selector", chosen, &format!("empty selector is invalid for {kind}"));
        }
    }
    if !selector::is_readable(chosen) {
        if kind == "statefulset" {
            found.invalid("spec.selector", chosen, "");
        } else {
            found.invalid("spec.selector", chosen, "invalid label selector");
        }
        return;
    }
    let template = at(spec, "/template");
    let labels = at(template, "/metadata/labels");
    if chosen.is_null() || (!selector::is_empty(chosen) && !selector::selects(chosen, labels)) {
        let why = "`selector` does not match template `labels`";
        found.invalid("spec.template.metadata.labels", labels, why);
    }
    check_template(template, "spec.template", found);
    restarts_always(template, found);
}

fn restarts_always(template: &Value, found: &mut Findings) {
    let policy = text(at(template, "/spec"), "restartPolicy");
    if policy != "Always" {
        found.unsupported("spec.template.spec.restartPolicy", &format!("{policy:?}"), &["Always"]);
    }
}

fn check_template(template: &Value, field: &str, found: &mut Findings) {
    super::metadata::labels(at(template, "/metadata"), &format!("{field}.labels"), found);
    pod::check(at(template, "/spec"), &format!("{field}.spec"), found);
}

fn deployment_strategy(strategy: &Value, found: &mut Findings) {
    let rolling = at(strategy, "/rollingUpdate");
    match text(strategy, "type") {
        "Recreate" => {
            if !rolling.is_null() {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                found.forbidden("spec.strategy.rollingUpdate", why);
            }
        }
        "RollingUpdate" => {
            let field = "spec.strategy.rollingUpdate";
            let (surge, unavailable) = (at(rolling, "/maxSurge"), at(rolling, "/maxUnavailable"));
            share(unavailable, &format!("{field}.maxUnavailable"), false, found);
            share(surge, &format!("{field}.maxSurge"), false, found);
            if is_zero(surge) && is_zero(unavailable) {
                let why = "may not be 0 when `maxSurge` is 0";
                found.invalid(format!("{field}.maxUnavailable"), unavailable, why);
            }
            share(unavailable, &format!("{field}.maxUnavailable"), true, found);
            found.causes.sort_by_key(|cause| {
                // Told in this order, whatever was checked first.
                cause.field == format!("{field}.maxUnavailable") && cause.message.ends_with("than 100%")
            });
        }
        other => {
            // As Go prints the API server's own type, whose fields have no other names.
            let rolling = match rolling {
                Value::Null => Value::Null,
                rolling => {
                    json!({"MaxUnavailable": rolling["maxUnavailable"], "MaxSurge": rolling["maxSurge"]})
                }
            };
            let shown = json!({"Type": other, "RollingUpdate": rolling}).to_string();
            found.unsupported("spec.strategy", &shown, &["Recreate", "RollingUpdate"]);
        }
    }
}

/// A number or a percentage; with `capped` only whether it is more than all.
fn share(value: &Value, field: &str, capped: bool, found: &mut Findings) {
    let percent =
        value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<u32>().ok());
    match value {
        Value::String(_) if percent.is_none() && !capped => found.invalid(field, value, PERCENT),
        Value::String(_) if capped && percent.is_some_and(|percent| percent > 100) => {
            found.invalid(field, value, "must not be greater than 100%");
        }
        Value::Number(_) if !capped => found.not_negative(field, value),
        _ => {}
    }
}

fn is_zero(value: &Value) -> bool {
    *value == 0 || value.as_str().is_some_and(|text| text.trim_end_matches('%').parse() == Ok(0))
}

pub(super) fn replica_set(spec: &Value, before: Option<&Value>, found: &mut Findings) {
    found.not_negative("spec.replicas", at(spec, "/replicas"));
    found.not_negative("spec.minReadySeconds", at(spec, "/minReadySeconds"));
    check_selector_and_template(spec, "replicaset", found);
    if let Some(before) = before {
        found.immutable("spec.selector", at(spec, "/selector"), at(before, "/selector"));
    }
}

pub(super) fn stateful_set(spec: &Value, before: Option<&Value>, found: &mut Findings) {
    match text(spec, "podManagementPolicy") {
        "OrderedReady" | "Parallel" => {}
        "" => found.required("spec.podManagementPolicy", ""),
        other => {
            found.invalid_text("spec.podManagementPolicy", other, "must be 'OrderedReady' or 'Parallel'");
        }
    }
    match text(at(spec, "/updateStrategy"), "type") {
        "RollingUpdate" => {
            found.not_negative(
                "spec.updateStrategy.rollingUpdate.partition",
                at(spec, "/updateStrategy/rollingUpdate/partition"),
            );
        }
        "OnDelete" => {
            if has(at(spec, "/updateStrategy"), "rollingUpdate") {
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                found.invalid(
                    "spec.updateStrategy.rollingUpdate",
                    at(spec, "/updateStrategy/rollingUpdate"),
                    why,
                );
            }
        }
        _ => {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            found.invalid("spec.updateStrategy", at(spec, "/updateStrategy"), why);
        }
    }
    found.not_negative("spec.replicas", at(spec, "/replicas"));
    found.not_negative("spec.minReadySeconds", at(spec, "/minReadySeconds"));
    check_selector_and_template(&with_claims(spec), "statefulset", found);
    if let Some(before) = before {
        for field in ["selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy"] {
            let pointer = format!("/{field}");
            found.immutable(&format!("spec.{field}"), at(spec, &pointer), at(before, &pointer));
        }
    }
}

/// The pods of a set have a volume for each of its templates of claims.
fn with_claims(spec: &Value) -> Cow<'_, Value> {
    let claims = items(spec, "volumeClaimTemplates");
    if claims.is_empty() {
        return Cow::Borrowed(spec);
    }
    let mut spec = spec.clone();
    let Some(pod) = spec.pointer_mut("/template/spec").and_then(Value::as_object_mut) else {
        return Cow::Owned(spec);
    };
    let volumes = pod.entry("volumes").or_insert_with(|| json!([]));
    for claim in claims {
        let name = text(at(claim, "/metadata"), "name");
        let known = volumes.as_array().into_iter().flatten().any(|volume| text(volume, "name") == name);
        if let Some(volumes) = volumes.as_array_mut().filter(|_| !known) {
            volumes.push(json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
        }
    }
    Cow::Owned(spec)
}

pub(super) fn daemon_set(spec: &Value, before: Option<&Value>, found: &mut Findings) {
    let chosen = at(spec, "/selector");
    if !chosen.is_null() {
        selector::check(chosen, "spec.selector", found);
    }
    let template = at(spec, "/template");
    let labels = at(template, "/metadata/labels");
    if selector::is_readable(chosen) && (chosen.is_null() || !selector::selects(chosen, labels)) {
        let why = "`selector` does not match template `labels`";
        found.invalid("spec.template.metadata.labels", labels, why);
    }
    if !chosen.is_null() && selector::is_empty(chosen) {
        found.invalid("spec.selector", chosen, "empty selector is invalid for daemonset");
    }
    check_template(template, "spec.template", found);
    restarts_always(template, found);
    found.not_negative("spec.minReadySeconds", at(spec, "/minReadySeconds"));
    let strategy = at(spec, "/updateStrategy");
    match text(strategy, "type") {
        "RollingUpdate" => {
            let rolling = at(strategy, "/rollingUpdate");
            let field = "spec.updateStrategy.rollingUpdate";
            share(at(rolling, "/maxUnavailable"), &format!("{field}.maxUnavailable"), false, found);
            share(at(rolling, "/maxSurge"), &format!("{field}.maxSurge"), false, found);
            if is_zero(at(rolling, "/maxUnavailable")) && is_zero(at(rolling, "/maxSurge")) {
                found.required(format!("{field}.maxUnavailable"), "cannot be 0 when maxSurge is 0");
            }
        }
        "OnDelete" => {}
        other => found.one_of("spec.updateStrategy", other, &["RollingUpdate", "OnDelete"]),
    }
    found.not_negative("spec.revisionHistoryLimit", at(spec, "/revisionHistoryLimit"));
    if let Some(before) = before {
        found.immutable("spec.selector", chosen, at(before, "/selector"));
    }
}

pub(super) fn job(spec: &Value, before: Option<&Value>, found: &mut Findings) {
    for field in
        ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"]
    {
        found.not_negative(format!("spec.{field}"), at(spec, &format!("/{field}")));
    }
    let mode = text(spec, "completionMode");
    if !mode.is_empty() {
        found.one_of("spec.completionMode", mode, &["NonIndexed", "Indexed"]);
        if mode == "Indexed" && !has(spec, "completions") {
            found.required("spec.completions", "when completion mode is Indexed");
        }
    }
    job_template(at(spec, "/template"), "spec.template", found);
    let Some(before) = before else { return };
    if text(before, "completionMode") != "Indexed" {
        found.immutable("spec.completions", at(spec, "/completions"), at(before, "/completions"));
    }
    found.immutable("spec.selector", at(spec, "/selector"), at(before, "/selector"));
    let suspended = before.get("suspend") == Some(&Value::Bool(true));
    let template = |spec: &Value| -> Value {
        let mut template = at(spec, "/template").clone();
        if suspended {
            // What may be set until a suspended job starts.
            let metadata = template.pointer_mut("/metadata").and_then(Value::as_object_mut);
            metadata.map(Map::clear);
            let spec = template.pointer_mut("/spec").and_then(Value::as_object_mut);
            if let Some(spec) = spec {
                for field in ["nodeSelector", "tolerations", "affinity", "schedulingGates"] {
                    spec.shift_remove(field);
                }
            }
        }
        template
    };
    found.immutable("spec.template", &template(spec), &template(before));
    found.immutable("spec.completionMode", at(spec, "/completionMode"), at(before, "/completionMode"));
}

fn job_template(template: &Value, field: &str, found: &mut Findings) {
    check_template(template, field, found);
    let supported = "valid values: \"OnFailure\", \"Never\"";
    if text(at(template, "/spec"), "restartPolicy") == "Always" {
        found.required(format!("{field}.spec.restartPolicy"), supported);
    }
}

pub(super) fn cron_job(spec: &Value, found: &mut Findings) {
    found.one_of("spec.concurrencyPolicy", text(spec, "concurrencyPolicy"), &["Allow", "Forbid", "Replace"]);
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        found.required("spec.schedule", "");
    } else if let Some(why) = cron::check(schedule) {
        found.invalid_text("spec.schedule", schedule, &why);
    }
    let zone = text(spec, "timeZone");
    if !zone.is_empty() && jiff::tz::TimeZone::get(zone).is_err() {
        found.invalid_text("spec.timeZone", zone, &format!("unknown time zone {zone}"));
    }
    found.not_negative("spec.startingDeadlineSeconds", at(spec, "/startingDeadlineSeconds"));
    found.not_negative("spec.successfulJobsHistoryLimit", at(spec, "/successfulJobsHistoryLimit"));
    found.not_negative("spec.failedJobsHistoryLimit", at(spec, "/failedJobsHistoryLimit"));
    job_template(at(spec, "/jobTemplate/spec/template"), "spec.jobTemplate.spec.template", found);
}
