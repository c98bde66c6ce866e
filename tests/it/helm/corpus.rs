//! Real charts and function cases with the output of both helms, where a folder of them is named by
//! `MOORLINE_CHART_CORPUS`: all function cases and every tenth case of the real charts.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::first_difference;

/// Cases that cannot succeed, and why.
const KNOWN: &[(&str, &str)] = &[
    (
        "kube-prometheus-stack/cases/default",
        "the dependencies of this copy are not vendored: helm fails as well",
    ),
    (
        "kube-prometheus-stack/cases/ci-01-provision-crds-values",
        "the dependencies of this copy are not vendored: helm fails as well",
    ),
];

struct Expected {
    output: Vec<u8>,
    error: Vec<u8>,
    succeeds: bool,
    /// Lines that helm itself changes from run to run.
    masked: Vec<usize>,
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

fn expected(case: &Path, v3: bool) -> Expected {
    let plain = |name: &str| read(&case.join(name)).unwrap_or_default();
    let mut expected = Expected {
        output: plain("stdout.yaml"),
        error: plain("stderr.txt"),
        succeeds: plain("exit").trim_ascii() == b"0",
        masked: Vec::new(),
    };
    if v3 {
        if let Some(packed) = read(&case.join("stdout.v3.yaml.gz")) {
            expected.output.clear();
            let mut reader = flate2::read::GzDecoder::new(packed.as_slice());
            reader.read_to_end(&mut expected.output).expect("a packed file");
        }
        if let Some(error) = read(&case.join("stderr.v3.txt")) {
            expected.error = error;
        }
        if let Some(exit) = read(&case.join("exit.v3")) {
            expected.succeeds = exit.trim_ascii() == b"0";
        }
    }
    if let Some(mask) = read(&case.join("mask.json")) {
        let mask: serde_json::Value = serde_json::from_slice(&mask).expect("JSON");
        let lines = if v3 { mask.get("v3").or(mask.get("v4")) } else { mask.get("v4").or(mask.get("v3")) };
        let lines = lines.and_then(serde_json::Value::as_array).into_iter().flatten();
        expected.masked = lines
            .filter_map(serde_json::Value::as_u64)
            .filter_map(|line| usize::try_from(line).ok())
            .collect();
    }
    expected
}

/// Masked lines count up to their first `: `.
fn cut(text: &[u8], masked: &[usize]) -> Vec<u8> {
    if masked.is_empty() {
        return text.to_vec();
    }
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text
        .split('\n')
        .enumerate()
        .map(|(number, line)| match line.split_once(": ") {
            Some((key, _)) if masked.contains(&number) => key,
            None if masked.contains(&number) => "",
            _ => line,
        })
        .collect();
    lines.join("\n").into_bytes()
}

/// What is wrong with a case; nothing if it is as in helm.
fn check(case: &Path, v3: bool) -> Option<String> {
    let expected = expected(case, v3);
    let chart = case.parent().and_then(Path::parent).expect("a chart").join("chart");
    let command = String::from_utf8(read(&case.join("cmd.txt")).expect("a command")).expect("text");
    let line = command.trim_end().lines().last().expect("a line").to_owned();
    // The line was written for a shell and begins with `helm`.
    let arguments = line.strip_prefix("helm ").expect("a command of helm");
    let compat = if v3 { " --helm-compat 3.19" } else { "" };
    let got = Command::new("sh")
        .args(["-c", &format!("exec \"$0\" {arguments}{compat}"), env!("CARGO_BIN_EXE_moorline")])
        .current_dir(&chart)
        .env("TZ", "UTC")
        .output()
        .expect("moorline runs");
    if expected.succeeds {
        if !got.status.success() {
            return Some(format!("fails: {}", String::from_utf8_lossy(&got.stderr)));
        }
        let (want, got) = (cut(&expected.output, &expected.masked), cut(&got.stdout, &expected.masked));
        return (want != got).then(|| first_difference(&want, &got));
    }
    let same = got.stderr.trim_ascii() == expected.error.trim_ascii();
    (got.status.success() || !same).then(|| {
        let want = String::from_utf8_lossy(&expected.error).into_owned();
        format!("want the error {want}, got {}", String::from_utf8_lossy(&got.stderr))
    })
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.join("exit").is_file() && path.join("cmd.txt").is_file() {
                found.push(path);
            } else if path.is_dir() && path.file_name().is_some_and(|name| name != "chart") {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

fn check_all(cases: &[PathBuf]) {
    let mut wrong = Vec::new();
    for case in cases {
        if KNOWN.iter().any(|(end, _)| case.ends_with(end)) {
            continue;
        }
        for v3 in [false, true] {
            if let Some(difference) = check(case, v3) {
                let version = if v3 { 3 } else { 4 };
                wrong.push(format!("{} as helm {version}: {difference}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn corpus(set: &str) -> Vec<PathBuf> {
    std::env::var_os("MOORLINE_CHART_CORPUS")
        .map(|corpus| cases(&PathBuf::from(corpus).join(set)))
        .unwrap_or_default()
}

#[test]
fn function_cases_render_as_in_helm() {
    check_all(&corpus("functions"));
}

#[test]
fn real_charts_render_as_in_helm() {
    let sample: Vec<PathBuf> = corpus("open").into_iter().step_by(10).collect();
    check_all(&sample);
}
