//! Services: addresses of balancers, and the pods behind them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::bootstrap::NODE;
use super::super::object::{Fields, controlled_by};
use super::super::selector::LabelSelector;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{change, change_status, create, is_active, is_true, place as place_of};

const SLICES: &str = "endpointslices.discovery.k8s.io";

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let service = store.at(place)?.clone();
    if service.is_terminating() {
        return None;
    }
    balance(store, place, &service, now);
    let selector = service.map("/spec/selector").filter(|labels| !labels.is_empty())?;
    let selector = LabelSelector::of_labels(selector);
    let pods: Vec<Arc<Value>> = store
        .list("pods", Some(&place.namespace))
        .filter(|pod| selector.matches(pod) && !pod.text("/status/podIP").is_empty())
        .filter(|pod| is_active(pod))
        .cloned()
        .collect();
    slice(store, &service, &pods, now);
    endpoints(store, &service, &pods, now);
    None
}

/// A balancer's address, from a corner of the services' range.
fn balance(store: &mut Store, place: &Place, service: &Value, now: Timestamp) {
    let wanted = service.text("/spec/type") == "LoadBalancer";
    let has = !service.items("/status/loadBalancer/ingress").is_empty();
    if wanted == has {
        return;
    }
    let taken: Vec<String> = store
        .list("services", None)
        .flat_map(|service| service.items("/status/loadBalancer/ingress"))
        .map(|ingress| ingress.text("/ip").to_owned())
        .collect();
    let mut free = (1..255).map(|number| format!("10.0.255.{number}"));
    let address = free.find(|address| !taken.contains(address));
    let asked = service.text("/spec/loadBalancerIP").to_owned();
    change_status(store, place, now, |service| match address.filter(|_| wanted) {
        Some(address) => {
            let address = if asked.is_empty() { address } else { asked };
            service.put("/status/loadBalancer", json!({"ingress": [{"ip": address, "ipMode": "VIP"}]}));
        }
        None => service.put("/status/loadBalancer", json!({})),
    });
}

/// The number of a port, which may be the name of a container's.
fn port_of(port: &Value, pods: &[Arc<Value>]) -> Value {
    match port.get("targetPort") {
        Some(Value::String(name)) => pods
            .iter()
            .flat_map(|pod| pod.items("/spec/containers"))
            .flat_map(|container| container.items("/ports"))
            .find(|one| one.text("/name") == name)
            .and_then(|one| one.get("containerPort").cloned())
            .unwrap_or(Value::Null),
        Some(number) if number.as_i64().is_some_and(|number| number > 0) => number.clone(),
        _ => port.get("port").cloned().unwrap_or_default(),
    }
}

fn ports_of(service: &Value, pods: &[Arc<Value>]) -> Vec<Value> {
    let one = |port: &Value| json!({"name": port.text("/name"), "port": port_of(port, pods), "protocol": port.text("/protocol")});
    let ports = service.items("/spec/ports").iter().map(one);
    ports.filter(|port| !port["port"].is_null()).collect()
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": pod.namespace(), "name": pod.name(), "uid": pod.uid()})
}

fn slice(store: &mut Store, service: &Value, pods: &[Arc<Value>], now: Timestamp) {
    let endpoint = |pod: &Arc<Value>| {
        let ready = is_true(pod, "Ready");
        json!({"addresses": [pod.text("/status/podIP")], "nodeName": NODE, "targetRef": target(pod),
            "conditions": {"ready": ready, "serving": ready, "terminating": false}})
    };
    let endpoints: Vec<Value> = pods.iter().map(endpoint).collect();
    let ports = ports_of(service, pods);
    let known = store.controlled(service.uid(), SLICES).next().map(|slice| place_of(SLICES, slice));
    if let Some(known) = known {
        change(store, &known, now, |slice| {
            slice.put("/endpoints", json!(endpoints));
            slice.put("/ports", json!(ports));
        });
        return;
    }
    let slice = json!({"metadata": {"generateName": format!("{}-", service.name()),
            "labels": {"kubernetes.io/service-name": service.name(),
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
            "ownerReferences": [controlled_by(service, "v1", "Service")]},
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports});
    // A namespace on its way out takes no slices, and needs none.
    drop(create(store, SLICES, service.namespace(), slice, now));
}

/// The older form of the same, which kubectl describes.
fn endpoints(store: &mut Store, service: &Value, pods: &[Arc<Value>], now: Timestamp) {
    let mut subset = json!({});
    for (field, wanted) in [("addresses", true), ("notReadyAddresses", false)] {
        let addresses: Vec<Value> = pods
            .iter()
            .filter(|pod| is_true(pod, "Ready") == wanted)
            .map(|pod| json!({"ip": pod.text("/status/podIP"), "nodeName": NODE, "targetRef": target(pod)}))
            .collect();
        if !addresses.is_empty() {
            subset.put(&format!("/{field}"), json!(addresses));
        }
    }
    let ports: Vec<Value> = ports_of(service, pods)
        .into_iter()
        .map(|mut port| {
            if port.text("/name").is_empty() {
                port.take_out("/name");
            }
            port
        })
        .collect();
    let subsets = if pods.is_empty() {
        Value::Null
    } else {
        if !ports.is_empty() {
            subset.put("/ports", json!(ports));
        }
        json!([subset])
    };
    let at = Place::new("endpoints", service.namespace(), service.name());
    if store.at(&at).is_none() {
        let mut endpoints = json!({"metadata": {"name": service.name(),
            "labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}});
        if let Some(labels) = service.map("/metadata/labels") {
            for (key, value) in labels {
                let key = key.replace('~', "~0").replace('/', "~1");
                endpoints.put(&format!("/metadata/labels/{key}"), value.clone());
            }
        }
        endpoints.put("/metadata/ownerReferences", json!([controlled_by(service, "v1", "Service")]));
        if !subsets.is_null() {
            endpoints.put("/subsets", subsets);
        }
        drop(create(store, "endpoints", service.namespace(), endpoints, now));
        return;
    }
    change(store, &at, now, |endpoints| match subsets {
        Value::Null => drop(endpoints.take_out("/subsets")),
        subsets => endpoints.put("/subsets", subsets),
    });
}
