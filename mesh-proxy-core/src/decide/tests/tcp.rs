use std::sync::Arc;

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::{
    ChainMatch, ClientCertificate, Direction, DownstreamTls, Listener, Network, TcpProxy, Transport, Tunnel,
    TunnelMethod,
};
use mesh_compile::route_table::action::HashPolicy;
use serde_json::json;

use super::builder::*;
use crate::decide::decide;

fn outbound() -> ProxyConfig {
    let virtual_outbound = Listener {
        catch_all: true,
        default_chain: Some(chain("catch-all", ChainMatch::default(), tcp("PassthroughCluster"))),
        ..listener(
            Direction::Outbound,
            "0.0.0.0",
            15001,
            vec![chain(
                "self",
                ChainMatch { destination_port: Some(15001), ..ChainMatch::default() },
                tcp("BlackHoleCluster"),
            )],
        )
    };
    let virtual_inbound = Listener {
        catch_all: true,
        ..listener(
            Direction::Inbound,
            "0.0.0.0",
            15006,
            vec![
                chain(
                    "self",
                    ChainMatch { destination_port: Some(15006), ..ChainMatch::default() },
                    tcp("BlackHoleCluster"),
                ),
                chain("any", ChainMatch::default(), tcp("InboundPassthroughCluster")),
            ],
        )
    };
    let any = || ChainMatch::default();
    config(
        vec![
            listener(Direction::Outbound, "0.0.0.0", 80, vec![chain("any", any(), tcp("any"))]),
            listener(Direction::Outbound, "10.0.0.1", 80, vec![chain("exact", any(), tcp("exact"))]),
            virtual_outbound,
            virtual_inbound,
        ],
        Vec::new(),
        &["any", "exact", "PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster"],
    )
}

#[test]
fn a_tunnel_is_part_of_the_answer() {
    let tunnel = Tunnel { method: TunnelMethod::Connect, target: "db.example:5432".into(), origin: origin() };
    let network = Network::Tcp(Box::new(TcpProxy {
        tunnel: Some(Arc::new(tunnel)),
        ..TcpProxy::to("proxy", origin())
    }));
    let chains = vec![chain("any", ChainMatch::default(), network)];
    let config = config(vec![listener(Direction::Outbound, "0.0.0.0", 80, chains)], Vec::new(), &["proxy"]);
    let decision = decide(&config, &to_address(Direction::Outbound, "10.0.0.1", 80), &mut ());
    let decision = serde_json::to_value(&decision).unwrap();
    assert_eq!(decision["tunnel"], json!({"method": "CONNECT", "target": "db.example:5432"}));
}

#[test]
fn an_exact_address_hides_the_wildcard_and_the_virtual_listener_takes_the_rest() {
    let config = outbound();
    let dial = |address, port| reason(&config, &to_address(Direction::Outbound, address, port));
    assert_eq!(dial("10.0.0.1", 80), "exact");
    assert_eq!(dial("10.0.0.2", 80), "any");
    assert_eq!(dial("10.0.0.2", 81), "PassthroughCluster");
}

#[test]
fn the_capture_ports_are_black_holes() {
    let config = outbound();
    for port in [15001, 15006] {
        assert_eq!(reason(&config, &to_address(Direction::Outbound, "10.9.9.9", port)), "blackhole");
    }
    assert_eq!(reason(&config, &to_address(Direction::Inbound, "10.0.0.1", 80)), "InboundPassthroughCluster");
}

#[test]
fn a_gateway_without_the_port_does_not_listen() {
    assert_eq!(reason(&outbound(), &to_address(Direction::Gateway, "10.0.0.1", 80)), "no_listener");
}

#[test]
fn a_cluster_that_does_not_exist_refuses_bytes() {
    let chains = vec![chain("tcp", ChainMatch::default(), tcp("gone"))];
    let config = config(vec![listener(Direction::Gateway, "0.0.0.0", 1, chains)], Vec::new(), &[]);
    assert_eq!(reason(&config, &to_address(Direction::Gateway, "10.0.0.1", 1)), "no_cluster");
}

