//! Bytes to clusters: destinations of L4 routes, idle timeout, source hashing (T-191, T-247, T-272).

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::networking::virtual_service::spec::RouteDestination;
use mesh_model::origin::Origin;
use mesh_model::part::LoadBalancerSettings;
use mesh_model::value::Duration;

use super::client::Client;
use super::entries::Request;
use crate::merge::destination_rule::MergedDestinationRule;
use crate::proxy::listener::TcpProxy;
use crate::proxy::routes::{cluster_name, destination_cluster, rule_for};
use crate::route_table::action::{Destination, Destinations, HashPolicy, HeaderOps};

/// To the service behind a request. A service with one port lends its number (a Sidecar listener's may differ).
pub(super) fn to_service(client: &Client<'_, '_>, request: &Request<'_>) -> TcpProxy {
    let port = match request.service.ports.as_slice() {
        [only] => only.number,
        _ => request.port,
    };
    let cluster = cluster_name(port, "", &request.service.hostname);
    let rule = rule_for(client.view, &request.service.hostname);
    with_rule(client, TcpProxy::to(cluster, request.origin.clone()), rule.as_deref(), "")
}

/// To the destinations of an L4 route; `None` where none can be picked, which is reported.
pub(super) fn to_routes(
    client: &Client<'_, '_>,
    routes: &[RouteDestination],
    port: u16,
    origin: &Origin,
    report: &mut Report,
) -> Option<TcpProxy> {
    let destination = |index: usize, written: &RouteDestination, weight: u32| {
        let target = written.destination.clone().unwrap_or_default();
        let service = client.view.service(&target.host);
        Destination {
            cluster: destination_cluster(&target, service.map(|service| &**service), port),
            weight,
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            authority: None,
            origin: origin.child(&format!(".route[{index}]")),
        }
    };
    let first = routes.first()?.destination.as_ref();
    let rule = first.and_then(|first| rule_for(client.view, &first.host));
    let (destinations, subset) = match routes {
        [only] => {
            let subset = first.map_or("", |first| first.subset.as_str());
            (Destinations::Single(Box::new(destination(0, only, 100))), subset)
        }
        several => {
            let weighted: Vec<_> = several
                .iter()
                .enumerate()
                .filter_map(|(index, written)| {
                    let weight = u32::try_from(written.weight).ok().filter(|weight| *weight > 0)?;
                    Some(destination(index, written, weight))
                })
                .collect();
            (Destinations::Weighted(weighted), "")
        }
    };
    let Some(sample) = destinations.iter().next() else {
        report.push(Diagnostic::new(
            Code::InvalidValue,
            &origin.child(".route"),
            "no destination has a weight above 0, the route is left out",
        ));
        return None;
    };
    let mut proxy = TcpProxy::to(sample.cluster.clone(), sample.origin.clone());
    proxy.destinations = destinations;
    Some(with_rule(client, proxy, rule.as_deref(), subset))
}

/// What the DestinationRule of the first destination adds.
fn with_rule(
    client: &Client<'_, '_>,
    mut proxy: TcpProxy,
    rule: Option<&MergedDestinationRule>,
    subset: &str,
) -> TcpProxy {
    let tcp = rule
        .and_then(|rule| rule.spec.traffic_policy.as_ref())
        .and_then(|policy| policy.connection_pool.as_ref())
        .and_then(|pool| pool.tcp.as_ref());
    proxy.idle_timeout_ms =
        tcp.and_then(|tcp| tcp.idle_timeout).map(Duration::as_millis).or_else(|| client.idle_timeout_ms());
    if rule.is_some_and(|rule| hashes_source(rule, subset)) {
        proxy.hash_policy.push(HashPolicy::SourceIp);
    }
    proxy
}

/// Whether connections are hashed by source address: the subset's load balancer, where it has one, else the top's (T-247).
fn hashes_source(rule: &MergedDestinationRule, subset: &str) -> bool {
    let by_source = |settings: Option<&LoadBalancerSettings>| {
        settings.and_then(|settings| settings.consistent_hash.as_ref()).and_then(|hash| hash.use_source_ip)
            == Some(true)
    };
    let own = rule
        .spec
        .subsets
        .iter()
        .find(|candidate| candidate.name == subset)
        .and_then(|subset| subset.traffic_policy.as_ref())
        .and_then(|policy| policy.load_balancer.as_ref());
    let top = || rule.spec.traffic_policy.as_ref().and_then(|policy| policy.load_balancer.as_ref());
    by_source(own.or_else(top))
}
