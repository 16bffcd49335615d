use std::sync::Arc;
use std::time::{Duration, SystemTime};

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

mod told;

/// The same, with each value by itself brought to one line.
fn piece_by_piece(format: &Format, record: &Record) -> String {
    let mut made = String::new();
    format.write(record, "-", &mut made, Operator::write);
    made
}

proptest::proptest! {
    #[test]
    fn a_line_with_nothing_to_escape_is_told_by_one_look(
        path in "(/[a-z?= ]{0,9}|[\\PC\n\r\t\u{0}\u{85}]{0,9})",
        header in proptest::collection::vec(proptest::sample::select(vec![b'a', b' ', b'\t', 0xc3, 0xa9, 0xff]), 0..6),
        details in "[a-z_ \n]{0,8}",
        before in "[a-z \n]{0,3}",
        ends in proptest::bool::ANY,
    ) {
        let mut record = full();
        record.details = details;
        if let Some(request) = &mut record.request {
            request.path = path;
            request.headers.insert("x-odd", HeaderValue::from_bytes(&header).unwrap());
        }
        let text = "%REQ(:PATH)% %REQ(X-ODD):3% %RESPONSE_CODE_DETAILS% %REQ(NONE)% %BYTES_SENT%";
        let format = Format::parse(&format!("{before}{text}{}", if ends { "\n" } else { "" }));
        proptest::prop_assert_eq!(format.text(&record, "-"), piece_by_piece(&format, &record));
    }
}

#[test]
fn operators_are_envoys() {
    assert_eq!(text("[%START_TIME%] %REQ(:PATH)% %PROTOCOL%"), "[2023-11-14T22:13:20.123Z] /a HTTP/1.1");
    assert_eq!(text("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(X-One)% %REQ(X-ODD):1%"), "/a 1 a");
    assert_eq!(text("%START_TIME(%s)% %RESPONSE_CODE% %UPSTREAM_HOST%"), "1700000000 200 -");
    assert_eq!(text("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"), "10.0.0.2");
}

/// A record in which every value is there.
fn full() -> Record {
    let mut record = record();
    record.duration = Duration::from_millis(12);
    record.peer_principal = Some("spiffe://d/ns/a/sa/b".to_owned());
    record.server_name = Some("sni.example".to_owned());
    record.upstream_local = "10.0.0.1:5000".parse().ok();
    record.upstream = Some(Arc::new(told::connection(7, None)));
    record.response_headers.insert("x-envoy-upstream-service-time", HeaderValue::from_static("9"));
    record.response_trailers.insert("grpc-status", HeaderValue::from_static("14"));
    record.response_trailers.insert("x-end", HeaderValue::from_static("e"));
    record.flags = "UF,URX".to_owned();
    record.details = "via_upstream".to_owned();
    record.termination = "rbac_access_denied_matched_policy[none]".to_owned();
    record.upstream_failure = "was refused".to_owned();
    (record.bytes_received, record.bytes_sent, record.attempts) = (5, 7, 2);
    record.cluster = Some("outbound|80||a".into());
    record.endpoint = Some("10.0.1.1:9080".into());
    record.route = Some("r".into());
    if let Some(request) = &mut record.request {
        (request.authority, request.scheme) = ("a.example".to_owned(), "http".to_owned());
        request.headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        for name in ["x-forwarded-for", "user-agent", "x-request-id"] {
            request.headers.insert(name, HeaderValue::from_static(name));
        }
    }
    record
}

