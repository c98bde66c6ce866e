//! What differs from run to run: times, versions, uids, addresses, made-up names.

use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// What is masked in one scenario.
#[derive(Debug)]
pub(crate) struct Mask {
    pub(crate) namespace: String,
    pub(crate) managed_fields: bool,
    /// Whether what controllers write is compared.
    pub(crate) status: bool,
}

static UID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap());
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap());
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b10\.\d+\.\d+\.\d+\b").unwrap());
static RECORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"in record \(\d+\)").unwrap());
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(<unknown>|\d+s|\d+m\d*s?)$").unwrap());

impl Mask {
    pub(crate) fn text(&self, text: &str) -> String {
        let text = text.replace(&self.namespace, "NS");
        let text = UID.replace_all(&text, "UID");
        let text = TIME.replace_all(&text, "TIME");
        let text = RECORD.replace_all(&text, "in record (VERSION)");
        ADDRESS.replace_all(&text, "ADDRESS").into_owned()
    }

    /// The value with keys in order.
    pub(crate) fn value(&self, value: &Value) -> Value {
        self.inner(value, "")
    }

    fn inner(&self, value: &Value, key: &str) -> Value {
        match (key, value) {
            ("resourceVersion", Value::String(text)) if !text.is_empty() => json!("VERSION"),
            ("continue", Value::String(text)) if !text.is_empty() => json!("TOKEN"),
            // Long texts of documentation, which no client acts on.
            ("columnDefinitions", Value::Array(columns)) => {
                columns.iter().map(|column| self.column(column)).collect()
            }
            ("serverAddress", Value::String(_)) => json!("ADDRESS"),
            ("nodePort" | "healthCheckNodePort", Value::Number(_)) => json!("PORT"),
            ("pod-template-hash" | "controller-revision-hash", Value::String(_)) => json!("HASH"),
            (_, Value::String(text)) => json!(self.text(text)),
            ("cells", Value::Array(cells)) => cells.iter().map(|cell| self.cell(cell)).collect(),
            // Controllers write when they come to it.
            ("managedFields", Value::Array(entries)) if !self.status => {
                let ours = entries.iter().filter(|entry| {
                    entry.get("manager").and_then(Value::as_str) != Some("kube-controller-manager")
                });
                let mut ours: Vec<Value> = ours.map(|entry| self.inner(entry, "")).collect();
                // The server sorts by the second of each, masked by now, before the names: where one ends is chance.
                ours.sort_by_key(|entry| {
                    ["operation", "time", "manager", "apiVersion", "subresource"]
                        .map(|key| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned())
                });
                json!(ours)
            }
            ("annotations", Value::Object(map)) => {
                let mut map = map.clone();
                map.shift_remove("deployment.kubernetes.io/revision");
                self.object(&map)
            }
            (_, Value::Array(items)) => items.iter().map(|item| self.inner(item, "")).collect(),
            (_, Value::Object(map)) => self.object(map),
            (_, other) => other.clone(),
        }
    }

    fn column(&self, column: &Value) -> Value {
        let mut column = column.clone();
        column.as_object_mut().map(|column| column.shift_remove("description"));
        self.inner(&column, "")
    }

    fn cell(&self, cell: &Value) -> Value {
        match cell.as_str() {
            Some(text) if AGE.is_match(text) => json!("AGE"),
            _ => self.inner(cell, ""),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Value {
        let generated = map.get("generateName").and_then(Value::as_str);
        let mut entries: Vec<(&String, Value)> = map
            .iter()
            .filter(|(key, _)| self.managed_fields || *key != "managedFields")
            .map(|(key, value)| match (generated, key.as_str()) {
                (Some(prefix), "name") => (key, json!(format!("{prefix}*"))),
                // It covers the group, which is another in each run.
                (None, "storageVersionHash") if map.get("name") == Some(&json!("widgets")) => {
                    (key, json!("HASH"))
                }
                _ => (key, self.inner(value, key)),
            })
            .collect();
        entries.sort_by(|one, other| one.0.cmp(other.0));
        let workload = matches!(
            map.get("kind").and_then(Value::as_str),
            Some("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" | "Pod")
        );
        if workload && !self.status {
            entries.retain(|(key, _)| *key != "status");
        }
        Value::Object(entries.into_iter().map(|(key, value)| (self.text(key), value)).collect())
    }
}
