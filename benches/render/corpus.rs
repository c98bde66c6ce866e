//! Real charts of the corpus that `MOORLINE_CHART_CORPUS` names: each from bytes in memory, beside `helm template`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use moorline::helm::{Capabilities, Chart, Compat, Engine, RenderInput};

use crate::charts::{Files, helm, read};
use crate::{median, milliseconds, timed};

/// Runs of each side per chart.
const RUNS: usize = 3;

pub(crate) fn measure() {
    let Some(corpus) = std::env::var_os("MOORLINE_CHART_CORPUS") else {
        println!("== real charts: MOORLINE_CHART_CORPUS is not set");
        return;
    };
    let helm = helm();
    let mut ratios = Vec::new();
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for folder in charts(&Path::new(&corpus).join("open")) {
        let Some((process, render)) = pair(&helm, &folder) else { continue };
        ratios.push((process.as_secs_f64() / render.as_secs_f64(), folder));
        theirs.push(process);
        ours.push(render);
    }
    ratios.sort_by(|left, right| left.0.total_cmp(&right.0));
    let at = |share: usize| ratios.get(ratios.len() * share / 100).map_or(0.0, |(ratio, _)| *ratio);
    println!(
        "== {} real charts, cold: helm template {:.1} ms, moorline {:.3} ms (medians); ratio {:.0}, a tenth below {:.0}",
        ratios.len(),
        milliseconds(median(theirs)),
        milliseconds(median(ours)),
        at(50),
        at(10),
    );
    for (ratio, folder) in ratios.iter().take(5) {
        println!("the least: {ratio:.0} {}", folder.display());
    }
}

/// Folders that hold a `chart` and a case `default` that renders.
fn charts(place: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![place.to_owned()];
    while let Some(next) = folders.pop() {
        if next.join("chart").is_dir() {
            let exit = std::fs::read_to_string(next.join("cases/default/exit")).unwrap_or_default();
            if exit.trim() == "0" {
                found.push(next);
            }
            continue;
        }
        folders.extend(
            std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()),
        );
    }
    found.sort();
    found
}

/// Medians of both sides; nothing for a case with values of its own.
fn pair(helm: &str, folder: &Path) -> Option<(Duration, Duration)> {
    let command = std::fs::read_to_string(folder.join("cases/default/cmd.txt")).unwrap();
    let words: Vec<&str> = command.lines().find(|line| line.starts_with("helm"))?.split(' ').collect();
    if words.contains(&"-f") || words.contains(&"--set") {
        return None;
    }
    let of = |flag: &str| words.iter().position(|word| *word == flag).map(|at| words[at + 1]);
    let capabilities =
        Capabilities::offline(Compat::V4_3).reading_kube_version(of("--kube-version")?).unwrap();
    let input = RenderInput {
        release: words[2].to_owned(),
        namespace: of("--namespace")?.to_owned(),
        include_crds: words.contains(&"--include-crds"),
        // As `template` does, which prints and keeps nothing.
        texts_only: true,
        crds_as_they_are: true,
        ..RenderInput::default()
    };
    let engine = Engine::default().with_capabilities(capabilities);
    let files: Files = read(&folder.join("chart"));
    let render = || {
        let chart = Chart::from_files(files.iter().cloned()).ok()?;
        let rendered = engine.render(&chart, &input).ok()?;
        let bytes = rendered.to_helm_output();
        Some((chart, rendered, bytes))
    };
    render()?;
    let process = || {
        let mut command = Command::new(helm);
        command.args(&words[1..]).current_dir(folder.join("chart"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
    };
    let theirs = (0..RUNS).map(|_| timed(process).0).collect();
    let ours = (0..RUNS).map(|_| timed(render).0).collect();
    Some((median(theirs), median(ours)))
}
