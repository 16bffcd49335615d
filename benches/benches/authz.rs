//! Authorization as policies grow: the index beside the walk over all rules (`PERFORMANCE`, goals A1 to A4).
//!
//! One iteration is one decision; the requests of a stream come in turn.
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "generated policies compile")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol};
use mesh_benches::workloads::authz::{Call, Profile, RULES_PER_POLICY, Stream, policies, stream};

const REQUESTS: usize = 4_096;
const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];

fn compile(profile: Profile, size: usize) -> PolicySet {
    let policies = policies(profile, size);
    let protocol = if profile.is_http() { Protocol::Http } else { Protocol::Tcp };
    let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
    PolicySet::compile(&policies.iter().collect::<Vec<_>>(), protocol, &options).0.unwrap()
}

fn ask(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, set: &PolicySet, calls: &[Call]) {
    group.bench_function(name, |bench| {
        let mut turn = calls.iter().cycle();
        bench.iter(|| set.enforce(&black_box(turn.next().unwrap()).facts(), &mut ()).allowed);
    });
}

fn authz(criterion: &mut Criterion) {
    for profile in Profile::ALL {
        for size in SIZES {
            let set = compile(profile, size);
            let linear = set.clone().without_index();
            for kind in Stream::ALL {
                if kind == Stream::RuleDenied && size < 10 {
                    continue;
                }
                let calls = stream(profile, size, kind, REQUESTS);
                for call in calls.iter().take(64) {
                    let allowed = set.enforce(&call.facts(), &mut ()).allowed;
                    assert_eq!(allowed, kind == Stream::Allowed, "{profile:?} {size} {call:?}");
                    assert_eq!(allowed, linear.enforce(&call.facts(), &mut ()).allowed);
                }
                let name = format!("authz/{}/{}x{RULES_PER_POLICY}/{}", profile.name(), size, kind.name());
                let mut group = criterion.benchmark_group(name);
                ask(&mut group, "index", &set, &calls);
                if size <= 1_000 {
                    ask(&mut group, "linear", &linear, &calls);
                }
                group.finish();
            }
        }
    }
}

/// A5: what compiling costs.
fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authz_build");
    for profile in [Profile::L4, Profile::L7] {
        let policies = policies(profile, 1_000);
        let policies: Vec<_> = policies.iter().collect();
        let protocol = if profile.is_http() { Protocol::Http } else { Protocol::Tcp };
        let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
        group.bench_function(format!("{}/1000x{RULES_PER_POLICY}", profile.name()), |bench| {
            bench.iter(|| PolicySet::compile(black_box(&policies), protocol, &options));
        });
    }
    group.finish();
}

/// How long each step takes: median, 99 of 100, and the longest.
fn quantiles<T>(mut steps: impl Iterator<Item = T>) -> String {
    let mut times = Vec::new();
    loop {
        let start = Instant::now();
        let Some(made) = steps.next() else { break };
        times.push(start.elapsed());
        drop(made);
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!("{:?} / {:?} / {:?}", at(50), at(99), at(100))
}

/// A5: what one changed policy costs, on a set as it was compiled, and on average over many changes; beside compiling all.
fn replace(criterion: &mut Criterion) {
    const SIZE: usize = 10_000;
    let mut group = criterion.benchmark_group("authz_replace");
    for profile in [Profile::L4, Profile::L7] {
        let policies = policies(profile, SIZE);
        let protocol = if profile.is_http() { Protocol::Http } else { Protocol::Tcp };
        let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
        let all: Vec<_> = policies.iter().collect();
        let set = PolicySet::compile(&all, protocol, &options).0.unwrap();
        let name = |how: &str| format!("{}/{SIZE}x{RULES_PER_POLICY}/{how}", profile.name());
        let mut turn = policies.iter().cycle().step_by(37);
        // Means hide that runs are packed together now and then.
        let mut grown = set.clone();
        let once = quantiles((0..2_000).map(|_| set.with(turn.next().unwrap(), protocol, &options).0));
        let in_a_row = quantiles((0..2_000).map(|_| {
            grown = grown.with(turn.next().unwrap(), protocol, &options).0;
        }));
        println!("{}: one of {SIZE} {once}; 2,000 in a row {in_a_row}", profile.name());
        group.bench_function(name("first"), |bench| {
            bench.iter(|| set.with(turn.next().unwrap(), protocol, &options));
        });
        let mut grown = set.clone();
        group.bench_function(name("one_after_the_other"), |bench| {
            bench.iter(|| grown = grown.with(turn.next().unwrap(), protocol, &options).0);
        });
        group.bench_function(name("from_scratch"), |bench| {
            bench.iter(|| PolicySet::compile(black_box(&all), protocol, &options));
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
}

criterion_group!(name = benches; config = short(); targets = authz, build, replace);
criterion_main!(benches);
