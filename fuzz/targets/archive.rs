//! Packaged charts: broken gzip, broken tar, hostile paths and sizes.

#![no_main]

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use moorline_helm::{Chart, Engine, RenderInput};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Gzip's checksum keeps a fuzzer out: most inputs are the tar inside of it.
    let packed = match bytes.split_first() {
        Some((0, raw)) => raw.to_vec(),
        _ => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    };
    if let Ok(chart) = Chart::from_archive(&packed) {
        let _ = Engine::default().render(&chart, &RenderInput::default());
    }
});
