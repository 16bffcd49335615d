//! Requests at a proxy that has every kind of match, rewrite and policy: method, authority, path with query, then a
//! header a line (cookies among them). The trace never changes the decision.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use mesh_compile::compiler::compile;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};
use mesh_proxy_core::decide::{decide, explain};
use mesh_proxy_core::decision::Decision;
use mesh_proxy_core::probe;

static CONFIG: LazyLock<ProxyConfig> = LazyLock::new(|| {
    let documents = load("mesh.yaml", include_str!("../mesh.yaml"), &LoadOptions::default()).documents;
    let mut set = ConfigSet::new();
    let applied = set.apply(documents.into_iter().map(Change::Upsert));
    assert!(!applied.report.has_errors(), "{:?}", applied.report);
    let (snapshot, _) = MeshSnapshot::resolve(&set, Arc::new(MeshConfig::with_defaults()));
    let proxy = serde_json::from_str(
        r#"{"type":"sidecar","namespace":"a","name":"w","labels":{"app":"w"},"ip":"10.0.0.1","service_account":"w"}"#,
    );
    compile(&View::new(&snapshot, &proxy.expect("a proxy"))).0
});

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let (method, authority, path) = (lines.next(), lines.next(), lines.next());
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    for (direction, address, port) in [("outbound", "10.96.0.20", 9080), ("inbound", "10.0.0.1", 8080)] {
        let probe = serde_json::json!({
            "id": "p", "direction": direction, "conn": {"dst_ip": address, "dst_port": port},
            "http": {"method": method.unwrap_or("GET"), "authority": authority.unwrap_or("w"),
                "path": path.unwrap_or("/"), "headers": headers}
        });
        for probe in probe::read(&probe.to_string()).flatten() {
            let query = probe.query(1_000);
            let decision = decide(&CONFIG, &query, &mut ());
            let explained = explain(&CONFIG, &query).0;
            assert_eq!(decision, Decision { why: Vec::new(), ..explained });
        }
    }
});
