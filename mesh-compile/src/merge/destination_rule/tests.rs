use super::*;
use crate::snapshot::MeshSnapshot;
use crate::testing::{aged, resolve, resolve_with, service, sidecar};
use crate::view::View;

fn rule(namespace: &str, name: &str, minute: u32, spec: &str) -> String {
    aged("DestinationRule", namespace, name, minute, spec)
}

/// Name, subsets and simple load balancer of the rule that `app` in `namespace` sees for `reviews` in `shop`.
fn seen(snapshot: &MeshSnapshot, namespace: &str, app: &str) -> Option<String> {
    let proxy = sidecar(namespace, app);
    let view = View::new(snapshot, &proxy);
    let found = view.destination_rule("reviews.shop.svc.cluster.local", "shop")?;
    let subsets: Vec<_> = found.spec.subsets.iter().map(|subset| subset.name.as_str()).collect();
    let policy = found.policy_origin.as_ref().and_then(Origin::object).map_or("-", |object| &object.name);
    assert_eq!(found.subset_origins.len(), found.spec.subsets.len());
    Some(format!("{}[{}]{policy}", found.name, subsets.join(",")))
}

fn mesh(rules: &[String]) -> MeshSnapshot {
    resolve(&(service("shop", "reviews") + &rules.concat()))
}

const PLAIN: &str = "{host: reviews, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v1}]}";

#[test]
fn t_226_rules_of_one_host_fold_into_the_oldest() {
    let snapshot = mesh(&[
        rule(
            "shop",
            "young",
            3,
            "{host: reviews, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v1}, {name: v3}]}",
        ),
        rule("shop", "old", 1, "{host: reviews, subsets: [{name: v1}, {name: v2}]}"),
    ]);
    assert_eq!(seen(&snapshot, "shop", "a").as_deref(), Some("old[v1,v2,v3]young"));
    let proxy = sidecar("shop", "a");
    let view = View::new(&snapshot, &proxy);
    let found = view.destination_rule("reviews.shop.svc.cluster.local", "shop").unwrap();
    let places: Vec<_> = found.subset_origins.iter().map(ToString::to_string).collect();
    assert!(places[2].starts_with("DestinationRule shop/young spec.subsets[1]"), "{}", places[2]);
    assert_eq!(found.from.len(), 2);
}

#[test]
fn t_227_unlike_export_to_keeps_rules_apart_and_the_last_one_is_used() {
    let snapshot = mesh(&[
        rule("shop", "old", 1, PLAIN),
        rule("shop", "young", 2, "{host: reviews, exportTo: ['*'], subsets: [{name: v2}]}"),
    ]);
    assert_eq!(seen(&snapshot, "shop", "a").as_deref(), Some("young[v2]-"));
    assert_eq!(seen(&snapshot, "other", "a").as_deref(), Some("young[v2]-"));
}

#[test]
fn t_226_a_wider_export_folds_into_the_narrower() {
    let snapshot = mesh(&[
        rule("shop", "old", 1, "{host: reviews, exportTo: [a], subsets: [{name: v1}]}"),
        rule("shop", "young", 2, "{host: reviews, exportTo: [a, b], subsets: [{name: v2}]}"),
    ]);
    assert_eq!(seen(&snapshot, "a", "a").as_deref(), Some("old[v1,v2]-"));
    // By the rule as it is written, without selectors the wider rule is not kept (T-226, point 2).
    assert_eq!(seen(&snapshot, "b", "a"), None);
}

#[test]
fn t_224_a_selector_decides_for_its_workloads_and_not_for_servers() {
    let snapshot = mesh(&[
        rule("shop", "general", 1, PLAIN),
        rule(
            "shop",
            "special",
            2,
            "{host: reviews, workloadSelector: {matchLabels: {app: web}}, subsets: [{name: s}]}",
        ),
    ]);
    assert_eq!(seen(&snapshot, "shop", "web").as_deref(), Some("special[s]-"));
    assert_eq!(seen(&snapshot, "shop", "db").as_deref(), Some("general[v1]general"));
    assert_eq!(seen(&snapshot, "other", "web").as_deref(), Some("general[v1]general"));
    let proxy = sidecar("shop", "web");
    let view = View::new(&snapshot, &proxy);
    let inbound = view.inbound_destination_rule("reviews.shop.svc.cluster.local", "shop").unwrap();
    assert_eq!(&*inbound.name, "general");
}

