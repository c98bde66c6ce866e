//! Chart repositories over HTTP: `index.yaml`, read as a stream and kept as lines, asked for again only to hear that
//! it is still the same.

mod reader;

use std::io::Write as _;

use reqwest::{StatusCode, Url};

use super::failure::{denied, of_web, refused, unusable};
use super::store::{Entry, Store, blocking};
use super::{ChartSourceError, Versions};
use crate::adapters::web::{self, Question, Stamp, Web, WebError};
use crate::model::chart::{ChartAddress, ChartArchive, ChartRepository};
use crate::model::digest::Digest;

/// The largest index and the largest archive.
const INDEX_BYTES: u64 = 256 << 20;
pub(super) const ARCHIVE_BYTES: usize = 64 << 20;

/// Every version of a chart.
pub(super) async fn versions(
    web: &Web,
    store: &Store,
    chart: &ChartAddress,
) -> Result<Versions, ChartSourceError> {
    let outdated = refresh(web, store, &chart.repository).await?;
    let entries = store.entries(chart.repository.as_str(), chart.name.as_str()).await?;
    if entries.is_empty() && outdated.is_none() {
        let what = format!("chart {}", chart.name);
        return Err(ChartSourceError::Missing { repository: chart.repository.clone(), what });
    }
    // As Helm has it, what has no address cannot be had.
    let usable = entries.into_iter().filter(|entry| !entry.url.is_empty());
    Ok(Versions { list: usable.map(|entry| entry.version).collect(), outdated })
}

/// Fetches the archive of a version, and verifies its digest.
pub(super) async fn archive(
    web: &Web,
    store: &Store,
    chart: &ChartAddress,
    version: &str,
) -> Result<ChartArchive, ChartSourceError> {
    let repository = &chart.repository;
    let entry = match find(store, chart, version).await {
        Some(entry) => entry,
        None => {
            let outdated = refresh(web, store, repository).await?;
            let what = format!("version {version} of {}", chart.name);
            let missing =
                outdated.unwrap_or(ChartSourceError::Missing { repository: repository.clone(), what });
            find(store, chart, version).await.ok_or(missing)?
        }
    };
    let url = below(repository, &entry.url)?;
    let what = format!("{}-{version}.tgz", chart.name);
    let question = Question { exact: true, ..Question::get(url) };
    let answer = web.ask(&question).await.map_err(of_web(repository))?;
    if !answer.status().is_success() {
        return Err(refused(repository, &answer, &what));
    }
    let bytes = web::read_whole(answer, ARCHIVE_BYTES, &what).await.map_err(of_web(repository))?;
    let digest = Digest::of(&bytes);
    let named = entry.digest.trim();
    if !named.is_empty() && named.parse() != Ok(digest) {
        return Err(unusable(repository, format!("{what} has the digest {digest}, the index says {named}")));
    }
    Ok(ChartArchive { digest, bytes: bytes.into() })
}

async fn find(store: &Store, chart: &ChartAddress, version: &str) -> Option<Entry> {
    store.stamp(chart.repository.as_str()).await?;
    let entries = store.entries(chart.repository.as_str(), chart.name.as_str()).await.ok()?;
    entries.into_iter().find(|entry| entry.version == version && !entry.url.is_empty())
}

/// An address of the index, by the repository's own.
fn below(repository: &ChartRepository, url: &str) -> Result<Url, ChartSourceError> {
    let base = Url::parse(&format!("{repository}/"));
    base.and_then(|base| base.join(url))
        .map_err(|_| unusable(repository, "the index names an address that is none"))
}

/// Sees to it that the index of the repository is kept, and is the newest. Where the repository cannot be reached
/// and an older one is kept, that one stays; the reason is returned.
async fn refresh(
    web: &Web,
    store: &Store,
    repository: &ChartRepository,
) -> Result<Option<ChartSourceError>, ChartSourceError> {
    let known = store.stamp(repository.as_str()).await;
    if known.is_some() && store.is_fresh(repository.as_str()) {
        return Ok(None);
    }
    match fetch(web, store, repository, known.as_ref()).await {
        Ok(()) => {
            store.note_asked(repository.as_str());
            Ok(None)
        }
        Err(error @ ChartSourceError::Unreachable { .. }) if known.is_some() => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

async fn fetch(
    web: &Web,
    store: &Store,
    repository: &ChartRepository,
    known: Option<&Stamp>,
) -> Result<(), ChartSourceError> {
    let url = below(repository, "index.yaml")?;
    let question = Question { known, ..Question::get(url) };
    let mut answer = web.ask(&question).await.map_err(of_web(repository))?;
    match answer.status() {
        StatusCode::NOT_MODIFIED if known.is_some() => return Ok(()),
        status if status.is_success() => {}
        StatusCode::NOT_FOUND => {
            return Err(denied(repository, "it has no index.yaml: no chart repository is served there"));
        }
        _ => return Err(refused(repository, &answer, "index.yaml")),
    }
    let stamp = Stamp::of(answer.headers());
    let disk = |error: std::io::Error| ChartSourceError::Store { message: error.to_string() };
    let mut text = store.draft().map_err(disk)?;
    let mut size = 0;
    let transport = |error| of_web(repository)(WebError::of_transport(error));
    while let Some(chunk) = answer.chunk().await.map_err(transport)? {
        size += chunk.len() as u64;
        if size > INDEX_BYTES {
            return Err(unusable(repository, format!("index.yaml has more than {INDEX_BYTES} bytes")));
        }
        text.write_all(&chunk).map_err(disk)?;
    }
    let (store, key) = (store.clone(), repository.as_str().to_owned());
    let read = blocking(move || {
        let mut lines = store.draft()?;
        match reader::read(text.reopen()?, lines.as_file_mut()) {
            Ok(()) => store.keep_index(&key, &stamp, lines).map(|()| None),
            Err(reader::Unreadable::Disk(error)) => Err(error),
            Err(reader::Unreadable::Text(message)) => Ok(Some(message)),
        }
    });
    match read.await? {
        None => Ok(()),
        Some(message) => Err(unusable(repository, format!("index.yaml {message}"))),
    }
}
