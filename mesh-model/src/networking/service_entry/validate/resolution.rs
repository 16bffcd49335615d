//! What each way to find endpoints asks for (T-321).

use super::endpoint::{Address, endpoints};
use super::{Checker, Code, Problem, SPEC, host, short};
use crate::name::{Protocol, is_wildcard};
use crate::networking::service_entry::spec::{Location, Resolution, ServiceEntry};
use crate::object::Object;

/// The label that puts a waypoint in front of a service.
const USE_WAYPOINT: &str = "istio.io/use-waypoint";

/// Checks what depends on `resolution`.
pub(super) fn resolution(found: &mut Checker<'_>, object: &Object<ServiceEntry>) {
    let entry = &object.spec;
    match entry.resolution {
        Resolution::None => {
            let at = SPEC.field("endpoints");
            let is_written = !entry.endpoints.is_empty() || found.is_written_empty(&at);
            found.require(!is_written, &at, || {
                Problem::conflict("resolution `NONE` has no endpoints")
                    .help("use resolution `STATIC` or `DNS`")
            });
            if entry.workload_selector.is_some() {
                let problem = Problem::new(Code::NoEffect, "resolution `NONE` looks at no workloads");
                found.find(&SPEC.field("workloadSelector"), problem.help("use resolution `STATIC`"));
            }
        }
        Resolution::Static => endpoints(found, entry, Address::Fixed),
        Resolution::Dns | Resolution::DnsRoundRobin => dns(found, entry),
        Resolution::DynamicDns => dynamic_dns(found, object),
    }
}

fn dns(found: &mut Checker<'_>, entry: &ServiceEntry) {
    if entry.endpoints.is_empty() {
        let wrong = entry.hosts.iter().position(|name| host::fqdn(name).is_err());
        if let Some(index) = wrong {
            let message =
                format!("without endpoints, resolution `{}` looks up the hosts", entry.resolution.as_str());
            let problem = Problem::new(Code::InvalidHost, message).relative();
            found.find(
                &SPEC.field("hosts").index(index),
                problem.help("write a full name, or list `endpoints`"),
            );
        }
    }
    found.require(
        entry.resolution == Resolution::Dns || entry.endpoints.len() <= 1,
        &SPEC.field("endpoints"),
        || {
            Problem::conflict("resolution `DNS_ROUND_ROBIN` takes one endpoint at most")
                .help("use resolution `DNS`, or keep one endpoint")
        },
    );
    endpoints(found, entry, Address::Named);
    let is_tcp = entry.ports.iter().any(|port| Protocol::parse(&port.protocol).is_tcp());
    found.require(
        entry.addresses.is_empty() || entry.hosts.len() < 2 || !is_tcp,
        &SPEC.field("hosts"),
        || {
            Problem::suspicious("several hosts share the addresses of a TCP port")
                .help("give each host an entry of its own, with addresses of its own")
        },
    );
}

fn dynamic_dns(found: &mut Checker<'_>, object: &Object<ServiceEntry>) {
    let entry = &object.spec;
    for (index, name) in entry.hosts.iter().enumerate() {
        found.require(is_wildcard(name), &SPEC.field("hosts").index(index), || {
            let message =
                format!("`{}` is not a wildcard, which resolution `DYNAMIC_DNS` needs", short(name));
            Problem::new(Code::InvalidHost, message).help("use resolution `DNS` for single hosts").relative()
        });
    }
    for (name, is_empty) in
        [("addresses", entry.addresses.is_empty()), ("endpoints", entry.endpoints.is_empty())]
    {
        found.require(is_empty, &SPEC.field(name), || {
            Problem::conflict(format!("resolution `DYNAMIC_DNS` takes no `{name}`"))
                .help(format!("remove `{name}`: the host of each request is looked up"))
        });
    }
    for (index, port) in entry.ports.iter().enumerate() {
        let protocol = Protocol::parse(&port.protocol);
        let fits = matches!(protocol, Protocol::Http | Protocol::Tls | Protocol::Grpc | Protocol::Http2);
        found.require(fits, &SPEC.field("ports").index(index).field("protocol"), || {
            Problem::conflict(format!("resolution `DYNAMIC_DNS` cannot serve `{}`", short(&port.protocol)))
                .help("one of `HTTP`, `HTTP2`, `GRPC`, `TLS`")
        });
    }
    let waypoint = object.meta.labels.get(USE_WAYPOINT).filter(|name| !name.is_empty());
    let uses_waypoint = waypoint.is_some_and(|name| !name.eq_ignore_ascii_case("none"));
    found.require(
        entry.location != Location::MeshInternal || !uses_waypoint,
        &SPEC.field("location"),
        || {
            Problem::conflict("a waypoint cannot serve `MESH_INTERNAL` with resolution `DYNAMIC_DNS`")
                .help("use location `MESH_EXTERNAL`")
        },
    );
}
