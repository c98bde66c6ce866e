//! Rights that do not suffice for everything.

use super::support::{Shop, all_green, config_map, eventually, shown};

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
