//! What the settings of a cluster shadow: which DestinationRule was looked up and which ones were not (T-220), and for
//! each block of its traffic policy every level that speaks of it (T-232 to T-236).
//!
//! Nothing of this is made when clusters are compiled, and nothing here decides: `policy` does. A property test compares
//! the two on random rules.

use std::collections::BTreeMap;

use mesh_model::mesh_config::DefaultTrafficPolicy;
use mesh_model::origin::Origin;
use mesh_model::part::{PortTrafficPolicy, TrafficPolicy};
use mesh_model::resolved::{Layer, Level, Resolved};
use serde::Serialize;
use serde_json::Value;

use super::policy::{MESH_OUTLIER_DETECTION, MESH_POOL, port_entry};
use crate::merge::destination_rule::MergedDestinationRule;
use crate::proxy::ProxyConfig;
use crate::view::View;

/// A block of a policy as it was written; `None`: what holds is the built-in default, because a nearer level that
/// speaks for a port hides what stands behind it (T-232).
pub type Block = Resolved<Option<Value>>;

/// The statements about one cluster (T-220, T-232..T-236).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrafficPolicyLayers {
    /// The rule that was found, as `namespace/name`, and those that stood behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Resolved<String>>,
    /// Parts of rules that were folded into it and count for nothing: policies after the first, subsets whose name was
    /// taken (T-226).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost_in_merging: Vec<Origin>,
    /// `connectionPool`, `loadBalancer`, ...: those that anybody speaks of.
    pub blocks: BTreeMap<&'static str, Block>,
}

impl TrafficPolicyLayers {
    /// Whether anything that was written counts for nothing.
    pub fn shadows_anything(&self) -> bool {
        let is_shadowing = |block: &Block| !block.shadowed().is_empty();
        !self.lost_in_merging.is_empty()
            || self.rule.as_ref().is_some_and(|rule| !rule.shadowed().is_empty())
            || self.blocks.values().any(is_shadowing)
    }
}

/// The statements about every outbound cluster of a configuration of which there are some, by name.
pub fn of_all(view: &View<'_>, config: &ProxyConfig) -> BTreeMap<String, TrafficPolicyLayers> {
    let names = config.clusters.keys();
    names.filter_map(|name| Some((name.to_string(), of_cluster(view, name)?))).collect()
}

/// The statements about an outbound cluster (`outbound|80|v1|web.shop.svc.cluster.local`); `None`: nobody says anything,
/// or the cluster is of no service in scope.
pub fn of_cluster(view: &View<'_>, name: &str) -> Option<TrafficPolicyLayers> {
    let rest = name.strip_prefix("outbound|")?;
    let mut parts = rest.splitn(3, '|');
    let (port, subset, host) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let service = view.service(host)?;
    let rule = view.destination_rule(host, &service.namespace);
    let found = view.destination_rule_layers(host, &service.namespace);
    let mesh = view.mesh().default_traffic_policy.as_ref();
    let blocks = blocks(rule.as_deref(), subset, port, mesh);
    if blocks.is_empty() && found.is_none() {
        return None;
    }
    let lost_in_merging = rule.map(|rule| rule.lost.clone()).unwrap_or_default();
    Some(TrafficPolicyLayers { rule: found, lost_in_merging, blocks })
}

/// Every block that is spoken of for a port and a subset (empty: none).
fn blocks(
    rule: Option<&MergedDestinationRule>,
    subset: &str,
    port: u16,
    mesh: Option<&DefaultTrafficPolicy>,
) -> BTreeMap<&'static str, Block> {
    let top = rule.and_then(|rule| {
        let built_in = || Origin::built_in("DestinationRule trafficPolicy");
        let origin = rule.policy_origin.clone().unwrap_or_else(built_in);
        Some(Policy::new(rule.spec.traffic_policy.as_ref()?, origin, port))
    });
    let subset = rule.filter(|_| !subset.is_empty()).and_then(|rule| {
        let mut subsets = rule.spec.subsets.iter().zip(&rule.subset_origins);
        let (written, origin) = subsets.find(|(written, _)| written.name == subset)?;
        Some(Policy::new(written.traffic_policy.as_ref()?, origin.child(".trafficPolicy"), port))
    });
    let levels = Levels { top: top.as_ref(), subset: subset.as_ref(), mesh };
    NAMES.iter().filter_map(|name| Some((*name, levels.block(name)?))).collect()
}

/// The blocks, by their field.
const NAMES: [&str; 6] =
    ["loadBalancer", "connectionPool", "outlierDetection", "tls", "proxyProtocol", "retryBudget"];

