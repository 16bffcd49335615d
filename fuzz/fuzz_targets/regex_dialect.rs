//! RE2's dialect: what is accepted is syntax that the engine takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::value::Re2Pattern;

fuzz_target!(|text: &str| {
    match Re2Pattern::parse(text) {
        Ok(pattern) => {
            assert_eq!(pattern.as_str(), text);
            drop(pattern.full_match_hir());
        }
        Err(error) => assert!(error.offset <= text.len(), "{error:?}"),
    }
});
