//! A mesh of N hosts and what a change of one object costs: `delta_probe [HOSTS [ENDPOINTS_OF_EACH [TURNS]]]`, by default
//! 10,000, 10 and 3. Every change is applied and the proxy asked for what it runs; in the end it runs what compiling
//! from scratch gives it, or the probe fails.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a probe"
)]

#[path = "../tests/common/difference.rs"]
mod difference;
#[path = "../tests/common/large_mesh.rs"]
mod large_mesh;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use difference::difference;
use large_mesh::{FLAVOURS, LargeMesh, client, flavour, read};
use mesh_compile::compiler::{Compiler, compile};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::mesh_config::MeshConfig;

/// Time on the processor. Without the yield it would be that of the scheduler's last tick.
fn processor() -> Duration {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default())
}

fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (clock, start) = (Instant::now(), processor());
    let done = work();
    println!(
        "{name:30} {:>10.1?} on the processor, {:>10.1?} by the clock",
        processor() - start,
        clock.elapsed()
    );
    done
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let mesh = LargeMesh { hosts: numbers.next().unwrap_or(10_000), endpoints: numbers.next().unwrap_or(10) };
    let turns = numbers.next().unwrap_or(3);
    let texts = mesh.texts();
    let client = client();
    let settings = Arc::new(MeshConfig::with_defaults());
    let mut compiler = Compiler::new(Arc::clone(&settings));
    let changes: Vec<_> = timed("read", || texts.iter().flat_map(|text| read(text)).collect());
    timed("apply and resolve", || compiler.apply(changes));
    timed("first proxy", || compiler.config_for(&client));

    let mut times: BTreeMap<(&str, &str), Vec<Duration>> = BTreeMap::new();
    for turn in 0..turns {
        for kind in 0..FLAVOURS {
            let index = (mesh.hosts / 2 + turn * FLAVOURS * 17) / FLAVOURS * FLAVOURS + kind;
            for (name, change) in mesh.changes(index, turn) {
                let start = processor();
                let update = compiler.apply(change);
                let config = compiler.config_for(&client);
                times.entry((name, flavour(index))).or_default().push(processor() - start);
                assert!(!update.report.has_errors(), "{:?}", update.report.iter().next());
                drop(config);
            }
        }
    }
    for ((name, flavour), mut times) in times {
        times.sort_unstable();
        let (median, worst) = (times.get(times.len() / 2), times.last());
        println!(
            "{name:28} {flavour:22} {:>10.2?} worst {:>10.2?}",
            median.expect("one"),
            worst.expect("one")
        );
    }
    let found = compiler.config_for(&client);
    let wanted = timed("from scratch", || {
        let (snapshot, _) = MeshSnapshot::resolve(compiler.config(), settings);
        compile(&View::new(&snapshot, &client)).0
    });
    if let Some(difference) = difference(&found, &wanted) {
        panic!("not what compiling from scratch gives: {difference}");
    }
    println!(
        "{} listeners, {} clusters, identical to from scratch",
        found.listeners.len(),
        found.clusters.len()
    );
}
