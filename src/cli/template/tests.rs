//! `moorline template` as a whole, on charts of a few lines.

use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};

use super::{Chance, TemplateArguments, TemplateError, check_release_name, define_unheeded, folder, run};
use crate::cli::switches::Switches;
use crate::helm::Compat;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    template: Switches<TemplateArguments>,
}

fn template(folder: &Path, flags: &[&str]) -> Result<String, String> {
    let chart = folder.display().to_string();
    let words = ["template", "rel", &chart].into_iter().chain(flags.iter().copied());
    let line = Line::try_parse_from(words).unwrap();
    let chance = Chance { seed: [0; 32], now: 0 };
    let mut out = Vec::new();
    match run(&line.template.0, chance, None, &mut out, &mut Vec::new()) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(TemplateError::Strict(lines)) => Err(lines.join("\n").replace(&chart, "CHART")),
        Err(other) => Err(other.to_string()),
    }
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for inner in ["templates", "crds"] {
        std::fs::create_dir(folder.path().join(inner)).unwrap();
    }
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
        assert_eq!(check_release_name(name).is_ok(), good, "{name}");
    }
}

/// As both helms take them, but for a name with `{{`, and `--dry-run=server`, which asks a cluster there.
#[test]
fn commands_written_for_helm_run_as_they_are() {
    let folder = folder(&[
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("templates/a.yaml", "a: {{ .Release.Name }}\n"),
    ]);
    let chart = folder.path().display().to_string();
    let line = |words: &[&str]| {
        let words = ["template"].iter().chain(words).copied().chain([chart.as_str()]);
        let matches = define_unheeded(Line::command()).try_get_matches_from(words);
        let line = matches.and_then(|matches| Line::from_arg_matches(&matches));
        let template = line.map_err(|error| error.to_string())?.template.0;
        let mut out = Vec::new();
        let ran = run(&template, Chance { seed: [0; 32], now: 0 }, None, &mut out, &mut Vec::new());
        ran.map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.to_string())
    };
    let named = |name: &str| Ok(format!("---\n# Source: shop/templates/a.yaml\na: {name}\n"));
    assert_eq!(line(&["-g"]), named("release-name"));
    assert_eq!(line(&["--name-template", "web"]), named("web"));
    assert_eq!(line(&["--name-template="]), named("release-name"));
    let refused = |flag: &str| Err(format!("cannot set {flag} and also specify a name"));
    assert_eq!(line(&["--generate-name", "rel"]), refused("--generate-name"));
    assert_eq!(line(&["--name-template", "web", "rel"]), refused("--name-template"));
    assert!(line(&["--name-template", "{{ 1 }}"]).unwrap_err().contains("give the name itself"));
    let many = "--atomic --create-namespace --description x --disable-openapi-validation --dry-run --force \
        --force-conflicts=false --force-replace --hide-notes -l a=b --labels c=d,e=f --render-subchart-notes \
        --replace --rollback-on-failure --server-side=false --skip-crds --take-ownership --timeout 5m0s --wait \
        --wait-for-jobs rel";
    assert_eq!(line(&many.split_whitespace().collect::<Vec<_>>()), named("rel"));
    assert_eq!(line(&["--dry-run=client", "--wait=legacy"]), named("release-name"));
    assert!(line(&["--dry-run=server"]).unwrap_err().contains("--validate"));
}

