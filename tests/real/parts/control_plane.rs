//! A real etcd, API server and controller manager, one set for the whole test binary, with a node stand-in.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use super::{kubectl::Kubectl, node};

/// A running control plane. Its processes watch the handle's pipe: they end when it closes, however that comes about.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    folder: PathBuf,
    process: Child,
}

/// The control plane that the tests of this binary share: keep to namespaces of your own.
pub(crate) fn shared() -> &'static ControlPlane {
    static SHARED: OnceLock<ControlPlane> = OnceLock::new();
    SHARED.get_or_init(ControlPlane::start)
}

/// A name that no other test of this run uses: for a namespace, say.
pub(crate) fn unique_name(prefix: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl ControlPlane {
    /// Starts a control plane of its own, for the few tests that stop it or change what all share.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("moorline-control-plane-").tempdir().unwrap().keep();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/start");
        let mut process = Command::new(script)
            .arg(&folder)
            .arg("--while-input-open")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answer = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        assert!(answer.starts_with("ready: "), "the control plane did not start; its reason is above");
        let plane = Self { folder, process };
        plane.start_node();
        plane
    }

    /// The kubeconfig of one who may do everything; its context `moorline-test-developer` may do nothing.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A client for one test; it belongs to the runtime that it is made in.
    pub(crate) async fn client(&self) -> kube::Client {
        client(&self.kubeconfig()).await
    }

    /// kubectl against this control plane.
    pub(crate) fn kubectl(&self) -> Kubectl {
        Kubectl::new(self.kubeconfig())
    }

    /// The audit log from here on.
    pub(crate) fn audit_from_now(&self) -> AuditLog {
        let path = self.folder.join("audit.log");
        let start = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        AuditLog { path, start }
    }

    /// Stops the API server in the middle of whatever it does: connections stay open, and nothing is answered.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.api_server().unwrap();
        let sent = Command::new("bash").args(["-c", &format!("kill -{signal} {process}")]).status().unwrap();
        assert!(sent.success(), "failed to send {signal} to the API server");
    }

    /// The process id of the API server: the program whose arguments name this control plane's folder.
    fn api_server(&self) -> Option<String> {
        let folder = self.folder.display().to_string();
        let processes = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let is_it = |process: &String| {
            let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            let program = line.split('\0').next().unwrap_or("");
            program.ends_with("kube-apiserver") && line.contains(&folder)
        };
        processes.filter(|name| name.chars().all(|letter| letter.is_ascii_digit())).find(is_it)
    }

    fn start_node(&self) {
        let kubeconfig = self.kubeconfig();
        // A thread with a runtime of its own: the runtimes of the tests come and go.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { node::run(client(&kubeconfig).await).await }).unwrap();
        });
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// A client of the cluster that a kubeconfig names.
pub(crate) async fn client(kubeconfig: &Path) -> kube::Client {
    // Both of the libraries' providers may be compiled in; this one is ours.
    drop(rustls::crypto::ring::default_provider().install_default());
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

/// Part of the API server's audit log: every request, with who made it.
#[derive(Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    start: u64,
}

/// One request as the API server logged it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// get, list, watch, create, update, patch, delete or deletecollection.
    pub(crate) verb: String,
    /// Path and query, where field manager, force and dry run stand.
    pub(crate) uri: String,
    /// The user's name.
    pub(crate) user: String,
    /// The program.
    pub(crate) user_agent: String,
    /// The plural, with a slash and the subresource where there is one.
    pub(crate) resource: String,
    /// The namespace, empty where there is none.
    pub(crate) namespace: String,
    /// The object's name, empty where there is none.
    pub(crate) name: String,
    /// The answer's code.
    pub(crate) code: i64,
}

impl Request {
    /// Whether it could change something: refused ones count, dry runs do not.
    pub(crate) fn mutates(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch") && !self.uri.contains("dryRun=All")
    }
}

impl AuditLog {
    /// All finished requests so far, in the order in which they were answered; a watch counts from its start.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.start)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        // The server may be in the middle of its last line.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().filter_map(|line| request(&serde_json::from_str(line).unwrap())).collect()
    }

    /// The requests of programs whose user agent begins so.
    pub(crate) fn requests_of(&self, user_agent: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.user_agent.starts_with(user_agent)).collect()
    }
}

fn request(event: &Value) -> Option<Request> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let watches = event["verb"] == "watch";
    let counted = event["stage"] == if watches { "ResponseStarted" } else { "ResponseComplete" };
    let object = &event["objectRef"];
    let mut resource = text(&object["resource"]);
    if let Some(subresource) = object["subresource"].as_str() {
        resource = format!("{resource}/{subresource}");
    }
    counted.then(|| Request {
        verb: text(&event["verb"]),
        uri: text(&event["requestURI"]),
        user: text(&event["user"]["username"]),
        user_agent: text(&event["userAgent"]),
        resource,
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        code: event["responseStatus"]["code"].as_i64().unwrap_or_default(),
    })
}
