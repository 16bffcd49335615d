//! What keeps requests on one host, over 100,000 requests: header, cookie, address, query parameter, on a ring and in a
//! Maglev table, while hosts come, go, fail and come back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mesh_compile::proxy::cluster::{Cluster, LbPolicy};
use mesh_compile::route_table::action::HashPolicy;
use twox_hash::XxHash64;

use super::hash_key::{HashFacts, HashKey, HeaderValues, key};
use super::outlier_detection::Outcome;
use super::simulation_test::{REQUESTS, cluster, endpoint, outlier};
use super::upstream::{Upstream, Wish};
use crate::dice::{Dice, SeededDice};

const RING: LbPolicy = LbPolicy::RingHash { minimum_ring_size: None };
const LARGE_RING: LbPolicy = LbPolicy::RingHash { minimum_ring_size: Some(65_536) };
const MAGLEV: LbPolicy = LbPolicy::Maglev { table_size: None };

/// One header line, or none.
#[derive(Debug, Default)]
struct Line(&'static str, String);

impl HeaderValues for Line {
    fn values<'h>(&'h self, name: &str) -> Box<dyn Iterator<Item = &'h str> + 'h> {
        Box::new((name == self.0).then_some(&*self.1).into_iter())
    }
}

fn hosts(numbers: impl IntoIterator<Item = usize>, lb: LbPolicy) -> Cluster {
    let endpoints = numbers.into_iter().map(|number| endpoint(&format!("10.0.0.{number}:80"), 0, ""));
    Cluster { lb, ..cluster(endpoints.collect()) }
}

fn host_of(upstream: &Upstream, hash: Option<u64>, dice: &mut dyn Dice) -> Arc<str> {
    let wish = Wish { hash, ..Wish::default() };
    Arc::clone(&upstream.pick(&wish, 0, dice).unwrap().endpoint.address)
}

/// Where each of 100,000 keys goes.
fn placed(upstream: &Upstream) -> Vec<Arc<str>> {
    let mut dice = SeededDice::new(3);
    (0..REQUESTS)
        .map(|number| {
            let hash = XxHash64::oneshot(0, format!("user-{number}").as_bytes());
            host_of(upstream, Some(hash), &mut dice)
        })
        .collect()
}

/// Of the keys that stood on a host that is still there, how many stand elsewhere.
fn moved(before: &[Arc<str>], after: &[Arc<str>], gone: &str) -> usize {
    before.iter().zip(after).filter(|(was, is)| ***was != *gone && was != is).count()
}

/// The ring as its description has it: `address_n` hashed, the first place clockwise. Slow: no table of indices.
fn ring_oracle(numbers: &[usize], minimum: u64) -> impl Fn(u64) -> Arc<str> {
    let each = minimum.div_ceil(numbers.len() as u64);
    let places: BTreeMap<u64, Arc<str>> = numbers
        .iter()
        .flat_map(|number| {
            let address: Arc<str> = format!("10.0.0.{number}:80").into();
            (0..each).map(move |copy| {
                let place = XxHash64::oneshot(0, format!("{address}_{copy}").as_bytes());
                (place, Arc::clone(&address))
            })
        })
        .collect();
    move |hash| {
        let next = places.range(hash..).next().or_else(|| places.first_key_value());
        Arc::clone(next.unwrap().1)
    }
}

#[test]
fn a_ring_puts_every_request_where_its_description_does() {
    for (numbers, minimum) in [((0..10).collect::<Vec<_>>(), 1_024), (vec![1, 4, 7], 3_000), (vec![5], 8)] {
        let lb = LbPolicy::RingHash { minimum_ring_size: Some(minimum) };
        let upstream = Upstream::new(&hosts(numbers.iter().copied(), lb), 0);
        let oracle = ring_oracle(&numbers, minimum);
        let mut dice = SeededDice::new(6);
        for _ in 0..REQUESTS {
            let hash = dice.roll();
            assert_eq!(host_of(&upstream, Some(hash), &mut SeededDice::new(0)), oracle(hash), "{hash:x}");
        }
    }
}

