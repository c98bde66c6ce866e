//! The contract suite against the real API server: the recorded answers are what it answers.

#[path = "../contract/suite.rs"]
mod suite;

use kube::config::Kubeconfig;

use crate::parts::control_plane;

#[test]
#[ignore = "needs the real parts: tests/run"]
fn the_real_server_answers_as_recorded() {
    let (path, record) = match std::env::var_os("MOORLINE_CONTRACT_KUBECONFIG") {
        Some(path) => (path.into(), std::env::var_os("MOORLINE_CONTRACT_RECORD").is_some()),
        None => (control_plane::shared().kubeconfig(), false),
    };
    let config = Kubeconfig::read_from(path).unwrap();
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
