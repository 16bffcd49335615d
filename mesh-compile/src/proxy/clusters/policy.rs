//! The traffic policy of one cluster: which level gave each block (T-232 to T-236).
//!
//! `subset port entry > subset > top port entry > top > mesh default`, block by block; a port entry is opaque: a block
//! that it leaves out is not looked for below.

use std::collections::BTreeMap;

use mesh_model::mesh_config::DefaultTrafficPolicy;
use mesh_model::origin::Origin;
use mesh_model::part::{
    ClientTlsSettings, ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection, PortTrafficPolicy,
    ProxyProtocol, RetryBudget, SimpleLb, TrafficPolicy,
};
use mesh_model::resolved::{Layer, Level, Resolved};

use crate::merge::destination_rule::MergedDestinationRule;
use crate::proxy::cluster::Shadow;

/// A block with the field it was written in, and the blocks of wider levels that it shadows.
pub(super) type Block<'r, T> = Resolved<&'r T>;

/// A block that nothing else is said of.
pub(super) fn block<T>(value: &T, level: Level, origin: Origin) -> Block<'_, T> {
    Resolved::new(Layer::new(value, level, origin))
}

fn part<'r, T>(value: Option<&'r T>, level: Level, parent: &Origin, field: &str) -> Option<Block<'r, T>> {
    value.map(|value| block(value, level, part_of(parent, field)))
}

/// The levels that a traffic policy speaks at: for all ports, and for one.
#[derive(Clone, Copy)]
struct Levels {
    plain: Level,
    port: Level,
}

const TOP: Levels = Levels { plain: Level::Host, port: Level::HostPort };
const SUBSET: Levels = Levels { plain: Level::Subset, port: Level::Port };

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
        match (&rule.spec.traffic_policy, &rule.policy_origin) {
            (Some(policy), Some(origin)) => Self::level(policy, origin, port, TOP).0,
            (Some(policy), None) => {
                Self::level(policy, &Origin::built_in("DestinationRule trafficPolicy"), port, TOP).0
            }
            (None, _) => Self::default(),
        }
    }

    /// The blocks that hold of one traffic policy, and whether they are those of a port entry.
    fn level(policy: &'r TrafficPolicy, origin: &Origin, port: u16, levels: Levels) -> (Self, bool) {
        let plain = Self::plain(policy, origin, levels.plain);
        match port_entry(policy, port) {
            Some((index, entry)) => {
                let origin = part_of(origin, &format!(".portLevelSettings[{index}]"));
                let blocks = Self::of_port(entry, &origin, levels.port).over(&plain, true);
                // The two that port entries do not have are hidden as well.
                (Self { proxy_protocol: None, retry_budget: None, ..blocks }, true)
            }
            None => (plain, false),
        }
    }

    fn plain(policy: &'r TrafficPolicy, origin: &Origin, level: Level) -> Self {
        Self {
            connection_pool: part(policy.connection_pool.as_ref(), level, origin, ".connectionPool"),
            load_balancer: part(policy.load_balancer.as_ref(), level, origin, ".loadBalancer"),
            outlier_detection: part(policy.outlier_detection.as_ref(), level, origin, ".outlierDetection"),
            tls: part(policy.tls.as_ref(), level, origin, ".tls"),
            proxy_protocol: part(policy.proxy_protocol.as_ref(), level, origin, ".proxyProtocol"),
            retry_budget: part(policy.retry_budget.as_ref(), level, origin, ".retryBudget"),
        }
    }

    fn of_port(entry: &'r PortTrafficPolicy, origin: &Origin, level: Level) -> Self {
        Self {
            connection_pool: part(entry.connection_pool.as_ref(), level, origin, ".connectionPool"),
            load_balancer: part(entry.load_balancer.as_ref(), level, origin, ".loadBalancer"),
            outlier_detection: part(entry.outlier_detection.as_ref(), level, origin, ".outlierDetection"),
            tls: part(entry.tls.as_ref(), level, origin, ".tls"),
            proxy_protocol: None,
            retry_budget: None,
        }
    }

    /// The mesh's `defaultTrafficPolicy` below these blocks (T-235).
    pub(super) fn over_mesh(self, mesh: Option<&'r DefaultTrafficPolicy>) -> Self {
        let Some(mesh) = mesh else { return self };
        let of_mesh = Self {
            connection_pool: mesh.connection_pool.as_ref().map(|value| {
                let name = "MeshConfig defaultTrafficPolicy.connectionPool (T-235)";
                block(value, Level::Mesh, Origin::built_in(name))
            }),
            outlier_detection: mesh.outlier_detection.as_ref().map(|value| {
                let name = "MeshConfig defaultTrafficPolicy.outlierDetection (T-235)";
                block(value, Level::Mesh, Origin::built_in(name))
            }),
            ..Self::default()
        };
        self.over(&of_mesh, false)
    }

    /// A subset's policy laid over this one (T-233).
    pub(super) fn under_subset(&self, subset: Option<&'r TrafficPolicy>, origin: &Origin, port: u16) -> Self {
        let Some(subset) = subset else { return self.clone() };
        let (upper, is_opaque) = Self::level(subset, &origin.child(".trafficPolicy"), port, SUBSET);
        upper.over(self, is_opaque)
    }

    /// These blocks over those of a wider level. Through opaque ones nothing of the wider level shows where they say
    /// nothing, but for the two blocks that port entries do not have: those of another traffic policy do.
    fn over(self, lower: &Self, is_opaque: bool) -> Self {
        Self {
            connection_pool: choose(is_opaque, self.connection_pool, &lower.connection_pool),
            load_balancer: choose(is_opaque, self.load_balancer, &lower.load_balancer),
            outlier_detection: choose(is_opaque, self.outlier_detection, &lower.outlier_detection),
            tls: choose(is_opaque, self.tls, &lower.tls),
            proxy_protocol: choose(false, self.proxy_protocol, &lower.proxy_protocol),
            retry_budget: choose(false, self.retry_budget, &lower.retry_budget),
        }
    }

    /// What the blocks shadow, by block, where they shadow anything.
    pub(super) fn shadowed(&self) -> BTreeMap<&'static str, Vec<Shadow>> {
        fn of<T>(block: &Option<Block<'_, T>>) -> Vec<Shadow> {
            let shadows = block.iter().flat_map(Resolved::shadowed);
            shadows.map(|it| Shadow { level: it.level, origin: it.origin.clone() }).collect()
        }
        let Self { connection_pool, load_balancer, outlier_detection, tls, proxy_protocol, retry_budget } =
            self;
        let all = [
            ("connectionPool", of(connection_pool)),
            ("loadBalancer", of(load_balancer)),
            ("outlierDetection", of(outlier_detection)),
            ("tls", of(tls)),
            ("proxyProtocol", of(proxy_protocol)),
            ("retryBudget", of(retry_budget)),
        ];
        all.into_iter().filter(|(_, shadows)| !shadows.is_empty()).collect()
    }
}