/// 1,000 clients of 100 requests each, told apart by header, address or query parameter: each has one host for ever, all
/// hosts have clients, and requests without the thing that is hashed go anywhere.
#[test]
fn clients_stay_on_their_host_whatever_tells_them_apart() {
    let policies =
        [HashPolicy::Header("X-User".into()), HashPolicy::SourceIp, HashPolicy::Query("user".into())];
    for lb in [RING, MAGLEV] {
        let upstream = Upstream::new(&hosts(0..10, lb), 0);
        let mut dice = SeededDice::new(7);
        for policy in &policies {
            let mut homes: BTreeMap<u64, BTreeSet<Arc<str>>> = BTreeMap::new();
            let mut unhashed: BTreeMap<Arc<str>, u64> = BTreeMap::new();
            for number in 0..REQUESTS {
                let client = dice.below(1_000);
                let says = number % 10 != 9;
                let facts = HashFacts {
                    headers: &if says { Line("x-user", format!("u{client}")) } else { Line::default() },
                    path: &if says {
                        format!("/a?n={number}&user=u{client}#top")
                    } else {
                        "/a?n=1".to_owned()
                    },
                    source: says.then(|| IpAddr::V4(Ipv4Addr::from(0x0a01_0000 + client as u32))),
                };
                let HashKey { hash, set_cookies } = key(std::slice::from_ref(policy), &facts, "");
                assert_eq!((hash.is_some(), set_cookies.len()), (says, 0));
                let host = host_of(&upstream, hash, &mut dice);
                if says {
                    homes.entry(client).or_default().insert(host);
                } else {
                    *unhashed.entry(host).or_default() += 1;
                }
            }
            assert_eq!(homes.len(), 1_000);
            assert!(homes.values().all(|home| home.len() == 1), "{policy:?}");
            assert_eq!(homes.values().flatten().collect::<BTreeSet<_>>().len(), 10);
            // A ring of 1,024 places is uneven, by a third and more; a Maglev table is not.
            let bounds = if lb == MAGLEV { 850..1_150 } else { 500..1_600 };
            assert!(unhashed.values().all(|count| bounds.contains(count)), "{lb:?} {unhashed:?}");
        }
    }
}

/// 500 browsers that ask once a second for 200 seconds and keep cookies as they are told. Each is given a new one when it
/// has none: at its first request and, where the cookie lives for a minute, every 60 s; in between it has one host.
#[test]
fn a_made_cookie_holds_a_browser_for_its_life() {
    for lb in [RING, MAGLEV] {
        for (ttl_ms, cookies_each) in [(Some(60_000), 4), (Some(0), 1), (None, 0)] {
            let policy =
                [HashPolicy::Cookie { name: "s".into(), ttl_ms, path: "/".into(), attributes: vec![] }];
            let upstream = Upstream::new(&hosts(0..10, lb), 0);
            let mut dice = SeededDice::new(8);
            // Cookie, when it ends, and the host that it led to.
            let mut browsers: Vec<Option<(String, u64, Arc<str>)>> = vec![None; 500];
            let (mut made, mut anywhere) = (0, BTreeMap::<Arc<str>, u64>::new());
            for second in 0..200 {
                for browser in &mut browsers {
                    if browser.as_ref().is_some_and(|(_, ends, _)| *ends <= second) {
                        *browser = None;
                    }
                    let headers = browser.as_ref().map_or_else(Line::default, |(cookie, ..)| {
                        Line("cookie", format!("theme=dark; {cookie}; lang=en"))
                    });
                    let facts = HashFacts { headers: &headers, path: "/", source: None };
                    let fresh = format!("{:x}", dice.roll());
                    let HashKey { hash, set_cookies } = key(&policy, &facts, &fresh);
                    let host = host_of(&upstream, hash, &mut dice);
                    *anywhere.entry(Arc::clone(&host)).or_default() += 1;
                    match (set_cookies.first(), &browser) {
                        (Some(cookie), None) => {
                            made += 1;
                            let life = cookie.split("; ").find_map(|part| part.strip_prefix("Max-Age="));
                            let ends = life.map_or(u64::MAX, |life| second + life.parse::<u64>().unwrap());
                            let pair = cookie.split(';').next().unwrap().to_owned();
                            *browser = Some((pair, ends, host));
                        }
                        (None, Some((_, _, home))) => assert_eq!(host, *home, "second {second}"),
                        (None, None) => assert_eq!(ttl_ms, None),
                        (Some(again), Some(_)) => panic!("{again} for a browser that has one"),
                    }
                }
            }
            assert_eq!(made, cookies_each * 500);
            assert_eq!(anywhere.len(), 10);
            assert_eq!(anywhere.values().sum::<u64>(), REQUESTS);
        }
    }
}

