//! CustomResourceDefinitions on their way out: their objects go first.

use jiff::Timestamp;

use super::super::object::Fields;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{delete, place as place_of};
use super::garbage::release;

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    if !store.at(place)?.is_terminating() {
        return None;
    }
    let objects: Vec<Place> =
        store.list(&place.name, None).map(|object| place_of(&place.name, object)).collect();
    for object in objects {
        delete(store, &object, None, now);
    }
    if store.list(&place.name, None).next().is_some() {
        // Finalizers hold some of them; nothing here is told when the last goes.
        return Some(super::actions::later(now, std::time::Duration::from_secs(1)));
    }
    release(store, place, "customresourcecleanup.apiextensions.k8s.io", now);
    None
}
