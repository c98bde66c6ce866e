//! Absence is not intent: nothing is deleted because something could not be read, or is suddenly gone.

use super::support::{Shop, all_green, config_map, config_url, holds};
use moorline::model::source::FileTree;

async fn deployed() -> Shop {
    let shop = Shop::new();
    for index in 0..8 {
        shop.write(&format!("k8s/web/extra{index}.yaml"), &config_map(&format!("extra{index}"), "1"));
    }
    shop.commit();
    assert!(all_green(&shop.once().await.board));
    shop
}

#[tokio::test(start_paused = true)]
async fn an_empty_repository_deletes_nothing_and_names_the_hold() {
    let shop = deployed().await;
    shop.world.repositories.commit(&config_url(), "main", FileTree::default());
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "web"), ["ConfigFault"]);
    assert!(shop.world.cluster.deletes().is_empty());
    let only = FileTree::from_contents([("moorline.yaml", "version: 1\nname: shop\n")]);
    shop.world.repositories.commit(&config_url(), "main", only);
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "web"), ["EnvironmentShrunk"]);
    assert_eq!(holds(&outcome, "prod", "web"), ["EnvironmentShrunk"]);
    assert!(shop.world.cluster.deletes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_render_that_shrinks_is_held_until_it_is_confirmed() {
    let shop = deployed().await;
    for index in 0..7 {
        shop.remove(&format!("k8s/web/extra{index}.yaml"));
    }
    shop.write("k8s/web/config.yaml", &config_map("web", "2"));
    shop.commit();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "web"), ["PruneGuard"]);
    assert!(shop.world.cluster.deletes().is_empty());
    assert_eq!(shop.object("|ConfigMap|blue-dev|web")["data"]["value"], "1");
    let plan = outcome.plans.iter().find(|plan| plan.application.to_string() == "dev/web").unwrap();
    let moorline::model::hold::HoldReason::PruneGuard { plan, objects, .. } = &plan.holds[0] else {
        panic!("{plan:?}")
    };
    assert_eq!(objects.len(), 7);
    let command = serde_json::json!({"digest": plan.to_string()}).to_string();
    shop.world.cluster.meddle("kubectl", "|ConfigMap|moorline|shop.dev.commands", |object| {
        object["data"] = serde_json::json!({"web.confirm": command});
    });
    let outcome = shop.once().await;
    assert!(holds(&outcome, "dev", "web").is_empty(), "{:#?}", outcome.board);
    assert_eq!(shop.world.cluster.deletes().len(), 7);
    assert_eq!(holds(&outcome, "prod", "web"), ["PruneGuard"], "a confirmation is for one application");
}

#[tokio::test(start_paused = true)]
async fn a_vanished_branch_a_failing_list_and_an_unreachable_host_delete_nothing() {
    let shop = deployed().await;
    let writes = shop.world.cluster.writes().len();
    shop.world.repositories.delete_branch(&config_url(), "main");
    shop.once().await;
    shop.commit();
    shop.world.repositories.set_reachable(&config_url(), false);
    shop.once().await;
    shop.world.repositories.set_reachable(&config_url(), true);
    shop.world.cluster.set_lists_fail(true);
    let outcome = shop.once().await;
    assert!(!outcome.failures.is_empty());
    shop.world.cluster.set_lists_fail(false);
    assert_eq!(shop.world.cluster.writes().len(), writes);
    assert!(all_green(&shop.once().await.board));
}

#[tokio::test(start_paused = true)]
async fn one_service_may_leave_and_its_objects_go() {
    let shop = deployed().await;
    shop.remove("environments/dev/api.yaml");
    shop.commit();
    let outcome = shop.once().await;
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(shop.image("dev", "api"), "none");
    assert_eq!(shop.image("dev", "web"), "shop/web:1");
    assert_eq!(
        shop.object("|ConfigMap|moorline|shop.dev.api"),
        serde_json::Value::Null,
        "its inventory is gone"
    );
    assert!(shop.world.state.operations().last().unwrap().starts_with("shop/dev/api/"));
}
