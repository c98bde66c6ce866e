//! One step of a plan: a value with a stable name and its own keys, and the sentences that people read. No body of an
//! object is in a step, so no value of a Secret either.

use std::collections::BTreeMap;

use serde::Serialize;

use super::object::{ObjectReference, references};
use crate::model::resource::ResourceId;
use crate::sync::{ApplyObject, ApplyReason, DeleteObject, Force, ReplicasRule, Step};

/// A step with its sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// What is done.
    #[serde(flatten)]
    pub step: StepDetail,
    /// The same in words; one line for each object where objects are treated one by one.
    pub text: Vec<String>,
}

impl From<&Step> for StepReport {
    fn from(step: &Step) -> Self {
        Self { step: StepDetail::from(step), text: sentences(step) }
    }
}

/// What is done, under the name of the step. Names and keys are a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "camelCase")]
pub enum StepDetail {
    /// Creates a namespace.
    CreateNamespace {
        /// Its name.
        namespace: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// Writes the rendered set to the cluster: the rollout is pending from then on.
    WriteSet {
        /// The number of the rollout.
        rollout: u64,
        /// Objects of earlier attempts that may still be there.
        carried: Vec<ObjectReference>,
    },
    /// Notes in the cluster how far the rollout has come.
    NoteProgress {
        /// The wave that begins, or goes on.
        wave: i32,
    },
    /// Tries changes without writing.
    DryRun {
        /// The objects.
        objects: Vec<ObjectReference>,
    },
    /// Applies objects side by side.
    Apply {
        /// Their wave.
        wave: i32,
        /// The objects.
        objects: Vec<AppliedObject>,
    },
    /// Waits for the health of a wave.
    AwaitHealth {
        /// The wave.
        wave: i32,
        /// What is not healthy yet.
        waiting: Vec<WaitingObject>,
    },
    /// Takes away fields that people added by hand.
    RemoveExtras {
        /// The objects.
        objects: Vec<ExtrasObject>,
    },
    /// Deletes objects.
    Delete {
        /// The objects.
        objects: Vec<DeletedObject>,
    },
    /// Makes the wanted version the deployed one.
    SwitchHead {
        /// The number of the rollout.
        rollout: u64,
        /// Objects that stay owned although they are no longer wanted.
        leaving: Vec<ObjectReference>,
    },
    /// Blocks the wanted version.
    Block {
        /// The number of the rollout.
        rollout: u64,
        /// Why.
        diagnosis: String,
        /// Objects at which a closer look may tell more.
        suspects: Vec<ObjectReference>,
    },
    /// Lifts a block.
    Unblock,
    /// Takes objects out of the inventory.
    Forget {
        /// The objects.
        objects: Vec<ObjectReference>,
    },
    /// Notes that the application is gone.
    NoteRemoved {
        /// The number of the rollout.
        rollout: u64,
        /// Objects that stay owned until a person confirms their end.
        leaving: Vec<ObjectReference>,
    },
    /// Removes the inventory of an application that is gone.
    RemoveHead,
}

/// An object to apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppliedObject {
    /// Which object.
    #[serde(flatten)]
    pub object: ObjectReference,
    /// Why.
    pub reason: ApplyReason,
    /// Whether fields are taken from other managers.
    pub force: bool,
    /// Whether fields of `kubectl apply` are taken over first.
    pub adopt: bool,
    /// What becomes of its replicas, if not what the manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
}

/// What becomes of replicas that an autoscaler sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "camelCase")]
pub enum Replicas {
    /// They are applied as they are live.
    Live {
        /// How many.
        number: i64,
    },
    /// They are left out.
    LeftOut,
}

/// An object whose health is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingObject {
    /// Which object.
    #[serde(flatten)]
    pub object: ObjectReference,
    /// What it says.
    pub message: String,
}

/// An object that loses fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtrasObject {
    /// Which object.
    #[serde(flatten)]
    pub object: ObjectReference,
    /// The JSON pointers of the fields.
    pub fields: Vec<String>,
}

/// An object to delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeletedObject {
    /// Which object.
    #[serde(flatten)]
    pub object: ObjectReference,
    /// Its uid: another object of its name is left alone.
    pub uid: String,
}

