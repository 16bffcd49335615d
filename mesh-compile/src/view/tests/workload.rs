//! Endpoints, addresses and targets.

use super::*;

fn targets(yaml: &str, namespace: &str, app: &str) -> Vec<String> {
    targets_of(&resolve(yaml), &sidecar(namespace, app))
}

fn targets_of(snapshot: &MeshSnapshot, proxy: &Proxy) -> Vec<String> {
    let view = View::new(snapshot, proxy);
    let show = |target: &ServiceTarget| {
        format!("{}:{}>{}", target.service.name, target.port.number, target.target_port)
    };
    view.service_targets().iter().map(show).collect()
}

fn slice(service: &str, endpoints: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {service}-1, namespace: a, labels: {{kubernetes.io/service-name: {service}}}}}\n\
         addressType: IPv4\nendpoints: {endpoints}\nports: [{{name: http, port: 8080}}]\n"
    )
}

#[test]
fn a_service_without_selector_is_found_through_its_slice() {
    let yaml = service("a", "one").replace("selector: {app: one}, ", "")
        + &slice("one", "[{addresses: [10.1.2.3]}]");
    assert_eq!(targets(&yaml, "a", "w"), ["one:80>8080"]);
    assert_eq!(targets(&yaml, "b", "w"), Vec::<String>::new());
    // Services that select the proxy leave no room for it.
    assert_eq!(targets(&(yaml + &service("a", "w")), "a", "w"), ["w:80>8080"]);
}

#[test]
fn a_workload_entry_of_the_address_decides_instead_of_the_proxys_labels() {
    let entry =
        istio("WorkloadEntry", "a", "vm", "{address: 10.1.2.3, labels: {app: one}, ports: {http: 9000}}");
    let yaml = service("a", "one") + &service("a", "w") + &entry;
    assert_eq!(targets(&yaml, "a", "w"), ["one:80>9000"]);
}

/// As istiod does: the registry of the proxy's own cluster says what its Pods serve, also of a service that others define.
#[test]
fn t_305_pods_serve_what_their_own_cluster_says() {
    let here = service("a", "one");
    let there = here.replace("port: 80, targetPort: 8080", "port: 81, targetPort: 8081");
    let elsewhere = here.replace("{app: one}", "{app: other}");
    let (snapshot, _) =
        resolve_clusters("{}", &[("east", &here), ("west", &there), ("north", &here), ("south", &elsewhere)]);
    let of = |cluster: &str, app: &str| {
        let proxy = Proxy { cluster_id: cluster.into(), ..sidecar("a", app) };
        targets_of(&snapshot, &proxy)
    };
    assert_eq!(of("east", "one"), ["one:80>8080"]);
    assert_eq!(of("west", "one"), ["one:81>8081"]);
    assert_eq!(of("north", "one"), ["one:80>8080"]);
    assert_eq!((of("south", "one"), of("south", "other")), (vec![], vec!["one:80>8080".to_owned()]));
    // Clients know one service, as the first cluster has it.
    assert_eq!(hosts(&View::new(&snapshot, &sidecar("a", "w")).scope().services), ["one.a@a:80"]);
}

#[test]
fn an_endpoint_of_a_service_entry_is_a_target_in_its_namespace() {
    let yaml = aged(
        "ServiceEntry",
        "a",
        "e",
        1,
        "{hosts: [x.org], ports: [{number: 80, targetPort: 81, name: h, protocol: HTTP}], resolution: STATIC, \
         endpoints: [{address: 10.1.2.3}]}",
    );
    assert_eq!(targets(&yaml, "a", "w"), ["x.org:80>81"]);
    assert_eq!(targets(&yaml, "b", "w"), Vec::<String>::new());
}

#[test]
fn t_304_node_local_services_have_the_endpoints_of_the_proxys_node() {
    let pod = |name: &str, ip: &str, node: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a}}\nspec: {{nodeName: {node}}}\nstatus: {{podIP: {ip}}}\n"
        )
    };
    let endpoint = |name: &str, ip: &str| {
        format!("{{addresses: [{ip}], targetRef: {{kind: Pod, name: {name}, namespace: a}}}}")
    };
    let yaml = service("a", "one").replace("spec: {", "spec: {internalTrafficPolicy: Local, ")
        + &pod("p1", "10.9.0.1", "n1")
        + &pod("p2", "10.9.0.2", "n2")
        + &slice("one", &format!("[{}, {}]", endpoint("p1", "10.9.0.1"), endpoint("p2", "10.9.0.2")));
    let snapshot = resolve(&yaml);
    let on = |node: &str| {
        let mut proxy = sidecar("a", "w");
        proxy.metadata.insert("NODE_NAME".to_owned(), node.to_owned());
        let view = View::new(&snapshot, &proxy);
        let service = view.service("one.a.svc.cluster.local").unwrap();
        let found = view.endpoints(service, &service.ports[0]);
        found.iter().map(|endpoint| endpoint.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(on("n1"), ["10.9.0.1"]);
    assert_eq!(on("n2"), ["10.9.0.2"]);
    assert_eq!(on("n3"), Vec::<String>::new());
}

#[test]
fn t_341_auto_addresses_are_for_proxies_that_answer_dns() {
    let mut service =
        Service::clone(resolve(&entry("a", "e", 1, "x.org", "")).registry.services.first().unwrap());
    service.auto_vips = (Some("240.240.0.1".into()), Some("2001:2::1".into()));
    let snapshot = resolve("");
    let dial = |capture: bool, ip: &str| {
        let mut proxy = sidecar("a", "w");
        proxy.ip = Some(ip.parse().unwrap());
        if capture {
            proxy.metadata.insert("DNS_CAPTURE".to_owned(), "true".to_owned());
        }
        let addresses = View::new(&snapshot, &proxy).addresses(&service);
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(dial(false, "10.0.0.1"), ["0.0.0.0"]);
    assert_eq!(dial(true, "10.0.0.1"), ["240.240.0.1"]);
    assert_eq!(dial(true, "fd00::1"), ["2001:2::1"]);
}
