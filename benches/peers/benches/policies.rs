//! Policies: ours with its index and without, Cedar, casbin; the same rules and requests, in one run (goals A1 and A3).
//!
//! Before anything is timed, all engines must have decided alike about requests of every stream.
#![allow(missing_docs, reason = "the macros of criterion")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol};
use mesh_benches::workloads::authz::{Call, Profile, RULES_PER_POLICY, Stream, policies, stream};
use mesh_peers::casbin::Casbin;
use mesh_peers::cedar::Cedar;

const REQUESTS: usize = 1_024;
const COMPARED: usize = 24;

fn ask<T>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, asked: &[T], decide: impl Fn(&T) -> bool) {
    group.bench_function(name, |bench| {
        let mut turn = asked.iter().cycle();
        bench.iter(|| turn.next().map(|asked| decide(black_box(asked))));
    });
}

fn peers(criterion: &mut Criterion) {
    for profile in [Profile::L4, Profile::L7] {
        for size in [1, 10, 100, 1_000] {
            let written = policies(profile, size);
            let protocol = if profile.is_http() { Protocol::Http } else { Protocol::Tcp };
            let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
            let set = PolicySet::compile(&written.iter().collect::<Vec<_>>(), protocol, &options).0;
            let set = set.unwrap_or_default();
            let linear = set.clone().without_index();
            let cedar = Cedar::new(profile, size);
            let casbin = (size <= 100).then(|| Casbin::new(profile, size));
            for kind in Stream::ALL {
                if kind == Stream::RuleDenied && size < 10 {
                    continue;
                }
                let calls = stream(profile, size, kind, REQUESTS);
                let ours = |set: &PolicySet, call: &Call| set.enforce(&call.facts(), &mut ()).allowed;
                let cedar_calls: Vec<_> = calls.iter().map(Cedar::request).collect();
                let casbin_calls: Vec<_> = calls.iter().map(Casbin::request).collect();
                for (at, call) in calls.iter().enumerate().take(COMPARED) {
                    let wanted = kind == Stream::Allowed;
                    let what = format!("{profile:?} {size} {call:?}");
                    assert_eq!(ours(&set, call), wanted, "index: {what}");
                    assert_eq!(ours(&linear, call), wanted, "walk: {what}");
                    assert_eq!(cedar.allows(&cedar_calls[at]), wanted, "cedar: {what}");
                    if let Some(casbin) = &casbin {
                        assert_eq!(casbin.allows(&casbin_calls[at]), wanted, "casbin: {what}");
                    }
                }
                let name = format!("peers/{}/{size}x{RULES_PER_POLICY}/{}", profile.name(), kind.name());
                let mut group = criterion.benchmark_group(name);
                ask(&mut group, "index", &calls, |call| ours(&set, call));
                ask(&mut group, "walk", &calls, |call| ours(&linear, call));
                ask(&mut group, "cedar", &cedar_calls, |call| cedar.allows(call));
                if let Some(casbin) = &casbin {
                    ask(&mut group, "casbin", &casbin_calls, |call| casbin.allows(call));
                }
                group.finish();
            }
        }
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
}

criterion_group!(name = benches; config = short(); targets = peers);
criterion_main!(benches);
