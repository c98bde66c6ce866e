//! What was fetched, in a folder: archives by their digest, which version of which chart is which archive, and the
//! last index of each repository. A cache: it may vanish at any time, and what is in it is checked when it is read.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::ChartSourceError;
use crate::adapters::web::Stamp;
use crate::model::chart::{ChartAddress, ChartArchive};
use crate::model::digest::Digest;

/// Within this time a repository's index is not asked for again.
const FRESH: Duration = Duration::from_secs(20);

/// The folder.
#[derive(Clone)]
pub(super) struct Store {
    folder: Arc<PathBuf>,
    capacity: u64,
    asked: Arc<Mutex<HashMap<String, Instant>>>,
}

/// One version of a chart in an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Entry {
    /// The chart.
    #[serde(rename = "n")]
    pub(super) name: String,
    /// The version.
    #[serde(rename = "v")]
    pub(super) version: String,
    /// Where its archive is; absolute, or relative to the repository.
    #[serde(rename = "u")]
    pub(super) url: String,
    /// The digest of its archive, where the index names one.
    #[serde(rename = "d")]
    pub(super) digest: String,
}

fn failed(error: impl std::fmt::Display) -> ChartSourceError {
    ChartSourceError::Store { message: error.to_string() }
}

/// Runs what touches the disk away from the other tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ChartSourceError> {
    tokio::task::spawn_blocking(work).await.map_err(failed)?.map_err(failed)
}

impl Store {
    pub(super) fn new(folder: PathBuf, capacity: u64) -> Self {
        Self { folder: Arc::new(folder), capacity, asked: Arc::default() }
    }

    fn archive_path(&self, digest: Digest) -> PathBuf {
        self.folder.join("archives").join(digest.hex())
    }

    fn link_path(&self, chart: &ChartAddress, version: &str) -> PathBuf {
        let parts = [chart.repository.as_str(), chart.name.as_str(), version];
        self.folder.join("versions").join(Digest::of_parts(parts.map(str::as_bytes)).hex())
    }

    fn index_path(&self, key: &str, kind: &str) -> PathBuf {
        self.folder.join("indexes").join(format!("{}.{kind}", Digest::of(key.as_bytes()).hex()))
    }

    /// The archive that was kept for a version, if it is still what it was.
    pub(super) async fn archive(&self, chart: &ChartAddress, version: &str) -> Option<ChartArchive> {
        let (store, link) = (self.clone(), self.link_path(chart, version));
        let read = move || {
            let text = fs::read_to_string(link)?;
            let digest: Digest = text.trim().parse().map_err(std::io::Error::other)?;
            let path = store.archive_path(digest);
            let bytes = fs::read(&path)?;
            if Digest::of(&bytes) != digest {
                drop(fs::remove_file(&path));
                return Err(std::io::Error::other("the archive is another than it was"));
            }
            // The time of the last use decides what goes when room is needed.
            if let Ok(file) = fs::File::options().append(true).open(&path) {
                drop(file.set_modified(now()));
            }
            Ok(ChartArchive { digest, bytes: bytes.into() })
        };
        blocking(read).await.ok()
    }

    /// Keeps an archive under its digest, and notes which version it is.
    pub(super) async fn keep(
        &self,
        chart: &ChartAddress,
        version: &str,
        archive: &ChartArchive,
    ) -> Result<(), ChartSourceError> {
        let (store, link) = (self.clone(), self.link_path(chart, version));
        let archive = archive.clone();
        blocking(move || {
            write_whole(&store.archive_path(archive.digest), &archive.bytes)?;
            write_whole(&link, archive.digest.to_string().as_bytes())?;
            store.make_room(archive.digest)
        })
        .await
    }

    /// Removes the archives that were not used for longest until the rest fits; never the newest one.
    fn make_room(&self, newest: Digest) -> std::io::Result<()> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.folder.join("archives"))? {
            let entry = entry?;
            if let Ok(about) = entry.metadata() {
                all.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len(), entry.path()));
            }
        }
        let mut total: u64 = all.iter().map(|(_, size, _)| size).sum();
        all.sort();
        let newest = self.archive_path(newest);
        for (_, size, path) in all {
            if total <= self.capacity {
                break;
            }
            if path != newest && fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
        Ok(())
    }

    /// Whether an index was asked for a moment ago.
    pub(super) fn is_fresh(&self, key: &str) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(key).is_some_and(|at| at.elapsed() < FRESH)
    }

    /// Notes that an index was asked for now.
    pub(super) fn note_asked(&self, key: &str) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(key.to_owned(), Instant::now());
    }

    /// What the server said of the index that is kept, if one is.
    pub(super) async fn stamp(&self, key: &str) -> Option<Stamp> {
        let (stamp, lines) = (self.index_path(key, "stamp"), self.index_path(key, "lines"));
        let read = move || {
            fs::metadata(lines)?;
            serde_json::from_slice(&fs::read(stamp)?).map_err(std::io::Error::other)
        };
        blocking(read).await.ok()
    }

    /// A new file in the folder, gone unless it is kept.
    pub(super) fn draft(&self) -> std::io::Result<tempfile::NamedTempFile> {
        fs::create_dir_all(&*self.folder)?;
        tempfile::NamedTempFile::new_in(&*self.folder)
    }

    /// Keeps the entries of an index.
    pub(super) fn keep_index(
        &self,
        key: &str,
        stamp: &Stamp,
        lines: tempfile::NamedTempFile,
    ) -> std::io::Result<()> {
        let (path, about) = (self.index_path(key, "lines"), self.index_path(key, "stamp"));
        // Without its stamp the old index is not trusted: it goes first.
        drop(fs::remove_file(&about));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        lines.persist(&path).map_err(|error| error.error)?;
        write_whole(&about, &serde_json::to_vec(stamp).map_err(std::io::Error::other)?)
    }

    /// The entries of one chart in the index that is kept.
    pub(super) async fn entries(&self, key: &str, name: &str) -> Result<Vec<Entry>, ChartSourceError> {
        let (path, name) = (self.index_path(key, "lines"), name.to_owned());
        let start = format!("{{\"n\":{}", serde_json::Value::from(name.as_str()));
        blocking(move || {
            let mut found = Vec::new();
            let mut reader = BufReader::new(fs::File::open(path)?);
            let mut line = String::new();
            while reader.read_line(&mut line)? > 0 {
                if line.starts_with(&start)
                    && let Ok(entry) = serde_json::from_str::<Entry>(&line)
                    && entry.name == name
                {
                    found.push(entry);
                }
                line.clear();
            }
            Ok(found)
        })
        .await
    }
}

#[expect(clippy::disallowed_methods, reason = "the times of files are the machine's own")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Writes a file that others see whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)?;
    let mut draft = tempfile::NamedTempFile::new_in(parent)?;
    draft.write_all(bytes)?;
    draft.persist(path).map_err(|error| error.error).map(drop)
}
