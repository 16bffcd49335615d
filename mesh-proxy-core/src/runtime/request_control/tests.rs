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
    retries(&mut headers, &mut http, of_time, is_heeded);
    let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
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
