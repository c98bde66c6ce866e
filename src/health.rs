//! One object → its health: a table of functions per kind, and the rules of kstatus for everything else. Pure
//! functions of one object and the time; they fetch nothing. A status that is older than the object's spec
//! never counts as healthy.

mod conditions;
mod storage;
mod workload;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::health::{Health, HealthStatus};
use crate::model::resource::GroupKind;

type Assess = fn(&Value, Timestamp) -> Health;

/// Kinds with rules of their own; all others follow their conditions.
const TABLE: &[(&str, &str, Assess)] = &[
    ("apps", "Deployment", workload::deployment),
    ("apps", "StatefulSet", workload::stateful_set),
    ("apps", "DaemonSet", workload::daemon_set),
    ("apps", "ReplicaSet", workload::replica_set),
    ("batch", "Job", workload::job),
    ("batch", "CronJob", workload::cron_job),
    ("", "Pod", workload::pod),
    ("", "PersistentVolumeClaim", storage::persistent_volume_claim),
    ("", "Service", storage::service),
    ("networking.k8s.io", "Ingress", storage::ingress),
    ("", "Namespace", storage::namespace),
    ("apiextensions.k8s.io", "CustomResourceDefinition", conditions::custom_resource_definition),
    ("apiregistration.k8s.io", "APIService", conditions::api_service),
    ("autoscaling", "HorizontalPodAutoscaler", conditions::horizontal_pod_autoscaler),
    ("policy", "PodDisruptionBudget", conditions::pod_disruption_budget),
];

/// The health of one live object.
pub fn assess(kind: &GroupKind, object: &Value, now: Timestamp) -> Health {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Health::progressing("is being deleted");
    }
    let rule = TABLE.iter().find(|(group, name, _)| kind.is(group, name));
    match rule {
        Some((_, _, assess)) => assess(object, now),
        None => conditions::any_kind(object),
    }
}

/// The worst health of several: what an application shows.
pub fn roll_up<'a>(healths: impl IntoIterator<Item = &'a Health>) -> HealthStatus {
    healths.into_iter().map(|health| health.status).max().unwrap_or(HealthStatus::Healthy)
}

/// A whole number at a path; 0 where there is none.
fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// A text at a path.
fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// Whether the controller has not seen the newest spec yet. An object whose kind reports no observed
/// generation at all is not behind.
fn is_behind(object: &Value) -> bool {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    matches!((generation, observed), (Some(generation), Some(observed)) if observed < generation)
}

/// Like [`is_behind`], for kinds whose controller always reports: no report yet means behind.
fn is_unreported(object: &Value) -> bool {
    object.pointer("/status/observedGeneration").is_none() || is_behind(object)
}

#[cfg(test)]
mod tests;
