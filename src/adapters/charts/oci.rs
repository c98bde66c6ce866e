//! Charts in OCI registries: tags as versions, the manifest and its one layer that is the chart, tokens as the
//! registry asks for them.

use reqwest::header::{HeaderValue, LINK, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;

use super::index::ARCHIVE_BYTES;
use super::store::{Entry, Store, blocking};
use super::web::{self, Question, Stamp, Web, denied, refused, unusable};
use super::{ChartSourceError, Versions};
use crate::model::chart::{ChartAddress, ChartArchive, ChartRepository};
use crate::model::digest::Digest;

/// Pages of tags, and bytes of one page or manifest.
const PAGES: usize = 100;
const TEXT_BYTES: usize = 4 << 20;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The layers that are a chart; the second is that of Helm's first experiments.
const LAYERS: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// One repository of a registry, and what proves who we are.
struct Conversation<'a> {
    web: &'a Web,
    repository: &'a ChartRepository,
    host: String,
    path: String,
    proof: Option<HeaderValue>,
}

/// Every version of a chart: the tags that are versions, `_` standing for `+`.
pub(super) async fn versions(
    web: &Web,
    store: &Store,
    chart: &ChartAddress,
) -> Result<Versions, ChartSourceError> {
    let key = chart.to_string();
    let known = store.stamp(&key).await.is_some();
    let mut outdated = None;
    if !(known && store.is_fresh(&key)) {
        match Conversation::new(web, chart)?.tags().await {
            Ok(tags) => {
                keep_tags(store, &key, chart, tags).await?;
                store.note_asked(&key);
            }
            Err(error @ ChartSourceError::Unreachable { .. }) if known => outdated = Some(error),
            Err(error) => return Err(error),
        }
    }
    let entries = store.entries(&key, chart.name.as_str()).await?;
    Ok(Versions { list: entries.into_iter().map(|entry| entry.version).collect(), outdated })
}

async fn keep_tags(
    store: &Store,
    key: &str,
    chart: &ChartAddress,
    tags: Vec<String>,
) -> Result<(), ChartSourceError> {
    let (store, key, name) = (store.clone(), key.to_owned(), chart.name.to_string());
    blocking(move || {
        use std::io::Write as _;
        let mut lines = store.draft()?;
        for tag in tags {
            let entry = Entry { name: name.clone(), version: tag.replace('_', "+"), ..Entry::default() };
            writeln!(lines, "{}", serde_json::to_string(&entry).map_err(std::io::Error::other)?)?;
        }
        store.keep_index(&key, &Stamp::default(), lines)
    })
    .await
}

/// Fetches the archive of a version; every part is verified by the digest that names it.
pub(super) async fn archive(
    web: &Web,
    chart: &ChartAddress,
    version: &str,
) -> Result<ChartArchive, ChartSourceError> {
    let mut talk = Conversation::new(web, chart)?;
    let repository = &chart.repository;
    let tag = version.replace('+', "_");
    let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let what = format!("version {version} of {}", chart.name);
    if tag.is_empty() || tag.len() > 128 || !tag.chars().all(plain) {
        return Err(ChartSourceError::Missing { repository: repository.clone(), what });
    }
    let answer = talk.get(&format!("manifests/{tag}"), Some(MANIFEST), false).await?;
    if !answer.status().is_success() {
        return Err(refused(repository, &answer, &what));
    }
    let bytes = web::read_whole(repository, answer, TEXT_BYTES, "the manifest").await?;
    let manifest: Value = serde_json::from_slice(&bytes)
        .map_err(|error| unusable(repository, format!("the manifest of {what} is no JSON: {error}")))?;
    let layers = manifest.get("layers").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_chart = |layer: &&Value| {
        layer.get("mediaType").and_then(Value::as_str).is_some_and(|kind| LAYERS.contains(&kind))
    };
    let layer = layers.iter().find(is_chart);
    let layer = layer.ok_or_else(|| unusable(repository, format!("{what} is no Helm chart")))?;
    let digest = layer.get("digest").and_then(Value::as_str).unwrap_or_default();
    let digest: Digest = digest
        .starts_with("sha256:")
        .then(|| digest.parse().ok())
        .flatten()
        .ok_or_else(|| unusable(repository, format!("the layer of {what} has the digest {digest:?}")))?;
    let answer = talk.get(&format!("blobs/{digest}"), None, true).await?;
    if !answer.status().is_success() {
        return Err(refused(repository, &answer, &format!("the content of {what}")));
    }
    let bytes = web::read_whole(repository, answer, ARCHIVE_BYTES, &what).await?;
    let found = Digest::of(&bytes);
    if found != digest {
        return Err(unusable(
            repository,
            format!("{what} has the digest {found}, its manifest says {digest}"),
        ));
    }
    Ok(ChartArchive { digest, bytes: bytes.into() })
}

