//! Watches as cursors: what they tell, in which order, and how they end.

use moorline::sandbox::faults::FaultRule;
use moorline::sandbox::request::{Body, Method};
use moorline::sandbox::watch::{Next, Watch};
use serde_json::json;

use super::{CONFIG_MAPS, World, config_map};

fn watch(world: &mut World, uri: &str) -> Watch {
    match world.send(Method::Get, uri).body {
        Body::Watch(watch) => *watch,
        other => panic!("{other:?}"),
    }
}

/// What a watch has to tell now, as `KIND name`.
fn told(world: &World, watch: &mut Watch) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match watch.next(&world.cluster.store, world.now) {
            Next::Event(event) => {
                let name = event.object["metadata"]["name"].as_str().unwrap_or_default();
                told.push(format!("{} {name}", event.kind).trim().to_owned());
            }
            Next::Pending => return told,
            Next::Ended => {
                told.push("end".to_owned());
                return told;
            }
        }
    }
}

#[test]
fn a_selector_turns_changes_into_comings_and_goings() {
    let mut world = World::new(1);
    world.create(CONFIG_MAPS, config_map("a"));
    let mut watch = watch(&mut world, &format!("{CONFIG_MAPS}?watch=1&labelSelector=app%3Da"));
    assert_eq!(told(&world, &mut watch), ["ADDED a"]);
    let uri = format!("{CONFIG_MAPS}/a");
    world.create(CONFIG_MAPS, config_map("b"));
    world.send_with(Method::Patch, &uri, json!({"data": {"a": "c"}}));
    world.send_with(Method::Patch, &uri, json!({"metadata": {"labels": {"app": "other"}}}));
    world.send_with(Method::Patch, &uri, json!({"metadata": {"labels": {"app": "a"}}}));
    world.send(Method::Delete, &uri);
    assert_eq!(told(&world, &mut watch), ["MODIFIED a", "DELETED a", "ADDED a", "DELETED a"]);
}

#[test]
fn a_compacted_version_is_gone() {
    let mut world = World::new(1);
    let version = world.get(CONFIG_MAPS)["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let uri = format!("{CONFIG_MAPS}?watch=1&resourceVersion={version}");
    let mut early = watch(&mut world, &uri);
    world.create(CONFIG_MAPS, config_map("a"));
    assert_eq!(told(&world, &mut early), ["ADDED a"]);
    world.create(CONFIG_MAPS, config_map("b"));
    world.cluster.store.compact();
    assert_eq!(told(&world, &mut early), ["ERROR", "end"]);
    let mut late = watch(&mut world, &uri);
    match late.next(&world.cluster.store, world.now) {
        Next::Event(event) => {
            assert_eq!((&event.object["code"], &event.object["reason"]), (&json!(410), &json!("Expired")))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn initial_events_end_with_a_bookmark() {
    let mut world = World::new(1);
    world.create(CONFIG_MAPS, config_map("a"));
    let uri = format!(
        "{CONFIG_MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let mut watch = watch(&mut world, &uri);
    assert_eq!(told(&world, &mut watch), ["ADDED a", "ADDED kube-root-ca.crt", "BOOKMARK"]);
    world.create(CONFIG_MAPS, config_map("b"));
    assert_eq!(told(&world, &mut watch), ["ADDED b"]);
    let bookmark = watch.bookmark(&world.cluster.store).unwrap();
    assert_eq!(
        bookmark.object["metadata"]["resourceVersion"].as_str(),
        Some(world.cluster.store.version().to_string().as_str())
    );
}

#[test]
fn watches_drop_and_stall_on_demand() {
    for (fault, expected) in
        [("drop=1,verb=watch", &["ADDED a", "end"][..]), ("stall=1,verb=watch", &["ADDED a"])]
    {
        let mut world = World::new(1);
        world.cluster.store.faults.add(fault.parse::<FaultRule>().unwrap());
        let mut watch = watch(&mut world, &format!("{CONFIG_MAPS}?watch=1&labelSelector=app"));
        world.create(CONFIG_MAPS, config_map("a"));
        world.create(CONFIG_MAPS, config_map("b"));
        assert_eq!(told(&world, &mut watch), expected, "{fault}");
    }
}

#[test]
fn pages_are_of_one_version() {
    let mut world = World::new(1);
    for name in ["a", "b", "c"] {
        world.create(CONFIG_MAPS, config_map(name));
    }
    let first = world.get(&format!("{CONFIG_MAPS}?limit=2"));
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    world.send(Method::Delete, &format!("{CONFIG_MAPS}/c"));
    world.create(CONFIG_MAPS, config_map("d"));
    let names = |page: serde_json::Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let second = world.get(&format!("{CONFIG_MAPS}?limit=5&continue={token}"));
    assert_eq!(names(second), ["c", "kube-root-ca.crt"]);
    world.cluster.store.compact();
    let response = world.send(Method::Get, &format!("{CONFIG_MAPS}?limit=5&continue={token}"));
    let expired = response.value();
    assert_eq!((response.code, expired["reason"].as_str()), (410, Some("Expired")));
    let token = expired["metadata"]["continue"].as_str().unwrap();
    let rest = world.get(&format!("{CONFIG_MAPS}?limit=5&continue={token}"));
    assert_eq!(names(rest), ["d", "kube-root-ca.crt"]);
}