#[test]
fn bytes_have_clusters_and_a_hash_policy_only() {
    let mut proxy = TcpProxy::to("db", origin());
    proxy.hash_policy = vec![HashPolicy::SourceIp];
    let chains = vec![chain("tcp", ChainMatch::default(), Network::Tcp(Box::new(proxy)))];
    let config = config(vec![listener(Direction::Gateway, "0.0.0.0", 80, chains)], Vec::new(), &["db"]);
    assert_eq!(
        answer(&config, &get("a", "/")),
        json!({
            "result": "forward",
            "clusters": [{"cluster": "db", "weight": 100}],
            "hash_policy": [{"source_ip": true}],
        })
    );
}

fn with_chains(chains: &[(&str, ChainMatch)]) -> ProxyConfig {
    let names: Vec<&str> = chains.iter().map(|(name, _)| *name).collect();
    let chains = chains.iter().map(|(name, matches)| chain(name, matches.clone(), tcp(name))).collect();
    let listener = Listener { http_inspector: true, ..listener(Direction::Outbound, "0.0.0.0", 443, chains) };
    config(vec![listener], Vec::new(), &names)
}

fn names(names: &[&str]) -> ChainMatch {
    ChainMatch { server_names: names.iter().map(|name| (*name).into()).collect(), ..ChainMatch::default() }
}

fn protocols(names: &[&str]) -> ChainMatch {
    ChainMatch {
        application_protocols: names.iter().map(|name| (*name).into()).collect(),
        ..ChainMatch::default()
    }
}

fn dial() -> crate::query::Query<'static> {
    to_address(Direction::Outbound, "10.0.0.1", 443)
}

#[test]
fn server_names_exact_then_longest_wildcard_then_none() {
    let config = with_chains(&[
        ("none", ChainMatch::default()),
        ("com", names(&["*.com"])),
        ("a.com", names(&["*.a.com"])),
        ("x.a.com", names(&["x.a.com"])),
    ]);
    for (sni, wanted) in
        [("X.A.com", "x.a.com"), ("y.a.com", "a.com"), ("a.com", "com"), ("com", "none"), (".com", "none")]
    {
        assert_eq!(reason(&config, &over_tls(dial(), sni, &[], None)), wanted, "{sni}");
    }
}

#[test]
fn no_criterion_goes_back_to_an_earlier_one() {
    let narrow = ChainMatch {
        destinations: vec!["10.0.0.0/24".parse().unwrap()],
        server_names: vec!["a.com".into()],
        ..ChainMatch::default()
    };
    let wide = ChainMatch { destinations: vec!["10.0.0.0/8".parse().unwrap()], ..ChainMatch::default() };
    let config = with_chains(&[("wide", wide), ("narrow", narrow)]);
    assert_eq!(reason(&config, &over_tls(dial(), "a.com", &[], None)), "narrow");
    assert_eq!(reason(&config, &over_tls(dial(), "b.com", &[], None)), "no_filter_chain");
}

#[test]
fn the_clients_first_protocol_that_a_chain_lists_wins() {
    let config = with_chains(&[
        ("plain", ChainMatch::default()),
        ("h2", protocols(&["h2"])),
        ("h1", protocols(&["http/1.1"])),
    ]);
    for (alpn, wanted) in
        [(&["x", "http/1.1", "h2"][..], "h1"), (&["h2", "http/1.1"], "h2"), (&["x"], "plain"), (&[], "plain")]
    {
        assert_eq!(reason(&config, &over_tls(dial(), "a", alpn, None)), wanted, "{alpn:?}");
    }
}

#[test]
fn plaintext_bytes_are_inspected_for_http() {
    let config = with_chains(&[("tcp", ChainMatch::default()), ("http", protocols(&["http/1.1", "h2c"]))]);
    let with = |method: &'static str, version| {
        let mut query = asking(dial(), "a", "/");
        let request = query.request.as_mut().unwrap();
        request.method = method.into();
        request.version = version;
        reason(&config, &query)
    };
    use mesh_model::facts::HttpVersion::{Http2, Http10, Http11};
    assert_eq!(with("GET", Http11), "http");
    assert_eq!(with("GET", Http2), "http");
    // E-050: HTTP/1.0 that is switched off, and bytes that are no request, count as TCP.
    assert_eq!(with("GET", Http10), "tcp");
    assert_eq!(with("get", Http11), "tcp");
    assert_eq!(reason(&config, &dial()), "tcp");
}

