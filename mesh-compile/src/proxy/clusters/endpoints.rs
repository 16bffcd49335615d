//! The endpoints of a cluster, in groups of one locality and priority (T-311 to T-316).

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::name::StringMap;
use mesh_model::part::{ClientTlsMode, TrafficPolicy};

use super::names::push_decimal;
use super::policy::Policy;
use super::{Context, networks};
use crate::merge::destination_rule::MergedDestinationRule;
use crate::proxy::cluster::{Cluster, ClusterEndpoint};
use crate::registry::endpoint::{Endpoint, Health};
use crate::registry::service::{Service, ServicePort, TrafficDistribution};

/// Endpoints of one locality that are tried together.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub locality: Arc<str>,
    /// 0 is tried first.
    pub priority: u32,
    pub weight: u32,
    pub members: Vec<Member>,
}

/// An endpoint of a group.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub endpoint: Arc<Endpoint>,
    /// Load-balancing weight, at least 1: the endpoint's, scaled where gateways share it (T-315).
    pub weight: u32,
    /// Whether the cluster may use mesh mTLS towards it (S-049).
    pub mtls: bool,
}

/// What selects the endpoints of one cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection<'a> {
    pub service: &'a Service,
    pub port: &'a ServicePort,
    /// All endpoints of the port, once they are known: its clusters look at the same.
    pub known: &'a OnceCell<Vec<Arc<Endpoint>>>,
    pub rule: Option<&'a MergedDestinationRule>,
    /// A subset of the rule; empty: the whole service.
    pub subset: &'a str,
    /// Names are resolved by the proxy: otherwise only addresses are usable.
    pub by_name: bool,
    /// Only endpoints that speak mesh mTLS (S-054).
    pub only_mtls: bool,
}

/// Endpoints by locality, all at priority 0.
pub(super) fn groups(selection: Selection<'_>, policy: &Policy<'_>, context: &Context<'_>) -> Vec<Group> {
    let labels = subset_labels(selection);
    let mode = rule_tls_mode(selection);
    let unhealthy_too = sends_unhealthy(selection.service, policy);
    let gateways = context.view.network_gateways(selection.by_name);
    let requested = networks::requested_view(context);
    let mut by_locality: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    let all = selection.known.get_or_init(|| context.view.endpoints(selection.service, selection.port));
    for endpoint in all {
        let fits = labels.is_none_or(|labels| is_subset(labels, &endpoint.labels))
            && (selection.by_name || is_address(endpoint))
            && (!endpoint.address.is_empty() || !gateways.is_empty())
            && requested.as_ref().is_none_or(|requested| requested.contains(&*endpoint.network))
            && is_sent(endpoint, selection.service, unhealthy_too);
        if !fits {
            continue;
        }
        if endpoint.mtls && mode.is_none() {
            context.view.asked_peers_of(&endpoint.namespace);
        }
        let mtls = endpoint.mtls && context.peers.allow_mtls(mode, endpoint);
        // A locality whose endpoints are all left out still counts: a DNS cluster exists with none (T-238, S-054).
        let group = by_locality.entry(Arc::clone(&endpoint.locality)).or_insert_with(|| Group {
            locality: Arc::clone(&endpoint.locality),
            priority: 0,
            weight: 0,
            members: Vec::new(),
        });
        if selection.only_mtls && !mtls {
            continue;
        }
        group.weight = group.weight.saturating_add(endpoint.weight.max(1));
        let weight = endpoint.weight.max(1);
        group.members.push(Member { endpoint: Arc::clone(endpoint), weight, mtls });
    }
    let mut groups: Vec<Group> = by_locality.into_values().collect();
    networks::replace(&mut groups, gateways, context);
    groups
}

/// Writes the groups into the cluster.
pub(super) fn store(cluster: &mut Cluster, groups: &[Group]) {
    cluster.localities = groups
        .iter()
        .filter(|group| !group.members.is_empty())
        .map(|group| (Arc::clone(&group.locality), group.priority, group.weight))
        .collect();
    cluster.localities.sort();
    cluster.endpoints = groups
        .iter()
        .flat_map(|group| group.members.iter().map(|member| cluster_endpoint(group, member)))
        .collect();
}

