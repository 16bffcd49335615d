//! The registry on small meshes.

use std::sync::Arc;

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::{Code, Report};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::Protocol;
use mesh_model::yaml::{LoadOptions, load};

use super::Registry;
use super::endpoint::{Endpoint, Health};
use super::room::Room;
use super::service::{Resolution, Service};

fn built(mesh: &str, clusters: &[(&str, &str)]) -> (Registry, Report) {
    let mut config = ConfigSet::new();
    for (cluster, text) in clusters {
        let loaded = load("a.yaml", text, &LoadOptions::default().with_cluster(*cluster));
        assert!(loaded.report.is_empty(), "{:?}", loaded.report);
        let applied = config.apply(loaded.documents.into_iter().map(Change::Upsert));
        assert!(!applied.report.has_errors(), "{:?}", applied.report);
    }
    let written: MeshConfig = serde_json::from_str(mesh).unwrap();
    Registry::build(&config, &MeshConfig::with_defaults().overlay(written))
}

fn registry(text: &str) -> Registry {
    built("{}", &[("Kubernetes", text)]).0
}

fn service<'r>(registry: &'r Registry, hostname: &str) -> &'r Arc<Service> {
    registry.by_host(hostname).first().unwrap()
}

/// `address:port` with the service port's name, in order.
fn addresses(registry: &Registry, hostname: &str) -> Vec<String> {
    let endpoints = registry.endpoints(service(registry, hostname)).iter();
    endpoints.map(|one| format!("{}:{} {}", one.address, one.port, one.service_port_name)).collect()
}

fn endpoint<'r>(registry: &'r Registry, hostname: &str, address: &str) -> &'r Endpoint {
    registry.endpoints(service(registry, hostname)).iter().find(|one| &*one.address == address).unwrap()
}

fn kubernetes_service(name: &str, spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n---\n")
}

fn slice(service: &str, endpoints: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {service}-1, namespace: shop, \
         labels: {{kubernetes.io/service-name: {service}}}}}\naddressType: IPv4\nports: [{{name: http, port: \
         8080}}]\nendpoints: {endpoints}\n---\n"
    )
}

fn pod(name: &str, labels: &str, spec: &str, ip: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {labels}}}\nspec: \
         {spec}\nstatus: {{podIP: {ip}, phase: Running, conditions: [{{type: Ready, status: \"True\"}}]}}\n---\n"
    )
}

fn entry(name: &str, head: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: shop{head}}}\n\
         spec: {spec}\n---\n"
    )
}

fn workload_entry(name: &str, head: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: {name}, namespace: \
         shop{head}}}\nspec: {spec}\n---\n"
    )
}

const CART: &str = "cart.shop.svc.cluster.local";
const CART_SPEC: &str = "{clusterIP: 10.0.0.1, selector: {app: cart}, ports: [{name: http, port: 80}]}";

#[test]
fn a_kubernetes_service_reads_as_one_of_the_mesh() {
    let spec = "{clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1'], internalTrafficPolicy: Local, ports: \
                [{name: http-a, port: 80, targetPort: web}, {name: x, port: 3306, targetPort: 33}, {name: d, port: \
                53, protocol: UDP}]}";
    let registry = registry(&kubernetes_service("cart", spec));
    let cart = service(&registry, CART);
    assert_eq!((&*cart.default_address, cart.resolution), ("10.0.0.1", Resolution::ClientSide));
    assert_eq!(cart.cluster_vips["Kubernetes"].len(), 2);
    assert!(cart.node_local && !cart.mesh_external);
    let ports: Vec<_> =
        cart.ports.iter().map(|port| (port.number, port.protocol, port.target_port)).collect();
    assert_eq!(
        ports,
        [(80, Protocol::Http, None), (3306, Protocol::Tcp, Some(33)), (53, Protocol::Udp, None)]
    );
    assert_eq!(cart.ports[0].target_port_name.as_deref(), Some("web"));
}

#[test]
fn headless_services_pass_through_and_external_names_are_aliases() {
    let text = kubernetes_service("cart", "{clusterIP: None, ports: [{port: 80}]}")
        + &kubernetes_service("old", "{type: ExternalName, externalName: older.shop.svc.cluster.local}")
        + &kubernetes_service("older", &format!("{{type: ExternalName, externalName: {CART}}}"));
    let registry = registry(&text);
    let cart = service(&registry, CART);
    assert_eq!((cart.resolution, &*cart.default_address), (Resolution::Passthrough, "0.0.0.0"));
    let names: Vec<_> = cart.aliases.iter().map(|(host, _)| &**host).collect();
    assert_eq!(names, ["old.shop.svc.cluster.local", "older.shop.svc.cluster.local"]);
    assert_eq!(service(&registry, "old.shop.svc.cluster.local").resolution, Resolution::Alias);
}

