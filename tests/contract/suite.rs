//! The contract suite: scenarios of HTTP requests (`scripts/*.txt`), run against any API server, and the answers that
//! the real one gave (`answers/*.txt`), compared once what differs from run to run is masked.
//!
//! A script holds scenarios, each begun by `== name`, each with a namespace of its own, `$ns`. A step is a line
//! `METHOD path`, and its body as YAML, indented, below. APPLY, MERGE, STRATEGIC and JSON are patches. A step that
//! begins with `~` is made but not compared; `KEEP name pointer` keeps part of the last answer as `$name`;
//! `UNTIL path pointer value` waits until a GET shows that value (`gone`: until it answers 404); `ACCEPT type` holds
//! for the next step.

#[path = "suite/client.rs"]
mod client;
#[path = "suite/mask.rs"]
mod mask;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub(crate) use client::Server;
use mask::Mask;
use serde_json::Value;

/// What a scenario's steps answered, masked: one line each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) scenario: String,
    pub(crate) lines: Vec<String>,
}

/// One scenario of a script.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    steps: Vec<Step>,
    managed_fields: bool,
    status: bool,
    own_namespace: bool,
}

#[derive(Debug)]
struct Step {
    method: String,
    path: String,
    body: Vec<String>,
    quiet: bool,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract")
}

/// All scripts by name, in order.
pub(crate) fn scripts() -> Vec<(String, Vec<Scenario>)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder().join("scripts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, parse(&std::fs::read_to_string(&path).unwrap()))
    };
    files.into_iter().map(read).collect()
}

fn parse(text: &str) -> Vec<Scenario> {
    let managed_fields = text.lines().any(|line| line == "# with managedFields");
    let status = text.lines().any(|line| line == "# with status");
    let mut scenarios: Vec<Scenario> = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            scenarios.push(Scenario {
                name: name.to_owned(),
                steps: Vec::new(),
                managed_fields,
                status,
                own_namespace: false,
            });
            continue;
        }
        let scenario = scenarios.last_mut().unwrap();
        scenario.own_namespace |= line.contains("$ns");
        if line.starts_with(' ') {
            scenario.steps.last_mut().unwrap().body.push(line.to_owned());
            continue;
        }
        let quiet = line.starts_with('~');
        let line = line.trim_start_matches('~').trim();
        let (method, path) = line.split_once(' ').unwrap_or((line, ""));
        scenario.steps.push(Step {
            method: method.to_owned(),
            path: path.to_owned(),
            body: Vec::new(),
            quiet,
        });
    }
    scenarios
}

/// The recorded answers of a script.
pub(crate) fn recorded(script: &str) -> Vec<Answers> {
    let text = std::fs::read_to_string(folder().join("answers").join(format!("{script}.txt")));
    let mut answers: Vec<Answers> = Vec::new();
    for line in text.unwrap_or_default().lines() {
        match line.strip_prefix("== ") {
            Some(name) => answers.push(Answers { scenario: name.to_owned(), lines: Vec::new() }),
            None if !line.is_empty() => answers.last_mut().unwrap().lines.push(line.to_owned()),
            None => {}
        }
    }
    answers
}

/// Keeps what a server answered as what is expected from now on.
pub(crate) fn record(script: &str, answers: &[Answers]) {
    let mut text = String::new();
    for answer in answers {
        writeln!(text, "== {}", answer.scenario).unwrap();
        for line in &answer.lines {
            writeln!(text, "{line}").unwrap();
        }
        text.push('\n');
    }
    std::fs::write(folder().join("answers").join(format!("{script}.txt")), text).unwrap();
}

/// Scenarios in which the sandbox is known to differ, by name.
pub(crate) fn known_departures() -> Vec<String> {
    let text = std::fs::read_to_string(folder().join("departures.txt")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(str::to_owned).collect()
}

/// Runs a scenario.
pub(crate) fn run(server: &Server, scenario: &Scenario) -> Answers {
    let namespace = server.unique_namespace();
    if scenario.own_namespace {
        server.make_namespace(&namespace);
    }
    let mut kept = BTreeMap::from([("ns".to_owned(), namespace.clone())]);
    let mask = Mask {
        namespace: namespace.clone(),
        managed_fields: scenario.managed_fields,
        status: scenario.status,
    };
    let mut lines = Vec::new();
    let mut last = Value::Null;
    let mut accept = String::new();
    for step in &scenario.steps {
        let path = filled(&step.path, &kept);
        match step.method.as_str() {
            "KEEP" => {
                let (name, pointer) = path.split_once(' ').unwrap();
                let value = last.pointer(pointer).unwrap_or(&Value::Null);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                kept.insert(name.to_owned(), text);
            }
            "ACCEPT" => accept = path,
            "UNTIL" => {
                let mut words = path.splitn(3, ' ');
                let (path, pointer, value) =
                    (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or(""));
                if let Err(seen) = server.wait(path, pointer, value) {
                    lines.push(format!("never: {} ({})", step.path, mask.text(&seen)));
                }
            }
            method => {
                let body = filled(&step.body.join("\n"), &kept);
                let answer = server.send(method, &path, &body, &std::mem::take(&mut accept));
                if !step.quiet {
                    lines.push(format!("{} {} → {}", step.method, step.path, answer.line(&mask)));
                }
                last = answer.value();
            }
        }
    }
    server.drop_namespace(&namespace, scenario.own_namespace);
    Answers { scenario: scenario.name.clone(), lines }
}

fn filled(text: &str, kept: &BTreeMap<String, String>) -> String {
    // Longer names first: one may begin another.
    kept.iter().rev().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
}

/// Where two runs of a scenario differ, for people.
pub(crate) fn differences(expected: &Answers, found: &Answers) -> Option<String> {
    let mut text = String::new();
    let count = expected.lines.len().max(found.lines.len());
    for index in 0..count {
        let (one, two) = (expected.lines.get(index), found.lines.get(index));
        if one != two {
            writeln!(text, "  expected: {}", one.map_or("nothing", String::as_str)).unwrap();
            writeln!(text, "  found:    {}", two.map_or("nothing", String::as_str)).unwrap();
        }
    }
    (!text.is_empty()).then_some(text)
}
