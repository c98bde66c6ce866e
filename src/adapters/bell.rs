//! Repositories on this machine: a commit rings at once, without waiting for the next poll.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::UnboundedSender;

use crate::model::source::RepositoryUrl;

/// Rings while it lives.
pub struct LocalBell {
    watcher: RecommendedWatcher,
    watched: Watched,
}

/// The folders that are watched, with the repositories that they belong to.
type Watched = Arc<Mutex<Vec<(PathBuf, RepositoryUrl)>>>;

/// Git touches several files for one commit; a moment's wait makes one ring of them.
pub const SETTLE: Duration = Duration::from_millis(50);

impl LocalBell {
    /// Sends the repository of which a reference changed. Absent where the system cannot watch.
    pub fn new(sender: UnboundedSender<RepositoryUrl>) -> Option<Self> {
        let watched = Watched::default();
        let known = watched.clone();
        let ring = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if event.kind.is_access() {
                return;
            }
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = |folder: &Path| event.paths.iter().any(|path| path.starts_with(folder));
            for (_, repository) in known.iter().filter(|(folder, _)| changed(folder)) {
                // Nobody listening any more is as good as heard.
                let _ = sender.send(repository.clone());
            }
        };
        let watcher = notify::recommended_watcher(ring).ok()?;
        Some(Self { watcher, watched })
    }

    /// Watches the references of a repository, if it lies on this machine and is not watched yet. What cannot be
    /// watched is polled like any other.
    pub fn watch(&mut self, repository: &RepositoryUrl) {
        if !repository.is_local() || self.lock().iter().any(|(_, known)| known == repository) {
            return;
        }
        let text = repository.as_str();
        let root = Path::new(text.strip_prefix("file://").unwrap_or(text));
        let folder = if root.join(".git").is_dir() { root.join(".git") } else { root.to_owned() };
        // Events name files by their real paths.
        let folder = folder.canonicalize().unwrap_or(folder);
        // `refs` holds branches that are not packed; `packed-refs` and `HEAD` stand in the folder itself.
        let refs = self.watcher.watch(&folder.join("refs"), RecursiveMode::Recursive);
        let own = self.watcher.watch(&folder, RecursiveMode::NonRecursive);
        if refs.is_ok() || own.is_ok() {
            self.lock().push((folder, repository.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(PathBuf, RepositoryUrl)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    #[tokio::test]
    async fn a_new_reference_rings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.git");
        let repository = git2::Repository::init_bare(&path).unwrap();
        let (sender, mut receiver) = unbounded_channel();
        let mut bell = LocalBell::new(sender).unwrap();
        let url: RepositoryUrl = path.to_str().unwrap().parse().unwrap();
        bell.watch(&url);
        bell.watch(&"https://git.example.com/a".parse().unwrap());
        assert_eq!(bell.lock().len(), 1);
        let signature = git2::Signature::now("a", "a@example.com").unwrap();
        let tree = repository.treebuilder(None).unwrap().write().unwrap();
        let tree = repository.find_tree(tree).unwrap();
        repository.commit(Some("refs/heads/main"), &signature, &signature, "one", &tree, &[]).unwrap();
        let rang = tokio::time::timeout(Duration::from_secs(30), receiver.recv()).await;
        assert_eq!(rang.ok().flatten(), Some(url));
    }
}
