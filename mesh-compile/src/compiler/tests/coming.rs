//! Services and VirtualServices that come, go and take other shapes are put in their place, and the rest stays.

use std::sync::Arc;

use mesh_model::config_set::Change;
use mesh_model::object::ResourceKey;
use proptest::prelude::*;

use super::{check_all, compiler, mesh, proxy, upsert};
use crate::compiler::Compiler;
use crate::proxy::ProxyConfig;
use crate::proxy_identity::Proxy;

const HOSTS: [&str; 8] =
    ["a.one", "b.one", "c.one", "d.two", "b.a.svc.cluster.local", "b.c.svc.cluster.local", "c.two", "e.two"];

/// What is written in a step: a kind and its content by number.
#[derive(Debug, Clone, Copy)]
struct Written {
    kind: u8,
    name: u8,
    content: u8,
    more: u8,
}

fn key(kind: &'static str, group: &'static str, namespace: &str, name: &str) -> Change {
    let (cluster, namespace, name) = ("Kubernetes".into(), namespace.into(), name.into());
    Change::Remove(ResourceKey { group, kind, cluster, namespace, name })
}

fn head(group: &str, kind: &str, namespace: &str, name: &str, minute: u8) -> String {
    format!(
        "---\napiVersion: {group}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, \
         creationTimestamp: \"2024-01-01T00:0{}:00Z\"}}\n",
        minute % 2
    )
}

/// The document, and the change that takes it away again.
fn document(written: Written) -> (String, Change) {
    let Written { kind, name, content, more } = written;
    let namespace = ["a", "b"][usize::from(name % 2)];
    let host = HOSTS[usize::from(content) % HOSTS.len()];
    let other = HOSTS[usize::from(more) % HOSTS.len()];
    let net = "networking.istio.io";
    let export = ["", "", "", ", exportTo: ['.']", ", exportTo: [b]"][usize::from(more) % 5];
    match kind % 9 {
        0..=2 => {
            let own = format!("e{}", name % 8);
            let ports = [
                "{number: 80, name: http, protocol: HTTP}",
                "{number: 80, name: http, protocol: HTTP}, {number: 81, name: http-b, protocol: HTTP}",
                "{number: 81, name: http, protocol: HTTP}",
                "{number: 90, name: tcp, protocol: TCP}",
                "{number: 80, name: any, protocol: ''}",
                "{number: 81, name: http, protocol: HTTP}, {number: 90, name: tls, protocol: TLS}",
            ][usize::from(more) % 6];
            let addresses =
                ["", ", addresses: [240.0.0.1]", ", addresses: [240.0.0.2]"][usize::from(content / 8) % 3];
            let spec = format!(
                "spec: {{hosts: [{host}]{export}, ports: [{ports}], resolution: STATIC{addresses}, \
                 endpoints: [{{address: 10.9.0.{}}}]}}\n",
                content % 5 + 1
            );
            let text = head("networking.istio.io/v1", "ServiceEntry", namespace, &own, more / 6) + &spec;
            (text, key("ServiceEntry", net, namespace, &own))
        }
        3 => {
            let own = ["b", "c"][usize::from(content) % 2];
            let address = ["10.0.0.1", "10.0.0.2", "None", "10.0.0.3"][usize::from(more) % 4];
            let text = head("v1", "Service", namespace, own, more / 4)
                + &format!(
                    "spec: {{clusterIP: {address}, ports: [{{name: {}, port: 8{}}}]}}\n",
                    ["http", "tcp", "any"][usize::from(content / 2) % 3],
                    content % 2
                );
            (text, key("Service", "", namespace, own))
        }
        4..=6 => {
            let own = format!("v{}", name % 6);
            let hosts = match more % 7 {
                0 => format!("{host}, {other}"),
                1 => format!("{host}, nobody.else"),
                2 if content % 4 == 0 => "'*.one'".to_owned(),
                _ => host.to_owned(),
            };
            let action = match content % 5 {
                0 => format!("directResponse: {{status: 20{}}}", more % 5),
                1 => format!("route: [{{destination: {{host: {other}, port: {{number: 81}}}}}}]"),
                _ => format!("route: [{{destination: {{host: {other}}}}}]"),
            };
            let routes = match content / 8 % 6 {
                0 => format!("tcp: [{{route: [{{destination: {{host: {other}}}}}]}}]"),
                _ => format!("http: [{{{action}}}]"),
            };
            let text = head("networking.istio.io/v1", "VirtualService", namespace, &own, more / 7)
                + &format!("spec: {{hosts: [{hosts}]{export}, {routes}}}\n");
            (text, key("VirtualService", net, namespace, &own))
        }
        7 => {
            let service = ["b", "c"][usize::from(content) % 2];
            let addresses =
                ["", "{addresses: [10.7.0.1]}", "{addresses: [10.7.0.1]}, {addresses: [10.7.0.2]}"]
                    [usize::from(more) % 3];
            let text = head("discovery.k8s.io/v1", "EndpointSlice", namespace, service, 0)
                .replace("name:", &format!("labels: {{kubernetes.io/service-name: {service}}}, name:"))
                + &format!(
                    "addressType: IPv4\nports: [{{name: {}, port: 8080}}]\nendpoints: [{addresses}]\n",
                    ["http", "tcp", "any"][usize::from(content / 2) % 3]
                );
            (text, key("EndpointSlice", "discovery.k8s.io", namespace, service))
        }
        _ => {
            let hosts = ["*/*", "./*', 'b/*", "*/*.one", "a/*"][usize::from(content) % 4];
            let text = head("networking.istio.io/v1", "Sidecar", namespace, "s", 0)
                + &format!("spec: {{egress: [{{hosts: ['{hosts}']}}]}}\n");
            (text, key("Sidecar", net, namespace, "s"))
        }
    }
}

