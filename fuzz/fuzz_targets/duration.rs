//! Go's duration grammar: what is read prints to something that reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::value::Duration;

fuzz_target!(|text: &str| {
    if let Ok(duration) = text.parse::<Duration>() {
        let printed = duration.to_string();
        assert_eq!(printed.parse::<Duration>().ok(), Some(duration), "{text} -> {printed}");
    }
});
