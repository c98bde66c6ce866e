//! Rights that do not suffice for everything.

use super::support::{Shop, all_green, config_map, eventually, shown, status};
use moorline::model::drift::SyncStatus;
use moorline::model::health::HealthStatus;
use moorline::reconciler::Outcome;

#[tokio::test(start_paused = true)]
async fn where_watches_of_the_cluster_are_forbidden_each_namespace_is_watched() {
    let shop = Shop::new();
    shop.world.cluster.set_roles_only(true);
    shop.daemon(async |mut board| {
        shown(&mut board, |board| board.applications.len() == 3 && all_green(board)).await;
        let web = "|ConfigMap|blue-prod|web";
        shop.world.cluster.meddle("person", web, |object| object["data"]["value"] = "9".into());
        eventually(|| shop.object(web)["data"]["value"] == "1").await;
        shop.world.cluster.remove(web);
        eventually(|| shop.object(web)["data"]["value"] == "1").await;
        // A namespace that was not there before.
        shop.write("services/web.yaml", "team: red\nmanifests: {path: k8s/web}\n");
        shop.write("k8s/web/config.yaml", &config_map("web", "2"));
        shop.write("environments/prod/api.yaml", "");
        shop.commit();
        eventually(|| shop.object("|ConfigMap|blue-prod|api")["data"]["value"] == "1").await;
        shop.world
            .cluster
            .meddle("person", "|ConfigMap|blue-prod|api", |object| object["data"]["value"] = "9".into());
        eventually(|| shop.object("|ConfigMap|blue-prod|api")["data"]["value"] == "1").await;
    })
    .await;
}

fn web(outcome: &Outcome) -> (SyncStatus, HealthStatus, Vec<SyncStatus>) {
    let web = status(&outcome.board, "dev", "web").unwrap();
    assert!(web.holds.is_empty(), "{:?}", web.holds);
    assert!(web.notices[0].contains("may not be read"), "{:?}", web.notices);
    (web.sync, web.health, web.resources.iter().map(|resource| resource.sync).collect())
}

#[tokio::test(start_paused = true)]
async fn an_onlooker_without_the_right_to_read_secrets_sees_the_status() {
    use SyncStatus::{OutOfSync, Synced, Unknown};
    let shop = Shop::new();
    shop.write(
        "k8s/web/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {password: canary}\n",
    );
    shop.commit();
    assert!(all_green(&shop.once().await.board));
    shop.world.cluster.set_no_secrets(true);
    assert_eq!(web(&shop.look().await), (Synced, HealthStatus::Healthy, vec![Synced, Unknown, Synced]));
    let map = "|ConfigMap|blue-dev|web";
    shop.world.cluster.meddle("person", map, |object| object["data"]["value"] = "9".into());
    assert_eq!(web(&shop.look().await), (OutOfSync, HealthStatus::Healthy, vec![OutOfSync, Unknown, Synced]));
    // Another version is wanted: only what changes is to be applied.
    shop.world.cluster.meddle("person", map, |object| object["data"]["value"] = "1".into());
    shop.write("k8s/web/deployment.yaml", &super::support::deployment("web", "shop/web:2"));
    shop.commit();
    let outcome = shop.look().await;
    assert_eq!(web(&outcome).0, OutOfSync);
    let plan = outcome.plans.iter().find(|plan| plan.application.label() == "dev.web").unwrap();
    let words = format!("{:?}", plan.steps);
    assert!(words.contains("Deployment") && !words.contains("\"ConfigMap\""), "{words}");
}
