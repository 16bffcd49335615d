//! Key sets and tokens: any text as a JWKS, any text as a token, together through RequestAuthentication.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use mesh_compile::compiler::compile;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::document::{Document, Source, Span};
use mesh_model::mesh_config::MeshConfig;
use mesh_proxy_core::decide::decide;
use mesh_proxy_core::probe;

static PROXY: LazyLock<mesh_compile::proxy_identity::Proxy> = LazyLock::new(|| {
    serde_json::from_str(
        r#"{"type":"sidecar","namespace":"a","name":"w","labels":{},"ip":"10.0.0.1","service_account":"w"}"#,
    )
    .expect("a proxy")
});

fn document(json: serde_json::Value) -> Arc<Document> {
    let source = Source { file: "f".into(), cluster: "Kubernetes".into() };
    Arc::new(Document::from_json(source, 0, &json, Span::default()))
}

fuzz_target!(|text: &str| {
    let (token, jwks) = text.split_once('\n').unwrap_or((text, r#"{"keys":[]}"#));
    let mut set = ConfigSet::new();
    set.apply([
        Change::Upsert(document(serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "w", "namespace": "a"}, "status": {"podIP": "10.0.0.1"}
        }))),
        Change::Upsert(document(serde_json::json!({
            "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": {"name": "r", "namespace": "a"},
            "spec": {"jwtRules": [{"issuer": "i", "jwks": jwks}]}
        }))),
    ]);
    let (snapshot, _) = MeshSnapshot::resolve(&set, Arc::new(MeshConfig::with_defaults()));
    let (config, _) = compile(&View::new(&snapshot, &PROXY));
    let line = serde_json::json!({
        "id": "p", "direction": "inbound", "conn": {"dst_port": 80, "dst_ip": "10.0.0.1"},
        "http": {"authority": "a", "path": "/", "headers": {"authorization": format!("Bearer {token}")}}
    });
    for probe in probe::read(&line.to_string()).flatten() {
        drop(decide(&config, &probe.query(1_000), &mut ()));
    }
});
