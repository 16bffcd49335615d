use super::*;
use crate::proxy::listener::Network;
use crate::testing::{aged, gateway, resolve_with, service, sidecar};
use crate::view::View;

const ALL: [Direction; 3] = [Direction::Outbound, Direction::Inbound, Direction::Gateway];

fn of(direction: Direction, settings: &str) -> ProxyHeaders {
    ProxyHeaders::of(direction, &serde_json::from_str(settings).unwrap())
}

/// With these `proxyHeaders`, in each direction.
fn with(headers: &str) -> [ProxyHeaders; 3] {
    ALL.map(|direction| of(direction, &format!(r#"{{"proxyHeaders": {headers}}}"#)))
}

const SIDECAR: ClientCertificateDetails =
    ClientCertificateDetails { cert: false, chain: false, subject: true, uri: true, dns: true };

#[test]
fn t_473_s_350_nothing_set_is_as_istio_has_it() {
    for unset in ["{}", r#"{"proxyHeaders": {}}"#, r#"{"gatewayTopology": {}}"#] {
        let [outbound, inbound, gateway] = ALL.map(|direction| of(direction, unset));
        assert_eq!(outbound.client_certificate, ClientCertificateHeader::Sanitize);
        assert_eq!(inbound.client_certificate, ClientCertificateHeader::AppendForward(SIDECAR));
        assert_eq!(gateway.client_certificate, ClientCertificateHeader::SanitizeSet(OF_GATEWAY));
        let names = [&outbound, &inbound, &gateway].map(|it| it.server.clone());
        assert_eq!(names, ["envoy", "istio-envoy", "istio-envoy"].map(|it| ServerHeader::Named(it.into())));
        // Virtual hosts of inbound listeners are not told to count.
        assert_eq!([&outbound, &inbound, &gateway].map(|it| it.attempt_count), [true, false, true]);
        for headers in [outbound, inbound, gateway] {
            assert!(headers.request_id && headers.debug);
            assert!(!headers.forwarded_host && !headers.forwarded_port && !headers.metadata_in_mesh_only);
        }
    }
}

#[test]
fn t_473_each_header_is_switched_by_itself() {
    let off = |name: &str| with(&format!(r#"{{"{name}": {{"disabled": true}}}}"#));
    let on = |name: &str| with(&format!(r#"{{"{name}": {{"enabled": true}}}}"#));
    let default = with("{}");
    for (at, plain) in default.iter().enumerate() {
        let it = |changed: [ProxyHeaders; 3]| changed[at].clone();
        assert_eq!(it(off("requestId")), ProxyHeaders { request_id: false, ..plain.clone() });
        assert_eq!(it(off("attemptCount")), ProxyHeaders { attempt_count: false, ..plain.clone() });
        assert_eq!(it(off("envoyDebugHeaders")), ProxyHeaders { debug: false, ..plain.clone() });
        let server = ServerHeader::PassThrough;
        assert_eq!(it(off("server")), ProxyHeaders { server, ..plain.clone() });
        let server = ServerHeader::Named("door".into());
        assert_eq!(it(with(r#"{"server": {"value": "door"}}"#)), ProxyHeaders { server, ..plain.clone() });
        assert_eq!(it(on("xForwardedHost")), ProxyHeaders { forwarded_host: true, ..plain.clone() });
        assert_eq!(it(on("xForwardedPort")), ProxyHeaders { forwarded_port: true, ..plain.clone() });
        let in_mesh = it(with(r#"{"metadataExchangeHeaders": {"mode": "IN_MESH"}}"#));
        let metadata_in_mesh_only = ALL[at] != Direction::Inbound;
        assert_eq!(in_mesh, ProxyHeaders { metadata_in_mesh_only, ..plain.clone() });
        // What is neither on nor off is as if it were not written.
        for unset in ["requestId", "attemptCount", "envoyDebugHeaders", "server", "xForwardedPort"] {
            assert_eq!(it(with(&format!(r#"{{"{unset}": {{}}}}"#))), *plain);
        }
    }
    // Who is to pass a header through does not name it.
    let both = with(r#"{"server": {"disabled": true, "value": "door"}}"#);
    assert_eq!(both[0].server, ServerHeader::PassThrough);
}

#[test]
fn s_345_to_s_350_sidecars_and_gateways_have_modes_of_their_own() {
    use ClientCertificateHeader as Mode;
    for (name, inbound, gateway) in [
        ("UNDEFINED", Mode::AppendForward(SIDECAR), Mode::SanitizeSet(OF_GATEWAY)),
        ("SANITIZE", Mode::Sanitize, Mode::Sanitize),
        ("FORWARD_ONLY", Mode::ForwardOnly, Mode::ForwardOnly),
        ("APPEND_FORWARD", Mode::AppendForward(SIDECAR), Mode::AppendForward(OF_GATEWAY)),
        ("SANITIZE_SET", Mode::SanitizeSet(SIDECAR), Mode::SanitizeSet(OF_GATEWAY)),
        ("ALWAYS_FORWARD_ONLY", Mode::AlwaysForwardOnly, Mode::AlwaysForwardOnly),
    ] {
        let of_sidecars = format!(r#"{{"proxyHeaders": {{"forwardedClientCert": "{name}"}}}}"#);
        let of_gateways = format!(r#"{{"gatewayTopology": {{"forwardClientCertDetails": "{name}"}}}}"#);
        let modes = |settings: &str| ALL.map(|direction| of(direction, settings).client_certificate);
        let of_gateway_by_default = Mode::SanitizeSet(OF_GATEWAY);
        assert_eq!(modes(&of_sidecars), [Mode::Sanitize, inbound, of_gateway_by_default], "{name}");
        assert_eq!(modes(&of_gateways), [Mode::Sanitize, Mode::AppendForward(SIDECAR), gateway], "{name}");
    }
    let told = r#"{"setCurrentClientCertDetails": {"subject": false, "cert": true, "chain": true, "dns": false, "uri": false}}"#;
    let turned = ClientCertificateDetails { cert: true, chain: true, subject: false, uri: false, dns: false };
    let [_, inbound, gateway] = with(told).map(|it| it.client_certificate);
    assert_eq!(inbound, Mode::AppendForward(turned));
    assert_eq!(gateway, Mode::SanitizeSet(OF_GATEWAY), "gateways do not ask");
}

/// What the HTTP managers of a proxy have, each once.
fn compiled(
    mesh: &str,
    yaml: &str,
    proxy: &crate::proxy_identity::Proxy,
) -> Vec<(Direction, Arc<ProxyHeaders>)> {
    let (snapshot, _) = resolve_with(mesh, yaml);
    let (config, _) = crate::compiler::compile(&View::new(&snapshot, proxy));
    let mut found: Vec<(Direction, Arc<ProxyHeaders>)> = Vec::new();
    for listener in &config.listeners {
        for chain in listener.filter_chains.iter().chain(&listener.default_chain) {
            let Network::Http(manager) = &chain.network else { continue };
            if !found.iter().any(|(_, headers)| Arc::ptr_eq(headers, &manager.headers)) {
                found.push((listener.direction, Arc::clone(&manager.headers)));
            }
        }
    }
    found
}

#[test]
fn t_470_the_managers_of_a_proxy_share_what_its_layers_give() {
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: shop, labels: {app: web}, annotations: \
               {proxy.istio.io/config: '{proxyHeaders: {attemptCount: {disabled: true}, \
               forwardedClientCert: SANITIZE}}'}}\n";
    let mesh = r#"{"defaultConfig": {"proxyHeaders": {"server": {"value": "door"},
        "forwardedClientCert": "FORWARD_ONLY", "xForwardedPort": {"enabled": true}}}}"#;
    let yaml = service("shop", "web") + &service("shop", "cart") + pod;
    let found = compiled(mesh, &yaml, &sidecar("shop", "web"));
    assert_eq!(found.iter().map(|(direction, _)| *direction).collect::<Vec<_>>(), ALL[..2]);
    for (direction, headers) in &found {
        assert!(!headers.attempt_count, "of the annotation");
        assert_eq!(headers.server, ServerHeader::Named("door".into()), "of the mesh");
        assert!(!headers.forwarded_port, "the merge of Istio forgets it");
        assert_eq!(headers.client_certificate, ClientCertificateHeader::Sanitize, "{direction:?}");
    }
    let edge = aged(
        "Gateway",
        "shop",
        "web",
        1,
        "{selector: {app: web}, servers: [{port: {number: 80, name: http, \
         protocol: HTTP}, hosts: ['*']}]}",
    );
    let found = compiled(mesh, &edge, &gateway("shop", "web"));
    assert_eq!(found.len(), 1);
    assert!(found[0].1.forwarded_port);
    assert_eq!(found[0].1.client_certificate, ClientCertificateHeader::SanitizeSet(OF_GATEWAY));
}
