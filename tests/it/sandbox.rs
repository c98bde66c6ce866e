//! The sandbox beyond the contract: faults, watches as cursors, controllers in virtual time, real clients.

mod clients;
mod controllers;
mod faults;
mod watches;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moorline::sandbox::cluster::Cluster;
use moorline::sandbox::controllers::Pace;
use moorline::sandbox::request::{Method, Request, Response};
use serde_json::{Value, json};

/// A cluster in virtual time.
struct World {
    cluster: Cluster,
    now: Timestamp,
}

impl World {
    fn new(seed: u64) -> World {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        World { cluster: Cluster::new(seed, Pace { start: Duration::from_secs(1) }, now), now }
    }

    fn send(&mut self, method: Method, uri: &str) -> Response {
        self.cluster.handle(&Request::new(method, uri), self.now)
    }

    fn send_with(&mut self, method: Method, uri: &str, object: Value) -> Response {
        let media = if method == Method::Patch { "application/merge-patch+json" } else { "application/json" };
        self.cluster.handle(&Request::new(method, uri).with(media, object), self.now)
    }

    fn create(&mut self, uri: &str, object: Value) -> Value {
        let response = self.send_with(Method::Post, uri, object);
        assert_eq!(response.code, 201, "{}", response.value());
        response.value()
    }

    fn get(&mut self, uri: &str) -> Value {
        self.send(Method::Get, uri).value()
    }

    /// Lets time pass: the controllers are stepped whenever something is due.
    fn pass(&mut self, seconds: i64) {
        let end = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        for _ in 0..10_000 {
            match self.cluster.step(self.now).filter(|due| *due <= end) {
                Some(due) => self.now = due.max(self.now),
                None => break,
            }
        }
        self.now = end;
        self.cluster.step(end);
    }
}

fn config_map(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": name}}, "data": {"a": "b"}})
}

fn deployment(name: &str, replicas: i64, image: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": name, "image": image}]}}}})
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const PODS: &str = "/api/v1/namespaces/default/pods";

#[test]
fn equal_seeds_and_requests_make_equal_clusters() {
    let state = |seed| {
        let mut world = World::new(seed);
        world.create(DEPLOYMENTS, deployment("web", 2, "web:1"));
        world.create(CONFIG_MAPS, json!({"metadata": {"generateName": "c-"}}));
        world.pass(5);
        ["/api/v1/pods", "/api/v1/configmaps", "/api/v1/events", "/apis/apps/v1/replicasets"]
            .map(|uri| world.get(uri).to_string())
    };
    assert_eq!(state(3), state(3));
    assert_ne!(state(3), state(4));
}
