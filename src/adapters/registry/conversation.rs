//! What is said between an OCI registry and us about one repository of charts or images: who we are, in whichever way
//! the registry asks for it. Tokens are kept for as long as the registry takes them.

use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use serde_json::Value;
use tokio::sync::Mutex;

use super::docker::{DockerFile, Kept};
use crate::adapters::web::{self, Proof, Question, Web, WebError};

/// The largest token.
const TOKEN_BYTES: usize = 1 << 20;

/// Docker Hub, whose tokens come from another host of its own.
const HUB: (&str, &str) = ("registry-1.docker.io", "auth.docker.io");

/// One repository of a registry.
#[derive(Clone, Debug)]
pub(in crate::adapters) struct Place {
    /// Host and port.
    pub(in crate::adapters) host: String,
    /// The path on it.
    pub(in crate::adapters) path: String,
    /// Whether the settings say that it is spoken to without TLS.
    pub(in crate::adapters) plain: bool,
}

/// What is asked of a registry.
#[derive(Clone, Copy)]
pub(in crate::adapters) struct Asking<'a> {
    /// `GET` or `HEAD`.
    pub(in crate::adapters) head: bool,
    /// What follows `/v2/<path>/`.
    pub(in crate::adapters) rest: &'a str,
    /// In which form.
    pub(in crate::adapters) accept: Option<&'a str>,
    /// Whether the answer's bytes count.
    pub(in crate::adapters) exact: bool,
}

impl<'a> Asking<'a> {
    /// A plain `GET`.
    pub(in crate::adapters) fn get(rest: &'a str) -> Self {
        Self { head: false, rest, accept: None, exact: false }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::adapters) enum TalkError {
    /// HTTP did not come so far.
    Web(WebError),
    /// Whoever gives the registry's tokens refused.
    Refused {
        /// The refusal.
        answer: Response,
        /// What was asked for.
        what: String,
    },
}

impl From<WebError> for TalkError {
    fn from(error: WebError) -> Self {
        Self::Web(error)
    }
}

/// Where the credentials that the registry was told came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::adapters) enum Source {
    /// There are none for it.
    #[default]
    Nowhere,
    /// The entry of the settings with this prefix.
    Settings(String),
    /// docker's own file.
    Docker,
    /// docker's own file names a program that keeps them, which is not asked.
    Store(String),
}

/// How the registry was told who we are, for those who have to explain a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::adapters) struct Told {
    /// Where the credentials came from.
    pub(in crate::adapters) source: Source,
    /// The other host that gives its tokens, where that one was told nothing.
    pub(in crate::adapters) untold: Option<String>,
}

/// A repository, and what proves who we are.
pub(in crate::adapters) struct Conversation {
    web: Web,
    docker: Option<DockerFile>,
    place: Place,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    proof: Option<HeaderValue>,
    told: Told,
}

impl Conversation {
    /// Begins one; nothing is asked yet. Credentials come from the settings, then from docker's file where one is
    /// named.
    pub(in crate::adapters) fn new(web: Web, docker: Option<DockerFile>, place: Place) -> Self {
        Self { web, docker, place, state: Mutex::default() }
    }

    /// The repository.
    pub(in crate::adapters) fn place(&self) -> &Place {
        &self.place
    }

    /// How the registry was told last who we are.
    pub(in crate::adapters) async fn told(&self) -> Told {
        self.state.lock().await.told.clone()
    }

    /// Asks; where the registry wants to know who we are, once more with what it asks for.
    pub(in crate::adapters) async fn ask(&self, asking: &Asking<'_>) -> Result<Response, TalkError> {
        let known = self.state.lock().await.proof.clone();
        let answer = self.send(asking, known.as_ref()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.renew(known, &answer).await? {
            Some(proof) => Ok(self.send(asking, Some(&proof)).await?),
            None => Ok(answer),
        }
    }

    async fn send(&self, asking: &Asking<'_>, proof: Option<&HeaderValue>) -> Result<Response, WebError> {
        let question = Question {
            method: if asking.head { Method::HEAD } else { Method::GET },
            accept: asking.accept,
            proof: proof.map_or(Proof::OfAddress, Proof::This),
            exact: asking.exact,
            ..Question::get(self.url(asking.rest)?)
        };
        self.web.ask(&question).await
    }

    /// Another proof than the one that was refused, if one can be had.
    async fn renew(
        &self,
        refused: Option<HeaderValue>,
        answer: &Response,
    ) -> Result<Option<HeaderValue>, TalkError> {
        let mut state = self.state.lock().await;
        // Another request has been here meanwhile.
        if state.proof != refused {
            return Ok(state.proof.clone());
        }
        let challenges = answer.headers().get_all(WWW_AUTHENTICATE);
        let mut challenges = challenges.iter().filter_map(|value| value.to_str().ok());
        let proof = match challenges.find_map(Challenge::parse) {
            Some(Challenge::Bearer { realm, service }) => {
                Some(self.token(&realm, &service, &mut state.told).await?)
            }
            Some(Challenge::Basic) => self.own(&mut state.told)?,
            None => None,
        };
        state.proof.clone_from(&proof);
        // What was refused once would be refused once more.
        Ok(proof.filter(|proof| refused.as_ref() != Some(proof)))
    }

    /// A registry on this machine speaks without TLS, as everywhere in this field.
    fn scheme(&self) -> &'static str {
        let host = &self.place.host;
        let name = match host.rfind(':').filter(|_| !host.ends_with(']')) {
            Some(colon) => host.get(..colon).unwrap_or_default(),
            None => host,
        };
        if self.place.plain || matches!(name, "localhost" | "127.0.0.1" | "[::1]") { "http" } else { "https" }
    }

