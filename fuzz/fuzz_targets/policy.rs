//! Values of an AuthorizationPolicy, a line each, in every place that takes a pattern; then a request that ends in the last line. An
//! added DENY never turns a refusal into a permission, and the trace never changes the decision.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use mesh_compile::compiler::compile;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::document::{Document, Source, Span};
use mesh_model::mesh_config::MeshConfig;
use mesh_proxy_core::decide::{decide, explain};
use mesh_proxy_core::decision::{Action, Decision};
use mesh_proxy_core::probe;
use serde_json::{Value, json};

static PROXY: LazyLock<mesh_compile::proxy_identity::Proxy> = LazyLock::new(|| {
    serde_json::from_str(
        r#"{"type":"sidecar","namespace":"a","name":"w","labels":{},"ip":"10.0.0.1","service_account":"w"}"#,
    )
    .expect("a proxy")
});

fn policy(name: &str, action: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": name, "namespace": "a"},
        "spec": {"action": action, "rules": rules}
    })
}

fn proxy_with(objects: &[Value]) -> ProxyConfig {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "w", "namespace": "a"}, "status": {"podIP": "10.0.0.1"}});
    let mut set = ConfigSet::new();
    let source = Source { file: "f".into(), cluster: "Kubernetes".into() };
    let documents = [&pod].into_iter().chain(objects).enumerate();
    let documents = documents
        .map(|(index, json)| Arc::new(Document::from_json(source.clone(), index, json, Span::default())));
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    set.apply_with(documents.map(Change::Upsert), options);
    let (snapshot, _) = MeshSnapshot::resolve(&set, Arc::new(MeshConfig::with_defaults()));
    compile(&View::new(&snapshot, &PROXY)).0
}

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or("*").to_owned();
    let allow = json!([
        {"to": [{"operation": {"paths": [next()], "notPaths": [next()], "methods": ["*"]}}]},
        {"to": [{"operation": {"hosts": [next()], "ports": [next()]}}]},
    ]);
    let deny = json!([
        {"from": [{"source": {"principals": [next()]}}]},
        {"from": [{"source": {"namespaces": [next()]}}]},
        {"from": [{"source": {"serviceAccounts": [next()]}}]},
        {"from": [{"source": {"ipBlocks": [next()]}}]},
        {"when": [{"key": next(), "values": [next()]}]},
    ]);
    let line = json!({
        "id": "p", "direction": "inbound",
        "conn": {"dst_port": 80, "dst_ip": "10.0.0.1", "tls": {"sni": "w", "alpn": ["istio"], "peer": next()}},
        "http": {"authority": next(), "path": next(), "headers": [["x-a", next()]]}
    });
    let allow = policy("allow", "ALLOW", &allow);
    let fewer = proxy_with(std::slice::from_ref(&allow));
    let more = proxy_with(&[allow, policy("deny", "DENY", &deny)]);
    for probe in probe::read(&line.to_string()).flatten() {
        let query = probe.query(1_000);
        let (before, after) = (decide(&fewer, &query, &mut ()), decide(&more, &query, &mut ()));
        if matches!(after.action, Action::Forward(_)) {
            assert!(matches!(before.action, Action::Forward(_)), "a DENY let something in");
        }
        let explained = explain(&more, &query).0;
        assert_eq!(after, Decision { why: Vec::new(), ..explained });
    }
});
