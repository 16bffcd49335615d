//! Preference for near endpoints (T-255 to T-262).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::StringMap;
use mesh_model::origin::Origin;
use mesh_model::part::{LocalityLoadBalancerSetting, ZoneAwareLoadBalancerSetting};

use super::endpoints::Group;
use super::policy::Policy;
use crate::proxy::cluster::{Cluster, ZoneAware};
use crate::registry::service::{Service, TrafficDistribution};

/// The setting that holds for a cluster.
#[derive(Debug, Clone)]
pub(super) enum Preference<'r> {
    /// By region, zone and subzone, or by labels.
    Locality {
        setting: &'r LocalityLoadBalancerSetting,
        /// Failover without outlier detection (T-259).
        forced: bool,
        origin: Origin,
    },
    /// By zone, in the data plane (T-262).
    ZoneAware { setting: &'r ZoneAwareLoadBalancerSetting, origin: Origin },
}

/// What `trafficDistribution: PreferClose` stands for (T-259).
static NEAR: LazyLock<LocalityLoadBalancerSetting> = LazyLock::new(|| {
    by_labels(&["topology.istio.io/network", "topology.kubernetes.io/region", "topology.kubernetes.io/zone"])
});

/// What `trafficDistribution: PreferSameNode` stands for (T-259).
static SAME_NODE: LazyLock<LocalityLoadBalancerSetting> = LazyLock::new(|| {
    by_labels(&[
        "topology.istio.io/network",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.istio.io/subzone",
        "kubernetes.io/hostname",
    ])
});

fn by_labels(labels: &[&str]) -> LocalityLoadBalancerSetting {
    LocalityLoadBalancerSetting {
        failover_priority: labels.iter().map(|label| (*label).to_owned()).collect(),
        enabled: Some(true),
        ..LocalityLoadBalancerSetting::default()
    }
}

/// The first setting that exists: the rule's, the service's, the mesh's; one that is switched off ends the search
/// (T-255).
pub(super) fn preference<'r>(
    policy: &Policy<'r>,
    service: &Service,
    mesh: &'r MeshConfig,
) -> Option<Preference<'r>> {
    if let Some(block) = &policy.load_balancer {
        let value = block.value;
        if let Some(setting) = &value.zone_aware_lb_setting {
            return Some(Preference::ZoneAware { setting, origin: block.child(&[".zoneAwareLbSetting"]) });
        }
        if let Some(setting) = &value.locality_lb_setting {
            return enabled(setting, block.child(&[".localityLbSetting"]));
        }
    }
    let origin = || Origin::written(&service.provenance, "spec.trafficDistribution");
    match service.traffic_distribution {
        TrafficDistribution::PreferClose => {
            return Some(Preference::Locality { setting: &NEAR, forced: true, origin: origin() });
        }
        TrafficDistribution::PreferSameNode => {
            return Some(Preference::Locality { setting: &SAME_NODE, forced: true, origin: origin() });
        }
        TrafficDistribution::Any => {}
    }
    if let Some(setting) = &mesh.zone_aware_lb_setting {
        let origin = Origin::built_in("MeshConfig zoneAwareLbSetting (T-459)");
        return Some(Preference::ZoneAware { setting, origin });
    }
    enabled(mesh.locality_lb_setting()?, Origin::built_in("MeshConfig localityLbSetting (T-459)"))
}

fn enabled(setting: &LocalityLoadBalancerSetting, origin: Origin) -> Option<Preference<'_>> {
    let on = setting.enabled.unwrap_or(true);
    on.then_some(Preference::Locality { setting, forced: false, origin })
}

impl Preference<'_> {
    /// Whether endpoints are near by what labels the client has.
    pub(super) fn looks_at_labels(&self) -> bool {
        let priorities = match self {
            Self::Locality { setting, .. } => &setting.failover_priority,
            Self::ZoneAware { setting, .. } => &setting.failover_priority,
        };
        !priorities.is_empty()
    }
}

