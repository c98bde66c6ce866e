//! Bare repositories for the tests, filled through the real git.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kubectl::output;

/// A bare repository in a folder.
#[derive(Debug, Clone)]
pub(crate) struct BareRepository {
    path: PathBuf,
}

impl BareRepository {
    /// Makes an empty one.
    pub(crate) fn create(path: &Path) -> Self {
        let repository = Self { path: path.to_owned() };
        let made =
            Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(path).status().unwrap();
        assert!(made.success());
        repository
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Commits files onto a branch and returns the commit; other files of the branch stay.
    pub(crate) fn commit(&self, branch: &str, files: &[(&str, &str)]) -> String {
        let parent = self.try_git(&["rev-parse", "-q", "--verify", &format!("refs/heads/{branch}")]);
        let mut stream =
            format!("commit refs/heads/{branch}\ncommitter A <a@example.com> 0 +0000\ndata 6\nchange\n");
        if let Some(parent) = parent {
            writeln!(stream, "from {parent}").unwrap();
        }
        for (path, content) in files {
            write!(stream, "M 100644 inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
        }
        let mut command = Command::new("git");
        let imported =
            output(command.arg("-C").arg(&self.path).args(["fast-import", "--quiet", "--force"]), &stream);
        assert_eq!(imported.code, Some(0), "{}", imported.stderr);
        self.git(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// Runs git in it, insists that it succeeds, and returns what it prints.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments).unwrap_or_else(|| panic!("git {} failed", arguments.join(" ")))
    }

    fn try_git(&self, arguments: &[&str]) -> Option<String> {
        let ended = output(Command::new("git").arg("-C").arg(&self.path).args(arguments), "");
        (ended.code == Some(0)).then(|| ended.stdout.trim().to_owned())
    }
}
