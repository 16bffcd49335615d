//! Any bytes as a file: no panic, and places that lie inside of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::yaml::{LoadOptions, load};

fuzz_target!(|bytes: &[u8]| {
    let loaded = load("f", bytes, &LoadOptions::default());
    let strict = load("f", bytes, &LoadOptions::default().with_strict(true));
    assert!(strict.documents.len() <= loaded.documents.len());
    let lines = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(2);
    for finding in &loaded.report {
        assert!(finding.at.line >= 1 && finding.at.line <= lines, "{finding:?}");
    }
    for document in &loaded.documents {
        let json = document.root().to_json();
        let span = document.root().span();
        assert!(span.start <= span.end && span.end as usize <= bytes.len(), "{span:?}");
        drop(json);
    }
});