#[test]
fn an_alias_loop_resolves_to_nothing_and_is_reported() {
    let text = kubernetes_service("a", "{type: ExternalName, externalName: b.shop.svc.cluster.local}")
        + &kubernetes_service("b", "{type: ExternalName, externalName: a.shop.svc.cluster.local}");
    let (registry, report) = built("{}", &[("Kubernetes", &text)]);
    assert!(registry.services.iter().all(|service| service.aliases.is_empty()));
    let codes: Vec<_> = report.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::AliasLoop, Code::AliasLoop]);
}

#[test]
fn a_pod_gives_its_endpoint_labels_identity_and_place() {
    let text = kubernetes_service("cart", CART_SPEC)
        + &slice("cart", "[{addresses: [10.1.0.1], targetRef: {kind: Pod, name: cart-0, namespace: shop}}]")
        + &pod(
            "cart-0",
            "{app: cart, security.istio.io/tlsMode: istio}",
            "{serviceAccountName: carter, nodeName: n1, subdomain: cart}",
            "10.1.0.1",
        )
        + "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {topology.kubernetes.io/region: r, \
           topology.kubernetes.io/zone: z}}\n";
    let registry = registry(&text);
    let one = endpoint(&registry, CART, "10.1.0.1");
    assert_eq!((one.port, &*one.service_port_name, one.health), (8080, "http", Health::Healthy));
    assert_eq!(&*one.identity, "spiffe://cluster.local/ns/shop/sa/carter");
    assert_eq!(
        (&*one.locality, &*one.node, &*one.hostname, &*one.subdomain),
        ("r/z", "n1", "cart-0", "cart")
    );
    assert!(one.mtls);
    for (label, value) in [
        ("app", "cart"),
        ("topology.kubernetes.io/zone", "z"),
        ("kubernetes.io/hostname", "n1"),
        ("topology.istio.io/cluster", "Kubernetes"),
    ] {
        assert_eq!(one.labels.get(label), Some(value), "{label}");
    }
}

#[test]
fn an_endpoint_that_names_a_missing_pod_is_left_out() {
    let text = kubernetes_service("cart", CART_SPEC)
        + &slice(
            "cart",
            "[{addresses: [10.1.0.1], targetRef: {kind: Pod, name: gone, namespace: shop}}, {addresses: [10.1.0.2]}]",
        );
    let (registry, report) = built("{}", &[("Kubernetes", &text)]);
    assert_eq!(addresses(&registry, CART), ["10.1.0.2:8080 http"]);
    let problem = report.iter().next().unwrap();
    assert_eq!(
        (problem.code, problem.at.field.as_str()),
        (Code::EndpointWithoutPod, "endpoints[0].targetRef")
    );
    // Without a Pod, nothing but the address and the place of its cluster is known.
    let one = endpoint(&registry, CART, "10.1.0.2");
    assert!(!one.mtls && one.identity.is_empty() && one.labels.len() == 1);
}

#[test]
fn health_follows_the_conditions_and_missing_ones_count_as_true() {
    let text = kubernetes_service("cart", CART_SPEC)
        + &slice(
            "cart",
            "[{addresses: [10.1.0.1], conditions: {ready: false}}, {addresses: [10.1.0.2], conditions: {ready: \
             false, terminating: false}}, {addresses: [10.1.0.3]}]",
        );
    let registry = registry(&text);
    for (address, health) in
        [("10.1.0.1", Health::Terminating), ("10.1.0.2", Health::Unhealthy), ("10.1.0.3", Health::Healthy)]
    {
        assert_eq!(endpoint(&registry, CART, address).health, health, "{address}");
    }
}

#[test]
fn a_service_hidden_by_its_annotation_has_no_slice_endpoints() {
    let hidden = kubernetes_service("cart", CART_SPEC)
        .replace("namespace: shop", "namespace: shop, annotations: {networking.istio.io/exportTo: '~'}");
    let registry = registry(&(hidden + &slice("cart", "[{addresses: [10.1.0.1]}]")));
    assert!(registry.endpoints(service(&registry, CART)).is_empty());
    assert!(!service(&registry, CART).visible_from("shop"));
}

