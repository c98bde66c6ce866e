//! kubectl against the sandbox and against a real API server with the node stand-in: the same words, the same codes.
//!
//! The commands stand in `sandbox/words/commands.txt`. What must differ (identities, times, addresses, versions, random
//! ends of names) is masked; what may come in another order is sorted.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use regex::Regex;

use crate::parts::control_plane;
use crate::parts::program;

/// What is masked, and by what.
const MASKS: &[(&str, &str)] = &[
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", "TIME"),
    (r"(?m)^W\d{4} \S+ +\d+ ", "WARNING "),
    (r"kube-api-access-[a-z0-9]{5}", "kube-api-access-X"),
    (
        r"\b((?:shop|web|once|manual|broken|homeless|failing|office|x)-)[a-z0-9]{6,10}-[a-z0-9]{5}\b",
        "${1}POD",
    ),
    (
        r"\b((?:ledger|agent|once|manual|web|shop|broken|homeless|failing|office|count|x)-)[bcdfghjklmnpqrstvwxz2456789]{5,10}\b",
        "${1}HASH",
    ),
    (r#"(pod-template-hash[=:]\s*"?)[a-z0-9]+"#, "${1}HASH"),
    (r#"(controller-revision-hash[=:]\s*"?)[a-z0-9]+"#, "${1}HASH"),
    (r"\b10\.\d+\.\d+\.\d+\b", "IP"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r#"(resourceVersion"?: )"\d+""#, r#"${1}"N""#),
    (r"Resource Version: +\d+", "Resource Version: N"),
    (r#"patch: Invalid value: ".*": json"#, "patch: Invalid value: OBJECT: json"),
    (r#""?(gitCommit|goVersion|compiler)": ".*""#, "BUILD"),
    (r"\b(\d+d)?(\d+h)?(\d+m)?\d+(\.\d+)?(ms|s)\b", "AGE"),
    (r"\b\d+m\d*s?\b", "AGE"),
    (r" *\(x\d+ over AGE\)", ""),
    (r"\b3[0-2]\d{3}\b", "PORT"),
    (r"https?://ADDRESS", "URL"),
    (r"/tmp/(LIVE|MERGED)-\d+", "/tmp/${1}"),
    (r"diff-\S+|kubectl-edit-\S+", "FILE"),
    (r"\b(stand-in|n1)\b", "NODE"),
    (r"[ \t]+", " "),
];

struct Masks(Vec<(Regex, &'static str)>);

impl Masks {
    fn new() -> Masks {
        Masks(MASKS.iter().map(|(pattern, with)| (Regex::new(pattern).unwrap(), *with)).collect())
    }

    fn mask(&self, text: &str, namespace: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, with) in &self.0 {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        text.replace(namespace, "NAMESPACE")
    }
}

/// The sandbox as a process of its own, as people start it.
struct Sandbox {
    process: Child,
    kubeconfig: PathBuf,
    _folder: tempfile::TempDir,
}

impl Sandbox {
    fn start(arguments: &[&str]) -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let mut process = Command::new(env!("CARGO_BIN_EXE_moorline"))
            .args(["sandbox", "--write-kubeconfig"])
            .arg(&kubeconfig)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        while !said.contains("KUBECONFIG=") {
            assert!(output.read_line(&mut said).unwrap() > 0, "the sandbox ended: {said}");
        }
        Sandbox { process, kubeconfig, _folder: folder }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The arguments of a line: parted at spaces, but for words in single quotes and the five fields of a schedule.
fn arguments(line: &str, namespace: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut open = false;
    for part in line.split(' ') {
        let quotes = part.matches('\'').count() % 2 == 1;
        let part = part.replace('\'', "").replace("$NS", namespace);
        match all.last_mut() {
            Some(last) if open || last.starts_with("--schedule=") && !part.starts_with('-') => {
                last.push(' ');
                last.push_str(&part);
            }
            _ => all.push(part),
        }
        open ^= quotes;
    }
    all
}

fn run(kubeconfig: &Path, home: &Path, line: &str, namespace: &str, masks: &Masks) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/sandbox/words");
    let output = Command::new(program("MOORLINE_KUBECTL"))
        .args(arguments(line, namespace))
        .current_dir(folder)
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", home)
        .env("KUBE_EDITOR", "sed -i s/shop:4/shop:5/")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| masks.mask(&String::from_utf8_lossy(bytes), namespace);
    let mut said =
        format!("exit {:?}\n{}--\n{}", output.status.code(), text(&output.stdout), text(&output.stderr));
    let mut lines: Vec<&str> = said.lines().collect();
    // How often a rollout is looked at depends on the machine; events of one second have no order.
    lines.retain(|line| !line.starts_with("Waiting"));
    // A watch that kubectl itself gives up at the end of a wait may or may not be in the middle of an event.
    lines.retain(|line| !(line.contains("reflector.go") && line.contains("context canceled")));
    if line.starts_with("api-") {
        // Other tests define kinds on the same server meanwhile.
        lines.retain(|line| !line.contains("example.com"));
    }
    // What is wrong with one object comes in the order of a map of Go.
    let of_one_object = |line: &str| line.starts_with(" .");
    lines
        .chunk_by_mut(|left, right| of_one_object(left) && of_one_object(right))
        .for_each(<[&str]>::sort_unstable);
    if line.starts_with("describe") {
        lines.sort_unstable();
    }
    said = lines.join("\n");
    said
}

/// How often one looks again at what controllers have not done yet, on either side, and after how long.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Whether a command only looks, so that it may be asked again.
fn is_a_look(line: &str) -> bool {
    ["get ", "describe "].iter().any(|verb| line.starts_with(verb))
}

/// Runs the commands of a file on both servers, side by side.
fn compare(file: &str, least: usize) {
    let real = control_plane::shared().kubeconfig();
    let sandbox = Sandbox::start(&["--start-delay", "50ms"]);
    // What kubectl remembers of a server's kinds is not shared with other tests.
    let home = tempfile::tempdir().unwrap();
    let namespace = control_plane::unique_name("sandbox-words");
    let masks = Masks::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/sandbox/words");
    let commands = std::fs::read_to_string(folder.join(file)).unwrap();
    let commands: Vec<&str> =
        commands.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut different = String::new();
    for line in &commands {
        let both = || {
            std::thread::scope(|scope| {
                let real = scope.spawn(|| run(&real, home.path(), line, &namespace, &masks));
                let found = run(&sandbox.kubeconfig, home.path(), line, &namespace, &masks);
                (real.join().unwrap(), found)
            })
        };
        let (mut expected, mut found) = both();
        for _ in 0..LOOKS {
            if expected == found || !is_a_look(line) {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
            (expected, found) = both();
        }
        if expected != found {
            let diff = similar::TextDiff::from_lines(&expected, &found);
            let diff = diff.unified_diff().context_radius(1).header("real", "sandbox").to_string();
            different.push_str(&format!("kubectl {line}\n{diff}\n"));
        }
    }
    assert!(commands.len() > least, "only {} commands", commands.len());
    assert!(different.is_empty(), "{different}");
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn kubectl_says_the_same_of_both() {
    compare("commands.txt", 200);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn kubectl_says_the_same_of_an_office() {
    compare("office.txt", 150);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn pods_have_logs_and_services_addresses() {
    let sandbox = Sandbox::start(&["--start-delay", "10ms"]);
    let kubectl = crate::parts::kubectl::Kubectl::new(sandbox.kubeconfig.clone());
    kubectl.succeed(&["create", "deployment", "web", "--image=registry.example.com/web:1"]);
    kubectl.succeed(&["rollout", "status", "deployment/web", "--timeout=20s"]);
    assert_eq!(
        kubectl.succeed(&["logs", "deployment/web"]),
        "web: started from registry.example.com/web:1\n"
    );
    kubectl.succeed(&["run", "failing", "--image=registry.example.com/web:crash"]);
    let waiting = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff";
    kubectl.succeed(&["wait", waiting, "pod/failing", "--timeout=20s"]);
    let logs = kubectl.succeed(&["logs", "failing", "--previous"]);
    assert!(logs.ends_with("fatal: simulated crash\nexit status 1\n"), "{logs}");
    kubectl.succeed(&["expose", "deployment", "web", "--port=80", "--type=LoadBalancer"]);
    let address = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=10.0.255.1";
    kubectl.succeed(&["wait", address, "service/web", "--timeout=20s"]);
    kubectl.succeed(&["cordon", "n1"]);
    kubectl.succeed(&["scale", "deployment/web", "--replicas=2"]);
    let waiting = "--for=jsonpath={.status.unavailableReplicas}=1";
    kubectl.succeed(&["wait", waiting, "deployment/web", "--timeout=20s"]);
    kubectl.succeed(&["uncordon", "n1"]);
    kubectl.succeed(&["rollout", "status", "deployment/web", "--timeout=20s"]);
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn kubectl_says_the_same_in_the_yard() {
    compare("yard.txt", 140);
}

/// What `template --validate` says of a chart, by Helm and by us, without what only Helm adds.
fn validated(sandbox: &Sandbox, chart: &Path) -> [(Option<i32>, String, String); 2] {
    let run = |command: &mut Command| {
        let output = command.args(["template", "rel"]).arg(chart).arg("--validate").output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said: Vec<String> = text(&output.stderr)
            .lines()
            .filter(|line| !line.starts_with("Flag "))
            .map(str::to_owned)
            .collect();
        (output.status.code(), text(&output.stdout), said.join("\n"))
    };
    let mut helm = Command::new(program("MOORLINE_HELM4"));
    let mut ours = Command::new(env!("CARGO_BIN_EXE_moorline"));
    [run(helm.env("KUBECONFIG", &sandbox.kubeconfig)), run(ours.env("KUBECONFIG", &sandbox.kubeconfig))]
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn a_chart_is_validated_against_a_cluster_as_helm_does() {
    let sandbox = Sandbox::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    std::fs::write(folder.path().join("Chart.yaml"), "apiVersion: v2\nname: listed\nversion: 0.1.0\n")
        .unwrap();
    let known = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
    let unknown = "{apiVersion: a.b/v1, kind: Boat, metadata: {name: b, namespace: c}}";
    let list = |kind: &str, items: &[&str]| {
        format!(
            "apiVersion: v1\nkind: {kind}\nitems:\n{}",
            items.iter().map(|item| format!("- {item}\n")).collect::<String>()
        )
    };
    let manifests = [
        (list("List", &[known]), Some(0)),
        (list("List", &[known, unknown]), Some(1)),
        (list("ConfigMapList", &[unknown, unknown]) + "---\n" + unknown, Some(1)),
        (list("List", &["{apiVersion: v1, metadata: {name: a}}"]), Some(1)),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Capabilities.KubeVersion.Version | quote }}}\ndta: {}\n".to_owned(), Some(0)),
    ];
    for (manifest, code) in manifests {
        std::fs::write(folder.path().join("templates/a.yaml"), &manifest).unwrap();
        let [helm, ours] = validated(&sandbox, folder.path());
        assert_eq!(ours, helm, "{manifest}");
        assert_eq!(ours.0, code, "{manifest}");
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn kubectl_says_the_same_in_the_garden() {
    compare("garden.txt", 140);
}
