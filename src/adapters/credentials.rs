//! Which credentials go with which repository of code or charts: scheme, host and port exactly, the path by whole
//! segments, the longest prefix wins. Secrets are read from their files when they are used, so that a new token needs
//! no restart.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Url;
use secrecy::SecretString;

use super::address::{Address, SshAddress};
use crate::model::source::{InvalidRepositoryUrl, RepositoryUrl};

/// One entry of `credentials` in the daemon's own settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialEntry {
    /// The beginning of the addresses that it is for, as `https://git.example.com/team` or
    /// `oci://registry.example.com/charts`.
    pub prefix: String,
    /// The user name; for a token most hosts take any.
    pub username: Option<String>,
    /// A file with the password or token.
    pub password_file: Option<PathBuf>,
    /// A file with a private key for SSH, without a passphrase.
    pub ssh_key_file: Option<PathBuf>,
    /// The file that knows the hosts' keys; `~/.ssh/known_hosts` if left out.
    pub known_hosts_file: Option<PathBuf>,
}

/// Why an entry of the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredential {
    /// Not an address.
    #[error("the credential prefix {prefix:?} is not the beginning of a repository's address")]
    Prefix {
        /// The prefix.
        prefix: String,
        /// Why.
        #[source]
        source: InvalidRepositoryUrl,
    },
    /// An address that does not parse, or one on this machine.
    #[error("the credential prefix {0:?} has no scheme, host and path to compare with")]
    Incomparable(String),
    /// Neither or both kinds of secret, or the kind that the scheme cannot use.
    #[error("the credential for {prefix:?} needs {needs}")]
    Secret {
        /// The prefix.
        prefix: String,
        /// What it needs.
        needs: &'static str,
    },
    /// Two entries for the same prefix.
    #[error("there are two credentials for {0:?}")]
    Twice(String),
}

/// All entries, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    entries: Arc<[(Place, CredentialEntry)]>,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    scheme: String,
    host: String,
    port: u16,
    segments: Vec<String>,
}

impl Credentials {
    /// Checks the entries of the settings.
    pub(super) fn new(entries: Vec<CredentialEntry>) -> Result<Self, InvalidCredential> {
        let mut checked: Vec<(Place, CredentialEntry)> = Vec::new();
        for entry in entries {
            let prefix = entry.prefix.clone();
            let place = place_of(&prefix)?;
            let needs = match (place.scheme.as_str(), &entry.password_file, &entry.ssh_key_file) {
                ("ssh", None, Some(_)) | ("http" | "https" | "oci", Some(_), None) => None,
                ("ssh", ..) => Some("sshKeyFile and no passwordFile"),
                _ => Some("passwordFile and no sshKeyFile"),
            };
            if let Some(needs) = needs {
                return Err(InvalidCredential::Secret { prefix, needs });
            }
            if checked.iter().any(|(other, _)| *other == place) {
                return Err(InvalidCredential::Twice(prefix));
            }
            checked.push((place, entry));
        }
        Ok(Self { entries: checked.into() })
    }

    /// The entry for a URL of HTTP; each request asks anew, so that nothing follows a redirect.
    pub(super) fn for_url(&self, url: &Url) -> Option<&CredentialEntry> {
        self.find(&Place::of_url(url)?)
    }

    /// The entry for a repository of an OCI registry, by its address without `oci://`.
    pub(super) fn for_registry(&self, host: &str, path: &str) -> Option<&CredentialEntry> {
        self.find(&Place::of_registry(host, path)?)
    }

    /// The entry for a repository reached over SSH.
    pub(super) fn for_ssh(&self, address: &SshAddress) -> Option<&CredentialEntry> {
        self.find(&Place::of_ssh(address))
    }

    fn find(&self, wanted: &Place) -> Option<&CredentialEntry> {
        self.entries
            .iter()
            .filter(|(place, _)| place.covers(wanted))
            .max_by_key(|(place, _)| place.segments.len())
            .map(|(_, entry)| entry)
    }
}

/// The place that a prefix names.
fn place_of(prefix: &str) -> Result<Place, InvalidCredential> {
    let incomparable = || InvalidCredential::Incomparable(prefix.to_owned());
    if let Some(rest) = prefix.strip_prefix("oci://") {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        return Place::of_registry(host, path).ok_or_else(incomparable);
    }
    let repository: RepositoryUrl =
        prefix.parse().map_err(|source| InvalidCredential::Prefix { prefix: prefix.to_owned(), source })?;
    Address::parse(&repository).ok().as_ref().and_then(Place::of).ok_or_else(incomparable)
}

impl CredentialEntry {
    /// Reads the password or token.
    pub(super) fn password(&self) -> std::io::Result<SecretString> {
        let path = self.password_file.as_deref().unwrap_or_else(|| std::path::Path::new(""));
        Ok(std::fs::read_to_string(path)?.trim_end_matches(['\n', '\r']).into())
    }
}

