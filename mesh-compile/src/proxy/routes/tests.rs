use super::*;
use crate::proxy::test_mesh::with_view;
use crate::route_table::action::{AuthorityRewrite, HeaderOp, RedirectPath};
use crate::route_table::matcher::ValueMatch;

/// The routes of a VirtualService for `reviews` whose `http` is given, on port 9080 of the mesh.
fn routes(http: &str) -> Vec<Route> {
    routes_in(http, "{}", RouteSemantics::Istio)
}

fn routes_in(http: &str, mesh: &str, semantics: RouteSemantics) -> Vec<Route> {
    let yaml = format!(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews, namespace: default}}
spec:
  hosts: [reviews]
  http: {http}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: reviews, namespace: default}}
spec:
  host: reviews
  trafficPolicy: {{loadBalancer: {{consistentHash: {{httpHeaderName: x-user}}}}}}
  subsets: [{{name: v1, labels: {{version: v1}}}}]
"
    );
    with_view(&yaml, mesh, |view| {
        let egress = view.scope().egress.first().expect("a catch-all listener");
        let mut merged = MergedVirtualService::clone(egress.virtual_services.first().expect("it is visible"));
        merged.semantics = semantics;
        let known = |host: &str| view.service(host).map(|service| &**service);
        let context = RouteContext { view, port: 9080, gateway: "mesh", tls: false, known: &known };
        http_routes(&merged, &context, &mut Report::new())
    })
}

fn forward(route: &Route) -> &Forward {
    match &route.action {
        RouteAction::Forward(forward) => forward,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_catch_all_hides_what_follows() {
    let routes = routes(
        "[{match: [{uri: {exact: /a}}, {uri: {prefix: /}}, {uri: {exact: /b}}], route: [{destination: {host: reviews}}]},
          {route: [{destination: {host: ratings}}]}]",
    );
    assert_eq!(routes.len(), 2);
    assert_eq!(routes[1].origin.field(), "spec.http[0].match[1]");
}

#[test]
fn gateways_switch_label_checks_off() {
    let kept = |condition: &str| {
        !routes(&format!("[{{match: [{condition}], route: [{{destination: {{host: reviews}}}}]}}]"))
            .is_empty()
    };
    assert!(kept("{sourceLabels: {app: web}, sourceNamespace: default}"));
    assert!(!kept("{sourceLabels: {app: admin}}"));
    assert!(kept("{gateways: [mesh], sourceLabels: {app: admin}}"));
    assert!(!kept("{port: 80}"));
    assert!(!kept("{sourceNamespace: other}"));
}

#[test]
fn without_headers_counts_a_missing_header_as_empty_unless_presence_is_denied() {
    let routes = routes(
        "[{match: [{withoutHeaders: {B: {exact: x}, a: {}}, headers: {'@request.auth.claims.a.b': {exact: admin}}}],
           route: [{destination: {host: reviews}}]}]",
    );
    let [denied, other] = &*routes[0].matcher.headers else { panic!("two headers") };
    assert!(denied.invert && !denied.missing_is_empty && matches!(denied.value, ValueMatch::Present));
    assert!(other.invert && other.missing_is_empty && &*other.name == "b");
    assert_eq!(routes[0].matcher.claims[0].path.len(), 2);
}

#[test]
fn one_destination_and_several_apply_headers_in_opposite_order() {
    let headers = "headers: {request: {set: {X: route}, remove: [q]}}";
    let own = "headers: {request: {set: {x: dest}, remove: [z]}}";
    let single = routes(&format!("[{{{headers}, route: [{{destination: {{host: reviews}}, {own}}}]}}]"));
    let text = |op: &HeaderOp| match op {
        HeaderOp::Set(name, value) => format!("set {name} {value}"),
        HeaderOp::Add(name, value) => format!("add {name} {value}"),
        HeaderOp::Remove(name) => format!("remove {name}"),
    };
    let ops: Vec<_> = single[0].request_headers.ops.iter().map(text).collect();
    assert_eq!(ops, ["remove q", "remove z", "set x route", "set x dest"]);
    let several = routes(&format!(
        "[{{{headers}, route: [{{destination: {{host: reviews}}, weight: 1, {own}}}, {{destination: {{host: ratings}}, weight: 0}}]}}]"
    ));
    let Destinations::Weighted(weighted) = &forward(&several[0]).destinations else { panic!("weighted") };
    assert_eq!(weighted.len(), 1);
    assert_eq!(weighted[0].request_headers.ops.len(), 2);
    assert_eq!(several[0].request_headers.ops.len(), 2);
    assert_eq!(weighted[0].origin.field(), "spec.http[0].route[0]");
}

#[test]
fn the_port_left_out_is_the_tables() {
    let routes = routes("[{route: [{destination: {host: legacy.default.svc.cluster.local}}]}]");
    let cluster = &forward(&routes[0]).destinations.iter().next().expect("one").cluster;
    assert_eq!(&**cluster, "outbound|9080||legacy.default.svc.cluster.local");
}

