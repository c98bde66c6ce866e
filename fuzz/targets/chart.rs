//! Charts of several files: metadata, values, locks, charts inside, dependencies.
//!
//! An input is a list of files, each a line with its path, its text, and a byte 0xFF.

#![no_main]

use std::sync::Arc;

use moorline_helm::{Chart, Engine, RenderInput, RenderLimits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let files = bytes.split(|byte| *byte == 0xFF).filter_map(|file| {
        let end = file.iter().position(|byte| *byte == b'\n')?;
        let path = std::str::from_utf8(&file[..end]).ok()?.to_owned();
        Some((path, Arc::from(&file[end + 1..])))
    });
    if let Ok(chart) = Chart::from_files(files) {
        let limits = RenderLimits { steps: 100_000, bytes: 4 << 20, ..RenderLimits::default() };
        let input = RenderInput { include_crds: true, ..RenderInput::default() };
        if let Ok(rendered) = Engine::default().with_limits(limits).render(&chart, &input) {
            let _ = rendered.to_helm_output();
        }
    }
});
