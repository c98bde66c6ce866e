//! What the loop shows: the board while it runs, the outcome when it ends.

use super::{Application, ApplicationDetail, Outcome, Reconciler};
use crate::model::hold::HoldReason;
use crate::model::name::ApplicationId;
use crate::model::resource::ResourceId;
use crate::reconciler::record::Recorder;
use crate::report::status::Board;
use crate::sync::Wanted;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Reconciler {
    pub(super) fn publish(&self) {
        let configured = self.config.as_deref();
        let environments = configured
            .and_then(|config| config.repository.configuration.as_ref())
            .map(|configuration| configuration.environments.keys().map(ToString::to_string).collect())
            .unwrap_or_default();
        let judged = !self.applications.is_empty() || configured.is_some();
        let board = Board {
            instance: self.instance.as_ref().map(ToString::to_string).unwrap_or_default(),
            config: configured.map(|config| config.commit.to_string()),
            environments,
            applications: self.applications.values().filter_map(|one| one.status.clone()).collect(),
            ready: judged
                && self.applications.values().all(|one| one.status.is_some())
                && !self.clusters.is_empty(),
            time: Some(self.world.clock.now()),
        };
        let metrics = &self.world.metrics;
        metrics.set_objects(self.clusters.values().map(|state| state.live.len()).sum());
        metrics.set_watches(self.clusters.values().map(|state| state.watches.len()).sum());
        metrics.set_records_waiting(self.recorder.as_ref().map_or(0, Recorder::waiting));
        self.board.send_replace(Arc::new(board));
    }

    pub(super) fn outcome(&self) -> Outcome {
        let mut failures: Vec<String> = self.reading.failures.iter().map(HoldReason::message).collect();
        failures.extend(self.unconnected.values().map(HoldReason::message));
        if let Some(recorder) = self.recorder.as_ref().filter(|recorder| recorder.waiting() > 0) {
            let why = recorder.failure().unwrap_or_else(|| "it did not answer in time".to_owned());
            failures.push(format!("{} records are not in the state repository: {why}", recorder.waiting()));
        }
        if self.recorded.is_none() {
            let why = self.records_failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            failures.push(format!("the state repository cannot be read{why}"));
        }
        let unavailable =
            self.applications.values().flat_map(|one| one.plan.iter().flat_map(|plan| &plan.holds));
        failures.extend(
            unavailable
                .filter(|hold| matches!(hold, HoldReason::ApiUnavailable { .. }))
                .map(HoldReason::message),
        );
        failures.sort();
        failures.dedup();
        Outcome {
            failures,
            board: (**self.board.borrow()).clone(),
            plans: self.applications.values().filter_map(|one| one.plan.clone()).collect(),
            writes: self.writes,
            details: self.applications.iter().filter_map(|(id, one)| self.detail(id, one)).collect(),
        }
    }

    pub(super) fn detail(&self, id: &ApplicationId, application: &Application) -> Option<ApplicationDetail> {
        let state = self.clusters.get(&application.context)?;
        let head = state.heads.get(id).map(|stored| &stored.head);
        let deployed = || state.set(id, &head?.deployed.as_ref()?.digest).cloned();
        let set = application.target.packed.clone().or_else(deployed);
        let wanted: BTreeSet<&ResourceId> = match &*application.target.wanted {
            Wanted::Version(wanted) => wanted.set.objects.iter().map(|object| &object.id).collect(),
            Wanted::Removed => BTreeSet::new(),
            _ => head.iter().flat_map(|head| head.objects.keys()).collect(),
        };
        let owned = head.iter().flat_map(|head| head.objects.keys());
        Some(ApplicationDetail {
            application: id.clone(),
            context: application.context.clone(),
            key: state.live.key().clone(),
            looked_up: self.looked_up.get(id).cloned().unwrap_or_default(),
            set: set.filter(|_| !matches!(&*application.target.wanted, Wanted::Removed)),
            leaving: owned.filter(|id| !wanted.contains(id)).cloned().collect(),
        })
    }
}
