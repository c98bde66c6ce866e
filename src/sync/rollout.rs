//! A rollout: the intent first, then wave by wave, each to health, then prune, then the head.

use super::facts::{Facts, WantedObject, WantedVersion};
use super::heal::terminating;
use super::plan::{ApplyObject, ApplyReason, DeleteObject, ReplicasRule, Step, SyncPlan};
use super::progress::{FailureKind, later};
use super::prune::{Pruning, prune};
use crate::model::digest::{Digest, DigestBuilder};
use crate::model::health::HealthStatus;
use crate::model::hold::HoldReason;
use crate::model::inventory::Slot;
use crate::model::live::LiveRecord;
use crate::model::resource::ResourceId;

/// Plans the rollout of a wanted version.
pub(super) fn rollout(facts: &Facts<'_>, wanted: &WantedVersion, plan: &mut SyncPlan) {
    let pruning = prune(facts, Some(&wanted.set));
    let obstacles = obstacles(facts, wanted, &pruning);
    if !obstacles.is_empty() {
        plan.holds.extend(obstacles);
        // What is deployed is kept while the new version is held.
        if facts.policy().self_heal && facts.progress.may_try(facts.now) {
            plan.steps.extend(super::heal::heal(facts, ApplyReason::Heal, &mut plan.holds));
        }
        return;
    }
    if let Some(block) = failed(facts, wanted) {
        plan.steps.push(block);
        return;
    }
    if !facts.progress.may_try(facts.now) {
        return;
    }
    prepare(facts, wanted, plan);
    let unhealthy = waves(facts, wanted, plan);
    if !unhealthy.is_empty()
        && !plan.steps.iter().any(|step| matches!(step, Step::Apply { .. }))
        && let Some(block) = hopeless(facts, wanted, &unhealthy)
    {
        plan.steps = vec![block];
        return;
    }
    plan.holds.extend(pruning.holds);
    if !pruning.deletes.is_empty() {
        plan.steps.push(Step::Delete { objects: pruning.deletes });
    }
    plan.steps.push(Step::SwitchHead { rollout: number(facts), leaving: pruning.leaving });
}

/// The number of the next rollout, above the head's, the intent's and the state repository's.
pub(super) fn number(facts: &Facts<'_>) -> u64 {
    let head = facts.head.map_or(0, |head| head.rollout);
    let recorded = if facts.head.is_none() { facts.recorded_rollout.unwrap_or(0) } else { 0 };
    head.max(recorded) + 1
}

/// What forbids the rollout before anything is written.
fn obstacles(facts: &Facts<'_>, wanted: &WantedVersion, pruning: &Pruning) -> Vec<HoldReason> {
    let mut holds = Vec::new();
    holds.extend(pruning.stop.clone());
    holds.extend(moves(facts, wanted));
    if facts.head.is_none() && facts.recorded_rollout.is_none() {
        holds.push(HoldReason::StateUnavailable {
            message: "the number of its last rollout stands there".to_owned(),
        });
    }
    let defined: Vec<_> = wanted
        .set
        .objects
        .iter()
        .filter(|object| object.id.kind.is("apiextensions.k8s.io", "CustomResourceDefinition"))
        .collect();
    for object in &wanted.set.objects {
        let served = facts.kinds.serves(&object.id.kind, &object.api_version);
        // A definition in the same set may bring the kind: its plural.group name tells the group.
        let group = format!(".{}", object.id.kind.group);
        if !served && !defined.iter().any(|definition| definition.id.name.ends_with(&group)) {
            let api_version = object.api_version.to_string();
            holds.push(HoldReason::KindUnknown { object: object.id.clone(), api_version });
        }
        if let Some(live) = facts.live.get(&object.id) {
            holds.extend(foreign(facts, wanted, &object.id, live));
        }
    }
    holds
}

/// Who else lays claim to a live object.
fn foreign(
    facts: &Facts<'_>,
    wanted: &WantedVersion,
    id: &ResourceId,
    live: &LiveRecord,
) -> Option<HoldReason> {
    if let Some(instance) = live.instance.as_deref().filter(|instance| *instance != facts.instance) {
        return Some(HoldReason::OtherInstance { object: id.clone(), instance: instance.to_owned() });
    }
    let other = facts.wanted_elsewhere.get(id);
    if let Some(owner) = live.application.as_ref().filter(|owner| *owner != facts.application)
        && other == Some(owner)
    {
        return Some(HoldReason::OtherApplication { object: id.clone(), application: owner.to_string() });
    }
    // Nobody has it yet and two want it: the first by name gets it, so that both decide alike.
    if let Some(owner) = other.filter(|owner| live.application.is_none() && *owner < facts.application) {
        return Some(HoldReason::OtherApplication { object: id.clone(), application: owner.to_string() });
    }
    let ours = live.application.as_ref() == Some(facts.application) && live.projection.is_some();
    let tool = live.tool.filter(|_| !wanted.adopt && !ours)?;
    Some(HoldReason::OtherTool { object: id.clone(), tool })
}

