//! Git's smart protocol over HTTP. Each request carries the credentials of its own URL and of no other.

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret;

use super::conversation::{CONNECTING, SILENCE, Service};
use super::credentials::Credentials;
use super::failure::{denied, missing, unreachable};
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
    answer: Response,
}

impl Http {
    /// Asks what the server has.
    pub(super) async fn open(
        client: &Client,
        credentials: &Credentials,
        repository: &RepositoryUrl,
        base: &Url,
        service: Service,
    ) -> Result<Self, SourceError> {
        let mut base = base.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut url = below(&base, "info/refs");
            url.set_query(Some(&format!("service={}", service.name())));
            let request = authorized(client.get(url.clone()), credentials, repository, &url)?;
            let answer = send(with_version(request, service), repository).await?;
            if !answer.status().is_redirection() {
                check(&answer, repository)?;
                check_kind(
                    &answer,
                    repository,
                    &format!("application/x-{}-advertisement", service.name()),
                )?;
                let (client, credentials) = (client.clone(), credentials.clone());
                return Ok(Self {
                    client,
                    credentials,
                    repository: repository.clone(),
                    service,
                    base,
                    answer,
                });
            }
            base = redirected(&url, &answer, repository)?;
        }
        Err(denied(
            repository,
            "the server sends us from one address to the next",
        ))
    }

    /// Sends a request; its answer is what is read next.
    pub(super) async fn send(&mut self, body: Vec<u8>) -> Result<(), SourceError> {
        let url = below(&self.base, self.service.name());
        let kind = |end: &str| format!("application/x-{}-{end}", self.service.name());
        let request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, kind("request"))
            .header(ACCEPT, kind("result"));
        let request = authorized(request.body(body), &self.credentials, &self.repository, &url)?;
        let answer = send(with_version(request, self.service), &self.repository).await?;
        check(&answer, &self.repository)?;
        check_kind(&answer, &self.repository, &kind("result"))?;
        self.answer = answer;
        Ok(())
    }

    /// The next piece of the answer, or nothing at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        self.answer
            .chunk()
            .await
            .map_err(|error| transport(&self.repository, error))
    }
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn with_version(request: RequestBuilder, service: Service) -> RequestBuilder {
    match service {
        Service::UploadPack => request.header("Git-Protocol", "version=2"),
        Service::ReceivePack => request,
    }
}

fn authorized(
    request: RequestBuilder,
    credentials: &Credentials,
    repository: &RepositoryUrl,
    url: &Url,
) -> Result<RequestBuilder, SourceError> {
    let Some(entry) = credentials.for_url(url) else {
        return Ok(request);
    };
    let password = entry.password().map_err(|error| {
        denied(
            repository,
            format!("the password file for {} cannot be read: {error}", entry.prefix),
        )
    })?;
    let in_address = Some(url.username()).filter(|user| !user.is_empty());
    let user = entry.username.as_deref().or(in_address).unwrap_or("git");
    // Set here, so that the user in the address does not become a header of its own without the password.
    let value = {
        use base64::Engine;
        let pair = format!("{user}:{}", password.expose_secret());
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    let mut value = HeaderValue::from_str(&value).map_err(|error| {
        denied(
            repository,
            format!("the credentials for {}: {error}", entry.prefix),
        )
    })?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

async fn send(request: RequestBuilder, repository: &RepositoryUrl) -> Result<Response, SourceError> {
    request.send().await.map_err(|error| transport(repository, error))
}

fn transport(repository: &RepositoryUrl, error: reqwest::Error) -> SourceError {
    unreachable(repository, crate::model::error::chain(&error.without_url()))
}

/// The new base, if it is on the same host: nothing of ours goes to another one.
fn redirected(from: &Url, answer: &Response, repository: &RepositoryUrl) -> Result<Url, SourceError> {
    let location = answer
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut next = from
        .join(location)
        .map_err(|_| denied(repository, "the server redirects to no valid address"))?;
    let origin = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
        )
    };
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
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(missing(repository, "the repository")),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(unreachable(repository, busy(answer)))
        }
        _ if status.is_server_error() => Err(unreachable(repository, busy(answer))),
        _ => Err(denied(repository, format!("the server answered {status}"))),
    }
}

fn busy(answer: &Response) -> String {
    let status = answer.status();
    let after = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    after.map_or_else(
        || format!("the server answered {status}"),
        |after| format!("the server answered {status}, to be tried again after {after} s"),
    )
}

fn check_kind(answer: &Response, repository: &RepositoryUrl, kind: &str) -> Result<(), SourceError> {
    let given = answer
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if given == kind {
        return Ok(());
    }
    Err(denied(
        repository,
        format!("the server answered with {given:?}: no Git repository is served there"),
    ))
}
