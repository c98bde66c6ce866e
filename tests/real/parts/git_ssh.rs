//! Git over SSH: a real sshd on a free port, with a host key, a user key and a `known_hosts` file of its own.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::child::Server;
use super::program;

/// A running sshd; it ends on drop.
#[derive(Debug)]
pub(crate) struct GitSsh {
    port: u16,
    keys: tempfile::TempDir,
    _server: Server,
}

impl GitSsh {
    /// Starts a server that lets the user of the tests in by one key.
    pub(crate) fn start() -> Self {
        Self::start_with("AcceptEnv GIT_PROTOCOL\n")
    }

    /// Starts one that ignores which version of Git's protocol is asked for, as sshd does unless told otherwise.
    pub(crate) fn start_with_old_protocol() -> Self {
        Self::start_with("")
    }

    fn start_with(more: &str) -> Self {
        let keys = tempfile::Builder::new().prefix("moorline-ssh-").tempdir().unwrap();
        let folder = keys.path();
        make_key(&folder.join("host"));
        make_key(&folder.join("user"));
        make_key(&folder.join("stranger"));
        fs::copy(folder.join("user.pub"), folder.join("authorized_keys")).unwrap();
        // sshd run by root insists on this folder, which only the system's own start of it makes.
        drop(fs::create_dir_all("/run/sshd"));
        let port = free_port();
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {}", text("host.pub"))).unwrap();
        fs::write(folder.join("other_known_hosts"), format!("[127.0.0.1]:{port} {}", text("stranger.pub")))
            .unwrap();
        let folder_name = folder.display();
        let configuration = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder_name}/host\nPidFile none\nUsePAM no\n\
             AuthorizedKeysFile {folder_name}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n{more}"
        );
        fs::write(folder.join("sshd_config"), configuration).unwrap();
        let configuration = folder.join("sshd_config");
        let arguments = [OsStr::new("-D"), OsStr::new("-e"), OsStr::new("-f"), configuration.as_os_str()];
        let log = folder.join("sshd.log");
        let mut server = Server::start(&program("MOORLINE_SSHD"), &arguments, &log).unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(server.is_running(), "sshd did not start: {}", text("sshd.log"));
            std::thread::yield_now();
        }
        Self { port, keys, _server: server }
    }

    /// The URL of a repository at an absolute path.
    pub(crate) fn url(&self, repository: &Path) -> String {
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, repository.display())
    }

    /// The private key that is let in.
    pub(crate) fn user_key(&self) -> PathBuf {
        self.keys.path().join("user")
    }

    /// A private key that is not.
    pub(crate) fn stranger_key(&self) -> PathBuf {
        self.keys.path().join("stranger")
    }

    /// A file that knows this server.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.keys.path().join("known_hosts")
    }

    /// A file that knows this server by another key: what an impostor looks like.
    pub(crate) fn other_known_hosts(&self) -> PathBuf {
        self.keys.path().join("other_known_hosts")
    }
}

fn make_key(path: &Path) {
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
