//! Git's smart protocol over HTTP. Each request carries the credentials of its own URL and of no other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret;

use super::conversation::{CONNECTING, SILENCE, Service};
use super::failure::{denied, unreachable};
use crate::adapters::credentials::Credentials;
use crate::adapters::sources::SourceError;
use crate::model::source::RepositoryUrl;

/// So often a server may send us elsewhere on itself, for a canonical spelling say.
const MOST_REDIRECTS: usize = 3;

/// A client that follows no redirect by itself.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("moorline/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECTING)
        .read_timeout(SILENCE)
        .build()
}

/// A conversation over HTTP: the last answer is what is being read.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    credentials: Credentials,
    repository: RepositoryUrl,
    service: Service,
    base: Url,
    answer: Option<Response>,
}

impl Http {
    /// Continues where the server's first words are known from before.
    pub(super) fn resume(
        client: &Client,
        credentials: &Credentials,
        repository: &RepositoryUrl,
        base: &Url,
        service: Service,
    ) -> Self {
        let (client, credentials) = (client.clone(), credentials.clone());
        Self {
            client,
            credentials,
            repository: repository.clone(),
            service,
            base: base.clone(),
            answer: None,
        }
    }

    /// Asks what the server has.
    pub(super) async fn open(
        client: &Client,
        credentials: &Credentials,
        repository: &RepositoryUrl,
        base: &Url,
        service: Service,
    ) -> Result<Self, SourceError> {
        let mut http = Self::resume(client, credentials, repository, base, service);
        for _ in 0..=MOST_REDIRECTS {
            let mut url = below(&http.base, "info/refs");
            url.set_query(Some(&format!("service={}", service.name())));
            let answer = http.ask(|plain| client.get(plain), &url).await?;
            if answer.status().is_redirection() {
                http.base = redirected(&url, &answer, repository)?;
                continue;
            }
            check(&answer, repository)?;
            check_kind(&answer, repository, &format!("application/x-{}-advertisement", service.name()))?;
            http.answer = Some(answer);
            return Ok(http);
        }
        Err(denied(repository, "the server sends us from one address to the next"))
    }

    /// The address that the server has led us to.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a request; its answer is what is read next.
    pub(super) async fn send(&mut self, body: Vec<u8>) -> Result<(), SourceError> {
        let url = below(&self.base, self.service.name());
        let kind = |end: &str| format!("application/x-{}-{end}", self.service.name());
        let post = |plain| {
            let request = self.client.post(plain).header(CONTENT_TYPE, kind("request"));
            request.header(ACCEPT, kind("result")).body(body)
        };
        let answer = self.ask(post, &url).await?;
        check(&answer, &self.repository)?;
        check_kind(&answer, &self.repository, &kind("result"))?;
        self.answer = Some(answer);
        Ok(())
    }

    /// The next piece of the answer, or nothing at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        let Some(answer) = &mut self.answer else {
            return Ok(None);
        };
        answer.chunk().await.map_err(|error| transport(&self.repository, error))
    }

    async fn ask(
        &self,
        request: impl FnOnce(Url) -> RequestBuilder,
        url: &Url,
    ) -> Result<Response, SourceError> {
        // A user in the address would become a header of its own, beside ours.
        let mut plain = url.clone();
        if plain.set_username("").is_err() {
            return Err(denied(&self.repository, "the address has no host"));
        }
        let mut request = request(plain);
        if self.service == Service::UploadPack {
            request = request.header("Git-Protocol", "version=2");
        }
        if let Some(authorization) = self.authorization(url)? {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.send().await.map_err(|error| transport(&self.repository, error))
    }

    fn authorization(&self, url: &Url) -> Result<Option<HeaderValue>, SourceError> {
        let Some(entry) = self.credentials.for_url(url) else {
            return Ok(None);
        };
        let refused = |error: &dyn std::fmt::Display| {
            denied(
                &self.repository,
                format!("the password file for {} cannot be used: {error}", entry.prefix),
            )
        };
        let password = entry.password().map_err(|error| refused(&error))?;
        let in_address = Some(url.username()).filter(|user| !user.is_empty());
        let user = entry.username.as_deref().or(in_address).unwrap_or("git");
        let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        let mut value = HeaderValue::from_str(&format!("Basic {pair}")).map_err(|error| refused(&error))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn transport(repository: &RepositoryUrl, error: reqwest::Error) -> SourceError {
    unreachable(repository, crate::model::error::chain(&error.without_url()))
}

/// The new base, if it is on the same host: nothing of ours goes to another one.
fn redirected(from: &Url, answer: &Response, repository: &RepositoryUrl) -> Result<Url, SourceError> {
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut next =
        from.join(location).map_err(|_| denied(repository, "the server redirects to no valid address"))?;
    let origin =
        |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    if origin(&next) != origin(from) {
        let place = next.origin().ascii_serialization();
        return Err(denied(
            repository,
            format!("the server redirects to {place}: use that address if it is right"),
        ));
    }
    let Some(path) = next.path().strip_suffix("/info/refs").map(str::to_owned) else {
        return Err(denied(
            repository,
            "the server redirects to what is not a repository; are credentials needed?",
        ));
    };
    next.set_path(&path);
    next.set_query(None);
    next.set_fragment(None);
    Ok(next)
}

fn check(answer: &Response, repository: &RepositoryUrl) -> Result<(), SourceError> {
    let status = answer.status();
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Err(crate::adapters::sources::SourceError::Absent { repository: repository.clone() })
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(unreachable(repository, busy(answer)))
        }
        _ if status.is_server_error() => Err(unreachable(repository, busy(answer))),
        _ => Err(denied(repository, format!("the server answered {status}"))),
    }
}

fn busy(answer: &Response) -> String {
    let status = answer.status();
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    after.map_or_else(
        || format!("the server answered {status}"),
        |after| format!("the server answered {status}, to be tried again after {after} s"),
    )
}

fn check_kind(answer: &Response, repository: &RepositoryUrl, kind: &str) -> Result<(), SourceError> {
    let given = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.split(';').next().is_some_and(|given| given.trim() == kind) {
        return Ok(());
    }
    Err(denied(repository, format!("the server answered with {given:?}: no Git repository is served there")))
}