impl Place {
    fn of(address: &Address) -> Option<Self> {
        match address {
            Address::Local(_) => None,
            Address::Http(url) => Self::of_url(url),
            Address::Ssh(address) => Some(Self::of_ssh(address)),
        }
    }

    fn of_url(url: &Url) -> Option<Self> {
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
            segments: segments(url.path()),
        })
    }

    fn of_registry(host: &str, path: &str) -> Option<Self> {
        let url = Url::parse(&format!("https://{host}/{path}")).ok()?;
        Some(Self { scheme: "oci".to_owned(), ..Self::of_url(&url)? })
    }

    fn of_ssh(address: &SshAddress) -> Self {
        Self {
            scheme: "ssh".to_owned(),
            host: address.host.clone(),
            port: address.port,
            segments: segments(&address.path),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        (&self.scheme, &self.host, self.port) == (&other.scheme, &other.host, other.port)
            && other.segments.starts_with(&self.segments)
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(prefix: &str) -> CredentialEntry {
        CredentialEntry {
            prefix: prefix.to_owned(),
            password_file: Some("token".into()),
            ..CredentialEntry::default()
        }
    }

    fn key(prefix: &str) -> CredentialEntry {
        CredentialEntry {
            prefix: prefix.to_owned(),
            ssh_key_file: Some("key".into()),
            ..CredentialEntry::default()
        }
    }

    fn found(credentials: &Credentials, address: &str) -> Option<String> {
        let entry = match Address::parse(&address.parse().unwrap()).unwrap() {
            Address::Http(url) => credentials.for_url(&url),
            Address::Ssh(address) => credentials.for_ssh(&address),
            Address::Local(_) => None,
        };
        entry.map(|entry| entry.prefix.clone())
    }

    #[test]
    fn the_longest_prefix_by_whole_segments_wins() {
        let credentials = Credentials::new(vec![
            password("https://git.example.com/"),
            password("https://git.example.com/team"),
            password("https://git.example.com/team/state.git"),
            password("https://git.example.com:8443/team"),
            key("ssh://git.example.com/team"),
        ])
        .unwrap();
        for (address, expected) in [
            ("https://git.example.com/other/a", Some("https://git.example.com/")),
            ("https://git.example.com/teammates/a", Some("https://git.example.com/")),
            ("https://git.example.com/team/a", Some("https://git.example.com/team")),
            ("https://GIT.example.com:443/team//a", Some("https://git.example.com/team")),
            ("https://git.example.com/team/state.git", Some("https://git.example.com/team/state.git")),
            ("https://git.example.com/team/x/../../other", Some("https://git.example.com/")),
            ("https://git.example.com/other/%2e%2e/team/a", Some("https://git.example.com/team")),
            ("https://git.example.com:8443/team/a", Some("https://git.example.com:8443/team")),
            ("https://git.example.com:8443/a", None),
            ("http://git.example.com/team/a", None),
            ("https://git.example.com.evil.org/team/a", None),
            ("https://git.example.com@evil.org/team/a", None),
            ("git@git.example.com:team/a.git", Some("ssh://git.example.com/team")),
            ("ssh://git@git.example.com:22/team/a", Some("ssh://git.example.com/team")),
            ("ssh://git@git.example.com:23/team/a", None),
        ] {
            assert_eq!(found(&credentials, address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn registries_are_found_by_host_and_path() {
        let credentials = Credentials::new(vec![
            password("oci://registry.example.com/team"),
            password("https://registry.example.com/"),
            password("oci://127.0.0.1:5000"),
        ])
        .unwrap();
        for (host, path, expected) in [
            ("registry.example.com", "team/web", Some("oci://registry.example.com/team")),
            ("registry.example.com", "teammates/web", None),
            ("registry.example.com:8443", "team/web", None),
            ("127.0.0.1:5000", "a/b", Some("oci://127.0.0.1:5000")),
        ] {
            let found = credentials.for_registry(host, path).map(|entry| entry.prefix.as_str());
            assert_eq!(found, expected, "{host}/{path}");
        }
    }

    #[test]
    fn unusable_entries_are_refused() {
        let both = CredentialEntry { ssh_key_file: Some("key".into()), ..password("https://h/") };
        for (entry, message) in [
            (password(""), "the credential prefix \"\" is not the beginning of a repository's address"),
            (password("/srv"), "the credential prefix \"/srv\" has no scheme, host and path to compare with"),
            (password("ssh://h/a"), "the credential for \"ssh://h/a\" needs sshKeyFile and no passwordFile"),
            (key("https://h/a"), "the credential for \"https://h/a\" needs passwordFile and no sshKeyFile"),
            (both, "the credential for \"https://h/\" needs passwordFile and no sshKeyFile"),
        ] {
            assert_eq!(Credentials::new(vec![entry]).unwrap_err().to_string(), message);
        }
        let twice = Credentials::new(vec![password("https://h/a"), password("https://h:443/a/")]);
        assert_eq!(twice.unwrap_err().to_string(), "there are two credentials for \"https://h:443/a/\"");
    }
}
