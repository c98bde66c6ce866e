//! Health by conditions: kinds with known ones, and kstatus' rules for any custom resource
//! (cli-utils/pkg/kstatus/status/generic.go).

use jiff::Timestamp;
use serde_json::Value;

use super::{is_behind, text};
use crate::model::health::Health;

/// The condition of a type.
pub(super) fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| text(condition, "/type") == Some(name))
}

/// A condition's message, else its reason.
pub(super) fn message_of(condition: &Value) -> String {
    let words =
        text(condition, "/message").filter(|text| !text.is_empty()).or_else(|| text(condition, "/reason"));
    words.unwrap_or("no reason given").chars().take(500).collect()
}

fn is_true(object: &Value, name: &str) -> bool {
    condition(object, name).and_then(|one| text(one, "/status")) == Some("True")
}

/// Established and its names accepted.
pub(super) fn custom_resource_definition(object: &Value, _now: Timestamp) -> Health {
    if let Some(names) = condition(object, "NamesAccepted")
        && text(names, "/status") == Some("False")
    {
        return Health::failed(format!("its names are taken: {}", message_of(names)));
    }
    if is_true(object, "Established") {
        return Health::healthy();
    }
    Health::progressing("is not established yet")
}

/// Available.
pub(super) fn api_service(object: &Value, _now: Timestamp) -> Health {
    match condition(object, "Available") {
        Some(available) if text(available, "/status") == Some("True") => Health::healthy(),
        Some(available) => Health::progressing(format!("is not available: {}", message_of(available))),
        None => Health::progressing("is not available yet"),
    }
}

/// Able to scale; missing metrics at the start are no failure.
pub(super) fn horizontal_pod_autoscaler(object: &Value, _now: Timestamp) -> Health {
    const FAILURES: [&str; 4] =
        ["FailedGetScale", "FailedUpdateScale", "InvalidSelector", "InvalidMetricSourceType"];
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let failure = conditions.into_iter().flatten().find(|condition| {
        text(condition, "/status") == Some("False")
            && text(condition, "/reason").is_some_and(|reason| FAILURES.contains(&reason))
    });
    failure.map_or_else(Health::healthy, |condition| Health::degraded(message_of(condition)))
}

/// Seen by its controller.
pub(super) fn pod_disruption_budget(object: &Value, _now: Timestamp) -> Health {
    if is_behind(object) {
        return Health::progressing("the controller has not seen the newest version yet");
    }
    Health::healthy()
}

/// Any other kind: its generation seen, not stalled, not reconciling, ready where it says so.
pub(super) fn any_kind(object: &Value) -> Health {
    if is_behind(object) {
        return Health::progressing("its controller has not seen the newest version yet");
    }
    if let Some(stalled) = condition(object, "Stalled").filter(|_| is_true(object, "Stalled")) {
        return Health::failed(message_of(stalled));
    }
    if let Some(reconciling) = condition(object, "Reconciling").filter(|_| is_true(object, "Reconciling")) {
        return Health::progressing(message_of(reconciling));
    }
    for name in ["Ready", "Available"] {
        let Some(one) = condition(object, name) else {
            continue;
        };
        // A condition about an older spec says nothing of this one.
        let observed = one.pointer("/observedGeneration").and_then(Value::as_i64);
        let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
        if matches!((observed, generation), (Some(observed), Some(generation)) if observed < generation) {
            return Health::progressing("its controller has not seen the newest version yet");
        }
        return match text(one, "/status") {
            Some("True") => Health::healthy(),
            Some("False") => Health::progressing(message_of(one)),
            _ => Health::progressing(format!("{name} is not known yet")),
        };
    }
    Health::healthy()
}
