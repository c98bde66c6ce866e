//! Carries a plan out, step by step, and makes no choice that is not in the plan. What the API server answers is told
//! as effects, in order; what they mean is for the next plan to judge.

mod answer;
mod inventory;
mod objects;

use std::collections::BTreeMap;

use serde_json::json;

use self::answer::cause;
use crate::adapters::cluster::ClusterError;
use crate::cluster::live::LiveIndex;
use crate::cluster::state::namespace_id;
use crate::cluster::writer::Writer;
use crate::inventory::PackedSet;
use crate::model::manifest::{INSTANCE_LABEL, RenderedSet};
use crate::model::name::NamespaceName;
use crate::model::resource::ResourceId;
use crate::sync::{Action, Effect, Failure, Observation, Outcome, Step, SyncPlan};

/// Through what is written, and where the inventory is kept.
pub(super) struct Site<'a> {
    /// The writer.
    pub writer: &'a Writer,
    /// Live objects; answers are noted at once, so that their echoes are no news.
    pub live: &'a LiveIndex,
    /// moorline's own namespace.
    pub namespace: &'a NamespaceName,
    /// The config repository, for heads.
    pub config: &'a str,
    /// What becomes of records.
    pub records: Records,
}

/// The bodies of an application's objects: no part of what is decided.
pub(super) struct Bodies<'a> {
    /// The rendered set of the wanted version.
    pub rendered: Option<&'a RenderedSet>,
    /// The same set as it is kept.
    pub wanted: Option<&'a PackedSet>,
    /// The deployed set, unpacked when it is needed.
    pub deployed: Option<&'a PackedSet>,
}

/// What becomes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Records {
    /// None are kept.
    Unkept,
    /// The state repository has all before the next one.
    Pushed,
    /// Some are on their way: they wait in heads too.
    Waiting,
}

/// Carries the plan out up to the first wait or failure, or to a new head: what is to be done after that, the next
/// plan says.
pub(super) async fn act(
    plan: &SyncPlan,
    observation: &Observation,
    bodies: &Bodies<'_>,
    site: &Site<'_>,
) -> Outcome {
    let mut execution = Execution { observation, bodies, site, outcome: Outcome::default() };
    for step in &plan.steps {
        let ended = execution.step(step).await.is_err();
        if ended || matches!(execution.outcome.effects.last(), Some(Effect::HeadWritten { .. })) {
            break;
        }
    }
    execution.outcome
}

struct Execution<'a> {
    observation: &'a Observation,
    bodies: &'a Bodies<'a>,
    site: &'a Site<'a>,
    outcome: Outcome,
}

/// The execution ends here: a step failed, which the outcome says, or something has to change first.
struct Stop;

impl Execution<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        let observation = self.observation;
        match step {
            Step::CreateNamespace { namespace, labels } => self.create_namespace(namespace, labels).await,
            Step::WriteSet { slot, rollout, carried } => {
                self.write_set(observation.begun(*slot, *rollout, carried)).await
            }
            Step::NoteProgress { phase, wave } => self.note_progress(observation.noted(*phase, *wave)).await,
            Step::DryRun { objects } => self.dry_run(objects).await,
            Step::Apply { objects, .. } => self.apply_all(objects).await,
            Step::AwaitHealth { .. } => Err(Stop),
            Step::RemoveExtras { objects } => self.remove_extras(objects).await,
            Step::Delete { objects } => self.delete_all(objects).await,
            Step::SwitchHead { rollout, leaving } => self.switch_head(*rollout, leaving).await,
            Step::Block { rollout, diagnosis, suspects } => self.block(*rollout, diagnosis, suspects).await,
            Step::Unblock => self.unblock().await,
            Step::Forget { objects } => self.forget(objects).await,
            Step::NoteRemoved { rollout, leaving } => self.note_removed(*rollout, leaving).await,
            Step::RemoveHead => self.remove_head().await,
        }
    }

    async fn create_namespace(
        &mut self,
        namespace: &NamespaceName,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Stop> {
        let mut labels = labels.clone();
        labels.insert(INSTANCE_LABEL.to_owned(), self.observation.instance.to_string());
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.as_str(), "labels": labels}});
        self.outcome.writes += 1;
        let id = namespace_id(namespace);
        match self.site.writer.put(&object).await {
            Ok(_) => self.changed(id, Action::Created),
            Err(ClusterError::Changed { .. }) => self.changed(id, Action::Unchanged),
            Err(error) => return Err(self.fail(Some(id), &error)),
        }
        Ok(())
    }

    fn effect(&mut self, effect: Effect) {
        self.outcome.effects.push(effect);
    }

    fn changed(&mut self, object: ResourceId, action: Action) {
        self.effect(Effect::Changed { object, action });
    }

    fn fail(&mut self, object: Option<ResourceId>, error: &ClusterError) -> Stop {
        self.effect(Effect::Failed(failure(object, error)));
        Stop
    }

    fn outdated(&mut self) -> Stop {
        self.effect(Effect::Outdated);
        Stop
    }
}

/// A failed call as the planner knows it.
fn failure(object: Option<ResourceId>, error: &ClusterError) -> Failure {
    let (cause, retry_after) = cause(error);
    let message = match error {
        ClusterError::Forbidden { message } => message.clone(),
        other => other.to_string(),
    };
    Failure { cause, object, message, retry_after }
}
