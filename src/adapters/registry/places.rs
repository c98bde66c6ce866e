//! `registries` of the daemon's own settings: how some registries are reached. Checked once; the longest prefix by whole
//! segments wins.

use std::sync::Arc;

use reqwest::Url;

use crate::model::image::{ImageRepository, InvalidImageRepository};

/// One entry of `registries` in the daemon's own settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryEntry {
    /// The beginning of the repositories that it is for, a host with or without a path:
    /// `111122223333.dkr.ecr.us-east-2.amazonaws.com/team`; with `http://` in front a registry without TLS.
    pub prefix: String,
    /// A role of AWS to take on before its registry is asked: `arn:aws:iam::111122223333:role/images`.
    pub role_arn: Option<String>,
    /// The region of its API, where that is not the one in its host.
    pub region: Option<String>,
    /// Where its API is served, where that is not AWS itself: `https://vpce-….amazonaws.com`.
    pub endpoint: Option<String>,
}

/// Why an entry of the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegistry {
    /// No host, or no path of a repository.
    #[error("the registry prefix {prefix:?} is not the beginning of an image repository's address")]
    Prefix {
        /// The prefix.
        prefix: String,
        /// Why.
        #[source]
        source: InvalidImageRepository,
    },
    /// A value that is none.
    #[error("the {key} of the registry {prefix:?} is {problem}")]
    Value {
        /// The prefix.
        prefix: String,
        /// The key.
        key: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// Keys that belong to AWS, for a registry elsewhere.
    #[error("the registry {0:?} is not one of AWS: roleArn, region and endpoint are for those alone")]
    NotAws(String),
    /// Two entries for the same prefix.
    #[error("there are two registries for {0:?}")]
    Twice(String),
}

/// All entries, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    entries: Arc<[(String, Reach)]>,
}

/// How a registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Without TLS.
    pub(super) plain: bool,
    /// The role to take on.
    pub(super) role: Option<String>,
    /// The region of its API.
    pub(super) region: Option<String>,
    /// Where its API is served.
    pub(super) endpoint: Option<String>,
}

impl Places {
    /// Checks the entries of the settings.
    pub(super) fn new(entries: Vec<RegistryEntry>) -> Result<Self, InvalidRegistry> {
        let mut checked: Vec<(String, Reach)> = Vec::new();
        for entry in entries {
            let prefix = entry.prefix.clone();
            let (place, reach) = check(entry)?;
            if checked.iter().any(|(other, _)| *other == place) {
                return Err(InvalidRegistry::Twice(prefix));
            }
            checked.push((place, reach));
        }
        Ok(Self { entries: checked.into() })
    }

    /// How the registry of a repository is reached.
    pub(super) fn reach(&self, repository: &ImageRepository) -> Reach {
        let wanted = format!("{}/{}", repository.host(), repository.path());
        let covers = |place: &str| {
            wanted.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
        };
        let best =
            self.entries.iter().filter(|(place, _)| covers(place)).max_by_key(|(place, _)| place.len());
        best.map(|(_, reach)| reach.clone()).unwrap_or_default()
    }
}

/// The place that an entry is for, `host` or `host/path`, and what it says of it.
fn check(entry: RegistryEntry) -> Result<(String, Reach), InvalidRegistry> {
    let RegistryEntry { prefix, role_arn, region, endpoint } = entry;
    let plain = prefix.starts_with("http://");
    let text = ["http://", "https://", "oci://"].iter().find_map(|scheme| prefix.strip_prefix(scheme));
    let text = text.unwrap_or(&prefix).trim_end_matches('/');
    // A host alone is a prefix too, and no repository.
    let whole = if text.contains('/') { text.to_owned() } else { format!("{text}/x") };
    let repository: ImageRepository =
        whole.parse().map_err(|source| InvalidRegistry::Prefix { prefix: prefix.clone(), source })?;
    let mut place = repository.host().to_owned();
    if text.contains('/') {
        place = format!("{place}/{}", repository.path());
    }
    let value = |key, problem| InvalidRegistry::Value { prefix: prefix.clone(), key, problem };
    let aws = repository.ecr().is_some();
    if aws && plain {
        return Err(value("prefix", "one of AWS without TLS: name an endpoint instead"));
    }
    if !aws && (role_arn.is_some() || region.is_some() || endpoint.is_some()) {
        return Err(InvalidRegistry::NotAws(prefix));
    }
    if role_arn.as_deref().is_some_and(|role| !is_role(role)) {
        return Err(value("roleArn", "no role: arn:aws:iam::<account>:role/<name>"));
    }
    if region.as_deref().is_some_and(|region| !is_region(region)) {
        return Err(value("region", "no region, as us-east-2"));
    }
    if endpoint.as_deref().is_some_and(|endpoint| !is_endpoint(endpoint)) {
        return Err(value("endpoint", "no address of a host: https://<host>[:<port>]"));
    }
    Ok((place, Reach { plain, role: role_arn, region, endpoint }))
}

fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, role] = parts.as_slice() else { return false };
    *arn == "arn"
        && (*partition == "aws" || partition.starts_with("aws-"))
        && (*service, *region) == ("iam", "")
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
}

fn is_region(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    !text.is_empty() && text.chars().all(plain)
}

fn is_endpoint(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECR: &str = "111122223333.dkr.ecr.us-east-2.amazonaws.com";

    fn entry(prefix: &str) -> RegistryEntry {
        RegistryEntry { prefix: prefix.to_owned(), ..RegistryEntry::default() }
    }

    fn role(prefix: &str, role: &str) -> RegistryEntry {
        RegistryEntry { role_arn: Some(role.to_owned()), ..entry(prefix) }
    }

    #[test]
    fn the_longest_prefix_by_whole_segments_wins() {
        let arn = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
        let places = Places::new(vec![
            role(ECR, &arn("all")),
            role(&format!("oci://{ECR}/team/"), &arn("team")),
            entry("http://registry.internal:5000"),
            entry("docker.io/bitnami"),
        ])
        .unwrap();
        let reach = |text: &str| places.reach(&text.parse().unwrap());
        assert_eq!(reach(&format!("{ECR}/other/web")).role, Some(arn("all")));
        assert_eq!(reach(&format!("{ECR}/teammates/web")).role, Some(arn("all")));
        assert_eq!(reach(&format!("{ECR}/team/web")).role, Some(arn("team")));
        assert!(reach("registry.internal:5000/a").plain);
        assert!(!reach("registry.internal/a").plain && !reach("registry.internal:50000/a").plain);
        assert_eq!(reach("bitnami/nginx"), Reach::default());
    }

    #[test]
    fn unusable_entries_are_refused() {
        let with_region = RegistryEntry { region: Some("us east".to_owned()), ..entry(ECR) };
        let with_endpoint = RegistryEntry { endpoint: Some("https://me:canary@h".to_owned()), ..entry(ECR) };
        let elsewhere = RegistryEntry { region: Some("us-east-2".to_owned()), ..entry("r.example.com") };
        for (entry, message) in [
            (entry(""), "the registry prefix \"\" is not the beginning of an image repository's address".into()),
            (entry("r..x/a"), "the registry prefix \"r..x/a\" is not the beginning of an image repository's address".into()),
            (role(ECR, "images"), format!("the roleArn of the registry \"{ECR}\" is no role: arn:aws:iam::<account>:role/<name>")),
            (with_region, format!("the region of the registry \"{ECR}\" is no region, as us-east-2")),
            (with_endpoint, format!("the endpoint of the registry \"{ECR}\" is no address of a host: https://<host>[:<port>]")),
            (elsewhere, "the registry \"r.example.com\" is not one of AWS: roleArn, region and endpoint are for those alone".into()),
        ] {
            assert_eq!(Places::new(vec![entry]).unwrap_err().to_string(), message);
        }
        let twice = Places::new(vec![entry("R.example.com/a"), entry("https://r.example.com/a/")]);
        assert_eq!(twice.unwrap_err(), InvalidRegistry::Twice("https://r.example.com/a/".to_owned()));
    }
}
