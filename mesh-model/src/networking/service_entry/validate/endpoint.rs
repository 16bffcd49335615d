//! Endpoints of a ServiceEntry.

use std::collections::BTreeSet;

use super::{Checker, Path, Problem, host, short};
use crate::check::Checked;
use crate::networking::service_entry::spec::ServiceEntry;
use crate::networking::workload_entry::spec::WorkloadEntry;
use crate::networking::workload_entry::validate as workload;

/// What the address of an endpoint can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    /// An IP address or a unix socket (STATIC).
    Fixed,
    /// An IP address or a host name (DNS).
    Named,
}

/// Checks all endpoints.
pub(super) fn endpoints(found: &mut Checker<'_>, entry: &ServiceEntry, kind: Address) {
    let list = super::SPEC.field("endpoints");
    found.at_most(&list, entry.endpoints.len(), 4096);
    let ports: BTreeSet<&str> = entry.ports.iter().map(|port| port.name.as_str()).collect();
    for (index, one) in entry.endpoints.iter().enumerate() {
        endpoint(found, &list.index(index), one, &ports, kind);
    }
}

fn endpoint(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    one: &WorkloadEntry,
    service_ports: &BTreeSet<&str>,
    kind: Address,
) {
    match kind {
        Address::Fixed => workload::address(found, at, one, fixed_address),
        // No socket here, and no endpoint without an address.
        Address::Named => found.check(&at.field("address"), workload::named_address(&one.address)),
    }
    workload::common(found, at, one);
    for name in one.ports.keys() {
        found.require(service_ports.contains(name.as_str()), &at.field("ports").field(name), || {
            Problem::invalid(format!("the service has no port `{}`", short(name)))
                .help("endpoints name the service's ports by `ports[].name`")
                .relative()
        });
    }
    let is_socket = kind == Address::Fixed && one.address.starts_with("unix://");
    found.require(!is_socket || service_ports.len() == 1, &at.field("address"), || {
        Problem::conflict("a unix socket serves exactly one port of the service")
            .help("give the service one port, or the endpoint an IP address")
    });
}

fn fixed_address(text: &str) -> Checked {
    if host::is_address(text) {
        return Ok(());
    }
    Err(Problem::invalid(format!("`{}` is not an IP address", short(text)))
        .help("host names go with resolution `DNS`"))
}