fn clients() -> Vec<Proxy> {
    vec![
        proxy("sidecar", "a", "web", "10.1.0.1"),
        proxy("sidecar", "b", "web", "10.1.0.2"),
        proxy("sidecar", "c", "web", "10.1.0.3"),
        proxy("gateway", "a", "gw", "10.1.0.4"),
    ]
}

fn batches() -> impl Strategy<Value = Vec<Vec<(Written, bool)>>> {
    let written = (0_u8..9, 0_u8..48, any::<u8>(), any::<u8>())
        .prop_map(|(kind, name, content, more)| Written { kind, name, content, more });
    let change = (written, proptest::bool::weighted(0.35));
    proptest::collection::vec(proptest::collection::vec(change, 1..4), 1..40)
}

proptest! {
    #![proptest_config(match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(48),
    })]

    #[test]
    fn what_comes_and_goes_leaves_what_compiling_from_scratch_gives(batches in batches()) {
        let mesh = mesh("{}");
        let mut compiler = compiler(&mesh);
        check_all(&mut compiler, &mesh, "nothing", &clients());
        for (number, batch) in batches.into_iter().enumerate() {
            let mut what = String::new();
            let mut changes = Vec::new();
            for (written, goes) in batch {
                let (text, removal) = document(written);
                if goes {
                    what.push_str(&format!("removal of {removal:?}\n"));
                    changes.push(removal);
                } else {
                    changes.extend(upsert(&text));
                    what.push_str(&text);
                }
            }
            compiler.apply(changes);
            // Several batches may come before anyone asks.
            if number % 3 != 1 {
                check_all(&mut compiler, &mesh, &what, &clients());
            }
        }
        check_all(&mut compiler, &mesh, "everything", &clients());
    }
}

fn entry(name: &str, port: u16) -> String {
    head("networking.istio.io/v1", "ServiceEntry", "a", name, 0)
        + &format!(
            "spec: {{hosts: [{name}.ext], ports: [{{number: {port}, name: http, protocol: HTTP}}], resolution: STATIC, \
             endpoints: [{{address: 10.9.0.1}}]}}\n"
        )
}

