//! A mesh of N services, N VirtualServices and N DestinationRules: what each stage costs, and what a change costs beside
//! doing everything again.
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, reason = "a bench's own text is well-formed")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use mesh_benches::{host, mesh_text, namespace};
use mesh_compile::compiler::compile;
use mesh_compile::proxy_identity::Proxy;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::{Scope, View};
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

fn sizes() -> Vec<usize> {
    match std::env::var("MESH_SCALE").ok().and_then(|text| text.parse().ok()) {
        Some(size) => vec![size],
        None => vec![1_000, 10_000],
    }
}

fn read(texts: &[String]) -> ConfigSet {
    let mut config = ConfigSet::new();
    for text in texts {
        let options = LoadOptions::default();
        let loaded = load("mesh.yaml", text, &options);
        assert!(loaded.report.is_empty(), "{:?}", loaded.report.iter().next());
        let applied = config.apply(loaded.documents.into_iter().map(Change::Upsert));
        assert!(!applied.report.has_errors(), "{:?}", applied.report.iter().next());
    }
    config
}

fn resolve(config: &ConfigSet) -> MeshSnapshot {
    MeshSnapshot::resolve(config, Arc::new(MeshConfig::with_defaults())).0
}

fn proxy(namespace: &str, number: usize) -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": "sidecar", "namespace": namespace, "name": format!("client-{number}"), "labels": {"app": "client"},
        "ip": format!("10.9.{}.{}", number / 250, number % 250 + 1),
    }))
    .unwrap()
}

fn scale(criterion: &mut Criterion) {
    for size in sizes() {
        let texts = mesh_text(size);
        let config = read(&texts);
        assert_eq!(config.len(), 3 * size);
        let snapshot = resolve(&config);
        let client = proxy(&namespace(0), 0);
        let (compiled, _) = compile(&View::new(&snapshot, &client));
        assert!(compiled.clusters.len() >= 3 * size);
        let table = compiled.route_tables.get("80").unwrap();
        assert!(table.virtual_host(&host(size - 1)).is_some());

        let mut group = criterion.benchmark_group(format!("mesh_scale/{size}"));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        group.bench_function("yaml_to_snapshot", |bench| bench.iter(|| resolve(&read(black_box(&texts)))));
        group.bench_function("resolve", |bench| bench.iter(|| resolve(black_box(&config))));
        group.bench_function("scope", |bench| bench.iter(|| Scope::of(black_box(&snapshot), &client)));
        group.bench_function("first_proxy", |bench| {
            bench.iter(|| compile(&View::new(black_box(&snapshot), &client)));
        });
        group.finish();
    }
}

criterion_group!(benches, scale);
criterion_main!(benches);
