//! Findings of small charts.

use super::{Strictness, chart_file_findings, repeated_keys};
use crate::{Chart, Engine, RenderInput, Values};

fn findings(files: &[(&str, &str)], values: &str) -> Vec<String> {
    let chart = ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    let files = files.iter().chain([&chart]).map(|(path, text)| ((*path).to_owned(), text.as_bytes().into()));
    let input = RenderInput {
        layers: vec![Values::parse(values.as_bytes()).unwrap()],
        strictness: Strictness::Strict,
        ..RenderInput::default()
    };
    let rendered = Engine::default().render(&Chart::from_files(files).unwrap(), &input).unwrap();
    rendered.findings.iter().map(ToString::to_string).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_value_that_no_template_reads_is_found() {
    let files = [
        ("values.yaml", "image: {tag: v1}\nspare: 1\n"),
        ("templates/a.yaml", "a: {{ .Values.image.tag }}\nb: {{ .Values.other | default 1 }}\n"),
    ];
    assert_eq!(
        findings(&files, "image: {tagg: v2}\nother: 1\nspare: 2\n"),
        ["image.tagg: no template reads this value, and the chart's values.yaml does not have it"]
    );
    assert_eq!(
        findings(&files, "tag: v2"),
        ["tag: no template reads this value, and the chart's values.yaml does not have it"]
    );
}

#[test]
fn what_is_read_as_a_whole_is_read() {
    let template = "a: {{ toYaml .Values.a | nindent 2 }}\n{{ range $k, $v := .Values.b }}b{{ $k }}: 1\n{{ end }}\
        {{ with .Values.c }}c: {{ .x }}{{ end }}\n{{ include \"d\" .Values.d }}\n{{ $e := .Values.e }}e: {{ $e.w }}\n\
        f: {{ index .Values \"f\" \"g\" }}\nh: {{ dig \"i\" \"j\" 0 .Values.h }}\nk: {{ get .Values.k \"l\" }}\n";
    let files =
        [("templates/a.yaml", template), ("templates/_d.tpl", "{{ define \"d\" }}d: {{ .x }}{{ end }}")];
    let given = "{a: {z: 1}, b: {z: 1}, c: {x: 1, z: 1}, d: {x: 1, z: 1}, e: {w: 1}, f: {g: 1}, h: {i: {j: 1}}, k: {l: 1}}";
    assert_eq!(findings(&files, given), NOTHING);
}

#[test]
fn a_branch_that_is_off_reads_as_well() {
    let template = "{{ if .Values.on }}a: {{ .Values.in.host }}{{ toYaml .Values.in.notes }}{{ end }}b: 1\n";
    let files = [("templates/a.yaml", template)];
    assert_eq!(findings(&files, "in: {host: x, notes: {z: 1}}"), NOTHING);
}

#[test]
fn values_of_subcharts_and_global_ones_are_followed() {
    let files = [
        ("charts/api/Chart.yaml", "apiVersion: v2\nname: api\nversion: 1.0.0\n"),
        ("charts/api/values.yaml", "port: 1\n"),
        ("charts/api/templates/a.yaml", "a: {{ .Values.port }}\nb: {{ .Values.global.zone }}\n"),
    ];
    assert_eq!(
        findings(&files, "{api: {prot: 2}, global: {zone: x, zona: y}}"),
        [
            "api.prot: no template reads this value, and the chart's values.yaml does not have it",
            "global.zona: no template reads this value, and the chart's values.yaml does not have it",
        ]
    );
}

#[test]
fn a_schema_tells_what_a_whole_may_hold() {
    let schema = r#"{"properties": {"limits": {"properties": {"cpu": {}}}, "top": {"properties": {"x": {}}}, "free": {"type": "object"}}}"#;
    let files = [
        ("values.schema.json", schema),
        ("templates/a.yaml", "a: {{ toJson .Values.limits }}\nb: {{ toJson .Values.free }}\n"),
    ];
    assert_eq!(
        findings(&files, "{limits: {cpu: 1, cpus: 2}, free: {x: 1}}"),
        ["limits.cpus: values.schema.json does not list this key"]
    );
}

#[test]
fn a_missing_value_is_found_where_it_is_used() {
    let files = [
        ("values.yaml", "a: {x: 1}\ndeclared:\n"),
        (
            "templates/a.yaml",
            "a: {{ .Values.a.y }}\nb: {{ .Values.b | quote }}\nc: {{ upper (toString .Values.c) }}\nd: {{ .Values.declared }}\n",
        ),
    ];
    assert_eq!(
        findings(&files, "{}"),
        [
            "shop/templates/a.yaml:1:7: .Values.a.y: \"y\" is in no values, and neither default nor a condition guards it",
            "shop/templates/a.yaml:2:7: .Values.b: \"b\" is in no values, and neither default nor a condition guards it",
            "shop/templates/a.yaml:3:23: .Values.c: \"c\" is in no values, and neither default nor a condition guards it",
        ]
    );
}

#[test]
fn what_is_guarded_is_no_finding() {
    let template = "{{ if .Values.a }}{{ .Values.a }}{{ end }}{{ with .Values.b }}{{ . }}{{ end }}\
        {{ if eq (toString .Values.c) \"x\" }}{{ end }}{{ range .Values.d }}{{ end }}\n\
        a: {{ .Values.e | default 1 }}\nb: {{ default 1 .Values.f }}\nc: {{ .Values.g | toString | default \"x\" }}\n\
        d: {{ ternary 1 2 (eq \"\" (quote .Values.h)) }}\ne: {{ include \"d\" (dict \"x\" .Values.i) }}\n\
        f: {{ coalesce .Values.j 1 }}\ng: {{ and .Values.k (upper .Values.k.l) | default 1 }}\n{{ $m := .Values.m }}\
        h: {{ hasKey .Values \"n\" }}\n";
    let files = [("templates/a.yaml", template), ("templates/_d.tpl", "{{ define \"d\" }}{{ .x }}{{ end }}")];
    assert_eq!(findings(&files, "{}"), NOTHING);
}

#[test]
fn keys_that_stand_twice_are_found() {
    let twice = "a: 1\nb: {c: 1, c: 2}\nl:\n- x: 1\n- x: 2\n  \"x\": 3\n---\na: 1\na: 2\n";
    let found: Vec<String> =
        repeated_keys("v.yaml", twice.as_bytes()).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "v.yaml:2:11: key \"c\" stands twice in one map; the last one counts",
            "v.yaml:6:3: key \"x\" stands twice in one map; the last one counts",
            "v.yaml:9:1: key \"a\" stands twice in one map; the last one counts",
        ]
    );
    let merged = "base: &b {a: 1}\nmore:\n  <<: *b\n  a: 2\n";
    assert_eq!(repeated_keys("v.yaml", merged.as_bytes()), []);
    let output = [("templates/a.yaml", "a: 1\n{{ range until 2 }}b: {{ . }}\n{{ end }}")];
    assert_eq!(
        findings(&output, "{}"),
        ["shop/templates/a.yaml:3:1: key \"b\" stands twice in one map of the output; the last one counts"]
    );
}

#[test]
fn chart_files_have_the_keys_that_helm_reads() {
    let text = "name: a\nappversion: 1\ndependencies:\n- name: x\n  aliases: y\nannotations: {z: w}\n";
    let found: Vec<String> =
        chart_file_findings("Chart.yaml", text.as_bytes()).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "Chart.yaml:2:1: unknown key \"appversion\": Helm does not read it",
            "Chart.yaml:5:3: unknown key \"aliases\": Helm does not read it",
        ]
    );
}
