//! Charts that are not vendored: fetched once, chosen by lock or range, and never a reason to change what is
//! deployed while their repository is away.

use moorline::model::chart::{ChartAddress, ChartRepository};
use moorline::model::source::FileTree;

use super::support::{Shop, holds, status};

const REPOSITORY: &str = "https://charts.example.com/stable";

fn chart(name: &str) -> ChartAddress {
    ChartAddress { repository: REPOSITORY.parse().unwrap(), name: name.parse().unwrap() }
}

fn repository() -> ChartRepository {
    REPOSITORY.parse().unwrap()
}

/// A packaged chart whose ConfigMap tells the version and what `extra` renders.
pub(super) fn packaged(name: &str, version: &str, extra: &[(&str, &str)]) -> Vec<u8> {
    let about = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}-{name}}}\ndata: {{version: \"{version}\", colour: \"{{{{ .Values.colour }}}}\"}}\n"
    );
    let mut files = vec![("Chart.yaml", about.as_str()), ("templates/map.yaml", map.as_str())];
    files.retain(|(path, _)| !extra.iter().any(|(other, _)| other == path));
    files.extend(extra);
    moorline_doubles::packaged(name, files).unwrap()
}

fn offer(shop: &Shop, name: &str, version: &str) {
    shop.world.charts.offer(&chart(name), version, &packaged(name, version, &[]));
}

/// A shop whose `dev` is an umbrella of `web` in a range of versions, beside plain YAML.
fn shop(range: &str) -> Shop {
    let shop = Shop::new();
    shop.write("services/shop.yaml", "team: blue\n");
    umbrella(&shop, &format!("- {{name: shop, version: '{range}', repository: '{REPOSITORY}'}}\n"));
    shop.write("environments/dev/shop.yaml", "colour: red\n");
    shop.commit();
    shop
}

fn umbrella(shop: &Shop, dependencies: &str) {
    let text = format!("apiVersion: v2\nname: dev\nversion: 0.1.0\ndependencies:\n{dependencies}");
    shop.write("environments/dev/Chart.yaml", &text);
}

fn version(shop: &Shop) -> String {
    let object = shop.object("|ConfigMap|blue-dev|shop-shop");
    object["data"]["version"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_highest_version_that_fits_is_deployed_and_stays_while_its_repository_is_away() {
    let shop = shop("^1.2");
    for known in ["1.2.0", "1.10.0", "2.0.0", "1.11.0-rc.1"] {
        offer(&shop, "shop", known);
    }
    let outcome = shop.once().await;
    assert_eq!(outcome.failures, Vec::<String>::new());
    assert_eq!(version(&shop), "1.10.0");
    assert_eq!(shop.object("|ConfigMap|blue-dev|shop-shop")["data"]["colour"], "red");
    // Away, with what was fetched at hand: the same, and nothing is written.
    shop.world.charts.set_reachable(&repository(), false);
    let before = shop.world.cluster.writes().len();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "shop"), [""; 0]);
    // Away, and the data directory lost: held, waiting, still the same.
    shop.world.charts.forget();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "shop"), ["ChartUnavailable"]);
    let message = &status(&outcome.board, "dev", "shop").unwrap().holds[0].message;
    assert!(
        message.contains("connection refused") && message.contains("what is deployed is kept"),
        "{message}"
    );
    assert!(
        outcome.failures.iter().any(|failure| failure.contains("connection refused")),
        "{:?}",
        outcome.failures
    );
    assert_eq!(shop.world.cluster.writes().len(), before);
    assert!(holds(&outcome, "dev", "web").is_empty(), "nobody else is concerned");
    // Back, with something newer.
    shop.world.charts.set_reachable(&repository(), true);
    offer(&shop, "shop", "1.12.3");
    shop.once().await;
    assert_eq!(version(&shop), "1.12.3");
}

