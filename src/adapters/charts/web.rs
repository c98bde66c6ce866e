//! HTTP with chart repositories. Each request carries the credentials of its own address and of no other: what an
//! index names, a redirect leads to or a registry challenges with is another address.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use reqwest::header::{LAST_MODIFIED, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret as _;

use super::ChartSourceError;
use crate::adapters::credentials::{CredentialEntry, Credentials};
use crate::model::chart::ChartRepository;
use crate::model::error::chain;

/// So often a server may send us elsewhere.
const MOST_REDIRECTS: usize = 5;
/// How long a connection may take to be made, and how long a server may be silent.
const CONNECTING: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// How long one answer may take altogether, however slowly it drips.
const WHOLE: Duration = Duration::from_mins(5);

/// The clients, and what they may say of who we are.
pub(super) struct Web {
    /// For archives: what is fetched is what lies there, compressed or not.
    exact: Client,
    /// For texts, which may be compressed on their way.
    text: Client,
    pub(super) credentials: Credentials,
}

/// What is asked.
pub(super) struct Question<'a> {
    /// For whom.
    pub(super) repository: &'a ChartRepository,
    /// Where.
    pub(super) url: Url,
    /// In which form.
    pub(super) accept: Option<&'a str>,
    /// What we have already.
    pub(super) known: Option<&'a Stamp>,
    /// What proves who we are; absent means the credentials of the address.
    pub(super) proof: Option<&'a HeaderValue>,
    /// Whether the answer's bytes count.
    pub(super) exact: bool,
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
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Response, ChartSourceError> {
        let repository = question.repository;
        let mut url = question.url.clone();
        for hop in 0..=MOST_REDIRECTS {
            check_address(&url, repository)?;
            let answer = self.send(question, &url).await?;
            if !answer.status().is_redirection() || answer.status() == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            if hop < MOST_REDIRECTS {
                url = redirected(&url, &answer, repository)?;
            }
        }
        Err(denied(repository, "the server sends us from one address to the next"))
    }

    async fn send(&self, question: &Question<'_>, url: &Url) -> Result<Response, ChartSourceError> {
        let repository = question.repository;
        let client = if question.exact { &self.exact } else { &self.text };
        let mut request = client.get(url.clone());
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
            Some(proof) if url.origin() == question.url.origin() => Some(proof.clone()),
            Some(_) => None,
            None => self.credentials.for_url(url).map(|entry| basic(entry, repository)).transpose()?,
        };
        if let Some(proof) = proof {
            request = request.header(AUTHORIZATION, proof);
        }
        request.send().await.map_err(|error| transport(repository, error))
    }
}

/// User and password as one header.
pub(super) fn basic(
    entry: &CredentialEntry,
    repository: &ChartRepository,
) -> Result<HeaderValue, ChartSourceError> {
    let refused = |error: &dyn std::fmt::Display| {
        denied(repository, format!("the password file for {} cannot be used: {error}", entry.prefix))
    };
    let password = entry.password().map_err(|error| refused(&error))?;
    let user = entry.username.as_deref().unwrap_or("moorline");
    let pair = BASE64.encode(format!("{user}:{}", password.expose_secret()));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).map_err(|error| refused(&error))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Only HTTP, no user in the address, and nothing of the machine's own surroundings: the link-local addresses are
/// where clouds keep the credentials of their machines.
fn check_address(url: &Url, repository: &ChartRepository) -> Result<(), ChartSourceError> {
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
        return Err(denied(repository, format!("{} is no address to fetch charts from", place(url))));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(denied(repository, format!("{} names a user or password", place(url))));
    }
    Ok(())
}

/// Scheme, host and port: the rest of an address may hold a token.
pub(super) fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn redirected(from: &Url, answer: &Response, repository: &ChartRepository) -> Result<Url, ChartSourceError> {
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let next =
        from.join(location).map_err(|_| denied(repository, "the server redirects to no valid address"))?;
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(denied(repository, format!("the server redirects to {}, without TLS", place(&next))));
    }
    Ok(next)
}

/// The error for an answer that is no success; `what` was asked for.
pub(super) fn refused(repository: &ChartRepository, answer: &Response, what: &str) -> ChartSourceError {
    let (status, host) = (answer.status(), place(answer.url()));
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            ChartSourceError::Missing { repository: repository.clone(), what: what.to_owned() }
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            let after = after.map(|after| format!(", to be tried again after {after} s")).unwrap_or_default();
            unreachable(repository, format!("{host} answered {status} for {what}{after}"))
        }
        _ if status.is_server_error() => {
            unreachable(repository, format!("{host} answered {status} for {what}"))
        }
        _ => denied(repository, format!("{host} answered {status} for {what}")),
    }
}

/// A whole answer in memory, up to a limit.
pub(super) async fn read_whole(
    repository: &ChartRepository,
    mut answer: Response,
    limit: usize,
    what: &str,
) -> Result<Vec<u8>, ChartSourceError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| transport(repository, error))? {
        if bytes.len() + chunk.len() > limit {
            return Err(unusable(repository, format!("{what} has more than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

pub(super) fn transport(repository: &ChartRepository, error: reqwest::Error) -> ChartSourceError {
    unreachable(repository, chain(&error.without_url()))
}

pub(super) fn unreachable(repository: &ChartRepository, message: impl Into<String>) -> ChartSourceError {
    ChartSourceError::Unreachable { repository: repository.clone(), message: message.into() }
}

pub(super) fn denied(repository: &ChartRepository, message: impl Into<String>) -> ChartSourceError {
    ChartSourceError::Denied { repository: repository.clone(), message: message.into() }
}

pub(super) fn unusable(repository: &ChartRepository, message: impl Into<String>) -> ChartSourceError {
    ChartSourceError::Unusable { repository: repository.clone(), message: message.into() }
}
