//! The private registries of AWS, asked by their own API: a hundred images with one question, and absence told from
//! refusal. Credentials are those of AWS's own default chain, with a role on top where the settings name one.

mod failure;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{RuntimeComponents, SharedCredentialsProvider, SharedHttpClient};
use aws_sdk_ecr::operation::batch_get_image::BatchGetImageOutput;
use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::OnceCell;

use self::failure::Failure;
use super::hosts::Hosts;
use super::places::Places;
use super::{Found, MANIFESTS, RegistryError};
use crate::model::image::{EcrRegistry, ImageDigest, ImageRepository, ImageTag};

/// So many images one question may name, and so many questions about one repository are asked at a time.
const BATCH: usize = 100;
const BATCHES_AT_A_TIME: usize = 4;

/// How long a connection may take to be made, and one attempt; there are two of them within the deadline.
const CONNECTING: Duration = Duration::from_secs(3);
const ATTEMPT: Duration = Duration::from_millis(4500);
const ATTEMPTS: u32 = 2;

/// All registries of this kind.
pub(super) struct EcrRegistries {
    places: Places,
    hosts: Hosts,
    http: SharedHttpClient,
    /// Instead of the default chain.
    credentials: Option<SharedCredentialsProvider>,
    /// Made when they are needed first, and kept: their connections and the credentials of their roles.
    clients: Mutex<HashMap<Access, Arc<OnceCell<Client>>>>,
}

/// What makes one client another. The account of a registry is said in each question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Access {
    region: String,
    fips: bool,
    role: Option<String>,
    endpoint: Option<String>,
}

/// One question about one repository.
struct Question<'a> {
    host: &'a str,
    account: &'a str,
    path: &'a str,
}

impl EcrRegistries {
    /// Asks nobody yet, for credentials neither.
    pub(super) fn new(places: Places, hosts: Hosts) -> Self {
        Self { places, hosts, http: http_client(), credentials: None, clients: Mutex::default() }
    }

    /// Which of these tags exist; a tag stands in the list once.
    pub(super) async fn find(
        &self,
        registry: &EcrRegistry,
        repository: &ImageRepository,
        tags: &[ImageTag],
    ) -> Result<Found, RegistryError> {
        let batches: Vec<Vec<ImageTag>> = tags.chunks(BATCH).map(<[ImageTag]>::to_vec).collect();
        let batches = stream::iter(batches).map(|batch| async move {
            let identify = |tag: &ImageTag| ImageIdentifier::builder().image_tag(tag.as_str()).build();
            let answer = self.ask(registry, repository, batch.iter().map(identify).collect()).await?;
            answer.map(|answer| read(repository.host(), &batch, &answer)).transpose()
        });
        let answers: Vec<Option<BTreeMap<ImageTag, ImageDigest>>> =
            batches.buffer_unordered(BATCHES_AT_A_TIME).try_collect().await?;
        let repository_missing = answers.iter().any(Option::is_none);
        Ok(Found { images: answers.into_iter().flatten().flatten().collect(), repository_missing })
    }

    /// Whether a digest exists.
    pub(super) async fn has(
        &self,
        registry: &EcrRegistry,
        repository: &ImageRepository,
        digest: &ImageDigest,
    ) -> Result<bool, RegistryError> {
        let image = ImageIdentifier::builder().image_digest(digest.to_string()).build();
        let Some(answer) = self.ask(registry, repository, vec![image]).await? else { return Ok(false) };
        let absent = absent(repository.host(), &answer)?;
        match (answer.images().is_empty(), absent.is_empty()) {
            (false, _) => Ok(true),
            (true, false) => Ok(false),
            (true, true) => Err(unusable(repository.host(), format!("it says nothing of {digest}"))),
        }
    }

    /// Asks; nothing is the answer where there is no such repository.
    async fn ask(
        &self,
        registry: &EcrRegistry,
        repository: &ImageRepository,
        images: Vec<ImageIdentifier>,
    ) -> Result<Option<BatchGetImageOutput>, RegistryError> {
        let question =
            Question { host: repository.host(), account: &registry.account, path: repository.path() };
        let asked = async {
            let client = self.client(self.access(registry, repository)).await;
            let request =
                client.batch_get_image().registry_id(question.account).repository_name(question.path);
            let accepted = MANIFESTS.map(str::to_owned).to_vec();
            let request = request.set_image_ids(Some(images)).set_accepted_media_types(Some(accepted));
            // Boxed: what the SDK keeps between two awaits takes tens of kilobytes.
            match Box::pin(request.send()).await {
                Ok(answer) => Ok(Some(answer)),
                Err(error) => match failure::classify(&question, &error) {
                    Failure::NoRepository => Ok(None),
                    Failure::Error(error) => Err(error),
                },
            }
        };
        self.hosts.host(repository.host()).ask(asked).await
    }

