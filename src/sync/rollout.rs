//! A rollout: the set first, then wave by wave, each to health, then prune, then the head.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::failure::{Failure, Fate};
use super::heal::terminating;
use super::observation::{Observation, Recorded};
use super::plan::{ApplyObject, ApplyReason, DeleteObject, Force, ReplicasRule, Step, SyncPlan};
use super::progress::later;
use super::prune::{Pruning, prune};
use super::wanted::{WantedObject, WantedVersion};
use crate::model::digest::{Digest, DigestBuilder};
use crate::model::health::HealthStatus;
use crate::model::hold::HoldReason;
use crate::model::inventory::{Phase, Slot};
use crate::model::live::LiveRecord;
use crate::model::resource::ResourceId;

/// So often in the time of a rollout that waits is it noted in the cluster how much of it is used.
const NOTES: u32 = 4;

/// Plans the rollout of a wanted version.
pub(super) fn rollout(observation: &Observation, wanted: &WantedVersion, plan: &mut SyncPlan) {
    let pruning = prune(observation, Some(&wanted.set));
    let obstacles = obstacles(observation, wanted, &pruning);
    if !obstacles.is_empty() {
        plan.holds.extend(obstacles);
        // What is deployed is kept while the new version is held.
        if observation.policy().self_heal && observation.progress.may_try(observation.now) {
            plan.steps.extend(super::heal::heal(observation, ApplyReason::Heal, &mut plan.holds));
        }
        return;
    }
    if let Some(block) = failed(observation, wanted) {
        plan.steps.push(block);
        return;
    }
    if !observation.progress.may_try(observation.now) {
        return;
    }
    prepare(observation, wanted, plan);
    let unhealthy = waves(observation, wanted, plan);
    if !unhealthy.is_empty()
        && !plan.steps.iter().any(|step| matches!(step, Step::Apply { .. }))
        && let Some(block) = hopeless(observation, wanted, &unhealthy)
    {
        plan.steps = vec![block];
        return;
    }
    plan.holds.extend(pruning.holds);
    if !pruning.deletes.is_empty() {
        plan.steps.push(Step::Delete { objects: pruning.deletes });
    }
    plan.steps.push(Step::SwitchHead { rollout: number(observation), leaving: pruning.leaving });
}

/// The number of the next rollout, above the head's, or the state repository's where there is none.
pub(super) fn number(observation: &Observation) -> u64 {
    match (observation.head(), &observation.recorded) {
        (Some(head), _) => head.rollout + 1,
        (None, Recorded::Rollout(recorded)) => recorded + 1,
        (None, Recorded::Unknown | Recorded::WrittenByNewer(_)) => 1,
    }
}

/// What forbids the rollout before anything is written.
fn obstacles(observation: &Observation, wanted: &WantedVersion, pruning: &Pruning) -> Vec<HoldReason> {
    let mut holds = Vec::new();
    holds.extend(pruning.stop.clone());
    holds.extend(moves(observation, wanted));
    match &observation.recorded {
        Recorded::Unknown if observation.head().is_none() => {
            let message = "the number of its last rollout stands there".to_owned();
            holds.push(HoldReason::StateUnavailable { message });
        }
        Recorded::WrittenByNewer(message) => {
            holds.push(HoldReason::WrittenByNewer { message: message.clone() });
        }
        Recorded::Unknown | Recorded::Rollout(_) => {}
    }
    let defined: Vec<_> = wanted
        .set
        .objects
        .iter()
        .filter(|object| object.id.kind.is("apiextensions.k8s.io", "CustomResourceDefinition"))
        .collect();
    for object in &wanted.set.objects {
        let served = observation.cluster.kinds.serves(&object.id.kind, &object.api_version);
        // A definition in the same set may bring the kind: its plural.group name tells the group.
        let group = format!(".{}", object.id.kind.group);
        if !served && !defined.iter().any(|definition| definition.id.name.ends_with(&group)) {
            let api_version = object.api_version.to_string();
            holds.push(HoldReason::KindUnknown { object: object.id.clone(), api_version });
        }
        let live = observation.live.get(&object.id);
        holds.extend(live.and_then(|live| foreign(observation, wanted, &object.id, live)));
        holds.extend(live.is_none().then(|| spoken_for(observation, &object.id)).flatten());
    }
    holds
}

