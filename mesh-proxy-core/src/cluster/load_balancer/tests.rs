//! Shares of picks, 100,000 of them each.

use std::collections::BTreeMap;

use mesh_compile::proxy::cluster::ClusterEndpoint;
use proptest::prelude::*;
use twox_hash::XxHash64;

use super::*;
use crate::dice::SeededDice;

const PICKS: usize = 100_000;

fn hosts(weights: &[u32]) -> Vec<WeightedHost> {
    let endpoint = |index: usize, weight: u32| ClusterEndpoint {
        weight,
        ..ClusterEndpoint::at(format!("10.0.0.{index}:80"))
    };
    weights
        .iter()
        .enumerate()
        .map(|(index, weight)| WeightedHost {
            host: Arc::new(Host::new(endpoint(index, *weight), 0)),
            weight: f64::from(*weight),
        })
        .collect()
}

/// Picks by address, with a hash key that is different for every request.
fn shares(balancer: &dyn LoadBalancer, now_ms: u64) -> BTreeMap<String, usize> {
    let mut dice = SeededDice::new(42);
    let mut counts = BTreeMap::new();
    for request in 0..PICKS as u64 {
        let hash = Some(XxHash64::oneshot(7, &request.to_le_bytes()));
        let picked = balancer.pick(&mut Pick { now_ms, hash, attempt: 0, dice: &mut dice }).unwrap();
        *counts.entry(picked.endpoint.address.to_string()).or_default() += 1;
    }
    counts
}

fn list(balancer: &dyn LoadBalancer) -> Vec<usize> {
    shares(balancer, 0).into_values().collect()
}

fn policies() -> [LbPolicy; 5] {
    [
        LbPolicy::RoundRobin,
        LbPolicy::LeastRequest,
        LbPolicy::Random,
        LbPolicy::RingHash { minimum_ring_size: None },
        LbPolicy::Maglev { table_size: Some(1_009) },
    ]
}

#[test]
fn round_robin_is_exact_with_and_without_weights() {
    assert_eq!(list(&RoundRobin::new(hosts(&[1, 1, 1, 1]), None)), [25_000; 4]);
    assert_eq!(list(&RoundRobin::new(hosts(&[1, 3, 4, 2]), None)), [10_000, 30_000, 40_000, 20_000]);
}

#[test]
fn least_request_evens_out_and_avoids_the_busy() {
    for count in list(&LeastRequest::new(hosts(&[1; 4]), None)) {
        assert!((24_000..26_000).contains(&count), "{count}");
    }
    let entries = hosts(&[1; 4]);
    (0..50).for_each(|_| entries[0].host.begin());
    let counts = list(&LeastRequest::new(entries, None));
    // The busy one is taken when both draws are it: one of sixteen.
    assert!((5_800..6_700).contains(&counts[0]), "{counts:?}");
}

#[test]
fn least_request_with_weights_divides_by_what_is_running() {
    let entries = hosts(&[1, 1, 2]);
    entries[2].host.begin();
    // Weights 1, 1 and 2 / (1 + 1).
    let counts = list(&LeastRequest::new(entries, None));
    assert!(counts.iter().all(|count| (33_000..34_000).contains(count)), "{counts:?}");
}

#[test]
fn random_ignores_weights() {
    let counts = list(&Random::new(hosts(&[1, 9])));
    assert!(counts.iter().all(|count| (49_000..51_000).contains(count)), "{counts:?}");
}

#[test]
fn a_ring_has_at_least_its_size_and_follows_weights() {
    let ring = RingHash::new(&hosts(&[1, 2, 1]), Some(10_000));
    assert!((10_000..10_100).contains(&ring.size()), "{}", ring.size());
    let counts = list(&ring);
    assert!((45_000..55_000).contains(&counts[1]), "{counts:?}");
    assert_eq!(RingHash::new(&hosts(&[1]), None).size(), 1_024);
}

/// Places as Envoy computes them: XXH64 of `address_copy`.
#[test]
fn the_places_on_a_ring_are_envoys() {
    let entries = hosts(&[1, 1]);
    let ring = RingHash::new(&entries, Some(2));
    let mut places = [
        (XxHash64::oneshot(0, b"10.0.0.0:80_0"), "10.0.0.0:80"),
        (XxHash64::oneshot(0, b"10.0.0.1:80_0"), "10.0.0.1:80"),
    ];
    places.sort_unstable();
    for (hash, expected) in [
        (places[0].0, places[0].1),
        (places[0].0 + 1, places[1].1),
        (places[1].0, places[1].1),
        (places[1].0 + 1, places[0].1),
    ] {
        let mut dice = SeededDice::new(0);
        let picked = ring.pick(&mut Pick { now_ms: 0, hash: Some(hash), attempt: 0, dice: &mut dice });
        assert_eq!(&*picked.unwrap().endpoint.address, expected);
    }
}

