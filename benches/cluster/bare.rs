//! The denominators: as many writes as moorline makes, by the shortest loops that can make them.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use http::Request;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::fleet;
use crate::parts::control_plane::ControlPlane;

/// A client that the audit log can tell.
pub(crate) async fn client(plane: &ControlPlane, agent: &'static str) -> Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
    Client::try_from(config).unwrap()
}

/// The path of an object, and of its collection.
pub(crate) fn paths(object: &Value) -> (String, String) {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or("");
    let version = text("/apiVersion");
    let root = if version.contains('/') { "apis" } else { "api" };
    let plural = format!("{}s", text("/kind").to_lowercase());
    let collection = format!("/{root}/{version}/namespaces/{}/{plural}", text("/metadata/namespace"));
    (format!("{collection}/{}", text("/metadata/name")), collection)
}

pub(crate) async fn send(client: &Client, method: &str, url: &str, media: &str, body: Vec<u8>) -> Value {
    let request = Request::builder().method(method).uri(url).header(http::header::CONTENT_TYPE, media);
    client
        .request(request.body(body).unwrap())
        .await
        .unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

/// One server-side apply.
pub(crate) async fn apply(client: &Client, object: &Value) -> Value {
    let url = format!("{}?fieldManager=bare&force=true", paths(object).0);
    send(client, "PATCH", &url, "application/apply-patch+yaml", object.to_string().into_bytes()).await
}

/// Writes a whole fleet, and for each application two objects as large as the inventory's; objects per second,
/// without the inventory's.
pub(crate) async fn sync(plane: &ControlPlane, name: &str, applications: usize, in_flight: usize) -> f64 {
    let client = client(plane, "bare/1").await;
    for namespace in fleet::namespaces(name).into_iter().chain([format!("{name}-moorline")]) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        send(&client, "POST", "/api/v1/namespaces", "application/json", object.to_string().into_bytes())
            .await;
    }
    let started = Instant::now();
    let client = Arc::new(client);
    let writes = (0..applications).flat_map(|application| {
        let mut writes: Vec<(bool, Value)> = inventory(name, application).map(|one| (true, one)).into();
        let objects = fleet::objects(name, application, "green").into_iter().map(|one| (false, one));
        writes.splice(1..1, objects);
        writes
    });
    let calls = writes.map(|(creates, object)| {
        let client = client.clone();
        // A task each, so that both cores encode and decode, as moorline's do.
        let call = tokio::spawn(async move {
            if creates {
                let body = object.to_string().into_bytes();
                send(&client, "POST", &paths(&object).1, "application/json", body).await;
            } else {
                apply(&client, &object).await;
            }
        });
        async move { call.await.unwrap() }
    });
    // The stream is lazy: a task starts when its turn comes.
    let written = futures::stream::iter(calls).buffer_unordered(in_flight).count().await;
    let wall = started.elapsed().as_secs_f64();
    let objects = applications * fleet::KINDS.len();
    let rate = objects as f64 / wall;
    println!(
        "bare loop: {objects} objects and {} inventory writes, {in_flight} in flight: {wall:.2} s = {rate:.0} objects/s ({:.0} writes/s)",
        written - objects,
        written as f64 / wall
    );
    rate
}

/// As large as moorline's own: a compressed set in a Secret, a head in a ConfigMap.
fn inventory(fleet: &str, application: usize) -> [Value; 2] {
    let name = fleet::name(application);
    let metadata = |role: &str| {
        json!({"name": format!("{name}.{role}"), "namespace": format!("{fleet}-moorline"),
            "labels": {"moorline.dev/role": role, "moorline.dev/application": name}})
    };
    let head = json!({"objects": vec!["v1/ConfigMap/bench-e0/app-0000: 00112233445566778899aabbccddeeff 00112233445566778899aabbccddeeff 01234567-89ab-cdef-0123-456789abcdef"; 6],
        "record": "x".repeat(1000)});
    [
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("set"), "type": "moorline.dev/set",
            "data": {"set": "QUJD".repeat(400)}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("head"),
            "data": {"head": head.to_string()}}),
    ]
}
