//! Which endpoint of a cluster gets a request.

use std::sync::atomic::{AtomicUsize, Ordering};

use mesh_compile::proxy::cluster::{ClusterEndpoint, LbPolicy};

use super::dice::Dice;

/// What a balancer may look at.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// All endpoints of the cluster.
    pub endpoints: &'a [ClusterEndpoint],
    /// Positions that may be picked; never empty.
    pub usable: &'a [usize],
    /// The hash of the request's key; `None`: it has none.
    pub hash: Option<u64>,
    /// Chance.
    pub dice: &'a dyn Dice,
}

/// Picks an endpoint.
///
/// A contract: the answer is one of [`Choice::usable`], or `None` where the balancer wants to refuse the request.
pub trait LoadBalancer: Send + Sync + std::fmt::Debug {
    /// The position of the endpoint in [`Choice::endpoints`].
    fn pick(&self, choice: &Choice<'_>) -> Option<usize>;
}

/// The shipped balancer of a policy.
pub fn of_policy(policy: LbPolicy) -> Box<dyn LoadBalancer> {
    match policy {
        LbPolicy::RoundRobin => Box::new(InTurn::default()),
        LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. } => Box::new(ByHash),
        LbPolicy::LeastRequest | LbPolicy::Random | LbPolicy::ClusterProvided => Box::new(ByWeight),
    }
}

/// One after the other.
#[derive(Debug, Default)]
pub struct InTurn {
    next: AtomicUsize,
}

impl LoadBalancer for InTurn {
    fn pick(&self, choice: &Choice<'_>) -> Option<usize> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        choice.usable.get(turn.checked_rem(choice.usable.len())?).copied()
    }
}

/// Any, in the proportion of the endpoints' weights.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByWeight;

impl LoadBalancer for ByWeight {
    fn pick(&self, choice: &Choice<'_>) -> Option<usize> {
        let weight =
            |at: usize| choice.endpoints.get(at).map_or(0, |endpoint| u64::from(endpoint.weight.max(1)));
        let total: u64 = choice.usable.iter().map(|at| weight(*at)).sum();
        let mut drawn = choice.dice.below(total);
        choice.usable.iter().copied().find(|at| match drawn.checked_sub(weight(*at)) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        })
    }
}

/// The endpoint whose address hashes highest together with the key (rendezvous hashing); any where there is no key.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByHash;

impl LoadBalancer for ByHash {
    fn pick(&self, choice: &Choice<'_>) -> Option<usize> {
        let Some(key) = choice.hash else { return ByWeight.pick(choice) };
        choice
            .usable
            .iter()
            .copied()
            .max_by_key(|at| choice.endpoints.get(*at).map(|endpoint| mix(key, endpoint.address.as_bytes())))
    }
}

/// FNV-1a over the key and the address, with a final avalanche.
pub(crate) fn mix(key: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ key;
    let mut hash =
        bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::dice::ThreadDice;

    fn endpoints(weights: &[u32]) -> Vec<ClusterEndpoint> {
        weights
            .iter()
            .enumerate()
            .map(|(at, weight)| ClusterEndpoint {
                address: format!("10.0.0.{at}:80").into(),
                priority: 0,
                weight: *weight,
                healthy: true,
                mtls: false,
                locality: "".into(),
            })
            .collect()
    }

    fn shares(balancer: &dyn LoadBalancer, weights: &[u32], hash: impl Fn(u64) -> Option<u64>) -> Vec<usize> {
        let endpoints = endpoints(weights);
        let usable: Vec<usize> = (0..endpoints.len()).collect();
        let mut shares = vec![0; endpoints.len()];
        for number in 0..10_000 {
            let choice =
                Choice { endpoints: &endpoints, usable: &usable, hash: hash(number), dice: &ThreadDice };
            shares[balancer.pick(&choice).unwrap()] += 1;
        }
        shares
    }

    #[test]
    fn turns_are_even() {
        assert_eq!(shares(&InTurn::default(), &[1, 1, 1, 1], |_| None), [2500; 4]);
    }

    #[test]
    fn weights_are_shares() {
        let shares = shares(&ByWeight, &[1, 3], |_| None);
        assert!((2300..2700).contains(&shares[0]), "{shares:?}");
    }

    #[test]
    fn one_key_has_one_endpoint_and_keys_are_spread() {
        assert_eq!(shares(&ByHash, &[1, 1, 1], |_| Some(7)).iter().max(), Some(&10_000));
        let spread = shares(&ByHash, &[1, 1, 1], |number| Some(mix(number, b"")));
        assert!(spread.iter().all(|share| (2900..3800).contains(share)), "{spread:?}");
    }
}
