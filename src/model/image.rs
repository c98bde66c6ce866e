//! Container images: where a repository is, which tag or digest of it is meant. Names only, as docker and the OCI
//! distribution specification write them; asking a registry is the business of adapters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::digest::Digest;

/// The longest path of a repository, and the longest tag.
const PATH_BYTES: usize = 255;
const TAG_BYTES: usize = 128;

/// Docker Hub as people write it, and the host that serves it.
const HUB_NAMES: [&str; 2] = ["docker.io", "index.docker.io"];
const HUB_HOST: &str = "registry-1.docker.io";

/// The address of an image repository, `host[:port]/path`, or one of Docker Hub's short names. Shown as it was
/// written; [`host`](Self::host) and [`path`](Self::path) are what is asked.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRepository {
    written: Arc<str>,
    host: Arc<str>,
    path: Arc<str>,
}

/// Why a text is not the address of an image repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImageRepository {
    /// `https://`, `oci://` or another scheme in front.
    #[error("it begins with a scheme: write host and path alone, as in registry.example.com/team/web")]
    Scheme,
    /// A tag behind the path.
    #[error("it ends with a tag, which does not belong to a repository's address")]
    Tag,
    /// A digest behind the path.
    #[error("it ends with a digest, which does not belong to a repository's address")]
    Digest,
    /// A host that is none, or a port that is none.
    #[error("{0:?} is no host with an optional port")]
    Host(String),
    /// A path that registries would refuse.
    #[error(
        "{0:?} is no path of a repository: lower-case letters and digits, single '.', '_', '__' or dashes between them, '/' between parts, at most {PATH_BYTES} bytes"
    )]
    Path(String),
}

impl ImageRepository {
    /// Host and port to ask, in lower case: that of Docker Hub for its short names.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path on that host: `library/nginx` for `nginx`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Account and region, where the host is a private registry of AWS.
    pub fn ecr(&self) -> Option<EcrRegistry> {
        EcrRegistry::of_host(&self.host)
    }
}

impl FromStr for ImageRepository {
    type Err = InvalidImageRepository;

    fn from_str(text: &str) -> Result<Self, InvalidImageRepository> {
        if text.contains("://") {
            return Err(InvalidImageRepository::Scheme);
        }
        if text.contains('@') {
            return Err(InvalidImageRepository::Digest);
        }
        let (host, path) = match text.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            _ => (HUB_NAMES[0], text),
        };
        if path.contains(':') {
            return Err(InvalidImageRepository::Tag);
        }
        let host = checked_host(host).ok_or_else(|| InvalidImageRepository::Host(excerpt(host)))?;
        if path.len() > PATH_BYTES || !path.split('/').all(is_path_part) {
            return Err(InvalidImageRepository::Path(excerpt(path)));
        }
        let hub = HUB_NAMES.contains(&host.as_str());
        Ok(Self {
            written: text.into(),
            host: if hub { HUB_HOST.into() } else { host.into() },
            path: if hub && !path.contains('/') { format!("library/{path}").into() } else { path.into() },
        })
    }
}

impl fmt::Display for ImageRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl fmt::Debug for ImageRepository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Whether docker takes the first part of a name for a host.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.chars().any(|char| char.is_ascii_uppercase())
}

/// The host in lower case, if it is one.
fn checked_host(text: &str) -> Option<String> {
    let (name, port) = match text.rfind(':').filter(|_| !text.ends_with(']')) {
        Some(colon) => (text.get(..colon)?, text.get(colon + 1..)),
        None => (text, None),
    };
    let port_fits = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let name_fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.len() <= 253 && name.split('.').all(is_host_label),
    };
    (port_fits && name_fits).then(|| text.to_ascii_lowercase())
}

fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// One part between slashes: letters and digits, with one separator (`.`, `_`, `__`, or dashes) between them.
fn is_path_part(part: &str) -> bool {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let ends_plain = part.starts_with(plain) && part.ends_with(plain);
    ends_plain
        && part.split(plain).all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.chars().all(|char| char == '-')
        })
}

/// A private registry of AWS, read from the host of a repository: `{account}.dkr.ecr.{region}.amazonaws.com`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EcrRegistry {
    /// The account, twelve digits.
    pub account: String,
    /// The region, as `us-east-2`.
    pub region: String,
    /// Whether the endpoints with validated cryptography are meant (`dkr.ecr-fips`).
    pub fips: bool,
}

impl EcrRegistry {
    fn of_host(host: &str) -> Option<Self> {
        let host = host.strip_suffix(".amazonaws.com.cn").or_else(|| host.strip_suffix(".amazonaws.com"))?;
        let (account, rest) = host.split_once(".dkr.")?;
        let (service, region) = rest.split_once('.')?;
        let fips = match service {
            "ecr" => false,
            "ecr-fips" => true,
            _ => return None,
        };
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (digits && is_host_label(region)).then(|| Self {
            account: account.to_owned(),
            region: region.to_owned(),
            fips,
        })
    }
}

