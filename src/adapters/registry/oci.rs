//! Registries that speak the OCI distribution protocol: one `HEAD` for a tag, on one connection with the charts'
//! way of proving who we are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::conversation::{Asking, Conversation, Place, Source, TalkError, Told};
use super::docker::DockerFile;
use super::hosts::{AT_A_TIME, Host, Hosts};
use super::places::Places;
use super::{Found, MANIFESTS, RegistryError};
use crate::adapters::web::{self, Web, WebError};
use crate::model::image::{ImageDigest, ImageRepository, ImageTag};

/// The largest manifest; registries themselves allow 4 MiB.
const MANIFEST_BYTES: usize = 4 << 20;

/// What a registry calls the content's digest.
const DIGEST: &str = "docker-content-digest";

/// All registries of this kind.
pub(super) struct OciRegistries {
    web: Web,
    docker: Option<DockerFile>,
    places: Places,
    hosts: Hosts,
    /// By host and path: what proved who we are is said again without being asked.
    conversations: Mutex<HashMap<(String, String), Arc<Conversation>>>,
}

impl OciRegistries {
    /// Asks nobody yet.
    pub(super) fn new(web: Web, docker: Option<DockerFile>, places: Places, hosts: Hosts) -> Self {
        Self { web, docker, places, hosts, conversations: Mutex::default() }
    }

    /// Which of these tags exist; a tag stands in the list once.
    pub(super) async fn find(
        &self,
        repository: &ImageRepository,
        tags: &[ImageTag],
    ) -> Result<Found, RegistryError> {
        let mut found = Found::default();
        let Some((first, rest)) = tags.split_first() else { return Ok(found) };
        let talk = self.talk(repository);
        // The first one alone: it learns who has to be told what, for all the others.
        let mut digests = vec![(first.clone(), talk.digest(first.as_str()).await?)];
        let talk = &talk;
        let others = stream::iter(rest.to_vec()).map(|tag| async move {
            let digest = talk.digest(tag.as_str()).await?;
            Ok::<_, RegistryError>((tag, digest))
        });
        digests.extend(others.buffer_unordered(AT_A_TIME).try_collect::<Vec<_>>().await?);
        found.images = digests.into_iter().filter_map(|(tag, digest)| Some((tag, digest?))).collect();
        if found.images.is_empty() {
            found.repository_missing = talk.is_missing().await?;
        }
        Ok(found)
    }

    /// Whether a digest exists.
    pub(super) async fn has(
        &self,
        repository: &ImageRepository,
        digest: &ImageDigest,
    ) -> Result<bool, RegistryError> {
        let talk = self.talk(repository);
        match talk.digest(&digest.to_string()).await? {
            None => Ok(false),
            Some(found) if found == *digest => Ok(true),
            Some(found) => Err(talk.unusable(format!("asked for {digest}, it answers with {found}"))),
        }
    }

    fn talk(&self, repository: &ImageRepository) -> Talk {
        let (host, path) = (repository.host().to_owned(), repository.path().to_owned());
        let mut conversations = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || {
            let plain = self.places.reach(repository).plain;
            let place = Place { host: host.clone(), path: path.clone(), plain };
            Arc::new(Conversation::new(self.web.clone(), self.docker.clone(), place))
        };
        let conversation =
            Arc::clone(conversations.entry((host.clone(), path.clone())).or_insert_with(begin));
        Talk { conversation, host: self.hosts.host(&host) }
    }
}

/// One repository of one registry.
struct Talk {
    conversation: Arc<Conversation>,
    host: Arc<Host>,
}

impl Talk {
    /// The digest of what a tag or digest names, if it exists.
    async fn digest(&self, name: &str) -> Result<Option<ImageDigest>, RegistryError> {
        self.host.ask(self.ask_digest(name)).await
    }

