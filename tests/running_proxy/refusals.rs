//! Requests and connections that policies and limits turn away, and what is told of them.

use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::log_writer::LogWriter;
use mesh::proxy_core::telemetry::access_log::LineFormat;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::client::{Answer, exchange, get, request};
use crate::fixture::{GATEWAY, REVIEWS, Running, Shared, config, door, start, start_with};
use crate::upstream::{Upstream, echo};

const ROUTES: &str = "  - match: [{uri: {prefix: /said}}]
    directResponse: {status: 200, body: {string: said}}
  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]
";

/// Istio's way to a local rate limit: three requests, and one more in an hour.
const LIMIT: &str = "
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: limit, namespace: edge}
spec:
  workloadSelector: {labels: {app: door}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: GATEWAY
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {name: envoy.filters.http.router}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.local_ratelimit
        typed_config:
          '@type': type.googleapis.com/udpa.type.v1.TypedStruct
          type_url: type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          value:
            stat_prefix: limit
            token_bucket: {max_tokens: 3, tokens_per_fill: 1, fill_interval: 3600s}
            filter_enabled: {default_value: {numerator: 100, denominator: HUNDRED}}
            filter_enforced: {default_value: {numerator: 100, denominator: HUNDRED}}
            response_headers_to_add: [{append: false, header: {key: x-limited, value: 'yes'}}]
";

async fn statuses(running: &Running, paths: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for path in paths {
        statuses.push(get(running.address(), "a.example", path).await.status);
    }
    statuses
}

/// Measured beside Envoy 1.3x: status, body, header, flag and details; answers of routes take tokens too.
#[tokio::test]
async fn a_local_rate_limit_answers_in_envoys_words_once_its_bucket_is_empty() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let text = door(ROUTES) + LIMIT;
    let written = config(&text, GATEWAY);
    let running =
        start_with(written.clone(), &["80"], &endpoints, Options::default(), |builder| builder).await;
    assert_eq!(statuses(&running, &["/a", "/said", "/a", "/a", "/said"]).await, [200, 200, 200, 429, 429]);
    running.records.take();

    let answer = request(running.address(), "POST /a", &[("host", "a.example")], "hello").await;
    assert_eq!((answer.status, &*answer.body), (429, "local_rate_limited"));
    assert_eq!(answer.header("x-limited"), Some("yes"));
    let told = running.records.take();
    assert_eq!((&*told[0].flags, &*told[0].details), ("RL", "local_rate_limited"));
    let headers = [("host", "a.example"), ("content-type", "application/grpc")];
    let answer = request(running.address(), "POST /a", &headers, "").await;
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("14")));
    assert_eq!(answer.header("grpc-message"), Some("local_rate_limited"));

    // The same limit in another configuration keeps its bucket, one that is written anew begins with a full one.
    running.proxy.apply(written);
    assert_eq!(statuses(&running, &["/a"]).await, [429]);
    running.proxy.apply(config(&text, GATEWAY));
    assert_eq!(statuses(&running, &["/a", "/a", "/a", "/a"]).await, [200, 200, 200, 429]);
    running.proxy.apply(config(&door(ROUTES), GATEWAY));
    assert_eq!(statuses(&running, &["/a", "/a", "/a", "/a"]).await, [200; 4]);
}

/// Measured beside Envoy: a body is sent on once all of it is there, and one that is larger than the buffer is sent nowhere.
#[tokio::test]
async fn a_body_larger_than_the_buffer_of_a_filter_is_refused_whole() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let (kept, _) = LIMIT.split_once("        name: envoy.filters.http.local_ratelimit").unwrap();
    let buffer = "        name: envoy.filters.http.buffer\n        typed_config:\n          \
                  '@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer\n          max_request_bytes: 10\n";
    let written = config(&(door(ROUTES) + kept + buffer), GATEWAY);
    let running = start_with(written, &["80"], &endpoints, Options::default(), |builder| builder).await;
    let headers = [("host", "a.example")];
    assert_eq!(request(running.address(), "POST /a", &headers, "0123456789").await.status, 200);
    assert_eq!(upstream.only().body, "0123456789");
    let answer = request(running.address(), "POST /a", &headers, "0123456789a").await;
    assert_eq!((answer.status, &*answer.body), (413, "Payload Too Large"));
    assert_eq!(answer.header("connection"), Some("close"));
    let chunked = "POST /a HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";
    let answer = Answer::parse(&exchange(running.address(), chunked).await);
    assert_eq!((answer.status, &*answer.body), (413, "Payload Too Large"));
    assert!(upstream.take().is_empty());
    assert!(
        running.records.take().iter().skip(1).all(|record| record.details == "request_payload_too_large")
    );
}

