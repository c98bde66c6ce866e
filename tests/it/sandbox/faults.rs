//! Faults on demand: what a client sees, and what was done all the same.

use moorline::sandbox::faults::FaultRule;
use moorline::sandbox::request::Method;
use serde_json::json;

use super::{CONFIG_MAPS, World, config_map};

fn with(fault: &str) -> World {
    let mut world = World::new(1);
    world.create(CONFIG_MAPS, config_map("there"));
    let rule: FaultRule = fault.parse().unwrap();
    world.cluster.store.faults.add(rule);
    world
}

#[test]
fn refusals_name_themselves() {
    let there = format!("{CONFIG_MAPS}/there");
    for (fault, method, code, reason) in [
        ("429=3", Method::Get, 429, "TooManyRequests"),
        ("500", Method::Get, 500, "InternalError"),
        ("conflict", Method::Put, 409, "Conflict"),
        ("forbidden", Method::Get, 403, "Forbidden"),
    ] {
        let mut world = with(&format!("{fault},times=1"));
        let response = world.send_with(method, &there, config_map("there"));
        assert_eq!((response.code, response.value()["reason"].as_str()), (code, Some(reason)), "{fault}");
        assert_eq!(response.retry_after, (code == 429).then_some(3));
        assert_eq!(world.send_with(method, &there, config_map("there")).code, 200, "{fault} is used up");
    }
}

#[test]
fn the_words_of_a_missing_right() {
    let mut world = with("forbidden,verb=list,resource=configmaps");
    let message = world.get(CONFIG_MAPS)["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message,
        "configmaps is forbidden: User \"administrator\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\""
    );
    let review = json!({"spec": {"resourceAttributes": {"verb": "list", "resource": "configmaps"}}});
    let uri = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    assert_eq!(world.create(uri, review.clone())["status"]["allowed"], false);
    world.cluster.store.faults.clear();
    assert_eq!(world.create(uri, review)["status"]["allowed"], true);
}

#[test]
fn a_lost_answer_was_done_and_a_reset_was_not() {
    for (fault, done) in [("lost,verb=create", true), ("reset,verb=create", false)] {
        let mut world = with(fault);
        let response = world.send_with(Method::Post, CONFIG_MAPS, config_map("new"));
        assert!(response.fate.lost, "{fault}");
        let code = world.send(Method::Get, &format!("{CONFIG_MAPS}/new")).code;
        assert_eq!(code == 200, done, "{fault}");
    }
}

#[test]
fn a_stale_read_sees_the_past() {
    let mut world = with("stale=1,verb=get");
    world.send_with(Method::Patch, &format!("{CONFIG_MAPS}/there"), json!({"data": {"a": "c"}}));
    assert_eq!(world.get(&format!("{CONFIG_MAPS}/there"))["data"]["a"], "b");
    world.cluster.store.faults.clear();
    assert_eq!(world.get(&format!("{CONFIG_MAPS}/there"))["data"]["a"], "c");
}

#[test]
fn latency_is_left_to_the_transport() {
    let mut world = with("latency=250");
    let response = world.send(Method::Get, CONFIG_MAPS);
    assert_eq!((response.code, response.fate.delay.as_millis()), (200, 250));
}
