//! The three separate facts of an application: wanted, deployed, blocked.

use super::digest::Digest;
use super::source::CommitSha;
use jiff::Timestamp;

/// One version of an application: where it comes from, and what it renders to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Version {
    /// The commit of the code repository, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitSha>,
    /// The chart as `name-version`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// The image with its tag or digest, where the service names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The revision of the config repository.
    pub config: CommitSha,
    /// The digest of the rendered set.
    pub digest: Digest,
}

/// What failed and must not return by itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Blocked {
    /// The version that failed; its digest is the key, its commits are provenance.
    #[serde(flatten)]
    pub version: Version,
    /// Why, in words: pod, container, reason, last lines.
    pub diagnosis: String,
    /// Since when.
    pub since: Timestamp,
}
