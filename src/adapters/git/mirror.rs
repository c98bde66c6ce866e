//! Bare mirrors under the data directory: objects without references, filled pack by pack. Several processes may
//! use one at a time: what is in it never changes, and everything new appears by a rename.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use git2::{Oid, Repository, RepositoryInitOptions};
use tokio::sync::mpsc;

use super::failure;
use crate::adapters::sources::SourceError;
use crate::model::digest::Digest;
use crate::model::source::{CommitSha, RepositoryUrl};

/// Commits that the mirror has in full, newest last: without their history, or with all of it.
const COMPLETE_COMMITS: &str = "moorline-commits";
/// So many of them are told to the server: enough for the branches that are followed.
const MOST_OFFERED: usize = 16;
/// A mirror with more packs than this is begun anew: each look-up goes through all of them.
const MOST_PACKS: usize = 200;

/// One repository's mirror.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    path: PathBuf,
    repository: RepositoryUrl,
}

/// A part of a pack on its way into the mirror.
#[derive(Debug)]
pub(super) enum PackPart {
    /// The next bytes.
    Bytes(Bytes),
    /// The pack is whole.
    End,
}

impl Mirror {
    /// The mirror of a repository; it need not exist yet.
    pub(super) fn new(data_directory: &Path, repository: &RepositoryUrl) -> Self {
        let name: String = repository
            .as_str()
            .trim_end_matches(".git")
            .rsplit(['/', ':'])
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'))
            .take(40)
            .collect();
        let digest = Digest::of(repository.as_str().as_bytes()).hex();
        let path = data_directory.join("mirrors").join(format!("{name}-{}.git", &digest[..16]));
        Self { path, repository: repository.clone() }
    }

    /// The mirror of its history: all of it of each commit, where the other has commits alone.
    pub(super) fn of_history(&self) -> Self {
        Self { path: self.path.with_extension("history.git"), repository: self.repository.clone() }
    }

    /// Opens it, making it first if need be.
    pub(super) fn open(&self) -> Result<Repository, SourceError> {
        if !self.path.exists() {
            self.create().map_err(|error| self.broken(&error))?;
        }
        Repository::open_bare(&self.path).map_err(|error| self.broken(&error))
    }

    fn create(&self) -> Result<(), Box<dyn std::error::Error>> {
        let parent = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let unfinished = self.temporary_name();
        let mut options = RepositoryInitOptions::new();
        Repository::init_opts(&unfinished, options.bare(true).no_reinit(true).external_template(false))?;
        if let Err(error) = fs::rename(&unfinished, &self.path) {
            fs::remove_dir_all(&unfinished)?;
            // Another process was quicker: its mirror is as good.
            if !self.path.exists() {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Throws the mirror away: it is a cache.
    pub(super) fn remove(&self) {
        let away = self.temporary_name();
        // Away by a rename, so that nobody opens a half removed one.
        if fs::rename(&self.path, &away).is_ok()
            && let Err(error) = fs::remove_dir_all(&away)
        {
            tracing::warn!(path = %away.display(), %error, "Could not remove an old mirror");
        }
    }

    /// Throws the mirror away if too many fetches have gone into it.
    pub(super) fn remove_if_worn(&self) {
        let packs = fs::read_dir(self.path.join("objects/pack")).map_or(0, |entries| {
            entries
                .flatten()
                .filter(|entry| entry.path().extension().is_some_and(|end| end == "pack"))
                .count()
        });
        if packs > MOST_PACKS {
            self.remove();
        }
    }

    fn temporary_name(&self) -> PathBuf {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let unique = format!("{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.path.with_extension(format!("{unique}.unfinished"))
    }

    /// Whether a commit is there, with all its files as far as we know.
    pub(super) fn has(&self, commit: CommitSha) -> Result<bool, SourceError> {
        let mirror = self.open()?;
        let there = mirror.find_commit(oid(commit)).is_ok();
        Ok(there)
    }

    /// Commits to tell the server of, so that it sends only what is new.
    pub(super) fn complete_commits(&self) -> Result<Vec<CommitSha>, SourceError> {
        let mirror = self.open()?;
        let noted = fs::read_to_string(self.path.join(COMPLETE_COMMITS)).unwrap_or_default();
        let mut commits: Vec<CommitSha> = Vec::new();
        for commit in noted.lines().rev().filter_map(|line| line.parse().ok()) {
            if commits.len() < MOST_OFFERED
                && !commits.contains(&commit)
                && mirror.find_commit(oid(commit)).is_ok()
            {
                commits.push(commit);
            }
        }
        Ok(commits)
    }

    /// Notes that the commit's files are there.
    pub(super) fn note_complete(&self, commit: CommitSha) -> Result<(), SourceError> {
        let path = self.path.join(COMPLETE_COMMITS);
        // One short write at the end: processes that write at once do not mix their lines.
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(format!("{commit}\n").as_bytes()));
        written.map_err(|error| self.broken(&error))
    }

    /// Writes a pack as it arrives; one that stops before its end leaves nothing.
    pub(super) fn take_pack(&self, mut parts: mpsc::Receiver<PackPart>) -> Result<(), SourceError> {
        let mirror = self.open()?;
        let objects = mirror.odb().map_err(|error| self.broken(&error))?;
        let mut writer = objects.packwriter().map_err(|error| self.broken(&error))?;
        loop {
            match parts.blocking_recv() {
                Some(PackPart::Bytes(bytes)) => {
                    writer.write_all(&bytes).map_err(|error| self.broken(&error))?;
                }
                Some(PackPart::End) => break,
                // The sender reports why it gave up.
                None => return Ok(()),
            }
        }
        writer.commit().map_err(|error| self.broken(&error))?;
        Ok(())
    }

    /// An error of the mirror itself.
    pub(super) fn broken(&self, error: &dyn std::fmt::Display) -> SourceError {
        failure::mirror(&self.repository, error)
    }
}

/// The id as the library has it.
pub(super) fn oid(commit: CommitSha) -> Oid {
    // Twenty bytes are what it takes; the zero id stands for what cannot happen.
    Oid::from_bytes(commit.as_bytes()).unwrap_or(Oid::ZERO_SHA1)
}

/// The id as we have it.
pub(super) fn commit_sha(oid: Oid) -> CommitSha {
    let mut bytes = [0; 20];
    let length = oid.as_bytes().len().min(20);
    bytes[..length].copy_from_slice(&oid.as_bytes()[..length]);
    CommitSha::from_bytes(bytes)
}
