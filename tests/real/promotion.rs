//! From a code commit to production, as a person would do it: awaited, built, rolled out by digest, pending, promoted,
//! rolled back. Real API server, real git, a real registry.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::parts::control_plane::{self, ControlPlane};
use crate::parts::git_repository::BareRepository;
use crate::parts::registry::Registry;
use crate::shop::{Output, eventually};

const CHART: &str = "apiVersion: v2\nname: pay\nversion: 1.0.0\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pay}\ndata:\n  image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}@{{ .Values.image.digest }}\"\n";

struct Story {
    folder: tempfile::TempDir,
    plane: &'static ControlPlane,
    registry: Registry,
    config: BareRepository,
    state: BareRepository,
    code: BareRepository,
    name: String,
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Story {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = |name: &str| BareRepository::create(&folder.path().join(name));
        let (config, state, code) =
            (repository("config.git"), repository("state.git"), repository("pay.git"));
        let (plane, registry) = (control_plane::shared(), Registry::start());
        let name = control_plane::unique_name("promotion");
        let story = Self { folder, plane, registry, config, state, code, name };
        let (team, host) = (&story.name, story.registry.host());
        let service = format!(
            "team: {team}\ncode: {{repository: \"{}\"}}\nchart: {{path: chart}}\nimage:\n  repository: \"{{registry}}/shop/pay\"\n  values: {{repository: image.repository, tag: image.tag, digest: image.digest}}\n",
            story.code.path().display()
        );
        let main = format!(
            "version: 1\nname: {team}\nenvironments:\n  dev: {{branch: dev, namespace: {team}-dev}}\n  prod: {{from: dev, namespace: {team}-prod}}\ndefaults: {{registry: \"{host}\"}}\n"
        );
        story.config.commit(
            "main",
            &[
                ("moorline.yaml", &main),
                ("services/pay.yaml", &service),
                ("environments/dev/pay.yaml", ""),
                ("environments/prod/pay.yaml", ""),
                ("environments/prod/versions.yaml", "# what runs in prod\n"),
            ],
        );
        story
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
        command.args(arguments).arg("--config").arg(self.config.path()).arg("--state").arg(self.state.path());
        command.arg("--kubeconfig").arg(self.plane.kubeconfig());
        command.arg("--data-dir").arg(self.folder.path().join("data"));
        command.args(["--own-namespace", &format!("{}-moorline", self.name)]);
        command.env("GIT_AUTHOR_NAME", "Ann").env("GIT_AUTHOR_EMAIL", "ann@example.com");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Output::of(&mut self.command(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        serde_json::from_str(output.stdout()).unwrap_or_else(|error| panic!("{error}: {}", output.all()))
    }

    fn daemon(&self) -> Daemon {
        let log = std::fs::File::create(self.folder.path().join("daemon.log")).unwrap();
        let mut command = self.command(&["run", "--poll", "1s", "--listen", "off"]);
        Daemon(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn commit(&self, text: &str) -> String {
        let files = [
            ("chart/Chart.yaml", CHART),
            ("chart/values.yaml", "image: {}\n"),
            ("chart/templates/map.yaml", TEMPLATE),
            ("src/main.rs", text),
        ];
        self.code.commit("dev", &files).trim().to_owned()
    }

    /// Pushes an image whose manifest tells of the commit; gives the reference that is to run.
    fn push(&self, commit: &str) -> String {
        let client = reqwest::blocking::Client::new();
        let base = format!("http://{}/v2/shop/pay", self.registry.host());
        let blob = |text: &str| {
            let digest = moorline::model::digest::Digest::of(text.as_bytes()).to_string();
            let begun = client.post(format!("{base}/blobs/uploads/")).send().unwrap();
            let place = begun.headers()["location"].to_str().unwrap().to_owned();
            let sign = if place.contains('?') { '&' } else { '?' };
            let put =
                client.put(format!("{place}{sign}digest={digest}")).body(text.to_owned()).send().unwrap();
            assert!(put.status().is_success(), "{}", put.status());
            json!({"digest": digest, "size": text.len()})
        };
        let mut config = blob(&format!("{{\"commit\": \"{commit}\"}}"));
        config["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []}).to_string();
        let put = client.put(format!("{base}/manifests/{commit}")).header("content-type", kind);
        let put = put.body(manifest.clone()).send().unwrap();
        assert!(put.status().is_success(), "{}: {}", put.status(), put.text().unwrap());
        let digest = moorline::model::digest::Digest::of(manifest.as_bytes());
        format!("{}/shop/pay:{commit}@{digest}", self.registry.host())
    }

    fn runs(&self, environment: &str) -> String {
        let namespace = format!("{}-{environment}", self.name);
        let arguments = ["-n", &namespace, "get", "configmap", "pay", "-o", "jsonpath={.data.image}"];
        let output = self.plane.kubectl().run(&arguments);
        output.stdout
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_commit_goes_from_code_to_production_and_back() {
    let story = Story::begin();
    let first = story.commit("1");
    let daemon = story.daemon();
    // Awaited with its author, until the image is pushed; then it rolls out by digest.
    eventually("awaited", || {
        story.json(&["status", "dev", "pay", "-o", "json"])[0]["awaiting"]["commit"] == first
    });
    let status = story.json(&["status", "dev", "pay", "-o", "json"]);
    // The commits of these tests are of 1970: an image that is not there by now is missing.
    assert_eq!(status[0]["awaiting"]["state"], "missing", "{status}");
    assert!(status[0]["awaiting"]["author"].as_str().is_some_and(|author| !author.is_empty()), "{status}");
    assert_eq!(story.runs("dev"), "");
    let one = story.push(&first);
    eventually("dev rolls out", || story.runs("dev") == one);
    // Nothing is pinned in prod: it is new there.
    eventually("pending", || story.json(&["pending", "prod", "-o", "json"])[0]["state"] == "new");
    let nothing = story.run(&["promote", "prod", "pay"]);
    assert!(nothing.all().contains("--push"), "{}", nothing.all());
    let dry = story.run(&["promote", "prod", "pay", "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.all());
    assert_eq!(
        story.config.git(&["show", "main:environments/prod/versions.yaml"]).trim(),
        "# what runs in prod"
    );
    let promoted = story.json(&["promote", "prod", "pay", "--push", "--reason", "release 1", "-o", "json"]);
    assert_eq!(promoted["services"][0]["after"], first, "{promoted}");
    eventually("prod rolls out", || story.runs("prod") == one);
    let log = story.config.git(&["log", "-1", "main", "--format=%an%n%B"]);
    assert!(log.starts_with("Ann\npromote pay in prod"), "{log}");
    assert!(log.contains("release 1") && log.contains("Moorline-Promote: prod/pay"), "{log}");
    assert_eq!(story.run(&["pending", "prod"]).code, 0, "nothing is pending");
    // The next commit is pending with its subject; it cannot be promoted before its image is there.
    let second = story.commit("2");
    let missing = story.run(&["promote", "prod", "pay", "--commit", &second, "--push"]);
    assert!(missing.code == 2 && missing.all().contains("does not exist"), "{}", missing.all());
    let two = story.push(&second);
    eventually("dev rolls out the second", || story.runs("dev") == two);
    let pending = story.json(&["pending", "prod", "pay", "-o", "json"]);
    assert_eq!(
        (&pending[0]["state"], &pending[0]["commits"][0]["commit"]),
        (&json!("ahead"), &json!(second)),
        "{pending}"
    );
    let promoted = story.run(&["promote", "prod", "--all", "--push"]);
    assert!(promoted.code == 0 && promoted.all().contains("pushed"), "{}", promoted.all());
    eventually("prod rolls out the second", || story.runs("prod") == two);
    // Back to the version before, by its digest; the comment still stands, and a restart changes nothing.
    let back = story.run(&["rollback", "prod", "pay", "--push"]);
    assert_eq!(back.code, 0, "{}", back.all());
    eventually("prod is back", || story.runs("prod") == one);
    let pins = story.config.git(&["show", "main:environments/prod/versions.yaml"]);
    assert!(pins.starts_with("# what runs in prod\npay: {commit:") && pins.contains("digest"), "{pins}");
    drop(daemon);
    let again = story.run(&["run", "--once"]);
    assert_eq!((again.code, story.runs("prod")), (0, one), "{}", again.all());
}
