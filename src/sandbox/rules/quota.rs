//! ResourceQuotas: what objects use, what a namespace uses, and the refusal of what would be too much.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::catalog::Resource;
use super::super::failure::Failure;
use super::super::object::Fields;
use super::super::schema::quantity::Quantity;
use super::super::store::Store;

/// Names of resources with how much of each.
pub(in super::super) type Usage = BTreeMap<String, Quantity>;

fn add(usage: &mut Usage, name: &str, amount: &str) {
    let Some(amount) = Quantity::parse(amount) else { return };
    let sum = usage.get(name).map_or(amount, |sum| sum.plus(amount));
    usage.insert(name.to_owned(), sum);
}

/// What one object uses.
fn usage_of(resource: &Resource, object: &Value) -> Usage {
    let mut usage = Usage::new();
    let collection = resource.collection.as_str();
    add(&mut usage, &format!("count/{collection}"), "1");
    let counted = [
        "pods",
        "services",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
    ];
    let ended = collection == "pods" && matches!(object.text("/status/phase"), "Succeeded" | "Failed");
    if ended {
        return usage;
    }
    if counted.contains(&collection) {
        add(&mut usage, collection, "1");
    }
    match collection {
        "pods" => pod_usage(object, &mut usage),
        "services" => {
            let kind = object.text("/spec/type");
            if kind == "LoadBalancer" {
                add(&mut usage, "services.loadbalancers", "1");
            }
            let ports = object.items("/spec/ports").iter();
            let ports = ports.filter(|port| port.number("/nodePort").unwrap_or_default() > 0).count();
            if kind == "NodePort" || ports > 0 {
                add(&mut usage, "services.nodeports", &ports.to_string());
            }
        }
        "persistentvolumeclaims" => {
            let storage = object.text("/spec/resources/requests/storage");
            add(&mut usage, "requests.storage", storage);
            let class = object.text("/spec/storageClassName");
            if !class.is_empty() {
                let prefix = format!("{class}.storageclass.storage.k8s.io");
                add(&mut usage, &format!("{prefix}/requests.storage"), storage);
                add(&mut usage, &format!("{prefix}/persistentvolumeclaims"), "1");
            }
        }
        _ => {}
    }
    usage
}

fn pod_usage(object: &Value, usage: &mut Usage) {
    for container in object.items("/spec/containers") {
        for (name, amount) in container.map("/resources/requests").into_iter().flatten() {
            let amount = text_of(amount);
            add(usage, &format!("requests.{name}"), &amount);
            if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
                add(usage, name, &amount);
            }
        }
        for (name, amount) in container.map("/resources/limits").into_iter().flatten() {
            add(usage, &format!("limits.{name}"), &text_of(amount));
        }
    }
}

