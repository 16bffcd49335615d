use proptest::prelude::*;

use super::*;
use crate::compiler::compile;
use crate::proxy::clusters::policy;
use crate::testing::{istio, resolve, resolve_with, service, sidecar};

const WHOLE: &str = "outbound|80||web.shop.svc.cluster.local";
const SUBSET: &str = "outbound|80|v1|web.shop.svc.cluster.local";

fn pool(number: u32) -> String {
    format!("connectionPool: {{tcp: {{maxConnections: {number}}}}}")
}

fn rule(namespace: &str, name: &str, spec: &str) -> String {
    istio("DestinationRule", namespace, name, spec)
}

/// What a client in `namespace` is told about a cluster.
fn told(mesh: &str, yaml: &str, namespace: &str, name: &str) -> Option<TrafficPolicyLayers> {
    let (snapshot, _) = resolve_with(mesh, &(service("shop", "web") + yaml));
    let proxy = sidecar(namespace, "client");
    of_cluster(&View::new(&snapshot, &proxy), name)
}

#[test]
fn t_233_a_nearer_block_remembers_the_wider_ones() {
    let spec = format!(
        "{{host: web, trafficPolicy: {{{}, portLevelSettings: [{{port: {{number: 80}}, {}}}]}}, \
         subsets: [{{name: v1, trafficPolicy: {{{}}}}}]}}",
        pool(1),
        pool(2),
        pool(3)
    );
    let yaml = rule("shop", "r", &spec);
    let mesh = r#"{"defaultTrafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 4}}}}"#;
    let levels = |name: &str| {
        let told = told(mesh, &yaml, "shop", name).unwrap();
        let block = told.blocks.get("connectionPool").unwrap().clone();
        let number = |it: &Layer<Option<Value>>| {
            let value = it.value.as_ref().unwrap();
            (
                it.level,
                value["tcp"]["maxConnections"].as_u64().unwrap(),
                it.origin.place().map(|(_, line, _)| line),
            )
        };
        block.layers().map(number).collect::<Vec<_>>()
    };
    let line = levels(WHOLE)[0].2;
    assert!(line.is_some());
    let wider = [(Level::HostPort, 2, line), (Level::Host, 1, line), (Level::Mesh, 4, None)];
    assert_eq!(levels(WHOLE), wider);
    assert_eq!(levels(SUBSET), [&[(Level::Subset, 3, line)], &wider[..]].concat());
}

#[test]
fn t_220_rules_that_were_not_asked_stand_behind_the_one_that_was() {
    let yaml = [
        rule("shop", "of-service", "{host: web.shop.svc.cluster.local}"),
        rule("istio-system", "of-root", "{host: '*.shop.svc.cluster.local'}"),
        rule("desk", "own", "{host: web.shop.svc.cluster.local}"),
        rule("desk", "own-wildcard", "{host: '*.shop.svc.cluster.local'}"),
        rule(
            "desk",
            "for-client",
            "{host: web.shop.svc.cluster.local, workloadSelector: {matchLabels: {app: client}}}",
        ),
        rule(
            "desk",
            "for-another",
            "{host: web.shop.svc.cluster.local, workloadSelector: {matchLabels: {app: other}}}",
        ),
        rule("elsewhere", "not-ours", "{host: web.shop.svc.cluster.local}"),
    ]
    .concat();
    let seen = |namespace: &str| {
        let told = told("{}", &yaml, namespace, WHOLE).unwrap();
        let rule = told.rule.unwrap();
        rule.layers().map(|it| format!("{} {}", it.level, it.value)).collect::<Vec<_>>()
    };
    assert_eq!(
        seen("desk"),
        [
            "workload desk/for-client",
            "namespace desk/own",
            "namespace desk/own-wildcard",
            "namespace of the service shop/of-service",
            "root namespace istio-system/of-root",
        ]
    );
    assert_eq!(
        seen("nowhere"),
        ["namespace of the service shop/of-service", "root namespace istio-system/of-root"]
    );
}

#[test]
fn t_226_what_folding_loses_is_told() {
    let yaml =
        rule("shop", "a", &format!("{{host: web, trafficPolicy: {{{}}}, subsets: [{{name: v1}}]}}", pool(1)))
            + &rule(
                "shop",
                "b",
                &format!(
                    "{{host: web, trafficPolicy: {{{}}}, subsets: [{{name: v1}}, {{name: v2}}]}}",
                    pool(2)
                ),
            );
    let told = told("{}", &yaml, "shop", WHOLE).unwrap();
    let lost: Vec<_> =
        told.lost_in_merging.iter().map(|it| (it.object().unwrap().name.to_string(), it.field())).collect();
    assert_eq!(lost, [("b".to_owned(), "spec.subsets[0]"), ("b".to_owned(), "spec.trafficPolicy")]);
    assert!(told.shadows_anything());
}

