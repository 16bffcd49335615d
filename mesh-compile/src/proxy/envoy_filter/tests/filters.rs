//! Listeners, chains and the filters in them.

use super::*;
use crate::proxy::http_filters::{FilterEffect, HttpFilters};
use crate::proxy::listener::{Direction, HttpManager, Listener, Network, PathNormalization};
use crate::testing::istio;

const HCM: &str = "envoy.filters.network.http_connection_manager";

fn patch(apply_to: &str, matches: &str, operation: &str, value: &str) -> String {
    let value = if value.is_empty() { String::new() } else { format!(", value: {value}") };
    format!("{{applyTo: {apply_to}, match: {{{matches}}}, patch: {{operation: {operation}{value}}}}}")
}

/// What the patches leave of the sidecar `shop/web`, which serves the service `web`.
fn server(patches: &str) -> (ProxyConfig, Vec<String>) {
    let (config, report) = of(&filter("shop", "f", "", patches), &sidecar("shop", "web"));
    let found = report.iter().filter(|it| it.code == Code::PatchNotApplied);
    (config, found.map(|it| it.message.clone()).collect())
}

fn inbound(config: &ProxyConfig) -> &Listener {
    let is_it =
        |it: &&std::sync::Arc<Listener>| &*it.name == "virtualInbound" && it.direction == Direction::Inbound;
    config.listeners.iter().find(is_it).unwrap()
}

/// The manager of the plaintext chain for port 8080.
fn manager(config: &ProxyConfig) -> &HttpManager {
    let chains = inbound(config).filter_chains.iter().filter(|it| it.matches.destination_port == Some(8080));
    let mut managers = chains.filter(|it| it.tls.is_none()).filter_map(|it| match &it.network {
        Network::Http(manager) => Some(manager),
        Network::Tcp(_) => None,
    });
    managers.next().unwrap()
}

fn order(config: &ProxyConfig) -> Vec<&str> {
    manager(config)
        .filters
        .as_ref()
        .map(|it| it.order.iter().map(|it| &*it.name).collect())
        .unwrap_or_default()
}

fn chain(more: &str) -> String {
    format!(
        "context: SIDECAR_INBOUND, listener: {{portNumber: 8080, filterChain: {{filter: {{name: {HCM}{more}}}}}}}"
    )
}

fn sub(name: &str) -> String {
    chain(&format!(", subFilter: {{name: {name}}}"))
}

const LUA: &str =
    "{name: lua, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}}";

#[test]
fn http_filters_stand_where_the_operation_puts_them() {
    let with = |matches: &str, operation: &str| {
        let (config, told) = server(&patch("HTTP_FILTER", matches, operation, LUA));
        (order(&config).join(" "), told)
    };
    let own = "istio.metadata_exchange envoy.filters.http.grpc_stats envoy.filters.http.fault envoy.filters.http.cors istio.stats envoy.filters.http.router";
    let (first, told) = with(&chain(""), "INSERT_FIRST");
    assert_eq!(first, format!("lua {own}"));
    assert!(told[0].contains("`lua` has its place"), "{told:?}");
    assert_eq!(with(&chain(""), "INSERT_BEFORE").0, format!("lua {own}"));
    assert_eq!(
        with(&sub("envoy.filters.http.router"), "INSERT_BEFORE").0,
        own.replace(" envoy.filters.http.router", " lua envoy.filters.http.router")
    );
    assert_eq!(with(&sub("envoy.filters.http.cors"), "INSERT_AFTER").0, own.replace("cors", "cors lua"));
    assert_eq!(
        with(&sub("envoy.filters.http.cors"), "REPLACE").0,
        own.replace("envoy.filters.http.cors", "lua")
    );
    // A filter that is not there is no place, and neither is a chain of another port.
    assert_eq!(with(&sub("nobody"), "INSERT_AFTER"), (String::new(), vec![]));
    assert_eq!(with(&chain("").replace("8080", "9999"), "INSERT_FIRST"), (String::new(), vec![]));
    assert_eq!(with("context: SIDECAR_OUTBOUND", "INSERT_FIRST").0, "");
    // Behind the router nothing runs, and Envoy does not take such a chain.
    let (added, told) = with(&chain(""), "ADD");
    assert_eq!(added, "");
    assert!(told[0].contains("the router ends the chain"), "{told:?}");
}