#[test]
fn retries_come_from_the_route_then_the_mesh_then_the_default() {
    let route = "route: [{destination: {host: ratings}}]";
    let of = |http: &str, mesh: &str| {
        let routes = routes_in(http, mesh, RouteSemantics::Istio);
        forward(&routes[0]).retries.clone()
    };
    let default = of(&format!("[{{{route}}}]"), "{}").expect("the default");
    assert_eq!((default.attempts, default.avoid_previous_hosts), (2, true));
    assert_eq!(of(&format!("[{{{route}}}]"), r#"{"defaultHttpRetryPolicy": {"attempts": 0}}"#), None);
    assert_eq!(of(&format!("[{{{route}, retries: {{}}}}]"), "{}"), None);
    let own = of(&format!("[{{{route}, retries: {{attempts: 1, retryOn: 'gateway-error, 503,x'}}}}]"), "{}");
    let own = own.expect("its own");
    assert_eq!((&*own.on, own.codes.as_slice()), ("gateway-error,x,retriable-status-codes", &[503][..]));
}

#[test]
fn a_hashed_single_destination_retries_the_same_host() {
    let routes = routes("[{route: [{destination: {host: reviews, subset: v1}}]}]");
    let forward = forward(&routes[0]);
    assert_eq!(forward.hash_policy.len(), 1);
    assert!(!forward.retries.as_ref().expect("the default").avoid_previous_hosts);
}

#[test]
fn redirect_ports_that_the_scheme_implies_are_left_out() {
    let port = |redirect: &str| {
        let routes = routes(&format!("[{{redirect: {redirect}}}]"));
        match &routes[0].action {
            RouteAction::Redirect(redirect) => redirect.port,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(port("{authority: x.com, scheme: https, port: 443}"), None);
    assert_eq!(port("{authority: x.com, port: 443}"), Some(443));
    assert_eq!(port("{authority: x.com, port: 80}"), None);
    assert_eq!(port("{derivePort: FROM_REQUEST_PORT, scheme: https}"), Some(9080));
}

#[test]
fn an_unknown_redirect_code_leaves_the_route_out() {
    assert!(routes("[{redirect: {uri: /x, redirectCode: 304}}]").is_empty());
    let routes = routes("[{redirect: {uri: x, redirectCode: 308}}]");
    let RouteAction::Redirect(redirect) = &routes[0].action else { panic!("a redirect") };
    assert_eq!((redirect.status, &redirect.path), (308, &RedirectPath::Whole("/x".into())));
}

#[test]
fn the_authority_comes_from_the_rewrite_then_the_headers() {
    let of = |http: &str| forward(&routes(http)[0]).authority_rewrite.clone();
    let set = "headers: {request: {set: {Host: set.com}}}";
    let own = "route: [{destination: {host: reviews}, headers: {request: {set: {host: own.com}}}}]";
    let literal = |text: &str| Some(AuthorityRewrite::Literal(text.into()));
    assert_eq!(of(&format!("[{{rewrite: {{authority: r.com}}, {set}, {own}}}]")), literal("r.com"));
    assert_eq!(of(&format!("[{{{set}, {own}}}]")), literal("set.com"));
    assert_eq!(of(&format!("[{{{own}}}]")), literal("own.com"));
}

#[test]
fn a_share_left_out_is_all_for_mirrors_and_nothing_for_faults() {
    let routes = routes(
        "[{mirror: {host: ratings}, mirrors: [{destination: {host: reviews}, percentage: {value: 0}}],
           fault: {abort: {httpStatus: 500}, delay: {fixedDelay: 5s}}, route: [{destination: {host: reviews}}]}]",
    );
    let forward = forward(&routes[0]);
    assert_eq!(forward.mirrors.iter().map(|mirror| mirror.percent).collect::<Vec<_>>(), [100.0]);
    let fault = forward.fault.clone().expect("a fault");
    assert_eq!(fault.delay, Some((5000, 0.0)));
    assert_eq!(fault.abort.map(|(_, share)| share), Some(0.0));
}

#[test]
fn gateway_api_prefixes_are_segments_and_missing_backends_500() {
    let http = "[{match: [{uri: {prefix: /v1/}}], rewrite: {uri: /}, route: [{destination: {host: reviews}}]}, {route: []}]";
    let routes = routes_in(http, "{}", RouteSemantics::GatewayApi);
    assert!(matches!(&routes[0].matcher.path, PathMatch::SegmentPrefix(prefix) if &**prefix == "/v1"));
    assert_eq!(forward(&routes[0]).no_cluster_status, 500);
    assert!(matches!(&routes[1].action, RouteAction::Respond(response) if response.status == 500));
}

#[test]
fn a_pattern_that_is_not_re2_leaves_the_route_out() {
    assert!(routes("[{match: [{uri: {regex: '/('}}], route: [{destination: {host: reviews}}]}]").is_empty());
}

#[test]
fn catch_alls_go_last_and_keep_their_order() {
    let routes = routes(
        "[{match: [{uri: {prefix: ''}}, {headers: {a: {}}}, {uri: {prefix: /}}], route: [{destination: {host: reviews}}]}]",
    );
    let mut turned = routes.clone();
    turned.rotate_right(1);
    let sorted = sort_catch_all(turned);
    let fields: Vec<_> = sorted.iter().map(|route| route.origin.field().to_owned()).collect();
    assert_eq!(fields, ["spec.http[0].match[0]", "spec.http[0].match[1]", "spec.http[0].match[2]"]);
}
