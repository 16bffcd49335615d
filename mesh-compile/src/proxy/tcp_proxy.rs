//! Bytes to clusters: destinations of L4 routes, idle timeout and longest life, source hashing (T-191, T-247, T-272).

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::networking::virtual_service::spec::RouteDestination;
use mesh_model::origin::Origin;
use mesh_model::part::{LoadBalancerSettings, TunnelSettings};
use mesh_model::value::Duration;

use super::listener::{TcpProxy, Tunnel, TunnelMethod};
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
        .and_then(|pool| pool.tcp.as_ref());
    let idle = own.and_then(|tcp| tcp.idle_timeout);
    proxy.idle_timeout_ms = idle.map(Duration::as_millis).or_else(|| settings::idle_timeout_ms(view));
    proxy.max_connection_ms = own.and_then(|tcp| tcp.max_connection_duration).map(Duration::as_millis);
    if rule.is_some_and(|rule| hashes_source(rule, subset)) {
        proxy.hash_policy.push(HashPolicy::SourceIp);
    }
    proxy.tunnel = rule.and_then(|rule| tunnel(rule, subset)).map(Arc::new);
    proxy
}

/// The tunnel of the whole host, or of the subset where there is one: a subset does not inherit (T-290).
fn tunnel(rule: &MergedDestinationRule, subset: &str) -> Option<Tunnel> {
    let (policy, origin) = if subset.is_empty() {
        (rule.spec.traffic_policy.as_ref(), rule.policy_origin.clone())
    } else {
        let mut subsets = rule.spec.subsets.iter().zip(&rule.subset_origins);
        let (found, origin) = subsets.find(|(candidate, _)| candidate.name == subset)?;
        (found.traffic_policy.as_ref(), Some(origin.child(".trafficPolicy")))
    };
    let TunnelSettings { protocol, target_host, target_port } = policy?.tunnel.as_deref()?;
    let target = match target_host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{target_host}]:{target_port}"),
        _ => format!("{target_host}:{target_port}"),
    };
    let method = if protocol == "POST" { TunnelMethod::Post } else { TunnelMethod::Connect };
    let origin = origin.unwrap_or_else(|| Origin::built_in("DestinationRule trafficPolicy"));
    Some(Tunnel { method, target: target.into(), origin: origin.child(".tunnel") })
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

#[cfg(test)]
mod tests {
    use crate::compiler::compile;
    use crate::proxy::listener::{Network, TunnelMethod};
    use crate::testing::{istio, resolve, sidecar};
    use crate::view::View;

    /// Method and target of the tunnel that a route to `destinations` goes through.
    fn tunnel(rule: &str, destinations: &str) -> Option<(TunnelMethod, String)> {
        let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: proxy, namespace: shop}\n\
                       spec: {clusterIP: 10.0.0.1, ports: [{name: tcp, port: 3128}]}\n";
        let yaml = service.to_owned()
            + &istio(
                "VirtualService",
                "shop",
                "v",
                &format!("{{hosts: [proxy], tcp: [{{route: [{destinations}]}}]}}"),
            )
            + &istio("DestinationRule", "shop", "r", rule);
        let snapshot = resolve(&yaml);
        let proxy = sidecar("shop", "client");
        let (config, _) = compile(&View::new(&snapshot, &proxy));
        let chains = config.listeners.iter().flat_map(|it| it.filter_chains.iter().chain(&it.default_chain));
        let mut tunnels = chains.filter_map(|chain| match &chain.network {
            Network::Tcp(proxy) => {
                let mut to = proxy.destinations.iter();
                to.any(|it| it.cluster.starts_with("outbound|3128|")).then_some(proxy.tunnel.as_ref())
            }
            Network::Http(_) => None,
        });
        tunnels.next().unwrap().map(|it| (it.method, it.target.to_string()))
    }

    #[test]
    fn t_290_a_subset_has_its_own_tunnel_or_none_and_several_destinations_have_that_of_the_host() {
        let rule = "{host: proxy, trafficPolicy: {tunnel: {targetHost: db.example, targetPort: 5432}}, subsets: [{name: plain}, \
                    {name: own, trafficPolicy: {tunnel: {protocol: POST, targetHost: '2001:db8::1', targetPort: 1}}}]}";
        let of_host = Some((TunnelMethod::Connect, "db.example:5432".to_owned()));
        assert_eq!(tunnel(rule, "{destination: {host: proxy}}"), of_host);
        assert_eq!(tunnel(rule, "{destination: {host: proxy, subset: plain}}"), None);
        let own = Some((TunnelMethod::Post, "[2001:db8::1]:1".to_owned()));
        assert_eq!(tunnel(rule, "{destination: {host: proxy, subset: own}}"), own);
        let two =
            "{destination: {host: proxy, subset: own}, weight: 1}, {destination: {host: proxy}, weight: 1}";
        assert_eq!(tunnel(rule, two), of_host);
        assert_eq!(tunnel("{host: proxy}", "{destination: {host: proxy}}"), None);
    }
}
