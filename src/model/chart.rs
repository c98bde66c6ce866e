//! Charts of chart repositories: where one is, what is asked for, and what was answered. Names only; fetching is
//! the business of adapters, choosing a version that of the chart engine.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::digest::Digest;

/// The address of a chart repository: `https://…` or `http://…` with an `index.yaml`, or `oci://…`. A password
/// inside it is refused.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChartRepository(Arc<str>);

/// Why a text is not the address of a chart repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChartRepository {
    /// Control characters, white space, a query or a fragment.
    #[error("it is not a plain address")]
    Unplain,
    /// Not one of the schemes that moorline speaks.
    #[error("its scheme is not one that moorline fetches charts by: https, http or oci")]
    Scheme,
    /// No host.
    #[error("it names no host")]
    Host,
    /// A user or a password in the address.
    #[error("a user or password does not belong in it: name it under `credentials` in the settings")]
    Password,
    /// A name that only the `helm` of one person knows.
    #[error("it is a name out of one person's `helm repo list`: write the repository's address")]
    Nickname,
}

impl ChartRepository {
    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an OCI registry.
    pub fn is_oci(&self) -> bool {
        self.0.starts_with("oci://")
    }
}

impl FromStr for ChartRepository {
    type Err = InvalidChartRepository;

    fn from_str(text: &str) -> Result<Self, InvalidChartRepository> {
        if text.starts_with(['@']) || text.starts_with("alias:") {
            return Err(InvalidChartRepository::Nickname);
        }
        if text.chars().any(|char| char.is_control() || char.is_whitespace() || "?#\\".contains(char)) {
            return Err(InvalidChartRepository::Unplain);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidChartRepository::Scheme)?;
        if !matches!(scheme, "https" | "http" | "oci") {
            return Err(InvalidChartRepository::Scheme);
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(InvalidChartRepository::Password);
        }
        if host.is_empty() || host.starts_with([':', '-']) {
            return Err(InvalidChartRepository::Host);
        }
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(InvalidChartRepository::Unplain);
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

impl fmt::Display for ChartRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ChartRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The name of a chart in a repository: letters, digits, `.`, `_` and `-`, nothing that is a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChartName(Arc<str>);

/// Why a text is not the name of a chart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a chart: letters, digits, '.', '_' and '-'")]
pub struct InvalidChartName(String);

impl ChartName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChartName {
    type Err = InvalidChartName;

    fn from_str(text: &str) -> Result<Self, InvalidChartName> {
        let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
        let good = (1..=200).contains(&text.len())
            && text.chars().all(plain)
            && text.starts_with(|char: char| char.is_ascii_alphanumeric());
        if good { Ok(Self(text.into())) } else { Err(InvalidChartName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for ChartName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ChartName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A chart of a repository, in any version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChartAddress {
    /// The repository.
    pub repository: ChartRepository,
    /// The name in it.
    pub name: ChartName,
}

impl fmt::Display for ChartAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.repository, self.name)
    }
}

/// A chart that is needed: a version, or the highest one that fits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChartNeed {
    /// Which chart.
    pub address: ChartAddress,
    /// The version or the constraint on versions, as it was written.
    pub version: String,
}

impl fmt::Display for ChartNeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} of {}", self.address.name, self.version, self.address.repository)
    }
}

/// A chart's archive, as it was fetched once.
#[derive(Clone, PartialEq, Eq)]
pub struct ChartArchive {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its bytes: a gzipped tar.
    pub bytes: Arc<[u8]>,
}

impl fmt::Debug for ChartArchive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ChartArchive({}, {} bytes)", self.digest, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mislead_are_refused() {
        for good in ["https://charts.example.com", "http://127.0.0.1:8080/stable/", "oci://r.example.com/a/b"]
        {
            assert!(good.parse::<ChartRepository>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("@stable", InvalidChartRepository::Nickname),
            ("alias:stable", InvalidChartRepository::Nickname),
            ("https://u:p@h/a", InvalidChartRepository::Password),
            ("https://h/a?b=c", InvalidChartRepository::Unplain),
            ("https://h/a/../b", InvalidChartRepository::Unplain),
            ("ftp://h/a", InvalidChartRepository::Scheme),
            ("file:///etc", InvalidChartRepository::Scheme),
            ("charts.example.com", InvalidChartRepository::Scheme),
            ("https:///a", InvalidChartRepository::Host),
        ] {
            assert_eq!(bad.parse::<ChartRepository>(), Err(why), "{bad}");
        }
        let trimmed: ChartRepository = "https://h/a/".parse().unwrap();
        assert_eq!(trimmed.to_string(), "https://h/a");
    }

    #[test]
    fn names_are_no_paths() {
        for bad in ["", ".", "..", "a/b", "../a", "-a", ".a", "a b", "a\0"] {
            assert!(bad.parse::<ChartName>().is_err(), "{bad}");
        }
        assert!("kube-prometheus_stack.2".parse::<ChartName>().is_ok());
    }
}