#[test]
fn a_maglev_table_shares_its_slots_by_weight() {
    let counts = list(&Maglev::new(&hosts(&[1, 1, 2]), None));
    assert!((24_000..26_000).contains(&counts[0]) && (48_500..51_500).contains(&counts[2]), "{counts:?}");
}

#[test]
fn a_table_size_that_is_not_prime_does_not_hang() {
    for size in [2, 4, 1_000, 1_024] {
        assert_eq!(list(&Maglev::new(&hosts(&[1, 5]), Some(size))).iter().sum::<usize>(), PICKS);
    }
}

/// A host that leaves moves its own requests and few others; without a ring nine of ten would move.
#[test]
fn hashing_keeps_most_requests_where_they_were() {
    for policy in
        [LbPolicy::RingHash { minimum_ring_size: Some(4_096) }, LbPolicy::Maglev { table_size: None }]
    {
        let all = hosts(&[1; 10]);
        let less: Vec<_> =
            all.iter().filter(|entry| &*entry.host.endpoint.address != "10.0.0.3:80").cloned().collect();
        let (before, after) = (build(policy, None, all), build(policy, None, less));
        let mut dice = SeededDice::new(0);
        let moved = (0..10_000_u64)
            .filter(|request| {
                let hash = Some(XxHash64::oneshot(0, &request.to_le_bytes()));
                let mut ask = |balancer: &dyn LoadBalancer| {
                    let mut pick = Pick { now_ms: 0, hash, attempt: 0, dice: &mut dice };
                    balancer.pick(&mut pick).unwrap().endpoint.address.clone()
                };
                let was = ask(&*before);
                *was != *"10.0.0.3:80" && was != ask(&*after)
            })
            .count();
        assert!(moved < 1_000, "{policy:?}: {moved} of 10,000 moved");
    }
}

#[test]
fn a_fresh_host_gets_its_warm_up_share() {
    let warmup = SlowStart { window_ms: 100_000, aggression: None, min_weight_percent: None };
    let mut entries = hosts(&[1, 1]);
    let fresh = Host::new(entries[1].host.endpoint.clone(), 200_000);
    entries[1].host = Arc::new(fresh);
    for balancer in [build(LbPolicy::RoundRobin, Some(warmup), entries.clone()), {
        build(LbPolicy::LeastRequest, Some(warmup), entries.clone())
    }] {
        let counts: Vec<_> = shares(&*balancer, 225_000).into_values().collect();
        assert!((79_500..80_500).contains(&counts[0]), "a quarter of its weight: {counts:?}");
    }
}

#[test]
fn an_empty_list_has_no_host() {
    for policy in policies() {
        let balancer = build(policy, None, Vec::new());
        let mut dice = SeededDice::new(0);
        assert!(balancer.pick(&mut Pick { now_ms: 0, hash: Some(1), attempt: 0, dice: &mut dice }).is_none());
    }
}

#[test]
fn an_unwanted_host_is_not_drawn_for_ever() {
    for policy in [LbPolicy::RingHash { minimum_ring_size: None }, LbPolicy::Maglev { table_size: None }] {
        let balancer = build(policy, None, hosts(&[1; 5]));
        let mut dice = SeededDice::new(0);
        let picked: std::collections::BTreeSet<_> = (0..6)
            .map(|attempt| {
                let mut pick = Pick { now_ms: 0, hash: Some(12_345), attempt, dice: &mut dice };
                balancer.pick(&mut pick).unwrap().endpoint.address.clone()
            })
            .collect();
        assert!(picked.len() > 1, "{policy:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Every policy reaches every host, and round robin stays within a round of each host's share.
    #[test]
    fn everyone_gets_something(weights in prop::collection::vec(1_u32..20, 1..8)) {
        for policy in policies() {
            let balancer = build(policy, None, hosts(&weights));
            prop_assert_eq!(shares(&*balancer, 0).len(), weights.len(), "{:?}", policy);
        }
        let sum: u32 = weights.iter().sum();
        let counts = shares(&RoundRobin::new(hosts(&weights), None), 0);
        for (count, weight) in counts.values().zip(&weights) {
            let due = PICKS as f64 * f64::from(*weight) / f64::from(sum);
            prop_assert!((*count as f64 - due).abs() <= weights.len() as f64, "{} instead of {}", count, due);
        }
    }
}
