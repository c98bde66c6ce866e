//! Persistent volume claims: each gets a volume of its own, and keeps it while a pod uses it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::Fields;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{Notice, change, change_status, create, delete, is_active, say};
use super::garbage::release;

const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";

/// What else is to be looked at when something was written: claims of pods, pods of claims, claims of volumes.
pub(super) fn interested(store: &Store, place: &Place, queue: &mut BTreeSet<Place>) {
    match place.collection.as_str() {
        "pods" => {
            let terminating =
                store.list(CLAIMS, Some(&place.namespace)).filter(|claim| claim.is_terminating());
            queue.extend(terminating.map(|claim| Place::new(CLAIMS, &place.namespace, claim.name())));
        }
        CLAIMS => {
            let waiting = store
                .list("pods", Some(&place.namespace))
                .filter(|pod| pod.text("/spec/nodeName").is_empty() && uses(pod, &place.name));
            queue.extend(waiting.map(|pod| Place::new("pods", &place.namespace, pod.name())));
            for volume in store.list(VOLUMES, None) {
                let claim = volume.pointer("/spec/claimRef");
                let named = claim.is_some_and(|claim| {
                    claim.text("/name") == place.name && claim.text("/namespace") == place.namespace
                });
                if named {
                    queue.insert(Place::new(VOLUMES, "", volume.name()));
                }
            }
        }
        _ => {}
    }
}

fn uses(pod: &Value, claim: &str) -> bool {
    pod.items("/spec/volumes").iter().any(|volume| volume.text("/persistentVolumeClaim/claimName") == claim)
}

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let claim = store.at(place)?.clone();
    if claim.is_terminating() {
        let used =
            store.list("pods", Some(&place.namespace)).any(|pod| uses(pod, &place.name) && is_active(pod));
        if !used {
            release(store, place, "kubernetes.io/pvc-protection", now);
        }
        return None;
    }
    if claim.text("/status/phase") == "Bound" {
        return None;
    }
    let class = claim.text("/spec/storageClassName").to_owned();
    if class.contains("unbound") {
        return None;
    }
    let volume = match claim.text("/spec/volumeName") {
        "" => format!("pvc-{}", claim.uid()),
        name => name.to_owned(),
    };
    let requested = claim.pointer("/spec/resources/requests").cloned().unwrap_or_else(|| json!({}));
    let reference = json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": place.namespace,
        "name": place.name, "uid": claim.uid()});
    if store.get(VOLUMES, "", &volume).is_none() {
        let mode = claim.pointer("/spec/volumeMode").cloned().unwrap_or_else(|| json!("Filesystem"));
        let made = json!({"metadata": {"name": volume,
                "annotations": {"pv.kubernetes.io/provisioned-by": "sandbox.moorline.dev"}},
            "spec": {"capacity": requested, "accessModes": claim.pointer("/spec/accessModes"),
                "storageClassName": class, "persistentVolumeReclaimPolicy": "Delete", "volumeMode": mode,
                "hostPath": {"path": format!("/sandbox/{volume}")}, "claimRef": reference}});
        if create(store, VOLUMES, "", made, now).is_err() {
            return None;
        }
        let message = format!("Successfully provisioned volume {volume}");
        let by = "sandbox.moorline.dev";
        say(
            store,
            &claim,
            Notice { kind: "Normal", reason: "ProvisioningSucceeded", message: &message, by },
            now,
        );
    }
    let at = Place::new(VOLUMES, "", &volume);
    change(store, &at, now, |volume| volume.put("/spec/claimRef", reference));
    change_status(store, &at, now, |volume| volume.put("/status/phase", json!("Bound")));
    let capacity =
        store.at(&at).and_then(|volume| volume.pointer("/spec/capacity").cloned()).unwrap_or(requested);
    change(store, place, now, |claim| {
        claim.put("/spec/volumeName", json!(volume));
        for name in ["bind-completed", "bound-by-controller"] {
            claim.put(&format!("/metadata/annotations/pv.kubernetes.io~1{name}"), json!("yes"));
        }
    });
    change_status(store, place, now, |claim| {
        let modes = claim.pointer("/spec/accessModes").cloned().unwrap_or_default();
        claim.put("/status", json!({"phase": "Bound", "accessModes": modes, "capacity": capacity}));
    });
    None
}

/// Volumes: available until claimed, and gone or released after their claim.
pub(super) fn reconcile_volume(
    store: &mut Store,
    place: &Place,
    now: Timestamp,
    _pace: &Pace,
) -> Option<Timestamp> {
    let volume = store.at(place)?.clone();
    let claim = volume.pointer("/spec/claimRef");
    let found = claim.and_then(|claim| {
        let found = store.get(CLAIMS, claim.text("/namespace"), claim.text("/name"))?;
        let uid = claim.text("/uid");
        (uid.is_empty() || found.uid() == uid).then(|| found.clone())
    });
    if volume.is_terminating() {
        if found.is_none() {
            release(store, place, "kubernetes.io/pv-protection", now);
        }
        return None;
    }
    let phase = match (claim, &found) {
        (None, _) => "Available",
        (Some(_), Some(_)) => return None,
        (Some(_), None) if volume.text("/spec/persistentVolumeReclaimPolicy") == "Delete" => {
            delete(store, place, None, now);
            return None;
        }
        (Some(claim), None) if claim.text("/uid").is_empty() => "Available",
        (Some(_), None) => "Released",
    };
    change_status(store, place, now, |volume| volume.put("/status/phase", json!(phase)));
    None
}
