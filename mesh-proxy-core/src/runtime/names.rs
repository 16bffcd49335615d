//! Names of clusters looked up and followed: `STRICT_DNS` has a host for every address, `LOGICAL_DNS` for the first one.
//!
//! What was found last counts until something else is found (U05). A name that was never found is left as it is: the
//! connection is tried by name, and fails as that fails.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesh_compile::proxy::cluster::{Cluster, ClusterEndpoint, Discovery};

use super::proxy::Inner;

/// For one look-up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses of a name that are used; the rest are left out.
const ADDRESSES_MAX: usize = 256;
/// How often it is looked what is due.
const TICK: Duration = Duration::from_millis(200);

/// The names of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// What each was last found to be.
    known: Mutex<BTreeMap<String, Vec<IpAddr>>>,
    /// When to look them up next, in milliseconds.
    due_ms: AtomicU64,
}

impl Names {
    /// The names of a cluster; `None`: it has none to look up.
    pub(crate) fn of(cluster: &Cluster) -> Option<Self> {
        names(cluster).next().map(|_| Self::default())
    }

    /// The cluster with addresses in the place of the names that are known.
    pub(crate) fn expand(&self, cluster: &Cluster) -> Cluster {
        let known = self.lock();
        let first_only = cluster.discovery == Discovery::LogicalDns;
        let mut endpoints: Vec<ClusterEndpoint> = Vec::with_capacity(cluster.endpoints.len());
        for endpoint in &cluster.endpoints {
            let found = name(endpoint).and_then(|(host, port)| Some((known.get(host)?, port)));
            let Some((addresses, port)) = found else {
                endpoints.push(endpoint.clone());
                continue;
            };
            for address in addresses.iter().take(if first_only { 1 } else { ADDRESSES_MAX }) {
                let address: Arc<str> = SocketAddr::new(*address, port).to_string().into();
                // Two names may be the same machine.
                if !endpoints.iter().any(|before| before.address == address) {
                    endpoints.push(ClusterEndpoint { address, ..endpoint.clone() });
                }
            }
        }
        Cluster { endpoints, ..cluster.clone() }
    }

    /// The name that an address was found by; `None`: it is nobody's.
    pub(crate) fn name_of(&self, address: &str) -> Option<String> {
        let address = address.parse::<SocketAddr>().ok()?.ip();
        let known = self.lock();
        known.iter().find(|(_, addresses)| addresses.contains(&address)).map(|(name, _)| name.clone())
    }

