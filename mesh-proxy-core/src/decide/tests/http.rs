use std::sync::Arc;

use mesh_compile::proxy::listener::{ChainMatch, Direction};
use mesh_compile::route_table::action::{
    AuthorityRewrite, CorsPolicy, Destinations, DirectResponse, Fault, FaultAbort, HeaderOp, HeaderOps,
    PathRewrite, Redirect, RedirectPath, RetryPolicy, RouteAction,
};
use mesh_compile::route_table::matcher::TextMatch;
use mesh_model::trace::Stage;
use serde_json::json;

use super::builder::*;
use crate::decide::explain;
use crate::query::Query;

fn forwarding(forward: mesh_compile::route_table::action::Forward) -> RouteAction {
    RouteAction::Forward(Box::new(forward))
}

fn one_host(action: RouteAction, clusters: &[&str]) -> mesh_compile::proxy::ProxyConfig {
    gateway(vec![host("a.com", false, vec![route("/x", action)])], clusters)
}

#[test]
fn a_forwarded_request_lists_all_that_is_configured() {
    let mut action = to("up");
    action.timeout_ms = 1500;
    action.path_rewrite = Some(PathRewrite::Matched("/y".into()));
    action.authority_rewrite = Some(AuthorityRewrite::Literal("b.com".into()));
    action.retries = Some(Arc::new(RetryPolicy {
        attempts: 2,
        on: "5xx".into(),
        codes: vec![503],
        per_try_timeout_ms: None,
        backoff_ms: None,
        avoid_previous_hosts: true,
        remote_localities: false,
        origin: origin(),
    }));
    let mut first = route("/x", forwarding(action));
    first.request_headers = HeaderOps { ops: vec![HeaderOp::Set("k".into(), "v".into())].into() };
    let config = gateway(vec![host("a.com", false, vec![first])], &["up"]);
    assert_eq!(
        answer(&config, &get("A.com:80", "/x/./z?q")),
        json!({
            "result": "forward",
            "clusters": [{"cluster": "up", "weight": 100, "request_headers": [["set", "k", "v"]], "response_headers": []}],
            "path": "/y/z?q",
            "authority": "b.com",
            "timeout_ms": 1500,
            "retries": {"attempts": 2, "on": "5xx", "codes": [503], "per_try_timeout_ms": null},
        })
    );
}

#[test]
fn destinations_act_before_the_route_and_keep_their_own_host() {
    let mut first = destination("one", 3);
    first.authority = Some("one.internal".into());
    first.request_headers = HeaderOps { ops: vec![HeaderOp::Add("k".into(), "destination".into())].into() };
    let action = forward(Destinations::Weighted(vec![first, destination("gone", 1)]));
    let mut only = route("/x", forwarding(action));
    only.request_headers = HeaderOps { ops: vec![HeaderOp::Remove("k".into())].into() };
    let config = gateway(vec![host("a.com", false, vec![only])], &["one"]);
    let answer = answer(&config, &get("a.com", "/x"));
    assert_eq!(
        answer["clusters"][0]["request_headers"],
        json!([["add", "k", "destination"], ["remove", "k"]])
    );
    assert_eq!(answer["clusters"][0]["authority"], "one.internal");
    // One that does not exist is listed as long as another does.
    assert_eq!(answer["clusters"][1]["cluster"], "gone");
    assert_eq!(answer["authority"], "a.com");
}

#[test]
fn no_virtual_host_differs_from_no_route() {
    let config = one_host(forwarding(to("up")), &["up"]);
    assert_eq!(
        answer(&config, &get("b.com", "/x")),
        json!({"result": "local_reply", "status": 404, "reason": "no_virtual_host"})
    );
    assert_eq!(
        answer(&config, &get("a.com", "/")),
        json!({"result": "local_reply", "status": 404, "reason": "no_route"})
    );
}

#[test]
fn a_missing_cluster_is_the_routes_status() {
    let mut action = to("gone");
    action.no_cluster_status = 500;
    action.fault = Some(Box::new(Fault { delay: Some((10, 5.0)), abort: None }));
    let config = one_host(forwarding(action), &[]);
    assert_eq!(
        answer(&config, &get("a.com", "/x")),
        json!({"result": "local_reply", "status": 500, "reason": "no_cluster", "fault": {"delay_ms": 10, "delay_percent": 5}})
    );
}

