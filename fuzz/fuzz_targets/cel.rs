//! Filter expressions of Telemetry: the syntax of CEL. What is accepted stays accepted in brackets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::value::check_cel;

fuzz_target!(|text: &str| {
    // Brackets cost a level of nesting, and a comment would swallow the closing one.
    if text.len() < 256
        && !text.contains("//")
        && text.matches(['(', '[', '{', '?', '-', '!']).count() < 16
        && check_cel(text).is_ok()
    {
        assert!(check_cel(&format!("({text})")).is_ok(), "{text}");
    }
    let _ = check_cel(text);
});