/// A field of a policy; a policy that was made from another kind of object has one place only.
fn part_of(origin: &Origin, suffix: &str) -> Origin {
    match origin.object() {
        Some(object) if object.kind != "DestinationRule" => origin.clone(),
        _ => origin.child(suffix),
    }
}

fn choose<'r, T>(
    is_opaque: bool,
    upper: Option<Block<'r, T>>,
    lower: &Option<Block<'r, T>>,
) -> Option<Block<'r, T>> {
    match upper {
        Some(mut upper) => {
            for layer in lower.iter().flat_map(Resolved::layers) {
                upper.offer(layer.clone());
            }
            Some(upper)
        }
        None if is_opaque => None,
        None => lower.clone(),
    }
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
        .and_then(|policy| policy.load_balancer.as_ref())
        .is_some_and(|lb| lb.simple == Some(SimpleLb::Passthrough))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::compile;
    use crate::testing::{istio, resolve_with, service, sidecar};
    use crate::view::View;

    #[test]
    fn t_233_a_nearer_block_remembers_the_wider_ones() {
        let pool = |number: u32| format!("connectionPool: {{tcp: {{maxConnections: {number}}}}}");
        let spec = format!(
            "{{host: web, trafficPolicy: {{{}, portLevelSettings: [{{port: {{number: 80}}, {}}}]}}, \
             subsets: [{{name: v1, trafficPolicy: {{{}}}}}]}}",
            pool(1),
            pool(2),
            pool(3)
        );
        let yaml = service("shop", "web") + &istio("DestinationRule", "shop", "r", &spec);
        let mesh = r#"{"defaultTrafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 4}}}}"#;
        let (snapshot, _) = resolve_with(mesh, &yaml);
        let proxy = sidecar("shop", "client");
        let (config, _) = compile(&View::new(&snapshot, &proxy));
        let levels = |name: &str| {
            let cluster = config.clusters.get(name).unwrap();
            let shadows = cluster.shadowed.get("connectionPool").unwrap();
            (cluster.limits.max_connections, shadows.iter().map(|it| it.level).collect::<Vec<_>>())
        };
        let subset = levels("outbound|80|v1|web.shop.svc.cluster.local");
        assert_eq!(subset, (Some(3), vec![Level::HostPort, Level::Host, Level::Mesh]));
        let plain = levels("outbound|80||web.shop.svc.cluster.local");
        assert_eq!(plain, (Some(2), vec![Level::Host, Level::Mesh]));
    }
}
