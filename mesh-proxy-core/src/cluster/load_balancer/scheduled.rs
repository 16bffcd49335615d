//! The weighted half of round robin and least request: hosts in a schedule whose weights are asked for at every turn.

use std::sync::{Arc, Mutex, PoisonError};

use mesh_compile::proxy::cluster::SlowStart;

use super::WeightedHost;
use crate::cluster::earliest_deadline::EarliestDeadline;
use crate::cluster::host::Host;
use crate::cluster::slow_start;

/// Hosts of different weight, or such as warm up.
#[derive(Debug)]
pub(super) struct Scheduled {
    pub(super) hosts: Vec<WeightedHost>,
    warmup: Option<SlowStart>,
    /// Held for one turn of the queue, never across a decision.
    schedule: Mutex<Option<EarliestDeadline>>,
}

impl Scheduled {
    pub(super) fn new(hosts: Vec<WeightedHost>, warmup: Option<SlowStart>) -> Self {
        Self { hosts, warmup, schedule: Mutex::new(None) }
    }

    /// Whether a schedule is needed at all: hosts that weigh the same take turns without one.
    pub(super) fn is_needed(&self) -> bool {
        let mut weights = self.hosts.iter().map(|entry| entry.weight);
        let first = weights.next();
        self.warmup.is_some() || weights.any(|weight| Some(weight) != first)
    }

    /// The weight of a host as it counts now, slow start included (T-250).
    pub(super) fn weight(&self, entry: &WeightedHost, now_ms: u64) -> f64 {
        let warmed = self
            .warmup
            .map_or(1.0, |warmup| slow_start::factor(&warmup, now_ms.saturating_sub(entry.host.since_ms)));
        entry.weight * warmed
    }

    /// The host whose turn it is, where `weight` says what each weighs now.
    pub(super) fn next(&self, weight: impl Fn(&WeightedHost) -> f64) -> Option<&Arc<Host>> {
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        let schedule = schedule.get_or_insert_with(|| EarliestDeadline::new(self.hosts.iter().map(&weight)));
        let index = schedule.next(|index| self.hosts.get(index).map_or(0.0, &weight))?;
        self.hosts.get(index).map(|entry| &entry.host)
    }
}
