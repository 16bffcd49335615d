//! What a change touches is made anew, and nothing else.

use std::sync::Arc;

use mesh_model::config_set::Change;
use mesh_model::diagnostic::Code;
use mesh_model::object::ResourceKey;

use super::{check, compiler, mesh, proxies, proxy, upsert};
use crate::compiler::{Compiler, Update};
use crate::proxy::ProxyConfig;
use crate::view::Lookup;

fn service(name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a}}\n\
         spec: {{clusterIP: 10.0.0.1, selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]}}\n"
    )
}

fn istio(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n"
    )
}

fn responds(name: &str, status: u16) -> String {
    istio(
        "VirtualService",
        "a",
        name,
        &format!("hosts: [{name}], http: [{{directResponse: {{status: {status}}}}}]"),
    )
}

fn small() -> Compiler {
    let mut compiler = compiler(&mesh("{}"));
    compiler
        .apply(upsert(&(service("web") + &service("api") + &responds("web", 200) + &responds("api", 200))));
    compiler
}

fn host<'c>(config: &'c ProxyConfig, name: &str) -> &'c Arc<crate::route_table::VirtualHost> {
    config.route_tables.get("80").unwrap().virtual_host(name).unwrap()
}

fn reasons(update: &Update, of: &crate::proxy_identity::Proxy) -> Vec<String> {
    let found = update.proxies.iter().find(|it| it.proxy == *of);
    found.into_iter().flat_map(|it| &it.because).map(ToString::to_string).collect()
}

#[test]
fn one_virtual_service_replaces_its_own_virtual_host_alone() {
    let mut compiler = small();
    let [client, ..] = proxies().try_into().map(|all: [_; 4]| all).unwrap();
    let before = compiler.config_for(&client);
    let update = compiler.apply(upsert(&responds("web", 201)));
    let after = compiler.config_for(&client);
    assert_eq!(
        reasons(&update, &client),
        ["the virtual service `a/web`: VirtualService a/web (step.yaml:2:1)"]
    );
    assert!(!Arc::ptr_eq(host(&before, "web"), host(&after, "web")));
    assert!(Arc::ptr_eq(host(&before, "api"), host(&after, "api")));
    assert!(before.clusters.is_alike(&after.clusters, Arc::ptr_eq));
    assert!(before.listeners.iter().zip(&after.listeners).all(|(a, b)| Arc::ptr_eq(a, b)));
    for (name, table) in &before.route_tables {
        assert_eq!(Arc::ptr_eq(table, &after.route_tables[name]), &**name != "80", "{name}");
    }
}

#[test]
fn a_rule_replaces_the_clusters_of_its_host_alone() {
    let mut compiler = small();
    let client = &proxies()[0];
    let before = compiler.config_for(client);
    // That nobody had a rule for the host was an answer too.
    let update = compiler.apply(upsert(&istio(
        "DestinationRule",
        "a",
        "r",
        "host: web, trafficPolicy: {tls: {mode: SIMPLE}}",
    )));
    let after = compiler.config_for(client);
    let question = Lookup::DestinationRule("web.a.svc.cluster.local".into());
    assert!(update.proxies[0].because.iter().any(|it| it.question == question), "{update:?}");
    let changed: Vec<_> = before
        .clusters
        .iter()
        .filter(|(name, cluster)| !Arc::ptr_eq(cluster, after.clusters.get(name).unwrap()))
        .map(|(name, _)| &**name)
        .collect();
    assert_eq!(changed, ["outbound|80||web.a.svc.cluster.local"]);
    assert!(before.route_tables.iter().all(|(name, table)| Arc::ptr_eq(table, &after.route_tables[name])));
    assert!(before.listeners.iter().zip(&after.listeners).all(|(a, b)| Arc::ptr_eq(a, b)));
}

#[test]
fn what_a_proxy_cannot_see_does_not_concern_it() {
    let mut compiler = small();
    let all = proxies();
    let before: Vec<_> = all.iter().map(|proxy| compiler.config_for(proxy)).collect();
    let hidden = istio(
        "VirtualService",
        "b",
        "hidden",
        "hosts: [web.a.svc.cluster.local], exportTo: ['.'], http: [{directResponse: {status: 200}}]",
    );
    let update = compiler.apply(upsert(&hidden));
    let concerned: Vec<_> = update.proxies.iter().map(|it| &*it.proxy.namespace).collect();
    assert_eq!(concerned, ["b"]);
    for (proxy, before) in all.iter().zip(before) {
        assert_eq!(Arc::ptr_eq(&before, &compiler.config_for(proxy)), &*proxy.namespace != "b");
    }
}

