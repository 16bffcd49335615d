//! The traffic policy of one cluster: which level gave each block (T-232 to T-236).
//!
//! `subset port entry > subset > top port entry > top > mesh default`, block by block; a port entry is opaque: a block
//! that it leaves out is not looked for below.

use mesh_model::mesh_config::DefaultTrafficPolicy;
use mesh_model::origin::Origin;
use mesh_model::part::{
    ClientTlsSettings, ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection, PortTrafficPolicy,
    ProxyProtocol, RetryBudget, SimpleLb, TrafficPolicy,
};
use smallvec::SmallVec;

use crate::merge::destination_rule::MergedDestinationRule;

/// Where the mesh's default for connection pools comes from.
pub(super) const MESH_POOL: &str = "MeshConfig defaultTrafficPolicy.connectionPool (T-235)";
/// Where the mesh's default for outlier detection comes from.
pub(super) const MESH_OUTLIER_DETECTION: &str = "MeshConfig defaultTrafficPolicy.outlierDetection (T-235)";

/// A block with the field it was written in.
#[derive(Debug)]
pub(super) struct Block<'r, T> {
    pub value: &'r T,
    at: At<'r>,
}

/// Where a block was written; put into words when it is asked for, which most blocks of most clusters are not.
#[derive(Debug, Clone)]
enum At<'r> {
    /// There.
    There(Origin),
    /// At the field of a policy.
    Part(Level<'r>, &'static str),
}

/// Where a policy was written.
#[derive(Debug, Clone, Copy)]
struct Level<'r> {
    /// The policy, or what holds it.
    base: Option<&'r Origin>,
    /// The policy in what holds it; empty: that is it.
    within: &'static str,
    /// Among its entries for ports.
    entry: Option<usize>,
}

impl<T> Clone for Block<'_, T> {
    fn clone(&self) -> Self {
        Self { value: self.value, at: self.at.clone() }
    }
}

impl<'r, T> Block<'r, T> {
    /// A block that was written at `origin`.
    pub(super) fn new(value: &'r T, origin: Origin) -> Self {
        Self { value, at: At::There(origin) }
    }

    fn of(value: Option<&'r T>, level: Level<'r>, field: &'static str) -> Option<Self> {
        value.map(|value| Self { value, at: At::Part(level, field) })
    }

    /// Where it was written.
    pub(super) fn origin(&self) -> Origin {
        self.child(&[])
    }

    /// Where a part of it was written.
    pub(super) fn child(&self, parts: &[&str]) -> Origin {
        match &self.at {
            At::There(origin) => origin.descend(parts),
            At::Part(level, field) => level.origin(field, parts),
        }
    }
}

impl<'r> Level<'r> {
    fn of(base: Option<&'r Origin>) -> Self {
        Self { base, within: "", entry: None }
    }

    fn origin(self, field: &str, parts: &[&str]) -> Origin {
        let Some(base) = self.base else { return Origin::built_in("DestinationRule trafficPolicy") };
        // A policy that was made from another kind of object has one place only.
        if base.object().is_some_and(|object| object.kind != "DestinationRule") {
            return base.descend(parts);
        }
        let entry = self.entry.map(|index| format!(".portLevelSettings[{index}]")).unwrap_or_default();
        let mut all: SmallVec<[&str; 8]> = SmallVec::from_slice(&[self.within, &entry, field]);
        all.extend_from_slice(parts);
        base.descend(&all)
    }
}

/// The blocks that hold for one cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Policy<'r> {
    pub connection_pool: Option<Block<'r, ConnectionPoolSettings>>,
    pub load_balancer: Option<Block<'r, LoadBalancerSettings>>,
    pub outlier_detection: Option<Block<'r, OutlierDetection>>,
    pub tls: Option<Block<'r, ClientTlsSettings>>,
    pub proxy_protocol: Option<Block<'r, ProxyProtocol>>,
    pub retry_budget: Option<Block<'r, RetryBudget>>,
}

impl<'r> Policy<'r> {
    /// The policy of the whole service for `port`: the first entry for the port alone, else the plain blocks (T-232).
    pub(super) fn top(rule: Option<&'r MergedDestinationRule>, port: u16) -> Self {
        let Some(rule) = rule else { return Self::default() };
        match &rule.spec.traffic_policy {
            Some(policy) => Self::level(policy, Level::of(rule.policy_origin.as_ref()), port).0,
            None => Self::default(),
        }
    }

