//! A mesh of N services, N VirtualServices and N DestinationRules: what each stage costs, and what a change costs beside
//! doing everything again.
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, reason = "a bench's own text is well-formed")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use mesh_benches::mesh::{
    ProcessorTime, destination_rule, host, mesh_text, namespace, service_entry, virtual_service,
};
use mesh_compile::compiler::{Compiler, compile};
use mesh_compile::proxy_identity::Proxy;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::{Scope, View};
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::object::ResourceKey;
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

fn upsert(text: &str) -> Vec<Change> {
    load("step.yaml", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert).collect()
}

fn scale(criterion: &mut Criterion<ProcessorTime>) {
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
        group.bench_function("first_proxy/from_scratch", |bench| {
            // What was made is given back outside of the time: whoever waits for a configuration does not wait for that.
            let make = |()| compile(&View::new(black_box(&snapshot), &client));
            bench.iter_batched(|| (), make, BatchSize::PerIteration);
        });
        group.finish();
        drop(compiled);
        drop(snapshot);
        incremental(criterion, size, &texts);
    }
}

/// The compiler that keeps what it knows, step by step.
fn incremental(criterion: &mut Criterion<ProcessorTime>, size: usize, texts: &[String]) {
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    for text in texts {
        compiler.apply(upsert(text));
    }
    let mut group = criterion.benchmark_group(format!("mesh_scale/{size}"));
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    let mut number = 0;
    group.bench_function("first_proxy/compiler", |bench| {
        bench.iter_custom(|times| {
            let once = |_| {
                number += 1;
                // Nobody else is there whom it could share with.
                let first = proxy(&namespace(0), number % 60_000 + 1);
                let start = ProcessorTime.start();
                let config = compiler.config_for(&first);
                let took = ProcessorTime.end(start);
                compiler.forget(&first);
                drop(black_box(config));
                took
            };
            (0..times).map(once).sum()
        });
    });
    let client = proxy(&namespace(0), 0);
    compiler.config_for(&client);
    group.bench_function("further_proxy", |bench| {
        bench.iter(|| {
            number += 1;
            let further = proxy(&namespace(0), number % 60_000 + 1);
            let config = compiler.config_for(&further);
            compiler.forget(&further);
            config
        });
    });
    group.bench_function("first_proxy_of_another_namespace", |bench| {
        bench.iter(|| {
            number += 1;
            let further = proxy(&namespace(number % 99 + 1), 0);
            let config = compiler.config_for(&further);
            compiler.forget(&further);
            config
        });
    });
    let mut edit = 0;
    group.bench_function("virtual_service_changed/compiler", |bench| {
        bench.iter_batched(
            || {
                edit += 1;
                upsert(&virtual_service(size / 2, edit))
            },
            |change| {
                let update = compiler.apply(change);
                assert_eq!(update.proxies.len(), 1);
                compiler.config_for(&client)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("virtual_service_changed/from_scratch", |bench| {
        bench.iter(|| compile(&View::new(&resolve(compiler.config()), &client)));
    });
    group.bench_function("destination_rule_changed/compiler", |bench| {
        bench.iter_batched(
            || {
                edit += 1;
                upsert(&destination_rule(size / 2, edit))
            },
            |change| {
                compiler.apply(change);
                compiler.config_for(&client)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("service_entry_changed/compiler", |bench| {
        bench.iter_batched(
            || {
                edit += 1;
                upsert(&service_entry(size / 2).replace("version: v2", &format!("version: v{edit}")))
            },
            |change| {
                compiler.apply(change);
                compiler.config_for(&client)
            },
            BatchSize::SmallInput,
        );
    });
    comes_and_goes(&mut group, &mut compiler, &client, size);
    // A thousand proxies that see one namespace of their own, and a change elsewhere: each must be known to be unaffected.
    compiler.forget(&client);
    let sidecar = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: own, namespace: ns-7}\n\
                   spec: {egress: [{hosts: ['./*']}]}\n";
    compiler.apply(upsert(sidecar));
    let others: Vec<_> = (0..1_000).map(|number| proxy("ns-7", number)).collect();
    for other in &others {
        compiler.config_for(other);
    }
    group.bench_function("virtual_service_changed/1000_proxies_unaffected", |bench| {
        bench.iter_batched(
            || {
                edit += 1;
                upsert(&virtual_service(8, edit))
            },
            |change| assert!(compiler.apply(change).proxies.is_empty()),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// A service, and a VirtualService, that comes and goes again: two changes a turn.
fn comes_and_goes(
    group: &mut BenchmarkGroup<'_, ProcessorTime>,
    compiler: &mut Compiler,
    client: &Proxy,
    size: usize,
) {
    let extra = size + 7;
    let removal = |kind: &'static str| {
        let (namespace, name) = (namespace(extra).into(), format!("svc-{extra}").into());
        Change::Remove(ResourceKey {
            group: "networking.istio.io",
            kind,
            cluster: "Kubernetes".into(),
            namespace,
            name,
        })
    };
    let cases = [
        ("service_entry_comes_and_goes", "ServiceEntry", service_entry(extra)),
        ("virtual_service_comes_and_goes", "VirtualService", virtual_service(extra, 0)),
    ];
    for (name, kind, text) in cases {
        group.bench_function(name, |bench| {
            bench.iter_batched(
                || upsert(&text),
                |change| {
                    compiler.apply(change);
                    let with = compiler.config_for(client);
                    compiler.apply([removal(kind)]);
                    (with, compiler.config_for(client))
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = scale
}
criterion_main!(benches);
