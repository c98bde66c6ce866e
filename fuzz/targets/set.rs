//! `--set` and its kin.

#![no_main]

use moorline_helm::{Compat, SetKind, Values};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let values = Values::parse(b"a: {b: [1, {c: 2}]}\nd: text\n").unwrap();
    for kind in [SetKind::Typed, SetKind::Text, SetKind::Json, SetKind::Literal] {
        for compat in [Compat::V4_3, Compat::V3_19] {
            if let Ok(set) = values.clone().set_as(text, kind, compat) {
                let _ = set.to_json();
            }
        }
    }
});
