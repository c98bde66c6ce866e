//! The simulated controllers, in virtual time.

use moorline::sandbox::request::Method;
use serde_json::{Value, json};

use super::{DEPLOYMENTS, PODS, World, deployment};

fn names(world: &mut World, uri: &str) -> Vec<String> {
    let list = world.get(uri);
    let items = list["items"].as_array().unwrap_or_else(|| panic!("{list}")).clone();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn condition(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|one| one["type"] == kind);
    found.map_or("none".to_owned(), |one| format!("{} {}", one["status"], one["reason"]).replace('"', ""))
}

#[test]
fn a_deployment_rolls_out_back_and_away() {
    let mut world = World::new(1);
    world.create(DEPLOYMENTS, deployment("web", 2, "web:1"));
    let uri = format!("{DEPLOYMENTS}/web");
    world.pass(0);
    assert_eq!(condition(&world.get(&uri), "Available"), "False MinimumReplicasUnavailable");
    world.pass(2);
    let live = world.get(&uri);
    assert_eq!(live["status"]["availableReplicas"], 2);
    assert_eq!(condition(&live, "Progressing"), "True NewReplicaSetAvailable");
    let image = |tag: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": format!("web:{tag}")}]}}}});
    world.send_with(Method::Patch, &uri, image("missing"));
    world.pass(599);
    assert_eq!(condition(&world.get(&uri), "Progressing"), "True ReplicaSetUpdated");
    world.pass(10);
    let stuck = world.get(&uri);
    assert_eq!(condition(&stuck, "Progressing"), "False ProgressDeadlineExceeded");
    assert_eq!(condition(&stuck, "Available"), "True MinimumReplicasAvailable");
    world.send_with(Method::Patch, &uri, image("1"));
    world.pass(5);
    let back = world.get(&uri);
    assert_eq!(back["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
    assert_eq!((&back["status"]["replicas"], &back["status"]["updatedReplicas"]), (&json!(2), &json!(2)));
    world.send(Method::Delete, &uri);
    world.pass(1);
    assert_eq!(names(&mut world, PODS), Vec::<String>::new());
    assert_eq!(names(&mut world, "/apis/apps/v1/replicasets"), Vec::<String>::new());
}

#[test]
fn a_crashing_pod_is_started_ever_later() {
    let mut world = World::new(1);
    let pod =
        json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "web:crash"}]}});
    world.create(PODS, pod);
    let uri = format!("{PODS}/a");
    let mut seen = Vec::new();
    for seconds in [1, 2, 10, 1, 20] {
        world.pass(seconds);
        let status = world.get(&uri)["status"]["containerStatuses"][0].clone();
        let state = status["state"].as_object().unwrap().keys().next().unwrap().clone();
        let reason = status["state"][&state]["reason"].as_str().unwrap_or_default().to_owned();
        seen.push(format!("{state} {reason} {}", status["restartCount"]));
    }
    assert_eq!(
        seen,
        [
            "running  0",
            "waiting CrashLoopBackOff 1",
            "running  2",
            "waiting CrashLoopBackOff 2",
            "running  3"
        ]
    );
}

#[test]
fn a_quota_stops_what_is_too_much_and_lets_it_in_later() {
    let mut world = World::new(1);
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    world.create(quotas, json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}));
    world.create(DEPLOYMENTS, deployment("web", 2, "web:1"));
    world.pass(3);
    let uri = format!("{DEPLOYMENTS}/web");
    let live = world.get(&uri);
    assert_eq!(live["status"]["availableReplicas"], 1);
    assert_eq!(condition(&live, "ReplicaFailure"), "True FailedCreate");
    assert_eq!(world.get(&format!("{quotas}/few"))["status"]["used"]["pods"], "1");
    world.send_with(Method::Patch, &format!("{quotas}/few"), json!({"spec": {"hard": {"pods": "5"}}}));
    world.pass(3);
    let live = world.get(&uri);
    assert_eq!(
        (live["status"]["availableReplicas"].as_i64(), condition(&live, "ReplicaFailure")),
        (Some(2), "none".into())
    );
}