#[test]
fn one_service_per_host_and_address_shares_ports_and_endpoints() {
    let spec = "{hosts: [a.org, b.org], addresses: [10.9.0.1/32, 10.9.0.0/24], resolution: STATIC, ports: [{number: \
                80, name: http, protocol: HTTP, targetPort: 8080}, {number: 443, name: tls, protocol: TLS}], \
                endpoints: [{address: 192.0.2.1, ports: {tls: 8443}}]}";
    let registry = registry(&entry("e", "", spec));
    let found: Vec<_> =
        registry.services.iter().map(|service| (&*service.hostname, &*service.default_address)).collect();
    assert_eq!(
        found,
        [("a.org", "10.9.0.1"), ("a.org", "10.9.0.0/24"), ("b.org", "10.9.0.1"), ("b.org", "10.9.0.0/24")]
    );
    assert_eq!(addresses(&registry, "b.org")[..2], ["192.0.2.1:8080 http", "192.0.2.1:8443 tls"]);
    assert!(service(&registry, "a.org").mesh_external);
}

#[test]
fn a_dns_entry_without_endpoints_resolves_its_host() {
    let spec = "{hosts: [a.org], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP, targetPort: 81}]}";
    assert_eq!(addresses(&registry(&entry("e", "", spec)), "a.org"), ["a.org:81 http"]);
    let none = spec.replace("DNS", "STATIC");
    assert!(addresses(&registry(&entry("e", "", &none)), "a.org").is_empty());
}

#[test]
fn only_the_oldest_round_robin_endpoint_of_a_port_counts() {
    let spec = |address| {
        format!(
            "{{hosts: [a.org], resolution: DNS_ROUND_ROBIN, ports: [{{number: 80, name: http, protocol: HTTP}}], \
             endpoints: [{{address: {address}}}]}}"
        )
    };
    let text = entry("new", ", creationTimestamp: '2024-02-01T00:00:00Z'", &spec("new.org"))
        + &entry("old", ", creationTimestamp: '2024-01-01T00:00:00Z'", &spec("old.org"));
    assert_eq!(addresses(&registry(&text), "a.org"), ["old.org:80 http"]);
}

#[test]
fn a_unix_endpoint_has_a_path_and_no_port() {
    let spec = "{hosts: [a.org], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: \
                [{address: 'unix:///var/run/a'}]}";
    assert_eq!(addresses(&registry(&entry("e", "", spec)), "a.org"), ["/var/run/a:0 http"]);
}

#[test]
fn an_entry_selects_workload_entries_and_ready_pods_of_its_namespace() {
    let spec = "{hosts: [a.org], resolution: STATIC, location: MESH_INTERNAL, ports: [{number: 80, name: http, \
                protocol: HTTP}], workloadSelector: {labels: {app: vm}}}";
    let vm = "{address: 192.0.2.1, labels: {app: other}, serviceAccount: vm, ports: {http: 8080}, weight: 3}";
    let text = entry("e", "", spec)
        + &workload_entry("a", ", labels: {app: vm}", vm)
        + &workload_entry("b", "", "{address: 192.0.2.2, labels: {app: other}}")
        + &workload_entry("c", "", "{address: vm.org, labels: {app: vm}}")
        + &pod(
            "p",
            "{app: vm}",
            "{containers: [{name: c, ports: [{name: http, containerPort: 90}]}]}",
            "10.1.0.1",
        )
        + &pod("q", "{app: vm}", "{containers: [{name: c}]}", "10.1.0.2").replace("\"True\"", "\"False\"");
    let registry = registry(&text);
    assert_eq!(addresses(&registry, "a.org"), ["10.1.0.1:90 http", "192.0.2.1:8080 http"]);
    let one = endpoint(&registry, "a.org", "192.0.2.1");
    assert_eq!((&*one.identity, one.mtls, one.weight), ("spiffe://cluster.local/ns/shop/sa/vm", true, 3));
}

#[test]
fn a_workload_without_an_address_is_left_out_and_reported() {
    let spec = "{hosts: [a.org], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: \
                [{network: far}, {address: 192.0.2.1}]}";
    let text = entry("e", "", spec) + &workload_entry("w", "", "{network: far}");
    let (registry, report) = built("{}", &[("Kubernetes", &text)]);
    assert_eq!(addresses(&registry, "a.org"), ["192.0.2.1:80 http"]);
    let found: Vec<_> = report.iter().map(|problem| (problem.code, problem.at.field.as_str())).collect();
    assert_eq!(found, [(Code::EndpointUnused, "spec"), (Code::EndpointUnused, "spec.endpoints[0]")]);
}

