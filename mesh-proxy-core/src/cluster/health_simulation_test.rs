//! Who is asked while hosts warm up, fail and come back: slow start, failover between priorities, panic, localities that
//! are partly ill; 100,000 requests each, shares as the rules have them.

use std::collections::BTreeMap;

use mesh_compile::proxy::cluster::{Cluster, ClusterEndpoint, LbPolicy, SlowStart};

use super::chance_simulation_test::assert_share;
use super::outlier_detection::Outcome;
use super::simulation_test::{REQUESTS, cluster, endpoint, outlier, run};
use super::upstream::{Upstream, Wish};
use crate::dice::{Dice, SeededDice};

/// So many hosts at a priority, the first of which are healthy.
fn at_priority(priority: u32, all: usize, healthy: usize) -> impl Iterator<Item = ClusterEndpoint> {
    (0..all).map(move |index| ClusterEndpoint {
        healthy: index < healthy,
        ..endpoint(&format!("p{priority}-{index}"), priority, "")
    })
}

/// Four old hosts and one that has just come, one request a millisecond: in each tenth of the window the new host gets
/// what its growing weight, added up millisecond by millisecond, has it; afterwards a fifth.
#[test]
fn a_new_host_gets_the_share_that_its_age_allows() {
    let window = 100_000_u64;
    for lb in [LbPolicy::RoundRobin, LbPolicy::LeastRequest] {
        for (aggression, minimum) in [(None, None), (Some(2.0), None), (Some(0.5), Some(30.0))] {
            let warmup = SlowStart { window_ms: window as i64, aggression, min_weight_percent: minimum };
            let old = at_priority(0, 4, 4).collect::<Vec<_>>();
            let written = |endpoints| Cluster { lb, slow_start: Some(warmup), ..cluster(endpoints) };
            let upstream = Upstream::new(&written(old.clone()), 0);
            let mut with_new = old;
            with_new.push(endpoint("new", 0, ""));
            // The old ones have warmed up by then.
            let start = 2 * window;
            upstream.update(&written(with_new), start);
            let mut dice = SeededDice::new(12);
            for tenth in 0..11 {
                let (mut got, mut due) = (0_u64, 0.0);
                for passed in tenth * 10_000..(tenth + 1) * 10_000 {
                    let age = (passed.max(1_000) as f64 / window as f64).min(1.0);
                    let weight =
                        age.powf(1.0 / aggression.unwrap_or(1.0)).max(minimum.unwrap_or(10.0) / 100.0);
                    due += weight / (4.0 + weight);
                    let host = upstream.pick(&Wish::default(), start + passed, &mut dice).unwrap();
                    got += u64::from(&*host.endpoint.address == "new");
                }
                // A turn is given by the weight of the moment in which the last one was taken.
                let off = (got as f64 - due).abs();
                assert!(off <= 10.0 + due * 0.02, "{lb:?} {warmup:?} tenth {tenth}: {got}, due {due:.1}");
            }
        }
    }
}

/// The load of priorities as Envoy's documentation words it, in whole percents.
fn documented_loads(counts: &[(usize, usize)]) -> Vec<f64> {
    let health = |(all, healthy): &(usize, usize)| match all {
        0 => 0.0,
        all => (140.0 * *healthy as f64 / *all as f64).floor().min(100.0),
    };
    let total = counts.iter().map(health).sum::<f64>().min(100.0);
    let mut left = 100.0_f64;
    let mut loads: Vec<f64> = counts
        .iter()
        .map(|count| {
            let load = (health(count) * 100.0 / total).floor().min(left);
            left -= load;
            load
        })
        .collect();
    if let Some(at) = counts.iter().position(|(_, healthy)| *healthy > 0) {
        loads[at] += left;
    }
    loads
}

#[test]
fn priorities_take_over_what_the_ones_before_cannot_carry() {
    let mut dice = SeededDice::new(13);
    let mut cases: Vec<Vec<(usize, usize)>> = (0..=10).map(|healthy| vec![(10, healthy), (10, 10)]).collect();
    cases.extend([
        vec![(4, 1), (4, 1), (4, 4)],
        vec![(4, 0), (4, 0), (4, 1)],
        vec![(3, 1), (5, 2), (7, 1)],
        vec![(1, 0), (0, 0), (2, 2)],
    ]);
    for counts in cases {
        let endpoints =
            (0..).zip(&counts).flat_map(|(priority, (all, healthy))| at_priority(priority, *all, *healthy));
        let upstream = Upstream::new(&cluster(endpoints.collect()), 0);
        let mut got = BTreeMap::<u32, u64>::new();
        for _ in 0..REQUESTS {
            let host = upstream.pick(&Wish::default(), 0, &mut dice).unwrap();
            assert!(host.is_healthy(), "somebody healthy is there");
            *got.entry(host.endpoint.priority).or_default() += 1;
        }
        for (priority, load) in (0..).zip(documented_loads(&counts)) {
            let count = got.get(&priority).copied().unwrap_or_default();
            assert_share(&format!("{counts:?} priority {priority}"), count, REQUESTS, load / 100.0);
        }
    }
}

