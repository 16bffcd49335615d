//! Clusters, virtual hosts and routes that come in.

use super::*;
use crate::proxy::cluster::{Discovery, UpstreamTls};
use crate::route_table::matcher::PathMatch;

fn patch(apply_to: &str, matches: &str, operation: &str, value: &str) -> String {
    format!(
        "{{applyTo: {apply_to}, match: {{{matches}}}, patch: {{operation: {operation}, value: {value}}}}}"
    )
}

fn told(report: &Report) -> Vec<String> {
    let found = report.iter().filter(|it| it.code == Code::PatchNotApplied);
    found.map(|it| it.message.clone()).collect()
}

/// What the patches leave of the sidecar `shop/client`, and what they changed.
fn patched(patches: &str) -> (ProxyConfig, Vec<Vec<String>>, Vec<String>) {
    let (config, report) = client(&filter("shop", "f", "", patches));
    let changed = config.envoy_filters.patches.iter();
    let changed = changed.map(|it| it.changed.iter().map(ToString::to_string).collect()).collect();
    (config, changed, told(&report))
}

const LUA_CLUSTER: &str = "{name: lua_cluster, type: STRICT_DNS, connect_timeout: 0.5s, dns_refresh_rate: 7s, lb_policy: RANDOM, \
    circuit_breakers: {thresholds: [{max_connections: 7}]}, \
    load_assignment: {cluster_name: lua_cluster, endpoints: [{locality: {region: r, zone: z}, priority: 1, lb_endpoints: [\
    {endpoint: {address: {socket_address: {protocol: TCP, address: internal.org.net, port_value: 8888}}}, load_balancing_weight: 3}]}]}}";

#[test]
fn a_cluster_is_added_with_its_endpoints_and_settings() {
    let (config, changed, told) = patched(&patch("CLUSTER", "context: SIDECAR_OUTBOUND", "ADD", LUA_CLUSTER));
    let cluster = config.clusters.get("lua_cluster").unwrap();
    assert_eq!((cluster.discovery, cluster.connect_timeout_ms), (Discovery::StrictDns, 500));
    assert_eq!(cluster.dns_refresh_ms, Some(7_000));
    assert_eq!(cluster.limits.max_connections, Some(7));
    let [endpoint] = &cluster.endpoints[..] else { panic!() };
    assert_eq!((&*endpoint.address, endpoint.priority, endpoint.weight), ("internal.org.net:8888", 1, 3));
    assert_eq!(&*endpoint.locality, "r/z");
    assert!(cluster.origins.get("cluster").unwrap().to_string().contains("EnvoyFilter shop/f"));
    assert_eq!((changed, told), (vec![vec!["lua_cluster".to_owned()]], vec![]));
}

#[test]
fn a_cluster_without_context_goes_out_and_one_of_a_taken_name_does_not_count() {
    let with = |matches: &str| {
        let (config, ..) = patched(&patch("CLUSTER", matches, "ADD", LUA_CLUSTER));
        config.clusters.get("lua_cluster").is_some()
    };
    assert!(with("") && with("context: SIDECAR_INBOUND") && !with("context: GATEWAY"));
    let taken = format!("{{name: '{CLUSTER}', connect_timeout: 1s}}");
    let (config, changed, told) = patched(&patch("CLUSTER", "", "ADD", &taken));
    assert_eq!(config.clusters.get(CLUSTER).unwrap().connect_timeout_ms, 10_000);
    assert_eq!(changed, [Vec::<String>::new()]);
    assert!(told[0].contains("the first one counts"), "{told:?}");
    // What is removed makes room.
    let remove = format!(
        "{{applyTo: CLUSTER, match: {{cluster: {{name: '{CLUSTER}'}}}}, patch: {{operation: REMOVE}}}}"
    );
    let (config, ..) = patched(&format!("{}, {remove}", patch("CLUSTER", "", "ADD", &taken)));
    assert_eq!(config.clusters.get(CLUSTER).unwrap().connect_timeout_ms, 1_000);
}

#[test]
fn a_cluster_that_cannot_be_read_is_left_out_whole() {
    let why = |value: &str| {
        let (config, _, told) = patched(&patch("CLUSTER", "", "ADD", value));
        assert!(config.clusters.get("x").is_none(), "{value}");
        told.join(" ")
    };
    assert!(why("{name: x, type: EDS}").contains("nobody tells"));
    assert!(why("{type: STATIC}").contains("needs a name"));
    assert!(why("{name: x, cluster_type: {name: envoy.clusters.aggregate}}").contains("extensions"));
    assert!(why("{name: x, load_assignment: {endpoints: [{lb_endpoints: [{}]}]}}").contains("endpoints"));
    let odd =
        "{name: x, transport_socket: {name: envoy.transport_sockets.quic, typed_config: {'@type': a/b}}}";
    assert!(why(odd).contains("transport socket"));
}

