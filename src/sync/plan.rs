//! The plan of one application: the same value is printed by the command line, shown by the dashboard and
//! carried out by the executor.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::facts::{Facts, Wanted, WantedVersion};
use super::heal::heal;
use super::progress::{FailureKind, later};
use super::prune::prune;
use super::rollout::{self, rollout};
use super::status::{ResourceState, health_status, resources, sync_status};
use crate::model::digest::{Digest, DigestBuilder};
use crate::model::drift::SyncStatus;
use crate::model::health::HealthStatus;
use crate::model::hold::HoldReason;
use crate::model::inventory::Slot;
use crate::model::name::{ApplicationId, NamespaceName};
use crate::model::policy::{Extras, OnFailure};
use crate::model::resource::ResourceId;

/// Why an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyReason {
    /// A wanted version is brought there.
    Rollout,
    /// Somebody changed or removed it.
    Heal,
    /// A failed rollout is taken back.
    Restore,
}

/// One object to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplyObject {
    /// Which object.
    pub id: ResourceId,
    /// Why.
    pub reason: ApplyReason,
    /// Whether fields are taken from other managers.
    pub force: bool,
    /// Whether fields of `kubectl apply` are taken over first.
    pub adopt: bool,
    /// What becomes of its replicas.
    pub replicas: ReplicasRule,
}

/// What becomes of `/spec/replicas` (RULES §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicasRule {
    /// As the manifest says.
    AsWritten,
    /// The live number: an autoscaler set it, and leaving out a field that we alone own would reset it.
    Live(i64),
    /// Left out: an autoscaler owns the field.
    LeftOut,
}

impl ReplicasRule {
    /// The rule for an object, as it is now.
    pub(super) fn of(facts: &Facts<'_>, id: &ResourceId) -> Self {
        let replicas = facts.live.get(id).and_then(|live| live.replicas);
        match replicas.filter(|_| facts.scaled.contains(id)) {
            None => Self::AsWritten,
            Some(replicas) if replicas.others => Self::LeftOut,
            Some(replicas) => Self::Live(replicas.wanted),
        }
    }
}

/// One object to delete.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteObject {
    /// Which object.
    pub id: ResourceId,
    /// Its uid, a precondition of the delete.
    pub uid: String,
}

/// One step. Steps are carried out in order, those after a [`Step::AwaitHealth`] by a later plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Creates a namespace.
    CreateNamespace {
        /// Its name.
        namespace: NamespaceName,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// Writes the wanted set into the free slot: the intent.
    WriteSet {
        /// The slot.
        slot: Slot,
        /// The number of the rollout.
        rollout: u64,
        /// Objects of earlier attempts that may still be there.
        carried: Vec<ResourceId>,
    },
    /// Tries all changes without writing.
    DryRun {
        /// The objects.
        objects: Vec<ResourceId>,
    },
    /// Applies objects side by side.
    Apply {
        /// Their wave.
        wave: i32,
        /// The objects.
        objects: Vec<ApplyObject>,
    },
    /// Waits for health; later steps belong to a later plan.
    AwaitHealth {
        /// The wave.
        wave: i32,
        /// What is waited for, and what it says.
        waiting: Vec<(ResourceId, String)>,
    },
    /// Takes away fields that people added by hand.
    RemoveExtras {
        /// The objects with the JSON pointers of the fields.
        objects: Vec<(ResourceId, Vec<String>)>,
    },
    /// Deletes objects one after the other.
    Delete {
        /// The objects.
        objects: Vec<DeleteObject>,
    },
    /// Makes the wanted version the deployed one.
    SwitchHead {
        /// The number of the rollout.
        rollout: u64,
        /// Objects that stay owned although they are no longer wanted.
        leaving: Vec<ResourceId>,
    },
    /// Blocks the wanted version.
    Block {
        /// The number of the rollout.
        rollout: u64,
        /// Why.
        diagnosis: String,
        /// Objects at which a closer look may tell more.
        suspects: Vec<ResourceId>,
    },
    /// Lifts a block.
    Unblock,
    /// Takes objects out of the inventory that are gone or were handed over.
    Forget {
        /// The objects.
        objects: Vec<ResourceId>,
    },
    /// Notes that the application is gone.
    NoteRemoved {
        /// The number of the rollout.
        rollout: u64,
        /// Objects that stay owned until a person confirms their end.
        leaving: Vec<ResourceId>,
    },
    /// Removes the inventory of an application that is gone.
    RemoveHead,
}

/// What is to be done for one application, and what is not, and why.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a plan that nobody reads decides nothing"]
pub struct SyncPlan {
    /// The application.
    pub application: ApplicationId,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// What is held, and why.
    pub holds: Vec<HoldReason>,
    /// Whether what runs is what is wanted.
    pub sync: SyncStatus,
    /// How well it runs.
    pub health: HealthStatus,
    /// Every object.
    pub resources: Vec<ResourceState>,
    /// When to look again, if nothing happens before.
    pub wake: Option<Timestamp>,
    /// Whether the live objects were known in full: without that nothing is decided.
    pub informed: bool,
}

