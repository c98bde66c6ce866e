//! Reads the files of a commit from the object database, within limits. Nothing is ever written to a work tree, so
//! no link and no name of an entry leads anywhere.

use std::sync::Arc;

use git2::{ObjectType, Odb, Repository, Tree};

use super::failure::{mirror, missing};
use super::mirror::{commit_sha, oid};
use crate::adapters::sources::SourceError;
use crate::model::source::{CommitSha, File, FileContent, FileTree, RepositoryPath, RepositoryUrl};

const SYMLINK: i32 = 0o120_000;
/// Every LFS pointer begins so and is smaller than this.
const LFS_BEGINNING: &[u8] = b"version https://git-lfs.github.com/spec/";
const LFS_SIZE: usize = 1024;

/// What a folder may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file; above it the file stands as too large.
    pub file_bytes: usize,
    /// Bytes of all files.
    pub total_bytes: usize,
    /// How many files.
    pub files: usize,
    /// How many folders inside each other.
    pub depth: usize,
    /// Bytes of one path.
    pub path_bytes: usize,
    /// Bytes of one fetch.
    pub fetch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 5 << 20,
            total_bytes: 256 << 20,
            files: 50_000,
            depth: 64,
            path_bytes: 4096,
            fetch_bytes: 2 << 30,
        }
    }
}

/// Reads the files below a folder; those that `previous` has under the same id are shared with it.
pub(super) fn read(
    objects: &Repository,
    repository: &RepositoryUrl,
    commit: CommitSha,
    folder: &RepositoryPath,
    previous: Option<&FileTree>,
    limits: Limits,
) -> Result<FileTree, SourceError> {
    let broken = |error: git2::Error| mirror(repository, error.message());
    let root = objects.find_commit(oid(commit)).and_then(|commit| commit.tree()).map_err(broken)?;
    let tree = subfolder(objects, repository, commit, root, folder)?;
    let database = objects.odb().map_err(broken)?;
    let mut reader = Reader {
        objects,
        database,
        repository,
        commit,
        previous,
        limits,
        bytes: 0,
        files: FileTree::default(),
    };
    reader.folder(&tree, "", 0)?;
    Ok(reader.files)
}

fn subfolder<'a>(
    objects: &'a Repository,
    repository: &RepositoryUrl,
    commit: CommitSha,
    root: Tree<'a>,
    folder: &RepositoryPath,
) -> Result<Tree<'a>, SourceError> {
    let mut tree = root;
    for segment in folder.as_str().split('/').filter(|segment| !segment.is_empty()) {
        let entry = tree.get_name(segment).map(|entry| (entry.id(), entry.kind(), entry.filemode()));
        tree = match entry {
            Some((id, Some(ObjectType::Tree), _)) => {
                objects.find_tree(id).map_err(|error| mirror(repository, error.message()))?
            }
            Some((_, Some(ObjectType::Commit), _)) => {
                return Err(missing(
                    repository,
                    format!("the folder {folder} at {commit} (a submodule is not followed)"),
                ));
            }
            Some((_, _, SYMLINK)) => {
                return Err(missing(
                    repository,
                    format!("the folder {folder} at {commit} (a link is not followed)"),
                ));
            }
            Some(_) => {
                return Err(missing(repository, format!("the folder {folder} at {commit} (it is a file)")));
            }
            None => return Err(missing(repository, format!("the folder {folder} at {commit}"))),
        };
    }
    Ok(tree)
}

struct Reader<'a> {
    objects: &'a Repository,
    database: Odb<'a>,
    repository: &'a RepositoryUrl,
    commit: CommitSha,
    previous: Option<&'a FileTree>,
    limits: Limits,
    bytes: usize,
    files: FileTree,
}

impl Reader<'_> {
    fn folder(&mut self, tree: &Tree<'_>, prefix: &str, depth: usize) -> Result<(), SourceError> {
        if depth > self.limits.depth {
            return Err(self.limit(format!("more than {} folders inside each other", self.limits.depth)));
        }
        for entry in tree {
            let name = String::from_utf8_lossy(entry.name_bytes());
            if matches!(name.as_ref(), "" | "." | "..") || name.contains(['/', '\\']) {
                return Err(
                    self.limit(format!("an entry has the name {name:?}, which leads out of its folder"))
                );
            }
            let path = if prefix.is_empty() { name.into_owned() } else { format!("{prefix}/{name}") };
            if path.len() > self.limits.path_bytes {
                return Err(self.limit(format!("a path is longer than {} bytes", self.limits.path_bytes)));
            }
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let below = self.objects.find_tree(entry.id()).map_err(|error| self.broken(&error))?;
                    self.folder(&below, &path, depth + 1)?;
                }
                Some(ObjectType::Commit) => self.insert(path, entry.id(), FileContent::Submodule)?,
                _ if entry.filemode() == SYMLINK => self.insert(path, entry.id(), FileContent::Symlink)?,
                _ => {
                    let content = self.content(&path, entry.id())?;
                    self.insert(path, entry.id(), content)?;
                }
            }
        }
        Ok(())
    }

    fn content(&self, path: &str, id: git2::Oid) -> Result<FileContent, SourceError> {
        let known = self.previous.and_then(|previous| previous.get(path));
        if let Some(known) = known.filter(|file| file.id == commit_sha(id)) {
            return Ok(known.content.clone());
        }
        // The size stands before the content: what is too large is not unpacked.
        let (size, _) = self.database.read_header(id).map_err(|error| self.broken(&error))?;
        if size > self.limits.file_bytes {
            return Ok(FileContent::TooLarge(size as u64));
        }
        let object = self.database.read(id).map_err(|error| self.broken(&error))?;
        let bytes = object.data();
        if bytes.len() < LFS_SIZE && bytes.starts_with(LFS_BEGINNING) {
            return Ok(FileContent::LfsPointer);
        }
        Ok(FileContent::Bytes(Arc::from(bytes)))
    }

    fn insert(&mut self, path: String, id: git2::Oid, content: FileContent) -> Result<(), SourceError> {
        if let FileContent::Bytes(bytes) = &content {
            self.bytes += bytes.len();
        }
        self.files.insert(path, File { id: commit_sha(id), content });
        if self.files.len() > self.limits.files {
            return Err(self.limit(format!("more than {} files", self.limits.files)));
        }
        if self.bytes > self.limits.total_bytes {
            return Err(self
                .limit(format!("the files together have more than {} MiB", self.limits.total_bytes >> 20)));
        }
        Ok(())
    }

    fn limit(&self, message: String) -> SourceError {
        SourceError::Limit { repository: self.repository.clone(), commit: self.commit, message }
    }

    fn broken(&self, error: &git2::Error) -> SourceError {
        mirror(self.repository, error.message())
    }
}
