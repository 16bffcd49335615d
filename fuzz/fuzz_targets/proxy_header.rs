//! The PROXY protocol: any bytes at the start of a connection. What was read is written and read again; less than all of a header is none.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use mesh_proxy_core::runtime::fuzzing::{proxy_header, written_proxy_header};

fuzz_target!(|bytes: &[u8]| {
    let Some((client, length)) = proxy_header(bytes) else { return };
    assert_eq!(proxy_header(&bytes[..length]), Some((client, length)));
    assert_eq!(proxy_header(&bytes[..length - 1]), None);
    if let Some(client) = client {
        let plain = SocketAddr::new(client.ip().to_canonical(), client.port());
        for version in ["V1", "V2"] {
            let header = written_proxy_header(version, client, client);
            assert_eq!(proxy_header(&header), Some((Some(plain), header.len())), "{version}");
        }
    }
});
