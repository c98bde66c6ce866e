//! Chart repositories in memory: what is in them, what was fetched from them and is kept, and which are cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use moorline::adapters::charts::{ChartSourceError, Charts, Versions};
use moorline::model::chart::{ChartAddress, ChartArchive, ChartRepository};
use moorline::model::digest::Digest;

type Archives = BTreeMap<(ChartAddress, String), ChartArchive>;

#[derive(Default)]
struct Shop {
    offered: Archives,
    kept: Archives,
    cut_off: BTreeSet<ChartRepository>,
    asked: usize,
}

/// All chart repositories.
#[derive(Default)]
pub struct MemoryCharts {
    shop: Mutex<Shop>,
}

impl MemoryCharts {
    fn lock(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a version of a chart into its repository.
    pub fn offer(&self, chart: &ChartAddress, version: &str, archive: &[u8]) {
        let archive = ChartArchive { digest: Digest::of(archive), bytes: archive.into() };
        self.lock().offered.insert((chart.clone(), version.to_owned()), archive);
    }

    /// Cuts a repository off, or brings it back.
    pub fn set_reachable(&self, repository: &ChartRepository, reachable: bool) {
        let mut shop = self.lock();
        if reachable {
            shop.cut_off.remove(repository);
        } else {
            shop.cut_off.insert(repository.clone());
        }
    }

    /// Forgets what was fetched, as when the data directory is lost.
    pub fn forget(&self) {
        self.lock().kept.clear();
    }

    /// How often a repository was asked.
    pub fn asked(&self) -> usize {
        self.lock().asked
    }
}

/// The archive of a chart, as `helm package` makes it: its files in a folder of its name.
///
/// # Errors
///
/// A path that no archive can hold.
pub fn packaged<'a, Content: AsRef<[u8]>>(
    name: &str,
    files: impl IntoIterator<Item = (&'a str, Content)>,
) -> io::Result<Vec<u8>> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (path, content) in files {
        let content = content.as_ref();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}/{path}"), content)?;
    }
    archive.into_inner()?.finish()
}

fn cut_off(repository: &ChartRepository) -> ChartSourceError {
    let message = "connection refused".to_owned();
    ChartSourceError::Unreachable { repository: repository.clone(), message }
}

#[async_trait]
impl Charts for MemoryCharts {
    async fn versions(&self, chart: &ChartAddress) -> Result<Versions, ChartSourceError> {
        let mut shop = self.lock();
        shop.asked += 1;
        let outdated = shop.cut_off.contains(&chart.repository).then(|| cut_off(&chart.repository));
        let from = if outdated.is_some() { &shop.kept } else { &shop.offered };
        let of_chart = from.keys().filter(|(other, _)| other == chart);
        let list: Vec<String> = of_chart.map(|(_, version)| version.clone()).collect();
        match (list.is_empty(), outdated) {
            (true, Some(error)) => Err(error),
            (true, None) => Err(ChartSourceError::Missing {
                repository: chart.repository.clone(),
                what: format!("chart {}", chart.name),
            }),
            (false, outdated) => Ok(Versions { list, outdated }),
        }
    }

    async fn archive(&self, chart: &ChartAddress, version: &str) -> Result<ChartArchive, ChartSourceError> {
        let key = (chart.clone(), version.to_owned());
        let mut shop = self.lock();
        if let Some(archive) = shop.kept.get(&key) {
            return Ok(archive.clone());
        }
        shop.asked += 1;
        if shop.cut_off.contains(&chart.repository) {
            return Err(cut_off(&chart.repository));
        }
        let archive = shop.offered.get(&key).cloned().ok_or_else(|| ChartSourceError::Missing {
            repository: chart.repository.clone(),
            what: format!("version {version} of {}", chart.name),
        })?;
        shop.kept.insert(key, archive.clone());
        Ok(archive)
    }

    async fn kept(&self, chart: &ChartAddress, version: &str) -> Option<ChartArchive> {
        self.lock().kept.get(&(chart.clone(), version.to_owned())).cloned()
    }
}