/// Below the threshold every host is asked, ill or not; from it on only the healthy; with a threshold of 0 never the ill.
#[test]
fn panic_asks_everybody_and_only_below_its_threshold() {
    for threshold in [Some(0.0), Some(30.0), None, Some(100.0)] {
        for healthy in 0..=10_usize {
            let hosts =
                Cluster { panic_threshold: threshold, ..cluster(at_priority(0, 10, healthy).collect()) };
            let counts = run(&Upstream::new(&hosts, 0), REQUESTS / 10, |_, _| Outcome::Status(200));
            let share = healthy as f64 * 10.0;
            // 72 healthy of a hundred count as all: nobody panics then.
            let panics = share < threshold.unwrap_or(50.0) && healthy < 8;
            let asked = if panics { 10 } else { healthy };
            let expected: BTreeMap<String, u64> = match asked {
                0 => BTreeMap::from([("nobody".to_owned(), REQUESTS / 10)]),
                asked => {
                    let due = |index: usize| {
                        let (each, rest) = (10_000 / asked, 10_000 % asked);
                        (each + usize::from(index < rest)) as u64
                    };
                    (0..asked).map(|index| (format!("p0-{index}"), due(index))).collect()
                }
            };
            assert_eq!(counts, expected, "{healthy} of 10, threshold {threshold:?}");
        }
    }
}

/// `minHealthPercent`: six of ten hosts fail and are taken out. Where half must be healthy the four that are left are not
/// enough, and all are asked again; where nothing is demanded the six stay out.
#[test]
fn ejections_beyond_the_least_health_count_for_nothing() {
    for (threshold, failing_share) in [(Some(50.0), 0.6), (Some(0.0), 0.0)] {
        let settings = [("max_ejection_percent", 100), ("base_ejection_time_ms", 1_000_000)];
        let written = Cluster {
            outlier: outlier(&settings),
            panic_threshold: threshold,
            ..cluster(at_priority(0, 10, 10).collect())
        };
        let upstream = Upstream::new(&written, 0);
        let fails = |address: &str| address.trim_start_matches("p0-").parse::<u32>().unwrap() < 6;
        let counts =
            run(&upstream, REQUESTS, |address, _| Outcome::Status(if fails(address) { 503 } else { 200 }));
        assert_eq!(upstream.hosts().iter().filter(|host| host.is_ejected()).count(), 6);
        let failing: u64 = counts.iter().filter(|(address, _)| fails(address)).map(|(_, count)| count).sum();
        let due = failing_share * REQUESTS as f64;
        // Until they are out, five failures each, or a few rounds.
        assert!((failing as f64 - due).abs() <= 60.0, "{failing} to those that fail, due {due}");
    }
}

/// Locality `a` has weight 20 and is well; `b` has weight 80, of whose ten hosts fewer and fewer are well: its weight
/// counts whole down to eight, then 1.4 times its healthy share. Round robin keeps to that exactly, random within chance.
#[test]
fn a_localitys_weight_shrinks_with_its_health() {
    for lb in [LbPolicy::RoundRobin, LbPolicy::Random, LbPolicy::LeastRequest] {
        for healthy in 0..=10_usize {
            let mut endpoints: Vec<_> = (0..2).map(|index| endpoint(&format!("a{index}"), 0, "a")).collect();
            endpoints.extend((0..10).map(|index| ClusterEndpoint {
                healthy: index < healthy,
                ..endpoint(&format!("b{index}"), 0, "b")
            }));
            let mut written = Cluster { lb, locality_weighted: true, ..cluster(endpoints) };
            written.localities = vec![("a".into(), 0, 20), ("b".into(), 0, 80)];
            let counts = run(&Upstream::new(&written, 0), REQUESTS, |_, _| Outcome::Status(200));
            let far: u64 =
                counts.iter().filter(|(host, _)| host.starts_with('b')).map(|(_, count)| count).sum();
            let weight = 80.0 * (1.4 * healthy as f64 / 10.0).min(1.0);
            let due = REQUESTS as f64 * weight / (20.0 + weight);
            assert!((far as f64 - due).abs() <= 1.0, "{lb:?}, {healthy} well: {far}, due {due:.1}");
            let asked = counts.keys().filter(|host| host.starts_with('b')).count();
            assert_eq!(asked, healthy);
        }
    }
}

/// A zone goes dark host by host and comes back, while requests run: at every moment the next zone gets what the first
/// cannot carry, and nobody who is ill is asked.
#[test]
fn a_zone_hands_over_and_takes_back_step_by_step() {
    let upstream = Upstream::new(&cluster(at_priority(0, 10, 10).chain(at_priority(1, 10, 10)).collect()), 0);
    let mut dice = SeededDice::new(14);
    let steps = (0..=10).rev().chain(1..=10);
    for (step, healthy) in (1..).zip(steps) {
        upstream.update(&cluster(at_priority(0, 10, healthy).chain(at_priority(1, 10, 10)).collect()), step);
        let mut near = 0;
        for _ in 0..5_000 {
            let hash = Some(dice.roll());
            let host = upstream.pick(&Wish { hash, ..Wish::default() }, step, &mut dice).unwrap();
            assert!(host.is_healthy());
            near += u64::from(host.endpoint.priority == 0);
        }
        let share = (14 * healthy).min(100) as f64 / 100.0;
        assert_share(&format!("{healthy} healthy"), near, 5_000, share);
    }
}
