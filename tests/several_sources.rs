//! What the commands say where sources contradict each other: clusters, services that want one address, patches.
//!
//! Runs the built example; skipped, with a line that says so, where `cargo build --example mesh` has not been run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "common/program.rs"]
mod program;

use std::path::Path;

use program::{binary, folder, json, run, status, text};

fn cluster(root: &Path, name: &str, timeout: &str) -> String {
    let path = root.join(format!("{name}.yaml"));
    let mesh = format!(
        "apiVersion: v1
kind: Service
metadata: {{name: reviews, namespace: shop}}
spec: {{clusterIP: 10.96.0.20, ports: [{{name: http, port: 9080}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web-0, namespace: shop, labels: {{app: web}}}}
status: {{podIP: 10.1.0.1}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews, namespace: shop}}
spec: {{hosts: [reviews], http: [{{timeout: {timeout}, route: [{{destination: {{host: reviews}}}}]}}]}}
"
    );
    std::fs::write(&path, mesh).unwrap();
    format!("{name}={}", path.display())
}

/// Codes, severities and fields of what `mesh check` finds in files.
fn checked(mesh: &Path, files: &[&str]) -> Vec<(String, String, String)> {
    let arguments = [&["check", "--format", "json"], files].concat();
    let findings = json(&run(mesh, &arguments, ""));
    let cell =
        |finding: &serde_json::Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let list = findings["findings"].as_array().unwrap().iter();
    list.map(|found| (cell(found, "code"), cell(found, "severity"), cell(found, "field"))).collect()
}

#[test]
fn objects_that_clusters_have_in_different_forms_are_told_of() {
    let Some(mesh) = binary() else { return };
    let root = folder("several_clusters");
    let (east, west) = (cluster(&root, "east", "1s"), cluster(&root, "west", "9s"));
    let differs = ("clusters-differ".to_owned(), "warning".to_owned(), "spec".to_owned());
    assert!(checked(&mesh, &[&east, &west]).contains(&differs));
    let same = cluster(&root, "west", "1s");
    assert!(!checked(&mesh, &[&east, &same]).contains(&differs));
}

#[test]
fn a_pod_that_several_clusters_have_is_named_with_its_cluster() {
    let Some(mesh) = binary() else { return };
    let root = folder("several_pods");
    let (east, west) = (cluster(&root, "east", "1s"), cluster(&root, "west", "1s"));
    let explain = |proxy: &str| {
        let arguments = [
            "explain",
            "--config",
            &east,
            "--config",
            &west,
            "--proxy",
            proxy,
            "GET",
            "http://reviews:9080/",
        ];
        run(&mesh, &arguments, "")
    };
    let refused = explain("sidecar:shop/web-0");
    assert_eq!(status(&refused), 2);
    assert!(text(&refused.stderr).contains("sidecar:CLUSTER/shop/web-0"), "{}", text(&refused.stderr));
    assert_eq!(status(&explain("sidecar:west/shop/web-0")), 0);
    assert_eq!(status(&explain("sidecar:north/shop/web-0")), 2);
}

const CONTESTED: &str = "apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
status: {podIP: 10.0.1.10}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: first, namespace: shop, creationTimestamp: '2024-01-01T00:00:00Z'}
spec: {hosts: [one.test], addresses: [240.0.0.1], ports: [{name: tcp, number: 5432, protocol: TCP}], resolution: STATIC, endpoints: [{address: 1.1.1.1}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: second, namespace: shop, creationTimestamp: '2024-01-02T00:00:00Z'}
spec: {hosts: [two.test], addresses: [240.0.0.1], ports: [{name: tcp, number: 5432, protocol: TCP}], resolution: STATIC, endpoints: [{address: 2.2.2.2}]}
";

#[test]
fn services_that_want_one_address_are_told_of_by_check_and_show() {
    let Some(mesh) = binary() else { return };
    let path = folder("contested").join("mesh.yaml");
    std::fs::write(&path, CONTESTED).unwrap();
    let path = path.display().to_string();
    let conflict = ("listener-conflict".to_owned(), "warning".to_owned(), "spec.ports[0]".to_owned());
    assert!(checked(&mesh, &[&path]).contains(&conflict));
    let shown = run(&mesh, &["show", "listeners", "--config", &path, "--proxy", "sidecar:shop/web-0"], "");
    let said = text(&shown.stderr);
    assert!(said.contains("listener-conflict") && said.contains("shop/first"), "{said}");
    std::fs::write(&path, CONTESTED.replacen("240.0.0.1", "240.0.0.2", 1)).unwrap();
    assert!(!checked(&mesh, &[&path]).contains(&conflict));
}

#[test]
fn check_remarks_on_patches_that_are_not_applied() {
    let Some(mesh) = binary() else { return };
    let path = folder("not_applied").join("mesh.yaml");
    let patch = |value: &str| {
        format!(
            "apiVersion: v1
kind: Service
metadata: {{name: reviews, namespace: shop}}
spec: {{clusterIP: 10.96.0.20, ports: [{{name: http, port: 9080}}]}}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: filters, namespace: shop}}
spec:
  configPatches:
  - applyTo: HTTP_FILTER
    match: {{context: SIDECAR_OUTBOUND, listener: {{filterChain: {{filter: {{name: envoy.filters.network.http_connection_manager}}}}}}}}
    patch: {{operation: INSERT_FIRST, value: {value}}}
"
        )
    };
    let lua = "{name: lua, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, inlineCode: x}}";
    let buffer = "{name: buffer, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, maxRequestBytes: 5}}";
    for (value, expected) in [(lua, 1), (buffer, 0)] {
        std::fs::write(&path, patch(value)).unwrap();
        let found = checked(&mesh, &[&path.display().to_string()]);
        let remarks =
            found.iter().filter(|(code, severity, _)| code == "patch-not-applied" && severity == "info");
        assert_eq!(remarks.count(), expected, "{value}: {found:?}");
    }
}
