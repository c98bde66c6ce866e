//! Ticks: handed out, run beside the loop, and their results taken back.

use super::{Application, PARALLEL_TICKS, Reconciler, has_fault};
use crate::ledger::Entry;
use crate::model::facts::Version;
use crate::model::hold::HoldReason;
use crate::model::inventory::Suspension;
use crate::model::name::ApplicationId;
use crate::model::resource::GroupKind;
use crate::reconciler::onlooker::{self, Sight};
use crate::reconciler::tick::{Tick, TickResult, behind};
use crate::report::status::ApplicationStatus;
use crate::report::view::View;
use crate::sync::{SyncPlan, Wanted};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Reconciler {
    pub(super) fn dispatch(&mut self) {
        let ready: Vec<ApplicationId> = self
            .dirty
            .iter()
            .filter(|id| !self.busy.contains(*id))
            .take(PARALLEL_TICKS.saturating_sub(self.ticks.len()))
            .cloned()
            .collect();
        for id in ready {
            self.dirty.remove(&id);
            if let Some(tick) = self.tick(&id) {
                self.busy.insert(id);
                self.ticks.spawn(tick.run());
            } else if let Some(application) = self.applications.get_mut(&id) {
                application.moving = false;
                show_unconnected(&id, application, self.world.clock.steady());
            }
        }
    }

    pub(super) fn tick(&self, id: &ApplicationId) -> Option<Tick> {
        let application = self.applications.get(id)?;
        let state = self.clusters.get(&application.context)?;
        let instance = self.instance.clone()?;
        let head = state.heads.get(id).cloned();
        let intent = state.intents.get(id).cloned();
        let wanted = &application.target.wanted;
        let named = head.iter().flat_map(|head| head.head.objects.keys());
        let named = named.chain(intent.iter().flat_map(|intent| &intent.objects));
        let wanted_ids: Vec<_> = match &**wanted {
            Wanted::Version(wanted) => wanted.set.objects.iter().map(|object| &object.id).collect(),
            _ => Vec::new(),
        };
        let claims = self.claims.get(&application.context);
        let elsewhere =
            claims.map(|claims| claims.elsewhere(id, named.chain(wanted_ids))).unwrap_or_default();
        let commands = state.commands.get(&id.environment);
        let (wanted, packed) = match application.rivalled {
            Some(at) => (Arc::new(Wanted::Held(vec![behind(at)])), None),
            None => (wanted.clone(), application.target.packed.clone()),
        };
        let deployed =
            head.as_ref().and_then(|head| head.head.deployed.as_ref()).map(|version| version.digest);
        let namespace_known = match &*wanted {
            Wanted::Version(wanted) => state.namespaces.contains(&wanted.namespace),
            _ => false,
        };
        Some(Tick {
            application: id.clone(),
            cluster: state.cluster.clone(),
            clock: self.world.clock.clone(),
            live: state.live.clone(),
            kinds: state.kinds.clone(),
            contact: state.contact.clone(),
            identity: state.identity.uid.clone(),
            instance,
            options: self.options.clone(),
            wanted,
            packed,
            deployed: deployed.and_then(|digest| state.set(id, &digest).cloned()),
            head,
            intent,
            progress: application.progress.clone(),
            wanted_elsewhere: elsewhere,
            suspension: self.suspension(id, application),
            confirmations: commands.map(|commands| commands.confirmations(id)).unwrap_or_default(),
            recorded_rollout: self.recorded.as_ref().map(|recorded| recorded.get(id).copied().unwrap_or(0)),
            observed: self.observed_holds(application),
            namespace_known,
            keeps_records: self.world.state.is_some(),
            heals: Vec::new(),
            sight: state.sight,
            looked_up: self.observer.looked_up(id),
            behind: false,
        })
    }

    pub(super) fn suspension(&self, id: &ApplicationId, application: &Application) -> Option<Suspension> {
        let in_git = application.target.suspended_in_git.clone();
        let in_git = in_git.map(|reason| Suspension { reason, until: None, actor: None });
        let state = self.clusters.get(&application.context)?;
        let commands = state.commands.get(&id.environment)?;
        commands.suspension(id, self.world.clock.now()).or(in_git)
    }

    /// While the config repository cannot be read anew, everyone is told.
    pub(super) fn observed_holds(&self, application: &Application) -> Vec<HoldReason> {
        let held = matches!(&*application.target.wanted, Wanted::Held(_));
        let config = |hold: &&HoldReason| match hold {
            HoldReason::SourceUnavailable { repository, .. }
            | HoldReason::RevisionMissing { repository, .. } => *repository == self.options.config,
            _ => false,
        };
        self.reading.failures.iter().filter(|_| !held).filter(config).cloned().collect()
    }

    pub(super) fn end_tick(&mut self, result: Result<TickResult, tokio::task::JoinError>) {
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                // A panic is a bug of ours; the application is looked at again at the next poll.
                tracing::error!(error = %error, "A tick ended abnormally");
                self.busy.clear();
                return;
            }
        };
        let id = result.application.clone();
        self.busy.remove(&id);
        self.writes += result.writes;
        self.count(&id, &result);
        if result.behind {
            self.ask_git(&id);
        }
        self.keep_result(&id, &result);
        let recorder = self.recorder.as_ref();
        for record in &result.records {
            if let Some(recorder) = recorder {
                recorder.record(Entry { application: id.clone(), record: record.clone() });
            }
            if let Some(recorded) = &mut self.recorded {
                recorded.insert(id.clone(), record.rollout);
            }
        }
        self.judge(&id, result);
    }

    /// Another daemon was at work: Git is asked at once, and nothing begun for the application before.
    fn ask_git(&mut self, id: &ApplicationId) {
        let now = self.world.clock.steady();
        if let Some(application) = self.applications.get_mut(id) {
            application.rivalled = Some(now);
        }
        let soon = now.checked_add(std::time::Duration::from_secs(1)).unwrap_or(now);
        self.next_poll = self.next_poll.min(soon);
    }

    pub(super) fn count(&self, id: &ApplicationId, result: &TickResult) {
        let metrics = &self.world.metrics;
        metrics.reconciled(result.duration);
        metrics.healed(&id.environment, result.heals.len());
        if !result.heals.is_empty() {
            let objects: Vec<String> = result.heals.iter().map(ToString::to_string).collect();
            tracing::info!(application.name = %id, objects.count = objects.len(), "{id}: healed {}", objects.join(", "));
        }
        for record in &result.records {
            metrics.rolled_out(&id.environment, record.outcome);
        }
    }

    /// Takes back the inventory of the application as the tick left it.
    pub(super) fn keep_result(&mut self, id: &ApplicationId, result: &TickResult) {
        let Some(application) = self.applications.get(id) else {
            return;
        };
        let Some(state) = self.clusters.get_mut(&application.context) else {
            return;
        };
        match &result.head {
            Some(head) => state.heads.insert(id.clone(), head.clone()),
            None => state.heads.remove(id),
        };
        match &result.intent {
            Some(intent) => state.intents.insert(id.clone(), intent.clone()),
            None => state.intents.remove(id),
        };
        for packed in &result.sets {
            state.keep_set(id, packed.clone());
        }
        if let (Wanted::Version(wanted), true) = (&*application.target.wanted, result.namespace_exists) {
            state.namespaces.insert(wanted.namespace.clone());
        } else if let Wanted::Version(wanted) = &*application.target.wanted {
            state.namespaces.remove(&wanted.namespace);
        }
    }

    pub(super) fn judge(&mut self, id: &ApplicationId, result: TickResult) {
        let now = self.world.clock.steady();
        let Some(application) = self.applications.get(id) else {
            return;
        };
        let suspension = self.suspension(id, application);
        let sight = self.clusters.get(&application.context).map(|state| state.sight);
        let mut notices = application.target.notices.clone();
        notices.extend((sight == Some(Sight::HeadsOnly)).then(|| onlooker::NOTICE.to_owned()));
        let Some(application) = self.applications.get_mut(id) else {
            return;
        };
        let holds = application.times.date(&result.plan.holds, now);
        let view = View {
            plan: &result.plan,
            holds: &holds,
            wanted: &application.target.wanted,
            head: result.head.as_ref().map(|stored| &stored.head),
            live: &result.live,
            changes: &result.changes,
            suspension: suspension.as_ref(),
            namespace: application.target.namespace.as_deref(),
            notices: &notices,
        };
        let status = view.status();
        application.moving = is_moving(&result);
        // The end of a suspension is a time of people's clocks.
        let ahead = now.duration_since(self.world.clock.now());
        let resumes = suspension.as_ref().and_then(|suspension| suspension.until?.checked_add(ahead).ok());
        application.wake = result.plan.wake.into_iter().chain(resumes).min();
        if result.head.is_none() && matches!(&*application.target.wanted, Wanted::Removed) {
            application.moving = false;
        }
        say(id, application, &status, &result);
        application.status = Some(status);
        application.progress = result.progress;
        application.plan = Some(result.plan);
        if result.writes > 0 {
            self.learn_kinds(id);
        }
    }

    /// A rollout may have brought definitions: their kinds are watched from now on.
    pub(super) fn learn_kinds(&mut self, id: &ApplicationId) {
        let Some(application) = self.applications.get(id) else {
            return;
        };
        let Wanted::Version(wanted) = &*application.target.wanted else {
            return;
        };
        let defines = wanted
            .set
            .objects
            .iter()
            .any(|object| object.id.kind.is("apiextensions.k8s.io", "CustomResourceDefinition"));
        if !defines {
            return;
        }
        let Some(state) = self.clusters.get_mut(&application.context) else {
            return;
        };
        let cluster = state.cluster.clone();
        if let Some(kinds) = futures::FutureExt::now_or_never(cluster.kinds(false)).and_then(Result::ok) {
            state.kinds = kinds;
        }
        let kinds: Vec<GroupKind> = wanted.set.objects.iter().map(|object| object.id.kind.clone()).collect();
        state.watch(&kinds);
        let ids: Vec<_> = wanted.set.objects.iter().map(|object| &object.id).collect();
        let places = state.live.refused_places(&ids);
        state.watch_places(places);
    }
}

