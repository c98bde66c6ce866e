//! Reads a chart's folder as Helm's loader does: in the order of names, through symbolic links, without what
//! `.helmignore` leaves out. The texts are Helm's (`internal/sympath` and `loader.LoadDir`).

use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, openat};
use rustix::io::Errno;

use super::{TemplateError, system_words};
use crate::helm::{Compat, IgnoreRules};

/// How deep folders may nest, also through links that lead back.
const DEPTH: usize = 64;
/// The largest file of Helm 3, in bytes.
const FILE_BYTES: u64 = 5 << 20;
/// The most bytes of all files.
const TOTAL_BYTES: usize = 100 << 20;

/// The files of a chart, by their paths in it.
pub(super) type Files = Vec<(String, Arc<[u8]>)>;

/// Reads all files of a folder; links that are followed are told of as `notices`.
pub(super) fn read_folder(
    folder: &Path,
    compat: Compat,
    notices: &mut dyn Write,
) -> Result<Files, TemplateError> {
    let top = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let ignore = fs::read(top.join(".helmignore")).unwrap_or_default();
    let ignore = IgnoreRules::parse(&String::from_utf8_lossy(&ignore)).map_err(TemplateError::Helm)?;
    let mut buffer = [0; 16 << 10];
    let mut walk = Walk {
        compat,
        ignore,
        notices,
        files: Files::new(),
        expected: 0,
        buffer: &mut buffer,
        left: TOTAL_BYTES,
    };
    let linked = fs::symlink_metadata(&top).is_ok_and(|found| found.is_symlink());
    if linked {
        walk.follow(&top)?;
    }
    walk.folder(openat(CWD, &top, FOLDER, Mode::empty()), &top, "", 0)?;
    Ok(walk.files)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// What a folder holds under a name. It is opened from there: the system need not walk the whole path anew.
struct Entry<'e> {
    opened: BorrowedFd<'e>,
    folder: &'e Path,
    name: &'e CStr,
}

impl Entry<'_> {
    fn place(&self) -> PathBuf {
        self.folder.join(OsStr::from_bytes(self.name.to_bytes()))
    }
}

/// What can be read, as far as it matters.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Folder,
    File,
    Other,
}

impl From<fs::FileType> for Kind {
    fn from(found: fs::FileType) -> Self {
        match (found.is_dir(), found.is_file()) {
            (true, _) => Self::Folder,
            (_, true) => Self::File,
            _ => Self::Other,
        }
    }
}

struct Walk<'w> {
    compat: Compat,
    ignore: IgnoreRules,
    notices: &'w mut dyn Write,
    files: Files,
    /// How many entries of the folders at hand are still to come.
    expected: usize,
    /// Holds one file after the other, if it is not larger.
    buffer: &'w mut [u8],
    /// How many bytes may still be read.
    left: usize,
}