impl<'a> Conversation<'a> {
    fn new(web: &'a Web, chart: &'a ChartAddress) -> Result<Self, ChartSourceError> {
        let repository = &chart.repository;
        let rest = repository.as_str().strip_prefix("oci://").unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = if path.is_empty() { chart.name.to_string() } else { format!("{path}/{}", chart.name) };
        let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-/".contains(char);
        if !path.chars().all(plain) || path.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
            return Err(denied(repository, format!("{path} is no name of an OCI repository")));
        }
        Ok(Self { web, repository, host: host.to_owned(), path, proof: None })
    }

    /// A registry on this machine speaks without TLS, as everywhere in this field.
    fn scheme(&self) -> &'static str {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        if matches!(name, "localhost" | "127.0.0.1" | "[::1]") { "http" } else { "https" }
    }

    fn url(&self, rest: &str) -> Result<Url, ChartSourceError> {
        let text = format!("{}://{}/v2/{}/{rest}", self.scheme(), self.host, self.path);
        Url::parse(&text).map_err(|_| denied(self.repository, "it is no address of a registry"))
    }

    async fn tags(mut self) -> Result<Vec<String>, ChartSourceError> {
        let mut tags = Vec::new();
        let mut next = "tags/list?n=1000".to_owned();
        for _ in 0..PAGES {
            let answer = self.get(&next, None, false).await?;
            if !answer.status().is_success() {
                return Err(refused(self.repository, &answer, &format!("chart {}", self.path)));
            }
            let link = answer.headers().get(LINK).and_then(|value| value.to_str().ok()).and_then(next_page);
            let bytes = web::read_whole(self.repository, answer, TEXT_BYTES, "a page of tags").await?;
            let page: Value = serde_json::from_slice(&bytes)
                .map_err(|error| unusable(self.repository, format!("a page of tags is no JSON: {error}")))?;
            let list = page.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
            tags.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            match link {
                Some(query) => next = format!("tags/list?{query}"),
                None => return Ok(tags),
            }
        }
        Err(unusable(self.repository, format!("its tags fill more than {PAGES} pages")))
    }

    /// Asks; where the registry wants to know who we are, once more with what it asks for.
    async fn get(
        &mut self,
        rest: &str,
        accept: Option<&str>,
        exact: bool,
    ) -> Result<Response, ChartSourceError> {
        let answer = self.ask(rest, accept, exact).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || self.proof.is_some() {
            return Ok(answer);
        }
        let challenges = answer.headers().get_all(WWW_AUTHENTICATE);
        let challenges: Vec<&str> = challenges.iter().filter_map(|value| value.to_str().ok()).collect();
        let challenge = challenges.iter().find_map(|text| Challenge::parse(text));
        self.proof = match challenge {
            Some(Challenge::Bearer { realm, service, scope }) => {
                Some(self.token(&realm, &service, &scope).await?)
            }
            Some(Challenge::Basic) => self.own_credentials()?,
            None => None,
        };
        if self.proof.is_none() {
            return Ok(answer);
        }
        self.ask(rest, accept, exact).await
    }

    async fn ask(&self, rest: &str, accept: Option<&str>, exact: bool) -> Result<Response, ChartSourceError> {
        let url = self.url(rest)?;
        let question = Question {
            repository: self.repository,
            url,
            accept,
            known: None,
            proof: self.proof.as_ref(),
            exact,
        };
        self.web.ask(&question).await
    }

    fn own_credentials(&self) -> Result<Option<HeaderValue>, ChartSourceError> {
        let entry = self.web.credentials.for_registry(&self.host, &self.path);
        entry.map(|entry| web::basic(entry, self.repository)).transpose()
    }

    /// Fetches a token. The registry's own credentials go to the registry's own host; for another host that gives
    /// its tokens there has to be an entry of its own.
    async fn token(&self, realm: &str, service: &str, scope: &str) -> Result<HeaderValue, ChartSourceError> {
        let mut url =
            Url::parse(realm).map_err(|_| denied(self.repository, "its realm for tokens is no address"))?;
        let scope =
            if scope.is_empty() { format!("repository:{}:pull", self.path) } else { scope.to_owned() };
        url.query_pairs_mut().append_pair("service", service).append_pair("scope", &scope);
        let same = self.url("")?.origin() == url.origin();
        let own = if same { self.own_credentials()? } else { None };
        let place = web::place(&url);
        let question = Question {
            repository: self.repository,
            url,
            accept: None,
            known: None,
            proof: own.as_ref(),
            exact: false,
        };
        let answer = self.web.ask(&question).await?;
        if !answer.status().is_success() {
            return Err(refused(self.repository, &answer, &format!("a token of {place}")));
        }
        let bytes = web::read_whole(self.repository, answer, TEXT_BYTES, "a token").await?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|key| value.get(*key)?.as_str());
        let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let mut header = header.ok_or_else(|| denied(self.repository, format!("{place} gives no token")))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// What a registry wants to hear.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: String, scope: String },
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
        let text = |key: &str| value(key).unwrap_or_default();
        Some(Self::Bearer { realm: value("realm")?, service: text("service"), scope: text("scope") })
    }
}

/// The query of the next page: `</v2/a/tags/list?last=x&n=1000>; rel="next"`. Its place is ours, whatever it says.
fn next_page(link: &str) -> Option<String> {
    let (address, about) = link.split_once('>')?;
    if !about.contains("rel=\"next\"") && !about.contains("rel=next") {
        return None;
    }
    Some(address.trim_start_matches([' ', '<']).split_once('?')?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_and_pages_are_understood() {
        let text = r#"Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example.com/token".into(),
            service: "registry".into(),
            scope: "repository:a/b:pull,push".into(),
        };
        assert_eq!(Challenge::parse(text), Some(expected));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer service=\"x\""), None);
        let link = "</v2/a/tags/list?last=1.0.0&n=1000>; rel=\"next\"";
        assert_eq!(next_page(link).as_deref(), Some("last=1.0.0&n=1000"));
        assert_eq!(next_page("<x>; rel=\"prev\""), None);
    }
}
