//! Random values, certificates and times of charts: drawn once, kept in the set's Secret, the same after whatever
//! happens; new only where a chart asks for something else, or a certificate ends.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::support::{Shop, holds};

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Chart.Name }}}\nstringData:\n  password: {{ randAlphaNum 20 }}\n  other: {{ include \"draw\" . }}\n  id: {{ uuidv4 }}\n  number: {{ randInt 0 1000000 | quote }}\n  hash: {{ htpasswd \"me\" .Values.password | quote }}\n  at: {{ now | unixEpoch | quote }}\n";
const DEFINE: &str = "{{ define \"draw\" }}{{ randAlphaNum 12 }}{{ end }}";

/// An umbrella of two services of one chart that draws.
fn shop() -> Shop {
    let shop = Shop::new();
    umbrella(&shop, "front", SECRET);
    umbrella(&shop, "back", SECRET);
    shop.write(
        "environments/dev/Chart.yaml",
        "apiVersion: v2\nname: dev\nversion: 0.1.0\ndependencies:\n- {name: front, version: 1.0.0}\n- {name: back, version: 1.0.0}\n",
    );
    shop.commit();
    shop
}

fn umbrella(shop: &Shop, name: &str, template: &str) {
    let folder = format!("environments/dev/charts/{name}");
    shop.write(&format!("services/{name}.yaml"), "team: blue\n");
    shop.write(&format!("{folder}/Chart.yaml"), &format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"));
    shop.write(&format!("{folder}/values.yaml"), "password: one\n");
    shop.write(&format!("{folder}/templates/_draw.tpl"), DEFINE);
    shop.write(&format!("{folder}/templates/secret.yaml"), template);
}

/// What a Secret holds, decoded.
fn secret(shop: &Shop, name: &str) -> Value {
    let object = shop.object(&format!("|Secret|blue-dev|{name}"));
    let Some(data) = object["data"].as_object() else { return Value::Null };
    let decoded =
        |value: &Value| String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    data.iter().map(|(key, value)| (key.clone(), Value::from(decoded(value)))).collect()
}

fn set(shop: &Shop, name: &str, slot: &str) -> Value {
    shop.object(&format!("|Secret|moorline|shop.dev.{name}.{slot}.1"))
}

#[tokio::test(start_paused = true)]
async fn what_was_drawn_stays_after_a_restart_and_two_services_draw_for_themselves() {
    let shop = shop();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "front"), [""; 0]);
    let (front, back) = (secret(&shop, "front"), secret(&shop, "back"));
    assert_eq!(front["password"].as_str().map(str::len), Some(20));
    for key in ["password", "other", "id", "number", "hash"] {
        assert_ne!(front[key], back[key], "{key}");
    }
    let writes = shop.world.cluster.writes().len();
    // Another process, later, with nothing but the cluster and Git.
    tokio::time::advance(Duration::from_hours(3)).await;
    shop.once().await;
    assert_eq!((secret(&shop, "front"), secret(&shop, "back")), (front, back));
    assert_eq!(shop.world.cluster.writes().len(), writes, "nothing is deployed for it");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_does_not_deploy_again_at_every_poll() {
    let shop = shop();
    shop.daemon(|_| async {
        super::support::eventually(|| {
            secret(&shop, "back") != Value::Null && secret(&shop, "front") != Value::Null
        })
        .await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let writes = shop.world.cluster.writes().len();
        tokio::time::sleep(Duration::from_hours(2)).await;
        assert_eq!(shop.world.cluster.writes().len(), writes);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn other_templates_and_other_draws_change_nothing_that_was_drawn() {
    let shop = shop();
    shop.once().await;
    let before = secret(&shop, "front");
    let folder = "environments/dev/charts/front/templates";
    // Files that run before and after, which draw by the same define, and a draw behind those that were there.
    let map = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{x: {{{{ include \"draw\" . }}}}}}\n"
        )
    };
    shop.write(&format!("{folder}/a.yaml"), &map("a"));
    shop.write(&format!("{folder}/z.yaml"), &map("z"));
    shop.write(&format!("{folder}/secret.yaml"), &format!("{SECRET}  more: {{{{ randAlphaNum 8 }}}}\n"));
    shop.write("environments/dev/front.yaml", "unrelated: 1\n");
    shop.commit();
    shop.once().await;
    let mut after = secret(&shop, "front");
    assert_eq!(after["more"].as_str().map(str::len), Some(8));
    after.as_object_mut().unwrap().shift_remove("more");
    assert_eq!(after, before);
    let drawn = |name: &str| shop.object(&format!("|ConfigMap|blue-dev|{name}"))["data"]["x"].clone();
    assert_ne!(drawn("a"), drawn("z"));
    // Other arguments are another question.
    shop.write(&format!("{folder}/secret.yaml"), &SECRET.replace("randAlphaNum 20", "randAlphaNum 24"));
    shop.write("environments/dev/front.yaml", "password: two\n");
    shop.commit();
    shop.once().await;
    let changed = secret(&shop, "front");
    assert_eq!(changed["password"].as_str().map(str::len), Some(24));
    assert_ne!(changed["hash"], before["hash"], "a hash is one of the password that there is now");
    assert_eq!(changed["at"], before["at"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_whose_place_is_gone_is_kept_for_five_rollouts() {
    let shop = shop();
    shop.once().await;
    let before = secret(&shop, "front");
    let path = "environments/dev/charts/front/templates/secret.yaml";
    for (rollouts, same) in [(4, true), (6, false)] {
        for number in 0..rollouts {
            tokio::time::advance(Duration::from_mins(10)).await;
            let line = format!("  n: \"{rollouts}.{number}\"\n");
            shop.write(path, &SECRET.replace("  at: {{ now | unixEpoch | quote }}\n", &line));
            shop.commit();
            shop.once().await;
        }
        tokio::time::advance(Duration::from_mins(10)).await;
        shop.write(path, SECRET);
        shop.commit();
        shop.once().await;
        // The time tells one draw from another; passwords come from the instance's key, and are the same.
        assert_eq!(secret(&shop, "front")["at"] == before["at"], same, "after {rollouts} rollouts");
        assert_eq!(secret(&shop, "front")["password"], before["password"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_stays_until_it_would_end() {
    let shop = shop();
    let template = "{{ $ca := genCA \"ca\" 90 }}{{ $cert := genSignedCert \"web\" nil (list \"web\") 90 $ca }}apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Chart.Name }}}\nstringData:\n  ca: {{ $ca.Cert | quote }}\n  cert: {{ $cert.Cert | quote }}\n  key: {{ $cert.Key | quote }}\n";
    umbrella(&shop, "front", template);
    shop.commit();
    shop.once().await;
    let first = secret(&shop, "front");
    assert!(first["cert"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"), "{first}");
    tokio::time::advance(Duration::from_hours(24 * 59)).await;
    shop.write("environments/dev/front.yaml", "unrelated: 1\n");
    shop.commit();
    shop.once().await;
    assert_eq!(secret(&shop, "front"), first);
    // A third of its time is left.
    tokio::time::advance(Duration::from_hours(24 * 2)).await;
    shop.once().await;
    let second = secret(&shop, "front");
    for key in ["ca", "cert", "key"] {
        assert_ne!(second[key], first[key], "{key}");
    }
    shop.once().await;
    assert_eq!(secret(&shop, "front"), second);
}

#[tokio::test(start_paused = true)]
async fn a_plan_and_the_daemon_agree_on_what_is_not_drawn_yet() {
    let shop = shop();
    shop.once().await;
    umbrella(&shop, "front", &format!("{SECRET}  more: {{{{ randAlphaNum 8 }}}}\n"));
    shop.commit();
    let digest = |outcome: &moorline::reconciler::Outcome| {
        let status = super::support::status(&outcome.board, "dev", "front").unwrap();
        status.wanted.as_ref().map(|version| version.digest)
    };
    let planned = digest(&shop.look().await);
    assert_eq!(planned, digest(&shop.look().await));
    assert_eq!(planned, digest(&shop.once().await));
}

#[tokio::test(start_paused = true)]
async fn a_revert_brings_back_what_was_drawn_and_git_is_not_needed() {
    let shop = shop();
    shop.once().await;
    let before = secret(&shop, "front");
    let path = "environments/dev/charts/front/templates/secret.yaml";
    tokio::time::advance(Duration::from_mins(10)).await;
    shop.write(
        path,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Chart.Name }}}\nstringData: {a: b}\n",
    );
    shop.commit();
    shop.once().await;
    assert_eq!(secret(&shop, "front"), serde_json::json!({"a": "b"}));
    tokio::time::advance(Duration::from_mins(10)).await;
    shop.write(path, SECRET);
    shop.commit();
    shop.once().await;
    let again = secret(&shop, "front");
    assert_eq!(again, before);
    shop.world.repositories.set_reachable(&super::support::config_url(), false);
    shop.world.cluster.meddle("kubectl-edit", "|Secret|blue-dev|front", |object| {
        object["stringData"]["password"] = Value::from("edited");
    });
    shop.once().await;
    assert_eq!(secret(&shop, "front"), before);
}

#[tokio::test(start_paused = true)]
async fn passwords_survive_the_loss_of_their_set() {
    let shop = shop();
    let template = SECRET.replace("  at: {{ now | unixEpoch | quote }}\n", "");
    umbrella(&shop, "front", &template);
    shop.commit();
    shop.once().await;
    let before = secret(&shop, "front");
    let name = "|Secret|moorline|shop.dev.front.a.1";
    assert_ne!(shop.object(name), Value::Null);
    shop.world.cluster.remove(name);
    shop.once().await;
    assert_eq!(secret(&shop, "front"), before);
}

#[tokio::test(start_paused = true)]
async fn a_service_may_have_new_values_at_every_render() {
    let shop = shop();
    shop.write("services/front.yaml", "team: blue\nrandom: fresh\n");
    shop.commit();
    shop.once().await;
    let (front, back) = (secret(&shop, "front"), secret(&shop, "back"));
    tokio::time::advance(Duration::from_mins(1)).await;
    shop.once().await;
    assert_ne!(secret(&shop, "front")["at"], front["at"], "a new process draws anew");
    assert_eq!(secret(&shop, "back"), back);
}

#[tokio::test(start_paused = true)]
async fn what_was_drawn_lies_in_secrets_alone() {
    let shop = shop();
    let folder = "environments/dev/charts/front/templates";
    shop.write(&format!("{folder}/map.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {x: {{ randAlphaNum 16 }}, n: \"{{ .Values.n }}\"}\n");
    shop.commit();
    shop.once().await;
    let password = secret(&shop, "front")["password"].as_str().unwrap().to_owned();
    assert!(set(&shop, "front", "a")["metadata"]["annotations"]["moorline.dev/drawn-bytes"].is_string());
    let head = shop.object("|ConfigMap|moorline|shop.dev.front").to_string();
    assert!(!head.contains(&password));
    let drawn = shop.object("|ConfigMap|blue-dev|map")["data"]["x"].as_str().unwrap().to_owned();
    shop.world.cluster.meddle("kubectl-edit", "|ConfigMap|blue-dev|map", |object| {
        object["data"]["n"] = Value::from("edited");
        object["data"]["x"] = Value::from("edited");
    });
    let outcome = shop.look().await;
    let shown = format!("{:?}", outcome.board);
    assert!(shown.contains("edited"), "{shown}");
    assert!(!shown.contains(&drawn) && !shown.contains(&password), "{shown}");
}