#[test]
fn proxies_of_one_class_share_all_but_their_own_side() {
    let mut compiler = small();
    let all = proxies();
    let (one, other) = (compiler.config_for(&all[0]), compiler.config_for(&all[1]));
    assert!(Arc::ptr_eq(&one.route_tables["80"], &other.route_tables["80"]));
    let name = "outbound|80||web.a.svc.cluster.local";
    assert!(Arc::ptr_eq(one.clusters.get(name).unwrap(), other.clusters.get(name).unwrap()));
}

#[test]
fn what_was_written_again_in_the_same_words_changes_nothing() {
    let mut compiler = small();
    let client = &proxies()[0];
    let before = compiler.config_for(client);
    let update = compiler.apply(upsert(&responds("web", 200)));
    // The same text at the same place would be nothing new; here it stands elsewhere in the file.
    assert_eq!(update.proxies.len(), 1);
    let again = compiler.apply(upsert(&responds("web", 200)));
    let middle = compiler.config_for(client);
    assert!(again.proxies.is_empty() && !Arc::ptr_eq(&before, &middle));
    compiler.apply(upsert(&responds("web", 200)));
    assert!(Arc::ptr_eq(&middle, &compiler.config_for(client)));
}

#[test]
fn a_delegate_reaches_the_virtual_services_that_name_it() {
    let mut compiler = small();
    let client = &proxies()[0];
    compiler.apply(upsert(&istio(
        "VirtualService",
        "a",
        "web",
        "hosts: [web], http: [{match: [{uri: {prefix: /}}], delegate: {name: d}}]",
    )));
    compiler.config_for(client);
    let update =
        compiler.apply(upsert(&istio("VirtualService", "a", "d", "http: [{directResponse: {status: 204}}]")));
    assert_eq!(reasons(&update, client), ["the virtual service `a/web`: VirtualService a/d (step.yaml:2:1)"]);
    assert_eq!(host(&compiler.config_for(client), "web").routes.len(), 1);
    let key = ResourceKey {
        group: "networking.istio.io",
        kind: "VirtualService",
        cluster: "Kubernetes".into(),
        namespace: "a".into(),
        name: "d".into(),
    };
    let update = compiler.apply([Change::Remove(key)]);
    assert_eq!(update.proxies.len(), 1);
    assert!(update.report.iter().any(|it| it.code == Code::DelegateUnknown));
    check(&mut compiler, &mesh("{}"), "the delegate is gone");
}

#[test]
fn another_mesh_configuration_is_taken_in() {
    let mut compiler = small();
    for proxy in proxies() {
        compiler.config_for(&proxy);
    }
    for written in [
        r#"{"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}"#,
        r#"{"defaultVirtualServiceExportTo": ["."], "trustDomain": "other", "connectTimeout": "3s"}"#,
        r#"{"rootNamespace": "a", "proxyListenPort": 15555, "defaultConfig": {"proxyMetadata": {"ISTIO_META_HTTP10": "1"}}}"#,
        "{}",
    ] {
        compiler.set_mesh_config(mesh(written));
        check(&mut compiler, &mesh(written), written);
    }
}

#[test]
fn a_proxy_that_is_gone_leaves_nothing_behind() {
    let mut compiler = small();
    for number in 0..20 {
        let mut pod = proxy("sidecar", "a", "web", &format!("10.2.0.{number}"));
        pod.labels.insert("pod", number.to_string());
        compiler.config_for(&pod);
        compiler.forget(&pod);
    }
    assert!(compiler.classes() == 0 && compiler.proxies().next().is_none());
}

