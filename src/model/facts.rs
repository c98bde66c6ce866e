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
    /// The image as `repository:tag@digest`, where the service names one; the first of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// All images, where the service names several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
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

impl Version {
    /// The references of its images, as `repository:tag@digest`.
    pub fn references(&self) -> &[String] {
        if self.images.is_empty() { self.image.as_slice() } else { &self.images }
    }
}

/// A newer commit of the branch that is not taken yet, and what keeps it (RULES §9).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Awaiting {
    /// The commit.
    pub commit: CommitSha,
    /// The image that is waited for, as `repository:tag`.
    pub image: String,
    /// What keeps it.
    pub state: ImageState,
    /// When the commit was made.
    pub since: Timestamp,
    /// Who made it.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// What the registry says, where that is more than that the image is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How an image stands that is not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageState {
    /// It is not there yet.
    Awaited,
    /// It is not there, and should be for long.
    Missing,
    /// The registry could not be asked.
    Unknown,
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
            let version = Version {
                commit,
                chart,
                image: None,
                images: Vec::new(),
                config,
                digest: Digest::of(b"set"),
            };
            assert_eq!(version.label(), label);
        }
    }
}
