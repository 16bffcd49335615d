//! Text to typed, validated objects with places, beside `serde_yaml` and `serde_json` into plain structs on the same text.
//!
//! `yaml/ours/N` is `load` and `ConfigSet::apply`, `ours_load` the first half, `ours_two_threads` both on two threads;
//! `yaml/serde_yaml/N` is one struct per document, nothing checked, no places. `change` re-applies one document among N.
//! `any_content` reads and applies texts of 1.5 MiB of every sort that may cost much.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a bench without its input has nothing to measure"
)]

mod mesh_text;
#[path = "mesh_text/plain.rs"]
mod plain;
#[path = "mesh_text/worst.rs"]
mod worst;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mesh_model::config_set::{ApplyOptions, Change, ConfigSet};
use mesh_model::yaml::{Budget, LoadOptions, load};
use serde::Deserialize as _;

fn options() -> LoadOptions {
    // The JSON list is one document of some megabytes.
    LoadOptions::default().with_budget(Budget::default().with_document_bytes(64 << 20).with_nodes(20_000_000))
}

fn typed(text: &str) -> ConfigSet {
    typed_on(text, 1)
}

fn typed_on(text: &str, threads: usize) -> ConfigSet {
    let loaded = load("bench.yaml", text, &options().with_threads(threads));
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
    let mut set = ConfigSet::new();
    let options = ApplyOptions { threads, ..ApplyOptions::default() };
    let applied = set.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
    assert!(!applied.report.has_errors(), "{:?}", applied.report.iter().next());
    set
}

fn yaml(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("yaml");
    group.sample_size(10);
    for count in [1_000, 10_000] {
        let text = mesh_text::stream(&mesh_text::documents(count));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("ours", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| typed(black_box(text)));
        });
        group.bench_with_input(BenchmarkId::new("ours_two_threads", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| typed_on(black_box(text), 2));
        });
        group.bench_with_input(BenchmarkId::new("ours_load", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| load("bench.yaml", black_box(text), &options()));
        });
        group.bench_with_input(BenchmarkId::new("serde_yaml", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| {
                serde_yaml::Deserializer::from_str(black_box(text))
                    .map(|document| plain::Resource::deserialize(document).expect("a resource"))
                    .collect::<Vec<_>>()
            });
        });
    }
}

fn json(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json");
    group.sample_size(10);
    for count in [1_000, 10_000] {
        let text = mesh_text::json_list(&mesh_text::documents(count));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("ours", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| typed(black_box(text)));
        });
        group.bench_with_input(BenchmarkId::new("ours_two_threads", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| typed_on(black_box(text), 2));
        });
        group.bench_with_input(BenchmarkId::new("ours_load", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| load("bench.yaml", black_box(text), &options()));
        });
        group.bench_with_input(BenchmarkId::new("serde_json", count), &text, |bencher, text| {
            bencher.iter_with_large_drop(|| {
                serde_json::from_str::<plain::List>(black_box(text)).expect("a list")
            });
        });
    }
}

fn change(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change");
    let documents = mesh_text::documents(10_000);
    let set = typed(&mesh_text::stream(&documents));
    let changed = documents[5_002].replace("/api/v", "/v");
    group.bench_function("one_of_10000", |bencher| {
        bencher.iter_batched(
            || set.clone(),
            |mut set| {
                let loaded = load("bench.yaml", black_box(&changed), &options());
                let applied = set.apply(loaded.documents.into_iter().map(Change::Upsert));
                (set, applied)
            },
            BatchSize::LargeInput,
        );
    });
}

fn any_content(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("any_content");
    group.sample_size(10);
    for (name, text) in worst::texts() {
        let text = text();
        group.bench_with_input(name, &text, |bencher, text| {
            bencher.iter_with_large_drop(|| {
                let loaded = load("bench.yaml", black_box(text), &LoadOptions::default());
                let mut set = ConfigSet::new();
                let applied = set.apply(loaded.documents.into_iter().map(Change::Upsert));
                (set, applied)
            });
        });
    }
}

criterion_group!(benches, yaml, json, change, any_content);
criterion_main!(benches);