/// Who else lays claim to a live object.
fn foreign(
    observation: &Observation,
    wanted: &WantedVersion,
    id: &ResourceId,
    live: &LiveRecord,
) -> Option<HoldReason> {
    if let Some(instance) =
        live.instance.as_deref().filter(|instance| *instance != observation.instance.as_str())
    {
        return Some(HoldReason::OtherInstance { object: id.clone(), instance: instance.to_owned() });
    }
    let other = observation.others.wanted.get(id);
    if let Some(owner) = live.application.as_ref().filter(|owner| *owner != &observation.application)
        && other == Some(owner)
    {
        return Some(HoldReason::OtherApplication { object: id.clone(), application: owner.to_string() });
    }
    if live.application.is_none()
        && let Some(hold) = spoken_for(observation, id)
    {
        return Some(hold);
    }
    let ours = live.application.as_ref() == Some(&observation.application) && live.projection.is_some();
    let tool = live.tool.filter(|_| !wanted.adopt && !ours)?;
    Some(HoldReason::OtherTool { object: id.clone(), tool })
}

/// Nobody has an object yet and two want it: the first by name gets it, so that both decide alike.
fn spoken_for(observation: &Observation, id: &ResourceId) -> Option<HoldReason> {
    let ours = observation.head().is_some_and(|head| head.objects.contains_key(id));
    let owner =
        observation.others.wanted.get(id).filter(|owner| **owner < observation.application && !ours)?;
    Some(HoldReason::OtherApplication { object: id.clone(), application: owner.to_string() })
}

/// A new namespace or release of an application with data, or of several applications at once.
fn moves(observation: &Observation, wanted: &WantedVersion) -> Option<HoldReason> {
    let head = observation.head().filter(|head| head.deployed.is_some() || head.rebuilt)?;
    // Objects do not tell under which release they were rendered.
    let release = if head.rebuilt { &wanted.release } else { &head.release };
    let from = format!("{}/{release}", head.namespace);
    let to = format!("{}/{}", wanted.namespace, wanted.release);
    let has_data = head
        .objects
        .keys()
        .any(|id| id.kind.is("apps", "StatefulSet") || id.kind.is("", "PersistentVolumeClaim"));
    if from == to || !(has_data || wanted.moves_with_others) {
        return None;
    }
    let mut builder = DigestBuilder::default();
    builder.add(observation.application.to_string().as_bytes()).add(from.as_bytes()).add(to.as_bytes());
    let plan = builder.finish();
    (!observation.commands.confirmations.plans.contains(&plan)).then_some(HoldReason::Moves {
        from,
        to,
        plan,
    })
}

/// A failure that ends the rollout: rejected for good, or tried until the timeout.
fn failed(observation: &Observation, wanted: &WantedVersion) -> Option<Step> {
    let failure = observation.progress.failure.as_ref()?;
    let ends = match failure.fate() {
        Fate::Block => true,
        Fate::RetryUntilTimeout => is_late(observation, wanted),
        Fate::TakeBack | Fate::Wait | Fate::Retry | Fate::Hold(_) => false,
    };
    ends.then(|| Step::Block {
        rollout: number(observation),
        diagnosis: failure.words(),
        suspects: Vec::new(),
    })
}

fn is_late(observation: &Observation, wanted: &WantedVersion) -> bool {
    let started = observation.progress.rollout.as_ref().map(|rollout| rollout.started);
    started.is_some_and(|started| later(started, wanted.policy.timeout) <= observation.now)
}

/// Whether the running rollout of this process is this one.
fn is_running(observation: &Observation, digest: Digest) -> bool {
    observation.progress.rollout.as_ref().is_some_and(|rollout| rollout.digest == digest)
}

/// The namespace, the set and the dry run.
fn prepare(observation: &Observation, wanted: &WantedVersion, plan: &mut SyncPlan) {
    let set = &wanted.set;
    let renders_namespace = set
        .objects
        .iter()
        .any(|object| object.id.kind.is("", "Namespace") && *object.id.name == *wanted.namespace.as_str());
    let needs_namespace =
        set.objects.iter().any(|object| object.id.namespace.as_deref() == Some(wanted.namespace.as_str()));
    if needs_namespace && !observation.live.namespace_exists && !renders_namespace {
        plan.steps.push(Step::CreateNamespace {
            namespace: wanted.namespace.clone(),
            labels: wanted.namespace_labels.clone(),
        });
    }
    let written = observation
        .pending
        .as_ref()
        .is_some_and(|pending| pending.digest == set.digest && pending.rollout == number(observation));
    if !written {
        let slot = observation.head().and_then(|head| head.slot).map_or(Slot::A, Slot::other);
        plan.steps.push(Step::WriteSet {
            slot,
            rollout: number(observation),
            carried: carried(observation, wanted),
        });
    }
    let changes: Vec<ResourceId> = set
        .objects
        .iter()
        .filter(|object| !is_done(observation, object))
        .map(|object| object.id.clone())
        .collect();
    let rehearsed = observation.progress.rollout.as_ref().is_some_and(|rollout| rollout.rehearsed);
    let deployed = observation.has_deployed();
    if deployed
        && changes.len() > 1
        && !(rehearsed && is_running(observation, set.digest))
        && observation.live.namespace_exists
    {
        plan.steps.push(Step::DryRun { objects: changes });
    }
}

