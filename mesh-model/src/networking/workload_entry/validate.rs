//! What Istio refuses or warns about in a WorkloadEntry; endpoints of ServiceEntries share the checks.

use super::spec::WorkloadEntry;
use crate::check::{Checked, Checker, Path, Problem, host, label, port, short};
use crate::diagnostic::{Code, Report};
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<WorkloadEntry>, report: &mut Report) {
    let found = &mut Checker::new(object, report);
    address(found, &SPEC, &object.spec, named_address);
    common(found, &SPEC, &object.spec);
}

/// The address, unless it is on another network and unknown; `check` is for addresses that are no sockets.
pub(crate) fn address(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    entry: &WorkloadEntry,
    check: fn(&str) -> Checked,
) {
    let text = entry.address.as_str();
    if text.is_empty() {
        if entry.network.is_empty() {
            found.find(at, Problem::missing("`address` is required").help("add the address of the workload"));
        } else {
            let message = format!(
                "no `address`: it is reached through a gateway of network `{}`",
                short(&entry.network)
            );
            found.find(
                at,
                Problem::suspicious(message)
                    .help("add `address`, unless the workload is reached through a gateway only"),
            );
        }
        return;
    }
    let at_address = at.field("address");
    let Some(socket) = text.strip_prefix("unix://") else {
        found.check(&at_address, check(text));
        return;
    };
    found.check(&at_address, host::unix_address(socket));
    found.require(!socket.ends_with('/'), &at_address, || {
        Problem::invalid(format!("`{}` is a directory", short(text))).help("name the socket in it")
    });
    let at_ports = at.field("ports");
    // The rule of the schema asks whether the field is there, not whether it has entries.
    found.require(entry.ports.is_empty() && !found.is_written_empty(&at_ports), &at_ports, || {
        Problem::conflict("a unix socket has no ports").help("remove `ports`")
    });
}

/// An IP address or a host name.
pub(crate) fn named_address(text: &str) -> Checked {
    if host::is_address(text) {
        return Ok(());
    }
    host::fqdn(text).map_err(|_| {
        Problem::new(Code::InvalidHost, format!("`{}` is neither an IP address nor a host name", short(text)))
            .help("write the address without port and scheme")
    })
}

/// What every entry is checked for, wherever it stands.
pub(crate) fn common(found: &mut Checker<'_>, at: &Path<'_>, entry: &WorkloadEntry) {
    form(found, at, entry);
    label::labels(found, &at.field("labels"), &entry.labels);
}

/// Sizes and ports, which templates are checked for as well.
pub(crate) fn form(found: &mut Checker<'_>, at: &Path<'_>, entry: &WorkloadEntry) {
    let ports = at.field("ports");
    found.at_most(&ports, entry.ports.len(), 128);
    for (name, number) in &entry.ports {
        found.check(&ports.field(name), port::name(name));
        found.require(name.len() < 63, &ports.field(name), || {
            Problem::invalid("a port name of 63 bytes or more").help("shorten the name")
        });
        found.check(&ports.field(name), port::number(*number));
    }
    found.at_most(&at.field("labels"), entry.labels.len(), 256);
    found.no_longer_than(&at.field("address"), &entry.address, 256);
    found.no_longer_than(&at.field("locality"), &entry.locality, 2048);
    found.no_longer_than(&at.field("network"), &entry.network, 2048);
    found.no_longer_than(&at.field("serviceAccount"), &entry.service_account, 253);
}
