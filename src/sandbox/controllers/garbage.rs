//! Garbage: objects whose owners are gone, and owners that wait for their dependents.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::object::Fields;
use super::super::store::{Place, Store};
use super::actions::{change, delete};

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp) {
    let Some(object) = store.at(place).cloned() else { return };
    if object.is_terminating() {
        let has =
            |name: &str| object.items("/metadata/finalizers").iter().any(|one| one.as_str() == Some(name));
        if has("orphan") {
            orphan(store, place, &object, now);
        } else if has("foregroundDeletion") {
            await_dependents(store, place, &object, now);
        }
        return;
    }
    let owners = object.items("/metadata/ownerReferences");
    if owners.is_empty() {
        return;
    }
    let (alive, gone): (Vec<&Value>, Vec<&Value>) =
        owners.iter().partition(|owner| exists(store, &place.namespace, owner));
    if gone.is_empty() {
        return;
    }
    if alive.is_empty() {
        delete(store, place, None, now);
    } else {
        let alive = json!(alive);
        change(store, place, now, |object| object.put("/metadata/ownerReferences", alive));
    }
}

fn exists(store: &Store, namespace: &str, owner: &Value) -> bool {
    let Some(resource) = store.catalog().of_kind(owner.text("/apiVersion"), owner.text("/kind")) else {
        // A kind that is not served: nothing is known, so nothing is deleted.
        return true;
    };
    let namespace = if resource.kind.namespaced { namespace } else { "" };
    store
        .get(&resource.collection, namespace, owner.text("/name"))
        .is_some_and(|found| found.uid() == owner.text("/uid"))
}

/// Lets go of the dependents, then of the owner.
fn orphan(store: &mut Store, place: &Place, object: &Value, now: Timestamp) {
    let uid = object.uid().to_owned();
    let dependents: Vec<Place> = store.dependents(&uid).cloned().collect();
    for dependent in dependents {
        change(store, &dependent, now, |object| {
            let mut owners = object.items("/metadata/ownerReferences").to_vec();
            owners.retain(|owner| owner.text("/uid") != uid);
            if owners.is_empty() {
                object.take_out("/metadata/ownerReferences");
            } else {
                object.put("/metadata/ownerReferences", Value::Array(owners));
            }
        });
    }
    release(store, place, "orphan", now);
}

fn await_dependents(store: &mut Store, place: &Place, object: &Value, now: Timestamp) {
    let dependents: Vec<Place> = store.dependents(object.uid()).cloned().collect();
    let mut blocked = false;
    for dependent in dependents {
        let Some(found) = store.at(&dependent).cloned() else { continue };
        let owner =
            found.items("/metadata/ownerReferences").iter().find(|owner| owner.text("/uid") == object.uid());
        if !found.is_terminating() {
            delete(store, &dependent, None, now);
        }
        let blocks = owner.is_some_and(|owner| owner.holds("/blockOwnerDeletion"));
        blocked |= blocks && store.at(&dependent).is_some();
    }
    if !blocked {
        release(store, place, "foregroundDeletion", now);
    }
}

/// Takes a finalizer away.
pub(super) fn release(store: &mut Store, place: &Place, finalizer: &str, now: Timestamp) {
    change(store, place, now, |object| {
        let mut finalizers = object.items("/metadata/finalizers").to_vec();
        finalizers.retain(|one| one.as_str() != Some(finalizer));
        if finalizers.is_empty() {
            object.take_out("/metadata/finalizers");
        } else {
            object.put("/metadata/finalizers", Value::Array(finalizers));
        }
    });
}
