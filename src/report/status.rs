//! An application at a moment: the JSON of `moorline status`, of the API and of the dashboard. Names and shapes are a
//! contract (docs/json-api.md).

use jiff::Timestamp;
use serde::Serialize;

use super::hold::HoldStatus;
use crate::model::drift::{ExtraField, FieldChange, SyncStatus};
use crate::model::facts::{Awaiting, Version};
use crate::model::health::HealthStatus;
use crate::model::inventory::Suspension;

/// One application.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// The environment.
    pub environment: String,
    /// The service.
    pub service: String,
    /// The namespace; empty if it cannot be told.
    pub namespace: String,
    /// What Git asks for.
    pub wanted: Option<Version>,
    /// What was last brought to health.
    pub deployed: Option<Version>,
    /// What was deployed before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    /// What failed.
    pub blocked: Option<Version>,
    /// Whether what runs is what is wanted.
    pub sync: SyncStatus,
    /// How well it runs.
    pub health: HealthStatus,
    /// What is held, and why.
    pub holds: Vec<HoldStatus>,
    /// Its objects.
    pub resources: Vec<ResourceStatus>,
    /// Why nothing is written.
    pub suspended: Option<Suspension>,
    /// A newer commit of the branch whose image is waited for.
    pub awaiting: Option<Awaiting>,
    /// Whether there is code but neither branch nor pin.
    pub never_promoted: bool,
    /// What a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceStatus {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Whether it is as we applied it.
    pub sync: SyncStatus,
    /// Its health.
    pub health: HealthStatus,
    /// What is different or unhealthy, in words.
    pub message: String,
    /// Fields that others set.
    pub extras: Vec<ExtraField>,
    /// What is not as it should be, while that lasts: drift that is not healed, or what a wanted version brings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
}

/// A moment of everything: what the dashboard and the API read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Board {
    /// The instance; empty until the config repository was read.
    pub instance: String,
    /// The revision of the config repository.
    pub config: Option<String>,
    /// Environments in the order of `moorline.yaml`.
    pub environments: Vec<String>,
    /// Every application, by environment and service.
    pub applications: Vec<ApplicationStatus>,
    /// Whether every application was judged once, with complete knowledge of the cluster.
    pub ready: bool,
    /// When this was true.
    pub time: Option<Timestamp>,
}
