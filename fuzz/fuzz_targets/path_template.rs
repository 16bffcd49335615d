//! Path templates of authorization policies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::value::PathTemplate;

fuzz_target!(|text: &str| {
    drop(PathTemplate::parse(text));
});