#[tokio::test(start_paused = true)]
async fn one_version_is_asked_for_once() {
    let shop = shop("1.2.0");
    offer(&shop, "shop", "1.2.0");
    shop.once().await;
    let asked = shop.world.charts.asked();
    shop.world.charts.set_reachable(&repository(), false);
    let outcome = shop.once().await;
    assert_eq!((version(&shop).as_str(), outcome.failures.len()), ("1.2.0", 0));
    assert_eq!(shop.world.charts.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_running_daemon_sees_a_newer_version_of_a_range() {
    let shop = shop("^1");
    offer(&shop, "shop", "1.0.0");
    shop.daemon(|_| async {
        super::support::eventually(|| version(&shop) == "1.0.0").await;
        let asked = shop.world.charts.asked();
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
        assert_eq!(
            shop.world.charts.asked(),
            asked,
            "a range is asked for every five minutes, not at every poll"
        );
        offer(&shop, "shop", "1.0.1");
        super::support::eventually(|| version(&shop) == "1.0.1").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_exist_names_its_place_and_what_there_is() {
    let shop = shop("^3.1");
    for known in ["3.0.0", "3.0.9", "1.0.0"] {
        offer(&shop, "shop", known);
    }
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "shop"), ["ConfigFault"]);
    let message = &status(&outcome.board, "dev", "shop").unwrap().holds[0].message;
    assert_eq!(
        message,
        "environments/dev/Chart.yaml:5:3: https://charts.example.com/stable has no version of shop that fits ^3.1 (it has 3.0.9, 3.0.0)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_library_that_is_away_holds_all_that_may_use_it() {
    let shop = shop("1.0.0");
    offer(&shop, "shop", "1.0.0");
    umbrella(
        &shop,
        &format!(
            "- {{name: shop, version: '1.0.0', repository: '{REPOSITORY}'}}\n- {{name: lib, version: '1.0.0', repository: 'oci://registry.example.com/charts'}}\n"
        ),
    );
    shop.commit();
    let registry: ChartRepository = "oci://registry.example.com/charts".parse().unwrap();
    shop.world.charts.set_reachable(&registry, false);
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "shop"), ["ChartUnavailable"]);
    assert_eq!(version(&shop), "none");
    let about = "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n";
    let lib = ChartAddress { repository: registry.clone(), name: "lib".parse().unwrap() };
    shop.world.charts.offer(&lib, "1.0.0", &packaged("lib", "1.0.0", &[("Chart.yaml", about)]));
    shop.world.charts.set_reachable(&registry, true);
    let outcome = shop.once().await;
    assert_eq!(version(&shop), "1.0.0");
    assert!(status(&outcome.board, "dev", "lib").is_none(), "a library is no application");
}

#[tokio::test(start_paused = true)]
async fn the_lock_decides_and_a_stale_one_is_a_fault() {
    let shop = shop("^1");
    for known in ["1.2.0", "1.3.0"] {
        offer(&shop, "shop", known);
    }
    // The digest is that of helm 4.3.1 for this list.
    let lock = |digest: &str| {
        format!(
            "dependencies:\n- name: shop\n  repository: {REPOSITORY}\n  version: 1.2.0\ndigest: {digest}\n"
        )
    };
    shop.write("environments/dev/Chart.lock", &lock(DIGEST));
    shop.commit();
    shop.once().await;
    assert_eq!(version(&shop), "1.2.0");
    shop.write("environments/dev/Chart.lock", &lock("sha256:0"));
    shop.commit();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "shop"), ["ConfigFault"]);
    let message = &status(&outcome.board, "dev", "shop").unwrap().holds[0].message;
    assert_eq!(
        message,
        "environments/dev/Chart.lock: is out of sync with the dependencies, so the version of shop cannot be told (run `helm dependency update environments/dev` and commit Chart.lock)"
    );
    assert_eq!(version(&shop), "1.2.0");
}

const DIGEST: &str = "sha256:638bc7592e633ac8b9ecc21a4af1802a7b58f0545df7978180fe5dee267f48c9";

#[tokio::test(start_paused = true)]
async fn a_service_may_name_a_chart_of_a_repository() {
    let shop = Shop::new();
    let service =
        format!("team: blue\nchart: {{repository: '{REPOSITORY}', name: redis, version: '~1.2'}}\n");
    shop.write("services/cache.yaml", &service);
    shop.write("environments/prod/cache.yaml", "colour: green\n");
    shop.commit();
    for known in ["1.2.7", "1.3.0"] {
        offer(&shop, "redis", known);
    }
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "prod", "cache"), [""; 0]);
    let object = shop.object("|ConfigMap|blue-prod|cache-redis");
    assert_eq!((&object["data"]["version"], &object["data"]["colour"]), (&"1.2.7".into(), &"green".into()));
    assert_eq!(status(&outcome.board, "prod", "cache").unwrap().holds.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_chart_of_a_code_repository_gets_what_it_depends_on() {
    let shop = Shop::new();
    let code = "https://git.example.com/api.git".parse().unwrap();
    shop.write("moorline.yaml", "version: 1\nname: shop\nenvironments: {dev: {branch: main}, prod: {}}\n");
    shop.write(
        "services/code.yaml",
        "team: blue\ncode: {repository: 'https://git.example.com/api.git'}\nchart: {path: chart}\n",
    );
    shop.write("environments/dev/code.yaml", "db: {colour: blue}\n");
    shop.commit();
    let about = format!(
        "apiVersion: v2\nname: api\nversion: 0.1.0\ndependencies:\n- {{name: db, version: '^1', repository: '{REPOSITORY}'}}\n"
    );
    let tree = FileTree::from_contents([("chart/Chart.yaml", about.as_str()), ("chart/values.yaml", "")]);
    shop.world.repositories.commit(&code, "main", tree);
    offer(&shop, "db", "1.4.0");
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "code"), [""; 0]);
    let object = shop.object("|ConfigMap|blue-dev|code-db");
    assert_eq!((&object["data"]["version"], &object["data"]["colour"]), (&"1.4.0".into(), &"blue".into()));
    shop.world.charts.set_reachable(&repository(), false);
    shop.world.charts.forget();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "code"), ["ChartUnavailable"]);
    assert_eq!(shop.object("|ConfigMap|blue-dev|code-db"), object);
}
