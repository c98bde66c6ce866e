//! Charts in OCI registries: tags as versions, the manifest and its one layer that is the chart.

use reqwest::Response;
use reqwest::header::LINK;
use serde_json::Value;

use super::failure::{denied, of_web, refused, unusable};
use super::index::ARCHIVE_BYTES;
use super::store::{Entry, Store, blocking};
use super::{ChartSourceError, Versions};
use crate::adapters::registry::conversation::{Asking, Conversation, Place, TalkError};
use crate::adapters::web::{self, Stamp, Web};
use crate::model::chart::{ChartAddress, ChartArchive, ChartRepository};
use crate::model::digest::Digest;

/// Pages of tags, and bytes of one page or manifest.
const PAGES: usize = 100;
const TEXT_BYTES: usize = 4 << 20;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The layers that are a chart; the second is that of Helm's first experiments.
const LAYERS: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// One chart's repository of a registry.
struct Talk<'a> {
    conversation: Conversation,
    repository: &'a ChartRepository,
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
        match Talk::new(web, chart)?.tags().await {
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
    let talk = Talk::new(web, chart)?;
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
    let bytes = web::read_whole(answer, TEXT_BYTES, "the manifest").await.map_err(of_web(repository))?;
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
    let bytes = web::read_whole(answer, ARCHIVE_BYTES, &what).await.map_err(of_web(repository))?;
    let found = Digest::of(&bytes);
    if found != digest {
        return Err(unusable(
            repository,
            format!("{what} has the digest {found}, its manifest says {digest}"),
        ));
    }
    Ok(ChartArchive { digest, bytes: bytes.into() })
}

impl<'a> Talk<'a> {
    fn new(web: &Web, chart: &'a ChartAddress) -> Result<Self, ChartSourceError> {
        let repository = &chart.repository;
        let rest = repository.as_str().strip_prefix("oci://").unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = if path.is_empty() { chart.name.to_string() } else { format!("{path}/{}", chart.name) };
        let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-/".contains(char);
        if !path.chars().all(plain) || path.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
            return Err(denied(repository, format!("{path} is no name of an OCI repository")));
        }
        let place = Place { host: host.to_owned(), path, plain: false };
        Ok(Self { conversation: Conversation::new(web.clone(), None, place), repository })
    }

    async fn tags(&self) -> Result<Vec<String>, ChartSourceError> {
        let mut tags = Vec::new();
        let mut next = "tags/list?n=1000".to_owned();
        for _ in 0..PAGES {
            let answer = self.get(&next, None, false).await?;
            if !answer.status().is_success() {
                return Err(refused(
                    self.repository,
                    &answer,
                    &format!("chart {}", self.conversation.place().path),
                ));
            }
            let link = answer.headers().get(LINK).and_then(|value| value.to_str().ok()).and_then(next_page);
            let bytes = web::read_whole(answer, TEXT_BYTES, "a page of tags")
                .await
                .map_err(of_web(self.repository))?;
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

    async fn get(&self, rest: &str, accept: Option<&str>, exact: bool) -> Result<Response, ChartSourceError> {
        let asking = Asking { accept, exact, ..Asking::get(rest) };
        self.conversation.ask(&asking).await.map_err(|error| match error {
            TalkError::Web(error) => of_web(self.repository)(error),
            TalkError::Refused { answer, what } => refused(self.repository, &answer, &what),
        })
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
    fn pages_are_understood() {
        let link = "</v2/a/tags/list?last=1.0.0&n=1000>; rel=\"next\"";
        assert_eq!(next_page(link).as_deref(), Some("last=1.0.0&n=1000"));
        assert_eq!(next_page("<x>; rel=\"prev\""), None);
    }
}