#[test]
fn what_applied_where_is_told_in_order() {
    let patches = [
        patch("HTTP_FILTER", &sub("envoy.filters.http.router"), "INSERT_BEFORE", LUA),
        patch("HTTP_FILTER", &sub("lua"), "INSERT_BEFORE", &LUA.replace("name: lua", "name: second")),
    ];
    let (config, _) = server(&patches.join(", "));
    let [first, second] = &config.envoy_filters.patches[..] else { panic!() };
    let told = |it: &PatchOutcome| it.changed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(told(first).contains("lua between istio.stats and envoy.filters.http.router"), "{}", told(first));
    assert!(told(second).contains("second between istio.stats and lua"), "{}", told(second));
}

#[test]
fn filters_that_are_taken_out_no_longer_act() {
    let remove = |name: &str| patch("HTTP_FILTER", &sub(name), "REMOVE", "");
    let policy = "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: {}\n";
    let with = |patches: &str| {
        let yaml = filter("shop", "f", "", patches) + policy;
        of(&yaml, &sidecar("shop", "web")).0
    };
    assert!(manager(&with(&remove("envoy.filters.http.fault"))).authz.is_some());
    let config = with(&remove("envoy.filters.http.rbac"));
    assert!(manager(&config).authz.is_none() && !order(&config).contains(&HttpFilters::RBAC));
    let config = with(&remove("envoy.filters.http.cors"));
    assert!(!manager(&config).filters.as_ref().unwrap().has(HttpFilters::CORS));
    // Without a name nothing is removed.
    assert!(manager(&with(&patch("HTTP_FILTER", &chain(""), "REMOVE", ""))).filters.is_none());
}

const BUCKET: &str = "token_bucket: {max_tokens: 4, tokens_per_fill: 4, fill_interval: 60s}, \
    filter_enabled: {runtime_key: k, default_value: {numerator: 100, denominator: HUNDRED}}, \
    filter_enforced: {default_value: {numerator: 100}}, response_headers_to_add: [{append: false, header: {key: x, value: 'y'}}]";

/// The filters of Istio's sample `ratelimit/local-rate-limit-service.yaml`: one for the workload, one for its routes.
#[test]
fn a_local_rate_limit_is_read_from_the_filter_and_from_routes() {
    let kind = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
    let typed = |fields: &str| {
        format!(
            "{{'@type': type.googleapis.com/udpa.type.v1.TypedStruct, type_url: {kind}, value: {{stat_prefix: s, {fields}}}}}"
        )
    };
    let name = "envoy.filters.http.local_ratelimit";
    let insert = |fields: &str| {
        let value = format!("{{name: {name}, typed_config: {}}}", typed(fields));
        patch("HTTP_FILTER", &chain(""), "INSERT_BEFORE", &value)
    };
    let (config, told) = server(&insert(BUCKET));
    assert!(told.is_empty(), "{told:?}");
    let FilterEffect::RateLimit(Some(limit)) = &manager(&config).filters.as_ref().unwrap().order[0].does
    else {
        panic!()
    };
    assert_eq!((limit.max_tokens, limit.fill_interval_ms, limit.status), (4, 60_000, 429));
    assert!(limit.is_enforced());

    let routes = "context: SIDECAR_INBOUND, routeConfiguration: {vhost: {name: 'inbound|http|80', route: {action: ANY}}}";
    let value = format!("{{typed_per_filter_config: {{{name}: {}}}}}", typed(BUCKET));
    let (config, told) = server(&format!("{}, {}", insert(""), patch("HTTP_ROUTE", routes, "MERGE", &value)));
    assert!(told.is_empty(), "{told:?}");
    let table = &config.route_tables[&manager(&config).route_table];
    let RouteAction::Forward(forward) = &table.virtual_hosts[0].routes[0].action else { panic!() };
    let filters = manager(&config).filters.as_ref().unwrap();
    assert_eq!(filters.rate_limits(forward.rate_limit.as_ref()).count(), 1);
    assert_eq!(filters.rate_limits(None).count(), 0);
}

