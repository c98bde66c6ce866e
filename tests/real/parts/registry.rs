//! An OCI registry as Debian packages it, on a free port, open or with one user.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use super::child::Server;
use super::program;

/// A running registry; it ends on drop.
#[derive(Debug)]
pub(crate) struct Registry {
    port: u16,
    folder: tempfile::TempDir,
    _server: Server,
}

impl Registry {
    /// Starts one that everybody may read and write.
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts one that asks for a user and password; `line` is one of an htpasswd file.
    pub(crate) fn start_closed(line: &str) -> Self {
        Self::start_with(Some(line))
    }

    fn start_with(line: Option<&str>) -> Self {
        let folder = tempfile::Builder::new().prefix("moorline-registry-").tempdir().unwrap();
        let place = folder.path().display();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut configuration = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {place}/data}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        );
        if let Some(line) = line {
            fs::write(folder.path().join("htpasswd"), format!("{line}\n")).unwrap();
            configuration += &format!("auth: {{htpasswd: {{realm: tests, path: {place}/htpasswd}}}}\n");
        }
        let file = folder.path().join("registry.yml");
        fs::write(&file, configuration).unwrap();
        let log = folder.path().join("registry.log");
        let arguments = [OsStr::new("serve"), file.as_os_str()];
        let mut server = Server::start(&program("MOORLINE_REGISTRY"), &arguments, &log).unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(server.is_running(), "the registry did not start: {said}");
            std::thread::yield_now();
        }
        Self { port, folder, _server: server }
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A file in which Helm finds a user and password for it.
    pub(crate) fn helm_configuration(&self, pair: &str) -> PathBuf {
        use base64::Engine as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(pair);
        let file = self.folder.path().join("helm.json");
        fs::write(&file, format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, self.host())).unwrap();
        file
    }
}
