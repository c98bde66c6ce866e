//! Events are forgotten after an hour.

use std::time::Duration;

use jiff::Timestamp;

use super::super::store::{Place, Store};
use super::Pace;
use super::actions::{delete, later, time_of};

const KEPT: Duration = Duration::from_hours(1);

pub(super) fn reconcile(store: &mut Store, place: &Place, now: Timestamp, _pace: &Pace) -> Option<Timestamp> {
    let event = store.at(place)?;
    let last = time_of(event, "/lastTimestamp").or_else(|| time_of(event, "/metadata/creationTimestamp"));
    let due = later(last.unwrap_or(now), KEPT);
    if due > now {
        return Some(due);
    }
    delete(store, place, None, now);
    None
}
