//! `decide` on the bundled shop, on one mesh that grows, and (where the conformance folder is at hand) on the largest case.
//!
//! `load` is text to tables; `decide/N_probes` is the evaluator alone; the growing mesh shows what stays flat.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench without its input has nothing to measure"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mesh_compile::compiler::compile;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy_identity::Proxy;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};
use mesh_proxy_core::decide::{decide, explain};
use mesh_proxy_core::probe::{self, Probe};

fn config_of(text: &str, proxy: &Proxy) -> ProxyConfig {
    let loaded = load("bench.yaml", text, &LoadOptions::default());
    let mut config = ConfigSet::new();
    config.apply(loaded.documents.into_iter().map(Change::Upsert));
    let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
    compile(&View::new(&snapshot, proxy)).0
}

fn sidecar() -> Proxy {
    serde_json::from_str(
        r#"{"type":"sidecar","namespace":"shop","name":"web-0","labels":{"app":"web"},"ip":"10.0.1.10","service_account":"web"}"#,
    )
    .expect("a proxy")
}

fn shop() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the shop").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("text")).collect::<Vec<_>>().join("\n---\n")
}

/// `services` services of one port with a VirtualService of four routes each.
fn growing(services: usize) -> String {
    (0..services)
        .map(|index| {
            let (high, low) = (index / 250, index % 250 + 1);
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: s{index}, namespace: shop}}\nspec:\n  clusterIP: 10.1.{high}.{low}\n  ports: [{{name: http, port: 9080}}]\n---\n\
                 apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: s{index}, namespace: shop}}\nspec:\n  hosts: [s{index}]\n  http:\n\
                 \x20 - match: [{{uri: {{prefix: /a}}}}, {{headers: {{x: {{exact: y}}}}}}]\n    route: [{{destination: {{host: s{index}}}}}]\n\
                 \x20 - match: [{{uri: {{regex: '/r/[0-9]+'}}}}]\n    route: [{{destination: {{host: s{index}}}}}]\n\
                 \x20 - route: [{{destination: {{host: s{index}}}}}]\n---\n"
            )
        })
        .collect()
}

fn probes(count: usize, services: usize) -> Vec<Probe> {
    let text: String = (0..count)
        .map(|index| {
            let service = index % services;
            let (high, low) = (service / 250, service % 250 + 1);
            format!(
                "{{\"id\":\"p{index}\",\"direction\":\"outbound\",\"conn\":{{\"dst_ip\":\"10.1.{high}.{low}\",\"dst_port\":9080}},\
                 \"http\":{{\"authority\":\"s{service}:9080\",\"path\":\"/r/{index}\"}}}}\n"
            )
        })
        .collect();
    probe::read(&text).map(|probe| probe.expect("a probe")).collect()
}

fn bundled(criterion: &mut Criterion) {
    let (text, proxy) = (shop(), sidecar());
    criterion.bench_function("load/shop", |bench| bench.iter(|| config_of(black_box(&text), &proxy)));
    let config = config_of(&text, &proxy);
    let lines =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/probes.jsonl"))
            .expect("probes");
    let probes: Vec<Probe> = probe::read(&lines).map(|probe| probe.expect("a probe")).collect();
    criterion.bench_function("decide/shop/one_request", |bench| {
        bench.iter(|| decide(&config, &probes[0].query(0), &mut ()));
    });
    criterion.bench_function("explain/shop/one_request", |bench| {
        bench.iter(|| explain(&config, &probes[0].query(0)));
    });
}

fn growth(criterion: &mut Criterion) {
    for services in [10, 100, 1000] {
        let config = config_of(&growing(services), &sidecar());
        let probes = probes(10_000, services);
        criterion.bench_function(&format!("decide/{services}_services/10000_probes"), |bench| {
            bench.iter(|| {
                for probe in &probes {
                    black_box(decide(&config, &probe.query(0), &mut ()));
                }
            });
        });
    }
}

/// The case with the largest configuration, its probes repeated to 10,000: text to decisions.
fn largest_case(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/decide");
    let Ok(areas) = std::fs::read_dir(&folder) else {
        println!("skipped: no {}", folder.display());
        return;
    };
    let cases = areas
        .flatten()
        .filter_map(|area| std::fs::read_dir(area.path()).ok())
        .flatten()
        .flatten()
        .map(|case| case.path());
    let size = |case: &PathBuf| std::fs::metadata(case.join("config.yaml")).map_or(0, |file| file.len());
    let Some(case) = cases.max_by_key(|case| (size(case), case.clone())) else { return };
    let read = |name: &str| std::fs::read_to_string(case.join(name)).expect("a case file");
    let proxy: Proxy = serde_json::from_str(&read("proxy.json")).expect("a proxy");
    let probes: Vec<Probe> = probe::read(&read("probes.jsonl")).flatten().collect();
    let text = read("config.yaml");
    criterion.bench_function("load_and_decide/largest_case/10000_probes", |bench| {
        bench.iter_batched(
            || text.clone(),
            |text| {
                let config = config_of(&text, &proxy);
                for probe in probes.iter().cycle().take(10_000) {
                    black_box(decide(&config, &probe.query(0), &mut ()));
                }
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = bundled, growth, largest_case
}
criterion_main!(benches);
