//! HTTP with repositories of charts and images. Each request carries the credentials of its own address and of no
//! other: what an index names, a redirect leads to or a registry challenges with is another address.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use reqwest::header::{LAST_MODIFIED, LOCATION};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};

use super::credentials::{CredentialEntry, Credentials};
use crate::model::error::chain;

/// So often a server may send us elsewhere.
const MOST_REDIRECTS: usize = 5;
/// How long a connection may take to be made, and how long a server may be silent.
const CONNECTING: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// How long one answer may take altogether, however slowly it drips.
const WHOLE: Duration = Duration::from_mins(5);

/// Why there is no answer, or none that can be used; whoever asked says of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WebError {
    /// Nobody answered.
    Unreachable(String),
    /// We are led or asked to where we do not go, or have no right.
    Denied(String),
    /// The answer is not what it should be.
    Unusable(String),
}

impl WebError {
    /// What a failed request says, without the address, which may hold a token.
    pub(super) fn of_transport(error: reqwest::Error) -> Self {
        Self::Unreachable(chain(&error.without_url()))
    }
}

/// The clients, and what they may say of who we are.
#[derive(Clone)]
pub(super) struct Web {
    /// For what has a digest: what is fetched is what lies there, compressed or not.
    exact: Client,
    /// For texts, which may be compressed on their way.
    text: Client,
    pub(super) credentials: Credentials,
}

/// What is asked.
#[derive(Clone)]
pub(super) struct Question<'a> {
    /// `GET` or `HEAD`.
    pub(super) method: Method,
    /// Where.
    pub(super) url: Url,
    /// In which form.
    pub(super) accept: Option<&'a str>,
    /// What we have already.
    pub(super) known: Option<&'a Stamp>,
    /// What proves who we are.
    pub(super) proof: Proof<'a>,
    /// Whether the answer's bytes count.
    pub(super) exact: bool,
}

/// What a request may say of who we are. Whatever it is, a redirect carries it to no other
/// host.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// The credentials that the settings have for the address.
    OfAddress,
    /// This header, to the host that is asked first and to no other.
    This(&'a HeaderValue),
    /// Nothing, whatever the settings have.
    Nothing,
}

impl Question<'_> {
    /// A plain `GET`.
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, accept: None, known: None, proof: Proof::OfAddress, exact: false }
    }
}

/// What a server says to tell one version of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stamp {
    /// `ETag`
    pub(super) etag: Option<String>,
    /// `Last-Modified`
    pub(super) modified: Option<String>,
}

impl Stamp {
    /// What an answer carries.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { etag: text(ETAG), modified: text(LAST_MODIFIED) }
    }
}

impl Web {
    /// Clients that follow no redirect by themselves.
    pub(super) fn new(credentials: Credentials) -> reqwest::Result<Self> {
        let client = || {
            Client::builder()
                .user_agent(concat!("moorline/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECTING)
                .read_timeout(SILENCE)
                .timeout(WHOLE)
        };
        Ok(Self { exact: client().no_gzip().build()?, text: client().build()?, credentials })
    }

    /// Asks, and follows where the server leads; the answer may be of any status but a redirect.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Response, WebError> {
        let mut url = question.url.clone();
        for hop in 0..=MOST_REDIRECTS {
            check_address(&url)?;
            let answer = self.send(question, &url).await?;
            if !answer.status().is_redirection() || answer.status() == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            if hop < MOST_REDIRECTS {
                url = redirected(&url, &answer)?;
            }
        }
        Err(WebError::Denied("the server sends us from one address to the next".to_owned()))
    }

    async fn send(&self, question: &Question<'_>, url: &Url) -> Result<Response, WebError> {
        let client = if question.exact { &self.exact } else { &self.text };
        let mut request = client.request(question.method.clone(), url.clone());
        if let Some(accept) = question.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(known) = question.known {
            for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.modified)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
        }
        let proof = match question.proof {
            // What was given for one host is never said to another.
            Proof::This(proof) if url.origin() == question.url.origin() => Some(proof.clone()),
            Proof::This(_) | Proof::Nothing => None,
            Proof::OfAddress => self.credentials.for_url(url).map(basic).transpose()?,
        };
        if let Some(proof) = proof {
            request = request.header(AUTHORIZATION, proof);
        }
        request.send().await.map_err(WebError::of_transport)
    }
}

/// User and password of an entry as one header; reads the password's file.
pub(super) fn basic(entry: &CredentialEntry) -> Result<HeaderValue, WebError> {
    let refused = |error: &dyn std::fmt::Display| {
        WebError::Denied(format!("the password file for {} cannot be used: {error}", entry.prefix))
    };
    let password = entry.password().map_err(|error| refused(&error))?;
    let user = entry.username.as_deref().unwrap_or("moorline");
    basic_pair(user, &password).ok_or_else(|| refused(&"it is no text for a header"))
}

/// User and password as one header.
pub(super) fn basic_pair(user: &str, password: &SecretString) -> Option<HeaderValue> {
    let pair = BASE64.encode(format!("{user}:{}", password.expose_secret()));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Only HTTP, no user in the address, and nothing of the machine's own surroundings: the link-local addresses are
/// where clouds keep the credentials of their machines.
fn check_address(url: &Url) -> Result<(), WebError> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let local = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_unspecified(),
        Ok(IpAddr::V6(address)) => {
            let mapped = address.to_ipv4_mapped().is_some_and(|address| address.is_link_local());
            address.is_unicast_link_local() || address.is_unspecified() || mapped
        }
        Err(_) => false,
    };
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() || local {
        return Err(WebError::Denied(format!("{} is no address to fetch from", place(url))));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebError::Denied(format!("{} names a user or password", place(url))));
    }
    Ok(())
}

/// Scheme, host and port: the rest of an address may hold a token.
pub(super) fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn redirected(from: &Url, answer: &Response) -> Result<Url, WebError> {
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let next = from
        .join(location)
        .map_err(|_| WebError::Denied("the server redirects to no valid address".to_owned()))?;
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(WebError::Denied(format!("the server redirects to {}, without TLS", place(&next))));
    }
    Ok(next)
}

/// A whole answer in memory, up to a limit; `what` it is.
pub(super) async fn read_whole(mut answer: Response, limit: usize, what: &str) -> Result<Vec<u8>, WebError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(WebError::of_transport)? {
        if bytes.len() + chunk.len() > limit {
            return Err(WebError::Unusable(format!("{what} has more than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