/// The tag of an image: at most 128 letters, digits, `_`, `.` and `-`, beginning with none of the last two.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageTag(Arc<str>);

/// Why a text is not the tag of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no tag of an image: at most {TAG_BYTES} letters, digits, '_', '.' and '-', the first no '.' or '-'"
)]
pub struct InvalidImageTag(String);

impl ImageTag {
    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageTag {
    type Err = InvalidImageTag;

    fn from_str(text: &str) -> Result<Self, InvalidImageTag> {
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let good = text.len() <= TAG_BYTES
            && text.starts_with(plain)
            && text.chars().all(|char| plain(char) || matches!(char, '.' | '-'));
        if good { Ok(Self(text.into())) } else { Err(InvalidImageTag(excerpt(text))) }
    }
}

impl fmt::Display for ImageTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ImageTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The digest of an image's manifest or index, `sha256:<64 lower-case hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageDigest(Digest);

/// Why a text is not the digest of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no digest of an image of the form sha256:<64 lower-case hex digits>")]
pub struct InvalidImageDigest(String);

impl ImageDigest {
    /// The digest of a manifest, by its bytes as the registry sent them.
    pub fn of(manifest: &[u8]) -> Self {
        Self(Digest::of(manifest))
    }

    /// The same as a digest of any content.
    pub fn digest(&self) -> Digest {
        self.0
    }
}

impl FromStr for ImageDigest {
    type Err = InvalidImageDigest;

