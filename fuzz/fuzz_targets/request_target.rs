//! The target of a request, then lines of `X-Forwarded-For`: a path in normal form is its own normal form, its query stays, and
//! the client is who a plain count from the right finds.
#![no_main]

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;
use mesh_compile::proxy::listener::{HttpManager, PathNormalization};
use mesh_model::facts::Headers;
use mesh_proxy_core::client_address::remote_address;
use mesh_proxy_core::path_normalization::normalize;

fuzz_target!(|text: &str| {
    let (target, lines) = text.split_once('\n').unwrap_or((text, ""));
    // Blanks and control characters never come so far: HTTP/1 and HTTP/2 refuse them.
    if target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()) {
        let query = |target: &str| {
            target.split('#').next().and_then(|it| it.split_once('?')).map(|(_, query)| query.to_owned())
        };
        for mode in [
            PathNormalization::None,
            PathNormalization::Base,
            PathNormalization::MergeSlashes,
            PathNormalization::DecodeAndMergeSlashes,
        ] {
            let Ok(normal) = normalize(target, mode) else { continue };
            assert_eq!(query(&normal), query(target), "{mode:?}");
            assert!(normal.starts_with('/') && !normal.contains('#'), "{mode:?} {normal}");
            // What is decoded once may be an escape, which is not decoded again, or `..;`, which is a dot segment only as it
            // was written (E-088).
            if mode != PathNormalization::DecodeAndMergeSlashes && !target.contains(';') {
                assert_eq!(normalize(&normal, mode).as_deref(), Ok(&*normal), "{mode:?}");
            }
        }
    }
    let entries =
        lines.lines().map(|line| (Cow::from("x-forwarded-for"), Cow::from(line.as_bytes()))).collect();
    let headers = Headers { entries };
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let all: Vec<&str> = lines.lines().flat_map(|line| line.split(',')).rev().collect();
    for (trusted_hops, use_remote_address) in [(0, false), (1, false), (0, true), (2, true)] {
        let manager = HttpManager { trusted_hops, use_remote_address, ..HttpManager::bare("t") };
        let entry = match (use_remote_address, trusted_hops as usize) {
            (false, hops) => all.get(hops),
            (true, 0) => None,
            (true, hops) => all.get(hops - 1),
        };
        let expected = entry.and_then(|entry| entry.trim().parse().ok()).unwrap_or(peer);
        assert_eq!(remote_address(&manager, peer, &headers), expected);
    }
});
