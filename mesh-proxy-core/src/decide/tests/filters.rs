//! What HTTP filters of patches do to a decision.

use std::sync::Arc;

use mesh_compile::proxy::http_filters::{FilterEffect, HttpFilter, HttpFilters};
use mesh_compile::proxy::listener::{ChainMatch, Direction, HttpManager, Network};
use mesh_compile::route_table::action::{
    CorsPolicy, Fault, FaultAbort, HeaderOp, HeaderOps, LocalRateLimit, RouteAction,
};
use serde_json::{Value, json};

use super::builder::*;

fn filter(name: &str, does: FilterEffect) -> HttpFilter {
    HttpFilter { name: name.into(), does, origin: origin() }
}

fn limit(tokens: u32) -> Arc<LocalRateLimit> {
    Arc::new(LocalRateLimit {
        max_tokens: tokens,
        tokens_per_fill: 1,
        fill_interval_ms: 1000,
        enabled_percent: 100.0,
        enforced_percent: 50.0,
        status: 429,
        response_headers: HeaderOps::default(),
        origin: origin(),
    })
}

/// The answer where a chain has these filters, and the route a certain fault, CORS and a rate limit of its own.
fn answered(filters: Vec<HttpFilter>, own: Option<Arc<LocalRateLimit>>) -> Value {
    let mut action = to("up");
    action.fault = Some(Box::new(Fault { delay: None, abort: Some((FaultAbort::Http(500), 100.0)) }));
    action.cors = Some(Box::new(CorsPolicy::default()));
    action.rate_limit = own;
    let mut only = route("/x", RouteAction::Forward(Box::new(action)));
    only.request_headers = HeaderOps { ops: vec![HeaderOp::Remove("r".into())].into() };
    only.response_headers = HeaderOps { ops: vec![HeaderOp::Remove("r".into())].into() };
    let manager = HttpManager { filters: Some(Arc::new(HttpFilters { order: filters })), ..manager("80") };
    let chains = vec![chain("http", ChainMatch::default(), Network::Http(Box::new(manager)))];
    let hosts = vec![host("a.com", false, vec![only])];
    let config = config(vec![listener(Direction::Gateway, "0.0.0.0", 80, chains)], hosts, &["up"]);
    answer(&config, &get("a.com", "/x"))
}

#[test]
fn a_fault_is_injected_where_its_filter_is() {
    assert_eq!(answered(vec![filter(HttpFilters::FAULT, FilterEffect::Own)], None)["status"], 500);
    assert_eq!(answered(vec![filter(HttpFilters::CORS, FilterEffect::Own)], None)["result"], "forward");
}

#[test]
fn headers_change_before_the_route_on_the_way_in_and_behind_it_on_the_way_out() {
    let set = || HeaderOps { ops: vec![HeaderOp::Set("a".into(), "b".into())].into() };
    let answer = answered(vec![filter("h", FilterEffect::Headers { request: set(), response: set() })], None);
    let cluster = &answer["clusters"][0];
    assert_eq!(cluster["request_headers"], json!([["set", "a", "b"], ["remove", "r"]]));
    assert_eq!(cluster["response_headers"], json!([["remove", "r"], ["set", "a", "b"]]));
}

#[test]
fn a_routes_rate_limit_stands_in_for_that_of_the_filter_and_for_nothing_without_one() {
    let tokens = |answer: Value| {
        let limits = answer["local_rate_limits"].as_array().cloned().unwrap_or_default();
        limits.iter().map(|it| it["max_tokens"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let with = |limit| vec![filter("l", FilterEffect::RateLimit(limit))];
    assert_eq!(tokens(answered(with(Some(limit(3))), None)), [3]);
    assert_eq!(tokens(answered(with(Some(limit(3))), Some(limit(4)))), [4]);
    assert_eq!(tokens(answered(with(None), Some(limit(4)))), [4]);
    assert_eq!(tokens(answered(with(None), None)), [0_u64; 0]);
    assert_eq!(tokens(answered(vec![], Some(limit(4)))), [0_u64; 0]);
}

#[test]
fn the_smallest_buffer_counts() {
    let buffer = |max_request_bytes| filter("b", FilterEffect::Buffer { max_request_bytes });
    assert_eq!(answered(vec![buffer(9), buffer(7)], None)["max_request_bytes"], 7);
    assert_eq!(answered(vec![filter("lua", FilterEffect::Unknown)], None).get("max_request_bytes"), None);
}
