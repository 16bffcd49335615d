//! Which host of a list a request goes to (T-245, T-246).
//!
//! [`LoadBalancer`] is a seam: a program may bring its own. Those of the mesh API are [`RoundRobin`], [`LeastRequest`],
//! [`Random`], [`RingHash`] and [`Maglev`]; [`build`] makes the one that a cluster asks for.

use std::fmt::Debug;
use std::sync::Arc;

use mesh_compile::proxy::cluster::{LbPolicy, SlowStart};

use super::host::Host;
use crate::dice::Dice;

mod least_request;
mod maglev;
mod random;
mod ring_hash;
mod round_robin;
mod scheduled;
#[cfg(test)]
mod tests;

pub use least_request::LeastRequest;
pub use maglev::Maglev;
pub use random::Random;
pub use ring_hash::RingHash;
pub use round_robin::RoundRobin;

/// Picks hosts from the list it was built for. A changed list means a new balancer, so that tables are built once
/// (T-245, T-246).
pub trait LoadBalancer: Debug + Send + Sync {
    /// A host; `None`: the list is empty.
    fn pick(&self, request: &mut Pick<'_>) -> Option<&Arc<Host>>;
}

/// What a balancer may look at (T-247).
pub struct Pick<'a> {
    /// Now, in milliseconds.
    pub now_ms: u64,
    /// What the route's hash policies make of the request; `None`: nothing to hash (T-247).
    pub hash: Option<u64>,
    /// How many picks for the same try came before, because the host was not wanted (T-160).
    pub attempt: u64,
    /// Randomness.
    pub dice: &'a mut dyn Dice,
}

impl std::fmt::Debug for Pick<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { now_ms, hash, attempt, dice: _ } = self;
        out.debug_struct("Pick")
            .field("now_ms", now_ms)
            .field("hash", hash)
            .field("attempt", attempt)
            .finish_non_exhaustive()
    }
}

/// A host with its weight among the list (T-316).
#[derive(Debug, Clone)]
pub struct WeightedHost {
    /// The host.
    pub host: Arc<Host>,
    /// Positive; only the relation counts.
    pub weight: f64,
}

/// The balancer of a policy, over a list of hosts. Clusters that provide their own hosts (original destination) never ask
/// for one; they get [`Random`].
pub fn build(policy: LbPolicy, warmup: Option<SlowStart>, hosts: Vec<WeightedHost>) -> Box<dyn LoadBalancer> {
    match policy {
        LbPolicy::RoundRobin => Box::new(RoundRobin::new(hosts, warmup)),
        LbPolicy::LeastRequest => Box::new(LeastRequest::new(hosts, warmup)),
        LbPolicy::Random | LbPolicy::ClusterProvided => Box::new(Random::new(hosts)),
        LbPolicy::RingHash { minimum_ring_size } => Box::new(RingHash::new(&hosts, minimum_ring_size)),
        LbPolicy::Maglev { table_size } => Box::new(Maglev::new(&hosts, table_size)),
    }
}

/// Whether a policy hashes requests onto hosts of all localities at once.
pub(super) fn is_hashing(policy: LbPolicy) -> bool {
    matches!(policy, LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. })
}
