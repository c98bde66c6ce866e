//! The API of AWS as moto imitates it, on a free port: image registries and roles. Whoever asks without a role is
//! account 123456789012; with a role, the account that the role is of.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};

use super::child::Server;
use super::program;

/// The account of whoever takes on no role.
pub(crate) const ACCOUNT: &str = "123456789012";

/// A running imitation; it ends on drop.
#[derive(Debug)]
pub(crate) struct Moto {
    port: u16,
    _folder: tempfile::TempDir,
    _server: Server,
}

impl Moto {
    /// Starts one that has nothing.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("moorline-moto-").tempdir().unwrap();
        let log = folder.path().join("moto.log");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = port.to_string();
        let arguments = ["-H", "127.0.0.1", "-p", &text].map(OsStr::new);
        let mut server = Server::start(&program("MOORLINE_MOTO"), &arguments, &log).unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(server.is_running(), "moto did not start: {said}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { port, _folder: folder, _server: server }
    }

    /// Where it is asked.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