fn responds(name: &str) -> String {
    head("networking.istio.io/v1", "VirtualService", "a", name, 0)
        + &format!("spec: {{hosts: [{name}.ext], http: [{{directResponse: {{status: 200}}}}]}}\n")
}

fn several() -> Compiler {
    let mut compiler = compiler(&mesh("{}"));
    for number in 0..9 {
        compiler.apply(upsert(&(entry(&format!("e{number}"), 80) + &responds(&format!("e{number}")))));
    }
    compiler
}

/// Whether the virtual hosts that both have are the same in memory, found by the same index.
fn only_put_in(before: &ProxyConfig, after: &ProxyConfig, names: &[&str]) -> bool {
    let [old, new] = [before, after].map(|config| config.route_tables.get("80").unwrap());
    let stays = names
        .iter()
        .all(|name| Arc::ptr_eq(old.virtual_host(name).unwrap(), new.virtual_host(name).unwrap()));
    !Arc::ptr_eq(old, new) && stays && old.shares_index_with(new)
}

const STAY: [&str; 4] = ["e0.ext", "e3.ext", "e5.ext", "e8.ext"];

#[test]
fn a_service_that_comes_and_goes_leaves_the_index_of_the_others() {
    let (mut compiler, client) = (several(), &clients()[0]);
    let before = compiler.config_for(client);
    compiler.apply(upsert(&entry("e44", 80)));
    let after = compiler.config_for(client);
    assert!(only_put_in(&before, &after, &STAY));
    assert_eq!(&*after.route_tables["80"].virtual_host("e44.ext").unwrap().name, "e44.ext:80");
    assert!(before.listeners.iter().zip(&after.listeners).all(|(a, b)| Arc::ptr_eq(a, b)));

    compiler.apply([key("ServiceEntry", "networking.istio.io", "a", "e4")]);
    let last = compiler.config_for(client);
    assert!(only_put_in(&after, &last, &STAY));
    // Its VirtualService keeps the name, without a service.
    let left = last.route_tables["80"].virtual_host("e4.ext").unwrap();
    assert_eq!(left.domains, ["e4.ext".into()]);
}

#[test]
fn a_virtual_service_that_comes_and_goes_leaves_the_index_of_the_others() {
    let (mut compiler, client) = (several(), &clients()[0]);
    let before = compiler.config_for(client);
    compiler.apply([key("VirtualService", "networking.istio.io", "a", "e4")]);
    let after = compiler.config_for(client);
    assert!(only_put_in(&before, &after, &STAY));
    assert_eq!(&*after.route_tables["80"].virtual_host("e4.ext").unwrap().routes[0].name, "default");

    compiler.apply(upsert(&(responds("e4") + &responds("nobody"))));
    let last = compiler.config_for(client);
    assert!(only_put_in(&after, &last, &STAY));
    assert_eq!(last.route_tables["80"].virtual_host("nobody.ext").unwrap().domains, ["nobody.ext".into()]);
}

#[test]
fn a_service_of_another_port_leaves_the_tables_of_this_one() {
    let (mut compiler, client) = (several(), &clients()[0]);
    let before = compiler.config_for(client);
    compiler.apply(upsert(&entry("e44", 8080)));
    let after = compiler.config_for(client);
    assert!(Arc::ptr_eq(&before.route_tables["80"], &after.route_tables["80"]));
    assert!(after.route_tables["8080"].virtual_host("e44.ext").is_some());
}

/// A headless Service, which has wildcards among its domains.
fn headless(name: &str, port: &str) -> String {
    head("v1", "Service", "b", name, 0)
        + &format!("spec: {{clusterIP: None, ports: [{{name: {port}, port: 80}}]}}\n")
}

