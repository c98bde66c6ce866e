//! Why a rollout does not become healthy, in words: which pod, which container, which reason, the last lines of
//! its log. Reads only what the failure makes interesting.

use jiff::Timestamp;
use serde_json::Value;

use crate::adapters::cluster::ClusterRead;
use crate::health;
use crate::model::health::HealthStatus;
use crate::model::resource::{GroupKind, ResourceId};

/// How many lines of a log are read.
const LINES: u32 = 5;
/// The longest diagnosis.
const LIMIT: usize = 1000;

/// Looks at the pods below the suspects; empty if they tell nothing more.
pub async fn diagnose(cluster: &dyn ClusterRead, suspects: &[ResourceId], now: Timestamp) -> String {
    for suspect in suspects {
        if let Some(words) = diagnose_one(cluster, suspect, now).await {
            return words.chars().take(LIMIT).collect();
        }
    }
    String::new()
}

async fn diagnose_one(cluster: &dyn ClusterRead, suspect: &ResourceId, now: Timestamp) -> Option<String> {
    let namespace = suspect.namespace.as_deref()?;
    let object = cluster.get(suspect, None).await.ok()??;
    let kind = GroupKind::new("", "Pod");
    let pods = if suspect.kind == kind {
        vec![object]
    } else {
        let selector = selector(&object)?;
        cluster.list(&kind, None, Some(namespace), Some(&selector)).await.ok()?
    };
    let mut troubled: Vec<(&Value, String)> = pods
        .iter()
        .map(|pod| (pod, health::assess(&kind, pod, now)))
        .filter(|(_, health)| health.status == HealthStatus::Degraded)
        .map(|(pod, health)| (pod, health.message))
        .collect();
    // The newest pod is the one of the version that was just tried.
    troubled.sort_by_key(|(pod, _)| {
        pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str).map(str::to_owned)
    });
    let (pod, trouble) = troubled.pop()?;
    let name = pod.pointer("/metadata/name")?.as_str()?;
    let mut words = format!("pod {name}: {trouble}");
    if let Some(container) = crashed_container(pod) {
        let log = match cluster.logs(namespace, name, container, true, LINES).await {
            Ok(log) => log,
            Err(_) => cluster.logs(namespace, name, container, false, LINES).await.unwrap_or_default(),
        };
        let log = log.trim();
        if !log.is_empty() {
            words.push_str(&format!("; last lines: {}", log.replace('\n', " ⏎ ")));
        }
    }
    Some(words)
}

/// The label selector of a workload.
fn selector(object: &Value) -> Option<String> {
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let parts: Vec<String> =
        labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

fn crashed_container(pod: &Value) -> Option<&str> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let mut statuses = lists.iter().filter_map(|at| pod.pointer(at)?.as_array()).flatten();
    let crashed = statuses.find(|status| {
        status.pointer("/lastState/terminated").is_some()
            || status.pointer("/state/terminated/exitCode").is_some_and(|code| code != 0)
    })?;
    crashed.get("name")?.as_str()
}
