//! Many values in one rule, and one in each of many: addresses beside `ipnet` in turn and `prefix-trie`, paths beside
//! `globset`, in one run (goal A6).
#![allow(missing_docs, reason = "the macros of criterion")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use globset::{GlobBuilder, GlobSetBuilder};
use ipnet::Ipv4Net;
use mesh_authz::address_set::AddressSet;
use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol};
use mesh_benches::workloads::authz::{Call, object};
use mesh_benches::workloads::splitmix::Splitmix;
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::{From, Operation, Rule, Source, To};
use prefix_trie::PrefixMap;

const ASKED: usize = 4_096;

fn set(rules: Vec<Vec<Rule>>, protocol: Protocol) -> PolicySet {
    let policies: Vec<_> = (0..)
        .zip(rules)
        .map(|(at, rules)| object(at, AuthorizationPolicy { rules, ..AuthorizationPolicy::default() }))
        .collect();
    let options = PolicyOptions::default();
    PolicySet::compile(&policies.iter().collect::<Vec<_>>(), protocol, &options).0.unwrap_or_default()
}

fn of_blocks(blocks: Vec<String>) -> Rule {
    let source = Source { ip_blocks: blocks, ..Source::default() };
    Rule { from: vec![From { source: Some(source) }], ..Rule::default() }
}

fn of_paths(paths: Vec<String>) -> Rule {
    let operation = Operation { paths, ..Operation::default() };
    Rule { to: vec![To { operation: Some(operation) }], ..Rule::default() }
}

fn addresses(criterion: &mut Criterion) {
    for count in [1_000, 100_000] {
        let mut dice = Splitmix::new(count as u64);
        let blocks: Vec<Ipv4Net> = (0..count)
            .map(|_| {
                let address = Ipv4Addr::from_bits(dice.below(1 << 32) as u32);
                let bits = [16, 20, 24, 26, 28, 32][dice.below(6)];
                Ipv4Net::new(address, if count > 1_000 { bits.max(24) } else { bits }).expect("bits").trunc()
            })
            .collect();
        // Half of them inside of a block.
        let asked: Vec<Ipv4Addr> = (0..ASKED)
            .map(|at| match at % 2 {
                0 => blocks[dice.below(count)].network(),
                _ => Ipv4Addr::from_bits(dice.below(1 << 32) as u32),
            })
            .collect();
        let texts: Vec<String> = blocks.iter().map(ToString::to_string).collect();
        let ours: AddressSet = texts.iter().map(|text| text.parse().expect("a block")).collect();
        let in_a_rule = set(vec![vec![of_blocks(texts.clone())]], Protocol::Tcp);
        let of_rules =
            set(texts.iter().map(|text| vec![of_blocks(vec![text.clone()])]).collect(), Protocol::Tcp);
        let trie: PrefixMap<Ipv4Net, ()> = blocks.iter().map(|block| (*block, ())).collect();
        let calls: Vec<Call> = asked
            .iter()
            .map(|ip| Call { peer: String::new(), ip: IpAddr::V4(*ip), port: 8080, request: None })
            .collect();
        let single = |address: &Ipv4Addr| Ipv4Net::new(*address, 32).expect("bits");
        for (address, call) in asked.iter().zip(&calls).take(256) {
            let wanted = blocks.iter().any(|block| block.contains(address));
            assert_eq!(ours.contains(IpAddr::V4(*address)), wanted);
            assert_eq!(in_a_rule.enforce(&call.facts(), &mut ()).allowed, wanted);
            assert_eq!(of_rules.enforce(&call.facts(), &mut ()).allowed, wanted);
            assert_eq!(trie.get_lpm(&single(address)).is_some(), wanted);
        }
        let mut group = criterion.benchmark_group(format!("address_set/{count}"));
        let mut turn = asked.iter().cycle();
        let mut next = || *turn.next().expect("a cycle");
        group.bench_function("ours", |bench| bench.iter(|| ours.contains(IpAddr::V4(black_box(next())))));
        group.bench_function("prefix_trie", |bench| {
            bench.iter(|| trie.get_lpm(&single(&black_box(next()))).is_some());
        });
        if count <= 1_000 {
            group.bench_function("ipnet_in_turn", |bench| {
                bench.iter(|| {
                    let address = black_box(next());
                    blocks.iter().any(|block| block.contains(&address))
                });
            });
        }
        let mut turn = calls.iter().cycle();
        let mut next = || turn.next().expect("a cycle");
        group.bench_function("decision_one_rule", |bench| {
            bench.iter(|| in_a_rule.enforce(&black_box(next()).facts(), &mut ()).allowed);
        });
        group.bench_function("decision_a_policy_each", |bench| {
            bench.iter(|| of_rules.enforce(&black_box(next()).facts(), &mut ()).decided_by.is_some());
        });
        group.finish();
    }
}

fn patterns(criterion: &mut Criterion) {
    const COUNT: usize = 10_000;
    let written = |n: usize| match n % 3 {
        0 => format!("/api/v{}/orders-{n}/items", n % 7),
        1 => format!("/api/v{}/orders-{n}/*", n % 7),
        _ => format!("*/orders-{n}.json"),
    };
    let path = |n: usize| match n % 3 {
        0 => format!("/api/v{}/orders-{n}/items", n % 7),
        1 => format!("/api/v{}/orders-{n}/lines/17", n % 7),
        _ => format!("/api/export/orders-{n}.json"),
    };
    let values: Vec<String> = (0..COUNT).map(written).collect();
    let ours = set(vec![vec![of_paths(values.clone())]], Protocol::Http);
    let mut globs = GlobSetBuilder::new();
    for value in &values {
        globs.add(GlobBuilder::new(value).literal_separator(false).build().expect("a glob"));
    }
    let globs = globs.build().expect("globs");
    let mut dice = Splitmix::new(7);
    // A quarter of them fits nothing.
    let calls: Vec<Call> = (0..ASKED)
        .map(|at| {
            let n = dice.below(COUNT) + if at % 4 == 3 { COUNT * 10 } else { 0 };
            let request = RequestFacts {
                version: HttpVersion::Http2,
                method: "GET".into(),
                scheme: "http".into(),
                authority: "orders".into(),
                path: path(n).into(),
                headers: Headers::default(),
            };
            Call { peer: String::new(), ip: Ipv4Addr::LOCALHOST.into(), port: 8080, request: Some(request) }
        })
        .collect();
    let theirs = |call: &Call| globs.is_match(&*call.request.as_ref().expect("a request").path);
    for call in calls.iter().take(512) {
        assert_eq!(ours.enforce(&call.facts(), &mut ()).allowed, theirs(call), "{call:?}");
    }
    let mut group = criterion.benchmark_group(format!("pattern_set/{COUNT}"));
    let mut turn = calls.iter().cycle();
    let mut next = || turn.next().expect("a cycle");
    group.bench_function("decision_one_rule", |bench| {
        bench.iter(|| ours.enforce(&black_box(next()).facts(), &mut ()).allowed);
    });
    group.bench_function("globset", |bench| bench.iter(|| theirs(black_box(next()))));
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
}

criterion_group!(name = benches; config = short(); targets = addresses, patterns);
criterion_main!(benches);
