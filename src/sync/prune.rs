//! Deleting what left Git, under guards: absence is not intent (RULES §6).

use super::observation::Observation;
use super::plan::DeleteObject;
use super::wanted::{WantedSet, holds_data};
use crate::model::digest::{Digest, DigestBuilder};
use crate::model::hold::HoldReason;
use crate::model::inventory::HeadObject;
use crate::model::manifest::install_rank;
use crate::model::resource::ResourceId;

/// An application may lose this share of its objects without confirmation.
const SHRINK_PERCENT: usize = 30;
/// Kinds that run pods.
const WORKLOADS: [(&str, &str); 7] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("", "Pod"),
];

/// What is to be deleted, and what is kept back.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// To delete, in order.
    pub(super) deletes: Vec<DeleteObject>,
    /// Left Git but stays owned, waiting for a person.
    pub(super) leaving: Vec<ResourceId>,
    /// Why they stay.
    pub(super) holds: Vec<HoldReason>,
    /// Why the whole rollout is held.
    pub(super) stop: Option<HoldReason>,
}

/// Decides about everything that the inventory or an unfinished rollout names and the wanted set does not.
pub(super) fn prune(observation: &Observation, wanted: Option<&WantedSet>) -> Pruning {
    let policy = observation.policy();
    let candidates = candidates(observation, wanted);
    let mut pruning = Pruning::default();
    if candidates.is_empty() {
        return pruning;
    }
    if !observation.others.all_known {
        pruning.stop = Some(HoldReason::Rendering);
        return pruning;
    }
    if !policy.prune {
        pruning.leaving.clone_from(&candidates);
        pruning.holds.push(HoldReason::PruneDisabled { objects: candidates });
        return pruning;
    }
    let digest = plan_digest(observation, wanted.map(|set| set.digest), &candidates);
    if observation.commands.confirmations.plans.contains(&digest) {
        pruning.deletes = deletes(observation, &candidates);
        return pruning;
    }
    if observation.head().is_some_and(|head| head.rebuilt) {
        pruning.leaving.clone_from(&candidates);
        // A complete sync makes the inventory whole, and the next look prunes; without one a person decides.
        if wanted.is_none() {
            let why = "its inventory was lost and it left Git".to_owned();
            pruning.holds.push(HoldReason::PruneGuard { why, objects: candidates, plan: digest });
        }
        return pruning;
    }
    if let Some(why) = wanted.and_then(|wanted| shrinks(observation, wanted, &candidates)) {
        pruning.stop = Some(HoldReason::PruneGuard { why, objects: candidates, plan: digest });
        return pruning;
    }
    let (guarded, free): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|id| is_guarded(observation, &policy.prune_kinds, id));
    if !guarded.is_empty() {
        let plan = plan_digest(observation, wanted.map(|set| set.digest), &guarded);
        if observation.commands.confirmations.plans.contains(&plan) {
            pruning.deletes = deletes(observation, &guarded);
        } else {
            pruning.leaving.clone_from(&guarded);
            let why = "these kinds are never deleted without confirmation".to_owned();
            pruning.holds.push(HoldReason::PruneGuard { why, objects: guarded, plan });
        }
    }
    pruning.deletes.extend(deletes(observation, &free));
    pruning
}