#[test]
fn stateful_pods_come_in_order_with_their_claims() {
    let mut world = World::new(1);
    let set = json!({"metadata": {"name": "db"}, "spec": {"serviceName": "db", "replicas": 2,
        "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": "db:1"}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}}]}});
    world.create("/apis/apps/v1/namespaces/default/statefulsets", set);
    world.pass(0);
    assert_eq!(names(&mut world, PODS), ["db-0"]);
    world.pass(2);
    assert_eq!(names(&mut world, PODS), ["db-0", "db-1"]);
    world.pass(2);
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    assert_eq!(names(&mut world, claims), ["data-db-0", "data-db-1"]);
    assert_eq!(world.get(&format!("{claims}/data-db-0"))["status"]["phase"], "Bound");
    let live = world.get("/apis/apps/v1/namespaces/default/statefulsets/db");
    assert_eq!(live["status"]["readyReplicas"], 2);
    assert_eq!(live["status"]["currentRevision"], live["status"]["updateRevision"]);
}

#[test]
fn jobs_complete_fail_and_come_by_the_clock() {
    let mut world = World::new(1);
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let job = |name: &str, image: &str, limit: i64| {
        json!({"metadata": {"name": name}, "spec": {"backoffLimit": limit, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}}})
    };
    world.create(jobs, job("good", "job:1", 6));
    world.create(jobs, job("bad", "job:crash", 0));
    world.pass(5);
    assert_eq!(condition(&world.get(&format!("{jobs}/good")), "Complete"), "True CompletionsReached");
    assert_eq!(condition(&world.get(&format!("{jobs}/bad")), "Failed"), "True BackoffLimitExceeded");
    let cron = json!({"metadata": {"name": "often"}, "spec": {"schedule": "* * * * *",
        "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "c", "image": "job:1"}]}}}}}});
    world.create("/apis/batch/v1/namespaces/default/cronjobs", cron);
    world.pass(10 * 60);
    let kept = names(&mut world, jobs).iter().filter(|name| name.starts_with("often-")).count();
    assert_eq!(kept, 3, "the history keeps three that succeeded");
}

#[test]
fn owners_take_their_dependents_along_unless_told_otherwise() {
    for (policy, left, waits) in [("Background", 0, false), ("Foreground", 0, true), ("Orphan", 1, true)] {
        let mut world = World::new(1);
        world.create(DEPLOYMENTS, deployment("web", 1, "web:1"));
        world.pass(3);
        let uri = format!("{DEPLOYMENTS}/web?propagationPolicy={policy}");
        let response = world.send(Method::Delete, &uri);
        assert_eq!(response.value()["metadata"]["deletionTimestamp"].is_string(), waits, "{policy}");
        world.pass(3);
        assert_eq!(names(&mut world, DEPLOYMENTS).len(), 0, "{policy}");
        assert_eq!(names(&mut world, "/apis/apps/v1/replicasets").len(), left, "{policy}");
        assert_eq!(names(&mut world, PODS).len(), left, "{policy}");
    }
}

#[test]
fn a_namespace_goes_with_all_that_is_in_it() {
    let mut world = World::new(1);
    world.create("/api/v1/namespaces", json!({"metadata": {"name": "team"}}));
    world.pass(0);
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/wait"]}});
    world.create("/api/v1/namespaces/team/configmaps", held);
    world.create("/apis/apps/v1/namespaces/team/deployments", deployment("web", 1, "web:1"));
    world.pass(3);
    world.send(Method::Delete, "/api/v1/namespaces/team");
    world.pass(3);
    assert_eq!(world.get("/api/v1/namespaces/team")["status"]["phase"], "Terminating");
    assert_eq!(names(&mut world, "/api/v1/namespaces/team/configmaps"), ["held"]);
    let refused = world.send_with(
        Method::Post,
        "/api/v1/namespaces/team/configmaps",
        json!({"metadata": {"name": "x"}}),
    );
    assert_eq!(refused.code, 403);
    let release = json!({"metadata": {"finalizers": null}});
    world.send_with(Method::Patch, "/api/v1/namespaces/team/configmaps/held", release);
    world.pass(1);
    assert_eq!(world.send(Method::Get, "/api/v1/namespaces/team").code, 404);
}