#[test]
fn a_certain_abort_answers_before_a_preflight_and_an_uncertain_one_does_not() {
    let with = |percent| {
        let mut action = to("up");
        action.fault = Some(Box::new(Fault { delay: None, abort: Some((FaultAbort::Grpc(14), percent)) }));
        action.cors = Some(Box::new(CorsPolicy::default()));
        let mut query = get("a.com", "/x");
        preflight(&mut query, "https://o");
        answer(&one_host(forwarding(action), &["up"]), &query)
    };
    let abort = with(100.0);
    assert_eq!(abort["reason"], "fault");
    assert_eq!(abort["status"], 200);
    assert_eq!(abort["fault"], json!({"abort_grpc": 14, "abort_percent": 100}));
    assert_eq!(with(99.5)["reason"], "cors_preflight");
    assert_eq!(with(99.5)["fault"]["abort_percent"], 99.5);
}

fn preflight(query: &mut Query<'static>, origin: &'static str) {
    let request = query.request.as_mut().unwrap();
    request.method = "OPTIONS".into();
    request.headers.push("origin", origin.as_bytes());
    request.headers.push("access-control-request-method", b"PUT".as_slice());
}

#[test]
fn preflights_are_answered_by_policy() {
    let policy = CorsPolicy {
        allow_origins: vec![TextMatch::Exact("https://o".into())],
        allow_methods: "*".into(),
        max_age: "60".into(),
        ..CorsPolicy::default()
    };
    let with = |policy: CorsPolicy, origin| {
        let mut action = to("up");
        action.cors = Some(Box::new(policy));
        let mut query = get("a.com", "/x");
        preflight(&mut query, origin);
        answer(&one_host(forwarding(action), &["up"]), &query)
    };
    let allowed = with(policy.clone(), "https://o");
    assert_eq!((&allowed["allow_methods"], &allowed["max_age"]), (&json!("*"), &json!("60")));
    let other = with(policy.clone(), "https://z");
    assert_eq!((&other["status"], &other["allow_methods"]), (&json!(200), &json!("")));
    let sent_on = CorsPolicy { forward_unmatched_preflights: true, ..policy.clone() };
    assert_eq!(with(sent_on, "https://z")["result"], "forward");
    assert_eq!(with(policy, "")["result"], "forward");
}

#[test]
fn redirects_and_answers_ignore_missing_clusters() {
    let redirect = Redirect {
        status: 302,
        scheme: Some("https".into()),
        host: None,
        port: None,
        path: RedirectPath::Keep,
        strip_query: false,
    };
    let config = one_host(RouteAction::Redirect(Box::new(redirect)), &[]);
    let answer_of = answer(&config, &get("a.com:80", "/x//y"));
    assert_eq!(answer_of["location"], "https://a.com/x//y");
    assert_eq!(answer_of["status"], 302);
    let config = one_host(RouteAction::Respond(DirectResponse { status: 502, body: None }), &[]);
    assert_eq!(
        answer(&config, &get("a.com", "/x")),
        json!({"result": "local_reply", "status": 502, "reason": "direct_response", "body": ""})
    );
}

#[test]
fn a_host_that_requires_tls_redirects_before_it_looks_for_routes() {
    let config = gateway(vec![host("a.com", true, Vec::new())], &[]);
    let answer = answer(&config, &get("a.com:80", "/x/../y?z"));
    assert_eq!(answer["reason"], "https_redirect");
    assert_eq!(answer["location"], "https://a.com:80/y?z");
    let mut query = get("a.com", "/");
    query.request.as_mut().unwrap().headers.push("x-forwarded-proto", b"https".as_slice());
    assert_eq!(reason(&config, &query), "no_route");
}

#[test]
fn bytes_that_are_not_the_chains_protocol_are_refused() {
    let config = one_host(forwarding(to("up")), &["up"]);
    let raw = to_address(Direction::Gateway, "10.0.0.1", 80);
    assert_eq!(reason(&config, &raw), "protocol_error");
    assert_eq!(reason(&config, &over_tls(get("a.com", "/x"), "a.com", &[], None)), "protocol_error");
}

#[test]
fn a_table_that_does_not_exist_has_no_virtual_host() {
    let chains = vec![chain("http", ChainMatch::default(), http("none"))];
    let config = config(vec![listener(Direction::Gateway, "0.0.0.0", 80, chains)], Vec::new(), &[]);
    assert_eq!(reason(&config, &get("a.com", "/")), "no_virtual_host");
}

#[test]
fn explaining_tells_every_stage_and_the_origin_of_cluster_settings() {
    let config = one_host(forwarding(to("up")), &["up"]);
    let (decision, trace) = explain(&config, &get("a.com", "/x"));
    let stages: std::collections::BTreeSet<Stage> = trace.steps.iter().map(|step| step.stage).collect();
    assert!(stages.is_superset(&[Stage::Listener, Stage::Transport, Stage::Route, Stage::Cluster].into()));
    assert!(trace.steps.iter().any(|step| step.rule == "lb of up"));
    assert!(!decision.why.is_empty());
    assert!(Arc::strong_count(&config.listeners[0]) == 1);
}
