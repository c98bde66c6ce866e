//! The chart engine against the real helm: committed output in the quick tier, the binaries
//! themselves in the slow one.

#![expect(clippy::expect_used, reason = "a test may stop at what it did not expect")]

mod conformance;
mod corpus;
mod difference;
mod fleet;
mod golden;
mod hostile;
mod members;
mod oracle;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use moorline::helm::Chart;

/// Files of a chart by path.
type Files = BTreeMap<String, Vec<u8>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/helm")
}

/// Reads a folder of files.
fn read_folder(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("a readable file"));
            }
        }
    }
    files
}

/// Writes files below a folder.
fn write_folder(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a written file");
    }
}

fn chart(files: &Files) -> Chart {
    Chart::from_files(files.iter().map(|(name, bytes)| (name.clone(), Arc::from(bytes.as_slice()))))
        .expect("a chart")
}

/// The first line that differs, for messages.
fn first_difference(want: &[u8], got: &[u8]) -> String {
    let (want, got) = (String::from_utf8_lossy(want), String::from_utf8_lossy(got));
    let (mut left, mut right) = (want.split('\n'), got.split('\n'));
    for line in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => return format!("line {line}: want {a:?}, got {b:?}"),
        }
    }
    "equal".to_owned()
}
