//! A rollout goes on after a restart: with the time that it used, and with what it created.

use std::time::Duration;

use super::support::{Shop, config_map, deployment, holds};
use serde_json::Value;

#[tokio::test(start_paused = true)]
async fn a_rollout_goes_on_after_a_restart() {
    let shop = Shop::new();
    shop.once().await;
    shop.write("k8s/web/deployment.yaml", &deployment("web", "shop/web:missing"));
    shop.write("k8s/web/new.yaml", &config_map("new", "1"));
    shop.commit();
    let began = tokio::time::Instant::now();
    // The timeout is a minute; the daemon is stopped after two thirds of it.
    shop.daemon(|_| tokio::time::sleep(Duration::from_secs(40))).await;
    assert_ne!(shop.object("|ConfigMap|blue-dev|new"), Value::Null, "applied");
    let restarted = tokio::time::Instant::now();
    let outcome = shop.once().await;
    assert_eq!(holds(&outcome, "dev", "web"), ["Blocked"]);
    let (whole, rest) = (began.elapsed().as_secs(), restarted.elapsed().as_secs());
    assert!(whole >= 60 && rest < 40, "blocked after {whole} s, {rest} s of them after the restart");
    assert_eq!(shop.image("dev", "web"), "shop/web:1", "restored");
    assert_eq!(shop.object("|ConfigMap|blue-dev|new"), Value::Null, "what the rollout created is gone");
}

#[tokio::test(start_paused = true)]
async fn what_a_blocked_rollout_created_is_known_to_the_next_process() {
    let shop = Shop::new();
    shop.once().await;
    shop.write("k8s/web/deployment.yaml", &deployment("web", "shop/web:missing"));
    shop.write("k8s/web/new.yaml", &config_map("new", "1"));
    shop.commit();
    shop.once().await;
    let head = shop.object("|ConfigMap|moorline|shop.dev.web");
    let head: Value = serde_json::from_str(head["data"]["head"].as_str().unwrap()).unwrap();
    let created: Vec<_> = head["created"].as_object().unwrap().keys().collect();
    assert_eq!(created, ["|ConfigMap|blue-dev|new"]);
    assert_eq!(shop.object("|ConfigMap|blue-dev|new"), Value::Null, "a restore deletes it");
}

#[tokio::test(start_paused = true)]
async fn the_first_pass_lets_go_of_the_lease() {
    let shop = Shop::new();
    shop.once().await;
    let lease = shop.object("coordination.k8s.io|Lease|moorline|shop");
    assert_eq!(lease["spec"]["holderIdentity"], "", "it was taken to make the key");
}
