//! Egress listeners (T-372, T-375).

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, Code, Path, Problem, common_port, host, port, short, unique_port};
use crate::networking::sidecar::spec::{CaptureMode, IstioEgressListener, SidecarPort};

/// Checks the list at `at`.
pub(super) fn egress(found: &mut Checker<'_>, at: &Path<'_>, listeners: &[IstioEgressListener]) {
    let mut ports = BTreeSet::new();
    let mut sockets = BTreeSet::new();
    for (index, listener) in listeners.iter().enumerate() {
        let at = at.index(index);
        match &listener.port {
            None => found.require(index + 1 == listeners.len(), &at, || {
                Problem::conflict("a listener without `port` must be the last one, and the only one")
                    .help("move it to the end, or give it a `port`")
            }),
            Some(port) if port.number == 0 => {
                socket_port(found, &at, listener, port);
                found.require(sockets.insert(&listener.bind), &at.field("bind"), || {
                    Problem::conflict(format!("another listener is bound to `{}` too", short(&listener.bind)))
                        .help("join the two, or bind one of them elsewhere")
                });
            }
            Some(port) => {
                numbered_port(found, &at, listener, port);
                unique_port(found, &at, &mut ports, port);
            }
        }
        hosts(found, &at, &listener.hosts);
    }
}

fn numbered_port(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    listener: &IstioEgressListener,
    written: &SidecarPort,
) {
    common_port(found, &at.field("port"), written);
    found.check(&at.field("port").field("number"), port::number(written.number));
    if !listener.bind.is_empty() {
        found.check(&at.field("bind"), host::address(&listener.bind));
    }
}

/// Port 0 stands for a unix socket.
fn socket_port(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    listener: &IstioEgressListener,
    written: &SidecarPort,
) {
    common_port(found, &at.field("port"), written);
    let checked = match listener.bind.strip_prefix("unix://") {
        Some(path) => host::unix_address(path),
        None => Err(Problem::invalid("port 0 needs a unix socket to bind to")
            .help("write the port's `number`")
            .relative()),
    };
    found.check(&at.field("bind"), checked);
    found.require(listener.capture_mode != CaptureMode::Iptables, &at.field("captureMode"), || {
        Problem::conflict("traffic to a unix socket cannot be redirected").help("use `DEFAULT` or `NONE`")
    });
}

fn hosts(found: &mut Checker<'_>, at: &Path<'_>, hosts: &[String]) {
    found.require(!hosts.is_empty(), at, || {
        Problem::missing("an egress listener needs `hosts`").help("`*/*` is everything that is exported")
    });
    let at = at.field("hosts");
    found.each(&at, hosts, host::egress_host);
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (index, entry) in hosts.iter().enumerate() {
        let Some((namespace, name)) = entry.split_once('/') else { continue };
        if namespace.starts_with('~') {
            continue;
        }
        let namespace = if namespace == "." { found.namespace() } else { namespace };
        let names = seen.entry(namespace).or_default();
        let is_covered = names.contains(name) || names.contains("*") || name == "*" && !names.is_empty();
        if is_covered {
            let problem =
                Problem::new(Code::NoEffect, format!("`{}` overlaps an earlier host", short(entry)))
                    .help("remove one of the two");
            found.find(&at.index(index), problem);
        }
        names.insert(name);
    }
    let has_all = seen.get("*").is_some_and(|names| names.contains("*"));
    if has_all && seen.len() > 1 {
        let problem = Problem::new(Code::NoEffect, "`*/*` selects everything already");
        found.find(&at, problem.help("remove the other hosts, or `*/*`"));
    }
}