    fn access(&self, registry: &EcrRegistry, repository: &ImageRepository) -> Access {
        let reach = self.places.reach(repository);
        Access {
            region: reach.region.unwrap_or_else(|| registry.region.clone()),
            fips: registry.fips,
            role: reach.role,
            endpoint: reach.endpoint,
        }
    }

    async fn client(&self, access: Access) -> Client {
        let cell = {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(clients.entry(access.clone()).or_default())
        };
        cell.get_or_init(|| Box::pin(self.connect(access))).await.clone()
    }

    async fn connect(&self, access: Access) -> Client {
        let base = self.base(&access).await;
        let mut config = aws_sdk_ecr::config::Builder::from(&base);
        if let Some(role) = access.role {
            let region = Region::new(access.region.clone());
            let role =
                AssumeRoleProvider::builder(role).session_name("moorline").region(region).configure(&base);
            config = config.credentials_provider(role.build().await);
        }
        if let Some(endpoint) = access.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Client::from_conf(config.build())
    }

    async fn base(&self, access: &Access) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECTING)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(super::DEADLINE);
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(self.http.clone())
            .region(Region::new(access.region.clone()))
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        if access.fips {
            loader = loader.use_fips(true);
        }
        if let Ok(name) = AppName::new("moorline") {
            loader = loader.app_name(name);
        }
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        loader.load().await
    }

    /// The same with these credentials instead of those of the default chain.
    #[cfg(test)]
    pub(super) fn with_credentials(mut self, user: &str, password: &str) -> Self {
        let credentials = aws_sdk_ecr::config::Credentials::new(user, password, None, None, "tests");
        self.credentials = Some(SharedCredentialsProvider::new(credentials));
        self
    }
}

/// One pool of connections for all clients, by the cryptography of everything else here, through the proxy that the
/// environment names.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::rustls(CryptoMode::Ring))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

/// The tags that an answer has, of those that were asked for; each of them has to be in it, there or not there.
fn read(
    host: &str,
    asked: &[ImageTag],
    answer: &BatchGetImageOutput,
) -> Result<BTreeMap<ImageTag, ImageDigest>, RegistryError> {
    let absent = absent(host, answer)?;
    let mut found = BTreeMap::new();
    for id in answer.images().iter().filter_map(|image| image.image_id()) {
        let Some(tag) = asked.iter().find(|tag| id.image_tag() == Some(tag.as_str())) else { continue };
        let digest = id.image_digest().unwrap_or_default();
        let digest = digest.parse().map_err(|error| unusable(host, format!("{tag}: {error}")))?;
        found.insert(tag.clone(), digest);
    }
    let told = |tag: &&ImageTag| found.contains_key(*tag) || absent.contains(tag.as_str());
    match asked.iter().find(|tag| !told(tag)) {
        Some(tag) => Err(unusable(host, format!("it says nothing of the tag {tag}"))),
        None => Ok(found),
    }
}

/// The tags or digests that do not exist. Of all the failures that an answer may name, one alone says that.
fn absent(host: &str, answer: &BatchGetImageOutput) -> Result<BTreeSet<String>, RegistryError> {
    let mut absent = BTreeSet::new();
    for failure in answer.failures() {
        let id = failure.image_id();
        let name = id.and_then(|id| id.image_tag().or_else(|| id.image_digest())).unwrap_or_default();
        match failure.failure_code() {
            Some(ImageFailureCode::ImageNotFound) => {
                absent.insert(name.to_owned());
            }
            code => {
                let code = code.map_or("no reason", ImageFailureCode::as_str);
                let reason = failure.failure_reason().unwrap_or_default();
                return Err(failure::of_image(host, name, code, reason));
            }
        }
    }
    Ok(absent)
}

fn unusable(host: &str, message: String) -> RegistryError {
    RegistryError::Unusable { host: host.to_owned(), message }
}

#[cfg(test)]
mod tests;
