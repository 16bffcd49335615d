//! Text in, clusters out.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};
use serde_json::json;

use crate::proxy::cluster::{Cluster, Discovery, LbPolicy, UpstreamTls, UpstreamTlsContext};
use crate::proxy_identity::Proxy;
use crate::snapshot::MeshSnapshot;
use crate::view::View;

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: db, namespace: a}
spec:
  clusterIP: 10.9.0.1
  ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-sql, port: 5432}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: a, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: http, port: 8080}, {name: tcp-sql, port: 5432}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false, serving: false, terminating: false}}]
";

type Built = BTreeMap<Arc<str>, Arc<Cluster>>;

fn clusters(kind: &str, documents: &str, mesh: MeshConfig) -> Built {
    let mut config = ConfigSet::new();
    let loaded = load("config.yaml", documents, &LoadOptions::default());
    config.apply(loaded.documents.into_iter().map(Change::Upsert));
    let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(mesh));
    let proxy: Proxy = serde_json::from_value(
        json!({"type": kind, "namespace": "a", "ip": "10.0.0.9", "labels": {"app": "web"}}),
    )
    .unwrap();
    let (built, _) = super::compile(&View::new(&snapshot, &proxy));
    built.iter().map(|(name, cluster)| (Arc::clone(name), Arc::clone(cluster))).collect()
}

fn with_rule(rule: &str) -> Built {
    let documents = format!(
        "{SERVICE}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: db, namespace: a}}
spec: {rule}
"
    );
    clusters("sidecar", &documents, MeshConfig::with_defaults())
}

fn db(built: &Built, port: u16, subset: &str) -> Arc<Cluster> {
    Arc::clone(&built[&super::names::outbound(port, subset, "db.a.svc.cluster.local")])
}

fn tls(cluster: &Cluster) -> Option<&UpstreamTlsContext> {
    match &cluster.tls {
        UpstreamTls::Plaintext => None,
        UpstreamTls::Tls(context) => Some(context),
    }
}

#[test]
fn a_service_without_a_rule_gets_auto_mtls_and_least_request() {
    let cluster = db(&clusters("sidecar", SERVICE, MeshConfig::with_defaults()), 80, "");
    assert_eq!((cluster.discovery, cluster.lb), (Discovery::Eds, LbPolicy::LeastRequest));
    let context = tls(&cluster).unwrap();
    assert!(context.auto);
    assert_eq!(&*context.sni, "outbound_.80_._.db.a.svc.cluster.local");
    assert_eq!(cluster.connect_timeout_ms, 10_000);
}

#[test]
fn unready_endpoints_are_sent_and_panic_mode_is_off() {
    let cluster = db(&clusters("sidecar", SERVICE, MeshConfig::with_defaults()), 80, "");
    let health: Vec<bool> = cluster.endpoints.iter().map(|endpoint| endpoint.healthy).collect();
    assert_eq!(health, [true, false]);
    assert_eq!(cluster.panic_threshold, Some(0.0));
}

#[test]
fn unready_endpoints_are_kept_back_where_panic_mode_could_use_them() {
    let built = with_rule("{host: db, trafficPolicy: {outlierDetection: {minHealthPercent: 30}}}");
    let cluster = db(&built, 80, "");
    assert_eq!(cluster.endpoints.len(), 1);
    assert_eq!(cluster.panic_threshold, Some(30.0));
}

#[test]
fn a_port_entry_inherits_nothing() {
    let built = with_rule(
        "{host: db, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}, outlierDetection: {},
          portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}}",
    );
    let http = db(&built, 80, "");
    assert_eq!((http.lb, http.limits.max_connections), (LbPolicy::Random, None));
    assert!(http.outlier.is_none());
    let sql = db(&built, 5432, "");
    assert_eq!((sql.lb, sql.limits.max_connections), (LbPolicy::LeastRequest, Some(1)));
    assert_eq!(
        http.origins.get("lb").unwrap().field(),
        "spec.trafficPolicy.portLevelSettings[0].loadBalancer.simple"
    );
}

#[test]
fn a_subset_block_replaces_the_block_below_it_whole() {
    let built = with_rule(
        "{host: db, trafficPolicy: {connectionPool: {tcp: {maxConnections: 10}, http: {maxRetries: 1}}},
          subsets: [{name: v1, trafficPolicy: {connectionPool: {http: {http2MaxRequests: 5}}}}]}",
    );
    let limits = db(&built, 80, "v1").limits;
    assert_eq!((limits.max_requests, limits.max_connections, limits.max_retries), (Some(5), None, None));
    assert_eq!(db(&built, 80, "").limits.max_connections, Some(10));
    let subset = db(&built, 80, "v1");
    let origin = subset.origins.get("limits.max_requests").unwrap();
    assert_eq!(origin.field(), "spec.subsets[0].trafficPolicy.connectionPool.http.http2MaxRequests");
}

