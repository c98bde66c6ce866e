//! A folder on disk as a [`FileTree`]: for `moorline check`, which reads a work tree offline. Links are named,
//! never followed.

use std::fs;
use std::io;
use std::path::Path;

use crate::model::source::{File, FileContent, FileTree};

/// The largest file that is read.
const FILE_LIMIT: u64 = 5 << 20;
/// The most files of a checkout.
const COUNT_LIMIT: usize = 100_000;
/// How deep folders may nest.
const DEPTH_LIMIT: usize = 64;

/// Reads all files below a folder, without `.git`.
pub fn read_checkout(root: &Path) -> io::Result<FileTree> {
    let mut tree = FileTree::default();
    read_folder(root, "", 0, &mut tree)?;
    Ok(tree)
}

fn read_folder(folder: &Path, prefix: &str, depth: usize, tree: &mut FileTree) -> io::Result<()> {
    if depth > DEPTH_LIMIT {
        return Err(io::Error::other(format!("{prefix} is nested deeper than {DEPTH_LIMIT} folders")));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == ".git" {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), depth + 1, tree)?;
            continue;
        }
        let file = if kind.is_symlink() { link() } else { read_file(&entry.path())? };
        tree.insert(path, file);
        if tree.len() > COUNT_LIMIT {
            return Err(io::Error::other(format!("there are more than {COUNT_LIMIT} files")));
        }
    }
    Ok(())
}

fn link() -> File {
    File { content: FileContent::Symlink, ..File::of_bytes(b"") }
}

fn read_file(path: &Path) -> io::Result<File> {
    let size = fs::metadata(path)?.len();
    if size > FILE_LIMIT {
        return Ok(File { content: FileContent::TooLarge(size), ..File::of_bytes(b"") });
    }
    let bytes = fs::read(path)?;
    let mut file = File::of_bytes(&bytes);
    if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        file.content = FileContent::LfsPointer;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/.git")).unwrap();
        fs::write(folder.path().join("a/b.yaml"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("a/link")).unwrap();
        std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
        let tree = read_checkout(folder.path()).unwrap();
        let names: Vec<_> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(names, ["a/b.yaml", "a/link", "loop"]);
        assert_eq!(tree.get("loop").unwrap().content, FileContent::Symlink);
    }
}
