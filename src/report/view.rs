//! What is decided and known of an application → the status that is shown.

use std::collections::BTreeMap;

use super::hold::HoldStatus;
use super::object::ObjectReference;
use super::status::{ApplicationStatus, ResourceStatus};
use super::words;
use crate::model::drift::{FieldChange, ObjectDrift, SyncStatus};
use crate::model::facts::{Awaiting, ImageState, Version};
use crate::model::hold::Hold;
use crate::model::inventory::{Head, Suspension};
use crate::model::live::LiveRecord;
use crate::model::resource::ResourceId;
use crate::sync::{ResourceState, SyncPlan, Wanted};

/// All that the status of an application is made of.
pub struct View<'a> {
    /// Its plan.
    pub plan: &'a SyncPlan,
    /// Its holds with their times.
    pub holds: &'a [Hold],
    /// What Git asks for.
    pub wanted: &'a Wanted,
    /// Its inventory.
    pub head: Option<&'a Head>,
    /// Its live objects.
    pub live: &'a BTreeMap<ResourceId, LiveRecord>,
    /// What is not as it should be.
    pub changes: &'a BTreeMap<ResourceId, Vec<FieldChange>>,
    /// Its suspension.
    pub suspension: Option<&'a Suspension>,
    /// The namespace that Git asks for, if the wanted version cannot tell.
    pub namespace: Option<&'a str>,
    /// Notices of rendering.
    pub notices: &'a [String],
    /// A newer commit whose image is waited for.
    pub awaiting: Option<&'a Awaiting>,
}

impl View<'_> {
    /// The status of the application.
    pub fn status(&self) -> ApplicationStatus {
        let wanted: Option<&Version> = match self.wanted {
            Wanted::Version(wanted) => Some(&wanted.version),
            _ => None,
        };
        let namespace = match self.wanted {
            Wanted::Version(wanted) => Some(wanted.namespace.as_str()),
            _ => self.head.map(|head| head.namespace.as_str()).or(self.namespace),
        };
        ApplicationStatus {
            environment: self.plan.application.environment.to_string(),
            service: self.plan.application.service.to_string(),
            namespace: namespace.unwrap_or("").to_owned(),
            wanted: wanted.cloned(),
            deployed: self.head.and_then(|head| head.deployed.clone()),
            previous: self.head.and_then(|head| head.previous.clone()),
            blocked: self.head.and_then(|head| head.blocked.as_ref()).map(|blocked| blocked.version.clone()),
            sync: self.plan.sync,
            health: self.plan.health,
            holds: self.holds.iter().map(HoldStatus::from).collect(),
            resources: self.plan.resources.iter().map(|state| self.resource(state)).collect(),
            suspended: self.suspension.cloned(),
            awaiting: self.awaiting.cloned(),
            never_promoted: matches!(self.wanted, Wanted::NeverPromoted),
            notices: self.notices.iter().cloned().chain(self.missing()).collect(),
        }
    }

    /// An image that should be there for long is told while an older version runs: its CI may have failed.
    fn missing(&self) -> Option<String> {
        self.awaiting.filter(|awaiting| awaiting.state == ImageState::Missing).map(words::awaiting)
    }

    fn resource(&self, state: &ResourceState) -> ResourceStatus {
        let id = &state.drift.id;
        let ObjectReference { group, kind, namespace, name } = ObjectReference::from(id);
        let (sync, drift) = difference(state.drift.drift);
        let words = [drift, state.health.message.as_str()];
        let message = words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
        ResourceStatus {
            group,
            kind,
            namespace,
            name,
            sync,
            health: state.health.status,
            message,
            changes: self.changes.get(id).cloned().unwrap_or_default(),
            extras: self.live.get(id).map(|live| live.extras.clone()).unwrap_or_default(),
        }
    }
}