/// The policies of a route are mixed in order: the same two things give the same host, either of them changed another.
#[test]
fn a_route_may_hash_by_several_things() {
    let policies = [HashPolicy::Header("x-user".into()), HashPolicy::SourceIp];
    let upstream = Upstream::new(&hosts(0..10, MAGLEV), 0);
    let mut dice = SeededDice::new(9);
    let mut homes: BTreeMap<(u64, u32), Arc<str>> = BTreeMap::new();
    for _ in 0..REQUESTS {
        let (user, address) = (dice.below(40), dice.below(40) as u32);
        let source = Some(IpAddr::V4(Ipv4Addr::from(address)));
        let facts = HashFacts { headers: &Line("x-user", user.to_string()), path: "/", source };
        let host = host_of(&upstream, key(&policies, &facts, "").hash, &mut dice);
        assert_eq!(*homes.entry((user, address)).or_insert_with(|| Arc::clone(&host)), host);
    }
    let of_one = |user: u64| homes.iter().filter(move |((of, _), _)| *of == user).map(|(_, host)| host);
    assert!(
        (0..40).all(|user| of_one(user).collect::<BTreeSet<_>>().len() > 5),
        "the address counts as well"
    );
}

/// One of ten hosts leaves. Its own tenth must move. Of the others a ring moves what the new places of the nine take
/// (each has 1/9 of its places for the first time, instead of 1/10: a tenth of the keys at most); a Maglev table moves
/// a few in a hundred. When it comes back every request is where it was.
#[test]
fn a_host_that_leaves_takes_little_with_it_and_finds_all_of_it_again() {
    for (lb, most_moved) in [(RING, 12_000), (LARGE_RING, 10_500), (MAGLEV, 3_000)] {
        let all = hosts(0..10, lb);
        let upstream = Upstream::new(&all, 0);
        let before = placed(&upstream);
        upstream.update(&hosts((0..10).filter(|number| *number != 3), lb), 0);
        let without = placed(&upstream);
        assert!(without.iter().all(|host| **host != *"10.0.0.3:80"));
        let others = moved(&before, &without, "10.0.0.3:80");
        assert!(others < most_moved, "{lb:?}: {others} of {REQUESTS} moved that need not have");
        upstream.update(&all, 0);
        assert_eq!(placed(&upstream), before, "{lb:?}");
    }
}

/// A host is replaced by another: on a ring nothing moves but what the old one had and what the new one takes, to the key.
#[test]
fn a_replaced_host_moves_nobody_elses_requests_on_a_ring() {
    for lb in [RING, LARGE_RING] {
        let upstream = Upstream::new(&hosts(0..10, lb), 0);
        let before = placed(&upstream);
        upstream.update(&hosts((1..10).chain([77]), lb), 0);
        let after = placed(&upstream);
        for (was, is) in before.iter().zip(&after) {
            assert!(was == is || **was == *"10.0.0.0:80" || **is == *"10.0.0.77:80", "{lb:?}: {was} to {is}");
        }
    }
}

