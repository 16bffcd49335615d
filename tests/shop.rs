//! The stories that the bundled mesh tells (`examples/shop/README.md`) are true: each probe has the answer written here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mesh::proxy_core::probe;
use mesh::{Action, Mesh, Proxy, decide};

/// 1 July 2026.
const NOW: i64 = 1_782_864_000;

/// Asks all probes of a file; each must be in the table, and each line of the table must have a probe.
fn check(proxy: impl Fn(&Mesh) -> Option<Proxy>, file: &str, expected: &[(&str, &str)]) {
    let (mesh, _) = Mesh::from_dir("examples/shop").unwrap();
    let (config, report) = mesh.proxy_config(&proxy(&mesh).unwrap());
    assert!(report.is_empty(), "{report:?}");
    let text = std::fs::read_to_string(format!("examples/shop/{file}")).unwrap();
    let answers: Vec<(String, String)> = probe::read(&text)
        .map(|probe| {
            let probe = probe.unwrap();
            let answer = brief(&decide(&config, &probe.query(NOW), &mut ()).action);
            (probe.id, answer)
        })
        .collect();
    let answers: Vec<_> = answers.iter().map(|(id, answer)| (id.as_str(), answer.as_str())).collect();
    assert_eq!(answers, expected);
}

/// The destinations, or the reason and status, in a few words.
fn brief(action: &Action) -> String {
    match action {
        Action::Forward(forward) => {
            let choices: Vec<String> = forward
                .clusters
                .iter()
                .map(|choice| match choice.weight {
                    100 => choice.cluster.to_string(),
                    weight => format!("{weight} {}", choice.cluster),
                })
                .collect();
            let path = forward.http.as_ref().map_or(String::new(), |http| format!(" {}", http.path));
            choices.join(" + ") + &path
        }
        Action::LocalReply(reply) => format!("{} {}", reply.status, reply.reason.as_str()),
        Action::Refuse(reason) => reason.as_str().to_owned(),
    }
}

#[test]
fn the_bundled_mesh_has_no_findings() {
    let (mesh, report) = Mesh::from_dir("examples/shop").unwrap();
    assert!(report.is_empty(), "{report:?}");
    assert_eq!(mesh.config().len(), 33);
}

#[test]
fn stories_of_the_web_tier_are_true() {
    check(
        |mesh| mesh.sidecar("shop", "web-0"),
        "probes.jsonl",
        &[
            ("jason", "outbound|9080|v2|reviews.shop.svc.cluster.local /reviews/7"),
            (
                "everyone",
                "90 outbound|9080|v1|reviews.shop.svc.cluster.local \
                 + 10 outbound|9080|v2|reviews.shop.svc.cluster.local /reviews/7",
            ),
            ("report", "outbound|9080|v2|reviews.shop.svc.cluster.local /reports/2026?page=2"),
            ("database", "outbound|5432||stock.shop.svc.cluster.local"),
            ("ledger", "outbound|9000||ledger.payments.svc.cluster.local /ledger.Ledger/Book"),
            ("unknown", "PassthroughCluster"),
            ("admin-from-web", "403 rbac"),
            ("admin-from-door", "inbound|8080|| /admin/users"),
        ],
    );
}

#[test]
fn stories_of_reviews_are_true() {
    check(
        |mesh| mesh.sidecar("shop", "reviews-v1-0"),
        "probes-reviews.jsonl",
        &[
            ("plaintext", "no_filter_chain"),
            ("web-reads", "inbound|9080|| /reviews/7"),
            ("stock-reads", "403 rbac"),
            ("web-writes", "403 rbac"),
            ("alice-writes", "inbound|9080|| /reviews/7"),
            ("broken-token", "401 jwt"),
            ("admin", "403 rbac"),
        ],
    );
}

#[test]
fn stories_of_the_door_are_true() {
    check(
        |mesh| mesh.gateway("istio-system", "ingress-0"),
        "probes-ingress.jsonl",
        &[
            ("plain", "301 https_redirect"),
            ("start-page", "outbound|80||web.shop.svc.cluster.local /"),
            ("reviews", "outbound|9080||reviews.shop.svc.cluster.local /reviews/7"),
            ("old-catalogue", "302 redirect"),
            ("stranger", "no_filter_chain"),
        ],
    );
}

#[test]
fn stories_of_the_ledger_are_true() {
    check(
        |mesh| mesh.sidecar("payments", "ledger-0"),
        "probes-ledger.jsonl",
        &[
            ("bank", "outbound|443||api.bank.example"),
            ("elsewhere", "blackhole"),
            ("shop", "outbound|80||web.shop.svc.cluster.local /"),
            ("web-books", "inbound|9000|| /ledger.Ledger/Book"),
            ("stock-books", "403 rbac"),
            ("plaintext-books", "no_filter_chain"),
            ("plaintext-metrics", "inbound|8000|| /metrics"),
            ("plaintext-other", "403 rbac"),
        ],
    );
}
