#![allow(clippy::unwrap_used)]

use super::*;
use crate::decision::UpstreamAuthority;

fn forward(timeout_ms: u64, retries: Option<RetryPolicy>) -> HttpForward {
    HttpForward {
        path: "/".to_owned(),
        authority: UpstreamAuthority::Text("a".into()),
        timeout_ms,
        retries: retries.map(Arc::new),
        mirrors: Vec::new(),
        fault: None,
        rate_limits: Vec::new(),
        max_request_bytes: None,
    }
}

/// Timeout, conditions, attempts, codes and timeout of a try after headers `name: value` by `;`.
fn asked(lines: &str, mut http: HttpForward, is_heeded: bool) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in lines.split(';').filter_map(|line| line.split_once(": ")) {
        headers.insert(HeaderName::try_from(name.trim()).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    let of_time = timeouts(&mut headers, &mut http, is_heeded);
    retries(&mut headers, &mut http, of_time);
    let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    let policy = http.retries.as_deref().map_or_else(String::new, |policy| {
        format!(" [{}] {} {:?} {:?}", policy.on, policy.attempts, policy.codes, policy.per_try_timeout_ms)
    });
    format!("{}{policy}|{}", http.timeout_ms, left.join(","))
}

fn policy() -> RetryPolicy {
    RetryPolicy { attempts: 2, on: "connect-failure".into(), codes: vec![503], ..none() }
}

#[test]
fn t_167_timeouts_are_those_of_the_application() {
    let route = || forward(1000, None);
    assert_eq!(asked("x-envoy-upstream-rq-timeout-ms: 50; a: b", route(), true), "50|a");
    assert_eq!(asked("x-envoy-upstream-rq-timeout-ms: 0", route(), true), "0|");
    assert_eq!(asked("x-envoy-upstream-rq-timeout-ms: soon", route(), true), "1000|");
    assert_eq!(asked("x-envoy-upstream-rq-timeout-ms: 50", route(), false), "1000|");
    // A try has no longer than the whole.
    let both = "x-envoy-upstream-rq-timeout-ms: 50; x-envoy-upstream-rq-per-try-timeout-ms: ";
    let with = |millis: &str| asked(&format!("{both}{millis}"), forward(1000, Some(policy())), true);
    assert_eq!(with("20"), "50 [connect-failure] 2 [503] Some(20)|");
    assert_eq!(with("50"), "50 [connect-failure] 2 [503] None|");
    // What is asked of a try is asked in the place of what the route says, be it to have none.
    let own = || forward(1000, Some(RetryPolicy { per_try_timeout_ms: Some(700), ..policy() }));
    for (asked_ms, wanted) in [("20", "Some(20)"), ("0", "Some(0)"), ("9000", "None"), ("soon", "Some(700)")]
    {
        let line = format!("x-envoy-upstream-rq-per-try-timeout-ms: {asked_ms}; x-envoy-max-retries: 2");
        assert_eq!(asked(&line, own(), true), format!("1000 [connect-failure] 2 [503] {wanted}|"));
    }
}

/// Asked of Envoy 1.40: all of these, and then what it sent on.
#[test]
fn t_167_what_clients_ask_of_a_proxy_goes_no_further() {
    let all = "x-envoy-upstream-rq-timeout-ms: 5; x-envoy-upstream-rq-per-try-timeout-ms: 5; x-envoy-retry-on: 5xx; \
               x-envoy-retry-grpc-on: cancelled; x-envoy-max-retries: 7; x-envoy-retriable-status-codes: 404; \
               x-envoy-retriable-header-names: a; x-envoy-hedge-on-per-try-timeout: true; x-envoy-force-trace: 1; \
               x-envoy-internal: true; x-envoy-ip-tags: a; x-envoy-original-url: a; x-envoy-upstream-alt-stat-name: a; \
               x-envoy-upstream-rq-timeout-alt-response: 1; x-envoy-expected-rq-timeout-ms: 5; x-envoy-attempt-count: 1; \
               x-envoy-other: b";
    let left = "x-envoy-attempt-count,x-envoy-other";
    assert_eq!(asked(all, forward(1000, None), false), format!("1000|{left}"));
    assert_eq!(asked(all, forward(1000, Some(policy())), true).split('|').nth(1), Some(left));
}

/// Asked of Envoy 1.40, too.
#[test]
fn t_473_an_upstream_is_told_how_long_it_has() {
    let told = |kind: &str, time_ms: Option<u64>, debug: bool| {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("9S"));
        let own = ProxyHeaders::of(
            mesh_compile::proxy::listener::Direction::Outbound,
            &mesh_model::mesh_config::ProxyConfig::default(),
        );
        tell_time(&mut headers, time_ms.map(Duration::from_millis), &ProxyHeaders { debug, ..own });
        let of = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (of(&EXPECTED).unwrap_or_default(), of(&GRPC_TIMEOUT).unwrap_or_default())
    };
    let text = |expected: &str, grpc: &str| (expected.to_owned(), grpc.to_owned());
    assert_eq!(told("text/plain", None, true), text("", "9S"));
    assert_eq!(told("text/plain", Some(1500), true), text("1500", "9S"));
    assert_eq!(told("text/plain", Some(1500), false), text("", "9S"));
    assert_eq!(told("application/grpc", None, true), text("", "9S"));
    assert_eq!(told("application/grpc", Some(1500), true), text("1500", "1500m"));
    assert_eq!(told("application/grpc", Some(1500), false), text("", "1500m"));
    assert_eq!(told("application/grpc", Some(0), true), text("1", "1m"));
    assert_eq!(told("application/grpc", Some(99_999_999), true), text("99999999", "99999999m"));
    assert_eq!(told("application/grpc", Some(100_000_000), true), text("100000000", "100000S"));
    assert_eq!(told("application/grpc", Some(u64::MAX), false), text("", "99999999H"));
}

#[test]
fn t_167_retries_are_those_of_the_route_and_of_the_application() {
    let route = || forward(0, Some(policy()));
    let all = "x-envoy-retry-on: 5xx; x-envoy-retry-grpc-on: cancelled; x-envoy-max-retries: 7; \
               x-envoy-retriable-status-codes: 404, 409,x; x-envoy-retriable-header-names: a";
    assert_eq!(asked(all, route(), true), "0 [connect-failure,5xx,cancelled] 7 [503, 404, 409] None|");
    assert_eq!(asked(all, route(), false), "0 [connect-failure] 2 [503] None|");
    assert_eq!(asked("x-envoy-max-retries: 9", route(), true), "0 [connect-failure] 9 [503] None|");
    assert_eq!(asked("x-envoy-retry-on: 5xx", forward(0, None), true), "0 [5xx] 1 [] None|");
    assert_eq!(asked("x-envoy-other: 5xx", forward(0, None), true), "0|x-envoy-other");
    assert_eq!(asked("", forward(0, None), true), "0|");
}
