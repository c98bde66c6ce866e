//! Absence is not intent: what cannot be seen, or is suddenly less, deletes nothing.

use serde_json::Value;

use crate::commands::once;
use crate::shop::Shop;

fn assert_nothing_deleted(shop: &Shop) {
    let requests = shop.audit_of_instance();
    let deletes: Vec<_> = requests
        .iter()
        .filter(|request| request.verb.starts_with("delete"))
        .map(|request| &request.uri)
        .collect();
    assert!(deletes.is_empty(), "{deletes:?}");
    let list = shop.kubectl(&["-n", &shop.namespace("dev"), "get", "deployments", "-o", "name"]);
    assert_eq!(list.lines().count(), 4, "{list}");
}

fn statuses(shop: &Shop) -> Vec<Value> {
    let output = shop.run(&["status", "dev", "-o", "json"]);
    serde_json::from_str(output.stdout()).unwrap_or_else(|error| panic!("{error}: {}", output.all()))
}

/// Every application of dev has a hold of one of these reasons.
fn assert_held(shop: &Shop, reasons: &[&str]) {
    let statuses = statuses(shop);
    assert!(statuses.len() >= 5, "none is forgotten: {statuses:?}");
    for status in statuses {
        let holds = status["holds"].as_array().unwrap();
        let named = holds.iter().any(|hold| reasons.iter().any(|reason| hold["reason"] == *reason));
        assert!(named, "{reasons:?}: {status}");
        assert!(!status["deployed"].is_null(), "{status}");
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn an_empty_config_repository_deletes_nothing() {
    let shop = Shop::new("empty");
    assert_eq!(once(&shop).code, 0);
    shop.remove(|_| true);
    let output = once(&shop);
    assert!([1, 3].contains(&output.code), "{}", output.all());
    assert_nothing_deleted(&shop);
    assert_held(&shop, &["ConfigFault", "SourceUnavailable", "RevisionMissing"]);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_truncated_config_repository_deletes_nothing() {
    let shop = Shop::new("truncated");
    assert_eq!(once(&shop).code, 0);
    shop.remove(|path| path.starts_with("environments/dev/") || path.starts_with("k8s/"));
    let output = once(&shop);
    assert_eq!(output.code, 3, "{}", output.all());
    assert_nothing_deleted(&shop);
    assert_held(&shop, &["ConfigFault", "EnvironmentShrunk", "PruneGuard"]);
    // Only the services' own files: the environment is there, its services are fewer.
    let shop = Shop::new("fewer");
    assert_eq!(once(&shop).code, 0);
    let services = ["api", "jobs", "worker"];
    shop.remove(|path| {
        services.iter().any(|name| path.ends_with(&format!("/{name}.yaml")) || path == format!("k8s/{name}"))
    });
    let output = once(&shop);
    assert_eq!(output.code, 3, "{}", output.all());
    assert_nothing_deleted(&shop);
    let held =
        statuses(&shop).iter().filter(|one| one["holds"].to_string().contains("EnvironmentShrunk")).count();
    assert!(held >= 1, "{:?}", statuses(&shop));
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn an_environment_that_left_moorline_yaml_is_kept() {
    let shop = Shop::new("left");
    assert_eq!(once(&shop).code, 0);
    let text = shop.config_file("moorline.yaml");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("  dev:")).collect();
    shop.commit(&[("moorline.yaml", &(kept.join("\n") + "\n"))]);
    shop.remove(|path| path.starts_with("environments/dev/"));
    let output = shop.once();
    assert_eq!(output.code, 3, "{}", output.all());
    assert_nothing_deleted(&shop);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn an_unreachable_repository_deletes_nothing_and_the_status_keeps_its_shape() {
    let shop = Shop::new("unreachable");
    assert_eq!(once(&shop).code, 0);
    let hidden = shop.hide_git();
    let output = once(&shop);
    assert_eq!(output.code, 1, "{}", output.all());
    assert_nothing_deleted(&shop);
    assert_held(&shop, &["SourceUnavailable"]);
    drop(hidden);
    assert_eq!(once(&shop).code, 0);
    shop.kubectl(&["-n", &shop.namespace("dev"), "annotate", "configmap", "api", "example.com/owner=ann"]);
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let status = shop.status("dev", "api");
    let expected = "awaiting blocked deployed environment health holds namespace neverPromoted resources service suspended sync wanted";
    let mut found = keys(&status);
    found.retain(|key| key != "notices" && key != "previous");
    assert_eq!(found.join(" "), expected);
    for version in ["wanted", "deployed"] {
        let found = keys(&status[version]);
        assert!(found.contains(&"config".to_owned()) && found.contains(&"digest".to_owned()), "{status}");
        let known = ["commit", "chart", "image", "config", "digest"];
        assert!(found.iter().all(|key| known.contains(&key.as_str())), "{status}");
    }
    let map = status["resources"].as_array().unwrap().iter().find(|one| one["kind"] == "ConfigMap").unwrap();
    assert_eq!(keys(map).join(" "), "extras group health kind message name namespace sync");
    assert_eq!(keys(&map["extras"][0]).join(" "), "field manager time", "{map}");
    assert_eq!((&status["sync"], &status["neverPromoted"]), (&"Synced".into(), &false.into()));
    assert!(status["blocked"].is_null() && status["suspended"].is_null());
    // A hold, too.
    shop.commit(&[("k8s/api/config.yaml", "kind: [")]);
    let held = shop.status("dev", "api");
    assert_eq!(keys(&held["holds"][0]).join(" "), "class message reason since", "{held}");
    assert_eq!(held["holds"][0]["class"], "fault");
}