impl Walk<'_> {
    fn folder(
        &mut self,
        opened: Result<OwnedFd, Errno>,
        folder: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), TemplateError> {
        if depth > DEPTH {
            return Err(TemplateError::Helm(format!("{}: folders are nested too deeply", folder.display())));
        }
        let failed = |error: Errno| TemplateError::Read { path: folder.to_owned(), error: error.into() };
        let mut listed = opened.and_then(Dir::new).map_err(failed)?;
        let mut entries = Vec::new();
        for entry in listed.by_ref() {
            let entry = entry.map_err(failed)?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                entries.push((entry.file_name().to_owned(), entry.file_type()));
            }
        }
        let opened = listed.fd().map_err(failed)?;
        entries.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        self.expected += entries.len();
        self.files.reserve(self.expected);
        for (name, kind) in &entries {
            self.expected -= 1;
            let path = [prefix, &name.to_string_lossy()].concat();
            self.entry(&Entry { opened, folder, name }, path, *kind, depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &Entry<'_>,
        mut path: String,
        kind: FileType,
        depth: usize,
    ) -> Result<(), TemplateError> {
        let kind = match kind {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => self.follow(&entry.place())?,
            FileType::Unknown => self.look(&entry.place())?,
            _ => Kind::Other,
        };
        if self.ignore.ignores(&path, kind == Kind::Folder) {
            return Ok(());
        }
        match kind {
            Kind::Folder => {
                path.push('/');
                let opened = openat(entry.opened, entry.name, FOLDER, Mode::empty());
                self.folder(opened, &entry.place(), &path, depth + 1)
            }
            Kind::File => {
                let bytes = self.file(entry, &path)?;
                self.files.push((path, bytes));
                Ok(())
            }
            Kind::Other => Err(TemplateError::Helm(format!(
                "cannot load irregular file {} as it has file mode type bits set",
                entry.place().display()
            ))),
        }
    }

    /// What an entry is, where the folder does not say.
    fn look(&mut self, place: &Path) -> Result<Kind, TemplateError> {
        let found = fs::symlink_metadata(place)
            .map_err(|error| TemplateError::Read { path: place.to_owned(), error })?;
        if found.is_symlink() { self.follow(place) } else { Ok(found.file_type().into()) }
    }

    fn file(&mut self, entry: &Entry<'_>, path: &str) -> Result<Arc<[u8]>, TemplateError> {
        let failed = |error: io::Error| {
            let (place, words) = (entry.place(), system_words(&error));
            TemplateError::Helm(format!("error reading {path}: open {}: {words}", place.display()))
        };
        let opened = openat(entry.opened, entry.name, FILE, Mode::empty());
        let mut file = File::from(opened.map_err(|error| failed(error.into()))?);
        if self.compat == Compat::V3_19 && file.metadata().map_err(failed)?.len() > FILE_BYTES {
            let name = entry.name.to_string_lossy();
            return Err(TemplateError::Helm(format!(
                "chart file {name:?} is larger than the maximum file size {FILE_BYTES}"
            )));
        }
        let mut filled = 0;
        let bytes: Arc<[u8]> = loop {
            let Some(free) = self.buffer.get_mut(filled..).filter(|free| !free.is_empty()) else {
                // One list in the size that the system tells, where growing would leave three behind.
                let size = file.metadata().map_err(failed)?.len().min(self.left as u64);
                let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
                whole.extend_from_slice(self.buffer);
                file.take(self.left as u64).read_to_end(&mut whole).map_err(failed)?;
                break Arc::from(whole);
            };
            match file.read(free) {
                Ok(0) => break Arc::from(self.buffer.get(..filled).unwrap_or_default()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        };
        match self.left.checked_sub(bytes.len()) {
            Some(left) => self.left = left,
            None => {
                return Err(TemplateError::Helm(format!(
                    "error reading {path}: chart exceeds maximum decompressed size of {TOTAL_BYTES} bytes"
                )));
            }
        }
        Ok(bytes)
    }

    /// What a link leads to in the end. Helm says that it goes there.
    fn follow(&mut self, place: &Path) -> Result<Kind, TemplateError> {
        let resolved = fs::canonicalize(place).map_err(|error| {
            let why = unresolved(place, &error);
            TemplateError::Helm(format!("error evaluating symlink {}: {why}", place.display()))
        })?;
        let (path, to) = (place.display(), resolved.display());
        let notice = if self.compat == Compat::V3_19 {
            format!(
                "walk.go:75: found symbolic link in path: {path} resolves to {to}. Contents of linked file included and used"
            )
        } else {
            format!(
                r#"level=INFO msg="found symbolic link in path. Contents of linked file included and used" path={} resolved={}"#,
                quoted(path.to_string()),
                quoted(to.to_string())
            )
        };
        writeln!(self.notices, "{notice}").map_err(TemplateError::Write)?;
        let found = fs::symlink_metadata(&resolved);
        found
            .map(|found| found.file_type().into())
            .map_err(|error| TemplateError::Read { path: resolved, error })
    }
}

/// A value of a log line: in quotes if it would not be one word.
fn quoted(text: String) -> String {
    if text.contains([' ', '"', '=']) { format!("{text:?}") } else { text }
}

/// Why a link leads nowhere, as Go's `filepath.EvalSymlinks` says it.
fn unresolved(place: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => match missing(place) {
            Some(missing) => format!("lstat {}: no such file or directory", missing.display()),
            None => system_words(error),
        },
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        // The kind of this error has no stable name yet.
        _ if error.to_string().starts_with("Too many levels of symbolic links") => {
            "EvalSymlinks: too many links".to_owned()
        }
        _ => system_words(error),
    }
}

/// The first part of what a link leads to that is not there.
fn missing(link: &Path) -> Option<PathBuf> {
    let target = fs::read_link(link).ok()?;
    let mut place = PathBuf::new();
    if target.is_relative() {
        place.push(link.parent()?);
    }
    for part in target.components() {
        match part {
            Component::ParentDir => {
                place.pop();
            }
            part => place.push(part),
        }
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() && !place.exists() => return missing(&place),
            Ok(_) => {}
            Err(_) => return Some(place),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::read_folder;
    use crate::helm::Compat;

    /// The paths that are read, or the error; and what is told on the way. The folder is shown as `TOP`.
    fn read(top: &Path, folder: &str, compat: Compat) -> (Result<Vec<String>, String>, String) {
        let shown = |text: String| text.replace(&top.display().to_string(), "TOP");
        let mut notices = Vec::new();
        let files = read_folder(&top.join(folder), compat, &mut notices)
            .map(|files| files.into_iter().map(|(path, _)| path).collect())
            .map_err(|error| shown(error.to_string()));
        (files, shown(String::from_utf8(notices).unwrap()))
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        };
        write("chart/Chart.yaml", "name: a");
        write("chart/templates/a.yaml", "a: 1");
        write("other/x.yaml", "x: 1");
        folder
    }

    #[test]
    fn links_are_followed_and_told_of() {
        let folder = folder();
        symlink("../other", folder.path().join("chart/files")).unwrap();
        symlink(folder.path().join("chart"), folder.path().join("same")).unwrap();
        let paths = ["Chart.yaml", "files/x.yaml", "templates/a.yaml"].map(str::to_owned).to_vec();
        assert_eq!(
            read(folder.path(), "chart", Compat::V3_19),
            (Ok(paths.clone()), "walk.go:75: found symbolic link in path: TOP/chart/files resolves to TOP/other. Contents of linked file included and used\n".to_owned())
        );
        let line = |path: &str, to: &str| {
            format!(
                "level=INFO msg=\"found symbolic link in path. Contents of linked file included and used\" path={path} resolved={to}\n"
            )
        };
        let lines = line("TOP/same", "TOP/chart") + &line("TOP/same/files", "TOP/other");
        assert_eq!(read(folder.path(), "same", Compat::V4_3), (Ok(paths), lines));
    }

    #[test]
    fn links_that_lead_nowhere_are_errors_unless_their_folder_is_ignored() {
        let folder = folder();
        let link = |to: &str| {
            let place = folder.path().join("chart/aside/link");
            let _ = fs::create_dir(place.parent().unwrap());
            let _ = fs::remove_file(&place);
            symlink(to, place).unwrap();
        };
        let error = || read(folder.path(), "chart", Compat::V4_3).0.unwrap_err();
        link("/not/there");
        assert_eq!(
            error(),
            "error evaluating symlink TOP/chart/aside/link: lstat /not: no such file or directory"
        );
        link("../../other/x.yaml/y");
        assert_eq!(error(), "error evaluating symlink TOP/chart/aside/link: not a directory");
        link("link");
        assert_eq!(error(), "error evaluating symlink TOP/chart/aside/link: EvalSymlinks: too many links");
        link("..");
        assert!(error().ends_with("folders are nested too deeply"));
        fs::write(folder.path().join("chart/.helmignore"), "aside/\n").unwrap();
        assert!(read(folder.path(), "chart", Compat::V4_3).0.is_ok());
        fs::write(folder.path().join("chart/.helmignore"), "**\n").unwrap();
        assert_eq!(error(), "double-star (**) syntax is not supported");
    }

    #[test]
    fn helm_3_refuses_large_files() {
        let folder = folder();
        fs::write(folder.path().join("chart/values.yaml"), vec![b'#'; (5 << 20) + 1]).unwrap();
        assert_eq!(
            read(folder.path(), "chart", Compat::V3_19).0,
            Err("chart file \"values.yaml\" is larger than the maximum file size 5242880".to_owned())
        );
        assert!(read(folder.path(), "chart", Compat::V4_3).0.is_ok());
    }
}
