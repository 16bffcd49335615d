//! Maglev: a table of prime size that hosts fill in turns, each in an order of its own (T-246).
//!
//! After "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4, with weights as in Envoy's
//! `maglev_lb.cc`.

use std::sync::Arc;

use twox_hash::XxHash64;

use super::{LoadBalancer, Pick, WeightedHost};
use crate::cluster::host::Host;

/// Envoy's table size where none is set.
const TABLE_SIZE: u64 = 65_537;
/// Envoy's greatest table; also a bound on memory.
const TABLE_SIZE_MAX: u64 = 5_000_011;

/// A filled table (T-246).
#[derive(Debug)]
pub struct Maglev {
    hosts: Vec<Arc<Host>>,
    /// Index into `hosts`. INVARIANT: no slot is free where there is a host.
    table: Vec<u32>,
}

/// A host while the table is filled.
struct Filler {
    index: u32,
    offset: u64,
    skip: u64,
    /// How far it is in its order.
    next: u64,
    weight: f64,
    /// Weight of the rounds so far, less the greatest weight for each slot it has filled.
    earned: f64,
}

impl Filler {
    fn new(index: usize, entry: &WeightedHost, size: u64) -> Self {
        let key = entry.host.endpoint.address.as_bytes();
        Self {
            index: index as u32,
            offset: XxHash64::oneshot(0, key).checked_rem(size).unwrap_or(0),
            skip: XxHash64::oneshot(1, key).checked_rem(size - 1).unwrap_or(0) + 1,
            next: 0,
            weight: entry.weight,
            earned: 0.0,
        }
    }

    /// The next slot in its order.
    fn slot(&mut self, size: u64) -> usize {
        let slot = (self.offset + self.skip.wrapping_mul(self.next)) % size.max(1);
        self.next += 1;
        slot as usize
    }
}

impl Maglev {
    /// A table of this size (unset or 0: 65,537; it should be prime and is at most 5,000,011) over these hosts.
    pub fn new(hosts: &[WeightedHost], table_size: Option<u64>) -> Self {
        const FREE: u32 = u32::MAX;
        let size = table_size.filter(|size| *size > 1).unwrap_or(TABLE_SIZE).min(TABLE_SIZE_MAX);
        let heaviest = hosts.iter().map(|entry| entry.weight).fold(0.0, f64::max);
        let mut fillers: Vec<Filler> =
            hosts.iter().enumerate().map(|(index, entry)| Filler::new(index, entry, size)).collect();
        let mut table = vec![FREE; if fillers.is_empty() { 0 } else { size as usize }];
        let mut free = table.len();
        while free > 0 {
            for filler in &mut fillers {
                // All fill a slot in the first round; a host of half the greatest weight then in every second.
                filler.earned += filler.weight;
                if filler.earned < 0.0 || free == 0 {
                    continue;
                }
                filler.earned -= heaviest;
                // Its order visits every slot once where the size is prime; the bound keeps other sizes from hanging.
                for _ in 0..size {
                    if let Some(slot) = table.get_mut(filler.slot(size)).filter(|slot| **slot == FREE) {
                        *slot = filler.index;
                        free -= 1;
                        break;
                    }
                }
            }
            // A size that is not prime can leave slots that nobody reaches: the last in line takes them.
            if fillers.iter().all(|filler| filler.next > 2 * size) {
                let last = fillers.last().map_or(FREE, |filler| filler.index);
                table.iter_mut().filter(|slot| **slot == FREE).for_each(|slot| *slot = last);
                free = 0;
            }
        }
        Self { hosts: hosts.iter().map(|entry| Arc::clone(&entry.host)).collect(), table }
    }
}

impl LoadBalancer for Maglev {
    fn pick(&self, request: &mut Pick<'_>) -> Option<&Arc<Host>> {
        let hash = request.hash.unwrap_or_else(|| request.dice.roll());
        // Envoy flips the hash with the attempt, so that an unwanted host is not drawn again.
        let hash = if request.attempt > 0 { hash ^ (!0 - request.attempt + 1) } else { hash };
        let slot = hash.checked_rem(self.table.len() as u64)?;
        let host = self.table.get(slot as usize)?;
        self.hosts.get(*host as usize)
    }
}
