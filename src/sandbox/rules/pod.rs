//! Pods: service account and its token, priority, tolerations, class of service, limits of the namespace.

use serde_json::{Value, json};

use super::super::catalog::Resource;
use super::super::failure::Failure;
use super::super::object::Fields;
use super::super::rest::Caller;
use super::super::store::Store;

const TOKEN_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Fills in what the API server's admission gives every pod.
pub(super) fn prepare(
    store: &mut Store,
    resource: &Resource,
    object: &mut Value,
    _caller: &Caller,
) -> Result<Vec<String>, Failure> {
    limit(store, object);
    add_account(store, resource, object)?;
    add_priority(store, resource, object)?;
    add_tolerations(object);
    let class = class_of_service(object);
    object.put("/status", json!({"phase": "Pending", "qosClass": class}));
    Ok(Vec::new())
}

/// Requests and limits that a LimitRange of the namespace gives to containers without.
fn limit(store: &Store, object: &mut Value) {
    let ranges: Vec<Value> = store
        .list("limitranges", Some(object.namespace()))
        .flat_map(|range| range.items("/spec/limits"))
        .filter(|limit| limit.text("/type") == "Container")
        .cloned()
        .collect();
    for range in ranges {
        for (from, to) in [("/default", "limits"), ("/defaultRequest", "requests")] {
            let defaults: Vec<(String, Value)> = range
                .map(from)
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            for container in containers(object) {
                for (name, value) in &defaults {
                    let pointer = format!("/resources/{to}/{name}");
                    if container.pointer(&pointer).is_none() {
                        container.put(&pointer, value.clone());
                    }
                }
            }
        }
    }
}

fn containers(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    spec.into_iter()
        .flat_map(|spec| spec.iter_mut())
        .filter(|(key, _)| matches!(key.as_str(), "containers" | "initContainers"))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
}

fn add_account(store: &mut Store, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    let name = match object.text("/spec/serviceAccountName") {
        "" => "default",
        name => name,
    }
    .to_owned();
    let namespace = object.namespace().to_owned();
    let Some(account) = store.get("serviceaccounts", &namespace, &name).cloned() else {
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
        );
        return Err(Failure::forbidden(&resource.named, object.name(), &why));
    };
    object.put("/spec/serviceAccountName", json!(name));
    object.put("/spec/serviceAccount", json!(name));
    let mounts = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_bool);
    let mounted = mounts(object, "/spec/automountServiceAccountToken")
        .or_else(|| mounts(&account, "/automountServiceAccountToken"))
        .unwrap_or(true);
    if mounted {
        mount_token(store, object);
    }
    let secrets = account.items("/imagePullSecrets");
    if object.items("/spec/imagePullSecrets").is_empty() && !secrets.is_empty() {
        object.put("/spec/imagePullSecrets", json!(secrets));
    }
    Ok(())
}

fn mount_token(store: &mut Store, object: &mut Value) {
    let volume = format!("kube-api-access-{}", store.ids.suffix(5));
    let mount = json!({"name": volume, "readOnly": true, "mountPath": TOKEN_FOLDER});
    let mut used = false;
    for container in containers(object) {
        let mut mounts = container.items("/volumeMounts").to_vec();
        if mounts.iter().any(|one| one.text("/mountPath") == TOKEN_FOLDER) {
            continue;
        }
        mounts.push(mount.clone());
        container.put("/volumeMounts", Value::Array(mounts));
        used = true;
    }
    if !used {
        return;
    }
    let mut volumes = object.items("/spec/volumes").to_vec();
    volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace",
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}}));
    object.put("/spec/volumes", Value::Array(volumes));
}

fn add_priority(store: &Store, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    let classes = "priorityclasses.scheduling.k8s.io";
    let wanted = object.text("/spec/priorityClassName").to_owned();
    let class = if wanted.is_empty() {
        store.list(classes, None).find(|class| class.holds("/globalDefault")).cloned()
    } else {
        let found = store.get(classes, "", &wanted).cloned();
        let why = format!("no PriorityClass with name {wanted} was found");
        Some(found.ok_or_else(|| Failure::forbidden(&resource.named, object.name(), &why))?)
    };
    let (value, policy) = match &class {
        Some(class) => {
            object.put("/spec/priorityClassName", json!(class.name()));
            (class.number("/value").unwrap_or_default(), class.text("/preemptionPolicy").to_owned())
        }
        None => (0, String::new()),
    };
    object.put("/spec/priority", json!(value));
    let policy = if policy.is_empty() { "PreemptLowerPriority" } else { &policy };
    object.put("/spec/preemptionPolicy", json!(policy));
    Ok(())
}

fn add_tolerations(object: &mut Value) {
    let mut tolerations = object.items("/spec/tolerations").to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = tolerations.iter().any(|one| {
            let (other, effect) = (one.text("/key"), one.text("/effect"));
            (other == key || other.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !tolerated {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300}));
        }
    }
    object.put("/spec/tolerations", Value::Array(tolerations));
}

/// Guaranteed, Burstable or BestEffort, by what the containers ask for.
fn class_of_service(object: &Value) -> &'static str {
    let (mut some, mut all) = (false, true);
    for container in object.items("/spec/containers").iter().chain(object.items("/spec/initContainers")) {
        for name in ["cpu", "memory"] {
            let request = container.text(&format!("/resources/requests/{name}"));
            let limit = container.text(&format!("/resources/limits/{name}"));
            some |= !request.is_empty() || !limit.is_empty();
            all &= !limit.is_empty() && (request == limit || request.is_empty());
        }
    }
    match (some, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
