//! One object in the versions in which it may be asked for.

use std::sync::Arc;

use serde_json::{Value, json};

use super::catalog::Resource;
use super::object::Fields;

/// Whether an object is kept in the very version that is asked for.
pub fn is_written_as(object: &Value, resource: &Resource) -> bool {
    object.get("apiVersion").and_then(Value::as_str) == Some(resource.api_version.as_str())
}

/// The object in the version that is asked for.
pub fn read_as(object: &Arc<Value>, resource: &Resource) -> Arc<Value> {
    if is_written_as(object, resource) {
        return object.clone();
    }
    let mut converted = object.as_ref().clone();
    match (resource.collection.as_str(), resource.api_version.as_str()) {
        ("events", "events.k8s.io/v1") => rename(&mut converted, EVENT_FIELDS, false),
        ("horizontalpodautoscalers.autoscaling", "autoscaling/v1") => autoscaler_to_v1(&mut converted),
        _ => {}
    }
    converted.put("/apiVersion", json!(resource.api_version));
    Arc::new(converted)
}

/// Turns an object as it was sent into the version in which it is kept.
pub fn keep_as(object: &mut Value, resource: &Resource) {
    match (resource.collection.as_str(), resource.api_version.as_str()) {
        ("events", "events.k8s.io/v1") => {
            rename(object, EVENT_FIELDS, true);
            object.put("/apiVersion", json!("v1"));
        }
        ("horizontalpodautoscalers.autoscaling", "autoscaling/v1") => {
            autoscaler_to_v2(object);
            object.put("/apiVersion", json!("autoscaling/v2"));
        }
        _ => {}
    }
}

/// Fields of an event: as it is kept, as `events.k8s.io` writes them.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename(object: &mut Value, fields: &[(&str, &str)], keep: bool) {
    let Some(map) = object.as_object_mut() else { return };
    for (kept, shown) in fields {
        let (from, to) = if keep { (shown, kept) } else { (kept, shown) };
        if let Some(value) = map.shift_remove(*from) {
            map.insert((*to).to_owned(), value);
        }
    }
}

fn autoscaler_to_v2(object: &mut Value) {
    if let Some(percentage) = object.take_out("/spec/targetCPUUtilizationPercentage") {
        let metric = json!({"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": percentage}}});
        object.put("/spec/metrics", json!([metric]));
    }
    if let Some(percentage) = object.take_out("/status/currentCPUUtilizationPercentage") {
        let metric = json!({"type": "Resource", "resource": {"name": "cpu",
            "current": {"averageUtilization": percentage}}});
        object.put("/status/currentMetrics", json!([metric]));
    }
}

fn autoscaler_to_v1(object: &mut Value) {
    let metrics = object.take_out("/spec/metrics").unwrap_or_default();
    let cpu = metrics.as_array().into_iter().flatten().find(|metric| metric.text("/resource/name") == "cpu");
    if let Some(percentage) = cpu.and_then(|metric| metric.number("/resource/target/averageUtilization")) {
        object.put("/spec/targetCPUUtilizationPercentage", json!(percentage));
    }
    object.take_out("/spec/behavior");
    object.take_out("/status/currentMetrics");
    object.take_out("/status/conditions");
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::super::schema::Schemas;
    use super::*;

    #[test]
    fn an_event_is_the_same_in_both_groups() {
        let catalog = Catalog::of(&Schemas::built_in(), std::iter::empty());
        let (Some(new), Some(old)) =
            (catalog.find("events.k8s.io", "v1", "events"), catalog.find("", "v1", "events"))
        else {
            panic!("both groups serve events");
        };
        let sent = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "hello",
            "regarding": {"name": "a"}, "reportingController": "c"});
        let mut kept = sent.clone();
        keep_as(&mut kept, new);
        assert_eq!((kept.text("/message"), kept.text("/involvedObject/name")), ("hello", "a"));
        assert!(is_written_as(&kept, old));
        assert_eq!(*read_as(&Arc::new(kept), new), sent);
    }
}
