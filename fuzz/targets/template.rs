//! One template over values of every kind.

#![no_main]

use moorline::helm::{Chart, Engine, RenderInput, RenderLimits};

const CHART: &[u8] = b"apiVersion: v2\nname: fuzz\nversion: 1.0.0\nappVersion: '2'\n";
const VALUES: &[u8] = b"text: some text\nnumber: 7\nfloat: 1.5\nflag: true\nnothing: null\nlist: [1, two, {three: 3}]\nmap: {a: {b: {c: deep}}, d: '2'}\n";
const HELPERS: &[u8] = b"{{ define \"h\" }}{{ .Values.text }}{{ end }}{{ define \"r\" }}{{ include \"r\" . }}{{ end }}";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let files = [
        ("Chart.yaml", CHART),
        ("values.yaml", VALUES),
        ("templates/_h.tpl", HELPERS),
        ("templates/t.yaml", bytes),
    ];
    let files = files.map(|(path, bytes)| (path.to_owned(), bytes.into()));
    let Ok(chart) = Chart::from_files(files) else { return };
    let limits = RenderLimits { steps: 50_000, bytes: 1 << 20, ..RenderLimits::default() };
    let _ = Engine::default().with_limits(limits).render(&chart, &RenderInput::default());
});
