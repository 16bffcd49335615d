use super::*;
use crate::compiler::{Compiler, compile as compile_proxy};
use crate::proxy::ProxyConfig;
use crate::proxy_identity::Proxy;
use crate::testing::{istio, resolve, service, sidecar};

fn web(ip: &str, metadata: &[(&str, &str)]) -> Proxy {
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Proxy { ip: ip.parse().ok(), metadata, ..sidecar("shop", "web") }
}

fn of(yaml: &str, proxy: &Proxy) -> ProxyConfig {
    let snapshot = resolve(&format!("{}{yaml}", service("shop", "web")));
    compile_proxy(&View::new(&snapshot, proxy)).0
}

/// Names and addresses of the inbound listeners, and the names of the chains of port 8080 and of ingress listeners.
fn inbound(config: &ProxyConfig) -> Vec<(String, String)> {
    let inbound = config.listeners.iter().filter(|it| it.direction == Direction::Inbound);
    inbound.map(|it| (it.name.to_string(), format!("{}:{}", it.address, it.port))).collect()
}

fn chain_names(config: &ProxyConfig) -> Vec<String> {
    let chains = config.listeners.iter().filter(|it| it.direction == Direction::Inbound);
    let chains = chains.flat_map(|it| &it.filter_chains);
    let own = chains.filter(|chain| chain.matches.destination_port.is_some_and(|port| port != 15006));
    let mut names: Vec<_> = own.filter_map(|it| it.name.split(' ').next().map(str::to_owned)).collect();
    names.dedup();
    names
}

#[test]
fn a_proxy_of_ipv6_alone_is_captured_at_the_ipv6_wildcard() {
    let config = of("", &web("fd00:1::5", &[]));
    assert_eq!(inbound(&config), [("virtualInbound".to_owned(), ":::15006".to_owned())]);
    assert_eq!(chain_names(&config), ["::_8080"]);
    let all_v6 = config.listeners.iter().all(|it| it.address.is_ipv6() || it.direction != Direction::Inbound);
    assert!(all_v6);
}

#[test]
fn a_proxy_of_both_families_listens_at_the_ipv4_wildcard_whichever_comes_first() {
    for ips in ["fd00:1::5,10.1.2.3", "10.1.2.3,fd00:1::5"] {
        let first = ips.split(',').next().unwrap();
        let config = of("", &web(first, &[("INSTANCE_IPS", ips)]));
        assert_eq!(inbound(&config), [("virtualInbound".to_owned(), "0.0.0.0:15006".to_owned())], "{ips}");
        assert_eq!(chain_names(&config), ["0.0.0.0_8080"], "{ips}");
        let outbound = config.listeners.iter().find(|it| &*it.name == "virtualOutbound").unwrap();
        assert_eq!(outbound.address.to_string(), "0.0.0.0", "{ips}");
    }
    // Two families in words, one in truth.
    let config = of("", &web("10.1.2.3", &[("INSTANCE_IPS", "fd00:1::5,fd00:1::6")]));
    assert_eq!(inbound(&config), [("virtualInbound".to_owned(), ":::15006".to_owned())]);
}

const INGRESS: &str = "{ingress: [\
    {port: {number: 9090, protocol: HTTP, name: a}, bind: 10.0.1.10, captureMode: NONE}, \
    {port: {number: 9091, protocol: HTTP, name: b}}, \
    {port: {number: 9092, protocol: TCP, name: c}, captureMode: NONE}]}";

#[test]
fn listeners_of_a_sidecar_are_called_after_their_address_or_the_proxys_own() {
    let yaml = istio("Sidecar", "shop", "s", INGRESS);
    let config = of(&yaml, &web("10.1.2.3", &[]));
    let wanted = [
        ("virtualInbound", "0.0.0.0:15006"),
        ("10.0.1.10_9090", "10.0.1.10:9090"),
        ("10.1.2.3_9092", "10.1.2.3:9092"),
    ];
    assert_eq!(inbound(&config), wanted.map(|(name, address)| (name.to_owned(), address.to_owned())));
    assert_eq!(chain_names(&config), ["10.1.2.3_9091", "10.0.1.10_9090", "10.1.2.3_9092"]);
    // An address that nobody else can dial is no name.
    assert_eq!(chain_names(&of(&yaml, &web("127.0.0.1", &[])))[0], "0.0.0.0_9091");
    assert_eq!(chain_names(&of(&yaml, &web("fe80::1", &[])))[0], "::_9091");
}

#[test]
fn an_envoy_filter_finds_the_listener_by_the_name_that_its_address_gives() {
    let filter = "{configPatches: [{applyTo: LISTENER, match: {context: SIDECAR_INBOUND, \
                  listener: {name: 10.0.1.10_9090}}, patch: {operation: REMOVE}}]}";
    let yaml = format!(
        "{}{}",
        istio("Sidecar", "shop", "s", INGRESS),
        istio("EnvoyFilter", "shop", "f", filter)
            .replace("networking.istio.io/v1\n", "networking.istio.io/v1alpha3\n")
    );
    let config = of(&yaml, &web("10.1.2.3", &[]));
    assert!(inbound(&config).iter().all(|(name, _)| name != "10.0.1.10_9090"));
    assert!(inbound(&config).iter().any(|(name, _)| name == "10.1.2.3_9092"));
}

#[test]
fn without_capture_there_are_the_listeners_of_the_sidecar_alone() {
    let none = ("INTERCEPTION_MODE", "NONE");
    assert_eq!(inbound(&of("", &web("10.1.2.3", &[none]))), []);
    let yaml = istio("Sidecar", "shop", "s", INGRESS);
    let names = |metadata: &[(&str, &str)]| {
        let found = inbound(&of(&yaml, &web("10.1.2.3", metadata)));
        found.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[none]), ["10.0.1.10_9090", "10.1.2.3_9091", "10.1.2.3_9092"]);
    let low = istio(
        "Sidecar",
        "shop",
        "s",
        "{ingress: [{port: {number: 90, protocol: TCP, name: a}, captureMode: NONE}]}",
    );
    let low = |metadata: &[(&str, &str)]| inbound(&of(&low, &web("10.1.2.3", metadata))).len();
    assert_eq!((low(&[]), low(&[("UNPRIVILEGED_POD", "true")])), (2, 1));
}

#[test]
fn proxies_with_other_addresses_share_what_their_families_let_them() {
    let mut compiler = Compiler::new(Default::default());
    let loaded = mesh_model::yaml::load("a.yaml", service("shop", "web"), &Default::default());
    compiler.apply(loaded.documents.into_iter().map(mesh_model::config_set::Change::Upsert));
    let named = |name: &str, ips: &str| Proxy {
        name: name.into(),
        ..web(ips.split(',').next().unwrap(), &[("INSTANCE_IPS", ips)])
    };
    let a = compiler.config_for(&named("a", "10.1.2.3,fd00:1::5"));
    let b = compiler.config_for(&named("b", "10.1.2.4,fd00:1::6"));
    let six = compiler.config_for(&named("c", "fd00:1::7"));
    let outbound = |config: &ProxyConfig| {
        config.listeners.iter().find(|it| &*it.name == "virtualOutbound").map(Arc::clone).unwrap()
    };
    assert!(Arc::ptr_eq(&outbound(&a), &outbound(&b)));
    assert_eq!(outbound(&six).address.to_string(), "::");
}
