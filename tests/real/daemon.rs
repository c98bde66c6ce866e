//! The main job against a real API server: brought up, quiet, healed, blocked, killed, adopted.

use std::time::Duration;

use crate::shop::{Shop, eventually};
use serde_json::{Value, json};

const NEEDS: &str = "moorline/";

#[test]
#[ignore = "needs the real parts: tests/run"]
fn three_environments_of_five_services_come_up_and_stay_quiet() {
    let shop = Shop::new("bring-up");
    let output = shop.once();
    assert_eq!(output.code, 0, "{}", output.all());
    let mut applications = 0;
    for environment in ["dev", "sandbox", "prod"] {
        let rendered: Value =
            serde_json::from_str(&shop.succeed(&["render", environment, "-o", "json"])).unwrap();
        let items = rendered["items"].as_array().unwrap();
        assert!(items.len() >= 8, "{environment}: {}", items.len());
        for item in items {
            let (kind, name) = (item["kind"].as_str().unwrap(), item["metadata"]["name"].as_str().unwrap());
            let namespace = item["metadata"]["namespace"].as_str().unwrap();
            let version = item["apiVersion"].as_str().unwrap();
            let group = version.rsplit_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
            let what = format!(
                "{}{}",
                kind.to_lowercase(),
                if group.is_empty() { group } else { format!("s{group}") }
            );
            let live = shop.kubectl(&["-n", namespace, "get", &what, name, "-o", "json"]);
            let live: Value = serde_json::from_str(&live).unwrap();
            assert_agrees(item, &live, &mut format!("{what}/{name}"));
        }
        let diff = shop.run(&["diff", environment]);
        assert_eq!(diff.code, 0, "{}", diff.all());
        for service in ["web", "api", "worker", "cache", "jobs"] {
            let record = shop.state_file(&format!("environments/{environment}/{service}.yaml"));
            assert!(record.contains("outcome: deployed"), "{environment}/{service}: {record}");
            applications += 1;
        }
    }
    assert_eq!(applications, 15);
    let audit = shop.audit();
    let output = shop.once();
    assert_eq!(output.code, 0, "{}", output.all());
    let writes: Vec<_> =
        audit.requests_of(NEEDS).into_iter().filter(super::parts::control_plane::Request::mutates).collect();
    assert!(writes.is_empty(), "{:?}", writes.iter().map(|write| &write.uri).collect::<Vec<_>>());
}

