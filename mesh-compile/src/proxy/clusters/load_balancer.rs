//! Which endpoint takes the next request (T-245 to T-251).

use mesh_model::origin::Origin;
use mesh_model::part::{ConsistentHashLb, LoadBalancerSettings, SimpleLb};
use mesh_model::value::Duration;

use super::policy::Policy;
use crate::proxy::cluster::{Cluster, Discovery, LbPolicy, SlowStart};

/// The balancing policy; PASSTHROUGH turns the cluster into one of the original destination.
pub(super) fn apply(cluster: &mut Cluster, policy: &Policy<'_>) {
    if cluster.discovery == Discovery::OriginalDst {
        return;
    }
    let Some(block) = &policy.load_balancer else {
        cluster.lb = LbPolicy::LeastRequest;
        cluster.origins.insert("lb", Origin::built_in("LEAST_REQUEST (T-245)"));
        return;
    };
    let settings = block.value;
    let (lb, warms_up) = match settings.simple.unwrap_or_default() {
        SimpleLb::Unspecified | SimpleLb::LeastConn | SimpleLb::LeastRequest => {
            (LbPolicy::LeastRequest, true)
        }
        SimpleLb::RoundRobin => (LbPolicy::RoundRobin, true),
        SimpleLb::Random => (LbPolicy::Random, false),
        SimpleLb::Passthrough => {
            cluster.discovery = Discovery::OriginalDst;
            cluster.origins.insert("type", block.child(&[".simple"]));
            (LbPolicy::ClusterProvided, false)
        }
    };
    cluster.lb = lb;
    if warms_up {
        cluster.slow_start = slow_start(settings);
        if cluster.slow_start.is_some() {
            let field = if settings.warmup.is_some() { ".warmup" } else { ".warmupDurationSecs" };
            cluster.origins.insert("slow_start", block.child(&[field]));
        }
    }
    let mut field = if settings.simple.is_some() { ".simple" } else { "" };
    if let Some(hash) = &settings.consistent_hash {
        field = ".consistentHash";
        cluster.lb = hashing(hash);
        // Envoy has one set of balancer options: those of the hash replace the warm-up.
        if matches!(
            cluster.lb,
            LbPolicy::RingHash { minimum_ring_size: Some(_) } | LbPolicy::Maglev { table_size: Some(_) }
        ) {
            cluster.slow_start = None;
            cluster.origins.remove("slow_start");
        }
    }
    cluster.origins.insert("lb", block.child(&[field]));
}

/// T-246: the deprecated size, or 1024, only where no algorithm is written; a written 0 is the proxy's default.
fn hashing(hash: &ConsistentHashLb) -> LbPolicy {
    let written = |size: u64| Some(size).filter(|size| *size != 0);
    match (&hash.maglev, &hash.ring_hash) {
        (Some(maglev), _) => LbPolicy::Maglev { table_size: written(maglev.table_size) },
        (None, Some(ring)) => LbPolicy::RingHash { minimum_ring_size: written(ring.minimum_ring_size) },
        (None, None) => {
            LbPolicy::RingHash { minimum_ring_size: written(hash.minimum_ring_size).or(Some(1024)) }
        }
    }
}

/// T-250
fn slow_start(settings: &LoadBalancerSettings) -> Option<SlowStart> {
    if let Some(warmup) = &settings.warmup {
        return Some(SlowStart {
            window_ms: warmup.duration.map_or(0, Duration::as_millis),
            aggression: Some(warmup.aggression.unwrap_or(1.0)),
            min_weight_percent: Some(warmup.minimum_percent.unwrap_or(10.0)),
        });
    }
    settings.warmup_duration_secs.map(|window| SlowStart {
        window_ms: window.as_millis(),
        aggression: None,
        min_weight_percent: None,
    })
}
