//! Whatever changes in the cluster is healed, what others add stays, and nobody is fought forever.

use super::support::{Shop, all_green, config_map, config_url, eventually, shown, status};
use serde_json::{Value, json};

const WEB: &str = "apps|Deployment|blue-dev|web";
const CONFIG: &str = "|ConfigMap|blue-dev|web";

/// An object and what somebody does to it.
type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));

#[tokio::test(start_paused = true)]
async fn edits_removals_and_deletions_are_healed_with_one_write_each() {
    let shop = Shop::new();
    let cluster = shop.world.cluster.clone();
    shop.daemon(|mut board| async move {
        shown(&mut board, all_green).await;
        let changes: [Change<'_>; 4] = [
            (CONFIG, &|object| object["data"]["value"] = json!("hacked")),
            (WEB, &|object| object["spec"]["replicas"] = json!(9)),
            (WEB, &|object| object["metadata"]["labels"]["moorline.dev/instance"] = json!("mine")),
            (CONFIG, &|object| {
                object["data"].as_object_mut().unwrap().shift_remove("value");
            }),
        ];
        for (id, change) in changes {
            let (before, writes) = (cluster.object(id).unwrap(), cluster.writes().len());
            cluster.meddle("kubectl-edit", id, change);
            let wanted = |object: &Value| {
                (object["data"].clone(), object["spec"].clone(), object["metadata"]["labels"].clone())
            };
            eventually(|| cluster.object(id).is_some_and(|now| wanted(&now) == wanted(&before))).await;
            assert_eq!(cluster.writes().len(), writes + 1, "{:?}", &cluster.writes()[writes..]);
        }
        let writes = cluster.writes().len();
        cluster.remove(WEB);
        eventually(|| cluster.object(WEB).is_some()).await;
        assert_eq!(cluster.writes().len(), writes + 1);
        cluster.remove("|Namespace||blue-dev");
        eventually(|| cluster.object(WEB).is_some() && cluster.object(CONFIG).is_some()).await;
        shown(&mut board, all_green).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn foreign_fields_and_objects_stay() {
    let shop = Shop::new();
    shop.once().await;
    let cluster = &shop.world.cluster;
    cluster.meddle("other-tool", WEB, |object| {
        object["metadata"]["annotations"]["example.com/owner"] = json!("ann");
    });
    cluster.create("kubectl", json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "foreign", "namespace": "blue-dev"}}));
    let writes = cluster.writes().len();
    assert!(all_green(&shop.once().await.board));
    assert_eq!(cluster.writes().len(), writes);
    assert_eq!(shop.object(WEB)["metadata"]["annotations"]["example.com/owner"], "ann");
    assert_ne!(shop.object("|ConfigMap|blue-dev|foreign"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn what_is_deployed_is_kept_with_git_down_and_nothing_in_memory() {
    let shop = Shop::new();
    shop.once().await;
    shop.world.repositories.set_reachable(&config_url(), false);
    shop.world.cluster.remove("|Namespace||blue-dev");
    let outcome = shop.once().await;
    assert_eq!(shop.image("dev", "web"), "shop/web:1");
    assert_eq!(shop.object(CONFIG)["data"]["value"], "1");
    assert!(!outcome.failures.is_empty(), "an unreachable repository is told");
    assert!(shop.world.cluster.deletes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_always_writes_the_same_value_is_named_and_left_alone() {
    let shop = Shop::new();
    let cluster = shop.world.cluster.clone();
    shop.daemon(|mut board| async move {
        shown(&mut board, all_green).await;
        for _ in 0..5 {
            cluster.meddle("rival", CONFIG, |object| object["data"]["value"] = json!("theirs"));
            eventually(|| cluster.object(CONFIG).unwrap()["data"]["value"] == "1").await;
        }
        cluster.meddle("rival", CONFIG, |object| object["data"]["value"] = json!("theirs"));
        shown(&mut board, |board| {
            let web = status(board, "dev", "web");
            web.is_some_and(|web| {
                web.holds.iter().any(|hold| {
                    hold.reason == "Contested"
                        && hold.message.contains("\"rival\"")
                        && hold.message.contains("moorline")
                })
            })
        })
        .await;
        let writes = cluster.writes().len();
        assert_eq!(cluster.object(CONFIG).unwrap()["data"]["value"], "theirs");
        // After the pause it is tried again.
        eventually(|| cluster.writes().len() > writes).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_deployed_set_is_kept_while_the_wanted_one_is_held() {
    let shop = Shop::new();
    shop.once().await;
    shop.write("k8s/web/config.yaml", "kind: [");
    shop.commit();
    shop.world.cluster.meddle("kubectl-edit", CONFIG, |object| object["data"]["value"] = json!("hacked"));
    shop.once().await;
    assert_eq!(shop.object(CONFIG)["data"]["value"], "1");
}

#[tokio::test(start_paused = true)]
async fn kubectl_apply_is_adopted_and_a_field_that_leaves_git_goes_away() {
    let shop = Shop::new();
    let last = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"value": "0", "old": "x"}});
    shop.world.cluster.create(
        "kubectl",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "blue-dev"}}),
    );
    shop.world.cluster.create(
        "kubectl-client-side-apply",
        json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "web", "namespace": "blue-dev",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last.to_string()}},
        "data": {"value": "0", "old": "x"}}),
    );
    let outcome = shop.once().await;
    assert!(
        all_green(&outcome.board),
        "{:#?} {:#?} {:?}",
        outcome.plans,
        outcome.failures,
        shop.world.cluster.writes()
    );
    assert_eq!(shop.object(CONFIG)["data"], json!({"value": "1"}));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_tool_or_instance_is_held_and_not_written() {
    let shop = Shop::new();
    shop.world.cluster.create(
        "kubectl",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "blue-dev"}}),
    );
    shop.world.cluster.create(
        "helm",
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "blue-dev",
        "annotations": {"meta.helm.sh/release-name": "web"}}, "data": {"value": "helm"}}),
    );
    shop.world.cluster.create(
        "other",
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "api", "namespace": "blue-dev",
        "labels": {"moorline.dev/instance": "other-shop"}}}),
    );
    let outcome = shop.once().await;
    assert_eq!(super::support::holds(&outcome, "dev", "web"), ["OtherTool"]);
    assert_eq!(super::support::holds(&outcome, "dev", "api"), ["OtherInstance"]);
    assert_eq!(shop.object(CONFIG)["data"]["value"], "helm");
    assert_eq!(shop.image("dev", "web"), "none", "nothing of a held application is written");
    shop.write("services/web.yaml", "team: blue\nmanifests: {path: k8s/web}\nadopt: true\n");
    shop.write("k8s/web/config.yaml", &config_map("web", "helm"));
    shop.commit();
    assert!(super::support::holds(&shop.once().await, "dev", "web").is_empty());
}

