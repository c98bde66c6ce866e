//! The live side of an observation: looks up everything that the head, the pending rollout or the wanted set name.
//! Watches answer nearly all of it; the cluster is asked only before a first write, and where replicas are not ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Standing, Tick, cluster_hold};
use crate::adapters::cluster::ClusterError;
use crate::cluster::live::Place;
use crate::cluster::state::{Sight, namespace_id};
use crate::model::hold::HoldReason;
use crate::model::live::LiveRecord;
use crate::model::name::NamespaceName;
use crate::model::resource::{GroupKind, ResourceId};
use crate::sync::{Live, Wanted, scaled_by};

/// What was found, and what kept from finding more.
#[derive(Default)]
struct Seen {
    live: Live,
    holds: Vec<HoldReason>,
}

impl Tick {
    /// Brings the observation up to date.
    pub(super) async fn observe(&mut self) {
        let Seen { live, holds } = self.look().await;
        let observation = &mut self.observation;
        observation.live = live;
        observation.holds = self.found.iter().cloned().chain(holds).collect();
        observation.now = self.clock.steady();
        observation.time = self.clock.now();
        observation.resume();
    }

    async fn look(&self) -> Seen {
        let mut seen = Seen::default();
        if let Standing::Silent(why) = &self.reach.standing {
            seen.holds.push(HoldReason::ApiUnavailable { message: why.to_string() });
            return seen;
        }
        let observation = &self.observation;
        let mut ids: BTreeSet<&ResourceId> = BTreeSet::new();
        if let Some(head) = observation.head() {
            ids.extend(head.objects.keys().chain(head.created.keys()));
        }
        ids.extend(observation.pending.iter().flat_map(|pending| &pending.objects));
        if let Wanted::Version(wanted) = &*observation.wanted {
            ids.extend(wanted.set.objects.iter().map(|object| &object.id));
        }
        let place = |id: &&ResourceId| Place { kind: id.kind.clone(), namespace: id.namespace.clone() };
        let places: BTreeSet<Place> = ids.iter().map(place).collect();
        seen.live.complete = true;
        for place in places {
            self.check_readiness(&place, &mut seen);
        }
        if !seen.live.complete {
            return seen;
        }
        let mut missing = Vec::new();
        for id in ids {
            match self.reach.live.get(id) {
                Some(record) => drop(seen.live.objects.insert(id.clone(), record)),
                None => missing.push(id),
            }
        }
        if self.reach.sight == Sight::HeadsOnly {
            seen.live.namespace_exists = true;
        } else if let Err(error) = self.look_around(&missing, &mut seen.live).await {
            seen.live.complete = false;
            seen.holds.push(cluster_hold(&error));
        }
        self.find_scaled(&mut seen).await;
        seen
    }

    /// Objects whose replicas an autoscaler sets: those of our own set, and, where replicas are no longer ours,
    /// those that one list of the namespace names. If that list fails, replicas stay as they are.
    async fn find_scaled(&self, seen: &mut Seen) {
        if let Wanted::Version(wanted) = &*self.observation.wanted {
            seen.live.scaled.extend(wanted.set.objects.iter().filter_map(|object| object.scales.clone()));
        }
        let drifted = |(id, record): (&ResourceId, &LiveRecord)| {
            let replicas = record.replicas?;
            (!replicas.ours && record.projection.is_some() && !seen.live.scaled.contains(id))
                .then(|| id.clone())
        };
        let drifted: Vec<ResourceId> = seen.live.objects.iter().filter_map(drifted).collect();
        let namespaces: BTreeSet<Option<Arc<str>>> = drifted.iter().map(|id| id.namespace.clone()).collect();
        let kind = GroupKind::new("autoscaling", "HorizontalPodAutoscaler");
        for namespace in
            namespaces.into_iter().flatten().filter(|_| self.observation.cluster.kinds.get(&kind).is_some())
        {
            match self.reach.cluster.list(&kind, None, Some(&namespace), None).await {
                Ok(autoscalers) => {
                    let targets: BTreeSet<ResourceId> = autoscalers.iter().filter_map(scaled_by).collect();
                    seen.live.scaled.extend(drifted.iter().filter(|id| targets.contains(*id)).cloned());
                }
                Err(error) => {
                    if self.reach.sight == Sight::Whole {
                        seen.holds.push(cluster_hold(&error));
                    }
                    let here = drifted.iter().filter(|id| id.namespace.as_ref() == Some(&namespace));
                    seen.live.scaled.extend(here.cloned());
                }
            }
        }
    }

    fn check_readiness(&self, place: &Place, seen: &mut Seen) {
        // A kind that is not served has no objects.
        if !self.observation.cluster.kinds.get(&place.kind).is_some_and(|info| info.watchable) {
            return;
        }
        match self.reach.live.readiness(place) {
            Ok(true) => {}
            Ok(false) => seen.live.complete = false,
            Err(ClusterError::Forbidden { .. }) if self.reach.sight == Sight::HeadsOnly => {
                seen.live.unreadable.insert(place.kind.clone());
            }
            Err(error) => {
                seen.live.complete = false;
                let hold = cluster_hold(&error);
                if !seen.holds.contains(&hold) {
                    seen.holds.push(hold);
                }
            }
        }
    }

    /// Before a first write: does the namespace exist, and does anything stand there that no watch shows?
    async fn look_around(&self, missing: &[&ResourceId], live: &mut Live) -> Result<(), ClusterError> {
        live.namespace_exists = true;
        if missing.is_empty() {
            return Ok(());
        }
        let Some(namespace) = self.namespace() else {
            return Ok(());
        };
        // Whatever lives in the namespace proves that it is there; one that is being deleted refuses the write.
        let inside = |id: &ResourceId| id.namespace.as_deref() == Some(namespace.as_str());
        // After a failure nothing is taken for granted: somebody may have deleted it.
        let proven = self.observation.progress.failure.is_none()
            && (self.is_rollout() && self.reach.namespace_known || live.objects.keys().any(inside));
        if !proven {
            live.namespace_exists = match self.reach.cluster.get(&namespace_id(&namespace), None).await {
                // Roles in namespaces alone: the first write tells.
                Err(ClusterError::Forbidden { .. }) => true,
                answer => answer?.is_some(),
            };
        }
        if !self.is_rollout() {
            return Ok(());
        }
        for id in missing {
            let Some(namespaced) = self.observation.cluster.kinds.is_namespaced(&id.kind) else {
                continue;
            };
            let inside = id.namespace.as_deref() == Some(namespace.as_str());
            let known = self.observation.head().is_some_and(|head| head.objects.contains_key(*id));
            if known || (inside && !live.namespace_exists) {
                continue;
            }
            if let Some(record) = self.reach.contact.look(id, namespaced).await? {
                // What carries our label is in a watch, which knows better whether it is still there.
                if record.instance.as_deref() != Some(self.observation.instance.as_str()) {
                    live.objects.insert((*id).clone(), record);
                }
            }
        }
        Ok(())
    }

    fn namespace(&self) -> Option<NamespaceName> {
        match &*self.observation.wanted {
            Wanted::Version(wanted) => Some(wanted.namespace.clone()),
            _ => self.observation.head().map(|head| head.namespace.clone()),
        }
    }

    fn is_rollout(&self) -> bool {
        let deployed = |digest| self.observation.head().is_some_and(|head| head.has_deployed(digest));
        matches!(&*self.observation.wanted, Wanted::Version(wanted) if !deployed(wanted.version.digest))
    }
}