/// A new namespace or release of an application with data, or of several applications at once.
fn moves(facts: &Facts<'_>, wanted: &WantedVersion) -> Option<HoldReason> {
    let head = facts.head.filter(|head| head.deployed.is_some() || head.rebuilt)?;
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
    builder.add(facts.application.to_string().as_bytes()).add(from.as_bytes()).add(to.as_bytes());
    let plan = builder.finish();
    (!facts.confirmations.plans.contains(&plan)).then_some(HoldReason::Moves { from, to, plan })
}

/// A failure that ends the rollout: rejected for good, or tried until the timeout.
fn failed(facts: &Facts<'_>, wanted: &WantedVersion) -> Option<Step> {
    let failure = facts.progress.failure.as_ref()?;
    let ends = match failure.kind {
        FailureKind::Final => true,
        FailureKind::UntilTimeout => is_late(facts, wanted),
        FailureKind::Unavailable | FailureKind::Held(_) => false,
    };
    let place = failure.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
    ends.then(|| Step::Block {
        rollout: number(facts),
        diagnosis: format!("{place}{}", failure.message),
        suspects: Vec::new(),
    })
}

fn is_late(facts: &Facts<'_>, wanted: &WantedVersion) -> bool {
    let started = facts.progress.rollout.as_ref().map(|rollout| rollout.started);
    started.is_some_and(|started| later(started, wanted.policy.timeout) <= facts.now)
}

/// Whether the running rollout of this process is this one.
fn is_running(facts: &Facts<'_>, digest: Digest) -> bool {
    facts.progress.rollout.as_ref().is_some_and(|rollout| rollout.digest == digest)
}

/// The namespace, the intent and the dry run.
fn prepare(facts: &Facts<'_>, wanted: &WantedVersion, plan: &mut SyncPlan) {
    let set = &wanted.set;
    let renders_namespace = set
        .objects
        .iter()
        .any(|object| object.id.kind.is("", "Namespace") && *object.id.name == *wanted.namespace.as_str());
    let needs_namespace =
        set.objects.iter().any(|object| object.id.namespace.as_deref() == Some(wanted.namespace.as_str()));
    if needs_namespace && !facts.namespace_exists && !renders_namespace {
        plan.steps.push(Step::CreateNamespace {
            namespace: wanted.namespace.clone(),
            labels: wanted.namespace_labels.clone(),
        });
    }
    let written =
        facts.intent.is_some_and(|intent| intent.digest == set.digest && intent.rollout == number(facts));
    if !written {
        let slot = facts.head.and_then(|head| head.slot).map_or(Slot::A, Slot::other);
        plan.steps.push(Step::WriteSet { slot, rollout: number(facts), carried: carried(facts, wanted) });
    }
    let changes: Vec<ResourceId> =
        set.objects.iter().filter(|object| !is_done(facts, object)).map(|object| object.id.clone()).collect();
    let rehearsed = facts.progress.rollout.as_ref().is_some_and(|rollout| rollout.rehearsed);
    let deployed = facts.head.is_some_and(|head| head.deployed.is_some());
    if deployed
        && changes.len() > 1
        && !(rehearsed && is_running(facts, set.digest))
        && facts.namespace_exists
    {
        plan.steps.push(Step::DryRun { objects: changes });
    }
}

/// Objects that earlier attempts named and that may be there: they must not be forgotten.
fn carried(facts: &Facts<'_>, wanted: &WantedVersion) -> Vec<ResourceId> {
    let known = |id: &ResourceId| facts.head.is_some_and(|head| head.objects.contains_key(id));
    let named = facts.intent.iter().flat_map(|intent| &intent.objects);
    let left = named.filter(|id| wanted.set.get(id).is_none() && !known(id) && facts.live.contains_key(*id));
    left.cloned().collect()
}

/// Whether an object stands as wanted: applied by this rollout, or unchanged since the last.
fn is_done(facts: &Facts<'_>, object: &WantedObject) -> bool {
    let Some(live) = facts.live.get(&object.id).filter(|live| live.terminating.is_none()) else {
        return false;
    };
    let Some(projection) = live.projection else {
        return false;
    };
    let scaled = facts.scaled.contains(&object.id);
    let running = facts.progress.rollout.as_ref();
    let applied = running.and_then(|rollout| rollout.applied.get(&object.id));
    if let Some(applied) = applied.filter(|applied| applied.desired == object.desired) {
        return *live.uid == *applied.uid && applied.projection.is_same_as(&projection, scaled);
    }
    let deployed = facts.head.and_then(|head| head.objects.get(&object.id));
    deployed.is_some_and(|deployed| {
        let expected = facts.progress.healed.get(&object.id).unwrap_or(&deployed.projection);
        deployed.desired == object.desired && expected.is_same_as(&projection, scaled)
    })
}

