//! A commit reaches the cluster; one that fails does not, and leaves what runs alone.

use super::support::{Shop, all_green, config_map, deployment, holds, status};
use moorline::model::health::HealthStatus;

#[tokio::test(start_paused = true)]
async fn a_first_pass_brings_everything_up_and_a_second_writes_nothing() {
    let shop = Shop::new();
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    assert_eq!(outcome.failures, Vec::<String>::new());
    assert_eq!(shop.world.state.operations().len(), 3);
    let writes = shop.world.cluster.writes();
    // Two objects and a set and a head for each of three applications; two namespaces, our own, keys, two
    // commands objects.
    assert_eq!(writes.len(), 3 * 4 + 6, "{writes:#?}");
    shop.once().await;
    assert_eq!(shop.world.cluster.writes().len(), writes.len());
    assert_eq!(shop.world.state.operations().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_commit_changes_one_application_and_is_recorded_once() {
    let shop = Shop::new();
    shop.once().await;
    let before = shop.world.cluster.writes().len();
    shop.write("k8s/web/config.yaml", &config_map("web", "2"));
    shop.write("environments/prod/web.yaml", "");
    shop.commit();
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board));
    assert_eq!(shop.object("|ConfigMap|blue-dev|web")["data"]["value"], "2");
    // For web in dev and in prod: the set, one object, the head.
    assert_eq!(shop.world.cluster.writes().len(), before + 2 * 3);
    assert_eq!(shop.world.state.operations().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_never_gets_healthy_is_blocked_and_taken_back() {
    let shop = Shop::new();
    shop.once().await;
    shop.write("k8s/api/deployment.yaml", &deployment("api", "shop/api:missing"));
    shop.write("k8s/api/extra.yaml", &config_map("api-extra", "1"));
    shop.commit();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "api"), ["Blocked"]);
    assert_eq!(shop.image("dev", "api"), "shop/web:1");
    assert_eq!(
        shop.object("|ConfigMap|blue-dev|api-extra"),
        serde_json::Value::Null,
        "what the rollout created is gone"
    );
    let api = status(&outcome.board, "dev", "api").unwrap();
    assert_eq!(api.health, HealthStatus::Healthy);
    // Those that run stay until the new one is ready.
    let message = &api.holds[0].message;
    assert!(message.contains("1 of 2 replicas updated"), "{message}");
    assert!(message.contains("cannot pull its image shop/api:missing"), "{message}");
    assert!(holds(&outcome, "dev", "web").is_empty());
    let quiet = shop.world.cluster.writes().len();
    shop.once().await;
    assert_eq!(shop.world.cluster.writes().len(), quiet, "a blocked version is not tried again");
    // The fixing commit takes effect, and the block is gone.
    shop.write("k8s/api/deployment.yaml", &deployment("api", "shop/api:2"));
    shop.commit();
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    assert_eq!(shop.image("dev", "api"), "shop/api:2");
}