fn text_of(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

/// What a namespace uses of what a quota limits.
pub(in super::super) fn used(store: &Store, namespace: &str, quota: &Value) -> Usage {
    let mut used = Usage::new();
    let hard = quota.map("/spec/hard");
    for name in hard.into_iter().flatten().map(|(name, _)| name) {
        add(&mut used, name, "0");
    }
    let mut collections: Vec<&str> = vec![];
    for name in used.keys() {
        collections.extend(collections_of(name));
    }
    collections.sort_unstable();
    collections.dedup();
    let mut sum = used.clone();
    for collection in collections {
        let Some(resource) = store.catalog().of_collection(collection) else { continue };
        for object in store.list(collection, Some(namespace)) {
            for (name, amount) in usage_of(resource, object) {
                if let Some(total) = sum.get_mut(&name) {
                    *total = total.plus(amount);
                }
            }
        }
    }
    sum
}

/// The collection whose objects use a resource.
fn collections_of(name: &str) -> Option<&str> {
    if let Some(collection) = name.strip_prefix("count/") {
        return Some(collection);
    }
    match name {
        "services.loadbalancers" | "services.nodeports" => Some("services"),
        "requests.storage" => Some("persistentvolumeclaims"),
        "services"
        | "secrets"
        | "configmaps"
        | "persistentvolumeclaims"
        | "replicationcontrollers"
        | "resourcequotas" => Some(name),
        name if name.contains(".storageclass.") => Some("persistentvolumeclaims"),
        _ => Some("pods"),
    }
}

/// Whether a quota looks at a pod at all.
fn in_scope(quota: &Value, object: &Value) -> bool {
    let terminating = object.pointer("/spec/activeDeadlineSeconds").is_some();
    let best_effort = object.text("/status/qosClass") == "BestEffort";
    quota.items("/spec/scopes").iter().all(|scope| match scope.as_str() {
        Some("Terminating") => terminating,
        Some("NotTerminating") => !terminating,
        Some("BestEffort") => best_effort,
        Some("NotBestEffort") => !best_effort,
        _ => true,
    })
}

fn listed(usage: &Usage, names: &[&String]) -> String {
    let parts: Vec<String> = names
        .iter()
        .filter_map(|name| usage.get(*name).map(|amount| format!("{name}={}", amount.canonical())))
        .collect();
    parts.join(",")
}

/// Refuses an object that a quota has no room for, or that says it wants to be refused.
pub(super) fn admit(store: &Store, resource: &Resource, object: &Value) -> Result<(), Failure> {
    let namespace = object.namespace();
    if resource.collection == "pods" && object.annotation("sandbox.moorline.dev/fail") == Some("quota") {
        let why = "exceeded quota: sandbox, requested: pods=1, used: pods=0, limited: pods=0";
        return Err(Failure::forbidden(&resource.named, object.name(), why));
    }
    if namespace.is_empty()
        || store.collection("resourcequotas").is_none_or(super::super::objects::Collection::is_empty)
    {
        return Ok(());
    }
    let wanted = usage_of(resource, object);
    let refuse = |why: String| Err(Failure::forbidden(&resource.named, object.name(), &why));
    for quota in store.list("resourcequotas", Some(namespace)) {
        if resource.collection == "pods" && !in_scope(quota, object) {
            continue;
        }
        if resource.collection == "pods"
            && let Some(missing) = missing(quota, object)
        {
            return refuse(format!("failed quota: {}: must specify {missing}", quota.name()));
        }
        let used = used(store, namespace, quota);
        let hard: Usage = quota
            .map("/spec/hard")
            .into_iter()
            .flatten()
            .filter_map(|(name, amount)| Some((name.clone(), Quantity::parse(&text_of(amount))?)))
            .collect();
        let exceeded: Vec<&String> = wanted
            .iter()
            .filter(|(name, amount)| match (hard.get(*name), used.get(*name)) {
                (Some(hard), Some(used)) => !amount.is_zero() && used.plus(**amount) > *hard,
                _ => false,
            })
            .map(|(name, _)| name)
            .collect();
        if !exceeded.is_empty() {
            let (requested, used) = (listed(&wanted, &exceeded), listed(&used, &exceeded));
            let limited = listed(&hard, &exceeded);
            return refuse(format!(
                "exceeded quota: {}, requested: {requested}, used: {used}, limited: {limited}",
                quota.name()
            ));
        }
    }
    Ok(())
}

/// Which limits and requests a quota demands of every container and which are missing, by container.
fn missing(quota: &Value, object: &Value) -> Option<String> {
    let mut parts = Vec::new();
    let mut names: Vec<&String> =
        quota.map("/spec/hard").into_iter().flatten().map(|(name, _)| name).collect();
    names.sort();
    for name in names {
        let pointer = match name.split_once('.') {
            Some((kind @ ("limits" | "requests"), what)) if matches!(what, "cpu" | "memory") => {
                format!("/resources/{kind}/{what}")
            }
            None if matches!(name.as_str(), "cpu" | "memory") => format!("/resources/requests/{name}"),
            _ => continue,
        };
        let lacking: Vec<&str> = object
            .items("/spec/containers")
            .iter()
            .filter(|container| container.pointer(&pointer).is_none())
            .map(|container| container.text("/name"))
            .collect();
        if !lacking.is_empty() {
            parts.push(format!("{name} for: {}", lacking.join(",")));
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
