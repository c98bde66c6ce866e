//! Self-heal: the deployed set is restored, whatever is wanted (RULES §4).

use std::collections::BTreeMap;

use super::observation::Observation;
use super::plan::{ApplyObject, ApplyReason, Force, ReplicasRule, Step};
use super::status::deployed_drift;
use super::wanted::Wanted;
use crate::model::drift::ObjectDrift;
use crate::model::hold::HoldReason;
use crate::model::inventory::Head;
use crate::model::manifest::install_rank;
use crate::model::resource::ResourceId;

/// The steps that bring drifted objects back, and what keeps some from being brought back.
pub(super) fn heal(observation: &Observation, reason: ApplyReason, holds: &mut Vec<HoldReason>) -> Vec<Step> {
    let Some(head) = observation.head() else { return Vec::new() };
    let mut groups: BTreeMap<usize, Vec<ApplyObject>> = BTreeMap::new();
    for (id, object) in head.objects.iter().filter(|(_, object)| !object.leaving) {
        match deployed_drift(observation, id, object) {
            ObjectDrift::InSync | ObjectDrift::Pending | ObjectDrift::Unreadable => continue,
            ObjectDrift::Terminating => {
                holds.push(terminating(observation, id));
                continue;
            }
            ObjectDrift::Missing | ObjectDrift::Changed => {}
        }
        if let Some((field, manager, until)) = observation.progress.contested(id, observation.now) {
            holds.push(HoldReason::Contested {
                object: id.clone(),
                field: field.to_owned(),
                manager: manager.to_owned(),
                until,
            });
            continue;
        }
        // A definition that a newer version replaced is never set back (RULES §5).
        let is_definition = id.kind.is("apiextensions.k8s.io", "CustomResourceDefinition");
        if is_definition && reason == ApplyReason::Restore && observation.live.contains(id) {
            continue;
        }
        let step = ApplyObject {
            id: id.clone(),
            reason,
            force: Force::Always,
            adopt: false,
            replicas: ReplicasRule::of(observation, id),
        };
        groups.entry(install_rank(&id.kind)).or_default().push(step);
    }
    let mut steps = Vec::new();
    let inside = |step: &ApplyObject| step.id.namespace.as_deref() == Some(head.namespace.as_str());
    if !observation.live.namespace_exists && groups.values().flatten().any(inside) {
        steps.push(Step::CreateNamespace {
            namespace: head.namespace.clone(),
            labels: labels_of_namespace(observation, head).clone(),
        });
    }
    steps.extend(groups.into_values().map(|objects| Step::Apply { wave: 0, objects }));
    steps
}

/// A head that was put together again may not know the labels; what Git wants does.
fn labels_of_namespace<'a>(observation: &'a Observation, head: &'a Head) -> &'a BTreeMap<String, String> {
    match &*observation.wanted {
        Wanted::Version(wanted) if wanted.namespace == head.namespace => &wanted.namespace_labels,
        _ => &head.namespace_labels,
    }
}

/// The hold of an object that is being deleted.
pub(super) fn terminating(observation: &Observation, id: &ResourceId) -> HoldReason {
    let finalizers = observation.live.get(id).and_then(|live| live.terminating.clone()).unwrap_or_default();
    HoldReason::Terminating { object: id.clone(), finalizers }
}

/// Fields under spec or data that kubectl-like managers added to deployed objects, for `sync.extras: remove`.
/// A restart is no edit. Items of lists are left alone: a JSON pointer cannot name them safely.
pub(super) fn unwanted_extras(observation: &Observation) -> Vec<(ResourceId, Vec<String>)> {
    const RESTART: &str = "/kubectl.kubernetes.io~1restartedAt";
    let unwanted = |extra: &&crate::model::drift::ExtraField| {
        let place = ["/spec/", "/data/"].iter().any(|place| extra.field.starts_with(place));
        place
            && extra.manager.starts_with("kubectl")
            && !extra.field.contains('[')
            && !extra.field.ends_with(RESTART)
    };
    let owned = observation.head().into_iter().flat_map(|head| head.objects.keys());
    owned
        .filter(|id| !observation.live.scaled.contains(*id))
        .filter_map(|id| {
            let live = observation.live.get(id).filter(|live| live.terminating.is_none())?;
            let fields: Vec<String> =
                live.extras.iter().filter(unwanted).map(|extra| extra.field.clone()).collect();
            (!fields.is_empty()).then(|| (id.clone(), fields))
        })
        .collect()
}
