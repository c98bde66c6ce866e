//! People's hand on the wheel: suspend, resume, unblock, confirm, reconcile, wait.

use serde_json::Value;

use crate::commands::{hold, once};
use crate::shop::{Output, Shop, deployment, eventually};

fn replicas(shop: &Shop) -> String {
    let namespace = shop.namespace("dev");
    shop.kubectl(&["-n", &namespace, "get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"])
}

fn config_maps(shop: &Shop) -> String {
    shop.kubectl(&["-n", &shop.namespace("dev"), "get", "configmaps", "-o", "name"])
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn what_is_suspended_is_not_written_until_it_is_resumed() {
    let shop = Shop::new("suspend");
    assert_eq!(once(&shop).code, 0);
    let suspend = ["suspend", "dev", "api", "--for", "2h", "--reason", "we look at a leak"];
    assert_eq!(Output::of(shop.program(&suspend).env("MOORLINE_ACTOR", "ann")).code, 0);
    let daemon = shop.daemon_of_dev();
    // A change of another service tells that the daemon has seen the same moment.
    let healed = || {
        let namespace = shop.namespace("dev");
        shop.kubectl(&["-n", &namespace, "scale", "deployment", "worker", "--replicas=3"]);
        eventually("the other service is healed", || {
            let path = "jsonpath={.spec.replicas}";
            shop.kubectl(&["-n", &namespace, "get", "deployment", "worker", "-o", path]) == "2"
        });
    };
    healed();
    let audit = shop.audit();
    shop.kubectl(&["-n", &shop.namespace("dev"), "scale", "deployment", "api", "--replicas=7"]);
    healed();
    healed();
    assert_eq!(replicas(&shop), "7");
    let writes = audit.requests_of("moorline/");
    let writes = writes.iter().filter(|one| one.mutates() && one.name == "api").count();
    assert_eq!(writes, 0);

    let status = shop.status("dev", "api");
    assert_eq!(status["suspended"]["reason"], "we look at a leak", "{status}");
    assert!(status["suspended"]["until"].is_string() && status["suspended"]["actor"] == "ann", "{status}");
    assert_eq!(status["sync"], "OutOfSync", "a suspended application is still judged: {status}");
    assert!(shop.status("dev", "worker")["suspended"].is_null());
    let text = shop.succeed(&["status", "dev", "api"]);
    assert!(text.contains("suspended: we look at a leak"), "{text}");

    shop.succeed(&["resume", "dev", "api"]);
    eventually("healed after it was resumed", || replicas(&shop) == "2");
    assert!(shop.status("dev", "api")["suspended"].is_null());
    shop.succeed(&["suspend", "dev", "--reason", "all of it"]);
    assert_eq!(shop.status("dev", "jobs")["suspended"]["reason"], "all of it");
    shop.succeed(&["resume", "dev"]);
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_blocked_version_is_tried_again_when_somebody_says_so() {
    let shop = Shop::new("unblock");
    assert_eq!(once(&shop).code, 0);
    let refused = shop.run(&["unblock", "dev", "api"]);
    assert_eq!(refused.code, 1, "{}", refused.all());
    assert!(refused.stderr().contains("not blocked"), "{}", refused.all());

    let namespace = shop.namespace("dev");
    // A quota is in the way, which no commit can mend.
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/configmaps: \"0\"}}\n";
    shop.kubectl_with_input(&["-n", &namespace, "apply", "-f", "-"], quota);
    let more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n";
    shop.commit(&[("k8s/api/more.yaml", more)]);
    let commit = shop.config_commit();
    assert_eq!(shop.run(&["wait", "dev", "api", "--commit", &commit, "--timeout", "3s"]).code, 3);
    let output = once(&shop);
    assert_eq!(output.code, 3, "{}", output.all());
    let status = shop.status("dev", "api");
    assert!(hold(&status, "Blocked").contains("quota"), "{status}");
    assert!(status["blocked"]["digest"].is_string(), "{status}");
    let waited = shop.run(&["wait", "dev", "api", "--commit", &commit, "--timeout", "30s"]);
    assert_eq!(waited.code, 2, "{}", waited.all());
    assert!(waited.stderr().contains("quota"), "{}", waited.all());

    shop.kubectl(&["-n", &namespace, "delete", "resourcequota", "small"]);
    assert_eq!(once(&shop).code, 3, "it does not come back by itself");
    assert!(!config_maps(&shop).contains("/more"));
    shop.succeed(&["unblock", "dev", "api"]);
    let output = once(&shop);
    assert_eq!(output.code, 0, "{}", output.all());
    assert!(config_maps(&shop).contains("/more"));
    let waited = shop.run(&["wait", "dev", "api", "--commit", &commit[..10], "--timeout", "30s"]);
    assert_eq!(waited.code, 0, "{}", waited.all());
    assert!(shop.status("dev", "api")["blocked"].is_null());
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_render_that_shrank_is_pruned_after_its_digest_was_confirmed() {
    let shop = Shop::new("confirm");
    let objects = "a b c d"
        .split(' ')
        .map(|name| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"));
    shop.commit(&[("k8s/api/more.yaml", &objects.collect::<String>())]);
    assert_eq!(once(&shop).code, 0);
    let before = shop.audit();
    shop.remove(|path| path == "k8s/api/more.yaml");
    let output = once(&shop);
    assert_eq!(output.code, 3, "{}", output.all());
    let status = shop.status("dev", "api");
    let message = hold(&status, "PruneGuard");
    let deletes = |audit: &crate::shop::Audit<'_>| {
        audit.requests_of("moorline/").iter().filter(|one| one.verb == "delete" && one.code == 200).count()
    };
    assert_eq!(deletes(&before), 0);
    let mut words = message.split('`').nth(1).unwrap().split_whitespace();
    let digest = words.next_back().unwrap();
    let plan = shop.run(&["plan", "dev", "api", "-o", "json"]);
    assert_eq!(plan.code, 2, "{}", plan.all());
    let plan: Value = serde_json::from_str(plan.stdout()).unwrap();
    assert!(plan[0]["holds"].to_string().contains(digest), "{plan}");

    let other = digest.chars().rev().collect::<String>();
    let wrong = shop.run(&["confirm", "dev", "api", &other]);
    let output = once(&shop);
    assert_eq!(output.code, 3, "another digest confirms nothing: {}{}", wrong.all(), output.all());
    assert_eq!(deletes(&before), 0);

    shop.succeed(&["confirm", "dev", "api", digest]);
    let output = once(&shop);
    assert_eq!(output.code, 0, "{}", output.all());
    assert_eq!(deletes(&before), 4);
    let left = config_maps(&shop);
    assert!(left.contains("/api") && !left.contains("/a\n") && !left.contains("/d\n"), "{left}");

    // Good for one execution: the same objects, brought back and taken away, are held again.
    let objects = "a b c d"
        .split(' ')
        .map(|name| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"));
    shop.commit(&[("k8s/api/more.yaml", &objects.collect::<String>())]);
    assert_eq!(once(&shop).code, 0);
    shop.remove(|path| path == "k8s/api/more.yaml");
    assert_eq!(once(&shop).code, 3);
    assert!(config_maps(&shop).contains("/a\n"));
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_commit_is_waited_for_and_a_look_asked_for() {
    let shop = Shop::new("wait");
    let early = shop.run(&["reconcile", "dev"]);
    assert_eq!(early.code, 1, "before the first pass: {}", early.all());
    assert!(early.stderr().contains("first pass"), "{}", early.all());
    let daemon = shop.daemon_of_dev();
    shop.succeed(&["wait", "dev", "api", "--commit", &shop.config_commit(), "--timeout", "60s"]);
    shop.commit(&[("k8s/api/deployment.yaml", &deployment("api", "example.com/api:2"))]);
    shop.succeed(&["reconcile", "dev", "api"]);
    shop.succeed(&["wait", "dev", "api", "--commit", &shop.config_commit(), "--timeout", "60s"]);
    shop.commit(&[("k8s/api/deployment.yaml", &deployment("api", "example.com/api:crash"))]);
    let commit = shop.config_commit();
    let waited = shop.run(&["wait", "dev", "api", "--commit", &commit, "--timeout", "60s"]);
    assert_eq!(waited.code, 2, "{}", waited.all());
    assert!(waited.stderr().contains("crashes"), "{}", waited.all());
    for commit in ["xyz", "abc", "g123456"] {
        assert_eq!(shop.run(&["wait", "dev", "api", "--commit", commit]).code, 1);
    }
    assert_eq!(daemon.terminate(), Some(0));
}
