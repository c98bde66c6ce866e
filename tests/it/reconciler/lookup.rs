//! `lookup` in charts: what it may read, what is held, and that what it found is shown nowhere.

use super::support::{Shop, all_green, holds, status};
use moorline::reconciler::Outcome;
use serde_json::json;

/// A shop with a third service, whose chart asks the cluster.
fn shop(template: &str) -> Shop {
    let shop = Shop::new();
    let chart = "environments/dev/charts/asks";
    shop.write(
        "environments/dev/Chart.yaml",
        "apiVersion: v2\nname: dev\nversion: 1.0.0\ndependencies:\n- {name: asks, version: 1.0.0}\n",
    );
    shop.write(&format!("{chart}/Chart.yaml"), "apiVersion: v2\nname: asks\nversion: 1.0.0\n");
    shop.write(&format!("{chart}/templates/a.yaml"), template);
    shop.write("services/asks.yaml", "team: blue\n");
    shop.commit();
    shop
}

fn map(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: asks}}\ndata:\n  value: {value}\n")
}

fn message(outcome: &Outcome) -> String {
    status(&outcome.board, "dev", "asks").unwrap().holds.iter().map(|hold| hold.message.as_str()).collect()
}

const OWN: &str = r#"{{ $found := lookup "v1" "Secret" .Release.Namespace "database" }}{{ dig "data" "url" "none" $found | quote }}"#;

#[tokio::test(start_paused = true)]
async fn a_chart_sees_its_own_namespace_and_follows_what_changes_there() {
    let shop = shop(&map(OWN));
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    let value = || shop.object("|ConfigMap|blue-dev|asks")["data"]["value"].clone();
    assert_eq!(value(), "none");
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "database", "namespace": "blue-dev"}, "data": {"url": "Y2FuYXJ5LW9uZQ=="}});
    shop.world.cluster.create("person", secret);
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    assert_eq!(value(), "Y2FuYXJ5LW9uZQ==");
    let writes = shop.world.cluster.writes().len();
    shop.once().await;
    assert_eq!(shop.world.cluster.writes().len(), writes, "the same answer is the same version");
}

#[tokio::test(start_paused = true)]
async fn what_was_looked_up_is_known_to_be_hidden_and_stays_out_of_messages() {
    let shop = shop(r#"{{ fail (lookup "v1" "Secret" .Release.Namespace "database").data.url }}"#);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "blue-dev"}});
    shop.world.cluster.create("person", namespace);
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "database", "namespace": "blue-dev"}, "data": {"url": "Y2FuYXJ5LW9uZQ=="}});
    shop.world.cluster.create("person", secret);
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "asks"), ["RenderFailed"]);
    assert!(message(&outcome).contains("(hidden)"), "{}", message(&outcome));
    assert!(!format!("{:?}", outcome.board).contains("Y2FuYXJ5"));
}

#[tokio::test(start_paused = true)]
async fn other_namespaces_need_a_line_in_the_services_file() {
    let ask = r#"{{ (lookup "v1" "ConfigMap" "blue-prod" "web").data.value | quote }}"#;
    let shop = shop(&map(ask));
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "asks"), ["LookupNotAllowed"]);
    let line = "allow: {lookup: [{kind: ConfigMap, namespace: blue-prod, name: web}]}";
    assert!(message(&outcome).contains(line), "{}", message(&outcome));
    shop.write("services/asks.yaml", &format!("team: blue\n{line}\n"));
    shop.commit();
    let outcome = shop.once().await;
    assert!(all_green(&outcome.board), "{:#?}", outcome.board);
    assert_eq!(shop.object("|ConfigMap|blue-dev|asks")["data"]["value"], "1");
}

#[tokio::test(start_paused = true)]
async fn nothing_allows_a_look_into_moorlines_own_namespace() {
    let ask = r#"{{ lookup "v1" "Secret" "moorline" "shop.keys" | toJson | quote }}"#;
    let shop = shop(&map(ask));
    shop.write(
        "services/asks.yaml",
        "team: blue\nallow: {lookup: [{kind: Secret, namespace: moorline}, {kind: Secret}]}\n",
    );
    shop.commit();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "asks"), ["LookupNotAllowed"]);
    // A list of all namespaces leaves it out.
    let all = r#"{{ range (lookup "v1" "Secret" "" "").items }}{{ .metadata.namespace }} {{ end }}"#;
    shop.write("environments/dev/charts/asks/templates/a.yaml", &map(&format!("\"{all}\"")));
    shop.commit();
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "blue-dev"}});
    shop.world.cluster.create("person", secret);
    shop.once().await;
    assert_eq!(shop.object("|ConfigMap|blue-dev|asks")["data"]["value"], "blue-dev ");
}

#[tokio::test(start_paused = true)]
async fn answers_may_lead_to_further_questions_but_not_forever() {
    let next = r#"{{ $one := lookup "v1" "ConfigMap" "" "" }}{{ $two := lookup "v1" "ConfigMap" .Release.Namespace (len $one.items | toString) }}{{ $two | toJson | quote }}"#;
    let shop_two = shop(&map(next));
    shop_two.write("services/asks.yaml", "team: blue\nallow: {lookup: [{kind: ConfigMap}]}\n");
    shop_two.commit();
    assert!(all_green(&shop_two.once().await.board));
    let endless = r#"{{ range $number := until 500 }}{{ lookup "v1" "ConfigMap" $.Release.Namespace (printf "n%d" $number) | toJson }}{{ end }}"#;
    let shop = shop(&map(endless));
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "asks"), ["RenderFailed"]);
    assert!(message(&outcome).contains("more than 200 questions"), "{}", message(&outcome));
}
