//! The reader by itself, for profilers and for a count of bytes: `read_probe yaml|json|apply|peer COUNT ROUNDS`, and
//! `read_probe memory COUNT` for what a `ConfigSet` keeps of the workload `mesh text`, with the bill of it by kind.
//! `read_probe any [NAME [ROUNDS]]` reads and applies the worst texts, or one of them many times: processor time and peak of memory.
//!
//! The bench `read` compares; this one holds still.
#![allow(
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "a probe without its input has nothing to show"
)]

#[path = "../../benches/benches/mesh_text/mod.rs"]
mod mesh_text;
#[path = "../../benches/benches/mesh_text/plain.rs"]
mod plain;
#[path = "../../benches/benches/mesh_text/worst.rs"]
mod worst;

use std::hint::black_box;
use std::time::Instant;

use mesh_model::config_set::{ApplyOptions, Change, ConfigSet};
use mesh_model::document::TextAtRest;
use mesh_model::yaml::{Budget, LoadOptions, Loaded, load};
use peak_alloc::PeakAlloc;
use serde::Deserialize as _;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn read(text: &str) -> Loaded {
    let budget = Budget::default().with_document_bytes(256 << 20).with_nodes(100_000_000);
    load("probe", text, &LoadOptions::default().with_budget(budget))
}

fn apply(loaded: Loaded) -> ConfigSet {
    let mut set = ConfigSet::new();
    let applied = set.apply(loaded.documents.into_iter().map(Change::Upsert));
    assert!(!applied.report.has_errors(), "{:?}", applied.report.iter().next());
    set
}

fn timed(name: &str, count: usize, rounds: usize, mut work: impl FnMut()) {
    let mut times: Vec<_> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let median = times.get(rounds / 2).copied().unwrap_or_default();
    println!("{name}: {:.2} us per resource", median.as_secs_f64() * 1e6 / count as f64);
}

/// Files of a hundred resources, as a directory would be read.
fn memory(count: usize, as_json: bool, texts: TextAtRest) {
    let before = MEMORY.current_usage();
    let mut set = ConfigSet::new();
    let mut text_bytes = 0;
    for part in 0..count.div_ceil(100) {
        let documents: Vec<_> = (part * 100..count.min(part * 100 + 100)).map(mesh_text::document).collect();
        let text = if as_json { mesh_text::json_list(&documents) } else { mesh_text::stream(&documents) };
        text_bytes += text.len();
        let options = ApplyOptions { texts, ..ApplyOptions::default() };
        let applied = set.apply_with(read(&text).documents.into_iter().map(Change::Upsert), options);
        assert!(!applied.report.has_errors(), "{:?}", applied.report.iter().next());
    }
    assert_eq!(set.len(), count);
    let kept = (MEMORY.current_usage() - before) / count;
    println!(
        "{count} objects from {}, texts {texts:?}: {} bytes kept per object of {} bytes of text",
        if as_json { "JSON" } else { "YAML" },
        kept,
        text_bytes / count
    );
    bill("Service", &set.services);
    bill("VirtualService", &set.virtual_services);
    bill("DestinationRule", &set.destination_rules);
    bill("AuthorizationPolicy", &set.authorization_policies);
    bill("ServiceEntry", &set.service_entries);
    bill("Gateway", &set.gateways);
    bill("PeerAuthentication", &set.peer_authentications);
}

/// What the objects of one kind take: metadata and content are copied and counted, the rest is text and what goes round it.
fn bill<S: Clone>(kind: &str, store: &mesh_model::config_set::Store<S>) {
    let count = store.len();
    let before = MEMORY.current_usage();
    let metas: Vec<_> = store.iter().map(|object| object.meta.clone()).collect();
    let meta = (MEMORY.current_usage() - before) / count;
    let specs: Vec<_> = store.iter().map(|object| object.spec.clone()).collect();
    let spec = (MEMORY.current_usage() - before) / count - meta;
    println!("  {count} {kind}: metadata {meta}, content {spec} of which itself {}", size_of::<S>());
    drop((metas, specs));
}

/// Nanoseconds that this thread has been on a processor: neighbours count less than on the clock.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The worst texts, or the one that is named, the best of some rounds.
fn any_content(name: Option<&str>, rounds: usize) {
    let mut lines = Vec::new();
    for (sort, text) in worst::texts().into_iter().filter(|(sort, _)| name.is_none_or(|name| *sort == name)) {
        let text = text();
        let (mut best, mut peak, mut best_load, mut told) = (u64::MAX, 0, u64::MAX, String::new());
        for _ in 0..rounds {
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            let start = processor_time();
            let loaded = load("probe", &text, &LoadOptions::default());
            let read = processor_time() - start;
            told = format!("{} documents, {} findings", loaded.documents.len(), loaded.report.len());
            let mut set = ConfigSet::new();
            let applied = set.apply(loaded.documents.into_iter().map(Change::Upsert));
            best = best.min(processor_time() - start);
            best_load = best_load.min(read);
            peak = MEMORY.peak_usage() - before;
            told.push_str(&format!(", {} applied, {} findings", applied.accepted, applied.report.len()));
            if best > 1_500_000_000 {
                break;
            }
        }
        lines.push((
            best,
            format!(
                "{:6.1} ms ({:.1} load) {:5.1} MB  {sort}: {told}",
                best as f64 / 1e6,
                best_load as f64 / 1e6,
                peak as f64 / 1e6
            ),
        ));
        eprintln!("{}", lines.last().expect("just added").1);
    }
    lines.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    for (_, line) in lines {
        println!("{line}");
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "memory".to_owned());
    if what == "any" {
        let name = arguments.next();
        let rounds = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
        return any_content(name.as_deref().filter(|name| !name.is_empty()), rounds);
    }
    let mut number = |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (count, rounds) = (number(1_000), number(20));
    if what == "memory" {
        for texts in [TextAtRest::Plain, TextAtRest::Packed] {
            memory(count, false, texts);
            memory(count, true, texts);
        }
        return;
    }
    let documents = mesh_text::documents(count);
    let yaml = mesh_text::stream(&documents);
    let json = || mesh_text::json_list(&documents);
    match what.as_str() {
        "yaml" => timed("yaml: load", count, rounds, || drop(black_box(read(&yaml)))),
        "json" => {
            let json = json();
            timed("json: load", count, rounds, || drop(black_box(read(&json))));
        }
        "apply" => {
            let loaded = read(&yaml);
            timed("yaml: apply", count, rounds, || drop(black_box(apply(loaded.clone()))));
        }
        "apply_packed" => {
            let loaded = read(&yaml);
            let options = ApplyOptions { texts: TextAtRest::Packed, ..ApplyOptions::default() };
            timed("yaml: apply, texts packed", count, rounds, || {
                let documents = loaded.clone().documents.into_iter();
                let mut set = ConfigSet::new();
                black_box(set.apply_with(documents.map(Change::Upsert), options));
            });
        }
        "apply_json" => {
            let loaded = read(&json());
            timed("json: apply", count, rounds, || drop(black_box(apply(loaded.clone()))));
        }
        _ => {
            timed("serde_yaml", count, rounds, || {
                let read = serde_yaml::Deserializer::from_str(&yaml)
                    .map(|document| plain::Resource::deserialize(document).expect("a resource"));
                black_box(read.collect::<Vec<_>>());
            });
            let json = json();
            timed("serde_json", count, rounds, || {
                black_box(serde_json::from_str::<plain::List>(&json).expect("a list"));
            });
        }
    }
}
