//! The contract suite against the sandbox: it answers as the real API server did.

#[allow(dead_code, reason = "the whole tier records with it")]
#[path = "../contract/suite.rs"]
mod suite;

use std::fmt::Write as _;
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;
use moorline::sandbox::cluster::Cluster;
use moorline::sandbox::controllers::Pace;
use moorline::sandbox::front::{Served, serve};
use tokio::net::TcpListener;

/// Serves a sandbox as long as the test lives, and gives its URL.
#[expect(clippy::disallowed_methods, reason = "the front that serves it runs on the real clock too")]
fn sandbox() -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let pace = Pace { start: Duration::from_millis(10) };
            serve(Served::new(Cluster::new(7, pace, Timestamp::now())), listener).await;
        });
    });
    format!("http://{}", receiver.recv().unwrap())
}

#[test]
fn the_sandbox_answers_as_the_real_server() {
    let server = suite::Server::new(&sandbox(), "", false);
    let known = suite::known_departures();
    let wanted = std::env::var("MOORLINE_CONTRACT_SCRIPT").unwrap_or_default();
    let (mut text, mut agree, mut departures) = (String::new(), 0, Vec::new());
    for (script, scenarios) in suite::scripts().into_iter().filter(|(script, _)| script.contains(&wanted)) {
        let recorded = suite::recorded(&script);
        assert_eq!(recorded.len(), scenarios.len(), "{script}: the answers are not of this script");
        for (scenario, expected) in scenarios.iter().zip(&recorded) {
            assert_eq!(scenario.name, expected.scenario, "{script}: the answers are not of this script");
            let name = format!("{script}: {}", scenario.name);
            match suite::differences(expected, &suite::run(&server, scenario)) {
                None => agree += 1,
                Some(differences) => {
                    if !known.contains(&name) {
                        writeln!(text, "{name}\n{differences}").unwrap();
                    }
                    departures.push(name);
                }
            }
        }
    }
    let healed: Vec<&String> =
        known.iter().filter(|name| name.starts_with(&wanted) && !departures.contains(name)).collect();
    assert!(text.is_empty(), "{agree} agree; the sandbox departs from the real server in:\n{text}");
    assert!(healed.is_empty(), "departures.txt names scenarios that agree: {healed:?}");
    assert!(agree > 0, "no scenario");
}
