//! From what the loop keeps to a picture of one application: the one place where an [`Observation`] is made. Its live
//! side is looked up beside the loop.

use super::{Application, Reconciler};
use crate::cluster::state::ClusterState;
use crate::ledger;
use crate::model::hold::HoldReason;
use crate::model::inventory::Suspension;
use crate::model::name::ApplicationId;
use crate::model::resource::ResourceId;
use crate::reconciler::act::Records;
use crate::reconciler::queue::Urgency;
use crate::reconciler::refresh::Claims;
use crate::reconciler::tick::{Reach, Standing, Tick};
use crate::sync::{Cluster, Commands, Live, Observation, Others, Recorded, Wanted};

impl Reconciler {
    /// All that the work on an application needs; nothing if its cluster is out of reach, or if it broke off before
    /// and nothing has changed since.
    pub(super) fn tick(&self, id: &ApplicationId, urgency: Urgency) -> Option<Tick> {
        let application = self.applications.get(id).filter(|application| application.broke.is_none())?;
        let state = self.clusters.get(&application.context)?;
        let observation = self.observation(id, application, state)?;
        let namespace_known = match &*observation.wanted {
            Wanted::Version(wanted) => state.namespaces.contains(&wanted.namespace),
            _ => false,
        };
        let deployed = observation.head().and_then(|head| head.deployed.as_ref());
        let deployed = deployed.and_then(|version| state.set(id, &version.digest).cloned());
        let urgent = urgency == Urgency::Heal;
        let reach = Reach {
            cluster: state.cluster.clone(),
            writer: if urgent { state.writer.urgent() } else { state.writer.clone() },
            live: state.live.clone(),
            contact: state.contact.clone(),
            standing: match &state.silent {
                Some(why) => Standing::Silent(why.clone()),
                None if state.leads => Standing::Leads,
                None => Standing::Follows,
            },
            sight: state.sight,
            namespace_known,
        };
        Some(Tick {
            found: self.observed_holds(application),
            reach,
            clock: self.world.clock.clone(),
            options: self.options.clone(),
            packed: application.target.packed.clone(),
            deployed,
            records: self.records(),
            looked_up: self.looked_up.get(id).cloned().unwrap_or_default(),
            observation,
        })
    }

    /// What is known of an application now, but for its live objects.
    fn observation(
        &self,
        id: &ApplicationId,
        application: &Application,
        state: &ClusterState,
    ) -> Option<Observation> {
        let (head, pending) = (state.heads.get(id).cloned(), state.pending.get(id).cloned());
        let wanted = application.target.wanted.clone();
        let mut ids: Vec<&ResourceId> = head.iter().flat_map(|head| head.head.objects.keys()).collect();
        ids.extend(pending.iter().flat_map(|pending| &pending.objects));
        if let Wanted::Version(wanted) = &*wanted {
            ids.extend(wanted.set.objects.iter().map(|object| &object.id));
        }
        let claims = self.claims.get(&application.context);
        let others = Others {
            wanted: claims.map(|claims| claims.elsewhere(id, ids.into_iter())).unwrap_or_default(),
            all_known: claims.is_none_or(Claims::is_complete),
        };
        let left = state.commands.get(&id.environment);
        Some(Observation {
            application: id.clone(),
            instance: self.instance.clone()?,
            now: self.world.clock.steady(),
            time: self.world.clock.now(),
            wanted,
            head,
            pending,
            recorded: self.recorded_of(id),
            progress: application.progress.clone(),
            cluster: Cluster { uid: state.identity.uid.clone(), kinds: state.kinds.clone() },
            live: Live::default(),
            others,
            commands: Commands {
                suspension: self.suspension(id, application),
                confirmations: left.map(|left| left.confirmations(id)).unwrap_or_default(),
                written_by_newer: left.and_then(|left| left.newer()).map(ToString::to_string),
            },
            holds: Vec::new(),
        })
    }

    fn recorded_of(&self, id: &ApplicationId) -> Recorded {
        match &self.recorded {
            _ if self.newer_records.contains(id) => Recorded::WrittenByNewer(format!(
                "its record {} in the state repository is of a newer format than this moorline writes",
                ledger::path_of(id)
            )),
            Some(recorded) => Recorded::Rollout(recorded.get(id).copied().unwrap_or(0)),
            None => Recorded::Unknown,
        }
    }

    fn records(&self) -> Records {
        match &self.recorder {
            _ if self.world.state.is_none() => Records::Unkept,
            Some(recorder) if recorder.waiting() == 0 => Records::Pushed,
            _ => Records::Waiting,
        }
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
}
