//! Work on applications: handed out by the queue, done beside the loop, and its results taken back.

use super::{Application, Reconciler, has_fault};
use crate::adapters::panics;
use crate::cluster::state::Sight;
use crate::ledger::Entry;
use crate::model::facts::Version;
use crate::model::hold::HoldReason;
use crate::model::name::ApplicationId;
use crate::model::resource::GroupKind;
use crate::reconciler::Event;
use crate::reconciler::onlooker;
use crate::reconciler::tick::{Tick, TickResult};
use crate::report::status::ApplicationStatus;
use crate::report::view::View;
use crate::sync::{SyncPlan, Wanted};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// So many applications of one cluster are worked on at once.
const OF_ONE_CLUSTER: usize = 32;
/// So many more, for heals.
const HEALS: usize = 16;

impl Reconciler {
    pub(super) fn dispatch(&mut self) {
        let mut running: HashMap<Option<String>, usize> = HashMap::new();
        for context in self.busy.values() {
            *running.entry(context.clone()).or_default() += 1;
        }
        loop {
            let busy = &self.busy;
            let may = |context: &Option<String>, id: &ApplicationId, heals: bool| {
                let most = OF_ONE_CLUSTER + if heals { HEALS } else { 0 };
                running.get(context).copied().unwrap_or(0) < most && !busy.contains_key(id)
            };
            let Some((id, urgency)) = self.queue.pop(may) else { return };
            let Some(application) = self.applications.get(&id) else { continue };
            let context = application.context.clone();
            if let Some(tick) = self.tick(&id, urgency) {
                *running.entry(context.clone()).or_default() += 1;
                self.busy.insert(id, context);
                self.start_work(tick);
            } else if let Some(application) = self.applications.get_mut(&id) {
                application.moving = false;
                show_without_work(&id, application, self.world.clock.steady());
            }
        }
    }

    /// Works on an application beside the loop. What breaks off there is that application's trouble alone.
    fn start_work(&mut self, tick: Tick) {
        let (id, events) = (tick.application().clone(), self.events.clone());
        self.work.spawn(async move {
            let worked = panics::caught(Box::pin(tick.run())).await;
            // Nobody listens any more when the loop has ended.
            let _ = events.send(Event::Worked(id, worked.map(Box::new)));
        });
        while self.work.try_join_next().is_some() {}
    }

    pub(super) fn end_work(&mut self, id: &ApplicationId, result: Result<Box<TickResult>, String>) {
        self.busy.remove(id);
        let result = match result {
            Ok(result) => *result,
            Err(place) => return self.broke_off(id, place),
        };
        self.writes += result.done.writes;
        self.count(id, &result);
        self.keep_result(id, &result);
        let recorder = self.recorder.as_ref();
        for record in &result.done.records {
            if let Some(recorder) = recorder {
                recorder.record(Entry { application: id.clone(), record: record.clone() });
            }
            if let Some(recorded) = &mut self.recorded {
                recorded.insert(id.clone(), record.rollout);
            }
        }
        self.judge(id, result);
    }

    /// A panic is a fault of ours: it is shown, and the application left alone until what it wants changes.
    fn broke_off(&mut self, id: &ApplicationId, place: String) {
        tracing::error!(application.name = %id, panic.place = %place, "The work on {id} broke off");
        let now = self.world.clock.steady();
        if let Some(application) = self.applications.get_mut(id) {
            application.broke = Some(place);
            application.moving = false;
            show_without_work(id, application, now);
        }
    }

    pub(super) fn count(&self, id: &ApplicationId, result: &TickResult) {
        let metrics = &self.world.metrics;
        metrics.reconciled(result.duration);
        metrics.healed(&id.environment, result.done.heals.len());
        if !result.done.heals.is_empty() {
            let objects: Vec<String> = result.done.heals.iter().map(ToString::to_string).collect();
            tracing::info!(application.name = %id, objects.count = objects.len(), "{id}: healed {}", objects.join(", "));
        }
        for record in &result.done.records {
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
        match &result.observation.head {
            Some(head) => state.heads.insert(id.clone(), head.clone()),
            None => state.heads.remove(id),
        };
        match &result.observation.pending {
            Some(pending) => state.pending.insert(id.clone(), pending.clone()),
            None => state.pending.remove(id),
        };
        for packed in &result.done.sets {
            state.keep_set(id, packed.clone());
        }
        if let (Wanted::Version(wanted), true) =
            (&*application.target.wanted, result.observation.live.namespace_exists)
        {
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
            head: result.observation.head(),
            live: &result.observation.live.objects,
            changes: &result.changes,
            suspension: suspension.as_ref(),
            namespace: application.target.namespace.as_deref(),
            notices: &notices,
            awaiting: application.target.awaiting.as_ref(),
        };
        let status = view.status();
        application.moving = is_moving(&result);
        // The end of a suspension is a time of people's clocks.
        let ahead = now.duration_since(self.world.clock.now());
        let resumes = suspension.as_ref().and_then(|suspension| suspension.until?.checked_add(ahead).ok());
        application.wake = result.plan.wake.into_iter().chain(resumes).min();
        if result.observation.head.is_none() && matches!(&*application.target.wanted, Wanted::Removed) {
            application.moving = false;
        }
        say(id, application, &status, &result);
        application.status = Some(status);
        application.progress = result.observation.progress;
        application.plan = Some(result.plan);
        let (wrote, lacks_lease) = (result.done.writes > 0, application.lacks_lease());
        if wrote {
            self.learn_kinds(id);
        }
        if lacks_lease {
            self.want_lease(id);
        }
    }

    /// Somebody has something to write: the lease is asked for.
    fn want_lease(&self, id: &ApplicationId) {
        let context = self.applications.get(id).map(|application| &application.context);
        let state = context.and_then(|context| self.clusters.get(context));
        if let Some(state) = state.filter(|_| !self.options.dry_run) {
            state.writer.lease().want();
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
        // The answer is at hand where the rollout had it asked for anew.
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
    let retrying = result.observation.progress.failure.is_some() && !has_fault(&result.plan);
    let waiting = result.plan.is_waiting() && result.observation.progress.rollout.is_some();
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
    if application.said.as_ref() == Some(&line) && result.done.writes == 0 {
        return;
    }
    application.said = Some(line);
    let (sync, health) = (status.sync.as_str(), status.health.as_str());
    if holds.is_empty() {
        tracing::info!(application.name = %id, sync, health, wanted, api.writes = result.done.writes, "{id} is {sync} and {health}");
    } else {
        let holds = holds.join("; ");
        tracing::warn!(application.name = %id, sync, health, wanted, api.writes = result.done.writes, "{id} is held: {holds}");
    }
}

impl Application {
    /// Whether nothing but the lease is missing.
    fn lacks_lease(&self) -> bool {
        let standby = |hold: &HoldReason| matches!(hold, HoldReason::Standby { .. });
        self.plan.as_ref().is_some_and(|plan| plan.holds.iter().any(standby))
    }
}

/// What is shown of an application that is not worked on: its cluster is out of reach, or the work broke off.
fn show_without_work(id: &ApplicationId, application: &mut Application, now: Timestamp) {
    use crate::model::drift::SyncStatus;
    use crate::model::health::HealthStatus;
    let mut holds = match &*application.target.wanted {
        Wanted::Held(holds) => holds.clone(),
        _ => Vec::new(),
    };
    holds.extend(application.broke.clone().map(|place| HoldReason::Bug { place }));
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
        awaiting: application.target.awaiting.as_ref(),
    };
    application.status = Some(view.status());
    application.plan = Some(plan);
}
