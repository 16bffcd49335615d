//! Bytes to clusters: destinations of L4 routes, idle timeout, source hashing (T-191, T-247, T-272).

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::networking::virtual_service::spec::RouteDestination;
use mesh_model::origin::Origin;
use mesh_model::part::LoadBalancerSettings;
use mesh_model::value::Duration;

use super::listener::TcpProxy;
use super::routes::{destination_cluster, rule_for};
use super::settings;
use crate::merge::destination_rule::MergedDestinationRule;
use crate::merge::virtual_service::l4_destination_origin;
use crate::route_table::action::{Destination, Destinations, HashPolicy, HeaderOps};
use crate::view::View;

/// To one cluster of a service, as the DestinationRule of its host has it.
pub(crate) fn to_cluster(
    view: &View<'_>,
    cluster: impl Into<Arc<str>>,
    rule: Option<&MergedDestinationRule>,
    subset: &str,
    origin: Origin,
) -> TcpProxy {
    with_rule(view, TcpProxy::to(cluster, origin), rule, subset)
}

/// To the destinations of an L4 route; `None` where none can be picked, which is reported. `port` is the listener's,
/// for destinations that leave theirs out (T-150).
pub(crate) fn to_routes(
    view: &View<'_>,
    routes: &[RouteDestination],
    port: u16,
    origin: &Origin,
    report: &mut Report,
) -> Option<TcpProxy> {
    let destination = |index: usize, written: &RouteDestination, weight: u32| {
        let target = written.destination.clone().unwrap_or_default();
        let service = view.service(&target.host);
        Destination {
            cluster: destination_cluster(&target, service.map(|service| &**service), port),
            weight,
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            authority: None,
            origin: l4_destination_origin(origin, index),
        }
    };
    // The rule of the first destination counts for all (T-247).
    let first = routes.first()?.destination.as_ref();
    let rule = first.and_then(|first| rule_for(view, &first.host));
    let (destinations, subset) = match routes {
        [only] => {
            let subset = first.map_or("", |first| first.subset.as_str());
            (Destinations::Single(Box::new(destination(0, only, 100))), subset)
        }
        several => {
            let weighted = several.iter().enumerate().filter_map(|(index, written)| {
                let weight = u32::try_from(written.weight).ok().filter(|weight| *weight > 0)?;
                Some(destination(index, written, weight))
            });
            (Destinations::Weighted(weighted.collect()), "")
        }
    };
    let Some(sample) = destinations.iter().next() else {
        report.push(
            Diagnostic::new(
                Code::InvalidValue,
                &origin.child(".route"),
                "no destination has a weight above 0, the route is left out",
            )
            .help("give at least one destination a weight"),
        );
        return None;
    };
    let mut proxy = TcpProxy::to(Arc::clone(&sample.cluster), sample.origin.clone());
    proxy.destinations = destinations;
    Some(with_rule(view, proxy, rule.as_deref(), subset))
}

fn with_rule(
    view: &View<'_>,
    mut proxy: TcpProxy,
    rule: Option<&MergedDestinationRule>,
    subset: &str,
) -> TcpProxy {
    let own = rule
        .and_then(|rule| rule.spec.traffic_policy.as_ref())
        .and_then(|policy| policy.connection_pool.as_ref())
        .and_then(|pool| pool.tcp.as_ref())
        .and_then(|tcp| tcp.idle_timeout);
    proxy.idle_timeout_ms = own.map(Duration::as_millis).or_else(|| settings::idle_timeout_ms(view));
    if rule.is_some_and(|rule| hashes_source(rule, subset)) {
        proxy.hash_policy.push(HashPolicy::SourceIp);
    }
    proxy
}

/// Whether connections are hashed by source address: the subset's load balancer, where it has one, else the top's.
fn hashes_source(rule: &MergedDestinationRule, subset: &str) -> bool {
    let by_source = |settings: &LoadBalancerSettings| {
        settings.consistent_hash.as_ref().and_then(|hash| hash.use_source_ip) == Some(true)
    };
    let own = rule
        .spec
        .subsets
        .iter()
        .find(|candidate| candidate.name == subset)
        .and_then(|subset| subset.traffic_policy.as_ref())
        .and_then(|policy| policy.load_balancer.as_deref());
    let top = || rule.spec.traffic_policy.as_ref().and_then(|policy| policy.load_balancer.as_deref());
    own.or_else(top).is_some_and(by_source)
}
