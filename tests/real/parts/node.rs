//! A stand-in for nodes: binds pods, says that they run (or why not), and lets go of those being deleted.
//!
//! There is no kubelet and no scheduler in the tests. What a pod is said to do follows from the tags of its images:
//!
//! | tag contains | what the pod does |
//! |---|---|
//! | `missing` | waits in `ImagePullBackOff` |
//! | `crash` | waits in `CrashLoopBackOff`; with `restartPolicy: Never` it fails |
//! | `unready` | runs and never becomes ready |
//! | `unschedulable` (or that annotation) | stays pending, with the scheduler's reason |
//! | anything else | runs and is ready; with another restart policy than `Always` it completes |
//!
//! Claims are bound to a volume made for them, unless their storage class contains `unbound`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Container, Node, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

const NODE: &str = "stand-in";

/// Plays the node until the future is dropped.
pub(crate) async fn run(client: Client) -> Result<(), kube::Error> {
    create_node(&client).await?;
    tokio::join!(serve_pods(&client), serve_claims(&client));
    Ok(())
}

async fn create_node(client: &Client) -> Result<(), kube::Error> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {
        "name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}}});
    match nodes.create(&PostParams::default(), &parsed(node)).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => drop(other?),
    }
    // Admission taints every new node as not ready; the controller that would lift it is not running.
    let untainted = Patch::Merge(json!({"spec": {"taints": null}}));
    nodes.patch(NODE, &PatchParams::default(), &untainted).await?;
    let resources = json!({"cpu": "1000", "memory": "4Ti", "pods": "100000", "ephemeral-storage": "4Ti"});
    let status = json!({"status": {
        "capacity": resources, "allocatable": resources,
        "conditions": [{"type": "Ready", "status": "True", "reason": "StandIn", "message": "the stand-in is ready"}]}});
    nodes.patch_status(NODE, &PatchParams::default(), &Patch::Strategic(status)).await?;
    Ok(())
}

async fn serve_pods(client: &Client) {
    let pods: Api<Pod> = Api::all(client.clone());
    watcher(pods, watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .for_each_concurrent(32, |event| async move {
            if let Ok(pod) = event {
                insist(&pod.name_any(), || carry_out(client, &pod)).await;
            }
        })
        .await;
}

async fn serve_claims(client: &Client) {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    watcher(claims, watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .for_each_concurrent(8, |event| async move {
            if let Ok(claim) = event
                && let Some(volume) = volume_for(&claim)
            {
                let volumes: Api<PersistentVolume> = Api::all(client.clone());
                let (volumes, volume) = (&volumes, &volume);
                insist(&claim.name_any(), || async move {
                    volumes.create(&PostParams::default(), volume).await.map(drop)
                })
                .await;
            }
        })
        .await;
}

/// Repeats a reaction that failed, unless the object is gone, changed or there already: an event then follows.
#[expect(clippy::print_stderr, reason = "a program's own complaint, by hand and in a failing test")]
async fn insist<Answer: Future<Output = Result<(), kube::Error>>>(
    name: &str,
    mut reaction: impl FnMut() -> Answer,
) {
    for _ in 0..20 {
        match reaction().await {
            Ok(()) => return,
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => return,
            Err(error) => eprintln!("node stand-in: {name}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

async fn carry_out(client: &Client, pod: &Pod) -> Result<(), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let name = pod.name_any();
    match reaction(pod) {
        Reaction::None => {}
        Reaction::Bind => {
            let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}});
            pods.create_subresource::<_, Value>("binding", &name, &PostParams::default(), &binding).await?;
        }
        Reaction::Say(status) => {
            pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(json!({"status": status})))
                .await?;
        }
        Reaction::LetGo => {
            // The identity as precondition: a StatefulSet's next pod has the same name.
            let gone = DeleteParams::default().grace_period(0);
            let uid = pod.uid();
            pods.delete(&name, &gone.preconditions(kube::api::Preconditions { uid, resource_version: None }))
                .await?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Reaction {
    None,
    Bind,
    Say(Value),
    LetGo,
}

fn reaction(pod: &Pod) -> Reaction {
    let Some(spec) = &pod.spec else {
        return Reaction::None;
    };
    if pod.metadata.deletion_timestamp.is_some() {
        return Reaction::LetGo;
    }
    let unschedulable = pod.annotations().contains_key("unschedulable")
        || spec.containers.iter().any(|container| tag(container).contains("unschedulable"));
    let status = match (&spec.node_name, unschedulable) {
        (None, false) => return Reaction::Bind,
        (None, true) => unschedulable_status(pod),
        (Some(_), _) => status(pod),
    };
    let said = serde_json::to_value(&pod.status).unwrap_or_default();
    if essence(&said) == essence(&status) { Reaction::None } else { Reaction::Say(status) }
}

/// What tells one status from another here; the API server fills in and keeps the rest.
fn essence(status: &Value) -> Vec<String> {
    let mut essence = vec![status["phase"].to_string()];
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in status[list].as_array().into_iter().flatten() {
            let state = &container["state"];
            let parts = [
                &container["name"],
                &container["image"],
                &container["ready"],
                &state["waiting"]["reason"],
                &state["terminated"]["exitCode"],
            ];
            essence.extend(parts.map(Value::to_string));
        }
    }
    let conditions: BTreeMap<String, String> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|condition| (condition["type"].to_string(), condition["status"].to_string()))
        .filter(|(kind, _)| ["\"PodScheduled\"", "\"Ready\""].contains(&kind.as_str()))
        .collect();
    essence.extend(conditions.into_iter().map(|(kind, state)| kind + &state));
    essence
}

fn tag(container: &Container) -> &str {
    let image = container.image.as_deref().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or("", |(_, tag)| tag)
}

fn unschedulable_status(pod: &Pod) -> Value {
    json!({"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
        "lastTransitionTime": pod.metadata.creation_timestamp}]})
}

