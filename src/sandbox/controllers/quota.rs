//! Resource quotas: what is used, counted.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::object::Fields;
use super::super::rules::quota::used;
use super::super::store::{Place, Store};
use super::Pace;
use super::actions::change_status;

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let quota = store.at(place)?.clone();
    let hard = quota.pointer("/spec/hard").cloned().unwrap_or_else(|| json!({}));
    let used: Map<String, Value> = used(store, &place.namespace, &quota)
        .into_iter()
        .map(|(name, amount)| (name, json!(amount.canonical())))
        .collect();
    change_status(store, place, now, |quota| {
        quota.put("/status/hard", hard);
        quota.put("/status/used", Value::Object(used));
    });
    None
}
