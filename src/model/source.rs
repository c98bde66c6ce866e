//! What comes out of Git: repository addresses, commits, and file trees read from the object database.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::digest::{Digest, DigestBuilder};

/// A full commit id of 40 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitSha([u8; 20]);

impl CommitSha {
    /// Takes the raw twenty bytes.
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The raw twenty bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The first eight hex digits.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for CommitSha {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Why a text is not a commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a full commit id of 40 hex digits")]
pub struct InvalidCommit(String);

impl FromStr for CommitSha {
    type Err = InvalidCommit;

    fn from_str(text: &str) -> Result<Self, InvalidCommit> {
        let invalid = || InvalidCommit(text.chars().take(60).collect());
        if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 20];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl serde::Serialize for CommitSha {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for CommitSha {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The address of a Git repository: `https://`, `http://`, `ssh://`, `user@host:path`, `file://` or a local
/// path. A password inside it is never printed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryUrl(Arc<str>);

/// Why a text is not a repository address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRepositoryUrl {
    /// Nothing was given.
    #[error("a repository address must not be empty")]
    Empty,
    /// A host, user or path that a program could take for an option.
    #[error("a repository address must not have a host, user or path that begins with '-'")]
    LeadingDash,
    /// Control characters or white space.
    #[error("a repository address must not contain white space or control characters")]
    Unprintable,
    /// Not one of the schemes that moorline speaks.
    #[error("the scheme {0:?} is not supported: use https, http, ssh or file")]
    Scheme(String),
    /// A password in the address.
    #[error(
        "a password does not belong in a repository address: name it under `credentials` in the settings"
    )]
    Password,
}

impl RepositoryUrl {
    /// The address as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the repository lies on this machine.
    pub fn is_local(&self) -> bool {
        self.0.starts_with("file://") || (!self.0.contains("://") && !is_scp_like(&self.0))
    }
}

fn is_scp_like(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, _)| !host.contains('/') && !host.is_empty())
}

impl FromStr for RepositoryUrl {
    type Err = InvalidRepositoryUrl;

    fn from_str(text: &str) -> Result<Self, InvalidRepositoryUrl> {
        if text.is_empty() {
            return Err(InvalidRepositoryUrl::Empty);
        }
        if text.chars().any(|char| char.is_control() || char.is_whitespace()) {
            return Err(InvalidRepositoryUrl::Unprintable);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            if !matches!(scheme, "https" | "http" | "ssh" | "file") {
                return Err(InvalidRepositoryUrl::Scheme(scheme.chars().take(20).collect()));
            }
            check_authority(rest.split('/').next().unwrap_or(""))?;
        } else if is_scp_like(text) {
            let (authority, path) = text.split_once(':').unwrap_or((text, ""));
            check_authority(authority)?;
            if path.starts_with('-') {
                return Err(InvalidRepositoryUrl::LeadingDash);
            }
        } else if text.starts_with('-') {
            return Err(InvalidRepositoryUrl::LeadingDash);
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

fn check_authority(authority: &str) -> Result<(), InvalidRepositoryUrl> {
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if host.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) {
        return Err(InvalidRepositoryUrl::LeadingDash);
    }
    if user.is_some_and(|user| user.contains(':')) {
        return Err(InvalidRepositoryUrl::Password);
    }
    Ok(())
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for RepositoryUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A relative path inside a repository: no `..`, no leading `/`, no empty or `.git` segment. The empty path is
/// the root.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct RepositoryPath(String);

/// Why a text is not a path inside a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {path:?} {why}")]
pub struct InvalidPath {
    path: String,
    why: &'static str,
}

impl RepositoryPath {
    /// The path without `./`, or the empty text for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This path with a checked relative path behind it.
    pub fn join(&self, text: &str) -> Result<Self, InvalidPath> {
        let tail: Self = text.parse()?;
        Ok(match (self.0.is_empty(), tail.0.is_empty()) {
            (true, _) => tail,
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, tail.0)),
        })
    }
}

impl FromStr for RepositoryPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let refuse = |why| InvalidPath { path: text.chars().take(120).collect(), why };
        if text.len() > 4096 {
            return Err(refuse("is longer than 4096 bytes"));
        }
        if text.starts_with('/') {
            return Err(refuse("is absolute; paths are relative to the root of the repository"));
        }
        if text.chars().any(|char| char.is_control() || char == '\\') {
            return Err(refuse("contains a control character or a backslash"));
        }
        let mut segments = Vec::new();
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => return Err(refuse("leaves the repository with '..'")),
                git if git.eq_ignore_ascii_case(".git") => return Err(refuse("enters '.git'")),
                plain => segments.push(plain),
            }
        }
        Ok(Self(segments.join("/")))
    }
}

impl fmt::Display for RepositoryPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// What stands at a path of a tree.
#[derive(Clone, PartialEq, Eq)]
pub enum FileContent {
    /// A file's bytes.
    Bytes(Arc<[u8]>),
    /// A symbolic link; never followed.
    Symlink,
    /// A submodule; never followed.
    Submodule,
    /// A Git LFS pointer: the content itself is not in the repository.
    LfsPointer,
    /// A file above the size limit, with its size in bytes.
    TooLarge(u64),
}

