//! Rights that do not suffice for everything: a daemon with roles in namespaces alone, and people who may look at
//! heads and workloads but at no Secret.

use serde_json::json;

use crate::commands::{once, secret};
use crate::shop::{Output, Shop, eventually};

const CONTEXT: [&str; 2] = ["--context", "moorline-test-developer"];

/// Lets the developer do these things in a namespace.
fn grant(shop: &Shop, namespace: &str, rules: &serde_json::Value) {
    let name = shop.name();
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": name, "namespace": namespace}, "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "developer"}]});
    for object in [role, binding] {
        shop.kubectl_with_input(&["apply", "-f", "-"], &object.to_string());
    }
}

fn as_developer(shop: &Shop, arguments: &[&str]) -> Output {
    Output::of(shop.program(&[arguments, &CONTEXT].concat()).env("MOORLINE_LOG", "info"))
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn who_may_read_heads_and_workloads_sees_the_status_and_a_plan_but_no_secret() {
    let shop = Shop::new("onlooker");
    shop.commit(&[("k8s/api/secret.yaml", &secret("canary"))]);
    assert_eq!(once(&shop).code, 0);
    let refused = as_developer(&shop, &["status", "dev"]);
    assert!(refused.code == 1 && refused.stderr().contains("forbidden"), "{}", refused.all());
    let look = |resources: &[&str], groups: &[&str]| json!([{"apiGroups": groups, "resources": resources, "verbs": ["get", "list", "watch"]}]);
    grant(&shop, &format!("{}-moorline", shop.name()), &look(&["configmaps"], &[""]));
    let workloads = ["configmaps", "services", "serviceaccounts", "deployments", "pods"];
    grant(&shop, &shop.namespace("dev"), &look(&workloads, &["", "apps"]));
    let looked = as_developer(&shop, &["status", "dev", "-o", "json"]);
    assert_eq!(looked.code, 0, "{}", looked.all());
    let all: serde_json::Value = serde_json::from_str(looked.stdout()).unwrap();
    for application in all.as_array().unwrap() {
        assert_eq!(
            (&application["sync"], &application["health"]),
            (&json!("Synced"), &json!("Healthy")),
            "{application}"
        );
        assert_eq!(application["holds"], json!([]), "{application}");
        assert!(application["notices"].to_string().contains("field by field"), "{application}");
    }
    assert!(looked.stdout().contains("\"kind\": \"Secret\"") && !looked.all().contains("canary"));
    // What is different is seen, and what would be done about it.
    let namespace = shop.namespace("dev");
    shop.kubectl(&["-n", &namespace, "scale", "deployment", "api", "--replicas=5"]);
    let plan = as_developer(&shop, &["plan", "dev", "api"]);
    assert_eq!(plan.code, 2, "{}", plan.all());
    assert!(
        plan.stdout().contains("apply Deployment") && !plan.stdout().contains("apply ConfigMap"),
        "{}",
        plan.all()
    );
    let diff = as_developer(&shop, &["diff", "dev", "api"]);
    assert_eq!(diff.code, 1, "{}", diff.all());
    assert!(
        diff.stdout().contains("/spec/replicas differs") && !diff.all().contains("canary"),
        "{}",
        diff.all()
    );
    assert!(diff.stderr().contains("Secret") && diff.stderr().contains("is left out"), "{}", diff.all());
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_daemon_with_roles_in_namespaces_alone_watches_each_of_them() {
    let shop = Shop::new("roles");
    let (own, namespace) = (format!("{}-moorline", shop.name()), shop.namespace("dev"));
    for namespace in [&own, &namespace] {
        shop.kubectl(&["create", "namespace", namespace]);
        grant(&shop, namespace, &json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]));
    }
    let refused = as_developer(&shop, &["run", "--once", "--environment", "dev"]);
    assert!(refused.code == 1 && refused.all().contains("kube-system"), "{}", refused.all());
    grant(&shop, "kube-system", &json!([{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}]));
    let first = as_developer(&shop, &["run", "--once", "--environment", "dev"]);
    assert_eq!(first.code, 0, "{}", first.all());
    let arguments = ["run", "--poll", "1s", "--listen", "off", "--environment", "dev"];
    let daemon = shop.daemon_with(&[&arguments[..], &CONTEXT].concat());
    for replicas in ["7", "8"] {
        shop.kubectl(&["-n", &namespace, "scale", "deployment", "api", &format!("--replicas={replicas}")]);
        eventually("healed", || {
            shop.kubectl(&["-n", &namespace, "get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"])
                == "2"
        });
    }
    assert_eq!(daemon.terminate(), Some(0));
    // What it may not write elsewhere is held.
    shop.commit(&[("k8s/api/role.yaml", "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: everything}\nrules: []\n")]);
    let held = as_developer(&shop, &["run", "--once", "--environment", "dev"]);
    assert_eq!(held.code, 3, "{}", held.all());
    assert!(held.all().contains("clusterroles"), "{}", held.all());
}