/// Prints the time of a mesh of 1,000 services with 10 Pods each: `cargo test --release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn time_of_a_large_mesh() {
    let mut text = String::new();
    for number in 0..1000 {
        let name = format!("s{number}");
        text += &kubernetes_service(
            &name,
            "{clusterIP: 10.0.0.1, selector: {app: a}, ports: [{name: http, port: 80}]}",
        );
        let mut endpoints = Vec::new();
        for index in 0..10 {
            let address = format!("10.{}.{}.{index}", number / 250, number % 250);
            let target = format!("{{kind: Pod, name: {name}-{index}, namespace: shop}}");
            endpoints.push(format!("{{addresses: [{address}], targetRef: {target}}}"));
            text += &pod(&format!("{name}-{index}"), "{app: a}", "{serviceAccountName: a}", &address);
        }
        text += &slice(&name, &format!("[{}]", endpoints.join(", ")));
    }
    let mut config = ConfigSet::new();
    let documents = load("a.yaml", text, &LoadOptions::default()).documents;
    config.apply(documents.into_iter().map(Change::Upsert));
    let start = std::time::Instant::now();
    let (registry, _) = Registry::build(&config, &MeshConfig::with_defaults());
    println!("{} services, {} pods: {:?}", registry.services.len(), config.pods.len(), start.elapsed());
}

#[test]
fn a_kubernetes_service_selects_workload_entries_with_addresses() {
    let spec = "{clusterIP: 10.0.0.1, selector: {app: vm}, ports: [{name: http, port: 80, targetPort: web}, {name: \
                tcp, port: 81, targetPort: 82}]}";
    let text = kubernetes_service("cart", spec)
        + &workload_entry("a", "", "{address: 192.0.2.1, labels: {app: vm}, ports: {web: 7001, tcp: 7002}}")
        + &workload_entry("b", "", "{address: 192.0.2.2, labels: {app: vm}}")
        + &workload_entry("c", "", "{address: vm.org, labels: {app: vm}}");
    assert_eq!(
        addresses(&registry(&text), CART),
        ["192.0.2.1:7001 http", "192.0.2.1:7002 tcp", "192.0.2.2:82 tcp"]
    );
}

#[test]
fn a_checked_workload_entry_counts_once_its_status_says_healthy() {
    let spec = "{hosts: [a.org], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], \
                workloadSelector: {labels: {app: vm}}}";
    let checked = ", annotations: {proxy.istio.io/health-checks-enabled: 'true'}";
    let vm = |address| format!("{{address: {address}, labels: {{app: vm}}}}");
    let status = "status: {conditions: [{type: Healthy, status: 'True'}]}\n---\n";
    let good = workload_entry("good", checked, &vm("192.0.2.2")).replace("---\n", status);
    let text = entry("e", "", spec) + &workload_entry("bad", checked, &vm("192.0.2.1")) + &good;
    assert_eq!(addresses(&registry(&text), "a.org"), ["192.0.2.2:80 http"]);
}

#[test]
fn a_service_and_an_entry_of_one_host_share_endpoints_and_the_service_defines() {
    let spec = format!(
        "{{hosts: [{CART}], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: \
         [{{address: 192.0.2.1}}]}}"
    );
    let text = kubernetes_service("cart", CART_SPEC)
        .replace("namespace: shop", "namespace: shop, creationTimestamp: '2024-01-01T00:00:00Z'")
        + &slice("cart", "[{addresses: [10.1.0.1]}]")
        + &entry("e", "", &spec);
    let registry = registry(&text);
    assert_eq!(addresses(&registry, CART), ["192.0.2.1:80 http", "10.1.0.1:8080 http"]);
    let ages: Vec<_> = registry.by_host(CART).iter().map(|service| service.created.is_some()).collect();
    assert_eq!(ages, [false, true]);
    let definition = registry.service(CART, "shop").unwrap();
    assert_eq!(definition.registry, super::service::RegistryKind::Kubernetes);
    assert!(registry.service(CART, "bank").is_none());
}