/// Everything that is rendered stands in the live object; numbers and quantities as the API server writes them.
fn assert_agrees(wanted: &Value, live: &Value, path: &mut String) {
    match (wanted, live) {
        (Value::Object(wanted), _) => {
            for (key, value) in wanted {
                let length = path.len();
                path.push_str(&format!(".{key}"));
                assert_agrees(value, &live[key.as_str()], path);
                path.truncate(length);
            }
        }
        (Value::Array(items), Value::Array(there)) => {
            assert_eq!(items.len(), there.len(), "{path}");
            items.iter().zip(there).for_each(|(item, there)| assert_agrees(item, there, path));
        }
        (Value::Null, _) => {}
        _ => assert_eq!(wanted, live, "{path}"),
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn whatever_a_person_changes_is_healed_and_what_others_add_stays() {
    let shop = Shop::new("heal");
    assert_eq!(shop.once().code, 0);
    let namespace = shop.namespace("dev");
    let daemon = shop.daemon();
    let get = |path: &str| {
        shop.kubectl(&["-n", &namespace, "get", "deployment", "api", "-o", &format!("jsonpath={path}")])
    };
    let n = namespace.as_str();
    shop.kubectl(&["-n", n, "scale", "deployment", "api", "--replicas=4"]);
    eventually("replicas", || get("{.spec.replicas}") == "2");
    shop.kubectl(&["-n", n, "set", "image", "deployment/api", "api=example.com/other:9"]);
    eventually("image", || get("{.spec.template.spec.containers[0].image}") == "example.com/api:1");
    shop.kubectl(&["-n", n, "label", "deployment", "api", "tier=changed", "--overwrite"]);
    eventually("label", || get("{.metadata.labels.tier}") == "backend");
    shop.kubectl(&[
        "-n",
        n,
        "patch",
        "configmap",
        "api",
        "--type=json",
        "-p",
        r#"[{"op": "remove", "path": "/data/colour"}]"#,
    ]);
    eventually("data", || {
        shop.kubectl(&["-n", n, "get", "configmap", "api", "-o", "jsonpath={.data.colour}"]) == "red"
    });
    shop.kubectl(&["-n", n, "delete", "deployment", "api", "--wait=false"]);
    eventually("deleted object", || {
        let list = shop.kubectl(&["-n", n, "get", "deployments", "-o", "name"]);
        list.contains("deployment.apps/api")
    });
    // What others add stays: an annotation, a restart, a foreign object.
    shop.kubectl(&["-n", n, "annotate", "deployment", "api", "example.com/owner=ann"]);
    shop.kubectl(&["-n", n, "rollout", "restart", "deployment", "api"]);
    shop.kubectl(&["-n", n, "create", "configmap", "foreign", "--from-literal=a=b"]);
    shop.kubectl(&["-n", n, "label", "deployment", "api", "tier=again", "--overwrite"]);
    eventually("label", || get("{.metadata.labels.tier}") == "backend");
    assert_eq!(get("{.metadata.annotations.example\\.com/owner}"), "ann");
    assert_ne!(get("{.spec.template.metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}"), "");
    assert!(shop.kubectl(&["-n", n, "get", "configmaps", "-o", "name"]).contains("foreign"));
    let status = shop.status("dev", "api");
    let extras = status["resources"].to_string();
    assert!(extras.contains("example.com~1owner") && extras.contains("restartedAt"), "{extras}");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn with_nothing_but_the_cluster_what_is_deployed_comes_back() {
    let shop = Shop::new("alone");
    assert_eq!(shop.once().code, 0);
    shop.forget_data();
    let hidden = shop.hide_git();
    let namespace = shop.namespace("dev");
    shop.kubectl(&["delete", "namespace", &namespace, "--wait=true", "--timeout=60s"]);
    let output = shop.once();
    assert_eq!(output.code, 1, "an unreachable repository is told: {}", output.all());
    let list = shop.kubectl(&["-n", &namespace, "get", "deployments", "-o", "name"]);
    assert!(
        list.contains("deployment.apps/api") && list.contains("deployment.apps/web"),
        "{list}\n{}",
        output.all()
    );
    drop(hidden);
    assert_eq!(shop.once().code, 0);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn commits_that_break_are_held_with_their_reason_and_the_fix_takes_effect() {
    let shop = Shop::new("break");
    assert_eq!(shop.once().code, 0);
    let namespace = shop.namespace("dev");
    let image = || {
        shop.kubectl(&[
            "-n",
            &namespace,
            "get",
            "deployment",
            "api",
            "-o",
            "jsonpath={.spec.template.spec.containers[0].image}",
        ])
    };
    let breaks: [(&str, String, &str, &str); 5] = [
        (
            "k8s/api/deployment.yaml",
            crate::shop::deployment("api", "example.com/api:missing"),
            "Blocked",
            "cannot pull its image",
        ),
        (
            "k8s/api/deployment.yaml",
            crate::shop::deployment("api", "example.com/api:crash"),
            "Blocked",
            "crashes with exit code",
        ),
        (
            "k8s/api/deployment.yaml",
            crate::shop::deployment("api", "example.com/api:1").replace("replicas: 2", "replicas: -1"),
            "Blocked",
            "spec.replicas",
        ),
        ("k8s/api/config.yaml", "kind: [".to_owned(), "RenderFailed", "k8s/api/config.yaml:"),
        (
            "environments/dev/cache.yaml",
            "replicaCount: {{".to_owned(),
            "ConfigFault",
            "environments/dev/cache.yaml:",
        ),
    ];
    for (index, (path, text, reason, words)) in breaks.into_iter().enumerate() {
        let service = if path.contains("cache") { "cache" } else { "api" };
        let before = shop.config_file(path);
        // Another service moves in the same commit and must not be touched by the fault.
        let colour = format!("colour{index}");
        shop.commit(&[(path, &text), ("k8s/jobs/config.yaml", &crate::shop::config_map("jobs", &colour))]);
        let output = shop.once();
        assert_eq!(output.code, 3, "{reason}: {}", output.all());
        let status = shop.status("dev", service);
        let hold = status["holds"].as_array().unwrap().iter().find(|hold| hold["reason"] == reason);
        let message =
            hold.unwrap_or_else(|| panic!("{reason}: {status}"))["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{reason}: {message}");
        assert_eq!(image(), "example.com/api:1", "the old version runs: {reason}");
        let jobs =
            shop.kubectl(&["-n", &namespace, "get", "configmap", "jobs", "-o", "jsonpath={.data.colour}"]);
        assert_eq!(jobs, colour, "the others go on: {reason}");
        shop.commit(&[(path, &before)]);
        let output = shop.once();
        assert_eq!(output.code, 0, "{reason} is over: {}", output.all());
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn killed_at_random_moments_it_converges_and_records_once() {
    let shop = Shop::new("kill");
    for round in 0..12_u64 {
        shop.commit(&[("k8s/api/config.yaml", &crate::shop::config_map("api", &format!("round{round}")))]);
        shop.kill_after(Duration::from_millis(40 + round * 37));
    }
    let output = shop.once();
    assert_eq!(output.code, 0, "{}", output.all());
    let namespace = shop.namespace("dev");
    let colour =
        shop.kubectl(&["-n", &namespace, "get", "configmap", "api", "-o", "jsonpath={.data.colour}"]);
    assert_eq!(colour, "round11");
    let log = shop.state_log();
    let mut operations: Vec<&str> = log.lines().filter(|line| line.contains("Moorline-Operation:")).collect();
    let all = operations.len();
    operations.sort_unstable();
    operations.dedup();
    assert_eq!(operations.len(), all, "{log}");
    let deletes: Vec<_> = shop
        .audit_of_instance()
        .into_iter()
        .filter(|request| request.verb == "delete")
        .map(|request| request.uri)
        .collect();
    assert!(deletes.is_empty(), "{deletes:?}");
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn what_kubectl_applied_is_adopted_and_a_field_that_left_git_goes_away() {
    let shop = Shop::new("adopt");
    let namespace = shop.namespace("dev");
    shop.kubectl(&["create", "namespace", &namespace]);
    let old = crate::shop::config_map("api", "blue") + "  old: \"yes\"\n";
    shop.kubectl_with_input(&["-n", &namespace, "apply", "-f", "-"], &old);
    let deployment = crate::shop::deployment("api", "example.com/api:0")
        .replace("tier: backend", "tier: backend, jenkins: \"42\"");
    shop.kubectl_with_input(&["-n", &namespace, "apply", "-f", "-"], &deployment);
    let output = shop.once();
    assert_eq!(output.code, 0, "{}", output.all());
    let data = shop.kubectl(&["-n", &namespace, "get", "configmap", "api", "-o", "jsonpath={.data}"]);
    assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), json!({"colour": "red"}));
    let labels = shop.kubectl(&[
        "-n",
        &namespace,
        "get",
        "deployment",
        "api",
        "-o",
        "jsonpath={.metadata.labels.jenkins}",
    ]);
    assert_eq!(labels, "");
}
