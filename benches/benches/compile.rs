//! What stands between documents and a proxy's tables, for 10,000 resources of seven kinds (`mesh_text`): typed decode and
//! validation, resolution, and the configuration of one sidecar that sees everything. Then views: sidecars of other
//! namespaces, which see everything too, and such that see their own namespace. What each of them keeps is printed.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "the macros of criterion; a module that benches share"
)]
#![expect(clippy::unwrap_used, reason = "a bench's own text is well-formed")]

mod mesh_text;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mesh_benches::mesh::ProcessorTime;
use mesh_compile::compiler::{Compiler, compile};
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy_identity::Proxy;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::{Scope, View};
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::document::Document;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{Budget, LoadOptions, load};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn documents(count: usize) -> Vec<Arc<Document>> {
    let budget = Budget::default().with_document_bytes(64 << 20).with_nodes(20_000_000);
    let text = mesh_text::stream(&mesh_text::documents(count));
    load("mesh.yaml", &text, &LoadOptions::default().with_budget(budget)).documents
}

fn read(documents: Vec<Arc<Document>>) -> ConfigSet {
    let mut config = ConfigSet::new();
    let applied = config.apply(documents.into_iter().map(Change::Upsert));
    assert!(!applied.report.has_errors(), "{:?}", applied.report.iter().next());
    config
}

fn resolve(config: &ConfigSet) -> MeshSnapshot {
    MeshSnapshot::resolve(config, Arc::new(MeshConfig::with_defaults())).0
}

fn proxy(namespace: &str) -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": "sidecar", "namespace": namespace, "name": "client", "labels": {"app": "client"}, "ip": "10.9.0.1",
    }))
    .unwrap()
}

fn routes(config: &ProxyConfig) -> usize {
    config.route_tables.values().flat_map(|table| &table.virtual_hosts).map(|host| host.routes.len()).sum()
}

fn stages(criterion: &mut Criterion<ProcessorTime>) {
    const COUNT: usize = 10_000;
    let documents = documents(COUNT);
    let config = read(documents.clone());
    let snapshot = resolve(&config);
    let client = proxy("team-0");
    let compiled = compile(&View::new(&snapshot, &client)).0;
    println!(
        "{COUNT} resources: {} clusters, {} virtual hosts' routes in {} tables",
        compiled.clusters.len(),
        routes(&compiled),
        compiled.route_tables.len(),
    );
    let mut group = criterion.benchmark_group(format!("compile/{COUNT}"));
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.bench_function("decode_and_validate", |bench| {
        bench.iter_batched(|| documents.clone(), read, BatchSize::PerIteration);
    });
    group.bench_function("resolve", |bench| bench.iter(|| resolve(black_box(&config))));
    group.bench_function("scope", |bench| bench.iter(|| Scope::of(black_box(&snapshot), &client)));
    group
        .bench_function("compile", |bench| bench.iter(|| compile(&View::new(black_box(&snapshot), &client))));
    group.finish();
}

/// Proxies of ever other namespaces, through the compiler that keeps what it knows.
fn views(criterion: &mut Criterion<ProcessorTime>) {
    const COUNT: usize = 10_000;
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    compiler.apply(documents(COUNT).into_iter().map(Change::Upsert));
    let narrow: String = (0..50)
        .map(|number| {
            format!(
                "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: own, namespace: team-{number}}}\n\
                 spec: {{egress: [{{hosts: ['./*']}}]}}\n"
            )
        })
        .collect();
    let narrow = load("sidecars.yaml", &narrow, &LoadOptions::default()).documents;
    compiler.apply(narrow.into_iter().map(Change::Upsert));
    // Sidecars of the first fifty namespaces see their own, the others see all of them.
    for (kind, namespaces) in [("sees_its_namespace", 0..50), ("sees_everything", 50..100)] {
        let mut kept = Vec::new();
        let mut last = ALLOCATOR.current_usage();
        for namespace in namespaces.clone().take(4) {
            compiler.config_for(&proxy(&format!("team-{namespace}")));
            let now = ALLOCATOR.current_usage();
            kept.push((now.saturating_sub(last)) >> 10);
            last = now;
        }
        println!("{kind}: KiB kept for the first proxy of each of four namespaces: {kept:?}");
        let mut group = criterion.benchmark_group(format!("view/{COUNT}"));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(1));
        // Those of the first four stay: others may begin with what these know.
        let others = namespaces.start + 4..namespaces.end;
        let mut number = 0;
        group.bench_function(kind, |bench| {
            bench.iter(|| {
                number += 1;
                let first = proxy(&format!("team-{}", others.start + number % others.len()));
                let config = compiler.config_for(&first);
                compiler.forget(&first);
                config
            });
        });
        group.bench_function(format!("{kind}/of_other_labels"), |bench| {
            bench.iter(|| {
                number += 1;
                let mut first = proxy(&format!("team-{}", namespaces.start));
                first.labels.insert("app", format!("app-{number}"));
                let config = compiler.config_for(&first);
                compiler.forget(&first);
                config
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = stages, views
}
criterion_main!(benches);
