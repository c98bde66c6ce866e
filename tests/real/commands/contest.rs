//! Two controllers that want different things.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::commands::once;
use crate::shop::{Shop, config_map, eventually};

#[test]
#[ignore = "needs the real parts: tests/run"]
fn two_that_fight_over_a_field_end_in_a_hold_that_names_both() {
    let shop = Shop::new("contest");
    assert_eq!(once(&shop).code, 0);
    let namespace = shop.namespace("dev");
    let over = AtomicBool::new(false);
    let daemon = shop.daemon_of_dev();
    let colour =
        || shop.kubectl(&["-n", &namespace, "get", "configmap", "api", "-o", "jsonpath={.data.colour}"]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let apply = [
                "-n",
                &namespace,
                "apply",
                "--server-side",
                "--force-conflicts",
                "--field-manager=other-controller",
                "-f",
                "-",
            ];
            while !over.load(Ordering::Relaxed) {
                shop.kubectl_with_input(&apply, &config_map("api", "blue"));
                std::thread::yield_now();
            }
        });
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the daemon gives way", || shop.daemon_log().contains("both keep writing"));
        }));
        over.store(true, Ordering::Relaxed);
        assert!(found.is_ok(), "{}", shop.daemon_log());
    });
    assert_eq!(colour(), "blue");
    let log = shop.daemon_log();
    let line = log.lines().find(|line| line.contains("both keep writing")).unwrap();
    assert!(
        line.contains("moorline") && line.contains("other-controller") && line.contains("/data/colour"),
        "{line}"
    );
    // An edit of another field is healed all the same.
    shop.kubectl(&["-n", &namespace, "scale", "deployment", "api", "--replicas=4"]);
    eventually("another field is healed", || {
        shop.kubectl(&["-n", &namespace, "get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"])
            == "2"
    });
    assert_eq!(colour(), "blue", "the contested one waits");
    assert_eq!(daemon.terminate(), Some(0));
}