#[test]
fn a_headless_service_that_comes_and_goes_leaves_the_index_of_the_others() {
    let (mut compiler, client) = (several(), &clients()[0]);
    compiler.apply(upsert(&headless("first", "http")));
    let before = compiler.config_for(client);
    compiler.apply(upsert(&headless("more", "http")));
    let after = compiler.config_for(client);
    assert!(only_put_in(&before, &after, &STAY));
    let found = |config: &ProxyConfig, host: &str| {
        config.route_tables["80"].virtual_host(host).map(|it| it.name.to_string())
    };
    let pod = |name: &str| format!("web-0.{name}.b.svc.cluster.local");
    assert_eq!(found(&after, &pod("more")).as_deref(), Some("more.b.svc.cluster.local:80"));
    assert_eq!(found(&after, &pod("first")).as_deref(), Some("first.b.svc.cluster.local:80"));

    compiler.apply(["first", "more"].map(|name| key("Service", "", "b", name)));
    let last = compiler.config_for(client);
    assert!(only_put_in(&after, &last, &STAY));
    assert_eq!(found(&last, &pod("more")).as_deref(), Some("allow_any"));
    assert_eq!(found(&last, &pod("first")).as_deref(), Some("allow_any"));
    check_all(&mut compiler, &mesh("{}"), "all of it", &clients());
}

/// A ServiceEntry whose port's protocol is not said, at an address of its own.
fn sniffed(name: &str, last: u8) -> String {
    entry(name, 80)
        .replace("name: http, protocol: HTTP", "name: any")
        .replace("resolution:", &format!("addresses: [240.0.1.{last}], resolution:"))
}

#[test]
fn a_sniffed_service_that_comes_changes_and_goes_leaves_the_tables_of_the_others() {
    let (mut compiler, client) = (several(), &clients()[0]);
    compiler.apply(upsert(&(sniffed("s1", 1) + &sniffed("s2", 2) + &responds("s2"))));
    let before = compiler.config_for(client);
    let only = |config: &ProxyConfig, name: &str| {
        let [host] = config.route_tables[&*format!("{name}.ext:80")].virtual_hosts.as_slice() else {
            panic!("{name} has one virtual host")
        };
        assert_eq!(host.domains, ["*".into()]);
        Arc::clone(host)
    };
    let stays = |one: &ProxyConfig, other: &ProxyConfig, name: &str| {
        let name = format!("{name}.ext:80");
        Arc::ptr_eq(&one.route_tables[&*name], &other.route_tables[&*name])
    };
    compiler.apply(upsert(&sniffed("s3", 3)));
    let with = compiler.config_for(client);
    assert!(only_put_in(&before, &with, &STAY));
    assert!(stays(&before, &with, "s1") && stays(&before, &with, "s2"));
    assert_eq!(&*only(&with, "s3").name, "s3.ext:80");

    compiler.apply(upsert(&responds("s3")));
    let ruled = compiler.config_for(client);
    assert!(only_put_in(&with, &ruled, &STAY));
    assert!(stays(&with, &ruled, "s1") && stays(&with, &ruled, "s2"));
    let status = |config: &ProxyConfig, name: &str| format!("{:?}", only(config, name).routes[0].action);
    assert!(status(&ruled, "s3").contains("200"));

    compiler.apply(upsert(&responds("s2").replace("200", "503")));
    let changed = compiler.config_for(client);
    assert!(only_put_in(&ruled, &changed, &STAY));
    assert!(stays(&ruled, &changed, "s1") && stays(&ruled, &changed, "s3"));
    assert!(status(&changed, "s2").contains("503"));

    compiler.apply([
        key("ServiceEntry", "networking.istio.io", "a", "s2"),
        key("VirtualService", "networking.istio.io", "a", "s3"),
    ]);
    let last = compiler.config_for(client);
    assert!(only_put_in(&changed, &last, &STAY));
    assert!(stays(&changed, &last, "s1") && !last.route_tables.contains_key("s2.ext:80"));
    assert!(!status(&last, "s3").contains("200"));
    check_all(&mut compiler, &mesh("{}"), "all of it", &clients());
}

