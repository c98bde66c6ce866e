//! The tables of the tests of Go, sprig and the libraries behind Helm as cases: what each template
//! prints was confirmed by the real helm. The compatibility page counts them.

use std::path::Path;
use std::sync::Arc;

use moorline::helm::{Chart, Compat, Engine, RenderInput, SetKind, Values};

/// The tables, where they come from and under which licence.
const TABLES: &[(&str, &str, &str)] = &[
    ("template", "Go text/template, exec_test.go", "BSD-3-Clause"),
    ("fmt", "Go fmt, fmt_test.go", "BSD-3-Clause"),
    ("sprig", "Masterminds/sprig 3.3.0, *_test.go", "MIT"),
    ("semver", "Masterminds/semver 3.5.0, constraints_test.go and version_test.go", "MIT"),
    ("helm", "helm 4.3.1, pkg/engine/funcs_test.go", "Apache-2.0"),
    ("go-yaml-2", "go.yaml.in/yaml 2.4.4, decode_test.go and encode_test.go", "Apache-2.0, MIT"),
    (
        "go-yaml-3",
        "go.yaml.in/yaml 3.0.5, decode_test.go, encode_test.go and node_test.go",
        "Apache-2.0, MIT",
    ),
    ("sigs-yaml", "sigs.k8s.io/yaml 1.6.0, yaml_test.go", "MIT, BSD-3-Clause"),
    ("toml", "BurntSushi/toml 1.6.0, *.toml of its tests", "MIT"),
    ("goutils", "Masterminds/goutils 1.1.1, stringutils_test.go and wordutils_test.go", "Apache-2.0"),
    ("regexp", "Go regexp, find_test.go, all_test.go and testdata/re2-search.txt", "BSD-3-Clause"),
];

/// The tables of schemas: schema, values, and what does not fit, empty if nothing. What helm 3.19.0
/// says comes last where it is something else.
const SCHEMA_TABLES: &[(&str, &str, &str)] = &[
    (
        "jsonschema",
        "santhosh-tekuri/jsonschema 6.0.3, invalid_schemas.json and Extra-Test-Suite",
        "Apache-2.0",
    ),
    ("schema-suite", "JSON-Schema-Test-Suite, tests by keyword and formats", "MIT"),
    ("schema", "schemas that are none, numbers and formats", "this repository's"),
];

/// The table of globs: pattern, name of a file, and the name again if it matches.
const GLOB_TABLE: (&str, &str, &str) = ("glob", "gobwas/glob 0.2.3, glob_test.go", "MIT");

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

fn glob_rows(wrong: &mut Vec<String>) -> String {
    let (name, source, licence) = GLOB_TABLE;
    let rows: Vec<(String, String, String)> = rows(name);
    let mut equal = 0;
    for (pattern, file, expected) in &rows {
        let template =
            format!("{{{{ range $name, $bytes := .Files.Glob {pattern:?} }}}}{{{{ $name }}}}{{{{ end }}}}");
        match rendered(&template, &[(file, "x")], Values::default()) {
            Ok(got) if got == *expected => equal += 1,
            other => wrong.push(format!("{name}: {pattern:?}, {file:?}: want {expected:?}, got {other:?}")),
        }
    }
    format!("| {source} | {} | {equal} | {licence} |\n", rows.len())
}

/// What a schema says about values, as Helm prints it below the chart's name.
fn misfits(schema: &str, values: &str, compat: Compat) -> Result<String, String> {
    let files = [
        ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: c\nversion: 1.0.0\n"[..].into()),
        ("values.yaml".to_owned(), values.as_bytes().into()),
        ("values.schema.json".to_owned(), schema.as_bytes().into()),
    ];
    let chart = Chart::from_files(files).map_err(|error| error.to_string())?;
    let error = match Engine::new(compat).render(&chart, &RenderInput::default()) {
        Ok(_) => return Ok(String::new()),
        Err(error) => error.to_string(),
    };
    let start = "values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n";
    error.strip_prefix(start).map(str::to_owned).ok_or(error)
}

fn schema_rows((name, source, licence): (&str, &str, &str), wrong: &mut Vec<String>) -> String {
    let rows: Vec<(String, String, String, Option<String>)> = rows(name);
    let mut equal = 0;
    for (schema, values, expected, in_helm_3) in &rows {
        let before = wrong.len();
        for (compat, expected) in
            [(Compat::V4_3, expected), (Compat::V3_19, in_helm_3.as_ref().unwrap_or(expected))]
        {
            match misfits(schema, values, compat) {
                Ok(got) if got.trim_end() == expected.trim_end() => {}
                other => wrong
                    .push(format!("{name}: {schema} {values} {compat:?}: want {expected}\ngot {other:?}")),
            }
        }
        equal += usize::from(wrong.len() == before);
    }
    format!("| {source} | {} | {equal} | {licence} |\n", rows.len())
}

fn rows<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = super::folder().join(format!("conformance/{name}.json"));
    serde_json::from_slice(&std::fs::read(&path).expect("a table")).expect("rows")
}

fn render(template: &str, values: Values) -> Result<String, String> {
    rendered(template, &[], values)
}

fn rendered(template: &str, files: &[(&str, &str)], values: Values) -> Result<String, String> {
    let own =
        [("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"), ("templates/NOTES.txt", template)];
    let files = own.iter().chain(files);
    let files = files.map(|(path, text)| ((*path).to_owned(), Arc::from(text.as_bytes())));
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
                Ok(got) | Err(got) if got == *expected => equal += 1,
                other => wrong.push(format!("{name}: {template:?}: want {expected:?}, got {other:?}")),
            }
        }
        page.push_str(&format!("| {source} | {} | {equal} | {licence} |\n", rows.len()));
    }
    page.push_str(&set_rows(&mut wrong));
    page.push_str(&glob_rows(&mut wrong));
    for table in SCHEMA_TABLES {
        page.push_str(&schema_rows(*table, &mut wrong));
    }
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
