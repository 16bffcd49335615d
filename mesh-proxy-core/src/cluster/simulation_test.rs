//! Clusters in a simulated network: 100,000 requests, a clock that is a number, dice with a seed. Same seed, same run.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_compile::proxy::cluster::{Cluster, ClusterEndpoint, Discovery, LbPolicy, Limits, Outlier};

use super::circuit_breaker::Resource;
use super::outlier_detection::{LocalFailure, Outcome};
use super::retry::tests::policy;
use super::retry::{ResetReason, RetryState, Try, Verdict};
use super::upstream::{Upstream, Wish};
use crate::dice::{Dice, SeededDice};

pub(super) const REQUESTS: u64 = 100_000;

pub(super) fn endpoint(address: &str, priority: u32, locality: &str) -> ClusterEndpoint {
    ClusterEndpoint { priority, locality: locality.into(), ..ClusterEndpoint::at(address) }
}

pub(super) fn cluster(endpoints: Vec<ClusterEndpoint>) -> Cluster {
    Cluster {
        endpoints,
        panic_threshold: Some(0.0),
        ..Cluster::bare("c", Discovery::Eds, LbPolicy::RoundRobin)
    }
}

pub(super) fn outlier(settings: &[(&'static str, i64)]) -> Option<Arc<Outlier>> {
    Some(Arc::new(Outlier { settings: settings.iter().copied().collect(), ..Outlier::default() }))
}

/// Sends requests, one a millisecond; `answer` is the network. How many each host got.
pub(super) fn run(
    upstream: &Upstream,
    requests: u64,
    mut answer: impl FnMut(&str, u64) -> Outcome,
) -> BTreeMap<String, u64> {
    let mut dice = SeededDice::new(11);
    let mut counts = BTreeMap::new();
    for now_ms in 0..requests {
        upstream.sweep(now_ms);
        let Some(host) = upstream.pick(&Wish::default(), now_ms, &mut dice) else {
            *counts.entry("nobody".to_owned()).or_default() += 1;
            continue;
        };
        let address = host.endpoint.address.to_string();
        upstream.record(&host, answer(&address, now_ms), now_ms);
        *counts.entry(address).or_default() += 1;
    }
    counts
}

#[test]
fn a_failing_host_gets_almost_nothing() {
    let endpoints = (0..10).map(|index| endpoint(&format!("h{index}"), 0, "")).collect();
    let upstream = Upstream::new(
        &Cluster { outlier: outlier(&[("base_ejection_time_ms", 30_000)]), ..cluster(endpoints) },
        0,
    );
    let counts =
        run(&upstream, REQUESTS, |address, _| Outcome::Status(if address == "h3" { 500 } else { 200 }));
    // Out for 30 s, until the sweep after that; five failures later out for 60 s, which is beyond the end.
    assert_eq!(counts["h3"], 10, "{counts:?}");
    assert!(
        counts.iter().filter(|(host, _)| *host != "h3").all(|(_, count)| (11_000..11_200).contains(count))
    );
}

#[test]
fn a_zone_that_fails_moves_its_requests_to_the_next_and_gets_them_back() {
    let mut endpoints: Vec<_> = (0..4).map(|index| endpoint(&format!("near{index}"), 0, "a")).collect();
    endpoints.extend((0..4).map(|index| endpoint(&format!("far{index}"), 1, "b")));
    let settings = [("max_ejection_percent", 100), ("base_ejection_time_ms", 20_000), ("interval_ms", 1_000)];
    let upstream = Upstream::new(&Cluster { outlier: outlier(&settings), ..cluster(endpoints) }, 0);
    let mut far_while_down = 0;
    let counts = run(&upstream, REQUESTS, |address, now_ms| {
        let down = (30_000..40_000).contains(&now_ms);
        far_while_down += u64::from(down && address.starts_with("far"));
        if down && address.starts_with("near") {
            Outcome::LocalFailure(LocalFailure::Connect)
        } else {
            Outcome::Status(200)
        }
    });
    let far: u64 = counts.iter().filter(|(host, _)| host.starts_with("far")).map(|(_, count)| count).sum();
    assert!(!counts.contains_key("nobody"), "somebody healthy is always there: {counts:?}");
    assert!(far_while_down > 9_970, "five failures each, then nobody near is asked: {far_while_down}");
    assert!(far < 23_000, "20 s after the failure the near hosts are back: {far}");
}

#[test]
fn without_panic_mode_nobody_is_asked_and_with_it_everybody_is() {
    let unready = || -> Vec<_> {
        (0..4)
            .map(|index| ClusterEndpoint { healthy: false, ..endpoint(&format!("h{index}"), 0, "") })
            .collect()
    };
    let off = Upstream::new(&cluster(unready()), 0);
    assert_eq!(run(&off, 1_000, |_, _| Outcome::Status(200)), BTreeMap::from([("nobody".into(), 1_000)]));
    let on = Upstream::new(&Cluster { panic_threshold: None, ..cluster(unready()) }, 0);
    let counts = run(&on, 1_000, |_, _| Outcome::Status(200));
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [250; 4]);
}

#[test]
fn localities_get_the_weights_that_are_written() {
    let mut spread = cluster(vec![
        endpoint("a0", 0, "a"),
        endpoint("a1", 0, "a"),
        endpoint("a2", 0, "a"),
        endpoint("b0", 0, "b"),
    ]);
    spread.localities = vec![("a".into(), 0, 20), ("b".into(), 0, 80)];
    spread.locality_weighted = true;
    let counts = run(&Upstream::new(&spread, 0), REQUESTS, |_, _| Outcome::Status(200));
    assert_eq!(counts["b0"], 80_000);
    assert!((6_666..=6_667).contains(&counts["a0"]), "{counts:?}");

    spread.lb = LbPolicy::Maglev { table_size: None };
    let upstream = Upstream::new(&spread, 0);
    let mut dice = SeededDice::new(1);
    let mut far = 0;
    for _ in 0..REQUESTS {
        let hash = Some(dice.roll());
        let host = upstream.pick(&Wish { hash, ..Wish::default() }, 0, &mut dice).unwrap();
        far += u64::from(&*host.endpoint.address == "b0");
    }
    assert!((79_000..81_000).contains(&far), "{far}");
}

#[test]
fn members_may_change_while_requests_run() {
    let first: Vec<_> = (0..4).map(|index| endpoint(&format!("h{index}"), 0, "")).collect();
    let upstream = Upstream::new(&cluster(first.clone()), 0);
    let held = upstream.pick(&Wish::default(), 0, &mut SeededDice::new(0)).unwrap();
    held.begin();
    let mut second: Vec<_> =
        first.iter().filter(|endpoint| endpoint.address != held.endpoint.address).cloned().collect();
    second.push(ClusterEndpoint { weight: 7, ..held.endpoint.clone() });
    upstream.update(&cluster(second), 10);
    let same =
        upstream.hosts().into_iter().find(|host| host.endpoint.address == held.endpoint.address).unwrap();
    assert_eq!((same.active(), same.endpoint.weight), (1, 7));
    held.end();
    assert_eq!(same.active(), 0);
}

/// One of ten hosts refuses connections: with two retries on other hosts next to no request fails, and never more tries
/// than allowed are made.
#[test]
fn retries_find_another_host() {
    let endpoints = (0..10).map(|index| endpoint(&format!("h{index}"), 0, "")).collect();
    let upstream = Upstream::new(&Cluster { lb: LbPolicy::Random, ..cluster(endpoints) }, 0);
    let policy = policy("connect-failure", 2);
    let mut dice = SeededDice::new(2);
    let (mut failed, mut tries) = (0, 0);
    for now_ms in 0..REQUESTS {
        let mut state = RetryState::new(&policy);
        let mut tried = Vec::new();
        loop {
            let wish = Wish { tried: &tried, avoid_tried: true, ..Wish::default() };
            let host = upstream.pick(&wish, now_ms, &mut dice).unwrap();
            tries += 1;
            if &*host.endpoint.address != "h0" {
                break;
            }
            tried.push(host);
            let reset = Try::Reset { reason: ResetReason::ConnectFailure, request_sent: false };
            let Verdict::Retry { .. } = state.after(reset, &mut dice) else {
                failed += 1;
                break;
            };
        }
    }
    assert_eq!(failed, 0, "the same host twice would need six draws of it in a row");
    assert!((REQUESTS + 9_500..REQUESTS + 10_500).contains(&tries), "{tries}");
}

#[test]
fn other_priorities_are_tried_after_two_tries() {
    let upstream = Upstream::new(&cluster(vec![endpoint("near", 0, ""), endpoint("far", 1, "")]), 0);
    let mut dice = SeededDice::new(0);
    let mut tried = Vec::new();
    let mut order = Vec::new();
    for _ in 0..4 {
        let wish = Wish { tried: &tried, other_priorities: true, ..Wish::default() };
        let host = upstream.pick(&wish, 0, &mut dice).unwrap();
        order.push(host.endpoint.address.to_string());
        tried.push(host);
    }
    assert_eq!(order, ["near", "near", "far", "far"]);
}

/// Requests of 100 ms, one a millisecond, and room for 50: half of them are turned away.
#[test]
fn the_breaker_turns_away_what_is_too_much() {
    let limits = Limits { max_requests: Some(50), ..Limits::default() };
    let upstream = Upstream::new(&Cluster { limits, ..cluster(vec![endpoint("h", 0, "")]) }, 0);
    let mut running = std::collections::VecDeque::new();
    let mut refused = 0;
    for now_ms in 0..REQUESTS {
        while running.front().is_some_and(|(until, _)| *until <= now_ms) {
            running.pop_front();
        }
        match upstream.breaker.acquire(Resource::Requests) {
            Some(permit) => running.push_back((now_ms + 100, permit)),
            None => refused += 1,
        }
    }
    assert_eq!(refused, REQUESTS / 2);
}

#[test]
fn a_balancer_of_ones_own_takes_part() {
    use super::load_balancer::{LoadBalancer, Pick, WeightedHost};

    #[derive(Debug)]
    struct Last(Vec<WeightedHost>);

    impl LoadBalancer for Last {
        fn pick(&self, _: &mut Pick<'_>) -> Option<&Arc<super::host::Host>> {
            self.0.last().map(|entry| &entry.host)
        }
    }

    let cluster = cluster(vec![endpoint("a", 0, ""), endpoint("b", 0, "")]);
    let upstream = Upstream::with_balancer(&cluster, Arc::new(|hosts| Box::new(Last(hosts))), 0);
    assert_eq!(run(&upstream, 10, |_, _| Outcome::Status(200)), BTreeMap::from([("b".into(), 10)]));
}
