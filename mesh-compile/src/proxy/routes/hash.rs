//! Where a route takes its hash key from (T-247, T-248, E-072).

use std::sync::Arc;

use mesh_model::part::{ConsistentHashLb, Destination, LoadBalancerSettings, PortTrafficPolicy};
use mesh_model::value::Duration;

use crate::merge::destination_rule::MergedDestinationRule;
use crate::registry::service::{Service, ServicePort};
use crate::route_table::action::HashPolicy;
use crate::view::View;

/// The rule in force for a host that is in scope.
pub(crate) fn rule_for(view: &View<'_>, host: &str) -> Option<Arc<MergedDestinationRule>> {
    let service = view.service(host)?;
    view.destination_rule(&service.hostname, &service.namespace)
}

/// The same for its consistent hashes alone.
pub(super) fn hash_rule_for(view: &View<'_>, host: &str) -> Option<Arc<MergedDestinationRule>> {
    let service = view.service(host)?;
    view.hash_rule(&service.hostname, &service.namespace)
}

/// The consistent hash of a rule for a destination of a VirtualService: subset's port, subset, port, top.
/// Port entries count only where the destination writes its port (T-248).
pub(super) fn of_destination<'r>(
    rule: &'r MergedDestinationRule,
    destination: &Destination,
) -> Option<&'r ConsistentHashLb> {
    let port = destination.port.as_ref().map(|port| port.number);
    let subset = rule
        .spec
        .subsets
        .iter()
        .find(|subset| subset.name == destination.subset)
        .and_then(|subset| subset.traffic_policy.as_deref());
    let top = rule.spec.traffic_policy.as_deref();
    let of_port = |settings: &'r [PortTrafficPolicy]| {
        let entry = settings.iter().find(|entry| port.is_some() && port_of(entry) == port)?;
        of_load_balancer(entry.load_balancer.as_deref())
    };
    subset
        .and_then(|policy| of_port(&policy.port_level_settings))
        .or_else(|| subset.and_then(|policy| of_load_balancer(policy.load_balancer.as_deref())))
        .or_else(|| top.and_then(|policy| of_port(&policy.port_level_settings)))
        .or_else(|| top.and_then(|policy| of_load_balancer(policy.load_balancer.as_deref())))
}

/// The hash policy of a default route: the port's entry where it has a consistent hash, else the top (T-248).
pub(super) fn of_service(view: &View<'_>, service: &Service, port: &ServicePort) -> Option<HashPolicy> {
    let rule = view.hash_rule(&service.hostname, &service.namespace)?;
    let top = rule.spec.traffic_policy.as_ref()?;
    let entry = top
        .port_level_settings
        .iter()
        .find(|entry| port_of(entry) == Some(u32::from(port.number)))
        .and_then(|entry| of_load_balancer(entry.load_balancer.as_deref()));
    policy(entry.or_else(|| of_load_balancer(top.load_balancer.as_deref()))?)
}

/// The key of a consistent hash; `None` where it names none.
pub(super) fn policy(hash: &ConsistentHashLb) -> Option<HashPolicy> {
    let ConsistentHashLb {
        http_header_name,
        http_cookie,
        use_source_ip,
        http_query_parameter_name,
        ring_hash: _,
        maglev: _,
        minimum_ring_size: _,
    } = hash;
    if let Some(name) = http_header_name {
        return Some(HashPolicy::Header(name.as_str().into()));
    }
    if let Some(cookie) = http_cookie {
        return Some(HashPolicy::Cookie {
            name: cookie.name.as_str().into(),
            ttl_ms: cookie.ttl.map(Duration::as_millis),
            path: cookie.path.as_str().into(),
            attributes: cookie
                .attributes
                .iter()
                .map(|attribute| (attribute.name.as_str().into(), attribute.value.as_str().into()))
                .collect(),
        });
    }
    if *use_source_ip == Some(true) {
        return Some(HashPolicy::SourceIp);
    }
    http_query_parameter_name.as_ref().map(|name| HashPolicy::Query(name.as_str().into()))
}

fn port_of(entry: &PortTrafficPolicy) -> Option<u32> {
    entry.port.as_ref().map(|port| port.number)
}

fn of_load_balancer(settings: Option<&LoadBalancerSettings>) -> Option<&ConsistentHashLb> {
    settings.and_then(|settings| settings.consistent_hash.as_deref())
}