#[test]
fn identities_are_sorted_and_hold_in_every_trust_domain() {
    let annotations = "annotations: {alpha.istio.io/kubernetes-serviceaccounts: z, \
                       alpha.istio.io/canonical-serviceaccounts: 'dns.name'}";
    let text = kubernetes_service("cart", CART_SPEC)
        .replace("namespace: shop", &format!("namespace: shop, {annotations}"));
    let (registry, _) =
        built(r#"{"trustDomain": "td", "trustDomainAliases": ["old"]}"#, &[("Kubernetes", &text)]);
    assert_eq!(
        registry.identities(service(&registry, CART)),
        ["dns.name", "spiffe://old/ns/shop/sa/z", "spiffe://td/ns/shop/sa/z"]
    );
}

#[test]
fn undiscovered_namespaces_are_not_seen() {
    let text = kubernetes_service("cart", CART_SPEC)
        + "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {mesh: 'no'}}\n";
    let selectors =
        |value| format!(r#"{{"discoverySelectors": [{{"matchLabels": {{"mesh": "{value}"}}}}]}}"#);
    assert!(built(&selectors("yes"), &[("Kubernetes", &text)]).0.services.is_empty());
    assert_eq!(built(&selectors("no"), &[("Kubernetes", &text)]).0.services.len(), 1);
}

#[test]
fn services_of_one_name_in_two_clusters_are_one_with_an_address_each() {
    let here = kubernetes_service("cart", CART_SPEC) + &slice("cart", "[{addresses: [10.1.0.1]}]");
    let there = here.replace("10.0.0.1", "10.0.0.2").replace("10.1.0.1", "10.2.0.1");
    let (registry, _) = built("{}", &[("a", &here), ("b", &there)]);
    assert_eq!(registry.services.len(), 1);
    let cart = service(&registry, CART);
    assert_eq!((&*cart.cluster_vips["a"][0], &*cart.cluster_vips["b"][0]), ("10.0.0.1", "10.0.0.2"));
    assert_eq!(addresses(&registry, CART), ["10.1.0.1:8080 http", "10.2.0.1:8080 http"]);
    assert_eq!(&*endpoint(&registry, CART, "10.2.0.1").cluster, "b");
}

#[test]
fn allocated_addresses_count_where_the_entry_qualifies() {
    let spec = "{hosts: [a.org], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}";
    let status =
        "status: {addresses: [{value: 240.240.0.1, host: a.org}, {value: '2001:2::1', host: a.org}]}\n---\n";
    let text = entry("e", "", spec).replace("---\n", status);
    let (v4, v6) = service(&registry(&text), "a.org").auto_vips.clone();
    assert_eq!((v4.as_deref(), v6.as_deref()), (Some("240.240.0.1"), Some("2001:2::1")));
    let opted_out = text.replace(
        "namespace: shop",
        "namespace: shop, labels: {networking.istio.io/enable-autoallocate-ip: 'False'}",
    );
    assert_eq!(service(&registry(&opted_out), "a.org").auto_vips, (None, None));
}

#[test]
fn mesh_visibility_narrows_entries_and_nothing_else() {
    let spec = "{hosts: [a.org], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}";
    let text = kubernetes_service("cart", CART_SPEC) + &entry("e", "", spec);
    let mesh = r#"{"serviceEntryVisibility": {"applyToSidecars": true, "defaultVisibility": "NAMESPACE"}}"#;
    let (registry, _) = built(mesh, &[("Kubernetes", &text)]);
    assert!(
        service(&registry, "a.org").visible_from("shop") && !service(&registry, "a.org").visible_from("bank")
    );
    assert!(service(&registry, CART).visible_from("bank"));
}

#[test]
fn what_multiplies_beyond_the_room_is_left_out_and_said_once() {
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(", ");
    let hosts = list(1500, &|index| format!("h{index}.org"));
    let addresses = list(1500, &|index| format!("10.0.{}.{}", index / 250, index % 250));
    let spec = format!(
        "{{hosts: [{hosts}], addresses: [{addresses}], resolution: STATIC, ports: [{{number: 80, name: http, \
         protocol: HTTP}}]}}"
    );
    let mut config = ConfigSet::new();
    let documents = load("a.yaml", entry("e", "", &spec), &LoadOptions::default()).documents;
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    config.apply_with(documents.into_iter().map(Change::Upsert), options);
    let (registry, report) =
        Registry::build_within(Room::of(1 << 20), None, &config, &MeshConfig::with_defaults());
    assert!((1..1000).contains(&registry.services.len()), "{}", registry.services.len());
    assert_eq!(report.iter().filter(|problem| problem.code == Code::BudgetExceeded).count(), 1);
}

#[test]
fn room_that_is_taken_is_gone() {
    let text = kubernetes_service("cart", CART_SPEC);
    let registry = registry(&text);
    let object = &service(&registry, CART).provenance;
    let (mut room, mut report) = (Room::of(10), Report::new());
    assert!(room.take(6, object, &mut report));
    assert!(!room.take(6, object, &mut report));
    assert!(room.take(4, object, &mut report));
    assert_eq!(report.len(), 1);
}
