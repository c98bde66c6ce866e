//! kube-rs against the HTTP front: its watcher, its reflector and its dynamic apply, as they are.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::{WatchStreamExt as _, reflector, wait, watcher};
use kube::{Api, Client, Config, ResourceExt as _};
use moorline::sandbox::cluster::Cluster;
use moorline::sandbox::controllers::Pace;
use moorline::sandbox::faults::FaultRule;
use moorline::sandbox::front::{Served, serve};
use serde_json::json;
use tokio::net::TcpListener;

async fn sandbox() -> (Served, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pace = Pace { start: Duration::from_millis(10) };
    let served = Served::new(Cluster::new(5, pace, jiff::Timestamp::UNIX_EPOCH));
    tokio::spawn(serve(served.clone(), listener));
    let config = Config::new(format!("http://{address}").parse().unwrap());
    (served, Client::try_from(config).unwrap())
}

fn named(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

#[tokio::test]
async fn watcher_and_reflector_follow() {
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let (served, client) = sandbox().await;
        let maps: Api<ConfigMap> = Api::namespaced(client, "default");
        maps.create(&PostParams::default(), &named("first")).await.unwrap();
        let (reader, writer) = reflector::store();
        let mut names = watcher(maps.clone(), config)
            .default_backoff()
            .reflect(writer)
            .applied_objects()
            .map_ok(|object| object.name_any())
            .boxed();
        let mut initial =
            vec![names.try_next().await.unwrap().unwrap(), names.try_next().await.unwrap().unwrap()];
        initial.sort();
        assert_eq!(initial, ["first", "kube-root-ca.crt"]);
        maps.create(&PostParams::default(), &named("second")).await.unwrap();
        assert_eq!(names.try_next().await.unwrap().unwrap(), "second");
        assert_eq!(reader.state().len(), 3);
        // The history is lost: the watcher lists again and goes on.
        served.cluster().store.faults.add("drop=0,verb=watch,times=1".parse::<FaultRule>().unwrap());
        served.cluster().store.compact();
        maps.delete("second", &DeleteParams::default()).await.unwrap();
        maps.create(&PostParams::default(), &named("third")).await.unwrap();
        while names.try_next().await.unwrap().unwrap() != "third" {}
    }
}

#[tokio::test]
async fn dynamic_apply_and_pages() {
    let (_served, client) = sandbox().await;
    let kind = GroupVersionKind::gvk("", "v1", "ConfigMap");
    let (resource, _) = kube::discovery::pinned_kind(&client, &kind).await.unwrap();
    let maps: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &resource);
    let apply = PatchParams::apply("kube-rs");
    for number in 0..25 {
        let name = format!("c{number:02}");
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
        maps.patch(&name, &apply, &Patch::Apply(&object)).await.unwrap();
    }
    let mut page = maps.list(&ListParams::default().limit(10)).await.unwrap();
    let mut count = page.items.len();
    while let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) {
        page = maps.list(&ListParams::default().limit(10).continue_token(&token)).await.unwrap();
        count += page.items.len();
    }
    assert_eq!(count, 26);
    let discovery = kube::discovery::Discovery::new(client).run().await.unwrap();
    assert!(discovery.groups().count() > 15);
}

#[tokio::test]
async fn a_pod_is_awaited_and_its_log_read() {
    let (_served, client) = sandbox().await;
    let pods: Api<Pod> = Api::namespaced(client, "default");
    let pod =
        json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}});
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    wait::await_condition(pods.clone(), "web", wait::conditions::is_pod_running()).await.unwrap();
    let log = pods.logs("web", &kube::api::LogParams::default()).await.unwrap();
    assert_eq!(log, "web: started from web:1\n");
    pods.delete("web", &DeleteParams::default()).await.unwrap();
    wait::await_condition(pods.clone(), "web", |pod: Option<&Pod>| pod.is_none()).await.unwrap();
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_deed() {
    let (served, client) = sandbox().await;
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    for (fault, name, done) in
        [("lost,verb=create,times=1", "done", true), ("reset,verb=create,times=1", "not", false)]
    {
        served.cluster().store.faults.add(fault.parse::<FaultRule>().unwrap());
        let error = maps.create(&PostParams::default(), &named(name)).await.unwrap_err();
        assert!(!matches!(error, kube::Error::Api(_)), "{error:?}");
        assert_eq!(maps.get_opt(name).await.unwrap().is_some(), done, "{fault}");
    }
}