#[test]
fn a_gateway_of_a_network_comes_into_the_clusters_and_goes_again() {
    let entry = istio(
        "ServiceEntry",
        "a",
        "vm",
        "hosts: [vm.ext], location: MESH_INTERNAL, resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], \
         endpoints: [{address: 10.7.0.1, network: n2, serviceAccount: vm}]",
    );
    let gateway = "---\napiVersion: v1\nkind: Service\nmetadata: {name: eastwest, namespace: b, labels: {topology.istio.io/network: n2}}\n\
                   spec: {type: LoadBalancer, clusterIP: 10.0.0.2, ports: [{name: tls, port: 15443}]}\n";
    let status = "status: {loadBalancer: {ingress: [{ip: 198.51.100.1}]}}\n";
    let mut compiler = small();
    compiler.apply(upsert(&(entry + gateway)));
    let [client, ..] = proxies().try_into().map(|all: [_; 4]| all).unwrap();
    let addresses = |compiler: &mut Compiler| -> Vec<String> {
        let config = compiler.config_for(&client);
        let cluster = config.clusters.get("outbound|80||vm.ext").unwrap();
        cluster.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
    };
    assert_eq!(addresses(&mut compiler), ["10.7.0.1:80"]);
    compiler.apply(upsert(&format!("{gateway}{status}")));
    assert_eq!(addresses(&mut compiler), ["198.51.100.1:15443"]);
    check(&mut compiler, &mesh("{}"), "the gateway has come");
    compiler.apply(upsert(gateway));
    assert_eq!(addresses(&mut compiler), ["10.7.0.1:80"]);
    check(&mut compiler, &mesh("{}"), "the gateway is gone");
}

#[test]
fn other_networks_of_the_mesh_are_taken_in() {
    let mesh_config = mesh("{}");
    let mut compiler = compiler(&mesh_config);
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: a}\n\
                   spec: {clusterIP: 10.0.0.7, ports: [{name: http, port: 80}]}\n";
    let slice = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
                 metadata: {name: web, namespace: a, labels: {kubernetes.io/service-name: web}}\n\
                 addressType: IPv4\nendpoints: [{addresses: [10.9.0.5]}]\nports: [{name: http, port: 80}]\n";
    compiler.apply(upsert(&format!("{service}---\n{slice}")));
    check(&mut compiler, &mesh_config, "a service");
    let networks = r#"{"networks": {"far": {"endpoints": [{"fromCidr": "10.9.0.0/16"}],
        "gateways": [{"address": "1.2.3.4", "port": 15443}]}}}"#;
    let networks = Arc::new(serde_json::from_str(networks).unwrap());
    let update = compiler.set_mesh_networks(Arc::clone(&networks));
    assert!(!update.proxies.is_empty());
    check(&mut compiler, &mesh_config, "networks");
    assert!(compiler.set_mesh_networks(networks).proxies.is_empty());
}

#[test]
fn proxies_of_other_namespaces_and_labels_share_all_that_is_not_about_these() {
    let mut compiler = small();
    let named = "---\napiVersion: v1\nkind: Service\nmetadata: {name: own, namespace: c}\n\
                 spec: {clusterIP: 10.0.0.8, ports: [{name: http, port: 80}]}\n";
    let rule = istio(
        "DestinationRule",
        "c",
        "r",
        "host: api.a.svc.cluster.local, exportTo: ['.'], trafficPolicy: {tls: {mode: SIMPLE}}",
    );
    compiler.apply(upsert(&(named.to_owned() + &rule)));
    let one = proxy("sidecar", "b", "web", "10.1.0.3");
    let other = proxy("sidecar", "c", "api", "10.1.0.4");
    let before = compiler.config_for(&one);
    let after = compiler.config_for(&other);
    let changed: Vec<_> = before
        .clusters
        .iter()
        .filter(|(name, cluster)| !Arc::ptr_eq(cluster, after.clusters.get(name).unwrap()))
        .map(|(name, _)| &**name)
        .filter(|name| name.starts_with("outbound"))
        .collect();
    assert_eq!(changed, ["outbound|80||api.a.svc.cluster.local"]);
    let (old, new) = (&before.route_tables["80"], &after.route_tables["80"]);
    assert!(new.shares_index_with(old) && !Arc::ptr_eq(old, new));
    let changed: Vec<_> = old
        .virtual_hosts
        .iter()
        .zip(&new.virtual_hosts)
        .filter(|(old, new)| !Arc::ptr_eq(old, new))
        .map(|(old, _)| &*old.name)
        .collect();
    assert_eq!(changed, ["own.c.svc.cluster.local:80"]);
    assert_eq!(&*new.virtual_host("own").unwrap().name, "own.c.svc.cluster.local:80");
    assert_eq!(&*old.virtual_host("own").unwrap().name, "allow_any");
    // Changes reach each of them by itself.
    compiler.apply(upsert(&responds("web", 203)));
    for proxy in [&one, &other] {
        let config = compiler.config_for(proxy);
        assert!(Arc::ptr_eq(
            host(&config, "own.c"),
            host(if proxy == &one { &before } else { &after }, "own.c")
        ));
        assert_ne!(
            format!("{:?}", host(&config, "web.a").routes),
            format!("{:?}", host(&before, "web.a").routes)
        );
    }
}