fn terminating(tls: DownstreamTls, matches: ChainMatch) -> ProxyConfig {
    let mut chain = chain("tls", matches, tcp("app"));
    chain.tls = Some(Arc::new(tls));
    config(vec![listener(Direction::Outbound, "0.0.0.0", 443, vec![chain])], Vec::new(), &["app"])
}

#[test]
fn a_required_certificate_must_be_there_and_of_an_accepted_trust_domain() {
    let config = terminating(
        DownstreamTls { trust_domains: vec!["td".into()], ..tls(ClientCertificate::Required) },
        ChainMatch::default(),
    );
    let with = |peer| reason(&config, &over_tls(dial(), "a", &[], peer));
    assert_eq!(with(None), "client_certificate_required");
    assert_eq!(with(Some("spiffe://td/ns/a/sa/b")), "app");
    assert_eq!(with(Some("spiffe://td2/ns/a/sa/b")), "client_certificate_untrusted");
    assert_eq!(with(Some("td")), "client_certificate_untrusted");
}

#[test]
fn an_optional_certificate_is_checked_where_it_is_presented() {
    let config = terminating(
        DownstreamTls { subject_alt_names: vec!["spiffe://x".into()], ..tls(ClientCertificate::Optional) },
        ChainMatch::default(),
    );
    let with = |peer| reason(&config, &over_tls(dial(), "a", &[], peer));
    assert_eq!(with(None), "app");
    assert_eq!(with(Some("spiffe://x")), "app");
    assert_eq!(with(Some("spiffe://y")), "client_certificate_untrusted");
}

#[test]
fn plaintext_at_a_terminating_chain_needs_tls_and_no_chain_is_no_chain() {
    assert_eq!(
        reason(&terminating(tls(ClientCertificate::None), ChainMatch::default()), &dial()),
        "tls_required"
    );
    let only_tls = ChainMatch { transport: Some(Transport::Tls), ..ChainMatch::default() };
    assert_eq!(reason(&terminating(tls(ClientCertificate::None), only_tls), &dial()), "no_filter_chain");
}

#[test]
fn the_server_name_names_the_cluster_where_the_chain_says_so() {
    let name = "outbound_.80_._.a.b.svc.cluster.local";
    let mut proxy = TcpProxy::to("BlackHoleCluster", origin());
    proxy.sni_cluster = true;
    let chains = vec![chain("auto", names(&[name]), Network::Tcp(Box::new(proxy)))];
    let config = config(vec![listener(Direction::Outbound, "0.0.0.0", 443, chains)], Vec::new(), &[name]);
    assert_eq!(reason(&config, &over_tls(dial(), "OUTBOUND_.80_._.a.b.svc.cluster.local", &[], None)), name);
}

#[test]
fn inbound_tells_tls_from_other_bytes_only_on_ports_that_ask_for_tls() {
    let on = |port, transport| ChainMatch {
        destination_port: Some(port),
        transport: Some(transport),
        ..ChainMatch::default()
    };
    let chains = vec![
        chain("disabled", on(80, Transport::RawBuffer), http("80")),
        chain("plain", on(81, Transport::RawBuffer), tcp("plain")),
        chain("tls", on(81, Transport::Tls), tcp("tls")),
        chain("raw", on(82, Transport::RawBuffer), tcp("plain")),
    ];
    let listener = Listener { catch_all: true, ..listener(Direction::Inbound, "0.0.0.0", 15006, chains) };
    let config = config(vec![listener], Vec::new(), &["plain", "tls"]);
    let hello =
        |port| reason(&config, &over_tls(to_address(Direction::Inbound, "10.0.0.1", port), "a", &[], None));
    assert_eq!(hello(80), "protocol_error");
    assert_eq!(hello(81), "tls");
    assert_eq!(hello(82), "plain");
}