fn cluster_endpoint(group: &Group, member: &Member) -> ClusterEndpoint {
    let endpoint = &member.endpoint;
    ClusterEndpoint {
        address: socket_address(&endpoint.address, endpoint.port),
        priority: group.priority,
        weight: member.weight,
        healthy: endpoint.health == Health::Healthy && !is_draining(endpoint),
        draining: is_draining(endpoint),
        mtls: member.mtls,
        locality: Arc::clone(&group.locality),
        workload: endpoint.workload.clone(),
    }
}

/// `10.0.0.1:80`, `[::1]:80`, `name:80`; a Unix path as it is.
pub(in crate::proxy) fn socket_address(address: &str, port: u16) -> Arc<str> {
    if port == 0 {
        return address.strip_prefix("unix://").unwrap_or(address).into();
    }
    match address.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}").into(),
        _ => {
            let mut socket = String::with_capacity(address.len() + 6);
            socket.push_str(address);
            socket.push(':');
            push_decimal(&mut socket, port);
            socket.into()
        }
    }
}

/// A Unix path has port 0, and one that only gateways know has no address; everything else is a name.
fn is_address(endpoint: &Endpoint) -> bool {
    endpoint.port == 0 || endpoint.address.is_empty() || endpoint.address.parse::<IpAddr>().is_ok()
}

/// Endpoints that are going away stay where the service keeps sessions by cookie, for those that they have (T-313). The
/// filter that keeps sessions is switched off in Istio, this is not.
fn is_sent(endpoint: &Endpoint, service: &Service, unhealthy_too: bool) -> bool {
    const SESSIONS: &str = "istio.io/persistent-session";
    let keeps_sessions = || service.labels.get(SESSIONS).is_some_and(|cookie| !cookie.is_empty());
    match endpoint.health {
        Health::Terminating => false,
        Health::Unhealthy if !unhealthy_too => false,
        _ => !is_draining(endpoint) || keeps_sessions(),
    }
}

/// Whether an endpoint goes away: its slice says so, or its Pod has the label (with any value but an empty one).
fn is_draining(endpoint: &Endpoint) -> bool {
    const LABEL: &str = "istio.io/draining";
    endpoint.health == Health::Draining || endpoint.labels.get(LABEL).is_some_and(|value| !value.is_empty())
}

/// Unhealthy endpoints are sent unless panic mode could use them (T-312); a topology preference needs them always.
fn sends_unhealthy(service: &Service, policy: &Policy<'_>) -> bool {
    let panics =
        policy.outlier_detection.as_ref().is_some_and(|outlier| outlier.value.min_health_percent > 0);
    service.traffic_distribution != TrafficDistribution::Any || !panics
}

/// The labels of the subset; `None`: every endpoint (T-237).
fn subset_labels<'a>(selection: Selection<'a>) -> Option<&'a StringMap> {
    let subset = selection.rule?.spec.subsets.iter().find(|subset| subset.name == selection.subset)?;
    Some(&subset.labels).filter(|labels| !selection.subset.is_empty() && !labels.is_empty())
}

fn is_subset(wanted: &StringMap, labels: &StringMap) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The rule's TLS mode for the subset and port (S-050); `None`: it has none.
fn rule_tls_mode(selection: Selection<'_>) -> Option<ClientTlsMode> {
    let spec = &selection.rule?.spec;
    let port = selection.port.number;
    let top = spec.traffic_policy.as_ref().and_then(|policy| tls_mode(policy, port));
    if selection.subset.is_empty() {
        return top;
    }
    let subset = spec.subsets.iter().find(|subset| subset.name == selection.subset)?;
    subset.traffic_policy.as_ref().and_then(|policy| tls_mode(policy, port)).or(top)
}

/// An entry for the port, if it has a `tls` block, before the plain block.
fn tls_mode(policy: &TrafficPolicy, port: u16) -> Option<ClientTlsMode> {
    let wanted = u32::from(port);
    let entries = policy.port_level_settings.iter();
    entries
        .filter(|entry| entry.port.as_ref().is_some_and(|selector| selector.number == wanted))
        .find_map(|entry| entry.tls.as_ref())
        .or(policy.tls.as_ref())
        .map(|tls| tls.mode)
}
