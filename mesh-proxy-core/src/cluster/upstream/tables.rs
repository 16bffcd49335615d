//! What picks are made from: built when members or their health change, read-only in between.

use std::sync::{Arc, Mutex, PoisonError};

use mesh_compile::proxy::cluster::{Cluster, LbPolicy, SlowStart};

use super::{LoadBalancer, MakeBalancer, PRIORITY_UPDATE_FREQUENCY, Pick, WeightedHost, Wish, load_balancer};
use crate::cluster::earliest_deadline::EarliestDeadline;
use crate::cluster::host::Host;
use crate::cluster::host_set::{HostSet, LocalityHosts, PriorityHosts};
use crate::cluster::priority::{self, PriorityLoad, draw, locality_weight};

/// Balancers for every priority, for the healthy hosts and for all of them.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) hosts: HostSet,
    /// How many hosts there are; asked at the end of every request.
    pub(super) members: usize,
    settings: Settings,
    loads: Vec<PriorityLoad>,
    pools: Vec<Pools>,
}

/// What of the cluster the tables are built by.
#[derive(Clone)]
struct Settings {
    policy: LbPolicy,
    warmup: Option<SlowStart>,
    panic_threshold: Option<f64>,
    locality_weighted: bool,
    make: Option<Arc<MakeBalancer>>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Settings")
            .field("policy", &self.policy)
            .field("warmup", &self.warmup)
            .field("panic_threshold", &self.panic_threshold)
            .field("locality_weighted", &self.locality_weighted)
            .finish_non_exhaustive()
    }
}

/// The balancers of one priority.
#[derive(Debug)]
struct Pools {
    healthy: Pool,
    all: Pool,
}

/// A balancer, or one per locality with their turns.
#[derive(Debug)]
enum Pool {
    One(Box<dyn LoadBalancer>),
    ByLocality { turns: Mutex<EarliestDeadline>, localities: Vec<(f64, Box<dyn LoadBalancer>)> },
}

impl Tables {
    pub(super) fn build(cluster: &Cluster, hosts: HostSet, make: Option<&Arc<MakeBalancer>>) -> Self {
        let settings = Settings {
            policy: cluster.lb,
            warmup: cluster.slow_start,
            panic_threshold: cluster.panic_threshold,
            locality_weighted: cluster.locality_weighted,
            make: make.map(Arc::clone),
        };
        Self::of(settings, hosts)
    }

    /// The same hosts, whose health has changed.
    pub(super) fn rebuilt(&self) -> Self {
        Self::of(self.settings.clone(), self.hosts.clone())
    }

    fn of(settings: Settings, hosts: HostSet) -> Self {
        let loads = priority::loads(&hosts, settings.panic_threshold, &[]);
        let pools = hosts
            .priorities
            .iter()
            .map(|priority| Pools {
                healthy: settings.pool(priority, Host::is_healthy),
                all: settings.pool(priority, |_| true),
            })
            .collect();
        let members = hosts.hosts().count();
        Self { hosts, members, settings, loads, pools }
    }

    /// The priorities that a retry leaves out: those tried before, looked at anew after every second try (T-165). Empty:
    /// none, which is also the answer when nobody else is healthy.
    pub(super) fn skipped(&self, wish: &Wish<'_>) -> Vec<bool> {
        let settled = wish.tried.len() / PRIORITY_UPDATE_FREQUENCY * PRIORITY_UPDATE_FREQUENCY;
        if !wish.other_priorities || settled == 0 {
            return Vec::new();
        }
        let mut skipped = vec![false; self.hosts.priorities.len()];
        for host in wish.tried.iter().take(settled) {
            if let Some(skip) = skipped.get_mut(host.endpoint.priority as usize) {
                *skip = true;
            }
        }
        let anyone = self
            .hosts
            .priorities
            .iter()
            .zip(&skipped)
            .any(|(priority, skip)| !skip && priority.count().1 > 0);
        if anyone { skipped } else { Vec::new() }
    }

    /// One draw: a priority, a locality where these are weighted, a host.
    pub(super) fn pick(&self, skipped: &[bool], pick: &mut Pick<'_>) -> Option<&Arc<Host>> {
        let number = match pick.hash {
            Some(hash) if load_balancer::is_hashing(self.settings.policy) => hash,
            _ => pick.dice.roll(),
        };
        let without;
        let loads = if skipped.is_empty() {
            &self.loads
        } else {
            without = priority::loads(&self.hosts, self.settings.panic_threshold, skipped);
            &without
        };
        let index = draw(loads, number)?;
        let pools = self.pools.get(index)?;
        let pool = if loads.get(index)?.panic { &pools.all } else { &pools.healthy };
        pool.pick(pick)
    }
}

impl Settings {
    /// The balancer of a priority, over the hosts that may be used.
    fn pool(&self, priority: &PriorityHosts, may_use: impl Fn(&Host) -> bool) -> Pool {
        let usable = |locality: &LocalityHosts| -> Vec<Arc<Host>> {
            locality.hosts.iter().filter(|host| may_use(host)).map(Arc::clone).collect()
        };
        let plain = |hosts: Vec<Arc<Host>>| -> Vec<WeightedHost> {
            hosts
                .into_iter()
                .map(|host| WeightedHost { weight: f64::from(host.endpoint.weight), host })
                .collect()
        };
        if !self.locality_weighted {
            return Pool::One(self.balancer(plain(priority.localities.iter().flat_map(usable).collect())));
        }
        let weights =
            priority.localities.iter().map(|locality| (locality_weight(locality), usable(locality)));
        if load_balancer::is_hashing(self.policy) {
            // One table for all: a host has its part of its locality's weight.
            let hosts = weights.flat_map(|(weight, hosts)| {
                let sum: f64 = hosts.iter().map(|host| f64::from(host.endpoint.weight)).sum();
                plain(hosts)
                    .into_iter()
                    .map(move |entry| WeightedHost { weight: weight * entry.weight / sum, ..entry })
            });
            return Pool::One(self.balancer(hosts.filter(|entry| entry.weight > 0.0).collect()));
        }
        let localities: Vec<(f64, Box<dyn LoadBalancer>)> = weights
            .filter(|(weight, hosts)| *weight > 0.0 && !hosts.is_empty())
            .map(|(weight, hosts)| (weight, self.balancer(plain(hosts))))
            .collect();
        let turns = EarliestDeadline::new(localities.iter().map(|(weight, _)| *weight));
        Pool::ByLocality { turns: Mutex::new(turns), localities }
    }

    fn balancer(&self, hosts: Vec<WeightedHost>) -> Box<dyn LoadBalancer> {
        match &self.make {
            Some(make) => make(hosts),
            None => load_balancer::build(self.policy, self.warmup, hosts),
        }
    }
}

impl Pool {
    fn pick(&self, pick: &mut Pick<'_>) -> Option<&Arc<Host>> {
        match self {
            Self::One(balancer) => balancer.pick(pick),
            Self::ByLocality { turns, localities } => {
                let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
                let index = turns.next(|index| localities.get(index).map_or(0.0, |(weight, _)| *weight))?;
                drop(turns);
                localities.get(index)?.1.pick(pick)
            }
        }
    }
}
