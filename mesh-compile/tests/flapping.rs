//! Updates without end: the last state wins, and what is kept does not grow with the number of updates.
//!
//! One test alone in its binary: the counter counts for the whole process.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use mesh_compile::compiler::{Compiler, compile};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::Change;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::object::ResourceKey;
use peak_alloc::PeakAlloc;

mod common;
#[path = "common/difference.rs"]
mod difference;

use common::*;
use difference::difference;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One key of each of four kinds, in one of two versions, or gone.
fn update(round: usize) -> Vec<Change> {
    let version = round / 4 % 2;
    let minute = version as u32;
    let (kind, group, name, text) = match round % 4 {
        0 => (
            "VirtualService",
            "networking.istio.io",
            "v",
            istio(
                "VirtualService",
                "a",
                "v",
                minute,
                &format!("hosts: [web], http: [{{{}}}]", respond(200 + minute as u16)),
            ),
        ),
        1 => (
            "DestinationRule",
            "networking.istio.io",
            "d",
            istio(
                "DestinationRule",
                "a",
                "d",
                1,
                &format!("host: web, subsets: [{{name: s{version}, labels: {{v: s}}}}]"),
            ),
        ),
        2 => (
            "ServiceEntry",
            "networking.istio.io",
            "e",
            istio(
                "ServiceEntry",
                "a",
                "e",
                1,
                &format!(
                    "hosts: [db.ext], ports: [{{number: 8{version}, name: http, protocol: HTTP}}], resolution: STATIC, \
                     endpoints: [{{address: 10.9.0.{}}}]",
                    version + 1
                ),
            ),
        ),
        _ => ("Service", "", "api", service("a", "api").replace("port: 80", &format!("port: 9{version}"))),
    };
    if round % 28 >= 24 {
        let (cluster, namespace, name) = ("Kubernetes".into(), "a".into(), name.into());
        return vec![Change::Remove(ResourceKey { group, kind, cluster, namespace, name })];
    }
    documents(&text)
}

#[test]
fn c02_ten_thousand_updates_of_flapping_keys_keep_nothing_and_the_last_state_wins() {
    const UPDATES: usize = 10_080;
    let client = proxy("sidecar", "a");
    let mesh = Arc::new(MeshConfig::with_defaults());
    let mut compiler = Compiler::new(Arc::clone(&mesh));
    compiler.apply(documents(&service("a", "web")));
    compiler.config_for(&client);
    let mut kept = Vec::new();
    for round in 0..UPDATES {
        compiler.apply(update(round));
        // Updates come faster than anyone asks, and sometimes not.
        if round % 15 == 0 {
            compiler.config_for(&client);
        }
        if (round + 1) % 1_008 == 0 {
            compiler.config_for(&client);
            kept.push(MEMORY.current_usage());
        }
    }
    // The first thousand may leave tables with more room than they need. Everything else is as large as before.
    let (first, last) = (kept[1], *kept.last().unwrap());
    assert!(last <= first + 16 * 1024, "{kept:?}");
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    (0..1_008).for_each(|round| drop(compiler.apply(update(round))));
    // Nobody asks: what changed meanwhile is not kept for each change.
    assert!(MEMORY.peak_usage() <= before + 512 * 1024, "{} over {before}", MEMORY.peak_usage());

    let found = compiler.config_for(&client);
    let (snapshot, _) = MeshSnapshot::resolve(compiler.config(), mesh);
    let wanted = compile(&View::new(&snapshot, &client)).0;
    assert_eq!(difference(&found, &wanted), None);
    // The rounds end with all four gone; the last version of each is in force once it comes again.
    (0..8).for_each(|round| drop(compiler.apply(update(round))));
    let config = compiler.config_for(&client);
    assert_eq!(answer(&config, "80", "web", "/"), "201");
    assert!(config.clusters.contains_key("outbound|80|s1|web.a.svc.cluster.local"));
    assert!(config.clusters.contains_key("outbound|81||db.ext"));
    assert!(config.clusters.contains_key("outbound|91||api.a.svc.cluster.local"));
}