fn policy(name: &str, action: &str, rules: &str) -> String {
    format!(
        "\n---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
         metadata: {{name: {name}, namespace: edge}}\nspec: {{action: {action}, rules: [{rules}]}}\n"
    )
}

#[tokio::test]
async fn the_log_names_the_rule_that_denied() {
    let text = door(ROUTES)
        + &policy(
            "shut",
            "DENY",
            "{to: [{operation: {paths: [/no]}}]}, {to: [{operation: {paths: [/never]}}]}",
        )
        + &policy("open", "ALLOW", "{to: [{operation: {methods: [GET]}}]}");
    let log = Shared::default();
    let running = start_with(config(&text, GATEWAY), &["80"], &[], Options::default(), |builder| {
        builder.sink(LogWriter::new(
            log.clone(),
            LineFormat::text("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"),
        ))
    })
    .await;
    assert_eq!(statuses(&running, &["/no", "/never", "/said"]).await, [403, 403, 200]);
    assert_eq!(request(running.address(), "POST /said", &[("host", "a.example")], "").await.status, 403);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        log,
        "403 - rbac_access_denied_matched_policy[ns[edge]-policy[shut]-rule[0]]\n\
         403 - rbac_access_denied_matched_policy[ns[edge]-policy[shut]-rule[1]]\n\
         200 - direct_response\n\
         403 - rbac_access_denied_matched_policy[none]\n"
    );
}

#[tokio::test]
async fn a_denied_connection_is_told_of_with_the_rule_that_denied() {
    let text = format!(
        "{REVIEWS}\n---\napiVersion: networking.istio.io/v1\nkind: Gateway\n\
         metadata: {{name: door, namespace: edge}}\nspec:\n  selector: {{app: door}}\n  servers:\n  \
         - port: {{number: 9000, name: tcp, protocol: TCP}}\n    hosts: ['*']\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: door, namespace: edge}}\nspec:\n  hosts: ['*']\n  gateways: [door]\n  \
         tcp: [{{route: [{{destination: {{host: reviews.shop.svc.cluster.local}}}}]}}]\n{}",
        policy("shut", "DENY", "{to: [{operation: {ports: ['9000']}}]}")
    );
    let upstream = echo().await;
    let running =
        start(&text, GATEWAY, &["9000"], &[("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)]).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "closed");
    let told = running.records.take();
    assert_eq!(told.len(), 1);
    assert!(told[0].request.is_none() && told[0].flags.is_empty());
    let line =
        LineFormat::text("%RESPONSE_CODE% %RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%").line(&told[0]);
    assert_eq!(line, "0 - rbac_access_denied_matched_policy[ns[edge]-policy[shut]-rule[0]]");
}

/// Requests do not go on without a module that may be their only guard; one that says so is left out.
#[tokio::test]
async fn what_must_be_run_and_cannot_refuses_its_traffic() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let running = start(&door(ROUTES), GATEWAY, &["80"], &endpoints).await;
    for (written, status) in [
        ("url: file:///none.wasm", 500),
        ("url: file:///none.wasm, phase: AUTHN, failStrategy: FAIL_RELOAD", 500),
        ("url: file:///none.wasm, failStrategy: FAIL_OPEN", 200),
        ("url: file:///none.wasm, match: [{ports: [{number: 81}]}]", 200),
        ("url: file:///none.wasm, type: NETWORK", 0),
        ("url: file:///none.wasm, type: NETWORK, failStrategy: FAIL_OPEN", 200),
    ] {
        let plugin = format!(
            "\n---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n\
             metadata: {{name: guard, namespace: edge}}\nspec: {{{written}}}\n"
        );
        running.proxy.apply(config(&(door(ROUTES) + &plugin), GATEWAY));
        running.records.take();
        assert_eq!(statuses(&running, &["/a"]).await, [status], "{written}");
        let told: Vec<_> = running.records.take().into_iter().map(|record| record.flags).collect();
        assert!(status != 500 || told == ["NFCF"], "{written}: {told:?}");
    }
}