#[test]
fn tls_of_an_added_cluster_is_read() {
    let value = "{name: x, type: LOGICAL_DNS, transport_socket: {name: envoy.transport_sockets.tls, typed_config: {\
        '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: a.example, \
        common_tls_context: {alpn_protocols: [h2], validation_context: {trusted_ca: {filename: /ca.pem}}}}}}";
    let (config, _, told) = patched(&patch("CLUSTER", "", "ADD", value));
    let UpstreamTls::Tls(tls) = &config.clusters.get("x").unwrap().tls else { panic!("{told:?}") };
    assert_eq!((&*tls.sni, tls.root.as_deref()), ("a.example", Some("file-root:/ca.pem")));
}

const TABLE: &str = "context: SIDECAR_OUTBOUND, routeConfiguration: {name: '80'}";
const HOST: &str = "context: SIDECAR_OUTBOUND, routeConfiguration: {name: '80', vhost: {name: 'web.shop.svc.cluster.local:80'}}";

fn answers(config: &ProxyConfig, host: &str, path: &str) -> String {
    let Some(found) = config.route_tables.get("80").unwrap().virtual_host(host) else {
        return "no host".into();
    };
    let request = mesh_model::facts::RequestFacts {
        version: mesh_model::facts::HttpVersion::Http11,
        method: "GET".into(),
        scheme: "http".into(),
        authority: host.into(),
        path: path.into(),
        headers: mesh_model::facts::Headers { entries: vec![("x".into(), b"1".as_slice().into())] },
    };
    match found.find(&request, None, &mut ()).map(|route| &route.action) {
        None => "no route".into(),
        Some(RouteAction::Respond(response)) => response.status.to_string(),
        Some(RouteAction::Redirect(redirect)) => format!("{} {:?}", redirect.status, redirect.host),
        Some(RouteAction::Forward(forward)) => forward.destinations.iter().map(|it| &*it.cluster).collect(),
    }
}

#[test]
fn a_virtual_host_is_added_with_its_routes() {
    let value = "{name: extra, domains: [Extra.example], request_headers_to_remove: [q], routes: [\
        {match: {prefix: /a, headers: [{name: x, string_match: {exact: '1'}}]}, route: {cluster: 'outbound|80||web.shop.svc.cluster.local', timeout: 2s}, \
         request_headers_to_add: [{header: {key: a, value: b}}]}, \
        {match: {path: /b}, redirect: {host_redirect: other, response_code: FOUND}}, \
        {match: {safe_regex: {regex: '/c.*'}}, direct_response: {status: 418, body: {inline_string: tea}}}, \
        {match: {prefix: /d, runtime_fraction: {}}, direct_response: {status: 200}}]}";
    let (config, changed, told) = patched(&patch("VIRTUAL_HOST", TABLE, "ADD", value));
    assert_eq!(changed, [vec!["80/extra".to_owned()]]);
    assert_eq!(answers(&config, "extra.example", "/a1"), CLUSTER);
    assert_eq!(answers(&config, "extra.example", "/b"), "302 Some(\"other\")");
    assert_eq!(answers(&config, "extra.example", "/cc"), "418");
    assert_eq!(answers(&config, "extra.example", "/d"), "no route");
    let [only] = &told[..] else { panic!("{told:?}") };
    assert!(only.contains("routes[3].match.runtime_fraction"), "{only}");
    let host = config.route_tables["80"].virtual_host("extra.example").unwrap();
    // The virtual host's operations come behind those of its routes.
    let wanted = [HeaderOp::Add("a".into(), "b".into()), HeaderOp::Remove("q".into())];
    assert_eq!(host.routes[0].request_headers.ops.to_vec(), wanted);
    let RouteAction::Forward(forward) = &host.routes[0].action else { panic!() };
    assert_eq!(forward.timeout_ms, 2_000);
}

#[test]
fn a_virtual_host_with_a_domain_that_is_taken_is_left_out() {
    let value = "{name: extra, domains: ['web.shop.svc.cluster.local'], routes: []}";
    let (_, changed, told) = patched(&patch("VIRTUAL_HOST", TABLE, "ADD", value));
    assert_eq!(changed, [Vec::<String>::new()]);
    assert!(told[0].contains("refuses a table that has it twice"), "{told:?}");
}

#[test]
fn a_virtual_host_is_replaced_and_takes_domains_and_routes() {
    let value = "{name: 'web.shop.svc.cluster.local:80', domains: [web], routes: [{match: {prefix: /}, direct_response: {status: 204}}]}";
    let (config, _, told) = patched(&patch("VIRTUAL_HOST", HOST, "REPLACE", value));
    assert_eq!((answers(&config, "web", "/"), told), ("204".to_owned(), vec![]));
    let value =
        "{domains: [more.example], routes: [{match: {path: /never}, direct_response: {status: 204}}]}";
    let (config, _, told) = patched(&patch("VIRTUAL_HOST", HOST, "MERGE", value));
    assert_eq!((answers(&config, "more.example", "/"), told), (CLUSTER.to_owned(), vec![]));
    let host = config.route_tables["80"].virtual_host("more.example").unwrap();
    assert_eq!(host.routes.len(), 2);
}

