//! Namespaces on their way out: their content goes first.

use jiff::Timestamp;
use serde_json::json;

use super::super::object::Fields;
use super::super::rest::time;
use super::super::rules::account::furnish;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{change_status, delete, place as place_of, write};

/// Whether a namespace is on its way out.
pub(super) fn is_ending(store: &Store, name: &str) -> bool {
    store.get("namespaces", "", name).is_some_and(|namespace| namespace.is_terminating())
}

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    if !store.at(place)?.is_terminating() {
        furnish(store, &place.name, now);
        return None;
    }
    let collections: Vec<String> = store
        .catalog()
        .collections()
        .filter(|resource| resource.kind.namespaced)
        .map(|resource| resource.collection.clone())
        .collect();
    let mut remaining = Vec::new();
    for collection in collections {
        let content: Vec<Place> = store
            .list(&collection, Some(&place.name))
            .filter(|object| !object.is_terminating())
            .map(|object| place_of(&collection, object))
            .collect();
        for object in content {
            delete(store, &object, None, now);
        }
        let left = store.list(&collection, Some(&place.name)).count();
        if left > 0 {
            remaining.push(format!("{collection} has {left} resource instances"));
        }
    }
    if remaining.is_empty() {
        write(store, place, "finalize", "kube-controller-manager", now, |namespace| {
            namespace.take_out("/spec/finalizers");
        });
        return None;
    }
    let since = time(now);
    let message = format!("Some resources are remaining: {}", remaining.join(", "));
    change_status(store, place, now, |namespace| {
        let known = namespace.items("/status/conditions").first();
        if known.is_some_and(|known| known.text("/message") == message) {
            return;
        }
        namespace.put(
            "/status/conditions",
            json!([{"type": "NamespaceContentRemaining", "status": "True", "lastTransitionTime": since,
                "reason": "SomeResourcesRemain", "message": message}]),
        );
    });
    None
}
