//! Lines of probes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for answer in mesh_proxy_core::probe::read(text) {
        if let Ok(probe) = answer {
            drop(probe.query(0));
        }
    }
});
