//! What metrics call the service that requests went to.

use mesh_compile::proxy::cluster::ClusterService;

use super::*;

/// `destination_service`, its name and its namespace, as Istio's `istio_stats` has them.
fn service(record: &Record) -> [String; 3] {
    let metrics = metrics();
    metrics.finished(record);
    let [(labels, _)] = &values(&metrics, "istio_requests_total")[..] else { panic!() };
    let of = |name| label(labels, name).unwrap().to_owned();
    ["destination_service", "destination_service_name", "destination_service_namespace"].map(of)
}

#[test]
fn a_destination_is_the_clusters_service_else_what_was_asked_for() {
    let at = |direction, cluster: Option<&str>, route: Option<&str>| {
        let mut record = request(direction);
        record.cluster = cluster.map(Into::into);
        record.route = route.map(Into::into);
        if let Some(request) = &mut record.request {
            request.authority = "asked.example:8080".to_owned();
        }
        record
    };
    let known = |direction, cluster, host: &str, namespace: &str| {
        let mut record = at(direction, Some(cluster), None);
        let name = host.split('.').next().unwrap().into();
        let found = ClusterService { host: host.into(), name, namespace: namespace.into() };
        record.service = Some(Arc::new(found));
        record
    };
    use Direction::{Gateway, Inbound, Outbound};
    for (record, expected) in [
        (known(Inbound, "inbound|8080||", "web.shop.svc.x", "shop"), ["web.shop.svc.x", "web", "shop"]),
        (known(Outbound, "outbound|80||api.bank", "api.bank", "money"), ["api.bank", "api", "money"]),
        (at(Outbound, Some("outbound|80|v1|a.b.svc.x"), None), ["a.b.svc.x", "a", "b"]),
        (at(Gateway, Some("outbound_.80_._.a.b.svc.x"), None), ["a.b.svc.x", "a", "b"]),
        // Without a service: the own workload's, the host that a client of a sidecar asked for, nothing at gateways.
        (at(Inbound, Some("inbound|8080||"), None), ["web", "web", "shop"]),
        (at(Inbound, Some("InboundPassthroughCluster"), None), ["web", "InboundPassthroughCluster", "shop"]),
        (at(Outbound, None, None), ["asked.example:8080", "asked.example:8080", "unknown"]),
        (
            at(Outbound, Some("PassthroughCluster"), Some("allow_any")),
            ["asked.example:8080", "PassthroughCluster", "unknown"],
        ),
        (at(Outbound, None, Some("block_all")), ["asked.example:8080", "BlackHoleCluster", "unknown"]),
        (at(Gateway, None, None), ["unknown"; 3]),
    ] {
        assert_eq!(service(&record), expected, "{record:?}");
    }
}