fn status(pod: &Pod) -> Value {
    let since = json!(pod.metadata.creation_timestamp);
    let spec = pod.spec.clone().unwrap_or_default();
    let policy = spec.restart_policy.unwrap_or_else(|| "Always".into());
    let init: Vec<(bool, Value)> = spec
        .init_containers
        .unwrap_or_default()
        .iter()
        .map(|container| {
            // An init container that restarts is a sidecar: it runs beside the others.
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let state = container_status(container, if sidecar { "Always" } else { "OnFailure" }, &since);
            let passed = sidecar && state["ready"] == true || state["state"]["terminated"]["exitCode"] == 0;
            (passed, state)
        })
        .collect();
    let initialized = init.iter().all(|(passed, _)| *passed);
    let containers: Vec<Value> = spec
        .containers
        .iter()
        .map(|container| {
            if initialized {
                container_status(container, &policy, &since)
            } else {
                said(container, false, &json!({"waiting": {"reason": "PodInitializing"}}))
            }
        })
        .collect();
    let exit_codes: Option<Vec<i64>> =
        containers.iter().map(|container| container["state"]["terminated"]["exitCode"].as_i64()).collect();
    let running =
        containers.iter().any(|container| container["state"]["waiting"]["reason"] != "ImagePullBackOff");
    let phase = match exit_codes {
        Some(codes) if codes.iter().all(|code| *code == 0) => "Succeeded",
        Some(_) => "Failed",
        None if initialized && running => "Running",
        None => "Pending",
    };
    let ready = containers.iter().all(|container| container["ready"] == true);
    let condition = |kind: &str, holds: bool| {
        json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": since,
            "reason": if holds { Value::Null } else { json!("ContainersNotReady") }})
    };
    json!({
        "phase": phase, "startTime": since, "hostIP": "10.0.0.1", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}],
        "conditions": [condition("PodScheduled", true), condition("Initialized", initialized),
            condition("ContainersReady", ready), condition("Ready", ready)],
        "initContainerStatuses": init.into_iter().map(|(_, state)| state).collect::<Vec<_>>(),
        "containerStatuses": containers})
}

fn container_status(container: &Container, policy: &str, since: &Value) -> Value {
    let tag = tag(container);
    let image = container.image.as_deref().unwrap_or_default();
    let ended = |code: i32, reason: &str| json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": since, "finishedAt": since}});
    if tag.contains("missing") {
        let message = format!("Back-off pulling image \"{image}\": not found");
        said(container, false, &json!({"waiting": {"reason": "ImagePullBackOff", "message": message}}))
    } else if tag.contains("crash") && policy == "Never" {
        said(container, false, &ended(1, "Error"))
    } else if tag.contains("crash") {
        let message = format!("back-off 5m0s restarting failed container={}", container.name);
        let mut status =
            said(container, false, &json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}}));
        status["restartCount"] = json!(3);
        status["lastState"] = ended(1, "Error");
        status
    } else if policy == "Always" {
        said(container, !tag.contains("unready"), &json!({"running": {"startedAt": since}}))
    } else {
        said(container, false, &ended(0, "Completed"))
    }
}

fn said(container: &Container, ready: bool, state: &Value) -> Value {
    let image = container.image.as_deref().unwrap_or_default();
    json!({"name": container.name, "image": image, "imageID": format!("stand-in/{image}"), "ready": ready,
        "started": state.get("running").is_some(), "restartCount": 0, "state": state})
}

fn volume_for(claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let spec = claim.spec.as_ref()?;
    let class = spec.storage_class_name.as_deref().unwrap_or_default();
    if spec.volume_name.is_some() || class.contains("unbound") {
        return None;
    }
    let uid = claim.uid()?;
    let capacity = spec.resources.as_ref().and_then(|resources| resources.requests.clone());
    Some(parsed(
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("volume-{uid}")},
        "spec": {
            "capacity": capacity, "accessModes": spec.access_modes, "storageClassName": class,
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/nonexistent"},
            "claimRef": {"namespace": claim.namespace(), "name": claim.name_any(), "uid": uid}}}),
    ))
}

#[expect(clippy::expect_used, reason = "the text of the object stands in this file")]
fn parsed<Object: serde::de::DeserializeOwned>(object: Value) -> Object {
    serde_json::from_value(object).expect("an object of this kind")
}
