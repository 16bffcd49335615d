//! The head of an upstream's HTTP/1 answer: any bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mesh_proxy_core::runtime::fuzzing::answer_head;

fuzz_target!(|bytes: &[u8]| {
    if let Some((status, lines)) = answer_head(&Bytes::copy_from_slice(bytes)) {
        assert!((100..1000).contains(&status) && lines <= 100, "{status} {lines}");
    }
});
