//! Command operators of log formats, beside a real Envoy: the same requests through both, compared operator by operator.

use std::net::SocketAddr;
use std::time::Duration;

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::telemetry::access_log::LineFormat;
use mesh::proxy_core::telemetry::record::Record;
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ca::Ca;
use crate::client::{get, request};
use crate::envoy::{client_sidecar, start_envoy, tls_context};
use crate::fixture::{REVIEWS, Running, config, start_with};
use crate::peer_envoy::Envoy;
use crate::tls::{REVIEWS_ID, SERVER, WEB, server};
use crate::upstream::{Upstream, echo};

/// Whose values are the same.
const SAME: &str = "BYTES_RECEIVED BYTES_SENT BYTES_RETRANSMITTED PROTOCOL UPSTREAM_PROTOCOL RESPONSE_CODE \
    RESPONSE_CODE_DETAILS CONNECTION_TERMINATION_DETAILS RESPONSE_TRAILERS_BYTES UPSTREAM_REQUEST_ATTEMPT_COUNT \
    ROUNDTRIP_DURATION RESPONSE_FLAGS RESPONSE_FLAGS_LONG VIRTUAL_CLUSTER_NAME UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW \
    UPSTREAM_TRANSPORT_FAILURE_REASON UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_LOCAL_CLOSE_REASON \
    DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_DETECTED_CLOSE_TYPE \
    DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(24) GRPC_STATUS GRPC_STATUS_NUMBER \
    REQ(:METHOD) REQ(:PATH) REQ(:AUTHORITY) REQ(X-NONE?:PATH):3 REQ(X-TWICE) REQ(X-EMPTY) REQ(ACCEPT) \
    REQ(CONTENT-LENGTH) RESP(:STATUS) TRAILER(X-NONE) PATH(NQ) PATH(:ORIG) QUERY_PARAM(a) QUERY_PARAMS(DECODED) \
    QUERY_PARAMS DYNAMIC_METADATA(x) FILTER_STATE(none:PLAIN) REQUESTED_SERVER_NAME(SNI_FIRST) LOCAL_REPLY_BODY \
    HOSTNAME ACCESS_LOG_TYPE TRACE_ID SPAN_ID CUSTOM_FLAGS ENVIRONMENT(PATH):5 COMMON_DURATION(DS_RX_BEG:DS_RX_BEG:ns) \
    COMMON_DURATION(DS_RX_BEG:own:us) REQUESTED_SERVER_NAME \
    DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_PEER_DNS_SAN \
    DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_PEER_SUBJECT \
    DOWNSTREAM_PEER_ISSUER DOWNSTREAM_TLS_VERSION DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_SERIAL \
    DOWNSTREAM_PEER_CHAIN_SERIALS DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256 DOWNSTREAM_PEER_CERT \
    DOWNSTREAM_PEER_CERT_V_START DOWNSTREAM_PEER_CERT_V_END(%s) UPSTREAM_TLS_VERSION UPSTREAM_PEER_SUBJECT \
    UPSTREAM_LOCAL_URI_SAN TLS_JA3_FINGERPRINT COALESCE({\"operators\":[\"TRACE_ID\",\"RESPONSE_CODE\"]}) \
    COALESCE({\"operators\":[{\"command\":\"REQ\",\"param\":\"x-empty\"},\"RESPONSE_CODE\"]}) \
    RESPONSE_CODE%-%COALESCE({\"operators\":[{\"command\":\"REQ\",\"param\":\"x-empty\"},\"RESPONSE_CODE\"]})";

