//! Writes what a chart makes to files, as `--output-dir` of Helm does: one for each template, and a line on standard
//! output for each document.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::TemplateError;
use crate::helm::Rendered;

/// Writes the documents below a folder, or those that are not of `crds/` below one of a name in there; returns what is
/// to be printed. Files of an earlier run are overwritten. Helm adds hooks to them once more.
pub(super) fn write(
    rendered: &Rendered,
    (hooks, skip_tests): (bool, bool),
    folder: &Path,
    below: Option<&str>,
) -> Result<Vec<u8>, TemplateError> {
    let mut printed = Vec::new();
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for part in rendered.parts(hooks, skip_tests) {
        let below = below.filter(|_| !part.of_crds).unwrap_or("");
        let path = folder.join(below).join(inside(part.source)?);
        printed.extend_from_slice(format!("wrote {}\n", path.display()).as_bytes());
        part.print(files.entry(path).or_default());
    }
    for (path, content) in files {
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .map_err(|error| TemplateError::WriteFile { path: parent.to_owned(), error })?;
        std::fs::write(&path, content).map_err(|error| TemplateError::WriteFile { path, error })?;
    }
    // Where the documents would be printed.
    printed.push(b'\n');
    Ok(printed)
}

/// A source that leads nowhere but further in.
fn inside(source: &str) -> Result<&Path, TemplateError> {
    let path = Path::new(source);
    if path.components().all(|component| matches!(component, Component::Normal(_))) {
        return Ok(path);
    }
    Err(TemplateError::Helm(format!(
        "template {source:?} is not written: its path leads out of --output-dir"
    )))
}
