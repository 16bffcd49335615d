//! HTTP/1 requests in front of the codec: any bytes, in pieces of the lengths that the first two bytes say, are judged as by the
//! slow and plain reader.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_proxy_core::runtime::fuzzing::{http1_messages, http1_messages_slowly};

fuzz_target!(|bytes: &[u8]| {
    let [first, second, bytes @ ..] = bytes else { return };
    let expected = http1_messages_slowly(bytes);
    let cuts = [usize::from(*first), usize::from(*second)];
    assert_eq!(http1_messages(bytes, &cuts), expected);
    assert_eq!(http1_messages(bytes, &[bytes.len()]), expected);
});
