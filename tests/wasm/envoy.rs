//! The same module in a real Envoy, which must answer alike. Skipped where there is no Envoy.

use std::net::SocketAddr;
use std::time::Duration;

use crate::client::{Answer, request};
use crate::guests::{File, gateway, marking, module, on_request};
use crate::peer_envoy::Envoy;
use crate::upstream::Upstream;

/// An Envoy that runs one module. `None`: there is no Envoy here.
async fn start(name: &str, file: &File, policy: &str, upstream: SocketAddr) -> Option<Envoy> {
    let chain = format!(
        r#"{{"filters": [{{"name": "http", "typed_config": {{
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in", "access_log": [{{"name": "file", "typed_config": {{
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": "FOLDER/log", "log_format": {{"text_format_source":
                    {{"inline_string": "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"}}}}}}}}],
            "http_filters": [{{"name": "wasm", "typed_config": {{
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {{"name": "guest", {policy}, "vm_config": {{
                    "runtime": "envoy.wasm.runtime.v8", "code": {{"local": {{"filename": "{file}"}}}}}}}}}}}},
              {{"name": "router", "typed_config":
                {{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}],
            "route_config": {{"virtual_hosts": [{{"name": "all", "domains": ["*"],
                "routes": [{{"match": {{"prefix": "/"}}, "route": {{"cluster": "all"}}}}]}}]}}}}}}]}}"#,
        file = file.0.display(),
    );
    let clusters = format!(
        r#"{{"name": "all", "type": "STATIC", "load_assignment": {{"cluster_name": "all", "endpoints":
            [{{"lb_endpoints": [{{"endpoint": {{"address": {{"socket_address":
                {{"address": "127.0.0.1", "port_value": {}}}}}}}}}]}}]}}}}"#,
        upstream.port()
    );
    Envoy::start(&format!("wasm-{name}"), &[], &chain, &clusters).await
}

/// Flags and details of the last request.
async fn told(envoy: &Envoy) -> String {
    for _ in 0..300 {
        let log = std::fs::read_to_string(envoy.folder.join("log")).unwrap_or_default();
        if let Some(line) = log.lines().last() {
            return line.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    String::new()
}

/// What is the same of two proxies' answers.
fn alike(answer: &Answer) -> (u16, String, Vec<&str>, Option<&str>) {
    let marks = answer.headers.iter().filter(|(name, _)| name.starts_with("x-")).map(|(_, value)| &**value);
    let marks = marks.filter(|value| value.parse::<u64>().is_err()).collect();
    (answer.status, answer.body.clone(), marks, answer.header("content-type"))
}

/// Asks both proxies the same; both are told of alike.
async fn both(name: &str, bytes: &[u8], strategy: &str, headers: &[(&str, &str)]) {
    let file = File::new(bytes);
    let upstream = Upstream::start("v1").await;
    let policy = match strategy {
        // Its `failure_policy` of this name lets the request fail that breaks the module, and leaves it out of later ones.
        "FAIL_OPEN" => r#""fail_open": true"#,
        _ => r#""failure_policy": "FAIL_CLOSED""#,
    };
    let Some(envoy) = start(name, &file, policy, upstream.address).await else { return };
    let theirs = request(envoy.address, "GET /a?b=1", headers, "").await;
    let told = told(&envoy).await;
    let seen_of_theirs = upstream.take();
    let proxy = gateway(&file.plugin("guest", &format!("  failStrategy: {strategy}")), &upstream).await;
    let ours = request(proxy.address(), "GET /a?b=1", headers, "").await;
    assert_eq!(alike(&ours), alike(&theirs), "{name}: {told}");
    let record = proxy.records.take().pop().unwrap();
    assert_eq!(
        format!("{} {} {}", record.status, or_dash(&record.flags), or_dash(&record.details)),
        told,
        "{name}"
    );
    let told_upstream = |seen: &[crate::upstream::Seen]| {
        let lines = |it: &crate::upstream::Seen| {
            (it.target.clone(), it.authority.clone(), it.header("x-order").map(str::to_owned))
        };
        seen.iter().map(lines).collect::<Vec<_>>()
    };
    assert_eq!(told_upstream(&upstream.take()), told_upstream(&seen_of_theirs), "{name}");
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

#[tokio::test]
async fn envoy_and_we_do_the_same_with_a_module() {
    let host = [("host", "a.example")];
    both("marks", &marking("ok"), "FAIL_CLOSE", &host).await;
    let door = wat::parse_str(include_str!("../../examples/wasm/door.wat")).unwrap();
    both("door", &door, "FAIL_CLOSE", &host).await;
    let trap = module(&[], &on_request("unreachable"));
    both("closed", &trap, "FAIL_CLOSE", &host).await;
    both("open", &trap, "FAIL_OPEN", &host).await;
    let answer = module(
        &["words", "no way", "\u{1}\0\0\0\u{5}\0\0\0\u{3}\0\0\0x-own\0yes\0"],
        &on_request(
            "(call $must (call $answer (i32.const 429) (i32.const 0) (i32.const 5) (i32.const 256) (i32.const 6)
                (i32.const 512) (i32.const 22) (i32.const -1))) (return (i32.const 1))",
        ),
    );
    both("answer", &answer, "FAIL_CLOSE", &host).await;
    both("grpc", &answer, "FAIL_CLOSE", &[("host", "a.example"), ("content-type", "application/grpc")]).await;
}

#[tokio::test]
async fn envoy_and_we_do_the_same_with_a_module_that_takes_too_much_away() {
    let host = [("host", "a.example")];
    for name in [":path", ":method"] {
        let remove =
            format!("(call $must (call $remove (i32.const 0) (i32.const 0) (i32.const {})))", name.len());
        both(&name[1..], &module(&[name], &on_request(&remove)), "FAIL_CLOSE", &host).await;
    }
    let status = module(
        &[":status"],
        "(func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32)
            (call $must (call $remove (i32.const 2) (i32.const 0) (i32.const 7))) (i32.const 0))",
    );
    both("status", &status, "FAIL_CLOSE", &host).await;
}
