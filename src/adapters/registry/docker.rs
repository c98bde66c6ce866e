//! docker's own `config.json`: user and password of a registry, where they stand in the file itself. The programs that
//! it may name to keep them (`credsStore`, `credHelpers`) are not run.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::HeaderValue;
use serde_json::Value;

use crate::adapters::web::{self, WebError};

/// The largest file that is read.
const FILE_BYTES: u64 = 1 << 20;

/// Docker Hub, as the file names it and as it is asked.
const HUB_NAMES: [&str; 2] = ["index.docker.io", "docker.io"];
const HUB_HOST: &str = "registry-1.docker.io";

/// The file, read anew whenever a registry asks who we are.
#[derive(Clone, Debug)]
pub(in crate::adapters) struct DockerFile(PathBuf);

/// What the file has for a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// User and password, as one header.
    Pair(HeaderValue),
    /// They are with the program of this name.
    Elsewhere(String),
    /// Nothing.
    Nothing,
}

impl DockerFile {
    /// Names the file, which need not exist.
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// What it has for a repository: the longest key by whole parts wins, as with containerd and Kubernetes.
    pub(super) fn find(&self, host: &str, path: &str) -> Result<Kept, WebError> {
        let unusable = |why: String| {
            WebError::Denied(format!("docker's file {} cannot be used: {why}", self.0.display()))
        };
        let size = match std::fs::metadata(&self.0) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::Nothing),
            Err(error) => return Err(unusable(error.to_string())),
        };
        if size > FILE_BYTES {
            return Err(unusable(format!("it has more than {FILE_BYTES} bytes")));
        }
        let bytes = std::fs::read(&self.0).map_err(|error| unusable(error.to_string()))?;
        // Only the place of a mistake is told: the rest of the file is secret.
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
            unusable(format!("line {}, column {} is no JSON", error.line(), error.column()))
        })?;
        Ok(kept(&value, host, path))
    }
}

fn kept(file: &Value, host: &str, path: &str) -> Kept {
    let wanted = format!("{host}/{path}");
    let auths = file.get("auths").and_then(Value::as_object);
    let best =
        auths.into_iter().flatten().filter(|(key, _)| covers(key, &wanted)).max_by_key(|(key, _)| key.len());
    if let Some(proof) = best.and_then(|(_, entry)| pair(entry)) {
        return Kept::Pair(proof);
    }
    let helpers = file.get("credHelpers").and_then(Value::as_object);
    let helper = helpers.into_iter().flatten().find(|(key, _)| covers(key, &wanted)).map(|(_, name)| name);
    // A store keeps only what was given to it: the file then has an empty entry.
    let store = best.and_then(|_| file.get("credsStore"));
    match helper.or(store).and_then(Value::as_str) {
        Some(name) => Kept::Elsewhere(name.to_owned()),
        None => Kept::Nothing,
    }
}

/// Whether a key as `registry.example.com`, `https://registry.example.com/v2/` or `registry.example.com/team` is for a
/// repository.
fn covers(key: &str, wanted: &str) -> bool {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest).trim_end_matches('/');
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let host = if HUB_NAMES.contains(&host) { HUB_HOST } else { host };
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let key = if path.is_empty() { host.to_owned() } else { format!("{host}/{path}") };
    wanted.strip_prefix(&key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// User and password of an entry: `auth`, or each by itself.
fn pair(entry: &Value) -> Option<HeaderValue> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (user, password) = match text("auth") {
        Some(auth) => {
            let both = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
            let (user, password) = both.split_once(':')?;
            (user.to_owned(), password.trim_end_matches('\0').to_owned())
        }
        None => (text("username")?.to_owned(), text("password")?.to_owned()),
    };
    web::basic_pair(&user, &password.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Kept {
        Kept::Pair(web::basic_pair(user, &password.to_owned().into()).unwrap())
    }

    #[test]
    fn the_longest_key_is_used_and_stores_are_named() {
        let auth = |pair: &str| BASE64.encode(pair);
        let file = serde_json::json!({
            "auths": {
                "https://index.docker.io/v1/": {"auth": auth("hub:a:b")},
                "r.example.com": {"auth": auth("all:1")},
                "r.example.com/team": {"username": "team", "password": "2"},
                "https://v2.example.com/v2/": {"auth": auth("v2:3")},
                "local:5000": {"auth": auth("local:4\u{0}")},
                "kept.example.com": {},
                "broken.example.com": {"auth": "?"},
            },
            "credHelpers": {"helped.example.com": "ecr-login"},
            "credsStore": "desktop",
        });
        for (host, path, expected) in [
            ("registry-1.docker.io", "library/nginx", basic("hub", "a:b")),
            ("r.example.com", "other/web", basic("all", "1")),
            ("r.example.com", "team/web", basic("team", "2")),
            ("r.example.com", "teammates/web", basic("all", "1")),
            ("r.example.com:8443", "team/web", Kept::Nothing),
            ("r.example.com.evil.org", "team/web", Kept::Nothing),
            ("v2.example.com", "a", basic("v2", "3")),
            ("local:5000", "a", basic("local", "4")),
            ("kept.example.com", "a", Kept::Elsewhere("desktop".to_owned())),
            ("broken.example.com", "a", Kept::Elsewhere("desktop".to_owned())),
            ("helped.example.com", "a", Kept::Elsewhere("ecr-login".to_owned())),
            ("strange.example.com", "a", Kept::Nothing),
        ] {
            assert_eq!(kept(&file, host, path), expected, "{host}/{path}");
        }
    }

    #[test]
    fn a_broken_file_is_named_without_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let file = DockerFile::new(path.clone());
        assert_eq!(file.find("r.example.com", "a"), Ok(Kept::Nothing));
        std::fs::write(&path, "{\"auths\": {\"canary\": canary}}").unwrap();
        let Err(WebError::Denied(message)) = file.find("r.example.com", "a") else { panic!() };
        assert!(message.ends_with("config.json cannot be used: line 1, column 22 is no JSON"), "{message}");
    }
}