/// Objects of the inventory and of unfinished rollouts that are no longer wanted and still there. Those that an
/// annotation keeps are let go of without being deleted.
fn candidates(observation: &Observation, wanted: Option<&WantedSet>) -> Vec<ResourceId> {
    let gone = |id: &ResourceId| wanted.is_none_or(|set| set.get(id).is_none());
    let inventory = observation.head().into_iter().flat_map(|head| &head.objects);
    let mut ids: Vec<ResourceId> =
        inventory.filter(|(id, object)| gone(id) && !object.keep).map(|(id, _)| id.clone()).collect();
    let own_label = |id: &ResourceId| {
        observation
            .live
            .get(id)
            .is_some_and(|live| live.application.as_ref() == Some(&observation.application))
    };
    for id in observation.remnants() {
        let known = observation.head().is_some_and(|head| head.objects.contains_key(id));
        if gone(id) && !known && own_label(id) && !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    // An object that another application wants, or took over by its label, is handed over.
    ids.retain(|id| {
        let owned = observation.live.get(id).is_some_and(|live| {
            live.instance.as_deref().is_none_or(|instance| instance == observation.instance.as_str())
                && live.application.as_ref().is_none_or(|owner| *owner == observation.application)
        });
        owned && !observation.others.wanted.contains_key(id)
    });
    ids
}

fn shrinks(observation: &Observation, wanted: &WantedSet, candidates: &[ResourceId]) -> Option<String> {
    // What left Git before and waits for a person is no loss of this commit.
    let owned = observation.head().into_iter().flat_map(|head| &head.objects);
    let owned: Vec<&ResourceId> = owned.filter(|(_, object)| !object.leaving).map(|(id, _)| id).collect();
    let lost = candidates.iter().filter(|id| owned.contains(id)).count();
    if owned.is_empty() || lost == 0 {
        return None;
    }
    if lost == owned.len() {
        return Some(format!("the application would lose all its {lost} objects"));
    }
    let is_workload = |id: &ResourceId| WORKLOADS.iter().any(|(group, kind)| id.kind.is(group, kind));
    let had = owned.iter().any(|id| is_workload(id));
    let keeps = wanted.objects.iter().any(|object| is_workload(&object.id));
    if had && !keeps && candidates.iter().any(is_workload) {
        return Some("the application would lose its last workload".to_owned());
    }
    if lost > 1 && lost * 100 > owned.len() * SHRINK_PERCENT {
        return Some(format!("the application would lose {lost} of its {} objects", owned.len()));
    }
    None
}

fn is_guarded(observation: &Observation, prune_kinds: &[String], id: &ResourceId) -> bool {
    let listed = prune_kinds.iter().any(|kind| *kind == *id.kind.kind);
    let object: Option<&HeadObject> = observation.head().and_then(|head| head.objects.get(id));
    object.map_or_else(|| !is_disposable(observation, id), |object| object.protected) && !listed
}

/// Whether an object outside the inventory was surely made by a rollout of ours that did not end well, and is of a kind
/// that holds no data: its manifest is not at hand.
fn is_disposable(observation: &Observation, id: &ResourceId) -> bool {
    let uid = observation.created().remove(id);
    let same = observation.live.get(id).zip(uid).is_some_and(|(live, uid)| *live.uid == *uid);
    same && !id.kind.is("apps", "StatefulSet") && !holds_data(&id.kind)
}

fn deletes(observation: &Observation, ids: &[ResourceId]) -> Vec<DeleteObject> {
    let mut deletes: Vec<DeleteObject> = ids
        .iter()
        .filter_map(|id| {
            let live = observation.live.get(id).filter(|live| live.terminating.is_none())?;
            Some(DeleteObject { id: id.clone(), uid: live.uid.to_string() })
        })
        .collect();
    deletes.sort_by(|one, other| {
        install_rank(&other.id.kind).cmp(&install_rank(&one.id.kind)).then_with(|| other.id.cmp(&one.id))
    });
    deletes
}

/// What a person confirms: the wanted digest and the objects with their uids, no times.
pub(super) fn plan_digest(observation: &Observation, wanted: Option<Digest>, ids: &[ResourceId]) -> Digest {
    let mut builder = DigestBuilder::default();
    builder.add(observation.application.to_string().as_bytes());
    builder.add(wanted.map(|digest| digest.hex()).unwrap_or_default().as_bytes());
    let mut ids: Vec<&ResourceId> = ids.iter().collect();
    ids.sort();
    for id in ids {
        let uid = observation.live.get(id).map(|live| live.uid.to_string()).unwrap_or_default();
        builder.add(id.to_string().as_bytes()).add(uid.as_bytes());
    }
    builder.finish()
}
