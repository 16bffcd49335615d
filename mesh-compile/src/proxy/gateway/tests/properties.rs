//! What holds for any set of servers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A server of a small world, so that conflicts are common.
fn any_server() -> impl Strategy<Value = String> {
    let protocols = prop::sample::select(vec!["HTTP", "GRPC", "TCP", "HTTPS", "TLS"]);
    let modes = prop::sample::select(vec!["PASSTHROUGH", "SIMPLE, credentialName: c", "ISTIO_MUTUAL"]);
    let hosts = prop::sample::select(vec!["\"*\"", "a.com", "\"*.com\"", "shop/a.com", "\"a.com\", b.com"]);
    let binds = prop::sample::select(vec!["", "", ", bind: 10.0.0.1", ", bind: 0.0.0.0"]);
    (protocols, modes, hosts, binds, 80u16..82).prop_map(|(protocol, mode, hosts, bind, number)| {
        let tls = if matches!(protocol, "HTTPS" | "TLS") {
            format!(", tls: {{mode: {mode}}}")
        } else {
            String::new()
        };
        server(number, "p", protocol, hosts, &format!("{bind}{tls}"))
    })
}

fn world(servers_in_order_of_age: &[String]) -> Vec<String> {
    let mut documents: Vec<String> = servers_in_order_of_age
        .iter()
        .zip(1..)
        .map(|(server, minute)| servers(&format!("gw-{minute}"), minute, &[server]))
        .collect();
    let gateways: Vec<String> = (1..=documents.len()).map(|number| format!("edge/gw-{number}")).collect();
    let gateways = gateways.join(", ");
    let tls = "tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: cart}}]}]";
    for (minute, rest) in [(1, http_to("cart")), (2, tcp_to("b")), (3, tls.to_owned())] {
        let spec = format!("{{hosts: [\"*.com\"], gateways: [{gateways}], {rest}}}");
        documents.push(aged("VirtualService", "shop", &format!("vs-{minute}"), minute, &spec));
    }
    documents
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn conditions_and_domains_are_unique_whatever_servers_meet(list in prop::collection::vec(any_server(), 1..7)) {
        let documents = world(&list);
        let (fragment, _) = compiled(&documents.concat());
        for listener in &fragment.listeners {
            prop_assert!(!listener.filter_chains.is_empty());
            let mut seen = BTreeSet::new();
            for chain in &listener.filter_chains {
                let matches = &chain.matches;
                let conditions = (&matches.server_names, &matches.application_protocols);
                prop_assert!(seen.insert(conditions), "{:?}", chain);
                if let Network::Http(manager) = &chain.network {
                    prop_assert!(fragment.route_tables.iter().any(|table| table.name == manager.route_table));
                }
            }
        }
        for table in &fragment.route_tables {
            let domains: Vec<_> = table.virtual_hosts.iter().flat_map(|host| &host.domains).collect();
            prop_assert_eq!(domains.iter().collect::<BTreeSet<_>>().len(), domains.len());
        }
        // The age of Gateways counts, the order of documents does not.
        let reversed: Vec<String> = documents.iter().rev().cloned().collect();
        let (other, _) = compiled(&reversed.concat());
        prop_assert_eq!(chains(&fragment), chains(&other));
        prop_assert_eq!(tables(&fragment), tables(&other));
    }
}
