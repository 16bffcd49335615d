//! What Istio refuses or warns about in a VirtualService.

mod http_action;
mod http_match;
mod http_route;
mod l4_route;
mod unreachable;

use std::collections::BTreeMap;

use super::spec::VirtualService;
use crate::check::export_to::{Exporter, export_to};
use crate::check::{Checked, Checker, Hearing, Path, Problem, header, host, port, short, value};
use crate::diagnostic::{Code, Report};
use crate::name::is_dns_label;
use crate::object::Object;
use crate::part::Destination;

const SPEC: Path<'static> = Path::Root("spec");

/// The name that stands for all sidecars (T-024).
const MESH: &str = "mesh";

/// What the parts of a VirtualService need to know of the whole.
#[derive(Debug, Clone, Copy)]
struct Scope<'s> {
    service: &'s VirtualService,
    /// It has no hosts, so another one includes it (T-125).
    is_delegate: bool,
    /// It names gateways, and `mesh` is not among them.
    is_for_gateways_only: bool,
}

/// Checks an object.
pub(super) fn validate(object: &Object<VirtualService>, report: &mut Report) {
    let service = &object.spec;
    let found = &mut Checker::new(object, report);
    let scope = Scope {
        service,
        is_delegate: service.hosts.is_empty(),
        is_for_gateways_only: !service.gateways.is_empty()
            && !service.gateways.iter().any(|name| name == MESH),
    };
    if scope.is_delegate {
        delegate(found, service);
    }
    gateways(found, &SPEC.field("gateways"), &service.gateways);
    hosts(found, scope);
    let has_route = !service.http.is_empty() || !service.tls.is_empty() || !service.tcp.is_empty();
    found.require(has_route, &SPEC, || {
        Problem::missing("one of `http`, `tls`, `tcp` is required").help("add the routes for one of them")
    });
    for (index, route) in service.http.iter().enumerate() {
        http_route::http_route(found, &SPEC.field("http").index(index), route, scope);
    }
    for (index, route) in service.tls.iter().enumerate() {
        l4_route::tls_route(found, &SPEC.field("tls").index(index), route, scope);
    }
    for (index, route) in service.tcp.iter().enumerate() {
        l4_route::tcp_route(found, &SPEC.field("tcp").index(index), route);
    }
    export_to(found, &SPEC.field("exportTo"), &service.export_to, Exporter::Other);
    unreachable::http(found, &SPEC.field("http"), &service.http);
    unreachable::tcp(found, &SPEC.field("tcp"), &service.tcp);
    unreachable::tls(found, &SPEC.field("tls"), &service.tls);
}

/// What only a VirtualService with hosts can have (T-125).
fn delegate(found: &mut Checker<'_>, service: &VirtualService) {
    let refused = [
        ("gateways", service.gateways.is_empty()),
        ("tls", service.tls.is_empty()),
        ("tcp", service.tcp.is_empty()),
    ];
    for (name, is_empty) in refused {
        found.require(is_empty, &SPEC.field(name), || {
            Problem::conflict(format!(
                "a VirtualService without hosts is a delegate, which cannot have `{name}`"
            ))
            .help("write `hosts`, or leave only `http`")
        });
    }
}

