use http::HeaderValue;

use super::super::peer::Peer;
use super::super::record::RequestRecord;
use super::*;

fn record() -> Record {
    let peer = "10.0.0.2:4000".parse().unwrap();
    let mut record = Record::begin(Direction::Inbound, peer, "10.0.0.1:80".parse().unwrap());
    record.start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    record.duration = Duration::from_millis(250);
    record.status = 503;
    record.flags = "UF,URX".to_owned();
    record.details = "via".to_owned();
    record.client_certificate = true;
    record.peer_principal = Some("spiffe://d/ns/a/sa/b".to_owned());
    record.server_name = Some("a.example".to_owned());
    record.endpoint = Some("10.0.1.1:9080".into());
    record.cluster = Some("outbound|80||a".into());
    record.route = Some("r".into());
    record.attempts = 2;
    record.bytes_received = 5;
    record.bytes_sent = 7;
    record.response_headers.insert("x-a", HeaderValue::from_static("1"));
    record.response_trailers.insert("grpc-status", HeaderValue::from_static("14"));
    let mut request = RequestRecord {
        protocol: "HTTP/1.1",
        path: "/api/v1?q=1#f".to_owned(),
        authority: "a.example:80".to_owned(),
        scheme: "http".to_owned(),
        ..RequestRecord::default()
    };
    for (name, value) in [("x-one", "1"), ("user-agent", "curl/8"), ("x-request-id", "id"), ("referer", "r")]
    {
        request.headers.insert(name, HeaderValue::from_static(value));
    }
    record.request = Some(request);
    record
}

fn holds(text: &str) -> bool {
    Expression::parse(text).unwrap().holds(&record())
}

#[test]
fn attributes_are_envoys() {
    for text in [
        "request.path == '/api/v1?q=1#f'",
        "request.url_path == '/api/v1' && request.query == 'q=1'",
        "request.url_path.startsWith('/api') && request.url_path.matches('v[0-9]')",
        "request.host == 'a.example:80' && request.scheme == 'http' && request.method == 'GET'",
        "request.headers['X-One'] == '1' && request.headers[':path'].contains('api')",
        "request.useragent == 'curl/8' && request.id == 'id' && request.referer == 'r'",
        "request.protocol == 'HTTP/1.1' && request.size == 5 && request.total_size > 5",
        "request.headers_bytes > 20",
        "request.time == timestamp('2023-11-14T22:13:20Z') && request.time.getFullYear() == 2023",
        "request.duration == duration('250ms')",
        "response.code >= 400 && response.code < 600 && response.code_details == 'via'",
        "response.flags == 32800 && response.grpc_status == 14 && response.size == 7",
        "response.headers['x-a'] == '1' && response.trailers['grpc-status'] == '14'",
        "response.total_size == 24",
        "connection.mtls && connection.requested_server_name == 'a.example'",
        "connection.uri_san_peer_certificate == 'spiffe://d/ns/a/sa/b'",
        "upstream.address == '10.0.1.1:9080' && upstream.port == 9080",
        "upstream.request_attempt_count == 2u && upstream.transport_failure_reason == ''",
        "source.address == '10.0.0.2:4000' && source.port == 4000 && destination.port == 80",
        "xds.cluster_name == 'outbound|80||a' && xds.route_name == 'r' && xds.listener_direction == 1",
        "has(request.headers.x_none) == false && 'x-one' in request.headers",
        "!('x-none' in request.headers) && !has(metadata.filter_metadata)",
    ] {
        assert!(holds(text), "{text}");
    }
}

#[test]
fn what_has_no_value_is_not_true() {
    for text in [
        "request.headers['x-none'] == '1'",
        "request.headers['x-none'] != '1'",
        "request.nothing == 1",
        "nothing.at.all",
        "response.code",
        "response.code == '503'",
        "filter_state.upstream_peer.app == 'a'",
        "1 / 0 == 1",
    ] {
        assert!(!holds(text), "{text}");
    }
    assert!(holds("response.code == 503 || request.headers['x-none'] == '1'"), "the other side decides");
}

#[test]
fn workloads_are_known_as_they_say_of_themselves() {
    let mut record = record();
    let peer = |workload: &str| Some(Arc::new(Peer { workload: workload.into(), ..Peer::default() }));
    (record.downstream_peer, record.upstream_peer) = (peer("web"), peer("cart"));
    let holds = |record: &Record, text: &str| Expression::parse(text).unwrap().holds(record);
    assert!(holds(&record, "filter_state.downstream_peer.workload == 'web'"));
    assert!(holds(&record, "filter_state['upstream_peer']['workload'] == 'cart'"));
    assert!(holds(
        &record,
        "!has(filter_state.upstream_peer.app) && !has(upstream_filter_state.upstream_peer)"
    ));
    record.request = None;
    assert!(holds(&record, "upstream_filter_state.upstream_peer.workload == 'cart'"));
    assert!(holds(&record, "!has(filter_state.upstream_peer) && has(filter_state.downstream_peer)"));
}

#[test]
fn connections_of_bytes_have_no_request() {
    let mut record = record();
    record.request = None;
    let holds = |text: &str| Expression::parse(text).unwrap().holds(&record);
    assert!(!holds("request.path == '/'") && holds("connection.mtls"));
    assert!(holds("!has(request.path)"));
}

#[test]
fn labels_are_printed() {
    let text = |text: &str| Expression::parse(text).unwrap().text(&record());
    assert_eq!(text("request.host").as_deref(), Some("a.example:80"));
    assert_eq!(text("response.code").as_deref(), Some("503"));
    assert_eq!(text("connection.mtls").as_deref(), Some("true"));
    assert_eq!(text("string(destination.port)").as_deref(), Some("80"));
    assert_eq!(text("request.duration").as_deref(), Some("250000000ns"));
    assert_eq!(text("request.headers['x-none']"), None);
    assert_eq!(text("[1]"), None);
}

#[test]
fn what_is_no_expression_is_said_so() {
    assert!(Expression::parse("response.code >=").is_err());
    assert!(Expression::parse(&"(".repeat(20_000)).is_err());
    assert!(Expression::parse(&format!("'{}'", "a".repeat(EXPRESSION_BYTES_MAX))).is_err());
    let deep = format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000));
    let _ = Expression::parse(&deep);
}
