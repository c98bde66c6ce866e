//! What people are shown of an application: each object's difference and health, and the two roll-ups.

use super::observation::Observation;
use super::wanted::Wanted;
use crate::model::drift::{ObjectDrift, ResourceDrift, SyncStatus};
use crate::model::health::{Health, HealthStatus};
use crate::model::inventory::HeadObject;
use crate::model::live::LiveRecord;
use crate::model::resource::ResourceId;

/// One object of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceState {
    /// Its difference from what we brought there.
    pub drift: ResourceDrift,
    /// Its health.
    pub health: Health,
}

/// The difference of an object that the head names.
pub(super) fn deployed_drift(observation: &Observation, id: &ResourceId, object: &HeadObject) -> ObjectDrift {
    let scaled = observation.live.scaled.contains(id);
    let expected = observation.progress.healed.get(id).unwrap_or(&object.projection);
    match observation.live.get(id) {
        None if observation.live.unreadable.contains(&id.kind) => ObjectDrift::Unreadable,
        None => ObjectDrift::Missing,
        Some(live) if live.terminating.is_some() => ObjectDrift::Terminating,
        Some(live) if live.projection.is_some_and(|live| live.is_same_as(expected, scaled)) => {
            ObjectDrift::InSync
        }
        Some(_) => ObjectDrift::Changed,
    }
}

/// The difference of every object that matters now.
pub(super) fn resources(observation: &Observation) -> Vec<ResourceState> {
    let mut states = Vec::new();
    for (id, object) in observation.head().into_iter().flat_map(|head| &head.objects) {
        states.push(state(observation, id.clone(), deployed_drift(observation, id, object)));
    }
    let blocked = observation.blocked();
    let deployed = observation.has_deployed();
    if let Wanted::Version(wanted) = &*observation.wanted
        // What is blocked does not come, so what runs instead is all there is to show.
        && !(deployed && blocked == Some(wanted.version.digest))
    {
        for object in &wanted.set.objects {
            let deployed = observation.head().and_then(|head| head.objects.get(&object.id));
            match deployed {
                Some(deployed) if deployed.desired == object.desired => {}
                Some(_) => {
                    if let Some(state) = states.iter_mut().find(|state| state.drift.id == object.id) {
                        state.drift.drift = ObjectDrift::Pending;
                    }
                }
                None => states.push(state(observation, object.id.clone(), ObjectDrift::Pending)),
            }
        }
    }
    states
}

fn state(observation: &Observation, id: ResourceId, drift: ObjectDrift) -> ResourceState {
    let unreadable = observation.live.unreadable.contains(&id.kind);
    let health = observation.live.get(&id).map_or_else(
        || {
            if unreadable {
                Health::new(HealthStatus::Unknown, "may not be read with these rights")
            } else {
                Health::new(HealthStatus::Missing, "is not there")
            }
        },
        |live: &LiveRecord| live.health.clone(),
    );
    ResourceState { drift: ResourceDrift { id, drift }, health }
}

/// Synced: what is wanted is deployed, and every object is as we applied it.
pub(super) fn sync_status(observation: &Observation, resources: &[ResourceState]) -> SyncStatus {
    if !observation.live.complete {
        return SyncStatus::Unknown;
    }
    let deployed = observation.head().and_then(|head| head.deployed.as_ref());
    let wanted = match &*observation.wanted {
        Wanted::Version(wanted) => Some(wanted.version.digest),
        Wanted::Held(_) | Wanted::NeverPromoted if deployed.is_none() => return SyncStatus::Unknown,
        Wanted::Held(_) | Wanted::NeverPromoted => return SyncStatus::Unknown,
        Wanted::Removed => None,
    };
    // Of what may not be read, the version tells.
    let in_sync = |drift| matches!(drift, ObjectDrift::InSync | ObjectDrift::Unreadable);
    let all_in_sync = resources.iter().all(|state| in_sync(state.drift.drift));
    if deployed.map(|version| version.digest) == wanted && all_in_sync {
        SyncStatus::Synced
    } else {
        SyncStatus::OutOfSync
    }
}

/// The worst health of what is deployed; while a first rollout runs, of what it applies.
pub(super) fn health_status(observation: &Observation, resources: &[ResourceState]) -> HealthStatus {
    if !observation.live.complete {
        return HealthStatus::Unknown;
    }
    let deployed = observation.has_deployed();
    if resources.is_empty() {
        return if deployed { HealthStatus::Healthy } else { HealthStatus::Missing };
    }
    // What a rollout has not brought there yet is on its way, not missing.
    let known = resources.iter().filter(|state| !observation.live.unreadable.contains(&state.drift.id.kind));
    let shown = known.map(|state| match (&state.drift.drift, state.health.status) {
        (ObjectDrift::Pending, HealthStatus::Missing) if deployed || observation.under_way().is_some() => {
            HealthStatus::Progressing
        }
        (_, status) => status,
    });
    shown.max().unwrap_or(HealthStatus::Healthy)
}