/// Objects that earlier attempts brought and that may be there: they must not be forgotten.
fn carried(observation: &Observation, wanted: &WantedVersion) -> Vec<ResourceId> {
    let known = |id: &ResourceId| observation.head().is_some_and(|head| head.objects.contains_key(id));
    let left = |id: &&ResourceId| wanted.set.get(id).is_none() && !known(id) && observation.live.contains(id);
    let left: BTreeSet<&ResourceId> = observation.remnants().filter(left).collect();
    left.into_iter().cloned().collect()
}

/// Whether an object stands as wanted: applied by this rollout, or unchanged since the last.
fn is_done(observation: &Observation, object: &WantedObject) -> bool {
    let Some(live) = observation.live.get(&object.id).filter(|live| live.terminating.is_none()) else {
        return false;
    };
    let Some(projection) = live.projection else {
        return false;
    };
    let scaled = observation.live.scaled.contains(&object.id);
    let running = observation.progress.rollout.as_ref();
    let applied = running.and_then(|rollout| rollout.applied.get(&object.id));
    if let Some(applied) = applied.filter(|applied| applied.desired == object.desired) {
        return *live.uid == *applied.uid && applied.projection.is_same_as(&projection, scaled);
    }
    let deployed = observation.head().and_then(|head| head.objects.get(&object.id));
    deployed.is_some_and(|deployed| {
        let expected = observation.progress.healed.get(&object.id).unwrap_or(&deployed.projection);
        deployed.desired == object.desired && expected.is_same_as(&projection, scaled)
    })
}

/// Applies and waits, wave by wave. Returns the first objects that are not healthy yet.
fn waves(
    observation: &Observation,
    wanted: &WantedVersion,
    plan: &mut SyncPlan,
) -> Vec<(ResourceId, String)> {
    let objects = &wanted.set.objects;
    let mut first_unhealthy = Vec::new();
    let mut start = 0;
    while start < objects.len() {
        let head = &objects[start];
        let same = |object: &WantedObject| object.wave == head.wave && object.rank == head.rank;
        let end = start + objects[start..].iter().take_while(|object| same(object)).count();
        let group = &objects[start..end];
        let mut applies = Vec::new();
        for object in group.iter().filter(|object| !is_done(observation, object)) {
            // What is being deleted is awaited, then made anew: applying it would change what goes.
            if observation.live.get(&object.id).is_some_and(|live| live.terminating.is_some()) {
                plan.holds.push(terminating(observation, &object.id));
            } else {
                applies.push(apply_step(observation, object));
            }
        }
        let applied_here = !applies.is_empty();
        if applied_here {
            if is_new_wave(observation, head.wave) && !plan.steps.iter().any(is_note) {
                plan.steps.push(Step::NoteProgress { phase: Phase::Sync, wave: head.wave });
            }
            plan.steps.push(Step::Apply { wave: head.wave, objects: applies });
        }
        let ends_wave = objects.get(end).is_none_or(|next| next.wave != head.wave);
        // Definitions and namespaces (ranks 0 and 1) must be ready before anything that may need them.
        if ends_wave || head.rank <= 1 {
            let wave_start =
                objects[..end].iter().position(|object| object.wave == head.wave).unwrap_or(start);
            let pending = plan.steps.iter().any(|step| matches!(step, Step::Apply { .. }));
            let waiting = unhealthy(observation, &objects[wave_start..end]);
            if pending || !waiting.is_empty() {
                if !pending && first_unhealthy.is_empty() {
                    first_unhealthy.clone_from(&waiting);
                    if is_note_due(observation, wanted) {
                        plan.steps.push(Step::NoteProgress { phase: Phase::Sync, wave: head.wave });
                    }
                }
                plan.steps.push(Step::AwaitHealth { wave: head.wave, waiting });
            }
        }
        start = end;
    }
    first_unhealthy
}

fn is_note(step: &Step) -> bool {
    matches!(step, Step::NoteProgress { .. })
}

/// Whether a wave begins that the cluster does not know of. The first one is noted with the set.
fn is_new_wave(observation: &Observation, wave: i32) -> bool {
    let running = observation.under_way().filter(|pending| is_running(observation, pending.digest));
    running.is_some_and(|pending| pending.progress.wave < wave)
}