/// Whose values differ, and are there in both or in neither, of one kind.
const ALIKE: &str = "START_TIME START_TIME(%s.%3f) START_TIME_LOCAL EMIT_TIME REQUEST_HEADERS_BYTES \
    RESPONSE_HEADERS_BYTES DURATION REQUEST_DURATION REQUEST_TX_DURATION RESPONSE_DURATION RESPONSE_TX_DURATION \
    UPSTREAM_CONNECTION_POOL_READY_DURATION COMMON_DURATION(DS_CX_BEG:DS_CX_END:us) COMMON_DURATION(DS_RX_BEG:US_TX_END:us) \
    COMMON_DURATION(US_CX_BEG:US_CX_END:us) COMMON_DURATION(DS_RX_BEG:US_RX_BODY_BEG:us) \
    COMMON_DURATION(DS_RX_BEG:US_RX_END:us) COMMON_DURATION(DS_RX_BEG:DS_TX_BEG:ns) \
    COMMON_DURATION(DS_RX_BEG:DS_TX_END) COMMON_DURATION(US_CX_END:US_HS_END:us) UPSTREAM_HOST UPSTREAM_HOST_NAME \
    UPSTREAM_HOSTS_ATTEMPTED UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT UPSTREAM_LOCAL_ADDRESS UPSTREAM_LOCAL_PORT \
    UPSTREAM_REMOTE_ADDRESS UPSTREAM_REMOTE_PORT DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_REMOTE_PORT \
    DOWNSTREAM_DIRECT_REMOTE_ADDRESS DOWNSTREAM_DIRECT_REMOTE_PORT DOWNSTREAM_LOCAL_ADDRESS DOWNSTREAM_LOCAL_PORT \
    DOWNSTREAM_HANDSHAKE_DURATION CONNECTION_ID UPSTREAM_CONNECTION_ID UPSTREAM_CONNECTION_IDS_ATTEMPTED STREAM_ID \
    UNIQUE_ID DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_GROUP FILTER_CHAIN_NAME";

fn fields() -> Map<String, Value> {
    let operators = SAME.split_whitespace().chain(ALIKE.split_whitespace());
    operators.map(|operator| (operator.to_owned(), format!("%{operator}%").into())).collect()
}

/// A chain that logs to a file, and sends all but `/local` on.
fn chain(tls: &str) -> String {
    let fields = Value::from(fields());
    format!(
        r#"{{"name": "chain", {tls} "filters": [{{"name": "http", "typed_config": {{
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in", "codec_type": "AUTO",
            "access_log": [{{"name": "file", "typed_config": {{
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": "FOLDER/log", "log_format": {{"json_format": {fields}}}}}}}],
            "http_filters": [{{"name": "router", "typed_config":
                {{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}],
            "route_config": {{"virtual_hosts": [{{"name": "all", "domains": ["*"], "routes": [
                {{"match": {{"prefix": "/"}}, "route": {{"cluster": "inbound|9080||",
                    "retry_policy": {{"retry_on": "connect-failure", "num_retries": 2}}}}}}]}}]}}}}}}]}}"#
    )
}

fn cluster(upstream: &Upstream) -> String {
    cluster_at(upstream.address)
}

fn cluster_at(address: SocketAddr) -> String {
    format!(
        r#"{{"name": "inbound|9080||", "type": "STATIC", "connect_timeout": "5s", "load_assignment":
            {{"cluster_name": "a", "endpoints": [{{"lb_endpoints": [{{"endpoint": {{"address": {{"socket_address":
            {{"address": "127.0.0.1", "port_value": {}}}}}}}}}]}}]}}}}"#,
        address.port()
    )
}

/// The lines of Envoy's log, once there are as many.
async fn lines(envoy: &Envoy, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let text = std::fs::read_to_string(envoy.folder.join("log")).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("Envoy writes no log");
}

/// Our lines of the same requests.
async fn ours(running: &Running, count: usize) -> Vec<Value> {
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..200 {
        records.extend(running.records.take());
        if records.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let format = LineFormat::json(Some(&fields()));
    assert_eq!(format.problem(), None);
    records.iter().map(|record| serde_json::from_str(&format.line(record)).unwrap()).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        _ => "something else",
    }
}