#[test]
fn t_232_a_port_that_says_nothing_hides_what_stands_behind_it() {
    let spec = format!(
        "{{host: web, trafficPolicy: {{{}, portLevelSettings: [{{port: {{number: 80}}}}]}}}}",
        pool(1)
    );
    let told = told("{}", &rule("shop", "r", &spec), "shop", WHOLE).unwrap();
    let block = &told.blocks["connectionPool"];
    assert_eq!((block.value(), block.level()), (&None, Level::HostPort));
    assert_eq!(block.shadowed().len(), 1);
}

#[test]
fn nobody_says_anything_about_the_clusters_of_nobody() {
    let snapshot = resolve(&service("shop", "web"));
    let proxy = sidecar("shop", "client");
    let view = View::new(&snapshot, &proxy);
    assert_eq!(of_cluster(&view, WHOLE), None);
    for name in
        ["outbound|80||gone.shop.svc.cluster.local", "inbound|80||", "outbound|x|", "PassthroughCluster"]
    {
        assert_eq!(of_cluster(&view, name), None, "{name}");
    }
    let (config, _) = compile(&view);
    assert!(of_all(&view, &config).is_empty());
}

/// Which of the four blocks a level speaks of.
fn spoken() -> impl Strategy<Value = Vec<bool>> {
    proptest::collection::vec(any::<bool>(), 5)
}

fn blocks_of(spoken: &[bool], mark: u32) -> String {
    let all = [
        format!("connectionPool: {{tcp: {{maxConnections: {mark}}}}}"),
        format!("outlierDetection: {{maxEjectionPercent: {mark}}}"),
        format!("loadBalancer: {{consistentHash: {{httpHeaderName: h{mark}}}}}"),
        format!("tls: {{mode: SIMPLE, sni: s{mark}}}"),
        format!("retryBudget: {{minRetryConcurrency: {mark}}}"),
    ];
    all.iter()
        .zip(spoken)
        .filter(|(_, is_spoken)| **is_spoken)
        .map(|(text, _)| text.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A level: its plain blocks, and perhaps an entry for the port, which has no retry budget.
fn policy_text(plain: &[bool], entry: Option<&[bool]>, mark: u32) -> String {
    let mut parts = vec![blocks_of(plain, mark)];
    if let Some(entry) = entry {
        let blocks = blocks_of(entry.get(..4).unwrap(), mark + 1);
        parts.push(format!("portLevelSettings: [{{port: {{number: 80}}, {blocks}}}]"));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// What `policy` has at a block: the value as it was written, and where.
fn held<T: Serialize>(block: Option<&policy::Block<'_, T>>) -> Option<(Value, String)> {
    let block = block?;
    Some((serde_json::to_value(block.value).unwrap(), block.origin().to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_holds_is_what_clusters_are_made_from(
        top in spoken(), top_entry in proptest::option::of(spoken()),
        subset in spoken(), subset_entry in proptest::option::of(spoken()),
        mesh_speaks: bool,
    ) {
        let spec = format!(
            "{{host: web, trafficPolicy: {{{}}}, subsets: [{{name: v1, trafficPolicy: {{{}}}}}]}}",
            policy_text(&top, top_entry.as_deref(), 10),
            policy_text(&subset, subset_entry.as_deref(), 20)
        );
        let mesh = if mesh_speaks {
            r#"{"defaultTrafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 4}}, "outlierDetection": {"maxEjectionPercent": 4}}}"#
        } else {
            "{}"
        };
        let (snapshot, _) = resolve_with(mesh, &(service("shop", "web") + &rule("shop", "r", &spec)));
        let proxy = sidecar("shop", "client");
        let view = View::new(&snapshot, &proxy);
        let rule = view.destination_rule("web.shop.svc.cluster.local", "shop").unwrap();
        let default = view.mesh().default_traffic_policy.as_ref();
        let whole = policy::Policy::top(Some(&rule), 80).over_mesh(default);
        let subset = rule.spec.subsets.first().unwrap();
        let origin = rule.subset_origins.first().unwrap();
        let of_subset = whole.under_subset(subset.traffic_policy.as_deref(), origin, 80);
        for (name, policy) in [(WHOLE, &whole), (SUBSET, &of_subset)] {
            let told = of_cluster(&view, name).unwrap();
            let said = |block: &str| {
                let block = told.blocks.get(block)?;
                Some((block.value().clone()?, block.origin().to_string()))
            };
            prop_assert_eq!(said("connectionPool"), held(policy.connection_pool.as_ref()));
            prop_assert_eq!(said("outlierDetection"), held(policy.outlier_detection.as_ref()));
            prop_assert_eq!(said("loadBalancer"), held(policy.load_balancer.as_ref()));
            prop_assert_eq!(said("tls"), held(policy.tls.as_ref()));
            prop_assert_eq!(said("retryBudget"), held(policy.retry_budget.as_ref()));
        }
    }
}
