//! Inventory that somebody deletes: heads are put together from what is left, and nothing is pruned before the
//! next complete sync.

use super::support::{Shop, all_green, config_map, holds};
use moorline::model::inventory::Head;
use moorline_doubles::MemoryWorld;
use serde_json::Value;

fn head(shop: &Shop, application: &str) -> Head {
    let object = shop.object(&format!("|ConfigMap|moorline|shop.{application}"));
    serde_json::from_str(object["data"]["head"].as_str().unwrap()).unwrap()
}

/// Deletes the heads of web in dev, and its sets if asked to.
fn lose(shop: &Shop, sets: bool) {
    shop.world.cluster.remove("|ConfigMap|moorline|shop.dev.web");
    for slot in ["a", "b"].iter().filter(|_| sets) {
        shop.world.cluster.remove(&format!("|Secret|moorline|shop.dev.web.{slot}.1"));
    }
}

fn without_state(world: &MemoryWorld) -> moorline::adapters::World {
    moorline::adapters::World { state: None, ..world.world() }
}

#[tokio::test(start_paused = true)]
async fn a_lost_head_is_put_together_and_what_left_git_meanwhile_is_pruned_by_the_sync_after() {
    for (sets, records) in [(false, true), (true, true), (false, false)] {
        let shop = Shop::new();
        let pass = async || {
            if records { shop.once().await } else { shop.once_in(without_state(&shop.world)).await }
        };
        pass().await;
        for object in ["extra-one", "extra-two", "extra-three", "extra-four"] {
            shop.write(&format!("k8s/web/{object}.yaml"), &config_map(object, "1"));
        }
        shop.commit();
        assert!(all_green(&pass().await.board));
        let rollout = head(&shop, "dev.web").rollout;
        lose(&shop, sets);
        // A child that inherited the label is not ours.
        let label =
            serde_json::json!({"moorline.dev/instance": "shop", "moorline.dev/application": "dev.web"});
        let child = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "child", "namespace": "blue-dev", "labels": label}});
        shop.world.cluster.create("somebody", child);
        shop.remove("k8s/web/extra-one.yaml");
        shop.write("k8s/web/config.yaml", &config_map("web", "2"));
        shop.commit();
        let outcome = pass().await;
        assert!(all_green(&outcome.board), "{sets} {records}: {:#?}", outcome.board);
        assert_eq!(shop.object("|ConfigMap|blue-dev|web")["data"]["value"], "2");
        assert_eq!(shop.object("|ConfigMap|blue-dev|extra-one"), Value::Null, "{sets} {records}");
        assert_ne!(shop.object("|ConfigMap|blue-dev|child"), Value::Null);
        let rebuilt = head(&shop, "dev.web");
        assert!(!rebuilt.rebuilt && rebuilt.objects.len() == 5, "{sets} {records}: {:?}", rebuilt.objects);
        if records {
            assert!(rebuilt.rollout > rollout, "numbers go on: {} after {rollout}", rebuilt.rollout);
        }
        let quiet = shop.world.cluster.writes().len();
        pass().await;
        assert_eq!(shop.world.cluster.writes().len(), quiet, "{sets} {records}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_pruned_while_the_sync_after_the_loss_is_not_complete() {
    let shop = Shop::new();
    shop.once().await;
    lose(&shop, true);
    shop.remove("k8s/web/config.yaml");
    shop.write("k8s/web/deployment.yaml", &super::support::deployment("web", "shop/web:missing"));
    shop.commit();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "web"), ["Blocked"]);
    assert_ne!(shop.object("|ConfigMap|blue-dev|web"), Value::Null);
    // Still so after a restart: the block is remembered together with the loss.
    shop.once().await;
    assert_ne!(shop.object("|ConfigMap|blue-dev|web"), Value::Null);
    assert!(head(&shop, "dev.web").rebuilt);
}

#[tokio::test(start_paused = true)]
async fn what_left_git_while_its_head_was_lost_waits_for_a_person() {
    let shop = Shop::new();
    shop.once().await;
    lose(&shop, false);
    shop.remove("environments/dev/web.yaml");
    shop.commit();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "web"), ["PruneGuard"]);
    assert_eq!(shop.world.cluster.deletes(), []);
}

#[tokio::test(start_paused = true)]
async fn the_deployed_set_is_kept_while_git_is_broken_and_the_head_lost() {
    let shop = Shop::new();
    shop.once().await;
    lose(&shop, false);
    shop.world
        .cluster
        .meddle("person", "|ConfigMap|blue-dev|web", |object| object["data"]["value"] = "9".into());
    shop.write("k8s/web/config.yaml", "{");
    shop.commit();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "web"), ["RenderFailed"]);
    assert_eq!(shop.object("|ConfigMap|blue-dev|web")["data"]["value"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_deleted_under_a_running_daemon_is_written_again() {
    let shop = Shop::new();
    shop.daemon(async |mut board| {
        super::support::shown(&mut board, |board| board.applications.len() == 3 && all_green(board)).await;
        lose(&shop, true);
        shop.world.cluster.remove("|Secret|moorline|shop.keys");
        shop.world.cluster.remove("|Namespace||moorline");
        shop.write("k8s/web/config.yaml", &config_map("web", "2"));
        shop.commit();
        let there = || shop.world.cluster.object("|ConfigMap|moorline|shop.dev.web").is_some();
        super::support::eventually(there).await;
        super::support::shown(&mut board, all_green).await;
    })
    .await;
    assert_eq!(head(&shop, "dev.web").rollout, 2);
    assert_ne!(shop.object("|Secret|moorline|shop.keys"), Value::Null);
}