fn hosts(found: &mut Checker<'_>, scope: Scope<'_>) {
    let service = scope.service;
    let at = SPEC.field("hosts");
    let has_sni = service.tls.iter().flat_map(|route| &route.r#match).any(|one| !one.sni_hosts.is_empty());
    let mut are_valid = true;
    for (index, name) in service.hosts.iter().enumerate() {
        let checked = if host::is_address(name) {
            Ok(())
        } else if scope.is_for_gateways_only {
            host::gateway_domain(name, has_sni)
        } else if name == "*" {
            Err(Problem::new(Code::InvalidHost, "`*` alone is for gateways, not for sidecars")
                .help("name the hosts, or the gateways in `gateways` without `mesh`")
                .relative())
        } else {
            host::wildcard_domain(name)
        };
        are_valid &= checked.is_ok();
        found.check(&at.index(index), checked);
    }
    if !are_valid {
        return;
    }
    overlaps(found, &at, &service.hosts);
}

/// No two hosts of one VirtualService take the same name (T-112).
///
/// Hosts overlap when they are equal, or when the suffix of a wildcard ends the other one: read backwards, when it
/// starts the other one, which sorted sets answer without comparing each with each.
fn overlaps(found: &mut Checker<'_>, at: &Path<'_>, hosts: &[String]) {
    let mut all: BTreeMap<String, &str> = BTreeMap::new();
    let mut wildcards: BTreeMap<String, &str> = BTreeMap::new();
    for (index, later) in hosts.iter().enumerate() {
        let suffix = later.strip_prefix('*');
        let backwards: String = suffix.unwrap_or(later).chars().rev().collect();
        let covered_by = || {
            let starts = backwards.char_indices().map(|(length, _)| length).chain([backwards.len()]);
            starts.filter_map(|length| backwards.get(..length)).find_map(|start| wildcards.get(start))
        };
        let covers = || {
            let (other, earlier) = all.range(backwards.clone()..).next()?;
            let overlaps = if suffix.is_some() { other.starts_with(&backwards) } else { *earlier == later };
            overlaps.then_some(earlier)
        };
        if let Some(earlier) = covered_by().or_else(covers) {
            let message = format!("host `{}` overlaps `{}`", short(later), short(earlier));
            found.find(&at.index(index), Problem::conflict(message).help("remove one of the two"));
        }
        if suffix.is_some() {
            wildcards.insert(backwards.clone(), later);
        }
        all.insert(backwards, later);
    }
}

/// Names of gateways: `name`, `namespace/name`, `mesh`, or the older `name.namespace.svc...` (T-023). Istio looks at no
/// name after the first without a namespace.
fn gateways(found: &mut Checker<'_>, at: &Path<'_>, names: &[String]) {
    let plain = names.iter().position(|name| !name.contains('/'));
    let checked = plain.map_or(names.len(), |index| index + 1);
    gateway_names(found, at, names.iter().enumerate().take(checked));
    found.hearing(Hearing::Nothing, |found| {
        gateway_names(found, at, names.iter().enumerate().skip(checked));
    });
}

fn gateway_names<'n>(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    names: impl Iterator<Item = (usize, &'n String)>,
) {
    for (index, name) in names {
        let at = at.index(index);
        let Some((namespace, gateway)) = name.split_once('/') else {
            let mut labels = name.split('.');
            if let (Some(first), Some(second)) = (labels.next(), labels.next()) {
                let problem = Problem::new(Code::Deprecated, "gateways named by host name are a legacy form");
                found.find(&at, problem.help(format!("write `{second}/{first}`")));
            }
            found.check(&at, host::fqdn(name));
            continue;
        };
        found.check(&at, host::namespace(namespace));
        found.require(is_dns_label(gateway), &at, || {
            Problem::new(Code::InvalidName, format!("`{}` is not the name of a gateway", short(gateway)))
                .help("write `mesh`, `NAME` or `NAMESPACE/NAME`")
        });
    }
}

/// Where traffic goes (T-150).
fn destination(found: &mut Checker<'_>, at: &Path<'_>, to: &Destination) {
    found.check(&at.field("host"), destination_host(&to.host));
    if !to.subset.is_empty() {
        found.require(is_dns_label(&to.subset), &at.field("subset"), || {
            Problem::new(Code::InvalidName, format!("`{}` is not a subset name", short(&to.subset)))
                .help("use letters, digits and inner hyphens")
        });
    }
    if let Some(selector) = &to.port {
        found.check(&at.field("port").field("number"), port::number(selector.number));
    }
}

fn destination_host(name: &str) -> Checked {
    if name.is_empty() {
        return Err(Problem::missing("`host` is required").help("add the host of the service"));
    }
    if name == "*" {
        return Err(Problem::new(Code::InvalidHost, "`*` is not a destination")
            .help("name the service that the requests go to"));
    }
    host::wildcard_domain(name)
}

/// Weights: none below zero, and not all zero where there are several (T-155).
fn weights(found: &mut Checker<'_>, at: &Path<'_>, weights: &[i32]) {
    for (index, weight) in weights.iter().enumerate() {
        found.require(*weight >= 0, &at.index(index).field("weight"), || {
            Problem::invalid(format!("weight `{weight}` is negative")).help("write 0 or more")
        });
    }
    let total: i64 = weights.iter().copied().map(i64::from).sum();
    found.require(weights.len() < 2 || total != 0, at, || {
        Problem::invalid("the weights add up to 0").help("give a destination a `weight`")
    });
    // The data plane adds them up in 32 bits.
    found.require(total <= i64::from(u32::MAX), at, || {
        Problem::invalid(format!("the weights add up to {total}, more than {}", u32::MAX))
            .help("use smaller weights: only their ratio counts")
    });
}
