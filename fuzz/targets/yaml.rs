//! YAML in and out: what is read is written, and read again as the same.

#![no_main]

use moorline_helm::{Values, parse_documents, to_yaml};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Values::parse(bytes);
    let Ok(documents) = parse_documents(bytes) else { return };
    for document in documents {
        let written = to_yaml(&document);
        let again = parse_documents(written.as_bytes()).unwrap_or_else(|error| panic!("{error:?}\n{written}"));
        let again = again.into_iter().next().unwrap_or_default();
        assert_eq!(to_yaml(&again), written, "{document}");
    }
});
