//! What a workload says of itself, in a header or before bytes: what was read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_proxy_core::runtime::fuzzing::{peer_header, peer_in_header, peer_in_message, peer_message};

fuzz_target!(|bytes: &[u8]| {
    if let Some(peer) = peer_in_message(bytes) {
        assert_eq!(peer_in_message(&peer_message(&peer)).as_ref(), Some(&peer));
        assert_eq!(peer_in_header(peer_header(&peer).as_bytes()), Some(peer));
    }
    if let Some(peer) = peer_in_header(bytes) {
        assert_eq!(peer_in_header(peer_header(&peer).as_bytes()), Some(peer));
    }
});
