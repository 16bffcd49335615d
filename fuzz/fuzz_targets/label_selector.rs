//! Label selectors as they are written in JSON.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mesh_model::name::LabelSelector;

fuzz_target!(|text: &str| {
    let Ok(selector) = serde_json::from_str::<LabelSelector>(text) else { return };
    let none = BTreeMap::new();
    if selector.is_empty() {
        assert!(selector.matches(&none));
    }
    selector.holds(&none);
});
