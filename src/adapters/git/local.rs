//! Repositories on this machine are read in place: no mirror, no copy.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Repository, RepositoryOpenFlags};

use super::failure::denied;
use super::mirror::commit_sha;
use crate::adapters::sources::SourceError;
use crate::model::source::{References, RepositoryUrl};

/// Opens a bare repository or one with a work tree, of which only what is committed counts.
pub(super) fn open(repository: &RepositoryUrl, path: &Path) -> Result<Repository, SourceError> {
    let nowhere: [&Path; 0] = [];
    Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, nowhere).map_err(|error| match error.code() {
        ErrorCode::NotFound => {
            crate::adapters::sources::SourceError::Absent { repository: repository.clone() }
        }
        _ => denied(repository, error.message()),
    })
}

/// Branches and tags.
pub(super) fn references(repository: &RepositoryUrl, path: &Path) -> Result<References, SourceError> {
    let opened = open(repository, path)?;
    let failed = |error: git2::Error| super::failure::mirror(repository, error.message());
    let mut references = References::default();
    for reference in opened.references().map_err(failed)? {
        let reference = reference.map_err(failed)?;
        let Ok(name) = std::str::from_utf8(reference.name_bytes()) else {
            continue;
        };
        // A broken reference is none: what it named is reported as missing by whoever wants it.
        let Ok(object) = reference.peel(ObjectType::Commit) else {
            continue;
        };
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            references.branches.insert(branch.to_owned(), commit_sha(object.id()));
        } else if let Some(tag) = name.strip_prefix("refs/tags/") {
            references.tags.insert(tag.to_owned(), commit_sha(object.id()));
        }
    }
    let head = opened.find_reference("HEAD").map_err(failed)?;
    let symbolic = head.symbolic_target_bytes().and_then(|name| std::str::from_utf8(name).ok());
    references.head_branch = symbolic.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned);
    Ok(references)
}