/// Whether the cluster has to know more of the rollout: how much of its time is used, or what it created beside a
/// deployed version. Without one there is nothing to restore.
fn is_note_due(observation: &Observation, wanted: &WantedVersion) -> bool {
    let Some(pending) = observation.under_way() else { return false };
    let late = next_note(observation, wanted.policy.timeout).is_some_and(|at| at <= observation.now);
    late || observation.has_deployed() && observation.created() != pending.progress.created
}

/// When it is to be noted next how much of its time the rollout has used: each quarter of it, so that a restart gives
/// back no more than that.
pub(super) fn next_note(observation: &Observation, timeout: Duration) -> Option<Timestamp> {
    let (rollout, pending) = (observation.progress.rollout.as_ref()?, observation.under_way()?);
    let noted = Duration::from_secs(pending.progress.used_seconds);
    Some(later(rollout.started, noted + (timeout / NOTES).max(Duration::from_secs(1))))
}

fn apply_step(observation: &Observation, object: &WantedObject) -> ApplyObject {
    let live = observation.live.get(&object.id);
    let adopt = live.is_some_and(|live| live.adoptable);
    // Fields that were ours are taken back, but only from the object as it was when the conflict was found.
    let taken = observation.progress.failure.as_ref().and_then(Failure::take_back);
    let force = match taken {
        Some((id, version)) if *id == object.id => Force::FromVersion(version.to_owned()),
        _ => Force::Never,
    };
    ApplyObject {
        id: object.id.clone(),
        reason: ApplyReason::Rollout,
        force,
        adopt,
        replicas: ReplicasRule::of(observation, &object.id),
    }
}

/// Objects that stand but are not healthy, or do not stand for long.
fn unhealthy(observation: &Observation, objects: &[WantedObject]) -> Vec<(ResourceId, String)> {
    let bad = |object: &WantedObject| {
        let live = observation.live.get(&object.id)?;
        if live.terminating.is_some() {
            return Some((object.id.clone(), "is being deleted".to_owned()));
        }
        let well = matches!(live.health.status, HealthStatus::Healthy | HealthStatus::Suspended);
        (!well).then(|| (object.id.clone(), live.health.message.clone()))
    };
    objects.iter().filter_map(bad).collect()
}

/// A block, if an object failed for good or the time is up.
fn hopeless(
    observation: &Observation,
    wanted: &WantedVersion,
    unhealthy: &[(ResourceId, String)],
) -> Option<Step> {
    let is_final = |id: &ResourceId| observation.live.get(id).is_some_and(|live| live.health.is_final);
    let late = is_late(observation, wanted);
    let failed: Vec<_> = unhealthy.iter().filter(|(id, _)| is_final(id)).collect();
    if failed.is_empty() && !late {
        return None;
    }
    let blamed: Vec<_> = if failed.is_empty() { unhealthy.iter().collect() } else { failed };
    let words: Vec<String> = blamed.iter().take(3).map(|(id, why)| format!("{id}: {why}")).collect();
    let suffix = if late {
        format!(" (not healthy within {} s)", wanted.policy.timeout.as_secs())
    } else {
        String::new()
    };
    Some(Step::Block {
        rollout: number(observation),
        diagnosis: format!("{}{suffix}", words.join("; ")),
        suspects: blamed.iter().map(|(id, _)| id.clone()).collect(),
    })
}

/// Objects that a version which failed created: they go when the old version is restored. In doubt they stay.
pub(super) fn created_by(observation: &Observation, wanted: &WantedVersion) -> Vec<DeleteObject> {
    let Some(head) = observation.head() else { return Vec::new() };
    let left_over = |object: &WantedObject| {
        let uid = head.created.get(&object.id)?;
        let live = observation.live.get(&object.id)?;
        let same = *live.uid == **uid && live.terminating.is_none();
        let free = !object.protected && !object.keep && !head.objects.contains_key(&object.id);
        (same && free).then(|| DeleteObject { id: object.id.clone(), uid: uid.clone() })
    };
    wanted.set.objects.iter().rev().filter_map(left_over).collect()
}

/// Whether a blocked first version became healthy after all.
pub(super) fn turned_healthy(observation: &Observation, wanted: &WantedVersion) -> bool {
    let well = |object: &WantedObject| {
        observation.live.get(&object.id).is_some_and(|live| live.health.status == HealthStatus::Healthy)
            && is_done(observation, object)
    };
    !wanted.set.objects.is_empty() && wanted.set.objects.iter().all(well)
}