impl SyncPlan {
    /// A digest of what is to be done; no times.
    pub fn digest(&self) -> Digest {
        let mut builder = DigestBuilder::default();
        builder.add(self.application.to_string().as_bytes());
        for step in &self.steps {
            builder.add(format!("{step:?}").as_bytes());
        }
        builder.finish()
    }

    /// Whether there is nothing to do now but to wait.
    pub fn is_waiting(&self) -> bool {
        matches!(self.steps.first(), Some(Step::AwaitHealth { .. }))
    }
}

/// Decides. Pure: equal facts give equal plans.
pub fn plan(facts: &Facts<'_>) -> SyncPlan {
    let mut holds: Vec<HoldReason> = facts.observed.to_vec();
    if let Wanted::Held(reasons) = facts.wanted {
        holds.extend(reasons.iter().cloned());
    }
    let resources = resources(facts);
    let mut plan = SyncPlan {
        application: facts.application.clone(),
        steps: Vec::new(),
        holds,
        sync: sync_status(facts, &resources),
        health: health_status(facts, &resources),
        resources,
        wake: None,
        informed: facts.live_complete,
    };
    if facts.live_complete && facts.suspension.is_none() && is_same_cluster(facts, &mut plan) {
        decide(facts, &mut plan);
    } else {
        show_block(facts, &mut plan);
    }
    show_failure(facts, &mut plan);
    plan
}

/// A context that leads to another cluster than before is a trap, not a move.
fn is_same_cluster(facts: &Facts<'_>, plan: &mut SyncPlan) -> bool {
    // Who may not read the identity only looks.
    let other =
        |head: &&crate::model::inventory::Head| head.cluster != facts.cluster && !facts.cluster.is_empty();
    let Some(head) = facts.head.filter(other) else {
        return true;
    };
    let mut builder = DigestBuilder::default();
    builder.add(facts.application.to_string().as_bytes());
    builder.add(head.cluster.as_bytes()).add(facts.cluster.as_bytes());
    let digest = builder.finish();
    if facts.confirmations.plans.contains(&digest) {
        return true;
    }
    let (was, is) = (head.cluster.clone(), facts.cluster.to_owned());
    plan.holds.push(HoldReason::OtherCluster { was, is, plan: digest });
    false
}

fn decide(facts: &Facts<'_>, plan: &mut SyncPlan) {
    let deployed = |digest: Digest| facts.head.is_some_and(|head| head.has_deployed(digest));
    match facts.wanted {
        Wanted::Version(wanted) if deployed(wanted.version.digest) => steady(facts, Some(wanted), plan),
        Wanted::Version(wanted) => match blocked(facts) {
            Some(digest) if digest == wanted.version.digest => stay_blocked(facts, wanted, plan),
            _ => rollout(facts, wanted, plan),
        },
        Wanted::Held(_) | Wanted::NeverPromoted => steady(facts, None, plan),
        Wanted::Removed => remove(facts, plan),
    }
}

fn blocked(facts: &Facts<'_>) -> Option<Digest> {
    facts.head.and_then(|head| head.blocked.as_ref()).map(|blocked| blocked.version.digest)
}

/// What is wanted is deployed, or nobody can tell what is wanted: keep what is deployed.
fn steady(facts: &Facts<'_>, wanted: Option<&WantedVersion>, plan: &mut SyncPlan) {
    if wanted.is_some() && blocked(facts).is_some() {
        // Wanted left the blocked version: a later commit may bring it back.
        plan.steps.push(Step::Unblock);
    }
    heal_if_allowed(facts, ApplyReason::Heal, plan);
    if facts.policy().extras == Extras::Remove && facts.progress.may_try(facts.now) {
        let objects = super::heal::unwanted_extras(facts);
        if !objects.is_empty() {
            plan.steps.push(Step::RemoveExtras { objects });
        }
    }
    if let Some(wanted) = wanted {
        prune_leaving(facts, wanted, plan);
    }
    show_block(facts, plan);
}

fn heal_if_allowed(facts: &Facts<'_>, reason: ApplyReason, plan: &mut SyncPlan) {
    if facts.policy().self_heal && facts.progress.may_try(facts.now) {
        plan.steps.extend(heal(facts, reason, &mut plan.holds));
    }
}

