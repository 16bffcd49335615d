//! Headers of traces (`traceparent`, B3), a line each: what was read is written and read again.
#![no_main]

use http::header::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use mesh_proxy_core::telemetry::trace::{Arrived, b3, w3c};

fuzz_target!(|text: &str| {
    let mut headers = HeaderMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(": ")).take(64) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    if let Arrived::Parent(context, _) = w3c::read(&headers) {
        w3c::write(&mut headers, &context);
        assert!(matches!(w3c::read(&headers), Arrived::Parent(again, _) if again == context), "{context:?}");
    }
    if let Arrived::Parent(context, _) = b3::read(&headers) {
        b3::write(&mut headers, &context, None);
        assert!(
            matches!(b3::read(&headers), Arrived::Parent(again, _) if (again.trace, again.span) == (context.trace, context.span)),
            "{context:?}"
        );
    }
});
