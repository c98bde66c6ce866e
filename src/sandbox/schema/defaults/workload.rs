//! Defaults of what runs pods, and of what scales it.

use serde_json::{Map, Value, json};

use super::{Filler, inner, lacks, lacks_items, present, set, text};

pub(super) fn filler(structure: &str) -> Option<Filler> {
    Some(match structure {
        "Deployment" => deployment,
        "DaemonSet" => daemon_set,
        "StatefulSet" => stateful_set,
        "ReplicaSetSpec" => |map| set(map, "replicas", 1),
        "Job" => job,
        "CronJobSpec" => |map| {
            set(map, "concurrencyPolicy", "Allow");
            set(map, "suspend", false);
            set(map, "successfulJobsHistoryLimit", 3);
            set(map, "failedJobsHistoryLimit", 1);
        },
        "PodFailurePolicyOnPodConditionsPattern" => |map| set(map, "status", "True"),
        _ => return None,
    })
}

fn deployment(map: &mut Map<String, Value>) {
    let Some(spec) = inner(map, "spec") else { return };
    set(spec, "replicas", 1);
    if let Some(strategy) = inner(spec, "strategy") {
        set(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = inner(strategy, "rollingUpdate")
        {
            if lacks_value(rolling, "maxUnavailable") {
                rolling.insert("maxUnavailable".to_owned(), json!("25%"));
            }
            if lacks_value(rolling, "maxSurge") {
                rolling.insert("maxSurge".to_owned(), json!("25%"));
            }
        }
    }
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
}

fn lacks_value(map: &Map<String, Value>, key: &str) -> bool {
    map.get(key).is_none_or(Value::is_null)
}

fn daemon_set(map: &mut Map<String, Value>) {
    let Some(spec) = inner(map, "spec") else { return };
    if let Some(strategy) = inner(spec, "updateStrategy") {
        set(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = inner(strategy, "rollingUpdate")
        {
            set(rolling, "maxUnavailable", 1);
            set(rolling, "maxSurge", 0);
        }
    }
    set(spec, "revisionHistoryLimit", 10);
}

fn stateful_set(map: &mut Map<String, Value>) {
    let Some(spec) = inner(map, "spec") else { return };
    set(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = inner(spec, "updateStrategy") {
        if lacks(strategy, "type") {
            strategy.insert("type".to_owned(), json!("RollingUpdate"));
            let _ = inner(strategy, "rollingUpdate");
        }
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = present(strategy, "rollingUpdate")
        {
            set(rolling, "partition", 0);
            set(rolling, "maxUnavailable", 1);
        }
    }
    if let Some(policy) = inner(spec, "persistentVolumeClaimRetentionPolicy") {
        set(policy, "whenDeleted", "Retain");
        set(policy, "whenScaled", "Retain");
    }
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
}

fn job(map: &mut Map<String, Value>) {
    let Some(spec) = inner(map, "spec") else { return };
    if lacks(spec, "completions") && lacks(spec, "parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    set(spec, "parallelism", 1);
    let limit = if lacks(spec, "backoffLimitPerIndex") { 6 } else { i32::MAX };
    set(spec, "backoffLimit", limit);
    set(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    let policy = if lacks(spec, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
    set(spec, "podReplacementPolicy", policy);
    set(spec, "manualSelector", false);
    let labels = spec.get("template").and_then(|template| template.pointer("/metadata/labels")).cloned();
    if let (Some(labels), Some(metadata)) = (labels, inner(map, "metadata"))
        && lacks_items(metadata, "labels")
    {
        metadata.insert("labels".to_owned(), labels);
    }
}

pub(super) fn autoscaling_v1(structure: &str) -> Option<Filler> {
    match structure {
        "HorizontalPodAutoscalerSpec" => Some(|map| set(map, "minReplicas", 1)),
        _ => None,
    }
}

pub(super) fn autoscaling_v2(structure: &str) -> Option<Filler> {
    match structure {
        "HorizontalPodAutoscalerSpec" => Some(|map| {
            set(map, "minReplicas", 1);
            if lacks_items(map, "metrics") {
                let target = json!({"type": "Utilization", "averageUtilization": 80});
                let metric = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
                map.insert("metrics".to_owned(), metric);
            }
        }),
        "HorizontalPodAutoscalerBehavior" => Some(behavior),
        _ => None,
    }
}

fn behavior(map: &mut Map<String, Value>) {
    if let Some(up) = inner(map, "scaleUp") {
        set(up, "stabilizationWindowSeconds", 0);
        set(up, "selectPolicy", "Max");
        if lacks(up, "policies") {
            let policies = json!([
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ]);
            up.insert("policies".to_owned(), policies);
        }
    }
    if let Some(down) = inner(map, "scaleDown") {
        set(down, "selectPolicy", "Max");
        if lacks(down, "policies") {
            let policies = json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]);
            down.insert("policies".to_owned(), policies);
        }
    }
}