#[test]
fn a_subset_port_entry_drops_the_mesh_default_too() {
    let mut mesh = MeshConfig::with_defaults();
    mesh.default_traffic_policy =
        serde_json::from_value(json!({"connectionPool": {"tcp": {"maxConnections": 7}}})).unwrap();
    let rule = "
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db, namespace: a}
spec:
  host: db
  subsets: [{name: v1, trafficPolicy: {portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}}]
";
    let built = clusters("sidecar", &format!("{SERVICE}{rule}"), mesh);
    assert_eq!(db(&built, 80, "").limits.max_connections, Some(7));
    assert_eq!(db(&built, 80, "v1").limits.max_connections, None);
    assert_eq!(db(&built, 5432, "v1").limits.max_connections, Some(7));
}

#[test]
fn an_empty_tls_block_means_plaintext() {
    assert!(tls(&db(&with_rule("{host: db, trafficPolicy: {tls: {sni: x.com}}}"), 80, "")).is_none());
}

#[test]
fn a_credential_is_not_for_sidecars_without_a_selector() {
    let rule = "host: db, trafficPolicy: {tls: {mode: SIMPLE, credentialName: c}}";
    assert!(tls(&db(&with_rule(&format!("{{{rule}}}")), 80, "")).is_none());
    let selected = format!("{{{rule}, workloadSelector: {{matchLabels: {{app: web}}}}}}");
    let cluster = db(&with_rule(&selected), 80, "");
    assert_eq!(tls(&cluster).unwrap().root.as_deref(), Some("kubernetes://c-cacert"));
    assert!(cluster.http.auto_sni && cluster.http.auto_san_validation);
}

#[test]
fn passthrough_dials_where_the_client_wanted_to_go() {
    let built =
        with_rule("{host: db, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}, subsets: [{name: v1}]}");
    let cluster = db(&built, 80, "");
    assert_eq!((cluster.discovery, cluster.lb), (Discovery::OriginalDst, LbPolicy::ClusterProvided));
    assert!(cluster.endpoints.is_empty());
    assert_eq!(cluster.origins.get("lb").unwrap().field(), "spec.trafficPolicy.loadBalancer.simple");
    assert_eq!(db(&built, 80, "v1").discovery, Discovery::OriginalDst);
}

#[test]
fn a_dns_subset_without_endpoints_has_no_cluster() {
    let documents = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: a}
spec:
  hosts: [api.example.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
  endpoints: [{address: one.example.com, labels: {v: one}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: a}
spec:
  host: api.example.com
  subsets: [{name: one, labels: {v: one}}, {name: two, labels: {v: two}}]
";
    let built = clusters("sidecar", documents, MeshConfig::with_defaults());
    let names: Vec<&str> = built.keys().map(|name| &**name).filter(|name| name.contains('|')).collect();
    assert_eq!(names, ["outbound|443|one|api.example.com", "outbound|443||api.example.com"]);
    assert_eq!(&*built["outbound|443|one|api.example.com"].endpoints[0].address, "one.example.com:443");
}

#[test]
fn gateways_have_no_passthrough_and_no_inbound_clusters() {
    let built = clusters("gateway", SERVICE, MeshConfig::with_defaults());
    assert!(built.contains_key("BlackHoleCluster"));
    assert!(!built.contains_key("PassthroughCluster") && !built.contains_key("InboundPassthroughCluster"));
}

#[test]
fn outlier_detection_prefers_near_endpoints() {
    let documents = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: a}
spec:
  hosts: [api.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.1.0.1, locality: east/1}, {address: 10.1.0.2, locality: west/1}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: a}
spec: {host: api.example.com, trafficPolicy: {outlierDetection: {}}}
";
    let priorities = |documents: &str| -> Vec<(String, u32)> {
        let built = clusters("sidecar", documents, MeshConfig::with_defaults());
        let localities = &built["outbound|80||api.example.com"].localities;
        localities.iter().map(|(locality, priority, _)| (locality.to_string(), *priority)).collect()
    };
    // The proxy's own locality is unknown, so both regions are equally far.
    assert_eq!(priorities(documents), [("east/1".to_owned(), 0), ("west/1".to_owned(), 0)]);
    let to_west = documents.replace(
        "outlierDetection: {}",
        "outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: '', to: west}]}}",
    );
    assert_eq!(priorities(&to_west), [("east/1".to_owned(), 1), ("west/1".to_owned(), 0)]);
}

#[test]
fn an_inbound_cluster_follows_the_port_of_the_workload() {
    let documents = SERVICE.replace("clusterIP: 10.9.0.1", "clusterIP: 10.9.0.1\n  selector: {app: web}");
    let built = clusters("sidecar", &documents, MeshConfig::with_defaults());
    assert_eq!(built["inbound|8080||"].discovery, Discovery::OriginalDst);
    assert!(built["inbound|8080||"].source_address.is_some());
    assert!(built.contains_key("inbound|5432||") && !built.contains_key("inbound|80||"));
}