#[test]
fn t_227_a_private_rule_disappears_in_a_selector_rule() {
    let snapshot = mesh(&[
        rule("shop", "general", 1, "{host: reviews, exportTo: [.], subsets: [{name: v1}]}"),
        rule(
            "shop",
            "special",
            2,
            "{host: reviews, workloadSelector: {matchLabels: {app: web}}, subsets: [{name: s}]}",
        ),
    ]);
    assert_eq!(seen(&snapshot, "shop", "web").as_deref(), Some("special[s,v1]-"));
    assert_eq!(seen(&snapshot, "shop", "db"), None);
}

#[test]
fn t_220_the_clients_namespace_comes_before_the_services_and_the_root() {
    let snapshot = mesh(&[
        rule("istio-system", "root", 1, "{host: '*.local', subsets: [{name: r}]}"),
        rule("shop", "owner", 1, PLAIN),
        rule("client", "wide", 1, "{host: '*.local', subsets: [{name: c}]}"),
        rule("private", "hidden", 1, "{host: '*.local', exportTo: [elsewhere]}"),
    ]);
    // T-221 (a): a wildcard of the client beats an exact rule of the owner.
    assert_eq!(seen(&snapshot, "client", "a").as_deref(), Some("wide[c]-"));
    assert_eq!(seen(&snapshot, "other", "a").as_deref(), Some("owner[v1]owner"));
    assert_eq!(seen(&snapshot, "private", "a").as_deref(), Some("owner[v1]owner"));
    // T-221 (c): the root's public rule does not hide the owner's from the root's own clients.
    assert_eq!(seen(&snapshot, "istio-system", "a").as_deref(), Some("owner[v1]owner"));
}

#[test]
fn t_221_the_root_is_asked_when_the_owner_exports_nothing_to_the_client() {
    let snapshot = mesh(&[
        rule("istio-system", "root", 1, "{host: '*.local', subsets: [{name: r}]}"),
        rule("shop", "owner", 1, "{host: reviews, exportTo: [friend], subsets: [{name: o}]}"),
        rule("shop", "wide", 1, "{host: '*.shop.svc.cluster.local', subsets: [{name: w}]}"),
    ]);
    assert_eq!(seen(&snapshot, "friend", "a").as_deref(), Some("owner[o]-"));
    // (b) The most specific host is taken first: no fall-back to the owner's wider rule.
    assert_eq!(seen(&snapshot, "other", "a").as_deref(), Some("root[r]-"));
}

#[test]
fn e_041_a_private_rule_does_not_shadow_a_wider_public_one() {
    let snapshot = mesh(&[
        rule("shop", "owner", 1, "{host: reviews, exportTo: [.], subsets: [{name: o}]}"),
        rule("shop", "wide", 1, "{host: '*.shop.svc.cluster.local', subsets: [{name: w}]}"),
    ]);
    assert_eq!(seen(&snapshot, "other", "a").as_deref(), Some("wide[w]-"));
    assert_eq!(seen(&snapshot, "shop", "a").as_deref(), Some("owner[o]-"));
}

#[test]
fn t_026_of_the_meshs_default_only_the_dot_counts() {
    let yaml = service("shop", "reviews") + &rule("shop", "owner", 1, PLAIN);
    for (default, outside) in [("[\".\"]", false), ("[\"elsewhere\"]", true)] {
        let mesh = format!("{{\"defaultDestinationRuleExportTo\": {default}}}");
        let (snapshot, _) = resolve_with(&mesh, &yaml);
        assert_eq!(seen(&snapshot, "other", "a").is_some(), outside, "{default}");
        assert!(seen(&snapshot, "shop", "a").is_some());
    }
}

#[test]
fn e_030_hosts_are_compared_with_case() {
    let snapshot = mesh(&[rule("shop", "owner", 1, "{host: REVIEWS, subsets: [{name: v1}]}")]);
    assert_eq!(seen(&snapshot, "shop", "a"), None);
}