    /// Takes in what was found; whether it is something else. Their order counts for a logical cluster only, so that
    /// resolvers that turn them round change nothing.
    fn found(&self, host: String, mut addresses: Vec<IpAddr>, keep_order: bool) -> bool {
        addresses.iter_mut().for_each(|address| *address = address.to_canonical());
        if !keep_order {
            addresses.sort_unstable();
            addresses.dedup();
        }
        addresses.truncate(ADDRESSES_MAX);
        let mut known = self.lock();
        if addresses.is_empty() || known.get(&host) == Some(&addresses) {
            return false;
        }
        known.insert(host, addresses);
        true
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<IpAddr>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn names(cluster: &Cluster) -> impl Iterator<Item = &str> {
    let is_named = matches!(cluster.discovery, Discovery::StrictDns | Discovery::LogicalDns);
    let endpoints = cluster.endpoints.iter().filter(move |_| is_named);
    endpoints.filter_map(name).map(|(host, _)| host)
}

/// Host name and port of an endpoint; `None`: it is an address or a path.
fn name(endpoint: &ClusterEndpoint) -> Option<(&str, u16)> {
    let (host, port) = endpoint.address.rsplit_once(':')?;
    let is_name = !host.starts_with(['/', '@', '[']) && host.parse::<IpAddr>().is_err();
    Some((host, port.parse().ok()?)).filter(|_| is_name)
}

/// How often the names of a cluster are looked up: as the program has it, else as the cluster, else once a minute (T-461).
/// Nobody is asked all the time.
fn refresh_ms(of_program: Option<Duration>, cluster: &Cluster) -> u64 {
    const DEFAULT_MS: u64 = 60_000;
    const LEAST_MS: u64 = 100;
    let refresh_ms = match of_program {
        Some(refresh) => u64::try_from(refresh.as_millis()).unwrap_or(u64::MAX),
        None => cluster.dns_refresh_ms.map_or(DEFAULT_MS, |millis| u64::try_from(millis).unwrap_or(0)),
    };
    refresh_ms.max(LEAST_MS)
}

/// Looks names up whenever they are due, until a drain begins. Every cluster is looked up by a task of its own.
pub(crate) async fn run(proxy: Arc<Inner>) {
    loop {
        let now = proxy.clock.now_ms();
        for cluster in proxy.live.load().clusters.values() {
            let Some(names) = &cluster.names else { continue };
            if names.due_ms.load(Ordering::Relaxed) <= now {
                let refresh_ms = refresh_ms(proxy.options.dns_refresh, &cluster.cluster);
                let under_way = UnderWay::begin(&proxy, names, refresh_ms);
                let (name, written) = (Arc::clone(&cluster.cluster.name), Arc::clone(&cluster.cluster));
                tokio::spawn(async move {
                    look_up(&under_way.proxy, name, &under_way.names, written).await;
                });
            }
        }
        tokio::select! {
            () = proxy.draining.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// A look-up. The next one is due some time after this is dropped, be it because a resolver panicked, and not before:
/// servers that do not answer are not asked ever more.
struct UnderWay {
    proxy: Arc<Inner>,
    names: Arc<Names>,
    refresh_ms: u64,
}

impl UnderWay {
    fn begin(proxy: &Arc<Inner>, names: &Arc<Names>, refresh_ms: u64) -> Self {
        names.due_ms.store(u64::MAX, Ordering::Relaxed);
        Self { proxy: Arc::clone(proxy), names: Arc::clone(names), refresh_ms }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let due = self.proxy.clock.now_ms().saturating_add(self.refresh_ms);
        self.names.due_ms.store(due, Ordering::Relaxed);
    }
}

async fn look_up(proxy: &Inner, name: Arc<str>, names: &Arc<Names>, cluster: Arc<Cluster>) {
    let mut changed = false;
    for host in self::names(&cluster) {
        match tokio::time::timeout(PATIENCE, proxy.resolver.resolve(host)).await {
            Ok(Ok(addresses)) => {
                let keep_order = cluster.discovery == Discovery::LogicalDns;
                changed |= names.found(host.to_owned(), addresses, keep_order);
            }
            Ok(Err(error)) => tracing::debug!(cluster = &*name, host, %error, "a name was not found"),
            Err(_) => tracing::debug!(cluster = &*name, host, "a name was not found in time"),
        }
    }
    if !changed {
        return;
    }
    // The cluster may be written otherwise by now; its names are the same object as long as they live on.
    if let Some(state) = proxy.live.load().clusters.get(&name)
        && state.names.as_ref().is_some_and(|current| Arc::ptr_eq(current, names))
    {
        state.upstream.update(&names.expand(&state.cluster), proxy.clock.now_ms());
    }
}

#[cfg(test)]
mod tests {
    use mesh_compile::proxy::cluster::LbPolicy;

    use super::*;

    fn cluster(discovery: Discovery, addresses: &[&str]) -> Cluster {
        let endpoint = |address: &&str| ClusterEndpoint { weight: 3, ..ClusterEndpoint::at(*address) };
        let endpoints = addresses.iter().map(endpoint).collect();
        Cluster { endpoints, ..Cluster::bare("c", discovery, LbPolicy::RoundRobin) }
    }

    fn addresses(cluster: &Cluster) -> Vec<&str> {
        cluster.endpoints.iter().map(|endpoint| &*endpoint.address).collect()
    }

    fn ips(text: &[&str]) -> Vec<IpAddr> {
        text.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_address_is_a_host_of_a_strict_cluster_and_the_first_one_of_a_logical_one() {
        let strict =
            cluster(Discovery::StrictDns, &["a.example:80", "10.0.0.9:80", "b.example:81", "/run/s"]);
        let names = Names::of(&strict).unwrap();
        assert!(names.found("a.example".into(), ips(&["10.0.0.2", "::ffff:10.0.0.1", "10.0.0.1"]), false));
        let wanted = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.9:80", "b.example:81", "/run/s"];
        assert_eq!(addresses(&names.expand(&strict)), wanted);
        assert_eq!(names.expand(&strict).endpoints[0].weight, 3);
        assert_eq!(names.name_of("10.0.0.2:80").as_deref(), Some("a.example"));
        assert_eq!(names.name_of("10.0.0.9:80"), None);

        let logical = cluster(Discovery::LogicalDns, &["a.example:80"]);
        let names = Names::of(&logical).unwrap();
        names.found("a.example".into(), ips(&["fd00::2", "10.0.0.1"]), true);
        assert_eq!(addresses(&names.expand(&logical)), ["[fd00::2]:80"]);
    }

    #[test]
    fn u05_what_was_good_stays_and_a_thousand_addresses_are_bounded() {
        let strict = cluster(Discovery::StrictDns, &["a.example:80"]);
        let names = Names::of(&strict).unwrap();
        assert!(names.found("a.example".into(), ips(&["10.0.0.1", "10.0.0.2"]), false));
        assert!(!names.found("a.example".into(), ips(&["10.0.0.2", "10.0.0.1"]), false), "only the order");
        assert!(!names.found("a.example".into(), Vec::new(), false));
        assert_eq!(addresses(&names.expand(&strict)).len(), 2);
        let many = (0..1_000u32).map(|n| IpAddr::V4((0x0a00_0000 + n).into())).collect();
        assert!(names.found("a.example".into(), many, false));
        assert_eq!(addresses(&names.expand(&strict)).len(), ADDRESSES_MAX);
    }

    #[test]
    fn t_461_the_rate_is_the_programs_else_the_clusters_else_a_minute() {
        let of = |dns_refresh_ms| Cluster { dns_refresh_ms, ..cluster(Discovery::StrictDns, &[]) };
        assert_eq!(refresh_ms(None, &of(None)), 60_000);
        assert_eq!(refresh_ms(None, &of(Some(5_000))), 5_000);
        assert_eq!(refresh_ms(Some(Duration::from_secs(7)), &of(Some(5_000))), 7_000);
        for too_often in [Some(-1), Some(0), Some(1)] {
            assert_eq!(refresh_ms(None, &of(too_often)), 100);
        }
        assert_eq!(refresh_ms(Some(Duration::MAX), &of(None)), u64::MAX);
    }

    #[test]
    fn clusters_without_names_are_not_looked_up() {
        assert!(Names::of(&cluster(Discovery::StrictDns, &["10.0.0.1:80", "[::1]:80"])).is_none());
        assert!(Names::of(&cluster(Discovery::Eds, &["a.example:80"])).is_none());
    }
}
