//! What labels tell of the workload on the other side.

use std::sync::Arc;

use mesh_compile::workload_names::WorkloadNames;

use super::*;
use crate::telemetry::peer::Peer;
use crate::telemetry::record::Principals;

const SIDE: [&str; 8] = [
    "workload",
    "workload_namespace",
    "principal",
    "app",
    "version",
    "canonical_service",
    "canonical_revision",
    "cluster",
];

/// The labels of one side of a request, in the order of [`SIDE`].
fn side(record: &Record, side: &str) -> String {
    let metrics = metrics();
    metrics.finished(record);
    let [(labels, _)] = &values(&metrics, "istio_requests_total")[..] else { panic!() };
    let of = |name: &&str| label(labels, &format!("{side}_{name}")).unwrap_or("-").to_owned();
    SIDE.iter().map(of).collect::<Vec<_>>().join(" ")
}

fn cart() -> Option<Arc<Peer>> {
    let text = |text: &str| Box::from(text);
    Some(Arc::new(Peer {
        instance: text("cart-1"),
        workload: text("cart"),
        namespace: text("shop"),
        cluster: text("east"),
        service: text("carts"),
        revision: text("v2"),
        app: text("cart-app"),
        version: text("2"),
        identity: text("spiffe://d/ns/said/sa/said"),
        ..Peer::default()
    }))
}

#[test]
fn s_361_a_server_knows_its_client_by_certificate_and_by_what_it_says() {
    let mut record = request(Direction::Inbound);
    assert_eq!(side(&record, "source"), "unknown unknown unknown unknown unknown unknown latest unknown");
    record.downstream_peer = cart();
    // Nobody vouches for the identity that a client says it has.
    assert_eq!(side(&record, "source"), "cart shop unknown cart-app 2 carts v2 east");
    record.peer_principal = Some("spiffe://d/ns/proven/sa/cart".to_owned());
    assert_eq!(side(&record, "source"), "cart proven spiffe://d/ns/proven/sa/cart cart-app 2 carts v2 east");
    // It shows no certificate itself.
    assert_eq!(side(&record, "destination"), "web-0 shop unknown web v1 web v1 c1");
    record.own_principal = Some("spiffe://d/ns/shop/sa/web".into());
    assert_eq!(side(&record, "destination"), "web-0 shop spiffe://d/ns/shop/sa/web web v1 web v1 c1");
}

#[test]
fn s_361_a_client_knows_its_upstream_by_what_it_says_and_else_by_the_configuration() {
    let mut record = request(Direction::Outbound);
    assert_eq!(
        side(&record, "destination"),
        "unknown unknown unknown unknown unknown unknown latest unknown"
    );
    let names = WorkloadNames {
        workload: "stated".into(),
        namespace: "here".into(),
        service: "stated-service".into(),
        revision: "".into(),
        cluster: "west".into(),
    };
    record.upstream_workload = Some(Arc::new(names));
    let stated = "stated here unknown unknown unknown stated-service latest west";
    assert_eq!(side(&record, "destination"), stated);
    record.upstream_peer = cart();
    assert_eq!(side(&record, "destination"), "cart said spiffe://d/ns/said/sa/said cart-app 2 carts v2 east");
    let ends = Principals {
        own: Some("spiffe://d/ns/shop/sa/web".into()),
        peer: Some("spiffe://d/ns/proven/sa/x".into()),
    };
    record.upstream_principals = Some(Arc::new(ends));
    assert_eq!(
        side(&record, "destination"),
        "cart proven spiffe://d/ns/proven/sa/x cart-app 2 carts v2 east"
    );
    assert_eq!(side(&record, "source"), "web-0 shop spiffe://d/ns/shop/sa/web web v1 web v1 c1");
}

#[test]
fn s_360_mutual_tls_is_told_where_both_ends_are_known() {
    let policy = |peer: Option<&str>, own: Option<&str>| {
        let mut record = request(Direction::Inbound);
        record.peer_principal = peer.map(str::to_owned);
        record.own_principal = own.map(Arc::from);
        let metrics = metrics();
        metrics.finished(&record);
        let [(labels, _)] = &values(&metrics, "istio_requests_total")[..] else { panic!() };
        label(labels, "connection_security_policy").map(str::to_owned).unwrap()
    };
    assert_eq!(policy(None, None), "none");
    assert_eq!(policy(Some("spiffe://d/ns/a/sa/b"), None), "none");
    assert_eq!(policy(None, Some("spiffe://d/ns/a/sa/b")), "none");
    assert_eq!(policy(Some("spiffe://d/ns/a/sa/b"), Some("spiffe://d/ns/c/sa/d")), "mutual_tls");
}

#[test]
fn pods_of_one_workload_are_one_series() {
    let metrics = metrics();
    for number in 0..100 {
        let mut record = request(Direction::Inbound);
        let pod = Peer { instance: format!("cart-{number}").into(), ..Peer::clone(&cart().unwrap()) };
        let zone = format!("zone-{}", number % 3).into();
        record.downstream_peer = Some(Arc::new(Peer { zone, ..pod }));
        metrics.finished(&record);
    }
    assert_eq!(metrics.inner.state.lock().unwrap().known.len(), 1);
    assert!(matches!(&values(&metrics, "istio_requests_total")[..], [(_, count)] if *count == 100.0));
    // What a label tells makes another one.
    for change in 0..8 {
        let mut peer = Peer::clone(&cart().unwrap());
        let Peer { workload, namespace, cluster, service, revision, app, version, identity, .. } = &mut peer;
        let told = [workload, namespace, cluster, service, revision, app, version, identity];
        *told.into_iter().nth(change).unwrap() = "other".into();
        let mut record = request(Direction::Outbound);
        record.upstream_peer = Some(Arc::new(peer));
        metrics.finished(&record);
    }
    let all = values(&metrics, "istio_requests_total");
    assert_eq!(all.len(), 9, "{all:?}");
}

#[test]
fn x08_clients_that_prove_nothing_do_not_use_up_the_series_of_those_who_do() {
    let metrics = metrics();
    let client = |number: usize, principal: Option<&str>| {
        let mut record = request(Direction::Inbound);
        let workload = format!("made-up-{number}").into();
        record.downstream_peer = Some(Arc::new(Peer { workload, ..Peer::clone(&cart().unwrap()) }));
        record.peer_principal = principal.map(str::to_owned);
        record
    };
    // As text so many series are hundreds of megabytes.
    let labels = || -> Vec<Arc<str>> {
        metrics.inner.families.counters[0].series().into_iter().map(|(labels, _)| labels).collect()
    };
    for number in 0..SERIES_MAX + 10 {
        metrics.finished(&client(number, None));
    }
    // The last of them are all one unknown client.
    let all = labels();
    assert_eq!(all.len(), UNPROVEN_MAX + 1);
    assert!(all.iter().any(|labels| labels.contains("source_workload=\"unknown\"")));
    metrics.finished(&client(SERIES_MAX + 7, Some("spiffe://d/ns/shop/sa/cart")));
    let proven = format!("source_workload=\"made-up-{}\"", SERIES_MAX + 7);
    assert_eq!(labels().iter().filter(|labels| labels.contains(&proven)).count(), 1);
    assert!(!labels().iter().any(|labels| labels.contains("overflow")));
}
