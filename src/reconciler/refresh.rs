//! From a reading of Git to what every application wants: connects clusters, joins heads with readings, and
//! keeps absence from being taken for intent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::observe::{Desired, Reading, RenderedVersion};
use crate::cluster::state::ClusterState;
use crate::inventory::PackedSet;
use crate::model::facts::{Awaiting, Version};
use crate::model::hold::HoldReason;
use crate::model::inventory::{Head, StoredHead};
use crate::model::name::{ApplicationId, EnvironmentName, ServiceName};
use crate::model::resource::ResourceId;
use crate::sync::{EnvironmentChange, Wanted, WantedVersion, guard_environment};

/// What an application wants, ready for ticks.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) wanted: Arc<Wanted>,
    pub(super) packed: Option<PackedSet>,
    pub(super) suspended_in_git: Option<String>,
    pub(super) notices: Vec<String>,
    pub(super) namespace: Option<String>,
    pub(super) awaiting: Option<Awaiting>,
}

impl Target {
    pub(super) fn held(reasons: Vec<HoldReason>) -> Self {
        Self {
            wanted: Arc::new(Wanted::Held(reasons)),
            packed: None,
            suspended_in_git: None,
            notices: Vec::new(),
            namespace: None,
            awaiting: None,
        }
    }

    fn plain(wanted: Wanted) -> Self {
        Self { wanted: Arc::new(wanted), ..Self::held(Vec::new()) }
    }

    fn of(rendered: &RenderedVersion, moves_with_others: bool) -> Self {
        let application = &rendered.application;
        let images = &rendered.rendered.images;
        let version = Version {
            commit: rendered.code.commit,
            chart: rendered.rendered.chart.clone(),
            image: images.first().cloned(),
            images: if images.len() > 1 { images.clone() } else { Vec::new() },
            config: rendered.config,
            digest: rendered.rendered.set.digest,
        };
        let wanted = WantedVersion {
            version,
            inputs: rendered.inputs,
            set: rendered.rendered.set.clone(),
            policy: application.policy.clone(),
            namespace: application.namespace.clone(),
            namespace_labels: application.namespace_labels.clone(),
            release: application.release.clone(),
            adopt: application.adopt,
            moves_with_others,
        };
        Self {
            wanted: Arc::new(Wanted::Version(Box::new(wanted))),
            packed: Some(rendered.rendered.packed.clone()),
            suspended_in_git: application.suspend.clone(),
            notices: rendered.rendered.notices.clone(),
            namespace: Some(application.namespace.to_string()),
            awaiting: None,
        }
    }

    /// Whether two targets ask for the same thing.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let same_wanted = match (&*self.wanted, &*other.wanted) {
            (Wanted::Version(one), Wanted::Version(two)) => {
                one.inputs == two.inputs
                    && one.version == two.version
                    && one.policy == two.policy
                    && one.moves_with_others == two.moves_with_others
            }
            (Wanted::Held(one), Wanted::Held(two)) => one == two,
            (Wanted::NeverPromoted, Wanted::NeverPromoted) | (Wanted::Removed, Wanted::Removed) => true,
            _ => false,
        };
        same_wanted
            && self.suspended_in_git == other.suspended_in_git
            && self.notices == other.notices
            && self.awaiting == other.awaiting
    }
}

/// The heads of one cluster.
pub(super) type Heads<'a> = BTreeMap<&'a ApplicationId, &'a Head>;

/// What each application of the reading, and each that has a head, wants.
pub(super) fn targets(
    reading: &Reading,
    heads: &Heads<'_>,
    includes: &dyn Fn(&EnvironmentName) -> bool,
    confirmed: &dyn Fn(&EnvironmentName) -> BTreeSet<crate::model::digest::Digest>,
) -> BTreeMap<ApplicationId, Target> {
    let moved = moved_applications(reading, heads);
    let mut targets = BTreeMap::new();
    for (application, desired) in &reading.desired {
        let target = match desired {
            Desired::Rendered(rendered) => {
                Target::of(rendered, moved.len() > 1 && moved.contains(application))
            }
            Desired::Held(reasons) => Target::held(reasons.clone()),
            Desired::NeverPromoted => Target::plain(Wanted::NeverPromoted),
        };
        let awaiting = reading.awaiting.get(application).cloned();
        targets.insert(application.clone(), Target { awaiting, ..target });
    }
    let environments: BTreeSet<&EnvironmentName> =
        heads.keys().map(|application| &application.environment).collect();
    for environment in environments.into_iter().filter(|environment| includes(environment)) {
        let deployed: BTreeSet<ServiceName> = heads
            .keys()
            .filter(|application| application.environment == *environment)
            .map(|application| application.service.clone())
            .collect();
        for (service, target) in absent(reading, environment, &deployed, &confirmed(environment)) {
            targets.entry(ApplicationId::new(environment.clone(), service)).or_insert(target);
        }
    }
    targets
}

