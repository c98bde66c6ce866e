//! How many requests the sandbox answers a second, in process and on one core: `cargo bench --bench sandbox`.
#![expect(clippy::print_stdout, reason = "a bench says what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::time::Instant;

use jiff::Timestamp;
use moorline::sandbox::cluster::Cluster;
use moorline::sandbox::controllers::Pace;
use moorline::sandbox::request::{Method, Request};
use serde_json::{Value, json};

const COUNT: usize = 5_000;

fn main() {
    let now = Timestamp::now();
    let mut cluster = Cluster::new(1, Pace::default(), now);
    let path = "/api/v1/namespaces/default/configmaps";
    let named = |number: usize| format!("{path}/c{number}");
    measure("create config maps", COUNT, |number| {
        send(
            &mut cluster,
            Request::new(Method::Post, path).with("application/json", config_map(number, 0)),
            now,
        )
    });
    measure("update config maps", COUNT, |number| {
        let request = Request::new(Method::Put, &named(number));
        send(&mut cluster, request.with("application/json", config_map(number, 1)), now)
    });
    measure("apply config maps (unchanged)", COUNT, |number| {
        apply(&mut cluster, &named(number), 1, number, now)
    });
    measure("apply config maps (changed)", COUNT, |number| {
        apply(&mut cluster, &named(number), 2, number, now)
    });
    measure("get config maps", COUNT, |number| {
        send(&mut cluster, Request::new(Method::Get, &named(number)), now)
    });
    measure("list 5,000 config maps in pages of 500", 10, |_| {
        let request = Request::new(Method::Get, &format!("{path}?limit=500"));
        send(&mut cluster, request, now)
    });
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    measure("apply deployments", 1_000, |number| {
        let uri = format!("{deployments}/d{number}?fieldManager=bench&force=true");
        let request = Request::new(Method::Patch, &uri);
        send(&mut cluster, request.with("application/apply-patch+yaml", deployment(number)), now)
    });
    let before = cluster.store.version();
    let start = Instant::now();
    let mut at = now;
    for _ in 0..1_000 {
        let Some(next) = cluster.step(at) else { break };
        if next.as_second() > now.as_second() + 60 {
            break;
        }
        at = next.max(at);
    }
    let (writes, took) = (cluster.store.version() - before, start.elapsed());
    println!("controllers: {writes} writes until 1,000 deployments run in {took:.1?}");
}

fn measure(what: &str, count: usize, mut one: impl FnMut(usize) -> u16) {
    let start = Instant::now();
    let refused = (0..count).filter(|number| one(*number) >= 300).count();
    let took = start.elapsed();
    let rate = f64::from(u32::try_from(count).unwrap_or_default()) / took.as_secs_f64();
    println!("{what}: {count} in {took:.1?}, {rate:.0}/s, {refused} refused");
}

fn send(cluster: &mut Cluster, request: Request, now: Timestamp) -> u16 {
    cluster.handle(&request, now).code
}

fn apply(cluster: &mut Cluster, path: &str, value: usize, number: usize, now: Timestamp) -> u16 {
    let request = Request::new(Method::Patch, &format!("{path}?fieldManager=bench&force=true"));
    send(cluster, request.with("application/apply-patch+yaml", config_map(number, value)), now)
}

fn config_map(number: usize, value: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{number}"),
        "labels": {"app": "bench"}}, "data": {"value": value.to_string(), "text": "x".repeat(200)}})
}

fn deployment(number: usize) -> Value {
    let name = format!("d{number}");
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web",
                "image": "registry.example.com/web:1", "ports": [{"containerPort": 80}],
                "resources": {"requests": {"cpu": "10m"}}}]}}}})
}