#[test]
fn auto_passthrough_gateways_get_clusters_by_server_name_without_tls() {
    let gateway = "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: east-west, namespace: a}
spec:
  servers: [{port: {number: 15443, name: tls, protocol: TLS}, hosts: ['*.local'], tls: {mode: AUTO_PASSTHROUGH}}]
";
    let built = clusters("gateway", &format!("{SERVICE}{gateway}"), MeshConfig::with_defaults());
    let cluster = &built[&super::names::sni(80, "", "db.a.svc.cluster.local")];
    assert!(tls(cluster).is_none());
    // None of its endpoints speaks mesh mTLS.
    assert!(cluster.endpoints.is_empty());
}

const ENTRY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vm, namespace: a}
spec:
  hosts: [vm.example.com]
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 81, name: two, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.1.0.1, serviceAccount: vm, labels: {app: vm}}]
";

fn marks(policy: &str) -> (bool, bool) {
    let documents = format!(
        "{ENTRY}---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: p, namespace: a}}
spec: {policy}
"
    );
    let built = clusters("sidecar", &documents, MeshConfig::with_defaults());
    let cluster = &built["outbound|80||vm.example.com"];
    (tls(cluster).is_some(), cluster.endpoints[0].mtls)
}

#[test]
fn a_namespace_that_disables_mtls_is_called_in_plaintext() {
    assert_eq!(marks("{mtls: {mode: STRICT}}"), (true, true));
    assert_eq!(marks("{mtls: {mode: DISABLE}}"), (false, false));
}

#[test]
fn a_workload_that_disables_mtls_only_loses_its_mark() {
    let policy = "selector: {matchLabels: {app: vm}}, mtls: {mode: STRICT}";
    let on = |port: u16| marks(&format!("{{{policy}, portLevelMtls: {{{port}: {{mode: DISABLE}}}}}}"));
    assert_eq!(on(80), (true, false));
    assert_eq!(on(81), (true, true));
}

#[test]
fn t_313_draining_endpoints_stay_where_the_service_keeps_sessions_by_cookie() {
    let health = |service_labels: &str, pod_labels: &str| {
        let documents = format!(
            "{}---
apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: a, labels: {{app: db, {pod_labels}}}}}
status: {{podIP: 10.0.0.3}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: db-2, namespace: a, labels: {{kubernetes.io/service-name: db}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}, {{name: tcp-sql, port: 5432}}]
endpoints: [{{addresses: [10.0.0.3], targetRef: {{kind: Pod, name: p, namespace: a}}}}, {{addresses: [10.0.0.4], conditions: {{ready: false, serving: true, terminating: true}}}}]
",
            SERVICE.replace("{name: db, namespace: a}", &format!("{{name: db, namespace: a, labels: {{{service_labels}}}}}"))
        );
        let built = clusters("sidecar", &documents, MeshConfig::with_defaults());
        let cluster = db(&built, 80, "");
        ["10.0.0.1:8080", "10.0.0.3:8080", "10.0.0.4:8080"].map(|address| {
            let found = cluster.endpoints.iter().find(|it| &*it.address == address)?;
            Some((found.healthy, found.draining))
        })
    };
    let (up, draining) = (Some((true, false)), Some((false, true)));
    assert_eq!(health("", ""), [up, up, None]);
    assert_eq!(health("istio.io/persistent-session: cookie", ""), [up, up, draining]);
    // By header the endpoint counts as draining, and only sessions by cookie keep it.
    assert_eq!(health("istio.io/persistent-session-header: x", ""), [up, up, None]);
    assert_eq!(health("", "istio.io/draining: 'yes'"), [up, None, None]);
    assert_eq!(
        health("istio.io/persistent-session: c", "istio.io/draining: 'yes'"),
        [up, draining, draining]
    );
}

#[test]
fn t_461_clusters_that_are_looked_up_have_the_rate_of_the_mesh_where_it_is_not_istios() {
    let documents = format!(
        "{SERVICE}---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: api, namespace: a}}\n\
         spec: {{hosts: [api.example], resolution: DNS, ports: [{{number: 80, name: http, protocol: HTTP}}]}}\n"
    );
    for (written, wanted) in
        [("{}", None), (r#"{"dnsRefreshRate": "60s"}"#, None), (r#"{"dnsRefreshRate": "5s"}"#, Some(5_000))]
    {
        let mesh = MeshConfig::with_defaults().overlay(serde_json::from_str(written).unwrap());
        let built = clusters("sidecar", &documents, mesh);
        let api = &built[&super::names::outbound(80, "", "api.example")];
        assert_eq!((api.discovery, api.dns_refresh_ms), (Discovery::StrictDns, wanted), "{written}");
        assert_eq!(db(&built, 80, "").dns_refresh_ms, None, "nobody looks it up");
    }
}