    /// The blocks that hold at one level, and whether they are those of a port entry.
    fn level(policy: &'r TrafficPolicy, level: Level<'r>, port: u16) -> (Self, bool) {
        match port_entry(policy, port) {
            Some((index, entry)) => (Self::of_port(entry, Level { entry: Some(index), ..level }), true),
            None => (Self::plain(policy, level), false),
        }
    }

    fn plain(policy: &'r TrafficPolicy, origin: Level<'r>) -> Self {
        Self {
            connection_pool: Block::of(policy.connection_pool.as_deref(), origin, ".connectionPool"),
            load_balancer: Block::of(policy.load_balancer.as_deref(), origin, ".loadBalancer"),
            outlier_detection: Block::of(policy.outlier_detection.as_deref(), origin, ".outlierDetection"),
            tls: Block::of(policy.tls.as_deref(), origin, ".tls"),
            proxy_protocol: Block::of(policy.proxy_protocol.as_ref(), origin, ".proxyProtocol"),
            retry_budget: Block::of(policy.retry_budget.as_deref(), origin, ".retryBudget"),
        }
    }

    fn of_port(entry: &'r PortTrafficPolicy, origin: Level<'r>) -> Self {
        Self {
            connection_pool: Block::of(entry.connection_pool.as_deref(), origin, ".connectionPool"),
            load_balancer: Block::of(entry.load_balancer.as_deref(), origin, ".loadBalancer"),
            outlier_detection: Block::of(entry.outlier_detection.as_deref(), origin, ".outlierDetection"),
            tls: Block::of(entry.tls.as_deref(), origin, ".tls"),
            proxy_protocol: None,
            retry_budget: None,
        }
    }

    /// Blocks that nobody wrote, from the mesh's `defaultTrafficPolicy` (T-235).
    pub(super) fn over_mesh(mut self, mesh: Option<&'r DefaultTrafficPolicy>) -> Self {
        let Some(mesh) = mesh else { return self };
        let default = Origin::built_in;
        self.connection_pool = self.connection_pool.or_else(|| {
            let origin = default(MESH_POOL);
            mesh.connection_pool.as_ref().map(|value| Block::new(value, origin))
        });
        self.outlier_detection = self.outlier_detection.or_else(|| {
            let origin = default(MESH_OUTLIER_DETECTION);
            mesh.outlier_detection.as_ref().map(|value| Block::new(value, origin))
        });
        self
    }

    /// A subset's policy laid over this one (T-233).
    pub(super) fn under_subset(
        &self,
        subset: Option<&'r TrafficPolicy>,
        origin: &'r Origin,
        port: u16,
    ) -> Self {
        let Some(subset) = subset else { return self.clone() };
        let level = Level { within: ".trafficPolicy", ..Level::of(Some(origin)) };
        let (upper, opaque) = Self::level(subset, level, port);
        let block = |upper: bool| upper || opaque;
        Self {
            connection_pool: choose(
                block(upper.connection_pool.is_some()),
                upper.connection_pool,
                &self.connection_pool,
            ),
            load_balancer: choose(
                block(upper.load_balancer.is_some()),
                upper.load_balancer,
                &self.load_balancer,
            ),
            outlier_detection: choose(
                block(upper.outlier_detection.is_some()),
                upper.outlier_detection,
                &self.outlier_detection,
            ),
            tls: choose(block(upper.tls.is_some()), upper.tls, &self.tls),
            proxy_protocol: upper.proxy_protocol.or_else(|| self.proxy_protocol.clone()),
            retry_budget: upper.retry_budget.or_else(|| self.retry_budget.clone()),
        }
    }
}

fn choose<'r, T>(
    upper_wins: bool,
    upper: Option<Block<'r, T>>,
    lower: &Option<Block<'r, T>>,
) -> Option<Block<'r, T>> {
    if upper_wins { upper } else { lower.clone() }
}

/// The first entry for `port`, with its index.
pub(super) fn port_entry(policy: &TrafficPolicy, port: u16) -> Option<(usize, &PortTrafficPolicy)> {
    let wanted = u32::from(port);
    let fits =
        |entry: &PortTrafficPolicy| entry.port.as_ref().is_some_and(|selector| selector.number == wanted);
    policy.port_level_settings.iter().enumerate().find(|(_, entry)| fits(entry))
}

/// Whether the plain load-balancer block of a policy says PASSTHROUGH; port entries are not looked at (E-074).
pub(super) fn plain_passthrough(policy: Option<&TrafficPolicy>) -> bool {
    policy
        .and_then(|policy| policy.load_balancer.as_deref())
        .is_some_and(|lb| lb.simple == Some(SimpleLb::Passthrough))
}