#[test]
fn pods_of_a_headless_sniffed_service_share_a_table_as_long_as_they_are_several() {
    let (mut compiler, client) = (several(), &clients()[0]);
    let slice = |endpoints: &str| {
        head("discovery.k8s.io/v1", "EndpointSlice", "b", "pods", 0)
            .replace("name:", "labels: {kubernetes.io/service-name: pods}, name:")
            + &format!("addressType: IPv4\nports: [{{name: any, port: 80}}]\nendpoints: [{endpoints}]\n")
    };
    compiler.apply(upsert(&(headless("pods", "any") + &slice("{addresses: [10.7.0.1]}"))));
    let name = "pods.b.svc.cluster.local:80";
    let hosts = |compiler: &mut Compiler| compiler.config_for(client).route_tables[name].virtual_hosts.len();
    assert_eq!(hosts(&mut compiler), 1);
    compiler.apply(upsert(&slice("{addresses: [10.7.0.1]}, {addresses: [10.7.0.2]}")));
    assert_eq!(hosts(&mut compiler), 0);
    check_all(&mut compiler, &mesh("{}"), "a second Pod", &clients());
    compiler.apply(upsert(&slice("{addresses: [10.7.0.2]}")));
    assert_eq!(hosts(&mut compiler), 1);
    check_all(&mut compiler, &mesh("{}"), "one Pod less", &clients());
}

/// A ServiceEntry whose port carries bytes, at an address of its own.
fn bytes(name: &str, last: u8) -> String {
    entry(name, 90)
        .replace("name: http, protocol: HTTP", "name: tcp, protocol: TCP")
        .replace("resolution:", &format!("addresses: [240.0.0.{last}], resolution:"))
}

#[test]
fn the_listener_of_a_service_comes_changes_and_goes_by_itself() {
    let (mut compiler, client) = (several(), &clients()[0]);
    compiler.apply(upsert(&(bytes("one", 1) + &bytes("two", 2))));
    let before = compiler.config_for(client);
    let names = |config: &ProxyConfig| -> Vec<_> {
        config.listeners.iter().filter(|it| it.port == 90).map(|it| it.name.to_string()).collect()
    };
    let stay = |one: &ProxyConfig, other: &ProxyConfig, gone: &str| {
        let both = one.listeners.iter().filter(|it| &*it.name != gone);
        both.clone().count() >= 3
            && both.clone().all(|it| other.listeners.iter().any(|same| Arc::ptr_eq(same, it)))
    };
    assert_eq!(names(&before), ["240.0.0.1_90", "240.0.0.2_90"]);
    compiler.apply(upsert(&bytes("three", 3)));
    let with = compiler.config_for(client);
    assert_eq!(names(&with), ["240.0.0.1_90", "240.0.0.2_90", "240.0.0.3_90"]);
    assert!(stay(&before, &with, ""));
    // A rule for the host is asked for by its own listener alone.
    let rule = head("networking.istio.io/v1", "DestinationRule", "a", "rule", 0)
        + "spec: {host: two.ext, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}}\n";
    let update = compiler.apply(upsert(&rule));
    assert!(update.proxies.iter().any(|it| it.proxy == *client));
    let ruled = compiler.config_for(client);
    assert!(stay(&with, &ruled, "240.0.0.2_90") && !stay(&with, &ruled, ""));
    // Two want one place: the younger one gets nothing, and has it when the other is gone.
    compiler.apply(upsert(&bytes("uno", 1)));
    compiler.config_for(client);
    compiler.apply([key("ServiceEntry", "networking.istio.io", "a", "one")]);
    let last = compiler.config_for(client);
    assert_eq!(names(&last), names(&with));
    let listener = last.listeners.iter().find(|it| &*it.name == "240.0.0.1_90").unwrap();
    assert!(format!("{listener:?}").contains("outbound|90||uno.ext"));
    compiler.apply([key("ServiceEntry", "networking.istio.io", "a", "three")]);
    check_all(&mut compiler, &mesh("{}"), "all of it", &clients());
}
