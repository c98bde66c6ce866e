//! `moorline template` as a whole, on charts of a few lines.

use std::path::Path;

use clap::Parser as _;

use super::{Chance, TemplateArguments, TemplateError, check_release_name, run};
use crate::helm::Compat;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    template: TemplateArguments,
}

fn template(folder: &Path, flags: &[&str]) -> Result<String, String> {
    let chart = folder.display().to_string();
    let words = ["template", "rel", &chart].into_iter().chain(flags.iter().copied());
    let line = Line::try_parse_from(words).unwrap();
    let chance = Chance { seed: [0; 32], now: 0 };
    match run(&line.template, chance, None, &mut Vec::new()) {
        Ok(out) => Ok(String::from_utf8(out).unwrap()),
        Err(TemplateError::Strict(lines)) => Err(lines.join("\n").replace(&chart, "CHART")),
        Err(other) => Err(other.to_string()),
    }
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    for (path, text) in files {
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

#[test]
fn findings_name_files_and_lines() {
    let folder = folder(&[
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\nicons: x\n"),
        ("values.yaml", "tag: a\ntag: b\n"),
        ("given.yaml", "# ours\nimage:\n  tagg: c\n"),
        ("templates/a.yaml", "a: {{ .Values.tag }}\nb: \"{{ .Values.port }}\"\n"),
    ]);
    let given = folder.path().join("given.yaml").display().to_string();
    let flags = ["-f", &given, "--set", "word=x", "--strict"];
    assert_eq!(
            template(folder.path(), &flags),
            Err("CHART/Chart.yaml:4:1: unknown key \"icons\": Helm does not read it
CHART/values.yaml:2:1: key \"tag\" stands twice in one map; the last one counts
CHART/given.yaml:2:1: image: no template reads this value, and the chart's values.yaml does not have it
--set: word: no template reads this value, and the chart's values.yaml does not have it
shop/templates/a.yaml:2:8: .Values.port: \"port\" is in no values, and neither default nor a condition guards it"
                .to_owned())
        );
    assert!(template(folder.path(), &["-f", &given]).is_ok(), "Helm accepts all of it");
}

#[test]
fn names_flags_and_files_are_taken_as_helm_takes_them() {
    let folder = folder(&[
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("templates/a.yaml", "a: {{ .Values.a }}{{ .Values.b }} {{ .Release.Namespace }}\n"),
        ("one.yaml", "a: 1\nb: 1\n"),
        ("two.yaml", "b: 2\n"),
    ]);
    let place = |name: &str| folder.path().join(name).display().to_string();
    let both = [place("one.yaml"), place("two.yaml")].join(",");
    let out = template(folder.path(), &["-f", &both, "-n", ""]).unwrap();
    assert!(out.ends_with("a: 12 default\n"), "{out}");
    let missing = place("three.yaml");
    let error = template(folder.path(), &["-f", &missing]).unwrap_err();
    assert_eq!(error, format!("open {missing}: no such file or directory"));
    for (name, good) in [("a.b-c.1", true), ("REL", false), ("a_b", false), ("-a", false), ("a..b", false)] {
        let checked = check_release_name(name, Compat::V3_19, &mut Vec::new());
        assert_eq!(checked.is_ok(), good, "{name}");
    }
}
