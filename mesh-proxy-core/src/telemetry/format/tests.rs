use std::time::Duration;

use http::HeaderValue;
use mesh_compile::proxy::listener::Direction;

use super::*;

fn record() -> Record {
    let address = "10.0.0.1:80".parse().unwrap();
    let mut record = Record::begin(Direction::Outbound, "10.0.0.2:4000".parse().unwrap(), address);
    record.start = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    record.status = 200;
    let mut request =
        RequestRecord { path: "/a".to_owned(), protocol: "HTTP/1.1", ..RequestRecord::default() };
    request.headers.append("x-one", HeaderValue::from_static("1"));
    request.headers.append("x-one", HeaderValue::from_static("2"));
    request.headers.insert("x-odd", HeaderValue::from_bytes(b"a\xffb\tc").unwrap());
    record.request = Some(request);
    record
}

fn text(format: &str) -> String {
    Format::parse(format).text(&record(), "-")
}

#[test]
fn operators_are_envoys() {
    assert_eq!(text("[%START_TIME%] %REQ(:PATH)% %PROTOCOL%"), "[2023-11-14T22:13:20.123Z] /a HTTP/1.1");
    assert_eq!(text("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(X-One)% %REQ(X-ONE):1%"), "/a 1,2 1");
    assert_eq!(text("%START_TIME(%s)% %RESPONSE_CODE% %UPSTREAM_HOST%"), "1700000000 200 -");
    assert_eq!(text("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"), "10.0.0.2");
}

#[test]
fn what_is_no_operator_stands_for_itself() {
    assert_eq!(text("100%% % %REQ( %lower% %NOT_KNOWN%"), "100% % %REQ( %lower% -");
}

#[test]
fn clients_cannot_break_the_line() {
    assert_eq!(text("%REQ(X-ODD)%"), "a\u{fffd}b\\tc");
}