/// Hosts leave and join at random, one at a time, a hundred times: each step moves few keys, and the same hosts always
/// give the same places, however they came about.
#[test]
fn places_depend_on_the_hosts_and_not_on_their_history() {
    for (lb, most_moved) in [(RING, 300), (MAGLEV, 120)] {
        let mut dice = SeededDice::new(10);
        let mut numbers: BTreeSet<usize> = (0..12).collect();
        let upstream = Upstream::new(&hosts(numbers.iter().copied(), lb), 0);
        let keys: Vec<u64> = (0..1_000).map(|_| dice.roll()).collect();
        let ask = |upstream: &Upstream| -> Vec<Arc<str>> {
            keys.iter().map(|hash| host_of(upstream, Some(*hash), &mut SeededDice::new(0))).collect()
        };
        let mut before = ask(&upstream);
        for _ in 0..100 {
            let number = dice.below(20) as usize;
            let leaves = numbers.remove(&number);
            if !leaves || numbers.len() < 8 {
                numbers.insert(number);
            }
            upstream.update(&hosts(numbers.iter().copied(), lb), 0);
            let after = ask(&upstream);
            let address = format!("10.0.0.{number}:80");
            let strangers = before.iter().zip(&after);
            let strangers =
                strangers.filter(|(was, is)| was != is && ***was != *address && ***is != *address).count();
            assert!(strangers < most_moved, "{lb:?}: {strangers} of 1,000 moved between hosts that stayed");
            assert_eq!(after, ask(&Upstream::new(&hosts(numbers.iter().copied(), lb), 0)));
            before = after;
        }
    }
}

/// Outlier detection takes a host out and lets it in again: its requests go elsewhere and come home, to the key.
#[test]
fn an_ejected_host_gets_its_requests_back() {
    for lb in [RING, MAGLEV] {
        let settings = [("base_ejection_time_ms", 30_000), ("interval_ms", 10_000)];
        let upstream = Upstream::new(&Cluster { outlier: outlier(&settings), ..hosts(0..10, lb) }, 0);
        let before = placed(&upstream);
        let failing = upstream.hosts().into_iter().find(|host| &*host.endpoint.address == "10.0.0.3:80");
        let failing = failing.unwrap();
        let ejected = (0..5).filter(|_| upstream.record(&failing, Outcome::Status(503), 0)).count();
        assert_eq!(ejected, 1);
        let without = placed(&upstream);
        assert!(without.iter().all(|host| *host != failing.endpoint.address));
        let others = moved(&before, &without, "10.0.0.3:80");
        assert!(others < 12_000, "{lb:?}: {others}");
        upstream.sweep(30_000);
        assert_eq!(placed(&upstream), before, "{lb:?}");
    }
}

/// Each host has the share of keys that its weight says: a Maglev table within three in a hundred of it, a ring of
/// 65,536 places within a tenth.
#[test]
fn weights_hold_for_hashed_requests() {
    for (lb, slack) in [(LARGE_RING, 0.1), (MAGLEV, 0.03)] {
        let mut weighted = hosts(0..5, lb);
        for (endpoint, weight) in weighted.endpoints.iter_mut().zip([1, 2, 3, 4, 10]) {
            endpoint.weight = weight;
        }
        let counts = placed(&Upstream::new(&weighted, 0)).into_iter().fold(
            BTreeMap::<Arc<str>, f64>::new(),
            |mut counts, host| {
                *counts.entry(host).or_default() += 1.0;
                counts
            },
        );
        for (count, weight) in counts.values().zip([1.0, 2.0, 3.0, 4.0, 10.0]) {
            let due = REQUESTS as f64 * weight / 20.0;
            let chance = 5.0 * due.sqrt();
            assert!((count - due).abs() <= due * slack + chance, "{lb:?}: {count}, due {due}");
        }
    }
}