#[test]
fn mutations_of_headers_buffers_and_named_configurations_are_read() {
    let headers = "{name: h, typed_config: {'@type': a/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation, \
        mutations: {request_mutations: [{append: {header: {key: A, value: b}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}, {remove: c}]}}}";
    let buffer = "{name: b, typed_config: {'@type': a/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 1000}}";
    let patches = [
        patch(
            "EXTENSION_CONFIG",
            "context: SIDECAR_INBOUND",
            "ADD",
            &buffer.replace("name: b", "name: named"),
        ),
        patch("HTTP_FILTER", &chain(""), "INSERT_FIRST", headers),
        patch("HTTP_FILTER", &chain(""), "INSERT_FIRST", "{name: named, config_discovery: {type_urls: [x]}}"),
    ];
    let (config, told) = server(&patches.join(", "));
    assert!(told.is_empty(), "{told:?}");
    let filters = manager(&config).filters.as_ref().unwrap();
    assert_eq!(filters.max_request_bytes(), Some(1000));
    let FilterEffect::Headers { request, .. } = &filters.order[1].does else { panic!() };
    assert_eq!(request.ops.to_vec(), [HeaderOp::Set("a".into(), "b".into()), HeaderOp::Remove("c".into())]);
    assert_eq!(config.envoy_filters.patches[0].changed, [Arc::from("named")]);
}

#[test]
fn settings_of_the_connection_manager_are_merged() {
    let typed = format!(
        "{{name: {HCM}, typed_config: {{'@type': a/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, \
         xff_num_trusted_hops: 5, merge_slashes: true, stream_idle_timeout: 9s, common_http_protocol_options: {{idle_timeout: 30s}}, \
         http_protocol_options: {{accept_http_10: true}}, access_log: []}}}}"
    );
    let (config, told) = server(&patch("NETWORK_FILTER", &chain(""), "MERGE", &typed));
    let manager = manager(&config);
    assert_eq!((manager.trusted_hops, manager.normalization), (5, PathNormalization::MergeSlashes));
    assert!(manager.http10);
    let limits = manager.limits;
    assert_eq!((limits.stream_idle_timeout_ms, limits.idle_timeout_ms), (Some(9_000), Some(30_000)));
    assert!(told.iter().all(|it| it.contains("typed_config.access_log")) && !told.is_empty(), "{told:?}");
    // MERGE_AND_REPLACE_LIST is not for filters in Istio either.
    let (config, told) = server(&patch("NETWORK_FILTER", &chain(""), "MERGE_AND_REPLACE_LIST", &typed));
    assert_eq!(self::manager(&config).trusted_hops, 0);
    assert!(told[0].contains("by MERGE alone"), "{told:?}");
}

#[test]
fn network_filters_come_and_go_as_long_as_the_last_one_stays() {
    let limit = "{name: limit, typed_config: {'@type': a/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit, max_connections: '3'}}";
    let (config, told) = server(&patch("NETWORK_FILTER", &chain(""), "INSERT_BEFORE", limit));
    let chains: Vec<_> =
        inbound(&config).filter_chains.iter().filter(|it| it.max_connections == Some(3)).collect();
    assert!(!chains.is_empty() && chains.iter().all(|it| it.matches.destination_port == Some(8080)));
    assert!(told.is_empty(), "{told:?}");
    let (_, told) = server(&patch("NETWORK_FILTER", &chain(""), "INSERT_FIRST", "{name: odd}"));
    assert!(told[0].contains("nothing here runs `odd`"), "{told:?}");
    for (operation, value) in [("REMOVE", ""), ("ADD", limit)] {
        let (_, told) = server(&patch("NETWORK_FILTER", &chain(""), operation, value));
        assert!(told[0].contains("ends the chain"), "{operation}: {told:?}");
    }
}

