//! Killed at any moment, it always converges, records nothing twice and prunes nothing that it should not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::support::{Shop, all_green, config_map, deployment, holds};
use moorline::reconciler::{RunMode, run};
use tokio::sync::watch;

/// Runs until everything stops at the `calls`th call to the world; false if it ended before.
async fn killed_after(shop: &Shop, calls: u32) -> bool {
    shop.world.mishaps.kill_after(calls);
    let (board, _keep) = watch::channel(Arc::default());
    let killed = tokio::select! {
        biased;
        () = shop.world.mishaps.stopped() => true,
        _ = run(shop.world.world(), shop.options(), RunMode::Once, board, std::future::pending()) => false,
    };
    shop.world.mishaps.disarm();
    killed
}

fn check_records(shop: &Shop) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for operation in shop.world.state.operations() {
        *counts.entry(operation).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[tokio::test(start_paused = true)]
async fn a_first_rollout_survives_a_kill_at_every_call() {
    let mut kills = 0;
    for calls in 1.. {
        let shop = Shop::new();
        if !killed_after(&shop, calls).await {
            break;
        }
        kills += 1;
        let outcome = shop.once().await;
        assert!(all_green(&outcome.board), "killed at call {calls}: {:#?}", outcome.board);
        assert!(shop.world.cluster.deletes().is_empty());
        check_records(&shop);
        assert_eq!(shop.world.state.operations().len(), 3, "killed at call {calls}");
        let writes = shop.world.cluster.writes().len();
        shop.once().await;
        assert_eq!(
            shop.world.cluster.writes().len(),
            writes,
            "killed at call {calls}: a quiet pass writes nothing"
        );
    }
    assert!(kills >= 30, "only {kills} moments");
}

#[tokio::test(start_paused = true)]
async fn updates_blocks_and_prunes_survive_kills() {
    let mut kills = 0;
    for seed in 0..250_u32 {
        let shop = Shop::new();
        for index in 0..5 {
            shop.write(&format!("k8s/api/extra{index}.yaml"), &config_map(&format!("extra{index}"), "1"));
        }
        shop.commit();
        shop.once().await;
        shop.write("k8s/web/config.yaml", &config_map("web", "2"));
        shop.remove("k8s/api/extra0.yaml");
        let blocked = seed % 3 == 0;
        if blocked {
            shop.write("k8s/web/deployment.yaml", &deployment("web", "shop/web:missing"));
        }
        shop.commit();
        // A pass makes 41 calls, and one that takes back what it applied 86.
        let calls = 1 + seed % if blocked { 87 } else { 43 };
        kills += u32::from(killed_after(&shop, calls).await);
        if seed % 5 == 0 {
            kills += u32::from(killed_after(&shop, 1 + seed % 23).await);
        }
        let outcome = shop.once().await;
        assert_eq!(shop.image("dev", "web"), "shop/web:1", "seed {seed}");
        if blocked {
            assert_eq!(holds(&outcome, "dev", "web"), ["Blocked"], "seed {seed}");
            assert_eq!(shop.object("|ConfigMap|blue-dev|web")["data"]["value"], "1", "seed {seed}: restored");
        } else {
            assert!(all_green(&outcome.board), "seed {seed}: {:#?}", outcome.board);
        }
        let deletes: Vec<String> = shop.world.cluster.deletes().iter().map(ToString::to_string).collect();
        assert_eq!(deletes, ["ConfigMap blue-dev/extra0"], "seed {seed}");
        check_records(&shop);
    }
    assert!(kills >= 200, "only {kills} kills");
}
