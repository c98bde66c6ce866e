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

impl Version {
    /// What people call it: its commit, else its chart, else the revision of the config repository.
    pub fn label(&self) -> String {
        match (&self.commit, &self.chart) {
            (Some(commit), _) => commit.short(),
            (None, Some(chart)) => chart.clone(),
            (None, None) => self.config_label(),
        }
    }

    /// The revision of the config repository, as people are shown it.
    pub fn config_label(&self) -> String {
        format!("config {}", self.config.short())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_called_by_what_tells_it_best() {
        let commit: CommitSha = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let config = "89abcdef0123456789abcdef0123456789abcdef".parse().unwrap();
        let chart = || Some("web-1.2.3".to_owned());
        for (commit, chart, label) in [
            (Some(commit), chart(), "01234567"),
            (Some(commit), None, "01234567"),
            (None, chart(), "web-1.2.3"),
            (None, None, "config 89abcdef"),
        ] {
            let version = Version { commit, chart, image: None, config, digest: Digest::of(b"set") };
            assert_eq!(version.label(), label);
        }
    }
}