/// Whether an object is as we applied it, and in words what is different.
fn difference(drift: ObjectDrift) -> (SyncStatus, &'static str) {
    match drift {
        ObjectDrift::InSync => (SyncStatus::Synced, ""),
        ObjectDrift::Unreadable => (SyncStatus::Unknown, ""),
        ObjectDrift::Missing => (SyncStatus::OutOfSync, "is missing"),
        ObjectDrift::Terminating => (SyncStatus::OutOfSync, "is being deleted"),
        ObjectDrift::Changed => (SyncStatus::OutOfSync, "differs from what was applied"),
        ObjectDrift::Pending => (SyncStatus::OutOfSync, "is not applied yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Digest;
    use crate::model::drift::ResourceDrift;
    use crate::model::health::{Health, HealthStatus};
    use crate::model::hold::HoldReason;
    use crate::model::name::ApplicationId;
    use crate::model::policy::SyncPolicy;
    use crate::sync::{WantedSet, WantedVersion};

    fn id() -> ResourceId {
        "apps|Deployment|shop-dev|web".parse().unwrap()
    }

    fn plan(drift: ObjectDrift, health: Health) -> SyncPlan {
        SyncPlan {
            application: ApplicationId::new("dev".parse().unwrap(), "web".parse().unwrap()),
            steps: Vec::new(),
            holds: Vec::new(),
            sync: SyncStatus::OutOfSync,
            health: HealthStatus::Progressing,
            resources: vec![ResourceState { drift: ResourceDrift { id: id(), drift }, health }],
            wake: None,
            informed: true,
        }
    }

    fn wanted() -> Wanted {
        let digest = Digest::of(b"set");
        let config = "89abcdef0123456789abcdef0123456789abcdef".parse().unwrap();
        Wanted::Version(Box::new(WantedVersion {
            version: Version { commit: None, chart: None, image: None, images: Vec::new(), config, digest },
            inputs: Digest::of(b"inputs"),
            set: std::sync::Arc::new(WantedSet { digest, objects: Vec::new() }),
            policy: SyncPolicy::default(),
            namespace: "shop-dev".parse().unwrap(),
            namespace_labels: BTreeMap::new(),
            release: "web".to_owned(),
            adopt: false,
            moves_with_others: false,
        }))
    }

    fn status(plan: &SyncPlan, wanted: &Wanted, changes: &[FieldChange]) -> ApplicationStatus {
        let reason = HoldReason::ApiUnavailable { message: "timed out".to_owned() };
        let hold = Hold { reason, since: "2026-05-04T10:00:00Z".parse().unwrap() };
        View {
            plan,
            holds: &[hold],
            wanted,
            head: None,
            live: &BTreeMap::new(),
            changes: &BTreeMap::from([(id(), changes.to_vec())]),
            suspension: None,
            namespace: Some("as-git-says"),
            notices: &["a notice".to_owned()],
            awaiting: None,
        }
        .status()
    }

    #[test]
    fn each_difference_of_an_object_is_a_status_and_words() {
        for (drift, health, sync, message) in [
            (ObjectDrift::InSync, "", SyncStatus::Synced, ""),
            (ObjectDrift::InSync, "1 of 2 is ready", SyncStatus::Synced, "1 of 2 is ready"),
            (ObjectDrift::Unreadable, "", SyncStatus::Unknown, ""),
            (ObjectDrift::Missing, "is not there", SyncStatus::OutOfSync, "is missing; is not there"),
            (ObjectDrift::Terminating, "", SyncStatus::OutOfSync, "is being deleted"),
            (ObjectDrift::Changed, "", SyncStatus::OutOfSync, "differs from what was applied"),
            (ObjectDrift::Pending, "", SyncStatus::OutOfSync, "is not applied yet"),
        ] {
            let status = status(&plan(drift, Health::progressing(health)), &wanted(), &[]);
            let object = &status.resources[0];
            assert_eq!((object.sync, object.message.as_str()), (sync, message), "{drift:?} {health}");
        }
    }

    #[test]
    fn a_status_has_what_git_asks_for_and_what_is_held() {
        let change =
            FieldChange { field: "/spec/replicas".to_owned(), before: None, after: Some("2".to_owned()) };
        let plan = plan(ObjectDrift::Changed, Health::healthy());
        let status = status(&plan, &wanted(), std::slice::from_ref(&change));
        assert_eq!((&*status.environment, &*status.service, &*status.namespace), ("dev", "web", "shop-dev"));
        assert_eq!((status.sync, status.health), (plan.sync, plan.health));
        assert_eq!(status.wanted.unwrap().label(), "config 89abcdef");
        assert_eq!((status.deployed, status.blocked, status.never_promoted), (None, None, false));
        assert_eq!(status.holds[0].reason, "ApiUnavailable");
        assert!(status.holds[0].since.is_some());
        assert_eq!(status.resources[0].changes, [change]);
        assert_eq!(status.notices, ["a notice"]);
    }

    #[test]
    fn where_git_cannot_tell_the_namespace_is_that_of_the_configuration() {
        let plan = plan(ObjectDrift::InSync, Health::healthy());
        let status = status(&plan, &Wanted::NeverPromoted, &[]);
        assert_eq!((status.namespace.as_str(), status.wanted), ("as-git-says", None));
        assert!(status.never_promoted);
    }
}