/// Applies and waits, wave by wave. Returns the first objects that are not healthy yet.
fn waves(facts: &Facts<'_>, wanted: &WantedVersion, plan: &mut SyncPlan) -> Vec<(ResourceId, String)> {
    let objects = &wanted.set.objects;
    let mut first_unhealthy = Vec::new();
    let mut start = 0;
    while start < objects.len() {
        let head = &objects[start];
        let same = |object: &WantedObject| object.wave == head.wave && object.rank == head.rank;
        let end = start + objects[start..].iter().take_while(|object| same(object)).count();
        let group = &objects[start..end];
        let mut applies = Vec::new();
        for object in group.iter().filter(|object| !is_done(facts, object)) {
            if facts.live.get(&object.id).is_some_and(|live| live.terminating.is_some()) {
                plan.holds.push(terminating(facts, &object.id));
            }
            applies.push(apply_step(facts, object));
        }
        let applied_here = !applies.is_empty();
        if applied_here {
            plan.steps.push(Step::Apply { wave: head.wave, objects: applies });
        }
        let ends_wave = objects.get(end).is_none_or(|next| next.wave != head.wave);
        // Definitions and namespaces (ranks 0 and 1) must be ready before anything that may need them.
        if ends_wave || head.rank <= 1 {
            let wave_start =
                objects[..end].iter().position(|object| object.wave == head.wave).unwrap_or(start);
            let pending = plan.steps.iter().any(|step| matches!(step, Step::Apply { .. }));
            let waiting = unhealthy(facts, &objects[wave_start..end]);
            if pending || !waiting.is_empty() {
                if !pending && first_unhealthy.is_empty() {
                    first_unhealthy.clone_from(&waiting);
                }
                plan.steps.push(Step::AwaitHealth { wave: head.wave, waiting });
            }
        }
        start = end;
    }
    first_unhealthy
}

fn apply_step(facts: &Facts<'_>, object: &WantedObject) -> ApplyObject {
    let live = facts.live.get(&object.id);
    let adopt = live.is_some_and(|live| live.adoptable);
    ApplyObject {
        id: object.id.clone(),
        reason: ApplyReason::Rollout,
        force: false,
        adopt,
        replicas: ReplicasRule::of(facts, &object.id),
    }
}

/// Objects that stand but are not healthy.
fn unhealthy(facts: &Facts<'_>, objects: &[WantedObject]) -> Vec<(ResourceId, String)> {
    let bad = |object: &WantedObject| {
        let health = &facts.live.get(&object.id)?.health;
        let well = matches!(health.status, HealthStatus::Healthy | HealthStatus::Suspended);
        (!well).then(|| (object.id.clone(), health.message.clone()))
    };
    objects.iter().filter_map(bad).collect()
}

/// A block, if an object failed for good or the time is up.
fn hopeless(facts: &Facts<'_>, wanted: &WantedVersion, unhealthy: &[(ResourceId, String)]) -> Option<Step> {
    let is_final = |id: &ResourceId| facts.live.get(id).is_some_and(|live| live.health.is_final);
    let late = is_late(facts, wanted);
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
        rollout: number(facts),
        diagnosis: format!("{}{suffix}", words.join("; ")),
        suspects: blamed.iter().map(|(id, _)| id.clone()).collect(),
    })
}

/// Objects that this process created for a version that failed: they go when the old version is restored. In
/// doubt (after a restart) they stay.
pub(super) fn created_by(facts: &Facts<'_>, wanted: &WantedVersion) -> Vec<DeleteObject> {
    let Some(rollout) = facts.progress.rollout.as_ref().filter(|one| one.digest == wanted.version.digest)
    else {
        return Vec::new();
    };
    let deployed = |id: &ResourceId| facts.head.is_some_and(|head| head.objects.contains_key(id));
    let mut deletes: Vec<DeleteObject> = Vec::new();
    for object in wanted.set.objects.iter().rev() {
        let Some(applied) = rollout.applied.get(&object.id) else {
            continue;
        };
        let Some(live) = facts.live.get(&object.id) else {
            continue;
        };
        let same = live.uid.as_ref() == applied.uid && live.terminating.is_none();
        if applied.created && same && !object.protected && !object.keep && !deployed(&object.id) {
            deletes.push(DeleteObject { id: object.id.clone(), uid: applied.uid.clone() });
        }
    }
    deletes
}

/// Whether a blocked first version became healthy after all.
pub(super) fn turned_healthy(facts: &Facts<'_>, wanted: &WantedVersion) -> bool {
    let well = |object: &WantedObject| {
        facts.live.get(&object.id).is_some_and(|live| live.health.status == HealthStatus::Healthy)
            && is_done(facts, object)
    };
    !wanted.set.objects.is_empty() && wanted.set.objects.iter().all(well)
}
