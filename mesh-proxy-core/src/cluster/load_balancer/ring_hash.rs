//! Ring hash (ketama): each host stands on a ring many times, a request goes to the next host clockwise (T-246).
//!
//! The places on the ring are Envoy's (`ring_hash_lb.cc`): XXH64 of `address_n`, so that a mixed fleet agrees.

use std::fmt::Write;
use std::sync::Arc;

use twox_hash::XxHash64;

use super::{LoadBalancer, Pick, WeightedHost};
use crate::cluster::host::Host;

/// Envoy's bounds of the ring's size.
const MINIMUM_SIZE: u64 = 1_024;
const MAXIMUM_SIZE: u64 = 8 * 1_024 * 1_024;

/// A ring of host places (T-246).
#[derive(Debug)]
pub struct RingHash {
    hosts: Vec<Arc<Host>>,
    /// Place and index into `hosts`. INVARIANT: sorted by place.
    ring: Vec<(u64, u32)>,
}

impl RingHash {
    /// A ring of at least so many places (unset or 0: 1,024; at most 8,388,608), shared by weight; the lightest host has
    /// at least one.
    pub fn new(hosts: &[WeightedHost], minimum_size: Option<u64>) -> Self {
        let minimum_size =
            minimum_size.filter(|size| *size > 0).unwrap_or(MINIMUM_SIZE).min(MAXIMUM_SIZE) as f64;
        let total: f64 = hosts.iter().map(|entry| entry.weight).sum();
        let lightest = hosts.iter().map(|entry| entry.weight / total).fold(1.0_f64, f64::min);
        // So many places that the lightest host has a whole number of them, as long as the ring may be that large.
        let scale = ((lightest * minimum_size).ceil() / lightest).min(MAXIMUM_SIZE as f64);
        let mut ring = Vec::new();
        let (mut placed, mut due) = (0.0_f64, 0.0_f64);
        let mut key = String::new();
        for (index, entry) in hosts.iter().enumerate() {
            due += scale * entry.weight / total;
            let mut copy = 0_u64;
            while placed < due {
                key.clear();
                // Writing to a string does not fail.
                let _ = write!(key, "{}_{copy}", entry.host.endpoint.address);
                ring.push((XxHash64::oneshot(0, key.as_bytes()), index as u32));
                copy += 1;
                placed += 1.0;
            }
        }
        ring.sort_unstable();
        Self { hosts: hosts.iter().map(|entry| Arc::clone(&entry.host)).collect(), ring }
    }

    /// How many places the ring has.
    pub fn size(&self) -> usize {
        self.ring.len()
    }
}

impl LoadBalancer for RingHash {
    fn pick(&self, request: &mut Pick<'_>) -> Option<&Arc<Host>> {
        let hash = request.hash.unwrap_or_else(|| request.dice.roll());
        let place = self.ring.partition_point(|(place, _)| *place < hash) as u64;
        // Each unwanted pick moves one place on.
        let place = place.wrapping_add(request.attempt).checked_rem(self.ring.len() as u64)?;
        let (_, host) = self.ring.get(place as usize)?;
        self.hosts.get(*host as usize)
    }
}
