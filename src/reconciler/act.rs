//! Carries a plan out, step by step, and makes no choice that is not
//! in the plan; what the API server answers goes into the progress, for the next plan to judge.

mod answer;
mod inventory;
mod objects;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use self::answer::sort;
use crate::adapters::cluster::{ClusterError, ClusterRead};
use crate::cluster::live::LiveIndex;
use crate::cluster::state::namespace_id;
use crate::cluster::writer::Writer;
use crate::inventory::PackedSet;
use crate::model::inventory::{StoredHead, StoredSet};
use crate::model::manifest::{INSTANCE_LABEL, RenderedSet};
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::record::Record;
use crate::model::resource::ResourceId;
use crate::sync::{Failure, Progress, Step, SyncPlan, Wanted, WantedVersion};

/// What an execution may use and change: everything of one application.
pub struct Execution<'a> {
    /// The writer.
    pub writer: &'a Writer,
    /// Live objects; answers are noted at once.
    pub live: &'a LiveIndex,
    /// moorline's own namespace.
    pub namespace: &'a NamespaceName,
    /// The instance.
    pub instance: &'a InstanceName,
    /// The config repository, for the head.
    pub config: &'a str,
    /// The uid of kube-system.
    pub identity: &'a str,
    /// What Git asks for.
    pub wanted: &'a Wanted,
    /// The rendered set of the wanted version.
    pub rendered: Option<&'a RenderedSet>,
    /// The same set as it is kept.
    pub packed: Option<&'a PackedSet>,
    /// The deployed set, unpacked when it is needed.
    pub deployed: Option<PackedSet>,
    /// Whether records are kept.
    pub keeps_records: bool,
    /// The inventory.
    pub head: Option<StoredHead>,
    /// The set of a rollout that did not end.
    pub intent: Option<StoredSet>,
    /// What this process did.
    pub progress: Progress,
    /// Sets written or used.
    pub sets: Vec<PackedSet>,
    /// Records to be written to the state repository.
    pub records: Vec<Record>,
    /// How many writes the API server was asked for.
    pub writes: usize,
    /// Objects that were brought back.
    pub heals: Vec<ResourceId>,
    /// Whether the inventory was found changed: it is to be read again.
    pub outdated: bool,
    /// The even time, for waiting.
    pub now: Timestamp,
    /// The time on the machine's clock, for records.
    pub time: Timestamp,
}

/// Why a step ended the execution.
enum Stop {
    /// It failed; the progress says how.
    Failed,
    /// The plan ends here until something changes.
    Waiting,
}

impl Execution<'_> {
    fn reader(&self) -> &dyn ClusterRead {
        self.writer.reader()
    }

    /// Carries the plan out up to the first wait or failure. True if anything was written.
    pub async fn carry_out(&mut self, plan: &SyncPlan) -> bool {
        let before = self.writes;
        for step in &plan.steps {
            if self.step(&plan.application, step).await.is_err() {
                break;
            }
        }
        self.writes > before
    }

    async fn step(&mut self, application: &ApplicationId, step: &Step) -> Result<(), Stop> {
        match step {
            Step::CreateNamespace { namespace, labels } => self.create_namespace(namespace, labels).await,
            Step::WriteSet { slot, rollout, carried } => {
                let stored = self.intent_of(application, *slot, *rollout, carried);
                self.write_set(stored).await
            }
            Step::DryRun { objects } => self.dry_run(objects).await,
            Step::Apply { objects, .. } => self.apply_all(objects).await,
            Step::AwaitHealth { .. } => Err(Stop::Waiting),
            Step::RemoveExtras { objects } => self.remove_extras(objects).await,
            Step::Delete { objects } => self.delete_all(objects).await,
            Step::SwitchHead { rollout, leaving } => self.switch_head(application, *rollout, leaving).await,
            Step::Block { rollout, diagnosis, suspects } => {
                self.block(application, *rollout, diagnosis, suspects).await
            }
            Step::Unblock => {
                self.change_head(application, |head| head.blocked = None).await?;
                self.progress.end();
                Ok(())
            }
            Step::Forget { objects } => {
                self.change_head(application, |head| head.objects.retain(|id, _| !objects.contains(id))).await
            }
            Step::NoteRemoved { rollout, leaving } => self.note_removed(application, *rollout, leaving).await,
            Step::RemoveHead => self.remove_head(application).await,
        }
    }

    fn wanted_version(&self) -> Result<&WantedVersion, Stop> {
        match self.wanted {
            Wanted::Version(wanted) => Ok(wanted),
            _ => Err(Stop::Waiting),
        }
    }

    async fn create_namespace(
        &mut self,
        namespace: &NamespaceName,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Stop> {
        let mut labels = labels.clone();
        labels.insert(INSTANCE_LABEL.to_owned(), self.instance.to_string());
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.as_str(), "labels": labels}});
        self.writes += 1;
        match self.writer.put(&object).await {
            Ok(_) | Err(ClusterError::Changed { .. }) => Ok(()),
            Err(error) => Err(self.fail(Some(namespace_id(namespace)), &error)),
        }
    }

    fn fail(&mut self, object: Option<ResourceId>, error: &ClusterError) -> Stop {
        let (kind, retry_after) = sort(error, object.as_ref());
        let failure = Failure { kind, object, message: error.to_string() };
        self.progress.fail(failure, retry_after, self.now);
        Stop::Failed
    }
}
