//! Format strings of access logs: any text makes a line of any request, and JSON stays JSON.
#![no_main]

use std::net::{Ipv4Addr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use mesh_compile::proxy::listener::Direction;
use mesh_proxy_core::telemetry::access_log::LineFormat;
use mesh_proxy_core::telemetry::record::{Record, RequestRecord};
use serde_json::Value;

fuzz_target!(|text: &str| {
    let (format, value) = text.split_once('\n').unwrap_or((text, "v"));
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let mut record = Record::begin(Direction::Gateway, here, here);
    record.request = Some(RequestRecord {
        path: value.to_owned(),
        authority: value.to_owned(),
        ..RequestRecord::default()
    });
    record.details = value.to_owned();
    drop(LineFormat::text(format).line(&record));
    let fields = [("f".to_owned(), Value::from(format))].into_iter().collect();
    let line = LineFormat::json(Some(&fields)).line(&record);
    assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
});
