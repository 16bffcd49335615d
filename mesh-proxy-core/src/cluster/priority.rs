//! How the load is shared between priorities, and when a priority panics (T-257, T-277).
//!
//! The rules are Envoy's: `arch_overview/upstream/load_balancing/{priority,panic_threshold,locality_weight}`.

use super::host_set::{HostSet, LocalityHosts};

/// A priority counts as whole while its healthy share times this, in percent, is 100 or more.
const OVERPROVISIONING: u64 = 140;
/// Envoy's panic threshold where none is set, percent.
const PANIC_THRESHOLD: f64 = 50.0;

/// What share of the requests a priority gets, and from which of its hosts (T-257, T-277).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PriorityLoad {
    /// Percent of the requests. INVARIANT: the loads of a set add up to 100 where it has a host.
    pub percent: u64,
    /// Panic: all hosts are used, the unhealthy too.
    pub panic: bool,
}

/// The load of each priority. `panic_threshold` in percent: below this healthy share a priority panics; 0: never; `None`:
/// 50. `skipped` says which priorities are treated as if nobody there were healthy (retries that try other priorities,
/// T-165).
pub fn loads(hosts: &HostSet, panic_threshold: Option<f64>, skipped: &[bool]) -> Vec<PriorityLoad> {
    let counts: Vec<(u64, u64)> = hosts
        .priorities
        .iter()
        .enumerate()
        .map(|(index, priority)| {
            let (all, healthy) = priority.count();
            let skip = skipped.get(index).copied().unwrap_or(false);
            (all as u64, if skip { 0 } else { healthy as u64 })
        })
        .collect();
    let health: Vec<u64> = counts
        .iter()
        .map(|(all, healthy)| (OVERPROVISIONING * healthy).checked_div(*all).unwrap_or(0).min(100))
        .collect();
    let total_health = health.iter().sum::<u64>().min(100);
    let threshold = panic_threshold.unwrap_or(PANIC_THRESHOLD).clamp(0.0, 100.0);
    let mut loads = vec![PriorityLoad::default(); counts.len()];

    if threshold == 0.0 && total_health == 0 {
        // Nobody is healthy and panic is off: the first priority gets the requests and refuses them.
        if let Some(first) = loads.first_mut() {
            first.percent = 100;
        }
        return loads;
    }
    for (load, (all, healthy)) in loads.iter_mut().zip(&counts) {
        let share = if *all == 0 { 0.0 } else { 100.0 * *healthy as f64 / *all as f64 };
        load.panic = total_health < 100 && share < threshold;
    }
    if loads.iter().all(|load| load.panic) {
        by_size(&mut loads, &counts);
    } else {
        by_health(&mut loads, &health, total_health);
    }
    loads
}

/// In panic everywhere, each priority gets its share of all hosts.
fn by_size(loads: &mut [PriorityLoad], counts: &[(u64, u64)]) {
    let sum: u64 = counts.iter().map(|(all, _)| all).sum();
    for (load, (all, _)) in loads.iter_mut().zip(counts) {
        load.percent = (100 * all).checked_div(sum).unwrap_or(0);
    }
    let first = counts.iter().position(|(all, _)| *all > 0).unwrap_or(0);
    give_rest(loads, first);
}

/// Each priority takes what its health allows of what the ones before have left.
fn by_health(loads: &mut [PriorityLoad], health: &[u64], total_health: u64) {
    let mut left = 100;
    for (load, health) in loads.iter_mut().zip(health) {
        load.percent = (health * 100).checked_div(total_health).unwrap_or(0).min(left);
        left -= load.percent;
    }
    let first = health.iter().position(|health| *health > 0).unwrap_or(0);
    give_rest(loads, first);
}

/// What rounding has left goes to one of them.
fn give_rest(loads: &mut [PriorityLoad], to: usize) {
    let given: u64 = loads.iter().map(|load| load.percent).sum();
    if let Some(load) = loads.get_mut(to) {
        load.percent += 100_u64.saturating_sub(given);
    }
}

/// The priority that a random number (or, for balancers that hash, the request's key) falls to; `None`: there is none.
pub fn draw(loads: &[PriorityLoad], number: u64) -> Option<usize> {
    let drawn = number % 100;
    let mut sum = 0;
    loads.iter().position(|load| {
        sum += load.percent;
        drawn < sum
    })
}