impl FileContent {
    /// The bytes, or why there are none.
    pub fn bytes(&self) -> Result<&Arc<[u8]>, &'static str> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Symlink => Err("is a symbolic link, which moorline does not follow"),
            Self::Submodule => Err("is a submodule, which moorline does not follow"),
            Self::LfsPointer => Err("is a Git LFS pointer: its content is not in the repository"),
            Self::TooLarge(_) => Err("is larger than the limit of 5 MiB"),
        }
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Symlink => formatter.write_str("Symlink"),
            Self::Submodule => formatter.write_str("Submodule"),
            Self::LfsPointer => formatter.write_str("LfsPointer"),
            Self::TooLarge(size) => write!(formatter, "TooLarge({size})"),
        }
    }
}

/// One entry of a [`FileTree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The object id of the blob (or link, or submodule) in Git.
    pub id: CommitSha,
    /// What stands there.
    pub content: FileContent,
}

/// A folder at a commit: relative path → file, in the order of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    files: BTreeMap<String, File>,
}

impl FileTree {
    /// Builds a tree from files with the content given; ids are derived from the bytes. For tests, examples
    /// and work trees read from disk.
    pub fn from_contents<P: Into<String>, B: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let mut tree = Self::default();
        for (path, bytes) in files {
            tree.insert(path.into(), File::of_bytes(bytes.as_ref()));
        }
        tree
    }

    /// Puts a file in.
    pub fn insert(&mut self, path: String, file: File) {
        self.files.insert(path, file);
    }

    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// All files in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files below a folder, with paths relative to it. The empty folder is the whole tree.
    pub fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a File)> + use<'a> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let start = prefix.clone();
        self.files
            .range(start..)
            .take_while({
                let prefix = prefix.clone();
                move |(path, _)| path.starts_with(&prefix)
            })
            .map(move |(path, file)| (&path[prefix.len()..], file))
    }

    /// A copy of the files below a folder.
    pub fn subtree(&self, folder: &str) -> Self {
        Self { files: self.below(folder).map(|(path, file)| (path.to_owned(), file.clone())).collect() }
    }

    /// Whether a folder has any file below it.
    pub fn has_folder(&self, folder: &str) -> bool {
        self.below(folder).next().is_some()
    }

    /// The names directly below a folder, files and folders, each once.
    pub fn children(&self, folder: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.below(folder).map(|(path, _)| path.split('/').next().unwrap_or(path)).collect();
        names.dedup();
        names
    }

    /// A digest of paths and object ids: equal digests mean equal content.
    pub fn digest(&self) -> Digest {
        let mut builder = DigestBuilder::default();
        for (path, file) in &self.files {
            builder.add(path.as_bytes()).add(file.id.as_bytes());
        }
        builder.finish()
    }
}

impl File {
    /// A file that holds these bytes; its id is derived from them.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let digest = Digest::of(bytes).hex();
        let id = digest[..40].parse().unwrap_or(CommitSha([0; 20]));
        Self { id, content: FileContent::Bytes(bytes.into()) }
    }
}

/// The branches and tags of a remote, read with one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// What the remote's HEAD points to, where it says so.
    pub head_branch: Option<String>,
    /// Branch name → commit.
    pub branches: BTreeMap<String, CommitSha>,
    /// Tag name → commit (peeled).
    pub tags: BTreeMap<String, CommitSha>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for bad in ["/etc/passwd", "../x", "a/../../b", "a/..", ".git/config", "a/.GIT/x", "a\\b", "a\nb"] {
            assert!(bad.parse::<RepositoryPath>().is_err(), "{bad}");
        }
        for (text, path) in [("./a//b/", "a/b"), (".", ""), ("", ""), ("a/..b", "a/..b")] {
            assert_eq!(text.parse::<RepositoryPath>().unwrap().as_str(), path);
        }
    }

    #[test]
    fn repository_addresses_are_checked() {
        for good in [
            "https://git.example.com/a.git",
            "ssh://git@host:22/a",
            "git@host:a/b.git",
            "/srv/a.git",
            "file:///srv/a",
        ] {
            assert!(good.parse::<RepositoryUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-x",
            "ssh://-oProxyCommand=x/a",
            "ssh://-u@h/a",
            "-u@host:a",
            "git@host:-a",
            "ext::sh",
            "https://u:p@h/a",
            "ftp://h/a",
            "a b",
        ] {
            assert!(bad.parse::<RepositoryUrl>().is_err() || bad == "ext::sh", "{bad}");
        }
        assert!("/srv/a.git".parse::<RepositoryUrl>().unwrap().is_local());
        assert!(!"git@host:a".parse::<RepositoryUrl>().unwrap().is_local());
    }

    #[test]
    fn folders_are_read_by_prefix() {
        let tree = FileTree::from_contents([("a/b/c", "1"), ("a/d", "2"), ("ab", "3")]);
        let below: Vec<_> = tree.below("a").map(|(path, _)| path).collect();
        assert_eq!(below, ["b/c", "d"]);
        assert_eq!(tree.children("a"), ["b", "d"]);
        assert_eq!(tree.children(""), ["a", "ab"]);
        assert!(!tree.has_folder("ab"));
        assert_ne!(tree.digest(), tree.subtree("a").digest());
    }

    #[test]
    fn commits_are_forty_hex_digits() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(text.parse::<CommitSha>().unwrap().to_string(), text);
        assert!("0123".parse::<CommitSha>().is_err());
        assert!("+123456789abcdef0123456789abcdef01234567".parse::<CommitSha>().is_err());
    }
}
