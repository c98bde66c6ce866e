//! One template, as two files, over values of every kind. What the engine keeps of named templates must be what they
//! make: a strict render, which keeps nothing, says the same.

#![no_main]

use moorline_helm::{Chart, Engine, RenderFault, RenderInput, RenderLimits, Strictness};

const CHART: &[u8] = b"apiVersion: v2\nname: fuzz\nversion: 1.0.0\nappVersion: '2'\n";
const VALUES: &[u8] = b"text: some text\nnumber: 7\nfloat: 1.5\nflag: true\nnothing: null\nlist: [1, two, {three: 3}]\nmap: {a: {b: {c: deep}}, d: '2'}\n";
const HELPERS: &[u8] = br#"{{ define "h" }}{{ .Values.text }}{{ end }}{{ define "r" }}{{ include "r" . }}{{ end }}
{{ define "w" }}{{ .Template.Name }}{{ toJson .Values }}{{ end }}{{ define "f" }}{{ include "h" . }}{{ .Template.Name }}{{ end }}
{{ define "s" }}{{ $_ := set .Values "n" (add1 (.Values.n | default 0)) }}{{ .Values.n }}{{ end }}{{ define "n" }}{{ .Values.n }}{{ end }}
{{ define "d" }}{{ .a }}{{ with .b }}{{ . }}{{ end }}{{ typeOf .a }}{{ end }}{{ define "c" }}{{ .c.Template.Name }}{{ .c.Values.n }}{{ end }}
{{ define "m" }}{{ .Values.map | toJson }}{{ end }}"#;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let files = [
        ("Chart.yaml", CHART),
        ("values.yaml", VALUES),
        ("templates/_h.tpl", HELPERS),
        ("templates/t.yaml", bytes),
        ("templates/u.yaml", bytes),
    ];
    let files = files.map(|(path, bytes)| (path.to_owned(), bytes.into()));
    let Ok(chart) = Chart::from_files(files) else { return };
    let limits = RenderLimits { steps: 50_000, bytes: 1 << 20, ..RenderLimits::default() };
    let engine = Engine::default().with_limits(limits);
    let render = |strictness| {
        let input = RenderInput { strictness, ..RenderInput::default() };
        engine.render(&chart, &input).map(|rendered| rendered.to_helm_output())
    };
    let limited = |error: &moorline_helm::RenderError| matches!(error.fault, RenderFault::Limit(_));
    match (render(Strictness::AsHelm), render(Strictness::Strict)) {
        (Ok(kept), Ok(run)) => assert!(kept == run, "what is kept is not what is made"),
        (Err(kept), Err(run)) if !limited(&kept) && !limited(&run) => {
            assert!(kept.message == run.message, "another error: {} and {}", kept.message, run.message);
        }
        (Err(error), _) | (_, Err(error)) => assert!(limited(&error), "an error of one only: {}", error.message),
    }
});