/// Objects that wait in the inventory for a person's word.
fn prune_leaving(facts: &Facts<'_>, wanted: &WantedVersion, plan: &mut SyncPlan) {
    let Some(head) = facts.head else { return };
    if !head.objects.values().any(|object| object.leaving) {
        return;
    }
    let pruning = prune(facts, Some(&wanted.set));
    let deleted: Vec<ResourceId> = pruning.deletes.iter().map(|delete| delete.id.clone()).collect();
    if !pruning.deletes.is_empty() {
        plan.steps.push(Step::Delete { objects: pruning.deletes });
    }
    let gone =
        |id: &&ResourceId| deleted.contains(id) || !pruning.leaving.contains(id) && pruning.stop.is_none();
    let left = head.objects.iter().filter(|(_, object)| object.leaving).map(|(id, _)| id);
    let objects: Vec<ResourceId> = left.filter(gone).cloned().collect();
    if !objects.is_empty() {
        plan.steps.push(Step::Forget { objects });
    }
    plan.holds.extend(pruning.holds);
    plan.holds.extend(pruning.stop);
}

/// A blocked version is not tried again; what was deployed before is kept or restored.
fn stay_blocked(facts: &Facts<'_>, wanted: &WantedVersion, plan: &mut SyncPlan) {
    if facts.confirmations.unblocked.contains(&wanted.version.digest) {
        plan.steps.push(Step::Unblock);
        return;
    }
    show_block(facts, plan);
    let restore = wanted.policy.on_failure == OnFailure::Restore;
    let deployed = facts.head.is_some_and(|head| head.deployed.is_some());
    if restore && deployed {
        heal_if_allowed(facts, ApplyReason::Restore, plan);
        let created = rollout::created_by(facts, wanted);
        if wanted.policy.prune && !created.is_empty() {
            plan.steps.push(Step::Delete { objects: created });
        }
    } else if !deployed && rollout::turned_healthy(facts, wanted) {
        let rollout = rollout::number(facts);
        plan.steps.push(Step::SwitchHead { rollout, leaving: Vec::new() });
    }
    plan.sync = SyncStatus::OutOfSync;
}

/// The application left Git: prune all that it owns, then forget it.
fn remove(facts: &Facts<'_>, plan: &mut SyncPlan) {
    let Some(head) = facts.head else { return };
    if head.objects.is_empty() && head.deployed.is_none() && head.blocked.is_none() {
        plan.steps.push(Step::RemoveHead);
        return;
    }
    let pruning = prune(facts, None);
    if !pruning.deletes.is_empty() {
        plan.steps.push(Step::Delete { objects: pruning.deletes });
    }
    plan.holds.extend(pruning.holds);
    plan.holds.extend(pruning.stop);
    if head.deployed.is_some() || head.blocked.is_some() || head.wanted.is_some() {
        // What is no longer deployed is rolled out anew if it comes back.
        plan.steps.push(Step::NoteRemoved { rollout: head.rollout + 1, leaving: pruning.leaving });
        return;
    }
    let gone = |id: &&ResourceId| !pruning.leaving.contains(id) && !facts.live.contains_key(id);
    let objects: Vec<ResourceId> = head.objects.keys().filter(gone).cloned().collect();
    if !objects.is_empty() {
        plan.steps.push(Step::Forget { objects });
    }
}

fn show_block(facts: &Facts<'_>, plan: &mut SyncPlan) {
    let Some(blocked) = facts.head.and_then(|head| head.blocked.as_ref()) else {
        return;
    };
    let is_wanted = match facts.wanted {
        Wanted::Version(wanted) => wanted.version.digest == blocked.version.digest,
        _ => true,
    };
    if is_wanted {
        plan.holds.push(HoldReason::Blocked { diagnosis: blocked.diagnosis.clone() });
    }
}

/// The last failure is a hold until something succeeds.
fn show_failure(facts: &Facts<'_>, plan: &mut SyncPlan) {
    let progress = facts.progress;
    plan.wake = progress.retry_at.filter(|at| *at > facts.now);
    let contests = plan.holds.iter().filter_map(|hold| match hold {
        HoldReason::Contested { until, .. } => Some(*until),
        _ => None,
    });
    plan.wake = plan.wake.into_iter().chain(contests).min();
    if let Some(rollout) = &progress.rollout
        && plan.steps.iter().any(|step| matches!(step, Step::AwaitHealth { .. }))
    {
        let deadline = later(rollout.started, facts.policy().timeout);
        plan.wake = plan.wake.into_iter().chain([deadline]).min();
    }
    let Some(failure) = &progress.failure else { return };
    let message = match &failure.object {
        Some(object) => format!("{object}: {}", failure.message),
        None => failure.message.clone(),
    };
    match &failure.kind {
        FailureKind::Unavailable => plan.holds.push(HoldReason::ApiUnavailable { message }),
        FailureKind::Held(reason) => plan.holds.push(reason.clone()),
        FailureKind::UntilTimeout => {
            let until = progress.retry_at.unwrap_or(facts.now);
            plan.holds.push(HoldReason::Retrying { message, until });
        }
        FailureKind::Final => {}
    }
}
