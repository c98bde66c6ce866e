//! The engine against the helm binaries named by `MOORLINE_HELM4` and `MOORLINE_HELM3`.

use std::path::Path;
use std::process::Command;

use moorline::helm::{Compat, Engine, RenderInput};

use super::{chart, first_difference, fleet, folder, golden, members, read_folder, write_folder};

/// The binaries that are there, with what they speak.
fn binaries() -> Vec<(String, Compat, u8)> {
    let known: Vec<(String, Compat, u8)> =
        [("MOORLINE_HELM4", Compat::V4_3, 4), ("MOORLINE_HELM3", Compat::V3_19, 3)]
            .into_iter()
            .filter_map(|(name, compat, version)| {
                std::env::var(name).ok().map(|path| (path, compat, version))
            })
            .collect();
    assert!(!known.is_empty(), "set MOORLINE_HELM4 and MOORLINE_HELM3 to helm binaries");
    known
}

fn helm(binary: &str, home: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(binary)
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("TZ", "UTC")
        .output()
        .expect("helm runs");
    assert!(output.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Helm's bytes for an umbrella.
fn render_umbrella(binary: &str, umbrella: &fleet::Umbrella) -> Vec<u8> {
    let space = tempfile::tempdir().expect("a folder");
    let path = space.path().join("fleet");
    write_folder(&path, &umbrella.files);
    let mut arguments = vec!["template", "rel", path.to_str().expect("a path"), "-n", "space"];
    let layers: Vec<String> = (0..umbrella.layers.len())
        .map(|index| space.path().join(format!("layer{index}.yaml")).to_string_lossy().into_owned())
        .collect();
    for (file, layer) in layers.iter().zip(&umbrella.layers) {
        std::fs::write(file, layer).expect("a layer");
        arguments.extend(["-f", file]);
    }
    helm(binary, space.path(), &arguments)
}

#[test]
#[ignore = "needs helm binaries: MOORLINE_HELM4 and MOORLINE_HELM3"]
fn charts_that_helm_creates_now() {
    for (creator, _, creating) in binaries() {
        let space = tempfile::tempdir().expect("a folder");
        let path = space.path().join("fresh");
        helm(&creator, space.path(), &["create", path.to_str().expect("a path")]);
        let chart = chart(&read_folder(&path));
        for (binary, compat, version) in binaries() {
            let want = helm(&binary, space.path(), &["template", "rel", path.to_str().expect("a path")]);
            let input = RenderInput { release: "rel".to_owned(), ..RenderInput::default() };
            let got = Engine::new(compat).render(&chart, &input).expect("a render").to_helm_output();
            let difference = first_difference(&want, &got);
            assert!(want == got, "created by {creating}, rendered as {version}: {difference}");
        }
    }
}

#[test]
#[ignore = "needs helm binaries: MOORLINE_HELM4 and MOORLINE_HELM3"]
fn random_umbrellas_and_the_sum_of_their_members() {
    let first: u64 = std::env::var("MOORLINE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(100);
    let count: u64 =
        std::env::var("MOORLINE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(25);
    for seed in first..first + count {
        let umbrella = fleet::umbrella(seed);
        for (binary, compat, version) in binaries() {
            let want = render_umbrella(&binary, &umbrella);
            let got = umbrella.render(compat);
            assert!(want == got, "umbrella {seed} as helm {version}: {}", first_difference(&want, &got));
            let sum = members::sum_of_members(&umbrella, compat).to_helm_output();
            assert!(want == sum, "members of {seed} as helm {version}: {}", first_difference(&want, &sum));
        }
    }
}

#[test]
#[ignore = "writes the golden files from the helm binaries if MOORLINE_WRITE_GOLDENS is set"]
fn write_goldens() {
    // Only on demand: the other tests read these files at the same time.
    if std::env::var_os("MOORLINE_WRITE_GOLDENS").is_none() {
        return;
    }
    let golden = folder().join("golden");
    for (binary, _, version) in binaries() {
        let space = tempfile::tempdir().expect("a folder");
        for source in golden::CHARTS {
            let path = folder().join("corpus").join(source);
            let text = helm(&binary, space.path(), &["template", "rel", path.to_str().expect("a path")]);
            std::fs::write(golden.join(format!("{source}.helm{version}.yaml")), text).expect("golden");
        }
        for seed in golden::SEEDS {
            let text = render_umbrella(&binary, &fleet::umbrella(seed));
            std::fs::write(golden.join(format!("umbrella-{seed}.helm{version}.yaml")), text).expect("golden");
        }
    }
}