#[tokio::test(start_paused = true)]
async fn a_revert_lifts_the_block_and_the_same_commit_may_come_back() {
    let shop = Shop::new();
    shop.once().await;
    let (good, bad) = (deployment("api", "shop/web:1"), deployment("api", "shop/api:missing"));
    shop.write("k8s/api/deployment.yaml", &bad);
    shop.commit();
    shop.once().await;
    shop.write("unrelated.md", "x");
    shop.commit();
    assert_eq!(
        holds(&shop.once().await, "dev", "api"),
        ["Blocked"],
        "an unrelated commit does not bring it back"
    );
    shop.write("k8s/api/deployment.yaml", &good);
    shop.commit();
    assert!(all_green(&shop.once().await.board));
    let before = shop.world.state.operations().len();
    shop.write("k8s/api/deployment.yaml", &bad);
    shop.commit();
    assert_eq!(holds(&shop.once().await, "dev", "api"), ["Blocked"]);
    assert_eq!(shop.world.state.operations().len(), before + 1, "it was tried again, and recorded");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_manifest_a_broken_file_and_a_fault_hold_only_their_application() {
    let shop = Shop::new();
    shop.once().await;
    for (text, reason) in [
        (config_map("api", "2\", \"bad key!\": \"2"), "Blocked"),
        ("apiVersion: v1\nkind: [".to_owned(), "RenderFailed"),
        ("apiVersion: example.com/v1\nkind: Unknown\nmetadata: {name: x}\n".to_owned(), "KindUnknown"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, annotations: {helm.sh/hook: pre-install}}\n".to_owned(), "HookUnsupported"),
    ] {
        shop.write("k8s/api/config.yaml", &text);
        shop.write("k8s/web/config.yaml", &config_map("web", reason));
        shop.commit();
        let outcome = shop.once().await;
        assert!(holds(&outcome, "dev", "api").contains(&reason), "{reason}: {:?}", holds(&outcome, "dev", "api"));
        assert_eq!(shop.object("|ConfigMap|blue-dev|web")["data"]["value"], reason, "the others go on");
        assert_eq!(shop.object("|ConfigMap|blue-dev|api")["data"]["value"], "1", "what runs is left alone");
        assert!(shop.world.cluster.deletes().is_empty());
    }
    shop.write("k8s/api/config.yaml", &config_map("api", "9"));
    shop.commit();
    assert!(all_green(&shop.once().await.board));
    assert_eq!(shop.object("|ConfigMap|blue-dev|api")["data"]["value"], "9");
}

#[tokio::test(start_paused = true)]
async fn objects_that_leave_git_are_pruned_and_kept_where_asked() {
    let shop = Shop::new();
    for name in ["one", "two", "three", "four", "five"] {
        shop.write(&format!("k8s/web/{name}.yaml"), &config_map(name, "1"));
    }
    let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}\n";
    shop.write("k8s/web/kept.yaml", kept);
    shop.commit();
    shop.once().await;
    shop.remove("k8s/web/one.yaml");
    shop.remove("k8s/web/kept.yaml");
    shop.commit();
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    assert_eq!(shop.object("|ConfigMap|blue-dev|one"), serde_json::Value::Null);
    assert_ne!(shop.object("|ConfigMap|blue-dev|kept"), serde_json::Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_and_writes_nothing() {
    let shop = Shop::new();
    let (board, _keep) = tokio::sync::watch::channel(std::sync::Arc::default());
    let options = moorline::reconciler::Options { dry_run: true, ..shop.options() };
    let world = shop.world.world();
    let outcome = moorline::reconciler::run(
        world,
        options,
        moorline::reconciler::RunMode::Once,
        board,
        std::future::pending(),
    )
    .await;
    assert_eq!(shop.world.cluster.writes(), Vec::<String>::new());
    assert_eq!(outcome.plans.len(), 3);
    assert!(outcome.plans.iter().all(|plan| plan.steps.len() >= 4), "{:#?}", outcome.plans);
}

#[tokio::test(start_paused = true)]
async fn no_value_of_a_secret_leaves_the_secrets() {
    const CANARY: &str = "canary-4711";
    let shop = Shop::new();
    let secret = |value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: web}}\nstringData: {{password: {value}}}\n")
    };
    shop.write("k8s/web/secret.yaml", &secret(CANARY));
    shop.commit();
    let first = shop.once().await;
    assert!(all_green(&first.board));
    // A second one that fails, so that diagnoses and records speak too.
    shop.write("k8s/web/secret.yaml", &secret(&format!("{CANARY}, \"bad key!\": {CANARY}")));
    shop.commit();
    let second = shop.once().await;
    assert_eq!(holds(&second, "dev", "web"), ["Blocked"]);
    for (what, text) in [
        ("first outcome", format!("{first:?}")),
        ("second outcome", format!("{second:?}")),
        ("statuses", serde_json::to_string(&second.board).unwrap()),
        ("heads", format!("{:?}", shop.world.cluster.all("ConfigMap"))),
        ("records", format!("{:?}", shop.world.state.history())),
    ] {
        assert!(!text.contains(CANARY), "{what}");
        assert!(!text.contains("Y2FuYXJ5LTQ3MTE"), "{what}, in base64");
    }
    let there = shop.object("|Secret|blue-dev|web").to_string();
    assert!(there.contains("Y2FuYXJ5LTQ3MTE"), "it did reach the cluster");
}