/// Which weights the balancer looks at (T-261, T-262).
pub(super) fn apply_to_cluster(cluster: &mut Cluster, preference: Option<&Preference<'_>>) {
    match preference {
        None => {}
        Some(Preference::Locality { setting, forced, origin }) => {
            let fails_over = *forced || cluster.outlier.is_some();
            let named = !setting.failover.is_empty() || !setting.failover_priority.is_empty();
            if !setting.distribute.is_empty() || (fails_over && named) {
                cluster.locality_weighted = true;
                cluster.origins.insert("locality_weighted", origin.clone());
            }
        }
        Some(Preference::ZoneAware { setting, origin }) => {
            cluster.zone_aware = Some(ZoneAware {
                min_cluster_size: setting.min_cluster_size,
                routing_enabled: (!setting.enabled.unwrap_or(true)).then_some(0.0),
            });
            cluster.origins.insert("zone_aware", origin.clone());
        }
    }
}

/// Where the client is.
#[derive(Debug, Clone)]
pub(super) struct Client<'c> {
    /// `region/zone/subzone`.
    pub locality: &'c str,
    /// The proxy's labels, topology labels added.
    pub labels: &'c StringMap,
}

/// Whether priorities by label can be computed (they are not for subsets of DNS clusters).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    /// Endpoints' labels are known.
    Known,
    /// They are not.
    Unknown,
}

/// Sets priorities and weights; may split groups and leave some out.
pub(super) fn apply_to_groups(
    groups: &mut Vec<Group>,
    preference: Option<&Preference<'_>>,
    client: &Client<'_>,
    fails_over: bool,
    labels: Labels,
) {
    match preference {
        None => {}
        Some(Preference::Locality { setting, .. }) if !setting.distribute.is_empty() => {
            distribute(groups, setting, client);
        }
        Some(Preference::Locality { setting, forced, .. }) if fails_over || *forced => {
            let by_label = !setting.failover_priority.is_empty();
            if by_label && labels == Labels::Known {
                by_priority_labels(groups, &setting.failover_priority, client.labels);
            }
            if !by_label || !setting.failover.is_empty() {
                let to = setting.failover.iter().find(|failover| failover.from == region(client.locality));
                by_locality(groups, client, to.map(|failover| failover.to.as_str()));
            }
        }
        Some(Preference::Locality { .. }) => {}
        Some(Preference::ZoneAware { setting, .. }) if setting.enabled.unwrap_or(true) => {
            if !setting.failover_priority.is_empty() && labels == Labels::Known {
                by_priority_labels(groups, &setting.failover_priority, client.labels);
            }
            let to = setting.failover.iter().find(|failover| failover.from == region(client.locality));
            by_region(groups, client, to.map(|failover| failover.to.as_str()));
        }
        Some(Preference::ZoneAware { .. }) => {}
    }
}

/// Fixed shares (T-258): the first entry for the client; localities that it does not name lose their endpoints.
fn distribute(groups: &mut Vec<Group>, setting: &LocalityLoadBalancerSetting, client: &Client<'_>) {
    let Some(entry) = setting.distribute.iter().find(|entry| matches(client.locality, &entry.from)) else {
        return;
    };
    let mut open: BTreeSet<usize> = (0..groups.len()).collect();
    for (pattern, percent) in &entry.to {
        let taken: Vec<usize> = (open.iter().copied())
            .filter(|index| groups.get(*index).is_some_and(|group| matches(&group.locality, pattern)))
            .collect();
        let total: u64 =
            taken.iter().filter_map(|index| groups.get(*index)).map(|group| u64::from(group.weight)).sum();
        for index in taken {
            open.remove(&index);
            if let Some(group) = groups.get_mut(index) {
                let share = (u64::from(group.weight) * u64::from(*percent)).div_ceil(total.max(1));
                if share > 0 {
                    group.weight = u32::try_from(share).unwrap_or(u32::MAX);
                }
            }
        }
    }
    let mut index = 0;
    groups.retain(|_| {
        index += 1;
        !open.contains(&(index - 1))
    });
}

