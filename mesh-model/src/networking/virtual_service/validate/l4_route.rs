//! Routes of TLS and TCP (T-186, T-189, T-190).

use super::{Checker, Hearing, Path, Problem, Scope, destination, gateways, host, port, short, weights};
use crate::check::label;
use crate::diagnostic::Code;
use crate::name::StringMap;
use crate::name::host_subset_of;
use crate::networking::virtual_service::spec::{
    L4MatchAttributes, RouteDestination, TcpRoute, TlsMatchAttributes, TlsRoute,
};

/// Checks a TLS route at `at`.
pub(super) fn tls_route(found: &mut Checker<'_>, at: &Path<'_>, route: &TlsRoute, scope: Scope<'_>) {
    found.require(!route.r#match.is_empty(), at, || {
        Problem::missing("a TLS route needs `match`").help("list the server names in `match[].sniHosts`")
    });
    for (index, one) in route.r#match.iter().enumerate() {
        tls_match(found, &at.field("match").index(index), one, scope);
    }
    destinations(found, at, &route.route);
}

/// Checks a TCP route at `at`.
pub(super) fn tcp_route(found: &mut Checker<'_>, at: &Path<'_>, route: &TcpRoute) {
    for (index, one) in route.r#match.iter().enumerate() {
        let L4MatchAttributes {
            destination_subnets,
            port,
            source_subnet: _,
            source_labels,
            gateways,
            source_namespace: _,
        } = one;
        let shared = Shared { destination_subnets, port: *port, source_labels, gateways };
        let list = at.field("match");
        found.hearing(Hearing::Errors, |found| shared.check(found, &list.index(index)));
    }
    destinations(found, at, &route.route);
}

fn tls_match(found: &mut Checker<'_>, at: &Path<'_>, one: &TlsMatchAttributes, scope: Scope<'_>) {
    let TlsMatchAttributes {
        sni_hosts,
        destination_subnets,
        port,
        source_labels,
        gateways,
        source_namespace: _,
    } = one;
    found.require(!sni_hosts.is_empty(), at, || {
        Problem::missing("a TLS match needs `sniHosts`").help("add the names that clients announce")
    });
    for (index, name) in sni_hosts.iter().enumerate() {
        sni_host(found, &at.field("sniHosts").index(index), name, scope);
    }
    Shared { destination_subnets, port: *port, source_labels, gateways }.check(found, at);
}

/// A server name that one of the hosts covers (T-189).
fn sni_host(found: &mut Checker<'_>, at: &Path<'_>, name: &str, scope: Scope<'_>) {
    let only_mesh = scope.service.gateways.iter().any(|gateway| gateway == super::MESH);
    let checked = if only_mesh { host::wildcard_domain(name) } else { host::gateway_domain(name, true) };
    match checked {
        Err(_) if host::is_address(name) => {
            found.find(
                at,
                Problem::suspicious(format!("`{name}` is an address, which clients do not announce"))
                    .help("write a host name"),
            );
        }
        Err(problem) => found.find(at, problem),
        Ok(()) => {
            let is_covered = scope.service.hosts.iter().any(|host| host_subset_of(name, host));
            found.require(is_covered, at, || {
                let message = format!("no host of the VirtualService covers server name `{}`", short(name));
                Problem::new(Code::InvalidHost, message).help("add it to `spec.hosts`").relative()
            });
        }
    }
}

/// The conditions that TLS and TCP have in common.
struct Shared<'m> {
    destination_subnets: &'m [String],
    port: u32,
    source_labels: &'m StringMap,
    gateways: &'m [String],
}

impl Shared<'_> {
    fn check(&self, found: &mut Checker<'_>, at: &Path<'_>) {
        found.each(&at.field("destinationSubnets"), self.destination_subnets, host::subnet);
        if self.port != 0 {
            found.check(&at.field("port"), port::number(self.port));
        }
        label::labels(found, &at.field("sourceLabels"), self.source_labels);
        gateways(found, &at.field("gateways"), self.gateways);
    }
}

fn destinations(found: &mut Checker<'_>, at: &Path<'_>, routes: &[RouteDestination]) {
    found.require(!routes.is_empty(), at, || {
        Problem::missing("`route` is required").help("add `route` with a destination")
    });
    let at = at.field("route");
    for (index, one) in routes.iter().enumerate() {
        let at = at.index(index);
        match &one.destination {
            Some(to) => destination(found, &at.field("destination"), to),
            None => found.find(
                &at,
                Problem::missing("`destination` is required").help("add `destination: {host: ..}`"),
            ),
        }
    }
    let shares: Vec<i32> = routes.iter().map(|one| one.weight).collect();
    weights(found, &at, &shares);
}
