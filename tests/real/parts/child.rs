//! A server process that cannot outlive the test that started it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs the server and waits for the end of its own input, which comes when the test drops the handle, and also when
/// the test process dies of whatever signal; or for the end of the server, which it looks at twice a second.
const WATCH: &str = r#"
"$@" </dev/null & server=$!
trap 'kill -KILL $server; wait $server' EXIT
while kill -0 $server; do
    read -r -t 0.5 _ || [ $? -gt 128 ] || exit 0
done"#;

/// A running server process, ended on drop.
#[derive(Debug)]
pub(crate) struct Server {
    watch: Child,
}

impl Server {
    /// Starts a program with its output in a file.
    pub(crate) fn start(program: &Path, arguments: &[&OsStr], log: &Path) -> io::Result<Self> {
        let log = File::create(log)?;
        let watch = Command::new("bash")
            .args(["-c", WATCH, "bash"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self { watch })
    }

    /// Whether it has not ended by itself.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.watch.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        drop(self.watch.wait());
    }
}