fn compare(ours: &[Value], envoys: &[Value]) {
    let mut differences = Vec::new();
    assert_eq!(ours.len(), envoys.len());
    for (place, (ours, envoys)) in ours.iter().zip(envoys).enumerate() {
        for operator in SAME.split_whitespace().filter(|operator| ours[*operator] != envoys[*operator]) {
            differences.push(format!("{place} {operator}: {}, Envoy {}", ours[operator], envoys[operator]));
        }
        for operator in ALIKE.split_whitespace() {
            if kind(&ours[operator]) != kind(&envoys[operator]) {
                differences
                    .push(format!("{place} {operator}: {}, Envoy {}", ours[operator], envoys[operator]));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test]
async fn operators_tell_of_requests_what_envoy_tells() {
    let application = Upstream::start("application").await;
    let Some(envoy) = Envoy::start("formats", &[], &chain(""), &cluster(&application)).await else { return };
    let running = start_with(
        config(REVIEWS, SERVER),
        &["in:10.0.1.1:9080"],
        &[("10.0.1.1:9080", application.address)],
        Options::default(),
        |builder| builder,
    )
    .await;
    for address in [envoy.address, running.address()] {
        let headers = [
            ("Host", "reviews:9080"),
            ("X-Twice", "1"),
            ("X-Twice", "2"),
            ("X-Empty", ""),
            ("Accept", "a"),
            ("Accept", "b"),
        ];
        assert_eq!(request(address, "GET /p?a=1&b=%41&a=2", &headers, "").await.status, 200);
        let headers = [("Host", "reviews:9080")];
        assert_eq!(request(address, "POST /p", &headers, "words").await.status, 200);
    }
    compare(&ours(&running, 2).await, &lines(&envoy, 2).await);
}

/// Nobody listens at the endpoint: the proxy answers itself.
#[tokio::test]
async fn operators_tell_of_an_endpoint_that_is_down_what_envoy_tells() {
    let nobody = unbound().await;
    let Some(envoy) = Envoy::start("down", &[], &chain(""), &cluster_at(nobody)).await else { return };
    let running = start_with(
        config(REVIEWS, SERVER),
        &["in:10.0.1.1:9080"],
        &[("10.0.1.1:9080", nobody)],
        Options::default(),
        |builder| builder,
    )
    .await;
    for address in [envoy.address, running.address()] {
        assert_eq!(get(address, "reviews:9080", "/x").await.status, 503);
    }
    let (mut ours, mut envoys) = (ours(&running, 1).await, lines(&envoy, 1).await);
    // Envoy counts until a connection was there or could not be had, we until one was there.
    for line in ours.iter_mut().chain(&mut envoys) {
        line["UPSTREAM_CONNECTION_POOL_READY_DURATION"].take();
    }
    compare(&ours, &envoys);
}

/// An address at which nobody listens.
async fn unbound() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn operators_tell_of_bytes_what_envoy_tells() {
    let address = echo().await;
    let fields = Value::from(fields());
    let chain = format!(
        r#"{{"name": "chain", "filters": [{{"name": "tcp", "typed_config": {{
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "in", "cluster": "inbound|9080||",
            "access_log": [{{"name": "file", "typed_config": {{
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": "FOLDER/log", "log_format": {{"json_format": {fields}}}}}}}]}}}}]}}"#
    );
    let Some(envoy) = Envoy::start("bytes", &[], &chain, &cluster_at(address)).await else { return };
    let text = REVIEWS.replace("{name: http, port: 9080}", "{name: tcp-db, port: 9080}");
    let ports = &["in:10.0.1.1:9080"];
    let endpoints = [("10.0.1.1:9080", address)];
    let running =
        start_with(config(&text, SERVER), ports, &endpoints, Options::default(), |builder| builder).await;
    for address in [envoy.address, running.address()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
    }
    let (ours, envoys) = (ours(&running, 1).await, lines(&envoy, 2).await);
    // The first connection to Envoy is the one that found out that it listens.
    compare(&ours, &envoys[envoys.len() - 1..]);
}

#[tokio::test]
async fn operators_tell_of_mutual_tls_what_envoy_tells() {
    let ca = Ca::new();
    let (running, application) = server(&ca, "STRICT").await;
    let own = ca.issue(&[REVIEWS_ID]);
    let tls = format!(
        r#""transport_socket": {},"#,
        tls_context("Downstream", WEB, r#""require_client_certificate": true,"#)
    );
    // Envoy tells of the name that a client asks for where its inspector looks for it, which is not set up here.
    let started = start_envoy("tls-formats", &ca, &own, &chain(&tls), &cluster(&application)).await;
    let Some(envoy) = started else { return };
    let web = client_sidecar(&ca, WEB, envoy.address).await;
    assert_eq!(get(web.address(), "reviews:9080", "/x").await.status, 200);
    let web = client_sidecar(&ca, WEB, running.address()).await;
    assert_eq!(get(web.address(), "reviews:9080", "/x").await.status, 200);
    let (mut ours, mut envoys) = (ours(&running, 1).await, lines(&envoy, 1).await);
    for line in ours.iter_mut().chain(&mut envoys) {
        line["REQUESTED_SERVER_NAME"].take();
        line["REQUESTED_SERVER_NAME(SNI_FIRST)"].take();
    }
    // Each sidecar has a certificate of its own for the one identity.
    for line in ours.iter_mut().chain(&mut envoys) {
        for operator in ["SERIAL", "CHAIN_SERIALS", "FINGERPRINT_256", "CHAIN_FINGERPRINTS_256", "CERT"] {
            let told = line[format!("DOWNSTREAM_PEER_{operator}")].take();
            assert!(told.as_str().is_some_and(|text| text.len() > 10), "{operator}: {told}");
        }
    }
    compare(&ours, &envoys);
}