/// Blocks that an entry for a port cannot have; it hides them only in its own policy.
const NOT_OF_PORTS: [&str; 2] = ["proxyProtocol", "retryBudget"];

/// A traffic policy with what it says of one port.
struct Policy<'r> {
    plain: &'r TrafficPolicy,
    entry: Option<(&'r PortTrafficPolicy, Origin)>,
    origin: Origin,
}

impl<'r> Policy<'r> {
    fn new(plain: &'r TrafficPolicy, origin: Origin, port: u16) -> Self {
        let entry = port_entry(plain, port);
        let entry = entry.map(|(index, it)| (it, part_of(&origin, &format!(".portLevelSettings[{index}]"))));
        Self { plain, entry, origin }
    }

    /// What it says for all ports.
    fn plain(&self, name: &str, level: Level) -> Option<Layer<Option<Value>>> {
        written(self.plain, name)
            .map(|value| Layer::new(Some(value), level, part_of(&self.origin, &format!(".{name}"))))
    }

    /// What it says for the port alone.
    fn of_port(&self, name: &str, level: Level) -> Option<Layer<Option<Value>>> {
        let (entry, origin) = self.entry.as_ref()?;
        let value = written(entry, name).filter(|_| !NOT_OF_PORTS.contains(&name))?;
        Some(Layer::new(Some(value), level, part_of(origin, &format!(".{name}"))))
    }

    /// That there is an entry for the port which says nothing.
    fn silence(&self, level: Level) -> Option<Layer<Option<Value>>> {
        self.entry.as_ref().map(|(_, origin)| Layer::new(None, level, origin.clone()))
    }
}

/// The policies that speak of a cluster.
struct Levels<'r> {
    top: Option<&'r Policy<'r>>,
    subset: Option<&'r Policy<'r>>,
    mesh: Option<&'r DefaultTrafficPolicy>,
}

impl Levels<'_> {
    fn block(&self, name: &str) -> Option<Block> {
        let of_ports = !NOT_OF_PORTS.contains(&name);
        let below = self.top_block(name);
        let Some(subset) = self.subset else { return below };
        let said = subset.of_port(name, Level::Port).or_else(|| {
            // What the entry leaves out is not looked for further down, but for the blocks that it cannot have.
            let silence = subset.silence(Level::Port)?;
            let behind = below.as_ref().filter(|_| !of_ports);
            let holds = behind.map(|it| Layer::new(it.value().clone(), Level::Port, it.origin().clone()));
            let hides = subset.plain(name, Level::Subset).is_some() || (of_ports && below.is_some());
            holds.or(Some(silence)).filter(|_| hides)
        });
        let layers = said.into_iter().chain(subset.plain(name, Level::Subset));
        Resolved::of(layers.chain(below.iter().flat_map(Resolved::layers).cloned()))
    }

    /// What holds for the whole host.
    fn top_block(&self, name: &str) -> Option<Block> {
        let mesh = self.of_mesh(name);
        let said = self.top.and_then(|top| {
            top.of_port(name, Level::HostPort).or_else(|| {
                let silence =
                    top.silence(Level::HostPort).filter(|_| top.plain(name, Level::Host).is_some())?;
                let instead = mesh.clone().map(|it| Layer::new(it.value, Level::HostPort, it.origin));
                Some(instead.unwrap_or(silence))
            })
        });
        let plain = self.top.and_then(|top| top.plain(name, Level::Host));
        Resolved::of(said.into_iter().chain(plain).chain(mesh))
    }

    /// `defaultTrafficPolicy` (T-235).
    fn of_mesh(&self, name: &str) -> Option<Layer<Option<Value>>> {
        let mesh = self.mesh?;
        let (value, origin) = match name {
            "connectionPool" => (serde_json::to_value(mesh.connection_pool.as_ref()?), MESH_POOL),
            "outlierDetection" => {
                (serde_json::to_value(mesh.outlier_detection.as_ref()?), MESH_OUTLIER_DETECTION)
            }
            _ => return None,
        };
        Some(Layer::new(Some(value.ok()?), Level::Mesh, Origin::built_in(origin)))
    }
}

/// A field as it is written. A block without anything in it is one all the same.
fn written(policy: &impl Serialize, name: &str) -> Option<Value> {
    match serde_json::to_value(policy).ok()? {
        Value::Object(mut map) => map.remove(name),
        _ => None,
    }
}

/// A field of a policy; a policy that was made from another kind of object has one place only.
fn part_of(origin: &Origin, suffix: &str) -> Origin {
    match origin.object() {
        Some(object) if object.kind != "DestinationRule" => origin.clone(),
        _ => origin.child(suffix),
    }
}

#[cfg(test)]
mod tests;
