//! A shop on the shared control plane: three environments, five services (a chart in a code repository, plain YAML
//! in the config repository and in another one, a vendored dependency), a state repository, and the program itself.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::parts::control_plane::{self, AuditLog, ControlPlane, Request};
use crate::parts::git_repository::BareRepository;
use crate::parts::program;

pub(crate) struct Shop {
    plane: &'static ControlPlane,
    folder: TempDir,
    name: String,
    config: BareRepository,
    state: BareRepository,
    audit: AuditLog,
    files: Mutex<std::collections::BTreeMap<String, String>>,
}

pub(crate) struct Output {
    pub(crate) code: i32,
    stdout: String,
    stderr: String,
}

impl Output {
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

pub(crate) fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, labels: {{tier: backend}}}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: {name}, image: \"{image}\"}}]}}\n"
    )
}

pub(crate) fn config_map(name: &str, colour: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  colour: \"{colour}\"\n")
}

/// Waits for a condition; a minute is far more than it takes.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < end, "{what}: never happened");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Shop {
    pub(crate) fn new(prefix: &str) -> Self {
        let plane = control_plane::shared();
        let folder = tempfile::tempdir().unwrap();
        let name = control_plane::unique_name(prefix);
        let repository = |name: &str| BareRepository::create(&folder.path().join(name));
        let (config, state, code, ops) =
            (repository("config.git"), repository("state.git"), repository("web.git"), repository("ops.git"));
        let chart = created_chart(&folder);
        let in_folder = |prefix: &str| -> Vec<(String, String)> {
            chart.iter().map(|(path, text)| (format!("{prefix}/{path}"), text.clone())).collect()
        };
        let code_files = in_folder("deploy/chart");
        for branch in ["main", "dev", "master"] {
            commit(&code, branch, &code_files);
        }
        let flat = [("k8s/worker/worker.yaml".to_owned(), deployment("worker", "example.com/worker:1"))];
        commit(&ops, "main", &flat);
        let pin = code.git(&["rev-parse", "master"]).trim().to_owned();
        let audit = plane.audit_from_now();
        let shop = Self { plane, folder, name, config, state, audit, files: Mutex::default() };
        shop.write_config(&code, &ops, &pin, &in_folder("charts/cache"));
        shop.commit(&[]);
        shop
    }

    fn write_config(
        &self,
        code: &BareRepository,
        ops: &BareRepository,
        pin: &str,
        chart: &[(String, String)],
    ) {
        let team = &self.name;
        let (code, ops) = (code.path().display(), ops.path().display());
        let mut files = self.files.lock().unwrap();
        let mut put = |path: &str, text: String| files.insert(path.to_owned(), text);
        put(
            "moorline.yaml",
            format!(
                "version: 1\nname: {team}\nenvironments:\n  dev: {{branch: dev, namespace: {team}-dev}}\n  sandbox: {{branch: master, namespace: {team}-sandbox}}\n  prod: {{from: sandbox, namespace: {team}-prod}}\ndefaults: {{sync: {{timeout: 25s}}}}\n"
            ),
        );
        put(
            "services/web.yaml",
            format!("team: {team}\ncode: {{repository: \"{code}\"}}\nchart: {{path: deploy/chart}}\n"),
        );
        put("services/api.yaml", format!("team: {team}\nmanifests: {{path: k8s/api}}\n"));
        put("services/jobs.yaml", format!("team: {team}\nmanifests: {{path: k8s/jobs}}\n"));
        put(
            "services/worker.yaml",
            format!("team: {team}\nmanifests: {{repository: \"{ops}\", path: k8s/worker}}\n"),
        );
        put("k8s/api/deployment.yaml", deployment("api", "example.com/api:1"));
        put("k8s/api/config.yaml", config_map("api", "red"));
        put("k8s/jobs/config.yaml", config_map("jobs", "green"));
        put("base/values.yaml", "global: {shop: true}\n".to_owned());
        for environment in ["dev", "sandbox", "prod"] {
            let folder = format!("environments/{environment}");
            put(
                &format!("{folder}/Chart.yaml"),
                format!(
                    "apiVersion: v2\nname: {environment}\nversion: 0.1.0\ndependencies:\n  - {{name: created, version: 0.1.0, alias: cache}}\n"
                ),
            );
            put(
                &format!("{folder}/values.yaml"),
                "cache: {image: {repository: example.com/cache}}\n".to_owned(),
            );
            put(&format!("{folder}/cache.yaml"), "replicaCount: 1\n".to_owned());
            for service in ["web", "api", "jobs", "worker"] {
                put(&format!("{folder}/{service}.yaml"), String::new());
            }
            for (path, text) in chart {
                put(&format!("{folder}/{}", path.replace("charts/cache", "charts/created")), text.clone());
            }
        }
        put("environments/prod/versions.yaml", format!("web: {pin}\n"));
    }

    pub(crate) fn namespace(&self, environment: &str) -> String {
        format!("{}-{environment}", self.name)
    }

    /// Changes files of the config repository and commits them.
    pub(crate) fn commit(&self, changes: &[(&str, &str)]) {
        let mut files = self.files.lock().unwrap();
        for (path, text) in changes {
            files.insert((*path).to_owned(), (*text).to_owned());
        }
        let all: Vec<(String, String)> =
            files.iter().map(|(path, text)| (path.clone(), text.clone())).collect();
        commit(&self.config, "main", &all);
    }

    pub(crate) fn config_file(&self, path: &str) -> String {
        self.files.lock().unwrap()[path].clone()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
        command.args(arguments).arg("--config").arg(self.config.path()).arg("--state").arg(self.state.path());
        command.arg("--kubeconfig").arg(self.plane.kubeconfig()).arg("--data-dir").arg(self.data());
        command.args(["--own-namespace", &format!("{}-moorline", self.name)]);
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.all());
        output.stdout
    }

    pub(crate) fn once(&self) -> Output {
        self.run(&["run", "--once"])
    }

    pub(crate) fn status(&self, environment: &str, service: &str) -> Value {
        let text = self.run(&["status", environment, service, "-o", "json"]).stdout;
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))[0].clone()
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn daemon(&self) -> Daemon {
        let log = std::fs::File::create(self.folder.path().join("daemon.log")).unwrap();
        let mut command = self.command(&["run", "--poll", "2s", "--listen", "off"]);
        Daemon(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Starts one pass and kills it.
    pub(crate) fn kill_after(&self, time: Duration) {
        let mut child =
            self.command(&["run", "--once"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(time);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn forget_data(&self) {
        std::fs::remove_dir_all(self.data()).ok();
    }

    /// Makes every repository but the state's unreachable until the value is dropped.
    pub(crate) fn hide_git(&self) -> Hidden {
        let paths = ["config.git", "web.git", "ops.git"].map(|name| self.folder.path().join(name));
        let hidden = paths.map(|path| (path.clone(), path.with_extension("hidden")));
        hidden.iter().for_each(|(from, to)| std::fs::rename(from, to).unwrap());
        Hidden(hidden.to_vec())
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.plane.kubectl().succeed(arguments)
    }

    pub(crate) fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> String {
        self.plane.kubectl().succeed_with_input(arguments, input)
    }

    pub(crate) fn state_file(&self, path: &str) -> String {
        self.state.git(&["show", &format!("main:{path}")])
    }

    pub(crate) fn state_log(&self) -> String {
        self.state.git(&["log", "main", "--format=%B"])
    }

    pub(crate) fn audit(&self) -> Audit<'_> {
        Audit { shop: self, log: self.plane.audit_from_now() }
    }

    /// Every request of this shop's program since the shop was made.
    pub(crate) fn audit_of_instance(&self) -> Vec<Request> {
        self.own(self.audit.requests_of("moorline/"))
    }

    /// Other shops use the same control plane: ours are told by the names in them.
    fn own(&self, requests: Vec<Request>) -> Vec<Request> {
        requests.into_iter().filter(|request| request.uri.contains(&self.name)).collect()
    }
}

#[allow(dead_code, reason = "the file is included by several tests, and not all use all of it")]
impl Shop {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A folder that goes with the shop.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.data()
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// The head of the config repository.
    pub(crate) fn config_commit(&self) -> String {
        self.config.git(&["rev-parse", "main"])
    }

    /// Takes every file out of the config repository for which the test says so, and commits that.
    pub(crate) fn remove(&self, goes: impl Fn(&str) -> bool) {
        let mut files = self.files.lock().unwrap();
        files.retain(|path, _| !goes(path));
        let mut stream =
            "commit refs/heads/main\ncommitter A <a@example.com> 0 +0000\ndata 6\nremove\n".to_owned();
        stream.push_str("from refs/heads/main^0\n");
        for path in
            self.config.git(&["ls-tree", "-r", "--name-only", "main"]).lines().filter(|path| goes(path))
        {
            stream.push_str(&format!("D {path}\n"));
        }
        let mut import = Command::new("git");
        import.arg("-C").arg(self.config.path()).args(["fast-import", "--quiet", "--force"]);
        let ended = crate::parts::kubectl::output(&mut import, &stream);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }

    /// The program with all flags of the shop, for a test that changes more of the call.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        self.command(arguments)
    }

    /// Starts the daemon for the environment dev.
    pub(crate) fn daemon_of_dev(&self) -> Daemon {
        self.daemon_with(&["run", "--poll", "1s", "--listen", "off", "--environment", "dev"])
    }

    /// Starts the daemon with these arguments.
    pub(crate) fn daemon_with(&self, arguments: &[&str]) -> Daemon {
        let log = std::fs::File::create(self.folder.path().join("daemon.log")).unwrap();
        Daemon(self.command(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    pub(crate) fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("daemon.log")).unwrap()
    }
}

#[allow(dead_code, reason = "the file is included by several tests, and not all use all of it")]
impl Output {
    /// Runs a program to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }
}

pub(crate) struct Audit<'a> {
    shop: &'a Shop,
    log: AuditLog,
}

impl Audit<'_> {
    pub(crate) fn requests_of(&self, agent: &str) -> Vec<Request> {
        self.shop.own(self.log.requests_of(agent))
    }
}

pub(crate) struct Hidden(Vec<(PathBuf, PathBuf)>);

impl Drop for Hidden {
    fn drop(&mut self) {
        for (from, to) in &self.0 {
            std::fs::rename(to, from).ok();
        }
    }
}

pub(crate) struct Daemon(Child);

impl Daemon {
    /// SIGTERM; the exit code, if it ends within ten seconds.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn commit(repository: &BareRepository, branch: &str, files: &[(String, String)]) {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    repository.commit(branch, &files);
}

/// The chart that the real `helm create` writes.
fn created_chart(folder: &TempDir) -> Vec<(String, String)> {
    let place = folder.path().join("created");
    let made = Command::new(program("MOORLINE_HELM4")).arg("create").arg(&place).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut files = Vec::new();
    let mut folders = vec![place.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&place).unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files
}