#[test]
fn routes_are_put_where_the_operation_says() {
    let order = |operation: &str, route: &str, more: &str| {
        let matches = format!(
            "context: SIDECAR_OUTBOUND, routeConfiguration: {{name: '80', vhost: {{name: 'web.shop.svc.cluster.local:80'{route}}}}}"
        );
        let value = "{name: new, match: {prefix: /}, direct_response: {status: 200}}";
        let (config, ..) = patched(&format!("{}{more}", patch("HTTP_ROUTE", &matches, operation, value)));
        let host = config.route_tables["80"].virtual_host("web.shop.svc.cluster.local").unwrap().clone();
        host.routes.iter().map(|it| it.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(order("ADD", "", ""), "default new");
    assert_eq!(order("INSERT_FIRST", "", ""), "new default");
    assert_eq!(order("INSERT_BEFORE", "", ""), "new default");
    assert_eq!(order("INSERT_AFTER", "", ""), "default new");
    let named = ", route: {name: default}";
    assert_eq!(order("INSERT_BEFORE", named, ""), "new default");
    assert_eq!(order("INSERT_AFTER", named, ""), "default new");
    assert_eq!(order("INSERT_FIRST", named, ""), "new default");
    let gone = ", route: {name: nobody}";
    assert_eq!(order("INSERT_BEFORE", gone, ""), "default");
    assert_eq!(order("INSERT_FIRST", gone, ""), "default");
    // What comes in is not merged into, and a second one sees the first.
    let again = format!(
        ", {}",
        patch(
            "HTTP_ROUTE",
            "context: SIDECAR_OUTBOUND, routeConfiguration: {name: '80', vhost: {name: 'web.shop.svc.cluster.local:80', route: {name: new}}}",
            "INSERT_AFTER",
            "{name: newer, match: {prefix: /}, direct_response: {status: 200}}"
        )
    );
    assert_eq!(order("INSERT_FIRST", "", &again), "new newer default");
}

#[test]
fn a_route_takes_another_cluster_or_another_action() {
    let with = |value: &str| {
        let (config, ..) = patched(&patch("HTTP_ROUTE", HOST, "MERGE", value));
        answers(&config, "web.shop.svc.cluster.local", "/")
    };
    assert_eq!(with("{route: {cluster: elsewhere}}"), "elsewhere");
    let two = "{route: {weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 2}, {name: c, weight: 0}]}}}";
    assert_eq!(with(two), "ab");
    assert_eq!(with("{direct_response: {status: 503}}"), "503");
    assert_eq!(with("{redirect: {host_redirect: h}}"), "301 Some(\"h\")");
    // A redirect that says what redirects here cannot stays out.
    assert_eq!(with("{redirect: {regex_rewrite: {}}}"), CLUSTER);
}

#[test]
fn conditions_are_read_or_the_route_is_left_out() {
    let path = |conditions: &str| {
        let value = format!("{{name: new, match: {{{conditions}}}, direct_response: {{status: 200}}}}");
        let (config, ..) = patched(&patch("HTTP_ROUTE", HOST, "INSERT_FIRST", &value));
        let host = config.route_tables["80"].virtual_host("web.shop.svc.cluster.local").unwrap().clone();
        let first = &host.routes[0];
        (*first.name == *"new").then(|| {
            let kind = match &first.matcher.path {
                PathMatch::Exact(..) => "exact",
                PathMatch::Prefix(..) => "prefix",
                PathMatch::SegmentPrefix(_) => "segment",
                PathMatch::Regex(_) => "regex",
            };
            (kind, first.matcher.headers.len(), first.matcher.query.len())
        })
    };
    assert_eq!(
        path("prefix: /, headers: [{name: a, present_match: true}, {name: b, exact_match: c}]"),
        Some(("prefix", 2, 0))
    );
    assert_eq!(
        path(
            "path: /x, case_sensitive: false, query_parameters: [{name: q, string_match: {safe_regex: {regex: a+}}}]"
        ),
        Some(("exact", 0, 1))
    );
    assert_eq!(path("path_separated_prefix: /x"), Some(("segment", 0, 0)));
    assert_eq!(path("safe_regex: {regex: '/[a-z]+'}"), Some(("regex", 0, 0)));
    for unread in [
        "prefix: /, grpc: {}",
        "prefix: /, headers: [{name: a, range_match: {start: 1, end: 2}}]",
        "prefix: /, headers: [{name: a, string_match: {exact: b, ignore_case: true}}]",
        "safe_regex: {regex: '('}",
        "connect_matcher: {}",
        "path_separated_prefix: /x, case_sensitive: false",
    ] {
        assert_eq!(path(unread), None, "{unread}");
    }
}
