//! One entry of the ledger: what was deployed or blocked, where and why.

use jiff::Timestamp;

use super::facts::Version;
use super::name::{ApplicationId, InstanceName};

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordOutcome {
    /// It is healthy.
    Deployed,
    /// It failed and is blocked.
    Blocked,
    /// The application left Git and its objects were pruned.
    Removed,
}

impl RecordOutcome {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Blocked => "blocked",
            Self::Removed => "removed",
        }
    }
}

/// What happened to one application in one rollout.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The number of the rollout, rising by one.
    pub rollout: u64,
    /// How it ended.
    pub outcome: RecordOutcome,
    /// What was wanted.
    pub wanted: Option<Version>,
    /// What is deployed afterwards.
    pub deployed: Option<Version>,
    /// What was deployed before.
    pub previous: Option<Version>,
    /// What is blocked, with its diagnosis.
    pub blocked: Option<super::facts::Blocked>,
    /// The cluster's identity (uid of kube-system).
    pub cluster: String,
    /// When it ended.
    pub time: Timestamp,
}

impl Record {
    /// The operation id: the same after a retry, so that nothing is written twice.
    pub fn operation(&self, instance: &InstanceName, application: &ApplicationId) -> String {
        format!("{instance}/{application}/{}", self.rollout)
    }
}