/// Whether something is under way that will end by itself: a rollout that waits for health, or a try that is
/// due again.
fn is_moving(result: &TickResult) -> bool {
    let retrying = result.progress.failure.is_some() && !has_fault(&result.plan);
    let waiting = result.plan.is_waiting() && result.progress.rollout.is_some();
    waiting || retrying
}

/// One readable line for each change of what an application does or is held by.
fn say(id: &ApplicationId, application: &mut Application, status: &ApplicationStatus, result: &TickResult) {
    if !result.plan.informed && status.holds.is_empty() {
        return;
    }
    let holds: Vec<&str> = status.holds.iter().map(|hold| hold.message.as_str()).collect();
    let wanted = status.wanted.as_ref().map(Version::label).unwrap_or_default();
    let line = format!("{} {} {} {}", status.sync.as_str(), status.health.as_str(), wanted, holds.join("; "));
    if application.said.as_ref() == Some(&line) && result.writes == 0 {
        return;
    }
    application.said = Some(line);
    let (sync, health) = (status.sync.as_str(), status.health.as_str());
    if holds.is_empty() {
        tracing::info!(application.name = %id, sync, health, wanted, api.writes = result.writes, "{id} is {sync} and {health}");
    } else {
        let holds = holds.join("; ");
        tracing::warn!(application.name = %id, sync, health, wanted, api.writes = result.writes, "{id} is held: {holds}");
    }
}

/// What is shown of an application whose cluster is out of reach.
fn show_unconnected(id: &ApplicationId, application: &mut Application, now: Timestamp) {
    use crate::model::drift::SyncStatus;
    use crate::model::health::HealthStatus;
    let holds = match &*application.target.wanted {
        Wanted::Held(holds) => holds.clone(),
        _ => Vec::new(),
    };
    let dated = application.times.date(&holds, now);
    let plan = SyncPlan {
        application: id.clone(),
        steps: Vec::new(),
        holds,
        sync: SyncStatus::Unknown,
        health: HealthStatus::Unknown,
        resources: Vec::new(),
        wake: None,
        informed: true,
    };
    let view = View {
        plan: &plan,
        holds: &dated,
        wanted: &application.target.wanted,
        head: None,
        live: &BTreeMap::new(),
        changes: &BTreeMap::new(),
        suspension: None,
        namespace: application.target.namespace.as_deref(),
        notices: &application.target.notices,
    };
    application.status = Some(view.status());
    application.plan = Some(plan);
}