/// What becomes of deployed applications that the reading does not name.
fn absent(
    reading: &Reading,
    environment: &EnvironmentName,
    deployed: &BTreeSet<ServiceName>,
    confirmed: &BTreeSet<crate::model::digest::Digest>,
) -> BTreeMap<ServiceName, Target> {
    let all =
        |target: &dyn Fn() -> Target| deployed.iter().map(|service| (service.clone(), target())).collect();
    if !reading.held.is_empty() {
        return all(&|| Target::held(reading.held.clone()));
    }
    if let Some(reasons) = reading.held_environments.get(environment) {
        return all(&|| Target::held(reasons.clone()));
    }
    let wanted = reading.members.get(environment);
    match guard_environment(&EnvironmentChange { environment, deployed, wanted, confirmed }) {
        Ok(gone) => gone.into_iter().map(|service| (service, Target::plain(Wanted::Removed))).collect(),
        Err(hold) => {
            let kept = |service: &&ServiceName| wanted.is_none_or(|wanted| !wanted.contains(*service));
            deployed
                .iter()
                .filter(kept)
                .map(|service| (service.clone(), Target::held(vec![hold.clone()])))
                .collect()
        }
    }
}

/// Applications whose namespace or release differs from what is deployed.
fn moved_applications(reading: &Reading, heads: &Heads<'_>) -> BTreeSet<ApplicationId> {
    let moves = |application: &ApplicationId, desired: &Desired| {
        let (Desired::Rendered(rendered), Some(head)) = (desired, heads.get(application)) else {
            return false;
        };
        let wanted = &rendered.application;
        head.deployed.is_some() && (head.namespace != wanted.namespace || head.release != wanted.release)
    };
    let moved = reading.desired.iter().filter(|(application, desired)| moves(application, desired));
    moved.map(|(application, _)| application.clone()).collect()
}

/// Which applications want each object.
#[derive(Default)]
pub(super) struct Claims {
    owners: HashMap<ResourceId, Vec<ApplicationId>>,
    /// Whether an application is still being rendered: what it will ask for is not known yet.
    incomplete: bool,
}

impl Claims {
    /// Reads the claims of all targets that belong to one cluster.
    pub(super) fn new<'a>(targets: impl Iterator<Item = (&'a ApplicationId, &'a Target)>) -> Self {
        let mut claims = Self::default();
        for (application, target) in targets {
            match &*target.wanted {
                Wanted::Version(wanted) => {
                    for object in &wanted.set.objects {
                        claims.owners.entry(object.id.clone()).or_default().push(application.clone());
                    }
                }
                Wanted::Held(holds) => claims.incomplete |= holds.contains(&HoldReason::Rendering),
                Wanted::NeverPromoted | Wanted::Removed => {}
            }
        }
        claims
    }

    /// Whether it is known what every application asks for.
    pub(super) fn is_complete(&self) -> bool {
        !self.incomplete
    }

    /// The objects of an application that others want too, with the first of those others.
    pub(super) fn elsewhere<'a>(
        &self,
        application: &ApplicationId,
        ids: impl Iterator<Item = &'a ResourceId>,
    ) -> BTreeMap<ResourceId, ApplicationId> {
        let other =
            |id: &ResourceId| self.owners.get(id)?.iter().find(|owner| *owner != application).cloned();
        ids.filter_map(|id| Some((id.clone(), other(id)?))).collect()
    }
}

/// Versions that are deployed, by application.
pub(super) fn deployed_versions<'a>(
    clusters: impl Iterator<Item = &'a ClusterState>,
) -> BTreeMap<ApplicationId, Version> {
    let heads = clusters.flat_map(|cluster| &cluster.heads);
    let with_code = |version: &&Version| version.commit.is_some();
    let deployed = |(application, stored): (&ApplicationId, &StoredHead)| {
        Some((application.clone(), stored.head.deployed.as_ref().filter(with_code)?.clone()))
    };
    heads.filter_map(deployed).collect()
}