#[tokio::test(start_paused = true)]
async fn replicas_belong_to_the_autoscaler_that_targets_the_object() {
    let shop = Shop::new();
    shop.once().await;
    let cluster = &shop.world.cluster;
    cluster.create(
        "kubectl",
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "blue-dev"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9}}),
    );
    let scale = |object: &mut Value| object["spec"]["replicas"] = json!(7);
    cluster.meddle("kube-controller-manager", WEB, scale);
    cluster.meddle("kubectl", "apps|Deployment|blue-dev|api", scale);
    // The new pods start.
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    let writes = cluster.writes().len();
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    assert_eq!(shop.object(WEB)["spec"]["replicas"], 7, "the autoscaler's number stays");
    assert_eq!(shop.object("apps|Deployment|blue-dev|api")["spec"]["replicas"], 2, "nobody scales api");
    assert_eq!(cluster.writes().len(), writes + 1);
    shop.write("k8s/web/deployment.yaml", &super::support::deployment("web", "shop/web:2"));
    shop.commit();
    assert!(all_green(&shop.once().await.board));
    assert_eq!(shop.image("dev", "web"), "shop/web:2");
    assert_eq!(shop.object(WEB)["spec"]["replicas"], 7, "a rollout leaves it alone");
    cluster.meddle("kubectl", WEB, |object| {
        object["metadata"]["labels"]["moorline.dev/application"] = json!("x.y");
    });
    shop.once().await;
    assert_eq!(shop.object(WEB)["spec"]["replicas"], 7, "a heal leaves it alone");
}

