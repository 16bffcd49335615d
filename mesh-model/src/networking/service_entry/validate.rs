//! What Istio refuses or warns about in a ServiceEntry (T-321, T-327).

mod endpoint;
mod resolution;

use std::collections::BTreeSet;

use super::spec::{Resolution, ServiceEntry};
use crate::check::export_to::{Exporter, export_to};
use crate::check::{Checker, Path, Problem, host, port, selector, short};
use crate::diagnostic::{Code, Report};
use crate::name::Protocol;
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// The label that switches the allocation of addresses off.
const ALLOCATE: &str = "networking.istio.io/enable-autoallocate-ip";

/// Checks an object.
pub(super) fn validate(object: &Object<ServiceEntry>, report: &mut Report) {
    let entry = &object.spec;
    let found = &mut Checker::new(object, report);
    if let Some(workloads) = &entry.workload_selector {
        selector::networking(found, &SPEC.field("workloadSelector"), workloads);
    }
    let has_endpoints = !entry.endpoints.is_empty() || found.is_written_empty(&SPEC.field("endpoints"));
    found.at_most_one(
        &SPEC,
        &[("workloadSelector", entry.workload_selector.is_some()), ("endpoints", has_endpoints)],
    );
    hosts(found, entry);
    addresses(found, entry);
    ports(found, entry);
    allocation(found, object);
    resolution::resolution(found, object);
    export_to(found, &SPEC.field("exportTo"), &entry.export_to, Exporter::Service);
}

fn hosts(found: &mut Checker<'_>, entry: &ServiceEntry) {
    let at = SPEC.field("hosts");
    found.require(!entry.hosts.is_empty(), &SPEC, || {
        Problem::missing("a ServiceEntry needs `hosts`").help("add the names that clients use")
    });
    found.at_most(&at, entry.hosts.len(), 256);
    for (index, name) in entry.hosts.iter().enumerate() {
        let at = at.index(index);
        if name == "*" {
            found.find(
                &at,
                Problem::new(Code::InvalidHost, "`*` alone is not a host of a service")
                    .help("write a name, or a wildcard of a domain such as `*.example.com`"),
            );
            continue;
        }
        found.check(&at, host::wildcard_domain(name));
        if entry.resolution != Resolution::DynamicDns
            && let Err(problem) = host::no_partial_wildcard(name)
        {
            found.find(&at, Problem { code: Code::Suspicious, ..problem });
        }
    }
}

fn addresses(found: &mut Checker<'_>, entry: &ServiceEntry) {
    let at = SPEC.field("addresses");
    found.at_most(&at, entry.addresses.len(), 256);
    found.each(&at, &entry.addresses, host::subnet);
    for (index, address) in entry.addresses.iter().enumerate() {
        found.no_longer_than(&at.index(index), address, 64);
    }
    if matches!(entry.resolution, Resolution::None | Resolution::Static) {
        return;
    }
    for (index, address) in entry.addresses.iter().enumerate() {
        found.require(!address.contains('/'), &at.index(index), || {
            Problem::conflict(format!("resolution `{}` takes no address blocks", entry.resolution.as_str()))
                .help("blocks go with resolution `NONE` or `STATIC`")
        });
    }
}

fn ports(found: &mut Checker<'_>, entry: &ServiceEntry) {
    let list = SPEC.field("ports");
    found.at_most(&list, entry.ports.len(), 256);
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (index, one) in entry.ports.iter().enumerate() {
        let at = list.index(index);
        found.require(names.insert(&one.name), &at.field("name"), || {
            Problem::conflict(format!("port name `{}` is used twice", short(&one.name)))
                .help("give every port a name of its own")
        });
        found.require(numbers.insert(one.number), &at.field("number"), || {
            Problem::conflict(format!("port `{}` is listed twice", one.number)).help("remove one of the two")
        });
        // The schema refuses a `0` that is written.
        let target = at.field("targetPort");
        if one.target_port != 0 || found.is_written(&target) {
            found.check(&target, port::number(one.target_port));
        }
        found.check(&at.field("name"), port::name(&one.name));
        found.check(&at.field("protocol"), port::protocol(&one.protocol));
        found.check(&at.field("number"), port::number(one.number));
    }
    several_hosts(found, entry);
}

/// Without a host name in the traffic, several hosts cannot be told apart.
fn several_hosts(found: &mut Checker<'_>, entry: &ServiceEntry) {
    if entry.resolution == Resolution::None || entry.hosts.len() < 2 {
        return;
    }
    let opaque = entry.ports.iter().position(|port| {
        let protocol = Protocol::parse(&port.protocol);
        !protocol.is_http() && !protocol.is_tls()
    });
    if let Some(index) = opaque {
        let problem = Problem::conflict("several hosts can share a port of HTTP or TLS only");
        let ports = SPEC.field("ports");
        found.find(&ports.index(index).field("protocol"), problem.help("write one ServiceEntry per host"));
    }
}

/// A TCP port needs an address of its own: written, or allocated by the control plane (T-340).
fn allocation(found: &mut Checker<'_>, object: &Object<ServiceEntry>) {
    let entry = &object.spec;
    let opts_out = object.meta.labels.get(ALLOCATE).is_some_and(|value| value.eq_ignore_ascii_case("false"));
    if !entry.addresses.is_empty() || entry.resolution != Resolution::None && !opts_out {
        return;
    }
    let list = SPEC.field("ports");
    for (index, port) in entry.ports.iter().enumerate() {
        found.require(!["", "TCP"].contains(&port.protocol.as_str()), &list.index(index), || {
            Problem::suspicious("a TCP port without `addresses` takes the traffic of every address")
                .help("list the service's addresses, or declare the protocol")
        });
    }
}