    fn from_str(text: &str) -> Result<Self, InvalidImageDigest> {
        let lower = text.starts_with("sha256:") && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let digest = lower.then(|| text.parse().ok()).flatten();
        digest.map(Self).ok_or_else(|| InvalidImageDigest(excerpt(text)))
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for ImageDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// An image as manifests name it: `repository[:tag][@digest]`. With both, the digest is what is run and the tag tells
/// people where it came from; with neither, a container runtime takes the tag `latest`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageReference {
    /// The repository.
    pub repository: ImageRepository,
    /// The tag, if one is named.
    pub tag: Option<ImageTag>,
    /// The digest, if one is named.
    pub digest: Option<ImageDigest>,
}

/// Why a text is not a reference to an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImageReference {
    /// The part before tag and digest.
    #[error(transparent)]
    Repository(#[from] InvalidImageRepository),
    /// The tag.
    #[error(transparent)]
    Tag(#[from] InvalidImageTag),
    /// The digest.
    #[error(transparent)]
    Digest(#[from] InvalidImageDigest),
}

impl FromStr for ImageReference {
    type Err = InvalidImageReference;

    fn from_str(text: &str) -> Result<Self, InvalidImageReference> {
        // Otherwise the colon of a scheme would pass for that of a tag.
        if text.contains("://") {
            return Err(InvalidImageRepository::Scheme.into());
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        // A colon before the last slash is that of a port.
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match rest.get(path..).and_then(|last| last.split_once(':')) {
            Some((last, tag)) => (rest.get(..path + last.len()).unwrap_or_default(), Some(tag.parse()?)),
            None => (rest, None),
        };
        Ok(Self { repository: repository.parse()?, tag, digest })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(formatter)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// So much of a wrong text as an error may repeat.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn repositories_are_resolved_as_docker_does() {
        for (text, host, path) in [
            ("nginx", "registry-1.docker.io", "library/nginx"),
            ("bitnami/nginx", "registry-1.docker.io", "bitnami/nginx"),
            ("docker.io/nginx", "registry-1.docker.io", "library/nginx"),
            ("index.docker.io/a/b", "registry-1.docker.io", "a/b"),
            ("localhost/web", "localhost", "web"),
            ("localhost:5000/a/b/c", "localhost:5000", "a/b/c"),
            ("registry:5000/web", "registry:5000", "web"),
            ("Registry.Example.com/team/web", "registry.example.com", "team/web"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000", "a"),
            ("[::1]:5000/a", "[::1]:5000", "a"),
            ("[::1]/a", "[::1]", "a"),
            ("r.example.com/a.b/c_d/e__f/g--h/0", "r.example.com", "a.b/c_d/e__f/g--h/0"),
        ] {
            let repository: ImageRepository = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((repository.host(), repository.path()), (host, path), "{text}");
            assert_eq!(repository.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_repository_is_told_apart() {
        use InvalidImageRepository::{Digest, Host, Path, Scheme, Tag};
        let host = |text: &str| Host(text.to_owned());
        let path = |text: &str| Path(text.to_owned());
        for (text, why) in [
            ("https://r.example.com/a", Scheme),
            ("oci://r.example.com/a", Scheme),
            ("r.example.com/a:1.0", Tag),
            ("nginx:1.27", Tag),
            ("r.example.com:5000", Tag),
            ("user@r.example.com/a", Digest),
            ("r.example.com/a@sha256:00", Digest),
            ("r.example.com:0/a", host("r.example.com:0")),
            ("r.example.com:65536/a", host("r.example.com:65536")),
            ("r.example.com:+1/a", host("r.example.com:+1")),
            ("r..example.com/a", host("r..example.com")),
            ("-r.example.com/a", host("-r.example.com")),
            ("[::g]/a", host("[::g]")),
            ("", path("")),
            ("r.example.com/", path("")),
            ("/a", path("/a")),
            ("r.example.com/a//b", path("a//b")),
            ("r.example.com/../b", path("../b")),
            ("r.example.com/A", path("A")),
            ("a/B", path("a/B")),
            ("r.example.com/a-", path("a-")),
            ("r.example.com/a..b", path("a..b")),
            ("r.example.com/a___b", path("a___b")),
            ("r.example.com/a._b", path("a._b")),
            ("r.example.com/a?b", path("a?b")),
            ("r.example.com/a%2fb", path("a%2fb")),
            ("r.example.com/a b", path("a b")),
            ("r.example.com/ä", path("ä")),
        ] {
            assert_eq!(text.parse::<ImageRepository>(), Err(why), "{text}");
        }
        assert!(format!("r.example.com/{}", "a".repeat(255)).parse::<ImageRepository>().is_ok());
        assert!(format!("r.example.com/{}", "a".repeat(256)).parse::<ImageRepository>().is_err());
    }

    #[test]
    fn registries_of_aws_are_known_by_their_host() {
        for (host, expected) in [
            ("111122223333.dkr.ecr.us-east-2.amazonaws.com", Some(("111122223333", "us-east-2", false))),
            ("111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com", {
                Some(("111122223333", "us-gov-west-1", true))
            }),
            ("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn", Some(("111122223333", "cn-north-1", false))),
            ("11112222333.dkr.ecr.us-east-2.amazonaws.com", None),
            ("11112222333a.dkr.ecr.us-east-2.amazonaws.com", None),
            ("111122223333.dkr.ecr.us-east-2.amazonaws.com.evil.org", None),
            ("111122223333.dkr.ecr.us.east.amazonaws.com", None),
            ("111122223333.dkr.ecr.us-east-2.amazonaws.com:443", None),
            ("111122223333.dkr.s3.us-east-2.amazonaws.com", None),
            ("public.ecr.aws", None),
        ] {
            let repository: ImageRepository = format!("{host}/team/web").parse().unwrap();
            let expected = expected.map(|(account, region, fips)| EcrRegistry {
                account: account.to_owned(),
                region: region.to_owned(),
                fips,
            });
            assert_eq!(repository.ecr(), expected, "{host}");
        }
    }

    #[test]
    fn tags_and_digests_are_checked() {
        for good in ["latest", "v1.2.3", "_a", "0", "A-b_c.D", &"a".repeat(128)] {
            assert!(good.parse::<ImageTag>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a:b", "a+b", "a b", "ä", &"a".repeat(129)] {
            assert!(bad.parse::<ImageTag>().is_err(), "{bad}");
        }
        let digest = format!("sha256:{HEX}");
        assert_eq!(digest.parse::<ImageDigest>().unwrap().to_string(), digest);
        let upper = digest.replace('f', "F");
        for bad in ["", HEX, "sha256:00", "sha512:00", &upper, &format!("{digest}0"), &format!("{digest} ")] {
            assert!(bad.parse::<ImageDigest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn references_are_read_and_written_alike() {
        let by_digest = format!("r.example.com/a@sha256:{HEX}");
        let by_both = format!("r.example.com:5000/a/b:v1@sha256:{HEX}");
        for (text, repository, tag, has_digest) in [
            ("nginx", "nginx", None, false),
            ("nginx:1.27", "nginx", Some("1.27"), false),
            ("localhost:5000/a", "localhost:5000/a", None, false),
            ("localhost:5000/a:b", "localhost:5000/a", Some("b"), false),
            (by_digest.as_str(), "r.example.com/a", None, true),
            (by_both.as_str(), "r.example.com:5000/a/b", Some("v1"), true),
        ] {
            let reference: ImageReference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(reference.repository.to_string(), repository, "{text}");
            assert_eq!(reference.tag.as_ref().map(ImageTag::as_str), tag, "{text}");
            assert_eq!(reference.digest.is_some(), has_digest, "{text}");
            assert_eq!(reference.to_string(), text);
        }
        for bad in ["", ":a", "nginx:", "nginx@", "nginx@sha256:00", "nginx:a:b", "https://r.example.com/a:b"]
        {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }
}