impl From<&Step> for StepDetail {
    fn from(step: &Step) -> Self {
        match step {
            Step::CreateNamespace { namespace, labels } => {
                Self::CreateNamespace { namespace: namespace.to_string(), labels: labels.clone() }
            }
            Step::WriteSet { rollout, carried, .. } => {
                Self::WriteSet { rollout: *rollout, carried: references(carried) }
            }
            Step::NoteProgress { wave, .. } => Self::NoteProgress { wave: *wave },
            Step::DryRun { objects } => Self::DryRun { objects: references(objects) },
            Step::Apply { wave, objects } => Self::Apply { wave: *wave, objects: each(objects) },
            Step::AwaitHealth { wave, waiting } => Self::AwaitHealth { wave: *wave, waiting: each(waiting) },
            Step::RemoveExtras { objects } => Self::RemoveExtras { objects: each(objects) },
            Step::Delete { objects } => Self::Delete { objects: each(objects) },
            Step::SwitchHead { rollout, leaving } => {
                Self::SwitchHead { rollout: *rollout, leaving: references(leaving) }
            }
            Step::Block { rollout, diagnosis, suspects } => Self::Block {
                rollout: *rollout,
                diagnosis: diagnosis.clone(),
                suspects: references(suspects),
            },
            Step::Unblock => Self::Unblock,
            Step::Forget { objects } => Self::Forget { objects: references(objects) },
            Step::NoteRemoved { rollout, leaving } => {
                Self::NoteRemoved { rollout: *rollout, leaving: references(leaving) }
            }
            Step::RemoveHead => Self::RemoveHead,
        }
    }
}

fn each<'a, Planned, Shown: From<&'a Planned>>(objects: &'a [Planned]) -> Vec<Shown> {
    objects.iter().map(Shown::from).collect()
}

impl From<&ApplyObject> for AppliedObject {
    fn from(apply: &ApplyObject) -> Self {
        let replicas = match apply.replicas {
            ReplicasRule::AsWritten => None,
            ReplicasRule::Live(number) => Some(Replicas::Live { number }),
            ReplicasRule::LeftOut => Some(Replicas::LeftOut),
        };
        let object = ObjectReference::from(&apply.id);
        Self {
            object,
            reason: apply.reason,
            force: apply.force != Force::Never,
            adopt: apply.adopt,
            replicas,
        }
    }
}

impl From<&(ResourceId, String)> for WaitingObject {
    fn from((id, message): &(ResourceId, String)) -> Self {
        Self { object: ObjectReference::from(id), message: message.clone() }
    }
}

impl From<&(ResourceId, Vec<String>)> for ExtrasObject {
    fn from((id, fields): &(ResourceId, Vec<String>)) -> Self {
        Self { object: ObjectReference::from(id), fields: fields.clone() }
    }
}

impl From<&DeleteObject> for DeletedObject {
    fn from(delete: &DeleteObject) -> Self {
        Self { object: ObjectReference::from(&delete.id), uid: delete.uid.clone() }
    }
}

/// What people read of a step.
fn sentences(step: &Step) -> Vec<String> {
    match step {
        Step::CreateNamespace { namespace, .. } => vec![format!("create namespace {namespace}")],
        Step::WriteSet { rollout, .. } => vec![format!("write the rendered set of rollout {rollout}")],
        Step::NoteProgress { wave, .. } => vec![format!("note that wave {wave} is under way")],
        Step::DryRun { objects } => vec![format!("try {} changes without writing", objects.len())],
        Step::Apply { wave, objects } => objects.iter().map(|object| apply(*wave, object)).collect(),
        Step::AwaitHealth { wave, .. } => vec![format!("wait for the health of wave {wave}")],
        Step::RemoveExtras { objects } => {
            objects.iter().map(|(id, fields)| format!("remove {} from {id}", fields.join(", "))).collect()
        }
        Step::Delete { objects } => objects.iter().map(|object| format!("delete {}", object.id)).collect(),
        Step::SwitchHead { rollout, leaving } => {
            let mut lines = vec![format!("note rollout {rollout} as deployed")];
            lines.extend(leaving.iter().map(|id| format!("keep {id} until its deletion is confirmed")));
            lines
        }
        Step::Block { diagnosis, .. } => vec![format!("block this version: {diagnosis}")],
        Step::Unblock => vec!["lift the block".to_owned()],
        Step::Forget { objects } => objects.iter().map(|id| format!("let go of {id}")).collect(),
        Step::NoteRemoved { .. } => vec!["note that the application is gone".to_owned()],
        Step::RemoveHead => vec!["remove its inventory".to_owned()],
    }
}

fn apply(wave: i32, object: &ApplyObject) -> String {
    let reason = match object.reason {
        ApplyReason::Rollout => "rollout",
        ApplyReason::Heal => "heal",
        ApplyReason::Restore => "restore",
    };
    let adopt = if object.adopt { ", taking over the fields of kubectl apply" } else { "" };
    format!("apply {} (wave {wave}, {reason}{adopt})", object.id)
}

#[cfg(test)]
mod tests;