/// Region, then zone, then subzone (T-257).
fn by_locality(groups: &mut [Group], client: &Client<'_>, failover: Option<&str>) {
    let (own_region, own_zone, own_subzone) = parts(client.locality);
    for group in groups.iter_mut() {
        let (region, zone, subzone) = parts(&group.locality);
        let level = if region != own_region {
            if failover.is_some_and(|to| to != region) { 4 } else { 3 }
        } else if zone != own_zone {
            2
        } else if subzone != own_subzone {
            1
        } else {
            0
        };
        group.priority = group.priority.saturating_mul(5).saturating_add(level);
    }
    compact(groups);
}

/// The own region, the one that stands in for it, the others (T-262).
fn by_region(groups: &mut [Group], client: &Client<'_>, failover: Option<&str>) {
    for group in groups.iter_mut() {
        let of_group = region(&group.locality);
        let level = if of_group == region(client.locality) {
            0
        } else if failover == Some(of_group) {
            1
        } else {
            2
        };
        group.priority = group.priority.saturating_mul(3).saturating_add(level);
    }
    compact(groups);
}

/// Labels in common with the client, the most telling first (T-260).
fn by_priority_labels(groups: &mut Vec<Group>, wanted: &[String], own: &StringMap) {
    // `name=value` fixes the client's value, for every entry of that name.
    let split: Vec<Vec<&str>> = wanted.iter().map(|label| label.split('=').collect()).collect();
    let names: Vec<&str> = split.iter().filter_map(|parts| parts.first().copied()).collect();
    let fixed: BTreeMap<&str, &str> = split
        .iter()
        .filter_map(|parts| match parts.as_slice() {
            [name, value] => Some((*name, *value)),
            _ => None,
        })
        .collect();
    let value_of = |name: &str| fixed.get(name).copied().unwrap_or_else(|| own.get(name).unwrap_or_default());
    let network_first = wanted.first().is_some_and(|label| label == "topology.istio.io/network");
    let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let priority = |labels: &StringMap| {
        let mut other_network = 0;
        for (position, name) in (0u32..).zip(&names) {
            if value_of(name) == labels.get(*name).unwrap_or_default() {
                continue;
            }
            if position == 0 && network_first {
                other_network = count;
                continue;
            }
            return count - position + other_network;
        }
        other_network
    };
    let mut out = Vec::new();
    for group in groups.drain(..) {
        let mut by_priority: BTreeMap<u32, Group> = BTreeMap::new();
        for member in group.members {
            let priority = priority(&member.endpoint.labels);
            let part = by_priority.entry(priority).or_insert_with(|| Group {
                locality: group.locality.clone(),
                priority,
                weight: 0,
                members: Vec::new(),
            });
            part.weight = part.weight.saturating_add(member.weight);
            part.members.push(member);
        }
        out.extend(by_priority.into_values());
    }
    *groups = out;
    compact(groups);
}

/// Priorities without gaps, from 0.
fn compact(groups: &mut [Group]) {
    if let [only] = groups {
        only.priority = 0;
        return;
    }
    let used: BTreeSet<u32> = groups.iter().map(|group| group.priority).collect();
    let rank: BTreeMap<u32, u32> = used.into_iter().zip(0..).collect();
    for group in groups {
        group.priority = rank.get(&group.priority).copied().unwrap_or(group.priority);
    }
}

/// `region/zone/subzone`; what is missing is empty.
fn parts(locality: &str) -> (&str, &str, &str) {
    let mut parts = locality.splitn(3, '/');
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

fn region(locality: &str) -> &str {
    parts(locality).0
}

/// Whether a locality fits a pattern: `*` fits all, missing parts too (T-258).
fn matches(locality: &str, pattern: &str) -> bool {
    let (region, zone, subzone) = parts(locality);
    let (wanted_region, wanted_zone, wanted_subzone) = parts(pattern);
    let open = |wanted: &str| wanted == "*" || wanted.is_empty();
    (wanted_region == "*" || wanted_region == region)
        && (open(wanted_zone) || wanted_zone == zone)
        && (open(wanted_subzone) || wanted_subzone == subzone)
}