/// As helm 4.3.1 and 3.19.0 do, of which each has its own words.
#[test]
fn the_first_of_several_faults_is_told() {
    let faults = |head: &str| {
        let text = format!("name: shop\nversion: 1.0.0\n{head}");
        let folder = folder(&[("Chart.yaml", &text)]);
        let place = folder.path().display().to_string();
        let line = Line::try_parse_from(["template", "UP", &place]).unwrap();
        let mut notices = Vec::new();
        let (chance, mut out) = (Chance { seed: [0; 32], now: 0 }, Vec::new());
        let error = run(&line.template.0, chance, None, &mut out, &mut notices).unwrap_err();
        let first = |text: &str| text.split(':').next().unwrap().to_owned();
        (
            String::from_utf8(notices).unwrap().lines().map(first).collect::<Vec<_>>(),
            first(&error.to_string()),
        )
    };
    let deprecated = r#"level=WARN msg="this chart is deprecated""#.to_owned();
    let check = "release name check failed";
    let named = format!(r#"level=ERROR msg="{check}" error="release name \"UP\""#);
    let library = "library charts are not installable".to_owned();
    let missing = "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies".to_owned();
    let needs = "dependencies: [{name: x, version: '1'}]\n";
    assert_eq!(faults("apiVersion: v2\ntype: library\ndeprecated: true\n"), (vec![], library.clone()));
    assert_eq!(faults("apiVersion: v3\ntype: library\n"), (vec![], library));
    assert_eq!(faults("apiVersion: v9\n"), (vec![], "unsupported chart version".to_owned()));
    assert_eq!(
        faults(&format!("apiVersion: v2\ndeprecated: true\n{needs}")),
        (vec![deprecated.clone()], missing)
    );
    assert_eq!(faults("apiVersion: v2\ndeprecated: true\n"), (vec![deprecated, named], check.to_owned()));
}

const SEVERAL: [(&str, &str); 5] = [
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
    ("crds/x.yaml", "kind: CustomResourceDefinition\n"),
    ("templates/a.yaml", "kind: Pod\n---\nkind: Secret\n"),
    (
        "templates/b.yaml",
        "kind: Service\n---\nkind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: test\n",
    ),
    ("templates/c.yaml", "{{ if .Values.c }}a: b: c{{ end }}\n"),
];

/// The files below a folder with their texts.
fn tree(folder: &Path) -> Vec<(String, String)> {
    let files = folder::read_folder(folder, Compat::V4_3, &mut Vec::new()).unwrap();
    files.into_iter().map(|(path, text)| (path, String::from_utf8(text.to_vec()).unwrap())).collect()
}

/// As helm 4.3.1 does, but for a second run, which there adds the hooks once more.
#[test]
fn documents_are_written_to_files() {
    let (folder, out) = (folder(&SEVERAL), tempfile::tempdir().unwrap());
    let place = out.path().display().to_string();
    let flags = ["--output-dir", &place, "--include-crds"];
    let expected = [
        ("shop/crds/x.yaml", "---\n# Source: shop/crds/x.yaml\nkind: CustomResourceDefinition\n\n"),
        (
            "shop/templates/a.yaml",
            "---\n# Source: shop/templates/a.yaml\nkind: Secret\n\n---\n# Source: shop/templates/a.yaml\nkind: Pod\n\n",
        ),
        (
            "shop/templates/b.yaml",
            "---\n# Source: shop/templates/b.yaml\nkind: Service\n\n---\n# Source: shop/templates/b.yaml\nkind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: test\n\n",
        ),
    ];
    let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let names = ["crds/x", "templates/a", "templates/b", "templates/a", "templates/b"];
    let wrote: String = names.map(|name| format!("wrote {place}/shop/{name}.yaml\n")).concat();
    for _ in 0..2 {
        assert_eq!(template(folder.path(), &flags), Ok(format!("{wrote}\n")));
        assert_eq!(tree(out.path()), expected);
    }
    let below = out.path().join("new/er").display().to_string();
    template(folder.path(), &["--output-dir", &below, "--release-name", "--include-crds", "--no-hooks"])
        .unwrap();
    let names: Vec<String> = tree(Path::new(&below)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["rel/shop/templates/a.yaml", "rel/shop/templates/b.yaml", "shop/crds/x.yaml"]);
    let taken = folder.path().join("Chart.yaml").display().to_string();
    let error = template(folder.path(), &["--output-dir", &taken]).unwrap_err();
    assert!(error.starts_with(&format!("cannot write {taken}/shop/templates: ")), "{error}");
}

#[test]
fn what_cannot_be_read_is_printed_for_who_looks_for_its_fault() {
    let folder = folder(&SEVERAL);
    let line = |flags: &[&str]| {
        let chart = folder.path().display().to_string();
        let words = ["template", "rel", &chart].into_iter().chain(flags.iter().copied());
        let line = Line::try_parse_from(words).unwrap();
        let mut out = Vec::new();
        let ran = run(&line.template.0, Chance { seed: [0; 32], now: 0 }, None, &mut out, &mut Vec::new());
        (String::from_utf8(out).unwrap(), ran)
    };
    let message = "YAML parse error on shop/templates/c.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context";
    let (made, ran) = line(&["--set", "c=1"]);
    let advised = format!("{message}\n\nUse --debug flag to render out invalid YAML");
    assert_eq!((made.as_str(), ran.unwrap_err().to_string()), ("", advised));
    let (made, ran) = line(&["--set", "c=1", "--debug"]);
    assert_eq!(ran.unwrap_err().to_string(), message);
    let files = "---\n# Source: shop/templates/a.yaml\nkind: Pod\n---\nkind: Secret\n\n---\n# Source: shop/templates/b.yaml\nkind: Service\n---\nkind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: test\n\n---\n# Source: shop/templates/c.yaml\na: b: c\n";
    let hook = "---\n# Source: shop/templates/b.yaml\nkind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: test\n\n";
    assert_eq!(made, format!("{files}{hook}"));
    assert!(line(&["--debug"]).1.is_ok());
}