    fn url(&self, rest: &str) -> Result<Url, WebError> {
        let text = format!("{}://{}/v2/{}/{rest}", self.scheme(), self.place.host, self.place.path);
        Url::parse(&text).map_err(|_| WebError::Denied("it is no address of a registry".to_owned()))
    }

    /// The credentials for the registry itself, and where they came from.
    fn own(&self, told: &mut Told) -> Result<Option<HeaderValue>, WebError> {
        *told = Told::default();
        let Place { host, path, .. } = &self.place;
        let entry = match self.web.credentials.for_registry(host, path) {
            Some(entry) => Some(entry),
            None => self.web.credentials.for_url(&self.url("")?),
        };
        if let Some(entry) = entry {
            told.source = Source::Settings(entry.prefix.clone());
            return web::basic(entry).map(Some);
        }
        let Some(docker) = &self.docker else { return Ok(None) };
        match docker.find(host, path)? {
            Kept::Pair(proof) => {
                told.source = Source::Docker;
                Ok(Some(proof))
            }
            Kept::Elsewhere(store) => {
                told.source = Source::Store(store);
                Ok(None)
            }
            Kept::Nothing => Ok(None),
        }
    }

    /// Fetches a token for pulling from this repository alone, whatever the challenge names.
    async fn token(&self, realm: &str, service: &str, told: &mut Told) -> Result<HeaderValue, TalkError> {
        let denied = |message: String| WebError::Denied(message);
        let mut url =
            Url::parse(realm).map_err(|_| denied("its realm for tokens is no address".to_owned()))?;
        let place = web::place(&url);
        if self.scheme() == "https" && url.scheme() != "https" {
            return Err(denied(format!("it gives its tokens at {place}, without TLS")).into());
        }
        let proof = self.proof_for_realm(&url, told)?;
        let scope = format!("repository:{}:pull", self.place.path);
        url.query_pairs_mut().append_pair("service", service).append_pair("scope", &scope);
        let question =
            Question { proof: proof.as_ref().map_or(Proof::Nothing, Proof::This), ..Question::get(url) };
        let answer = self.web.ask(&question).await?;
        if !answer.status().is_success() {
            return Err(TalkError::Refused { answer, what: format!("a token of {place}") });
        }
        let bytes = web::read_whole(answer, TOKEN_BYTES, "a token").await?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|key| value.get(*key)?.as_str());
        let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let mut header = header.ok_or_else(|| denied(format!("{place} gives no token")))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// What the giver of tokens may be told. The registry's own credentials go to the registry's own host; for
    /// another host there has to be an entry of its own, and even that is used only for registries that the settings
    /// know: else any registry could have tokens of any other made out to itself.
    fn proof_for_realm(&self, realm: &Url, told: &mut Told) -> Result<Option<HeaderValue>, WebError> {
        let Some(own) = self.own(told)? else { return Ok(None) };
        let hub = self.place.host == HUB.0 && web::place(realm) == format!("https://{}", HUB.1);
        if hub || self.url("")?.origin() == realm.origin() {
            return Ok(Some(own));
        }
        if let Some(entry) = self.web.credentials.for_url(realm) {
            return web::basic(entry).map(Some);
        }
        told.untold = Some(web::place(realm));
        Ok(None)
    }
}

/// What a registry wants to hear.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: String },
}

impl Challenge {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        if kind.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !kind.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let value = |key: &str| {
            let start = rest.find(&format!("{key}=\""))? + key.len() + 2;
            let rest = rest.get(start..)?;
            Some(rest.get(..rest.find('"')?)?.to_owned())
        };
        Some(Self::Bearer { realm: value("realm")?, service: value("service").unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_understood() {
        let text = r#"Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push""#;
        let expected =
            Challenge::Bearer { realm: "https://auth.example.com/token".into(), service: "registry".into() };
        assert_eq!(Challenge::parse(text), Some(expected));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer service=\"x\""), None);
    }
}
