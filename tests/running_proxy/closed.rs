//! Security resources that turn bad in their files: what was good stays in force, and what never was refuses.

use std::path::PathBuf;
use std::time::Duration;

use mesh::proxy_core::runtime::files::Files;
use mesh::proxy_core::runtime::follow::FollowCounts;
use mesh::proxy_core::runtime::metrics::Metrics;
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::config_source::ConfigSource;

use crate::client::{Answer, get};
use crate::fixture::{REVIEWS, start_with};
use crate::tls::SERVER;
use crate::upstream::Upstream;

/// A kind with a specification that opens, one that cannot be understood, and what a client without a certificate and
/// without a token is told where that one is all there ever was: status and body; 0: the connection ends.
const CASES: &[(&str, &str, &str, u16, &str)] = &[
    ("AuthorizationPolicy", "{rules: [{}]}", "{rules: [{to: 5}]}", 403, "RBAC: access denied"),
    ("AuthorizationPolicy", "{rules: [{}]}", "{action: WHATEVER}", 403, "RBAC: access denied"),
    (
        "RequestAuthentication",
        "{jwtRules: [{issuer: i, jwks: '{\"keys\":[]}'}]}",
        "{jwtRules: 5}",
        401,
        "Jwks doesn't have any valid public key",
    ),
    ("PeerAuthentication", "{mtls: {mode: DISABLE}}", "{mtls: {mode: STRIKT}}", 0, ""),
    ("PeerAuthentication", "{mtls: {mode: PERMISSIVE}}", "{mtls: [STRICT]}", 0, ""),
];

/// A folder with a mesh, for policies to be put into, and who reads it as a sidecar.
fn folder(name: &str) -> (PathBuf, Files) {
    let folder = std::env::temp_dir().join(format!("mesh-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let proxy = folder.join("proxy.txt");
    std::fs::write(&proxy, SERVER).unwrap();
    std::fs::write(folder.join("mesh.yaml"), REVIEWS).unwrap();
    let files = Files::open(vec![folder.clone()], None, proxy.to_str().unwrap(), None).unwrap();
    (folder, files)
}

#[tokio::test]
async fn c04_what_turns_bad_keeps_its_last_good_version_and_what_never_was_good_refuses() {
    let (folder, mut files) = folder("closed");
    let file = folder.join("policy.yaml");
    let application = Upstream::start("application").await;
    let running = start_with(
        files.load().unwrap().config,
        &["in:10.0.1.1:9080"],
        &[("10.0.1.1:9080", application.address)],
        Options::default(),
        |builder| builder,
    )
    .await;
    let mut told = async |kind: &str, written: Option<&str>| {
        match written {
            Some(spec) => std::fs::write(
                &file,
                format!("apiVersion: security.istio.io/v1\nkind: {kind}\nmetadata: {{name: x, namespace: shop}}\nspec: {spec}\n"),
            )
            .unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        running.proxy.take(files.load().unwrap());
        let Answer { status, body, .. } = get(running.address(), "reviews:9080", "/x").await;
        (status, body)
    };
    let open = (200, "application".to_owned());
    for (kind, good, bad, status, body) in CASES {
        let closed = (*status, (*body).to_owned());
        assert_eq!(told(kind, Some(bad)).await, closed, "{kind} {bad}: never good");
        assert_eq!(told(kind, Some(good)).await, open, "{kind}: a good version arrives");
        assert_eq!(told(kind, Some(bad)).await, open, "{kind} {bad}: the last good version stays");
        assert_eq!(told(kind, None).await, open, "{kind}: it is gone");
        assert_eq!(told(kind, Some(bad)).await, closed, "{kind} {bad}: there is no good version any more");
        assert_eq!(told(kind, None).await, open, "{kind}: what only refused goes with its file");
    }
    // A version that refuses stays too: nobody opens a workload by breaking what closes it.
    for (kind, refusing, bad, status) in [
        ("AuthorizationPolicy", "{}", "{rules: [{to: 5}]}", 403),
        ("AuthorizationPolicy", "{action: DENY, rules: [{}]}", "{action: AUDIT, rules: [{to: 5}]}", 403),
        ("PeerAuthentication", "{mtls: {mode: STRICT}}", "{mtls: {mode: DISABLED}}", 0),
    ] {
        assert_eq!(told(kind, Some(refusing)).await.0, status, "{kind}");
        assert_eq!(told(kind, Some(bad)).await.0, status, "{kind} {bad}");
        assert_eq!(told(kind, None).await, open, "{kind}: it is gone");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Who watches the proxy sees it: what is wrong, of how many objects an older version is in force, which loads failed.
#[tokio::test]
async fn c04_what_turned_bad_is_seen_at_the_administration_address() {
    let (folder, mut files) = folder("seen");
    let file = folder.join("policy.yaml");
    let running = Proxy::builder(Options::default()).build_loaded(files.load().unwrap());
    let metrics = Metrics::new(files.proxy());
    let admin = running.administer("127.0.0.1:0".parse().unwrap(), Some(metrics)).await.unwrap();
    let counted = async |expected: [(&str, u64); 4]| {
        let text = get(admin, "127.0.0.1", "/metrics").await.body;
        for (name, value) in expected {
            assert!(
                text.lines().any(|line| line == format!("mesh_proxy_{name} {value}")),
                "{name} {value} in {text}"
            );
        }
    };
    let followed = tokio::spawn({
        let running = running.clone();
        async move { running.follow(files).await }
    });
    let put = async |text: &str, seen: FollowCounts| {
        std::fs::write(&file, text).unwrap();
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if running.follow_counts() == seen {
                return;
            }
        }
        panic!("{:?} and not {seen:?}", running.follow_counts());
    };
    let policy = |spec: &str| {
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: x, namespace: shop}}\nspec: {spec}\n"
        )
    };
    let good = FollowCounts { taken: 2, ..FollowCounts::default() };
    put(&policy("{rules: [{}]}"), good).await;
    counted([
        ("config_taken_total", 2),
        ("config_failed_total", 0),
        ("config_errors", 0),
        ("config_kept", 0),
    ])
    .await;
    assert_eq!(get(admin, "127.0.0.1", "/findings").await.body.trim(), "[]");
    put(&policy("{rules: [{to: 5}]}"), FollowCounts { taken: 3, errors: 1, warnings: 1, kept: 1, ..good })
        .await;
    counted([
        ("config_taken_total", 3),
        ("config_failed_total", 0),
        ("config_errors", 1),
        ("config_kept", 1),
    ])
    .await;
    let findings: serde_json::Value =
        serde_json::from_str(&get(admin, "127.0.0.1", "/findings").await.body).unwrap();
    let kept = findings.as_array().unwrap().iter().find(|found| found["code"] == "kept-last-good").unwrap();
    assert!(kept["file"].as_str().unwrap().ends_with("policy.yaml"), "{kept}");
    put("", FollowCounts { taken: 3, failed: 1, errors: 1, warnings: 1, kept: 1 }).await;
    followed.abort();
    std::fs::remove_dir_all(&folder).unwrap();
}
