//! What is left to chance, over 100,000 requests with dice that have a seed: what must always or never happen does, and
//! shares are within five standard deviations of what is written.

use std::sync::Arc;

use mesh_compile::route_table::action::{Fault, FaultAbort, Mirror};
use mesh_model::origin::Origin;

use super::draw::{self, tests::choice};
use super::retry::tests::policy;
use super::retry::{ResetReason, RetryState, Try, Verdict};
use crate::dice::{Dice, SeededDice};

const REQUESTS: u64 = 100_000;

/// Whether so many of `of` are a share of `share` (0 to 1), as far as chance lets one tell.
pub(super) fn assert_share(what: &str, count: u64, of: u64, share: f64) {
    let expected = of as f64 * share;
    let sigma = (expected * (1.0 - share)).sqrt();
    let off = (count as f64 - expected).abs();
    assert!(off <= 5.0 * sigma, "{what}: {count} of {of}, expected {expected:.0} give or take {sigma:.1}");
}

#[test]
fn faults_happen_as_often_as_written_and_apart_from_each_other() {
    let shares = [0.0, 0.01, 1.0, 20.0, 50.0, 99.9, 100.0];
    let mut dice = SeededDice::new(21);
    for delayed in shares {
        for aborted in shares {
            let written =
                Fault { delay: Some((250, delayed)), abort: Some((FaultAbort::Http(418), aborted)) };
            let mut counts = [0; 3];
            for _ in 0..REQUESTS {
                let drawn = draw::fault(&written, &mut dice);
                assert!(matches!(drawn.delay_ms, None | Some(250)));
                assert!(matches!(drawn.abort, None | Some(FaultAbort::Http(418))));
                let happened = [
                    drawn.delay_ms.is_some(),
                    drawn.abort.is_some(),
                    drawn.delay_ms.is_some() && drawn.abort.is_some(),
                ];
                for (count, happened) in counts.iter_mut().zip(happened) {
                    *count += u64::from(happened);
                }
            }
            let (delayed, aborted) = (delayed / 100.0, aborted / 100.0);
            for (what, count, share) in [
                ("delays", counts[0], delayed),
                ("aborts", counts[1], aborted),
                ("both", counts[2], delayed * aborted),
            ] {
                assert_share(what, count, REQUESTS, share);
            }
        }
    }
}

#[test]
fn a_fault_that_is_not_written_never_happens() {
    let mut dice = SeededDice::new(22);
    for _ in 0..REQUESTS {
        let only = Fault { delay: None, abort: Some((FaultAbort::Http(500), 50.0)) };
        assert_eq!(draw::fault(&only, &mut dice).delay_ms, None);
        let only = Fault { delay: Some((1, 50.0)), abort: None };
        assert_eq!(draw::fault(&only, &mut dice).abort, None);
    }
}

#[test]
fn mirrors_get_their_share_whatever_the_others_get() {
    let shares = [0.0, 0.5, 12.5, 50.0, 100.0];
    let mirrors: Vec<Mirror> = shares
        .iter()
        .map(|percent| Mirror {
            cluster: format!("m{percent}").into(),
            percent: *percent,
            origin: Origin::built_in("test"),
        })
        .collect();
    let mut dice = SeededDice::new(23);
    let mut single = [0; 5];
    let mut pairs = [[0; 5]; 5];
    for _ in 0..REQUESTS {
        let got: Vec<Arc<str>> =
            draw::mirrors(&mirrors, &mut dice).map(|mirror| Arc::clone(&mirror.cluster)).collect();
        let has: Vec<bool> = mirrors.iter().map(|mirror| got.contains(&mirror.cluster)).collect();
        for (at, has_one) in has.iter().enumerate() {
            single[at] += u64::from(*has_one);
            for (other, has_other) in has.iter().enumerate() {
                pairs[at][other] += u64::from(*has_one && *has_other);
            }
        }
    }
    for (at, share) in shares.iter().enumerate() {
        assert_share("copies", single[at], REQUESTS, share / 100.0);
        for (other, other_share) in shares.iter().enumerate().filter(|(other, _)| *other != at) {
            assert_share("copies to both", pairs[at][other], REQUESTS, share * other_share / 10_000.0);
        }
    }
}

/// A quarter of all tries fails. Destinations are drawn once for each request, so retries change nothing about their
/// shares; with five retries a request fails where six tries do; the n-th wait is spread evenly over 25 ms doubled n
/// times, 250 ms at most.
#[test]
fn destinations_keep_their_shares_and_waits_their_bounds_through_retries() {
    const FAILS: f64 = 0.25;
    let weights = [("a", 1), ("never", 0), ("b", 5), ("c", 94)];
    let choices: Vec<_> = weights.iter().map(|(name, weight)| choice(name, *weight)).collect();
    let policy = policy("reset", 5);
    let bounds = [25_u64, 50, 100, 200, 250];
    let mut dice = SeededDice::new(24);
    let mut network = SeededDice::new(25);
    let (mut drawn, mut failed) = ([0; 4], 0);
    let mut waits = [(0_u64, 0_u64); 5];
    for _ in 0..REQUESTS {
        let choice = draw::destination(&choices, &mut dice).unwrap();
        drawn[choices.iter().position(|other| other.cluster == choice.cluster).unwrap()] += 1;
        let mut state = RetryState::new(&policy);
        for retry in 0.. {
            if !network.happens(FAILS * 100.0) {
                break;
            }
            let reset = Try::Reset { reason: ResetReason::Reset, request_sent: true };
            match state.after(reset, &mut dice) {
                Verdict::Retry { after_ms } => {
                    assert!(after_ms < bounds[retry], "{after_ms} ms before retry {retry}");
                    waits[retry].0 += 1;
                    waits[retry].1 += after_ms;
                }
                Verdict::LimitExceeded => {
                    assert_eq!(retry, 5);
                    failed += 1;
                    break;
                }
                Verdict::Final => panic!("a reset is to be repeated"),
            }
        }
    }
    for ((name, weight), count) in weights.iter().zip(drawn) {
        assert_share(name, count, REQUESTS, f64::from(*weight) / 100.0);
    }
    assert_share("failed", failed, REQUESTS, FAILS.powi(6));
    for (retry, (count, total)) in waits.into_iter().enumerate() {
        assert_share("retries", count, REQUESTS, FAILS.powi(retry as i32 + 1));
        // Of whole numbers below a bound: mean and standard deviation of the mean.
        let bound = bounds[retry] as f64;
        let (mean, sigma) = ((bound - 1.0) / 2.0, ((bound * bound - 1.0) / 12.0 / count as f64).sqrt());
        let found = total as f64 / count as f64;
        assert!((found - mean).abs() <= 5.0 * sigma, "retry {retry}: {found} ms, expected {mean} ms");
    }
}
