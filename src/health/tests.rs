//! Health by example: every kind with a good and a bad one.

use super::*;
use serde_json::json;

fn check(group: &str, kind: &str, object: Value) -> (HealthStatus, String, bool) {
    let now = "2026-01-01T00:10:00Z".parse().unwrap();
    let health = assess(&GroupKind::new(group, kind), &object, now);
    (health.status, health.message, health.is_final)
}

fn deployment(status: Value) -> (HealthStatus, String, bool) {
    check(
        "apps",
        "Deployment",
        json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}),
    )
}

#[test]
fn a_stale_status_is_never_healthy() {
    let stale = json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
    assert_eq!(deployment(stale).0, HealthStatus::Progressing);
    assert_eq!(deployment(json!({})).0, HealthStatus::Progressing);
    let custom = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}});
    assert_eq!(check("example.com", "Widget", custom).0, HealthStatus::Progressing);
    let condition = json!({"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}});
    assert_eq!(check("example.com", "Widget", condition).0, HealthStatus::Progressing);
}

#[test]
fn a_deployment_says_how_far_it_is() {
    let at = |updated, total, available| {
        deployment(
            json!({"observedGeneration": 2, "replicas": total, "updatedReplicas": updated, "availableReplicas": available}),
        )
    };
    assert_eq!(at(1, 3, 3).1, "1 of 3 replicas updated");
    assert_eq!(at(3, 4, 3).1, "1 old replicas still there");
    assert_eq!(at(3, 3, 2).1, "2 of 3 replicas available");
    assert_eq!(at(3, 3, 3).0, HealthStatus::Healthy);
    let late = json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]});
    assert_eq!(
        deployment(late),
        (HealthStatus::Degraded, "progress deadline exceeded: timed out".into(), true)
    );
}

#[test]
fn pods_say_why_they_do_not_run() {
    let waiting = |reason: &str| {
        json!({"status": {"phase": "Pending", "containerStatuses": [{"name": "web", "image": "shop/web:1",
            "state": {"waiting": {"reason": reason, "message": "back-off"}}, "lastState": {"terminated": {"exitCode": 3}}}]}})
    };
    assert_eq!(
        check("", "Pod", waiting("CrashLoopBackOff")).1,
        "container web crashes with exit code 3: back-off"
    );
    assert!(
        check("", "Pod", waiting("ImagePullBackOff"))
            .1
            .starts_with("container web cannot pull its image shop/web:1")
    );
    assert_eq!(check("", "Pod", waiting("ContainerCreating")).0, HealthStatus::Progressing);
    let unschedulable = json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "no nodes", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    assert_eq!(
        check("", "Pod", unschedulable),
        (HealthStatus::Degraded, "cannot be scheduled: no nodes".into(), false)
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_kind_has_a_good_and_a_bad_example() {
    let rows: &[(&str, &str, Value, HealthStatus)] = &[
        (
            "apps",
            "StatefulSet",
            json!({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1, "readyReplicas": 2, "currentRevision": "a", "updateRevision": "a"}}),
            HealthStatus::Healthy,
        ),
        (
            "apps",
            "StatefulSet",
            json!({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1, "readyReplicas": 2, "currentRevision": "a", "updateRevision": "b"}}),
            HealthStatus::Progressing,
        ),
        (
            "apps",
            "DaemonSet",
            json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}}),
            HealthStatus::Healthy,
        ),
        (
            "apps",
            "DaemonSet",
            json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}}),
            HealthStatus::Progressing,
        ),
        (
            "apps",
            "ReplicaSet",
            json!({"metadata": {"generation": 1}, "spec": {"replicas": 1}, "status": {"observedGeneration": 1, "availableReplicas": 1}}),
            HealthStatus::Healthy,
        ),
        (
            "apps",
            "ReplicaSet",
            json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]}}),
            HealthStatus::Degraded,
        ),
        (
            "batch",
            "Job",
            json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
            HealthStatus::Healthy,
        ),
        (
            "batch",
            "Job",
            json!({"status": {"conditions": [{"type": "Failed", "status": "True"}]}}),
            HealthStatus::Degraded,
        ),
        ("batch", "CronJob", json!({}), HealthStatus::Healthy),
        ("batch", "CronJob", json!({"spec": {"suspend": true}}), HealthStatus::Suspended),
        ("", "PersistentVolumeClaim", json!({"status": {"phase": "Bound"}}), HealthStatus::Healthy),
        ("", "PersistentVolumeClaim", json!({"status": {"phase": "Lost"}}), HealthStatus::Degraded),
        ("", "Service", json!({"spec": {"type": "ClusterIP"}}), HealthStatus::Healthy),
        ("", "Service", json!({"spec": {"type": "LoadBalancer"}}), HealthStatus::Progressing),
        ("networking.k8s.io", "Ingress", json!({}), HealthStatus::Healthy),
        ("", "Namespace", json!({"status": {"phase": "Terminating"}}), HealthStatus::Progressing),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            json!({"status": {"conditions": [{"type": "Established", "status": "True"}]}}),
            HealthStatus::Healthy,
        ),
        ("apiextensions.k8s.io", "CustomResourceDefinition", json!({}), HealthStatus::Progressing),
        (
            "apiregistration.k8s.io",
            "APIService",
            json!({"status": {"conditions": [{"type": "Available", "status": "True"}]}}),
            HealthStatus::Healthy,
        ),
        (
            "autoscaling",
            "HorizontalPodAutoscaler",
            json!({"status": {"conditions": [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale"}]}}),
            HealthStatus::Degraded,
        ),
        (
            "policy",
            "PodDisruptionBudget",
            json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}),
            HealthStatus::Progressing,
        ),
        (
            "example.com",
            "Widget",
            json!({"status": {"conditions": [{"type": "Ready", "status": "False", "message": "no"}]}}),
            HealthStatus::Progressing,
        ),
        (
            "example.com",
            "Widget",
            json!({"status": {"conditions": [{"type": "Stalled", "status": "True"}]}}),
            HealthStatus::Degraded,
        ),
        ("example.com", "Widget", json!({}), HealthStatus::Healthy),
        (
            "",
            "ConfigMap",
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            HealthStatus::Progressing,
        ),
    ];
    for (group, kind, object, status) in rows {
        assert_eq!(check(group, kind, object.clone()).0, *status, "{kind} {object}");
    }
}

#[test]
fn odd_objects_do_not_panic() {
    for (group, kind, _) in TABLE {
        for object in [
            json!(null),
            json!([]),
            json!({"status": 1}),
            json!({"spec": [], "status": {"conditions": {"a": 1}}, "metadata": "x"}),
        ] {
            let _ = check(group, kind, object);
        }
    }
}