#[test]
fn chains_are_removed_and_added_by_what_they_match() {
    let count = |patches: &str| {
        let (config, told) = server(patches);
        let chains = &inbound(&config).filter_chains;
        (chains.iter().filter(|it| it.matches.destination_port == Some(8080)).count(), told)
    };
    let all = count("").0;
    let matches = "context: SIDECAR_INBOUND, listener: {name: virtualInbound, filterChain: {destinationPort: 8080, transportProtocol: raw_buffer}}";
    assert_eq!(count(&patch("FILTER_CHAIN", matches, "REMOVE", "")), (all - 1, vec![]));
    let all_of_port = "context: SIDECAR_INBOUND, listener: {portNumber: 8080}";
    assert_eq!(count(&patch("FILTER_CHAIN", all_of_port, "REMOVE", "")).0, 0);
    let chain = "{filter_chain_match: {destination_port: 8080, server_names: [a.example]}, filters: [{name: envoy.filters.network.tcp_proxy, \
        typed_config: {'@type': a/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, cluster: 'inbound|8080||'}}]}";
    let inbound = "context: SIDECAR_INBOUND, listener: {name: virtualInbound}";
    assert_eq!(count(&patch("FILTER_CHAIN", inbound, "ADD", chain)), (all + 1, vec![]));
    let (_, told) = count(&patch("FILTER_CHAIN", inbound, "ADD", "{filters: [{name: a}, {name: b}]}"));
    assert!(told[0].contains("a TCP proxy"), "{told:?}");
    let (_, told) = count(&patch("FILTER_CHAIN", inbound, "MERGE", "{transport_socket: {name: x}}"));
    assert!(told[0].contains("transport_socket"), "{told:?}");
}

#[test]
fn listeners_are_removed_added_and_merged() {
    let edge = |patches: &str| {
        let gateway = istio(
            "Gateway",
            "edge",
            "g",
            "{selector: {app: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
        );
        let (config, report) =
            of(&(gateway + &filter("edge", "f", "", patches)), &super::gateway("edge", "gw"));
        let names: Vec<_> =
            config.listeners.iter().map(|it| format!("{} {:?}", it.name, it.direction)).collect();
        let told: Vec<_> = report
            .iter()
            .filter(|it| it.code == Code::PatchNotApplied)
            .map(|it| it.message.clone())
            .collect();
        (config, names, told)
    };
    let on = "context: GATEWAY, listener: {portNumber: 80}";
    assert_eq!(edge("").1, ["0.0.0.0_80 Gateway"]);
    assert!(edge(&patch("LISTENER", on, "REMOVE", "")).1.is_empty());
    assert_eq!(edge(&patch("LISTENER", &on.replace("80", "81"), "REMOVE", "")).1.len(), 1);
    let (config, _, told) = edge(&patch(
        "LISTENER",
        on,
        "MERGE",
        "{per_connection_buffer_limit_bytes: 4096, listener_filters: [{name: envoy.filters.listener.proxy_protocol}], tcp_fast_open_queue_length: 1}",
    ));
    let listener = config.listeners.iter().next().unwrap();
    assert_eq!((listener.buffer_bytes, listener.proxy_protocol), (Some(4096), true));
    assert!(told.len() == 1 && told[0].contains("tcp_fast_open_queue_length"), "{told:?}");
    let new = "{name: extra, address: {socket_address: {address: 0.0.0.0, port_value: 9000}}, filter_chains: [{filters: [{name: envoy.filters.network.tcp_proxy, \
        typed_config: {'@type': a/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, cluster: c}}]}]}";
    let (config, names, told) = edge(&patch("LISTENER", "context: GATEWAY", "ADD", new));
    assert_eq!((names, told), (vec!["0.0.0.0_80 Gateway".to_owned(), "extra Gateway".to_owned()], vec![]));
    assert!(config.listeners.bound_to("0.0.0.0".parse().unwrap(), 9000).next().is_some());
    assert_eq!(config.listeners.iter().next().unwrap().direction, Direction::Gateway);
}

#[test]
fn the_proxy_protocol_is_put_before_the_tls_inspector() {
    let matches = "context: SIDECAR_INBOUND, listener: {portNumber: 15006, listenerFilter: envoy.filters.listener.tls_inspector}";
    let value = "{name: envoy.filters.listener.proxy_protocol}";
    let (config, told) = server(&patch("LISTENER_FILTER", matches, "INSERT_BEFORE", value));
    assert!(inbound(&config).proxy_protocol && told.is_empty(), "{told:?}");
    let (config, told) =
        server(&patch("LISTENER_FILTER", &matches.replace("tls_inspector", "http_inspector"), "REMOVE", ""));
    assert!(!inbound(&config).http_inspector && told.is_empty(), "{told:?}");
    let (_, told) = server(&patch("LISTENER_FILTER", matches, "INSERT_AFTER", "{name: odd}"));
    assert!(told[0].contains("nothing here runs `odd`"), "{told:?}");
}
