//! Random charts through this engine and the helm that `MOORLINE_HELM4` names. `MOORLINE_SEED` and
//! `MOORLINE_ROUNDS` choose other cases and more of them, `MOORLINE_KIND` those of one kind.

#![allow(clippy::too_many_lines, reason = "generators are lists of choices")]

mod cases;
mod documents;
mod expressions;
mod random;
mod schemas;
mod templates;
mod words;

use std::path::Path;
use std::process::{Command, Output};

use cases::{Case, KINDS};

/// How many of a hundred may differ: what is left are corners that the compatibility page lists.
const TOLERATED: u64 = 8;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}

/// For so many seconds a program may run: helm ranges over a duration for days.
const PATIENCE: &str = "20";

/// What a program says; nothing if it does not come to an end.
fn run(program: &str, folder: &Path, case: &Case) -> Option<Output> {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", PATIENCE, program]);
    command.args(["template", "rel"]).arg(folder).args(["--namespace", "ns", "--kube-version", "1.33.0"]);
    for argument in &case.arguments {
        match argument.strip_prefix('@') {
            Some(file) => command.arg(folder.join(file)),
            None => command.arg(argument),
        };
    }
    let output = command
        .env_clear()
        .env("HOME", folder.join("home"))
        .env("TZ", "UTC")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("a program that runs");
    output.status.code().map(|_| output)
}

/// Helm prints some lines in random order.
fn sorted(text: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(text).trim().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn agree(want: &Output, got: &Output) -> bool {
    if want.status.success() {
        // Addresses of memory are nobody's business.
        let address = want.stdout.windows(4).any(|window| window == b"0xc0");
        return got.status.success() && (want.stdout == got.stdout || address);
    }
    !got.status.success() && sorted(&want.stderr) == sorted(&got.stderr)
}

#[test]
#[ignore = "needs a helm binary: MOORLINE_HELM4"]
fn random_charts_are_rendered_as_by_helm() {
    let helm = std::env::var("MOORLINE_HELM4").expect("MOORLINE_HELM4 names a helm binary");
    let (first, count) = (number("MOORLINE_SEED", 1), number("MOORLINE_ROUNDS", 25));
    let only = std::env::var("MOORLINE_KIND").ok();
    for kind in KINDS.iter().filter(|kind| only.as_ref().is_none_or(|only| only == **kind)) {
        let mut differing = Vec::new();
        for seed in first..first + count {
            let case = Case::random(kind, seed);
            let space = tempfile::tempdir().expect("a folder");
            let files = case.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes()));
            super::write_folder(space.path(), &files.collect());
            let Some(want) = run(&helm, space.path(), &case) else {
                println!("{kind} {seed}: helm does not end");
                continue;
            };
            let got = run(env!("CARGO_BIN_EXE_moorline"), space.path(), &case)
                .unwrap_or_else(|| panic!("{kind} {seed} does not end: {case:?}"));
            if !agree(&want, &got) {
                differing.push(format!(
                    "{kind} {seed} {case:?}\nwant {}{}\ngot  {}{}",
                    String::from_utf8_lossy(&want.stdout),
                    String::from_utf8_lossy(&want.stderr),
                    String::from_utf8_lossy(&got.stdout),
                    String::from_utf8_lossy(&got.stderr)
                ));
            }
        }
        let allowed = (count * TOLERATED).div_ceil(100);
        println!("{kind}: {} of {count} cases differ\n{}", differing.len(), differing.join("\n\n"));
        assert!(differing.len() as u64 <= allowed, "too many cases of {kind} differ");
    }
}

/// No case may bring the engine down, whatever helm makes of it; and a strict render, which keeps nothing of what named
/// templates made, says the same as one that does.
#[test]
fn random_charts_end_in_output_or_an_error() {
    use moorline::helm::{Chart, Engine, RenderFault, RenderInput, RenderLimits, Strictness};
    let limits = RenderLimits { steps: 2_000_000, bytes: 64 << 20, ..RenderLimits::default() };
    let engine = Engine::default().with_limits(limits);
    for kind in KINDS {
        for seed in 0..60 {
            let case = Case::random(kind, seed);
            let files = case.files.iter().map(|(path, text)| (path.clone(), text.as_bytes().into()));
            let Ok(chart) = Chart::from_files(files) else { continue };
            let render = |strictness| {
                let input = RenderInput { strictness, ..RenderInput::default() };
                match engine.render(&chart, &input) {
                    Ok(rendered) => Some(Ok(rendered.to_helm_output())),
                    Err(error) if matches!(error.fault, RenderFault::Limit(_)) => None,
                    Err(error) => Some(Err(error.message)),
                }
            };
            if let (Some(kept), Some(run)) = (render(Strictness::AsHelm), render(Strictness::Strict)) {
                assert_eq!(kept, run, "{kind} {seed}");
            }
        }
    }
}