#[tokio::test(start_paused = true)]
async fn extras_of_people_go_where_the_policy_says_so() {
    let shop = Shop::new();
    shop.write("services/web.yaml", "team: blue\nmanifests: {path: k8s/web}\nsync: {extras: remove}\n");
    shop.commit();
    shop.once().await;
    let cluster = &shop.world.cluster;
    let add = |object: &mut Value| {
        object["data"]["mine"] = json!("x");
        object["metadata"]["annotations"]["example.com/owner"] = json!("ann");
    };
    cluster.meddle("kubectl-edit", CONFIG, add);
    cluster.meddle("kubectl-edit", "|ConfigMap|blue-dev|api", add);
    cluster.meddle("some-controller", WEB, |object| object["spec"]["progressDeadlineSeconds"] = json!(900));
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    assert_eq!(shop.object(CONFIG)["data"], json!({"value": "1"}));
    assert_eq!(
        shop.object(CONFIG)["metadata"]["annotations"]["example.com/owner"],
        "ann",
        "only spec and data"
    );
    assert_eq!(shop.object("|ConfigMap|blue-dev|api")["data"]["mine"], "x", "only where the policy says so");
    assert_eq!(shop.object(WEB)["spec"]["progressDeadlineSeconds"], 900, "only what people did by hand");
    let writes = cluster.writes().len();
    shop.once().await;
    assert_eq!(cluster.writes().len(), writes);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_application_is_left_alone_and_healed_when_that_ends() {
    const COMMANDS: &str = "|ConfigMap|moorline|shop.dev.commands";
    let shop = Shop::new();
    let cluster = shop.world.cluster.clone();
    let value =
        |cluster: &moorline_doubles::SandboxCluster| cluster.object(CONFIG).unwrap()["data"]["value"].clone();
    shop.daemon(|mut board| async move {
        shown(&mut board, all_green).await;
        for until in [Value::Null, json!("2026-01-01T00:30:00Z")] {
            let command = json!({"reason": "test", "until": until, "actor": null}).to_string();
            cluster.meddle("kubectl", COMMANDS, |object| object["data"] = json!({"web.suspend": command}));
            shown(&mut board, |board| status(board, "dev", "web").is_some_and(|web| web.suspended.is_some()))
                .await;
            cluster.meddle("kubectl-edit", CONFIG, |object| object["data"]["value"] = json!("edited"));
            shown(&mut board, |board| {
                let web = status(board, "dev", "web");
                web.is_some_and(|web| web.sync == moorline::model::drift::SyncStatus::OutOfSync)
            })
            .await;
            assert_eq!(value(&cluster), "edited");
            if until.is_null() {
                cluster.meddle("kubectl", COMMANDS, |object| object["data"] = json!({}));
            }
            eventually(|| value(&cluster) == "1").await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_as_it_should_be_is_told_field_by_field_without_secret_values() {
    let shop = Shop::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\ndata: {password: Y2FuYXJ5LW9uZQ==}\n";
    shop.write("k8s/web/secret.yaml", secret);
    shop.write("services/web.yaml", "team: blue\nmanifests: {path: k8s/web}\nsync: {selfHeal: false}\n");
    shop.commit();
    assert!(all_green(&shop.once().await.board));
    shop.world
        .cluster
        .meddle("person", "|ConfigMap|blue-dev|web", |object| object["data"]["value"] = "9".into());
    shop.world.cluster.meddle("person", "|Secret|blue-dev|web", |object| {
        object["data"]["password"] = "Y2FuYXJ5LXR3bw==".into()
    });
    let changes = |outcome: &moorline::reconciler::Outcome| -> Vec<String> {
        let web = status(&outcome.board, "dev", "web").unwrap();
        assert!(!format!("{web:?}").contains("canary") && !format!("{web:?}").contains("Y2FuYXJ5"));
        let of = web.resources.iter().flat_map(|resource| &resource.changes);
        of.map(|change| format!("{} {:?} {:?}", change.field, change.before, change.after)).collect()
    };
    let lines = changes(&shop.once().await);
    assert_eq!(lines[0], r#"/data/value Some("9") Some("1")"#);
    assert!(lines[1].starts_with("/data/password Some(\"(hidden, fingerprint"), "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");
    // What a blocked or waiting version would bring is told against what is deployed.
    shop.write("environments/prod/web.yaml", "");
    shop.write("k8s/web/config.yaml", &super::support::config_map("web", "2"));
    shop.commit();
    let outcome = shop.look().await;
    let prod = status(&outcome.board, "prod", "web").unwrap();
    let shown: Vec<_> = prod.resources.iter().flat_map(|resource| &resource.changes).collect();
    assert_eq!((shown[0].before.as_deref(), shown[0].after.as_deref()), (Some("1"), Some("2")));
}