/// Every operator that Istio's formats are made of, and the others that are known here.
const OPERATORS: [(&str, &str); 47] = [
    ("%START_TIME%", "2023-11-14T22:13:20.123Z"),
    ("%START_TIME(%Y/%m)%", "2023/11"),
    ("%START_TIME(%s.%3f)%", "1700000000.123"),
    ("%START_TIME(%H:%M:%S %f)%", "22:13:20 123000000"),
    ("%REQ(:METHOD)%", "GET"),
    ("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "/a"),
    ("%REQ(:AUTHORITY)%", "a.example"),
    ("%REQ(:SCHEME)%", "http"),
    ("%REQ(X-FORWARDED-FOR)%", "x-forwarded-for"),
    ("%REQ(USER-AGENT)%", "user-agent"),
    ("%REQ(X-REQUEST-ID)%", "x-request-id"),
    ("%REQ(X-NONE)%", "-"),
    ("%PROTOCOL%", "HTTP/1.1"),
    ("%RESPONSE_CODE%", "200"),
    ("%RESPONSE_FLAGS%", "UF,URX"),
    ("%RESPONSE_FLAGS_LONG%", "UpstreamConnectionFailure,UpstreamRetryLimitExceeded"),
    ("%RESPONSE_CODE_DETAILS%", "via_upstream"),
    ("%CONNECTION_TERMINATION_DETAILS%", "rbac_access_denied_matched_policy[none]"),
    ("%UPSTREAM_TRANSPORT_FAILURE_REASON%", "was_refused"),
    ("%BYTES_RECEIVED%", "5"),
    ("%BYTES_SENT%", "7"),
    ("%DURATION%", "12"),
    ("%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", "9"),
    ("%TRAILER(X-END)%", "e"),
    ("%UPSTREAM_HOST%", "10.0.1.1:9080"),
    ("%UPSTREAM_REMOTE_ADDRESS%", "10.0.1.1:9080"),
    ("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.1.1"),
    ("%UPSTREAM_REMOTE_PORT%", "9080"),
    ("%UPSTREAM_CLUSTER%", "outbound|80||a"),
    ("%UPSTREAM_CLUSTER_RAW%", "outbound|80||a"),
    ("%UPSTREAM_LOCAL_ADDRESS%", "10.0.0.1:5000"),
    ("%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "10.0.0.1"),
    ("%UPSTREAM_LOCAL_PORT%", "5000"),
    ("%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "2"),
    ("%DOWNSTREAM_LOCAL_ADDRESS%", "10.0.0.1:80"),
    ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "10.0.0.1"),
    ("%DOWNSTREAM_LOCAL_PORT%", "80"),
    ("%DOWNSTREAM_REMOTE_ADDRESS%", "10.0.0.2:4000"),
    ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.2"),
    ("%DOWNSTREAM_REMOTE_PORT%", "4000"),
    ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "10.0.0.2:4000"),
    ("%DOWNSTREAM_PEER_URI_SAN%", "spiffe://d/ns/a/sa/b"),
    ("%REQUESTED_SERVER_NAME%", "sni.example"),
    ("%ROUTE_NAME%", "r"),
    ("%GRPC_STATUS%", "Unavailable"),
    ("%GRPC_STATUS(SNAKE_STRING)%", "UNAVAILABLE"),
    ("%GRPC_STATUS_NUMBER%", "14"),
];

#[test]
fn every_operator_has_its_value() {
    for (operator, value) in OPERATORS {
        assert_eq!(Format::parse(operator).text(&full(), "-"), value, "{operator}");
    }
    let invalid = ["GRPC_STATUS(SNAKE_STRING)", "GRPC_STATUS(NUMBER)"].map(|text| format!("%{text}%"));
    let mut record = full();
    record.response_trailers.insert("grpc-status", HeaderValue::from_static("3"));
    assert_eq!(invalid.map(|text| Format::parse(&text).text(&record, "-")), ["INVALID_ARGUMENT", "3"]);
}

#[test]
fn every_operator_of_the_ledger_is_in_the_table() {
    let Some(shared) = std::env::var_os("MESH_SHARED") else { return };
    let path = std::path::Path::new(&shared).join("ledger/access_log.md");
    let ledger = std::fs::read_to_string(path).unwrap();
    let mut found = 0;
    for line in ledger.lines().filter(|line| line.contains('%')) {
        let operators = Format::parse(line).parts.into_iter().filter_map(|part| match part {
            Part::Operator(operator) => Some(operator),
            Part::Text(_) => None,
        });
        for operator in operators {
            let known = OPERATORS
                .iter()
                .any(|(text, _)| Format::parse(text).parts == [Part::Operator(operator.clone())]);
            assert!(known, "{operator:?}");
            found += 1;
        }
    }
    assert!(found > 40, "{found}");
}

#[test]
fn what_is_no_operator_stands_for_itself() {
    assert_eq!(text("100%% % %REQ( %lower% %NOT_KNOWN%"), "100% % %REQ( %lower% -");
}

/// Operators that do not end: each used to be searched for its end.
#[test]
fn a_long_format_that_ends_nowhere_is_read_at_once() {
    let begun = std::time::Instant::now();
    for (text, count) in
        [("%REQ(", 200_000), ("%REQ(a):", 100_000), ("):1", 300_000), ("%REQ(a):1x)", 100_000)]
    {
        let format = Format::parse(&(text.repeat(count) + &"):".repeat(count)));
        assert!(format.problem().is_some() || text == "):1", "{text}");
    }
    assert_eq!(text("%REQ(:PATH):1% %REQ(:PATH):x% %REQ( "), "/ %REQ(:PATH):x% %REQ( ");
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn clients_cannot_break_the_line() {
    assert_eq!(text("%REQ(X-ODD)%"), "a\u{fffd}b\\tc");
}
