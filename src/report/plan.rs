//! The plan of an application, as JSON (a contract: docs/json-api.md) and as lines for people.

use serde::Serialize;

use super::hold::HoldStatus;
use super::step::StepReport;
use crate::model::digest::Digest;
use crate::model::drift::SyncStatus;
use crate::model::health::HealthStatus;
use crate::sync::SyncPlan;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanReport {
    /// The environment.
    pub environment: String,
    /// The service.
    pub service: String,
    /// Whether what runs is what is wanted.
    pub sync: SyncStatus,
    /// How well it runs.
    pub health: HealthStatus,
    /// Equal where the same is to be done.
    pub digest: Digest,
    /// The steps in order.
    pub steps: Vec<StepReport>,
    /// What is held, and why.
    pub holds: Vec<HoldStatus>,
}

impl From<&SyncPlan> for PlanReport {
    fn from(plan: &SyncPlan) -> Self {
        Self {
            environment: plan.application.environment.to_string(),
            service: plan.application.service.to_string(),
            sync: plan.sync,
            health: plan.health,
            digest: plan.digest(),
            steps: plan.steps.iter().map(StepReport::from).collect(),
            holds: plan.holds.iter().map(HoldStatus::from).collect(),
        }
    }
}

impl PlanReport {
    /// Whether there is nothing to do, and nothing held.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty()
    }

    /// Which application, and how it stands.
    pub fn heading(&self) -> String {
        let (sync, health) = (self.sync.as_str(), self.health.as_str());
        format!("{}/{}: {sync} and {health}", self.environment, self.service)
    }

    /// What is to be done, what is held, and the digest.
    pub fn lines(&self) -> Vec<String> {
        if self.is_empty() {
            return vec!["nothing to do".to_owned()];
        }
        let held =
            |hold: &HoldStatus| format!("held ({}, {}): {}", hold.reason, hold.class.as_str(), hold.message);
        let mut lines: Vec<String> = self.steps.iter().flat_map(|step| step.text.clone()).collect();
        lines.extend(self.holds.iter().map(held));
        if !self.steps.is_empty() {
            lines.push(format!("plan {}", self.digest));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{expect, expect_file};

    use super::*;
    use crate::model::hold::HoldReason;
    use crate::model::inventory::Slot;
    use crate::model::name::ApplicationId;
    use crate::sync::{ApplyObject, ApplyReason, DeleteObject, Force, ReplicasRule, Step};

    fn empty() -> SyncPlan {
        SyncPlan {
            application: ApplicationId {
                environment: "dev".parse().unwrap(),
                service: "web".parse().unwrap(),
            },
            steps: Vec::new(),
            holds: Vec::new(),
            sync: SyncStatus::Synced,
            health: HealthStatus::Healthy,
            resources: Vec::new(),
            wake: None,
            informed: true,
        }
    }

    fn apply(id: &str, replicas: ReplicasRule) -> ApplyObject {
        let id = id.parse().unwrap();
        ApplyObject { id, reason: ApplyReason::Rollout, force: Force::Never, adopt: true, replicas }
    }

    /// A first wave of a rollout, with something to delete and something held.
    fn rich() -> SyncPlan {
        let namespace = "shop-dev".parse().unwrap();
        let waiting =
            vec![("apps|Deployment|shop-dev|web".parse().unwrap(), "0 of 2 replicas are ready".to_owned())];
        let old = "apps|Deployment|shop-dev|old".parse().unwrap();
        SyncPlan {
            steps: vec![
                Step::CreateNamespace { namespace, labels: [("team".to_owned(), "shop".to_owned())].into() },
                Step::WriteSet { slot: Slot::B, rollout: 7, carried: Vec::new() },
                Step::Apply {
                    wave: 0,
                    objects: vec![
                        apply("|ConfigMap|shop-dev|web", ReplicasRule::AsWritten),
                        apply("apps|Deployment|shop-dev|web", ReplicasRule::Live(4)),
                    ],
                },
                Step::AwaitHealth { wave: 0, waiting },
                Step::Delete { objects: vec![DeleteObject { id: old, uid: "6c1f".to_owned() }] },
                Step::SwitchHead { rollout: 7, leaving: Vec::new() },
            ],
            holds: vec![
                HoldReason::PruneDisabled { objects: vec!["|Secret|shop-dev|old".parse().unwrap()] },
                HoldReason::ApiUnavailable { message: "timed out".to_owned() },
            ],
            sync: SyncStatus::OutOfSync,
            health: HealthStatus::Progressing,
            ..empty()
        }
    }

    /// The digest of a plan changes with every change of a step's fields.
    fn report() -> PlanReport {
        PlanReport { digest: Digest::of(b"plan"), ..PlanReport::from(&rich()) }
    }

    #[test]
    fn a_plan_is_shown_in_lines() {
        let report = report();
        expect![[r"
            dev/web: OutOfSync and Progressing
            create namespace shop-dev
            write the rendered set of rollout 7
            apply ConfigMap shop-dev/web (wave 0, rollout, taking over the fields of kubectl apply)
            apply Deployment.apps shop-dev/web (wave 0, rollout, taking over the fields of kubectl apply)
            wait for the health of wave 0
            delete Deployment.apps shop-dev/old
            note rollout 7 as deployed
            held (PruneDisabled, fault): sync.prune is off and 1 object left Git: Secret shop-dev/old
            held (ApiUnavailable, waiting): the cluster does not answer: timed out
            plan sha256:64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525"]]
        .assert_eq(&format!("{}\n{}", report.heading(), report.lines().join("\n")));
    }

    #[test]
    fn a_plan_is_serialized_as_documented() {
        let text = serde_json::to_string_pretty(&report()).unwrap();
        expect_file!["../../docs/plan-example.json"].assert_eq(&format!("{text}\n"));
    }

    #[test]
    fn what_is_only_held_has_no_digest_to_show() {
        assert_eq!(PlanReport::from(&empty()).lines(), ["nothing to do"]);
        let held = SyncPlan { holds: rich().holds, ..empty() };
        let report = PlanReport::from(&held);
        assert!(!report.is_empty());
        assert_eq!(report.lines().len(), 2, "{:?}", report.lines());
    }
}
