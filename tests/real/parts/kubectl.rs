//! The real kubectl: the person who meddles.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::program;

/// kubectl with one kubeconfig.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    kubeconfig: PathBuf,
}

/// What a command said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Kubectl {
    /// kubectl with this kubeconfig and no other.
    pub(crate) fn new(kubeconfig: PathBuf) -> Self {
        Self { kubeconfig }
    }

    /// Runs it and returns whatever came of it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, "")
    }

    /// Runs it with text on standard input (`-f -`).
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        output(
            Command::new(program("MOORLINE_KUBECTL")).env("KUBECONFIG", &self.kubeconfig).args(arguments),
            input,
        )
    }

    /// Runs it, insists that it succeeds, and returns its standard output.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        self.succeed_with_input(arguments, "")
    }

    /// Runs it with text on standard input, insists that it succeeds, and returns its standard output.
    pub(crate) fn succeed_with_input(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run_with_input(arguments, input);
        assert_eq!(output.code, Some(0), "kubectl {}: {}", arguments.join(" "), output.stderr);
        output.stdout
    }

    /// The kubeconfig that it uses.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

/// Runs a command to its end with text on its standard input.
pub(crate) fn output(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that reads little may end before it has taken all; that is its own affair.
    let writing = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let ended = child.wait_with_output().unwrap();
    writing.join().unwrap();
    Output {
        code: ended.status.code(),
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}
