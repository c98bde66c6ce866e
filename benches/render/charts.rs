//! Charts from bytes in memory to Helm's output, beside the process that does the same; and plain YAML.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use moorline::desired::ConfigRepository;
use moorline::helm::{Chart, Engine, RenderInput};
use moorline::model::source::FileTree;
use moorline::render::{Outcome, WantedCode, render};

use crate::{median, milliseconds, timed};

/// Pairs of a process and a render, one after the other.
const PAIRS: usize = 25;
/// Renders in process per pair.
const REPETITIONS: usize = 8;

pub(crate) type Files = Vec<(String, Arc<[u8]>)>;

pub(crate) fn measure() {
    println!("== render, cold from bytes in memory, beside the process `helm template`; medians of {PAIRS}");
    let helm = helm();
    let folder = tempfile::tempdir().unwrap();
    for (what, place) in samples(folder.path(), &helm) {
        pair(&helm, what, &place);
    }
    plain();
}

/// The real helm 4.
pub(crate) fn helm() -> String {
    std::env::var("MOORLINE_HELM4").unwrap_or_else(|_| panic!("MOORLINE_HELM4 is not set: run tests/bench"))
}

/// The three charts that are measured, written into a folder.
pub(crate) fn samples(folder: &Path, helm: &str) -> [(&'static str, PathBuf); 3] {
    let create = |place: &Path| {
        let made = Command::new(helm).arg("create").arg(place).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    let single = folder.join("created");
    create(&single);
    let umbrella = folder.join("umbrella");
    std::fs::create_dir_all(umbrella.join("charts")).unwrap();
    let mut chart = "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n".to_owned();
    for number in 0..20 {
        let name = format!("service-{number:02}");
        create(&umbrella.join("charts").join(&name));
        chart.push_str(&format!("  - {{name: {name}, version: 0.1.0}}\n"));
    }
    std::fs::write(umbrella.join("Chart.yaml"), chart).unwrap();
    let large = folder.join("large");
    crate::large::write(&large);
    [
        ("the chart of `helm create`", single),
        ("an umbrella of 20 of them", umbrella),
        ("a large chart of 40 components", large),
    ]
}

fn pair(helm: &str, what: &str, place: &Path) {
    let files = read(place);
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    // From bytes to bytes, as the process beside it.
    let input = RenderInput { release: "rel".to_owned(), texts_only: true, ..RenderInput::default() };
    let whole = RenderInput { texts_only: false, ..input.clone() };
    let engine = Engine::default();
    // What it makes is given up after the time is taken: helm's process gives up nothing either before it ends.
    let cold = || {
        let chart = Chart::from_files(files.iter().cloned()).unwrap();
        let rendered = engine.render(&chart, &input).unwrap();
        let bytes = rendered.to_helm_output();
        (chart, rendered, bytes)
    };
    let template = || {
        let mut command = Command::new(helm);
        command.args(["template", "rel"]).arg(place).stderr(Stdio::null());
        command
    };
    let wanted = template().output().unwrap().stdout;
    assert!(wanted == cold().2, "{what}: not Helm's bytes");
    let (mut process, mut ours, mut warm, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let parsed = Chart::from_files(files.iter().cloned()).unwrap();
    for _ in 0..PAIRS {
        let (one, _) = timed(|| template().stdout(Stdio::null()).status().unwrap());
        let renders = (0..REPETITIONS).map(|_| timed(cold).0).collect();
        let renders = median(renders);
        warm.push(median(
            (0..REPETITIONS).map(|_| timed(|| engine.render(&parsed, &whole).unwrap()).0).collect(),
        ));
        process.push(one);
        ours.push(renders);
        ratios.push(one.as_secs_f64() / renders.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let documents = cold().1.documents.len();
    println!(
        "{what} ({} files, {bytes} bytes, {documents} objects, {} bytes out): helm template {:.1} ms; moorline {:.3} ms cold, {:.3} ms from the parsed chart to objects; ratio {:.0} [{:.0}-{:.0}]",
        files.len(),
        wanted.len(),
        milliseconds(median(process)),
        milliseconds(median(ours)),
        milliseconds(median(warm)),
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
    );
}

/// The files of a folder, by their paths in it.
pub(crate) fn read(place: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![place.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(place).unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read(&path).unwrap().into()));
            }
        }
    }
    files.sort();
    files
}

/// Six objects of plain YAML, to manifests with namespaces and labels.
fn plain() {
    let objects = crate::passes::objects("web", "green");
    let tree = FileTree::from_contents(
        [
            ("moorline.yaml", "version: 1\nname: shop\nenvironments: {dev: {namespace: shop}}\n"),
            ("services/web.yaml", "team: blue\nmanifests: {path: k8s/web}\n"),
            ("environments/dev/web.yaml", ""),
            ("k8s/web/all.yaml", objects.as_str()),
        ]
        .iter()
        .copied(),
    );
    let config = ConfigRepository::read(&tree);
    let (applications, faults) = config.applications(&tree, &"dev".parse().unwrap());
    assert!(faults.is_empty(), "{faults:?}");
    let application = applications.iter().find(|one| one.id.service.as_str() == "web").unwrap();
    let (instance, own_namespace) = ("shop".parse().unwrap(), "moorline".parse().unwrap());
    let (files, folder, code) = (tree.subtree("k8s/web"), FileTree::default(), WantedCode::default());
    let input = moorline::render::RenderInput {
        instance: &instance,
        own_namespace: &own_namespace,
        application,
        umbrella: None,
        folder: &folder,
        files: &files,
        code: &code,
        kinds: None,
        kubernetes: None,
        supply: &moorline::desired::Supply::new(),
        lookups: None,
        chance: moorline::helm::Chance::StandIns,
        seed: [0; 32],
        now: 0,
        time: None,
    };
    let Outcome::Rendered(rendered) = render(&input).unwrap() else { panic!("it asks the cluster") };
    assert_eq!(rendered.set.manifests.len(), 6);
    let times = (0..1000).map(|_| timed(|| render(&input).unwrap()).0).collect();
    println!(
        "plain YAML (6 objects, {} bytes): moorline {:.3} ms, namespaces and labels included",
        objects.len(),
        milliseconds(median(times))
    );
}
