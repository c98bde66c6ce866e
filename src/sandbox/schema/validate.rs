//! The rules of the built-in kinds, in the words of the API server.

mod access;
mod cron;
mod definition;
mod metadata;
mod names;
mod network;
mod pod;
mod policy;
mod selector;
mod storage;
mod volumes;
mod workload;

use serde_json::{Map, Value};

use super::{Cause, ResourceType};

/// Checks a decoded object with its defaults; `before` is what it was.
pub(super) fn validate(
    resource: &ResourceType,
    object: &Value,
    before: Option<&Value>,
    custom: bool,
) -> Findings {
    let mut found = Findings::default();
    metadata::check(resource, object, before, &mut found);
    if custom {
        return found;
    }
    let spec = at(object, "/spec");
    let old = before.map(|before| at(before, "/spec"));
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "ConfigMap") => storage::config_map(object, before, &mut found),
        ("", "Secret") => storage::secret(object, before, &mut found),
        ("", "Pod") => pod::pod(spec, old, &mut found),
        ("", "Service") => network::service(spec, old, &mut found),
        ("", "PersistentVolumeClaim") => storage::claim(spec, old, at(object, "/status"), &mut found),
        ("", "ResourceQuota") => policy::quota(spec, &mut found),
        ("apps", "Deployment") => workload::deployment(spec, old, &mut found),
        ("apps", "ReplicaSet") => workload::replica_set(spec, old, &mut found),
        ("apps", "StatefulSet") => workload::stateful_set(spec, old, &mut found),
        ("apps", "DaemonSet") => workload::daemon_set(spec, old, &mut found),
        ("batch", "Job") => workload::job(spec, old, &mut found),
        ("batch", "CronJob") => workload::cron_job(spec, &mut found),
        ("networking.k8s.io", "Ingress") => network::ingress(spec, &mut found),
        ("networking.k8s.io", "NetworkPolicy") => network::policy(spec, &mut found),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(spec, &mut found),
        ("policy", "PodDisruptionBudget") => policy::disruption_budget(spec, &mut found),
        ("rbac.authorization.k8s.io", "Role") => access::role(object, true, &mut found),
        ("rbac.authorization.k8s.io", "ClusterRole") => access::role(object, false, &mut found),
        ("rbac.authorization.k8s.io", "RoleBinding") => access::binding(object, before, true, &mut found),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => {
            access::binding(object, before, false, &mut found)
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition::check(object, &mut found),
        _ => {}
    }
    found
}

/// What is wrong with an object, in the order in which the API server tells it.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) causes: Vec<Cause>,
}

impl Findings {
    fn add(&mut self, reason: &'static str, field: impl Into<String>, message: String) {
        self.causes.push(Cause { reason, field: field.into(), message });
    }

    fn required(&mut self, field: impl Into<String>, detail: &str) {
        let joint = if detail.is_empty() { "" } else { ": " };
        self.add("FieldValueRequired", field, format!("Required value{joint}{detail}"));
    }

    fn invalid(&mut self, field: impl Into<String>, value: &Value, detail: &str) {
        self.add("FieldValueInvalid", field, format!("Invalid value: {}: {detail}", shown(value)));
    }

    fn invalid_text(&mut self, field: impl Into<String>, value: &str, detail: &str) {
        self.add("FieldValueInvalid", field, format!("Invalid value: {value:?}: {detail}"));
    }

    fn duplicate(&mut self, field: impl Into<String>, value: &str) {
        self.add("FieldValueDuplicate", field, format!("Duplicate value: {value}"));
    }

    fn forbidden(&mut self, field: impl Into<String>, detail: &str) {
        self.add("FieldValueForbidden", field, format!("Forbidden: {detail}"));
    }

    fn unsupported(&mut self, field: impl Into<String>, value: &str, supported: &[&str]) {
        let supported: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        self.add("FieldValueNotSupported", field, message);
    }

    /// A text that must be one of some.
    fn one_of(&mut self, field: impl Into<String>, value: &str, supported: &[&str]) {
        if !supported.contains(&value) {
            self.unsupported(field, &format!("{value:?}"), supported);
        }
    }

    fn immutable(&mut self, field: &str, value: &Value, before: &Value) {
        if value != before {
            self.invalid(field, value, "field is immutable");
        }
    }

    fn not_negative(&mut self, field: impl Into<String>, value: &Value) {
        if value.as_i64().is_some_and(|number| number < 0) {
            self.invalid(field, value, "must be greater than or equal to 0");
        }
    }
}

/// As the API server prints a value: texts quoted, structures as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

static NULL: Value = Value::Null;

/// Part of an object; null if it is not there.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&NULL)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or(0)
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn entries<'a>(value: &'a Value, key: &str) -> Vec<(&'a String, &'a Value)> {
    let map: Option<&Map<String, Value>> = value.get(key).and_then(Value::as_object);
    let mut entries: Vec<_> = map.into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    entries
}

fn has(value: &Value, key: &str) -> bool {
    value.get(key).is_some_and(|value| !value.is_null())
}