/// The weight of a locality as it counts now: its own, less what its unhealthy hosts take away beyond the
/// overprovisioning factor (T-261).
pub fn locality_weight(locality: &LocalityHosts) -> f64 {
    let (all, healthy) = locality.count();
    if all == 0 || healthy == 0 {
        return 0.0;
    }
    let available = (OVERPROVISIONING as f64 / 100.0 * healthy as f64 / all as f64).min(1.0);
    f64::from(locality.weight) * available
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mesh_compile::proxy::cluster::ClusterEndpoint;

    use super::*;
    use crate::cluster::host::Host;
    use crate::cluster::host_set::PriorityHosts;

    /// Priorities of so many hosts, of which so many are healthy.
    fn set(counts: &[(usize, usize)]) -> HostSet {
        let host = |priority: usize, index: usize, healthy: bool| {
            let endpoint = ClusterEndpoint {
                priority: priority as u32,
                healthy,
                ..ClusterEndpoint::at(format!("10.0.{priority}.{index}:80"))
            };
            Arc::new(Host::new(endpoint, 0))
        };
        let priorities = counts.iter().enumerate().map(|(priority, (all, healthy))| PriorityHosts {
            localities: vec![LocalityHosts {
                name: "".into(),
                weight: 1,
                hosts: (0..*all).map(|index| host(priority, index, index < *healthy)).collect(),
            }],
        });
        HostSet { priorities: priorities.collect() }
    }

    fn percents(counts: &[(usize, usize)], threshold: Option<f64>) -> Vec<u64> {
        loads(&set(counts), threshold, &[]).iter().map(|load| load.percent).collect()
    }

    /// The table of `arch_overview/upstream/load_balancing/priority`, two and three levels.
    #[test]
    fn load_spills_as_health_falls() {
        for (counts, expected) in [
            (vec![(100, 100), (100, 100)], vec![100, 0]),
            (vec![(100, 72), (100, 72)], vec![100, 0]),
            (vec![(100, 71), (100, 71)], vec![99, 1]),
            (vec![(100, 50), (100, 60)], vec![70, 30]),
            (vec![(100, 25), (100, 100)], vec![35, 65]),
            (vec![(100, 0), (100, 100)], vec![0, 100]),
            (vec![(100, 100), (100, 100), (100, 100)], vec![100, 0, 0]),
            (vec![(100, 72), (100, 72), (100, 100)], vec![100, 0, 0]),
            (vec![(100, 25), (100, 25), (100, 100)], vec![35, 35, 30]),
            (vec![(100, 25), (100, 0), (100, 25)], vec![50, 0, 50]),
        ] {
            assert_eq!(percents(&counts, Some(0.0)), expected, "{counts:?}");
        }
    }

    #[test]
    fn everyone_in_panic_shares_by_size() {
        let loads = loads(&set(&[(10, 1), (30, 3)]), Some(50.0), &[]);
        assert_eq!(loads.iter().map(|load| load.percent).collect::<Vec<_>>(), [25, 75]);
        assert!(loads.iter().all(|load| load.panic));
    }

    #[test]
    fn nobody_panics_while_the_whole_is_healthy_enough() {
        let loads = loads(&set(&[(10, 1), (10, 10)]), Some(50.0), &[]);
        assert_eq!(loads.iter().map(|load| load.percent).collect::<Vec<_>>(), [14, 86]);
        assert!(loads.iter().all(|load| !load.panic));
    }

    #[test]
    fn without_panic_the_first_priority_refuses() {
        let loads = loads(&set(&[(4, 0), (4, 0)]), Some(0.0), &[]);
        assert_eq!(
            loads.iter().map(|load| (load.percent, load.panic)).collect::<Vec<_>>(),
            [(100, false), (0, false)]
        );
    }

    #[test]
    fn a_skipped_priority_gets_nothing() {
        let loads = loads(&set(&[(4, 4), (4, 4)]), Some(0.0), &[true]);
        assert_eq!(loads.iter().map(|load| load.percent).collect::<Vec<_>>(), [0, 100]);
    }

    #[test]
    fn a_locality_weighs_less_when_its_hosts_fail() {
        let mut hosts = set(&[(10, 5)]);
        let locality = hosts.priorities[0].localities.pop().unwrap();
        assert!((locality_weight(&locality) - 0.7).abs() < 1e-9);
    }
}
