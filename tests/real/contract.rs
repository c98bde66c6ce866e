//! The contract suite against the real API server: the recorded answers are what it answers. With
//! `MOORLINE_CONTRACT_RECORD=1` they are recorded anew.

#[allow(dead_code, reason = "the quick tier knows where the sandbox departs")]
#[path = "../contract/suite.rs"]
mod suite;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kube::config::Kubeconfig;

/// A control plane of its own, without the node stand-in that the other tests share: no pod is ever placed.
struct ControlPlane {
    kubeconfig: PathBuf,
    process: Child,
}

impl ControlPlane {
    fn start() -> ControlPlane {
        let folder = tempfile::Builder::new().prefix("moorline-contract-").tempdir().unwrap().keep();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/start");
        // It ends, and removes its folder, when its input closes, however that comes about.
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
        ControlPlane { kubeconfig: folder.join("kubeconfig"), process }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn the_real_server_answers_as_recorded() {
    let record = std::env::var_os("MOORLINE_CONTRACT_RECORD").is_some();
    let plane = ControlPlane::start();
    let config = Kubeconfig::read_from(&plane.kubeconfig).unwrap();
    let url = config.clusters[0].cluster.as_ref().unwrap().server.clone().unwrap();
    let user = config.auth_infos[0].auth_info.as_ref().unwrap();
    let token = serde_json::to_value(user).unwrap()["token"].as_str().unwrap().to_owned();
    let server = suite::Server::new(&url, &token, true);
    let wanted = std::env::var("MOORLINE_CONTRACT_SCRIPT").unwrap_or_default();
    let mut failures = String::new();
    let mut count = 0;
    for (script, scenarios) in suite::scripts() {
        if !script.contains(&wanted) {
            continue;
        }
        let answers: Vec<suite::Answers> =
            scenarios.iter().map(|scenario| suite::run(&server, scenario)).collect();
        count += answers.len();
        if record {
            suite::record(&script, &answers);
            continue;
        }
        let recorded = suite::recorded(&script);
        for found in &answers {
            let expected = recorded.iter().find(|expected| expected.scenario == found.scenario);
            let empty = suite::Answers { scenario: String::new(), lines: Vec::new() };
            if let Some(text) = suite::differences(expected.unwrap_or(&empty), found) {
                failures.push_str(&format!("{script}: {}\n{text}", found.scenario));
            }
        }
    }
    assert!(count > 0, "no scenario");
    assert!(failures.is_empty(), "the real server departs from what is recorded:\n{failures}");
}
