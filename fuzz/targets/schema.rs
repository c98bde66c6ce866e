//! `values.schema.json` of every draft, over some values.

#![no_main]

use moorline_helm::{Chart, Engine, RenderInput, Values};

const CHART: &[u8] = b"apiVersion: v2\nname: fuzz\nversion: 1.0.0\n";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (schema, values) = match bytes.iter().position(|byte| *byte == 0xFF) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &b"a: 1\nb: {c: [1, x, null], d: text}\n"[..]),
    };
    let files = [("Chart.yaml", CHART), ("values.schema.json", schema)];
    let files = files.map(|(path, bytes)| (path.to_owned(), bytes.into()));
    let (Ok(chart), Ok(layer)) = (Chart::from_files(files), Values::parse(values)) else { return };
    let _ = Engine::default().render(&chart, &RenderInput { layers: vec![layer], ..RenderInput::default() });
});
