//! The plan of one application: the same value is printed by the command line, shown by the dashboard and
//! carried out by the executor.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::failure::Fate;
use super::heal::heal;
use super::observation::Observation;
use super::progress::later;
use super::prune::prune;
use super::rollout::{self, rollout};
use super::status::{ResourceState, health_status, resources, sync_status};
use super::wanted::{Wanted, WantedVersion};
use crate::model::digest::{Digest, DigestBuilder};
use crate::model::drift::SyncStatus;
use crate::model::health::HealthStatus;
use crate::model::hold::HoldReason;
use crate::model::inventory::{Head, Phase, Slot};
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
    pub force: Force,
    /// Whether fields of `kubectl apply` are taken over first.
    pub adopt: bool,
    /// What becomes of its replicas.
    pub replicas: ReplicasRule,
}

/// Whether fields are taken from other managers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Force {
    /// No: what others own is a conflict.
    Never,
    /// Yes.
    Always,
    /// Yes, but only if the object is still of this resourceVersion: those fields were ours.
    FromVersion(String),
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
    pub(super) fn of(observation: &Observation, id: &ResourceId) -> Self {
        let replicas = observation.live.get(id).and_then(|live| live.replicas);
        match replicas.filter(|_| observation.live.scaled.contains(id)) {
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
    /// Writes the wanted set into the free slot: the rollout is pending from then on.
    WriteSet {
        /// The slot.
        slot: Slot,
        /// The number of the rollout.
        rollout: u64,
        /// Objects of earlier attempts that may still be there.
        carried: Vec<ResourceId>,
    },
    /// Notes in the cluster how far the rollout has come.
    NoteProgress {
        /// The phase.
        phase: Phase,
        /// The wave that begins, or goes on.
        wave: i32,
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

/// Decides. Pure: equal observation give equal plans.
pub fn plan(observation: &Observation) -> SyncPlan {
    let mut holds: Vec<HoldReason> = observation.holds.clone();
    if let Wanted::Held(reasons) = &*observation.wanted {
        holds.extend(reasons.iter().cloned());
    }
    if let Some(message) = &observation.commands.written_by_newer {
        holds.push(HoldReason::WrittenByNewer { message: message.clone() });
    }
    let resources = resources(observation);
    let mut plan = SyncPlan {
        application: observation.application.clone(),
        steps: Vec::new(),
        holds,
        sync: sync_status(observation, &resources),
        health: health_status(observation, &resources),
        resources,
        wake: None,
        informed: observation.live.complete,
    };
    if may_decide(observation) && is_same_cluster(observation, &mut plan) {
        decide(observation, &mut plan);
    } else {
        show_block(observation, &mut plan);
    }
    show_failure(observation, &mut plan);
    plan
}

/// Whether enough is known to decide, and nobody said that nothing may be written.
fn may_decide(observation: &Observation) -> bool {
    let commands = &observation.commands;
    observation.live.complete && commands.suspension.is_none() && commands.written_by_newer.is_none()
}

/// A context that leads to another cluster than before is a trap, not a move.
fn is_same_cluster(observation: &Observation, plan: &mut SyncPlan) -> bool {
    let here = &observation.cluster.uid;
    // Who may not read the identity only looks.
    let other = |head: &&Head| head.cluster != *here && !here.is_empty();
    let Some(head) = observation.head().filter(other) else {
        return true;
    };
    let mut builder = DigestBuilder::default();
    builder.add(observation.application.to_string().as_bytes());
    builder.add(head.cluster.as_bytes()).add(here.as_bytes());
    let digest = builder.finish();
    if observation.commands.confirmations.plans.contains(&digest) {
        return true;
    }
    let (was, is) = (head.cluster.clone(), here.clone());
    plan.holds.push(HoldReason::OtherCluster { was, is, plan: digest });
    false
}

fn decide(observation: &Observation, plan: &mut SyncPlan) {
    let deployed = |digest: Digest| observation.head().is_some_and(|head| head.has_deployed(digest));
    match &*observation.wanted {
        Wanted::Version(wanted) if deployed(wanted.version.digest) => {
            steady(observation, Some(wanted), plan);
        }
        Wanted::Version(wanted) if observation.blocked() == Some(wanted.version.digest) => {
            stay_blocked(observation, wanted, plan);
        }
        Wanted::Version(wanted) => rollout(observation, wanted, plan),
        Wanted::Held(_) | Wanted::NeverPromoted => steady(observation, None, plan),
        Wanted::Removed => remove(observation, plan),
    }
}

/// What is wanted is deployed, or nobody can tell what is wanted: keep what is deployed.
fn steady(observation: &Observation, wanted: Option<&WantedVersion>, plan: &mut SyncPlan) {
    if wanted.is_some() && observation.blocked().is_some() {
        // Wanted left the blocked version: a later commit may bring it back.
        plan.steps.push(Step::Unblock);
    }
    heal_if_allowed(observation, ApplyReason::Heal, plan);
    if observation.policy().extras == Extras::Remove && observation.progress.may_try(observation.now) {
        let objects = super::heal::unwanted_extras(observation);
        if !objects.is_empty() {
            plan.steps.push(Step::RemoveExtras { objects });
        }
    }
    if let Some(wanted) = wanted {
        prune_leaving(observation, wanted, plan);
    }
    show_block(observation, plan);
}

fn heal_if_allowed(observation: &Observation, reason: ApplyReason, plan: &mut SyncPlan) {
    if observation.policy().self_heal && observation.progress.may_try(observation.now) {
        plan.steps.extend(heal(observation, reason, &mut plan.holds));
    }
}

/// Objects that wait in the inventory for a person's word.
fn prune_leaving(observation: &Observation, wanted: &WantedVersion, plan: &mut SyncPlan) {
    let Some(head) = observation.head() else { return };
    if !head.objects.values().any(|object| object.leaving) {
        return;
    }
    let pruning = prune(observation, Some(&wanted.set));
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
fn stay_blocked(observation: &Observation, wanted: &WantedVersion, plan: &mut SyncPlan) {
    if observation.commands.confirmations.unblocked.contains(&wanted.version.digest) {
        plan.steps.push(Step::Unblock);
        return;
    }
    show_block(observation, plan);
    let restore = wanted.policy.on_failure == OnFailure::Restore;
    let deployed = observation.has_deployed();
    if restore && deployed {
        heal_if_allowed(observation, ApplyReason::Restore, plan);
        let created = rollout::created_by(observation, wanted);
        if wanted.policy.prune && !created.is_empty() {
            plan.steps.push(Step::Delete { objects: created });
        }
    } else if !deployed && rollout::turned_healthy(observation, wanted) {
        let rollout = rollout::number(observation);
        plan.steps.push(Step::SwitchHead { rollout, leaving: Vec::new() });
    }
    plan.sync = SyncStatus::OutOfSync;
}

/// The application left Git: prune all that it owns, then forget it.
fn remove(observation: &Observation, plan: &mut SyncPlan) {
    let Some(head) = observation.head() else { return };
    if head.objects.is_empty() && head.deployed.is_none() && head.blocked.is_none() {
        plan.steps.push(Step::RemoveHead);
        return;
    }
    let pruning = prune(observation, None);
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
    let gone = |id: &&ResourceId| !pruning.leaving.contains(id) && !observation.live.contains(id);
    let objects: Vec<ResourceId> = head.objects.keys().filter(gone).cloned().collect();
    if !objects.is_empty() {
        plan.steps.push(Step::Forget { objects });
    }
}

fn show_block(observation: &Observation, plan: &mut SyncPlan) {
    let Some(blocked) = observation.head().and_then(|head| head.blocked.as_ref()) else {
        return;
    };
    let is_wanted = match &*observation.wanted {
        Wanted::Version(wanted) => wanted.version.digest == blocked.version.digest,
        _ => true,
    };
    if is_wanted {
        plan.holds.push(HoldReason::Blocked { diagnosis: blocked.diagnosis.clone() });
    }
}

/// The last failure is a hold until something succeeds.
fn show_failure(observation: &Observation, plan: &mut SyncPlan) {
    let progress = &observation.progress;
    plan.wake = progress.retry_at.filter(|at| *at > observation.now);
    let contests = plan.holds.iter().filter_map(|hold| match hold {
        HoldReason::Contested { until, .. } => Some(*until),
        _ => None,
    });
    plan.wake = plan.wake.into_iter().chain(contests).min();
    if let Some(rollout) = &progress.rollout
        && plan.steps.iter().any(|step| matches!(step, Step::AwaitHealth { .. }))
    {
        let timeout = observation.policy().timeout;
        let deadline = later(rollout.started, timeout);
        let note = rollout::next_note(observation, timeout).filter(|at| *at > observation.now);
        plan.wake = plan.wake.into_iter().chain(note).chain([deadline]).min();
    }
    let Some(failure) = &progress.failure else { return };
    match failure.fate() {
        Fate::Wait => plan.holds.push(HoldReason::ApiUnavailable { message: failure.words() }),
        Fate::Hold(reason) => plan.holds.push(reason),
        // Its time is up.
        _ if plan.steps.iter().any(|step| matches!(step, Step::Block { .. })) => {}
        Fate::Retry | Fate::RetryUntilTimeout => {
            let until = progress.retry_at.unwrap_or(observation.now);
            plan.holds.push(HoldReason::Retrying { message: failure.words(), until });
        }
        Fate::TakeBack | Fate::Block => {}
    }
}
