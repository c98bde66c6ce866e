//! The tables of the tests of Go, sprig and the libraries behind Helm as cases: what each template
//! prints was confirmed by the real helm. The compatibility page counts them.

use std::path::Path;
use std::sync::Arc;

use moorline::helm::{Chart, Engine, RenderInput, SetKind, Values};

/// The tables, where they come from and under which licence.
const TABLES: &[(&str, &str, &str)] = &[
    ("template", "Go text/template, exec_test.go", "BSD-3-Clause"),
    ("fmt", "Go fmt, fmt_test.go", "BSD-3-Clause"),
    ("sprig", "Masterminds/sprig 3.3.0, *_test.go", "MIT"),
    ("semver", "Masterminds/semver 3.5.0, constraints_test.go and version_test.go", "MIT"),
    ("helm", "helm 4.3.1, pkg/engine/funcs_test.go", "Apache-2.0"),
];

/// Marks around what the page has from this test.
const MARKS: (&str, &str) = ("<!-- conformance: made by a test -->", "<!-- end -->");

/// The table of `--set` and its kin: flag, expressions, and the values as JSON or the error.
const SET_TABLE: (&str, &str, &str) =
    ("strvals", "helm 4.3.1, pkg/strvals/parser_test.go and literal_parser_test.go", "Apache-2.0");

/// What the values are after the expressions, as a template sees them.
fn set(flag: &str, expressions: &[String]) -> Result<String, String> {
    let kind = match flag {
        "set" => SetKind::Typed,
        "set-string" => SetKind::Text,
        "set-json" => SetKind::Json,
        _ => SetKind::Literal,
    };
    let set = |values: Values, expression: &String| values.set(expression, kind);
    let values = expressions.iter().try_fold(Values::default(), set).map_err(|error| error.to_string())?;
    render("{{ .Values | toJson }}", values)
}

fn set_rows(wrong: &mut Vec<String>) -> String {
    let (name, source, licence) = SET_TABLE;
    let rows: Vec<(String, Vec<String>, String)> = rows(name);
    let mut equal = 0;
    for (flag, expressions, expected) in &rows {
        let got = set(flag, expressions).unwrap_or_else(|error| error);
        if got == *expected {
            equal += 1;
        } else {
            wrong.push(format!("{name}: --{flag} {expressions:?}: want {expected:?}, got {got:?}"));
        }
    }
    format!("| {source} | {} | {equal} | {licence} |\n", rows.len())
}

fn rows<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = super::folder().join(format!("conformance/{name}.json"));
    serde_json::from_slice(&std::fs::read(&path).expect("a table")).expect("rows")
}

fn render(template: &str, values: Values) -> Result<String, String> {
    let files: Vec<(String, Arc<[u8]>)> = vec![
        ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: c\nversion: 1.0.0\n"[..].into()),
        ("templates/NOTES.txt".to_owned(), template.as_bytes().into()),
    ];
    let chart = Chart::from_files(files).map_err(|error| error.to_string())?;
    let rendered = Engine::default()
        .render(&chart, &RenderInput { layers: vec![values], ..RenderInput::default() })
        .map_err(|error| error.to_string())?;
    Ok(rendered.notes.unwrap_or_default())
}

#[test]
fn tables_of_others_and_the_page_that_counts_them() {
    let mut page = String::from("| table | cases | equal | licence |\n|---|---|---|---|\n");
    let mut wrong = Vec::new();
    for (name, source, licence) in TABLES {
        let rows: Vec<(String, String)> = rows(name);
        let mut equal = 0;
        for (template, expected) in &rows {
            match render(template, Values::default()) {
                Ok(got) if got == *expected => equal += 1,
                other => wrong.push(format!("{name}: {template:?}: want {expected:?}, got {other:?}")),
            }
        }
        page.push_str(&format!("| {source} | {} | {equal} | {licence} |\n", rows.len()));
    }
    page.push_str(&set_rows(&mut wrong));
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/helm-compatibility.md");
    let text = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = text.split_once(MARKS.0).expect("the first mark");
    let (_, after) = rest.split_once(MARKS.1).expect("the second mark");
    let fresh = format!("{before}{}\n{page}{}{after}", MARKS.0, MARKS.1);
    if std::env::var_os("MOORLINE_WRITE_GOLDENS").is_some() {
        std::fs::write(&path, &fresh).expect("a written page");
        return;
    }
    assert!(text == fresh, "docs/helm-compatibility.md is stale: run with MOORLINE_WRITE_GOLDENS=1");
}
