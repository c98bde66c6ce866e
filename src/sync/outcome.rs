//! What acting came to: every effect in order, to be folded into the observation. Nothing is decided here.

use super::failure::Failure;
use super::observation::Observation;
use super::plan::ApplyReason;
use super::progress::{AppliedObject, Progress, Signature};
use crate::model::inventory::{StoredHead, StoredSet};
use crate::model::record::Record;
use crate::model::resource::ResourceId;

/// The effects of one execution of a plan, in order.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "what was done is lost unless it is folded"]
pub struct Outcome {
    /// The effects.
    pub effects: Vec<Effect>,
    /// How many writes the API server was asked for.
    pub writes: usize,
}

/// One thing that was done, or found while doing.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// An object was changed, or found to be as it should.
    Changed {
        /// Which one.
        object: ResourceId,
        /// How.
        action: Action,
    },
    /// The set of a rollout was written: the rollout begins.
    SetWritten(StoredSet),
    /// How far the rollout has come was noted.
    ProgressNoted(StoredSet),
    /// All changes were tried without writing.
    Rehearsed,
    /// An object was applied.
    Applied {
        /// Which one.
        object: ResourceId,
        /// Why.
        reason: ApplyReason,
        /// What the API server answered.
        answer: AppliedObject,
        /// What was found to be different before, if that can be told.
        before: Option<Signature>,
    },
    /// A whole group was applied: nothing of what failed before holds any longer.
    GroupApplied,
    /// The head was written.
    HeadWritten {
        /// As it stands in the cluster now.
        head: Box<StoredHead>,
        /// What happens to this process's memory of the rollout.
        ends: Ends,
        /// What goes to the state repository.
        record: Option<Box<Record>>,
    },
    /// The inventory was removed.
    HeadRemoved,
    /// The inventory is not as it was known: it has to be read again.
    Outdated,
    /// The answer to a write of the head was lost: it may have been carried out.
    HeadInDoubt,
    /// A step failed, and those after it were not tried.
    Failed(Failure),
}

/// What was done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there before.
    Created,
    /// It was changed.
    Configured,
    /// It was so already.
    Unchanged,
    /// It was deleted.
    Deleted,
}

/// What a write of the head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The pending rollout: it is deployed now.
    PendingRollout,
    /// This process's part in a rollout, whose set may stay.
    Rollout,
    /// The last failure: it became a block.
    Failure,
    /// Nothing.
    Nothing,
}

impl Outcome {
    /// What was done to each object, in order.
    pub fn changes(&self) -> impl Iterator<Item = (&ResourceId, Action)> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Changed { object, action } => Some((object, *action)),
            _ => None,
        })
    }

    /// Objects that were brought back.
    pub fn healed(&self) -> impl Iterator<Item = &ResourceId> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Applied { object, reason: ApplyReason::Heal | ApplyReason::Restore, .. } => Some(object),
            _ => None,
        })
    }

    /// What goes to the state repository.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::HeadWritten { record, .. } => record.as_deref(),
            _ => None,
        })
    }

    /// Whether the set of a rollout was written.
    pub fn begins_rollout(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::SetWritten(_)))
    }

    /// Whether the inventory has to be read again.
    pub fn is_outdated(&self) -> bool {
        self.effects.contains(&Effect::Outdated)
    }
}

impl Observation {
    /// Takes in what was done.
    pub fn fold(&mut self, outcome: &Outcome) {
        for effect in &outcome.effects {
            self.fold_one(effect);
        }
    }

    fn fold_one(&mut self, effect: &Effect) {
        match effect {
            Effect::Changed { .. } | Effect::Outdated => {}
            Effect::SetWritten(stored) => {
                self.progress.begin(stored, self.now);
                self.pending = Some(stored.clone());
            }
            Effect::ProgressNoted(stored) => self.pending = Some(stored.clone()),
            Effect::Rehearsed => {
                if let Some(rollout) = &mut self.progress.rollout {
                    rollout.rehearsed = true;
                }
            }
            Effect::Applied { object, reason, answer, before } => {
                note_applied(&mut self.progress, object, *reason, answer, before.clone(), self.now);
            }
            Effect::GroupApplied => self.progress.clear_failure(),
            Effect::HeadWritten { head, ends, .. } => {
                self.head = Some((**head).clone());
                match ends {
                    Ends::PendingRollout => {
                        self.pending = None;
                        self.progress.end();
                    }
                    Ends::Rollout => self.progress.end(),
                    Ends::Failure => self.progress.clear_failure(),
                    Ends::Nothing => {}
                }
            }
            Effect::HeadRemoved => {
                self.head = None;
                self.pending = None;
            }
            Effect::HeadInDoubt => self.progress.head_in_doubt = true,
            Effect::Failed(failure) => self.progress.fail(failure.clone(), self.now),
        }
    }
}

fn note_applied(
    progress: &mut Progress,
    object: &ResourceId,
    reason: ApplyReason,
    answer: &AppliedObject,
    before: Option<Signature>,
    now: jiff::Timestamp,
) {
    match reason {
        ApplyReason::Rollout => {
            if let Some(rollout) = &mut progress.rollout {
                let earlier = rollout.applied.get(object);
                let created = answer.created || earlier.is_some_and(|earlier| earlier.created);
                rollout.applied.insert(object.clone(), AppliedObject { created, ..answer.clone() });
            }
        }
        ApplyReason::Heal | ApplyReason::Restore => {
            progress.healed.insert(object.clone(), answer.projection);
            progress.note_heal(object, before, now);
        }
    }
}