    async fn ask_digest(&self, name: &str) -> Result<Option<ImageDigest>, RegistryError> {
        let (rest, accept) = (format!("manifests/{name}"), MANIFESTS.join(", "));
        let asking = Asking { head: true, accept: Some(&accept), exact: true, ..Asking::get(&rest) };
        let answer = self.ask(&asking).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => match named_digest(answer.headers()) {
                Some(text) => text.parse().map(Some).map_err(|error| self.unusable(format!("{error}"))),
                None => self.hash(&Asking { head: false, ..asking }, name).await,
            },
            // Some take `GET` alone.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED | StatusCode::BAD_REQUEST => {
                self.hash(&Asking { head: false, ..asking }, name).await
            }
            _ => Err(self.refused(&answer, name).await),
        }
    }

    /// Reads the manifest itself, whose digest is that of its bytes.
    async fn hash(&self, asking: &Asking<'_>, name: &str) -> Result<Option<ImageDigest>, RegistryError> {
        let answer = self.ask(asking).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status().is_success() {
            return Err(self.refused(&answer, name).await);
        }
        let named = named_digest(answer.headers());
        let what = format!("the manifest of {name}");
        let bytes =
            web::read_whole(answer, MANIFEST_BYTES, &what).await.map_err(|error| self.of_web(error))?;
        let manifest: Option<Value> = serde_json::from_slice(&bytes).ok();
        if manifest.as_ref().and_then(|value| value.get("schemaVersion")?.as_u64()) != Some(2) {
            return Err(self.unusable(format!("what it gives for {name} is no manifest of an image")));
        }
        let digest = ImageDigest::of(&bytes);
        match named {
            Some(named) if named != digest.to_string() => {
                Err(self.unusable(format!("the manifest of {name} has the digest {digest}, it says {named}")))
            }
            _ => Ok(Some(digest)),
        }
    }

    /// Whether the registry says that there is no such repository. Asked only where none of the tags was there: the
    /// answer to a `HEAD` does not tell one from the other.
    async fn is_missing(&self) -> Result<bool, RegistryError> {
        let question = async { self.ask(&Asking::get("tags/list?n=1")).await };
        Ok(self.host.ask(question).await?.status() == StatusCode::NOT_FOUND)
    }

    async fn ask(&self, asking: &Asking<'_>) -> Result<Response, RegistryError> {
        let answer = match self.conversation.ask(asking).await {
            Ok(answer) => answer,
            Err(TalkError::Web(error)) => return Err(self.of_web(error)),
            Err(TalkError::Refused { answer, what }) => return Err(self.refused(&answer, &what).await),
        };
        match answer.status() {
            StatusCode::TOO_MANY_REQUESTS => Err(self.refused(&answer, asking.rest).await),
            _ => Ok(answer),
        }
    }

    fn name(&self) -> String {
        self.conversation.place().host.clone()
    }

    fn of_web(&self, error: WebError) -> RegistryError {
        let host = self.name();
        match error {
            WebError::Unreachable(message) => RegistryError::Unreachable { host, message },
            WebError::Unusable(message) => RegistryError::Unusable { host, message },
            WebError::Denied(message) => RegistryError::Denied {
                host,
                message,
                remedy: "check `credentials` and `registries` in the settings: the longest matching prefix is used"
                    .to_owned(),
            },
        }
    }

    fn unusable(&self, message: String) -> RegistryError {
        RegistryError::Unusable { host: self.name(), message }
    }

    /// The error for an answer that is neither success nor absence; `what` was asked for.
    async fn refused(&self, answer: &Response, what: &str) -> RegistryError {
        let (host, status) = (self.name(), answer.status());
        let message = format!("{} answered {status} for {what}", web::place(answer.url()));
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let told = self.conversation.told().await;
                let remedy = remedy(self.conversation.place(), &told);
                match told.source {
                    Source::Nowhere | Source::Store(_) => {
                        RegistryError::NoCredentials { host, message, remedy }
                    }
                    Source::Settings(_) | Source::Docker => RegistryError::Denied { host, message, remedy },
                }
            }
            StatusCode::TOO_MANY_REQUESTS => {
                RegistryError::Throttled { host, retry_after: retry_after(answer.headers()) }
            }
            StatusCode::REQUEST_TIMEOUT => RegistryError::Unreachable { host, message },
            _ if status.is_server_error() => RegistryError::Unreachable { host, message },
            _ => RegistryError::Unusable { host, message },
        }
    }
}

/// What a person can do about a refusal.
fn remedy(place: &Place, told: &Told) -> String {
    let Place { host, path, .. } = place;
    if let Some(realm) = &told.untold {
        return format!(
            "its tokens come from {realm}, which was told nothing: name that address under `credentials` in the settings too"
        );
    }
    match &told.source {
        Source::Nowhere => format!(
            "name a user and a passwordFile for oci://{host}/{path}, or a prefix of it, under `credentials` in the settings; some registries say the same of a repository that does not exist"
        ),
        Source::Store(store) => format!(
            "docker's config.json leaves them to {store:?}, a program that moorline does not ask: name a user and a passwordFile for oci://{host} under `credentials` in the settings"
        ),
        Source::Settings(prefix) => format!(
            "check user and password of `credentials` {prefix} in the settings, and that they may pull {path}"
        ),
        Source::Docker => {
            format!("check what docker's config.json has for {host}, and that it may pull {path}")
        }
    }
}

fn named_digest(headers: &HeaderMap) -> Option<String> {
    headers.get(DIGEST).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The pause that an answer asks for: in seconds, or up to a time by the clock of who answers.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |value: &HeaderValue| value.to_str().ok().map(|text| text.trim().to_owned());
    let after = headers.get(RETRY_AFTER).and_then(text)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text: &str| -> Option<Timestamp> { Some(rfc2822::parse(text).ok()?.timestamp()) };
    let now = headers.get(DATE).and_then(text).and_then(|date| time(&date))?;
    Some(time(&after)?.duration_since(now).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_read_in_both_forms() {
        let date = "Wed, 10 Jan 2024 10:00:00 GMT";
        for (after, date, expected) in [
            (Some("7"), None, Some(7)),
            (Some("0"), None, Some(0)),
            (Some("Wed, 10 Jan 2024 10:02:00 GMT"), Some(date), Some(120)),
            (Some("Wed, 10 Jan 2024 09:00:00 GMT"), Some(date), Some(0)),
            (Some("Wed, 10 Jan 2024 10:02:00 GMT"), None, None),
            (Some("soon"), Some(date), None),
            (None, Some(date), None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(RETRY_AFTER, after), (DATE, date)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{after:?}");
        }
    }
}
