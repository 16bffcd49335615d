//! Label selectors as they are written in JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::name::StringMap;
use mesh_model::part::LabelSelector;

fuzz_target!(|text: &str| {
    let Ok(written) = serde_json::from_str::<LabelSelector>(text) else { return };
    let Some(selector) = written.compiled() else { return };
    let none = StringMap::new();
    if selector.is_empty() {
        assert!(selector.matches(&none));
    }
    // What is asked for by label holds for an object that has exactly these labels, if nothing else is asked.
    if written.match_expressions.is_empty() {
        assert!(selector.matches(&written.match_labels));
    }
});
