//! The client side of a sidecar: outbound listeners, their filter chains, and the route tables they use.
//! Which listeners there are is T-200, which tables T-044.
//!
//! `entries` collects what services and Sidecar listeners ask for, one entry an address and port; `conflicts` settles what
//! shares one; `tcp_chains`, `tls_chains` and `tcp_proxy` make chains; `listeners` turns entries into listeners, `listening` keeps them by address and port; `unknown`
//! is what becomes of everything else; `tables`, `sniffed`, `owners`, `drafts` and `domains` make the route tables, `rename` makes
//! them another proxy's, `rewrite` takes in other routes, `exchange` what comes and goes, `cache` knows what was made before.

mod cache;
mod chain;
mod client;
mod conflicts;
mod domains;
mod drafts;
mod earlier;
mod entries;
mod exchange;
mod listeners;
mod listening;
mod owners;
mod rename;
mod rewrite;
mod sniffed;
mod tables;
mod tcp_chains;
mod tcp_proxy;
#[cfg(test)]
mod tests;
mod tls_chains;
mod unknown;

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::{Diagnostic, Report};

use super::Fragment;
use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::service::Service;
use crate::view::View;
pub use cache::{Anew, RouteCache, RouteKey, RouteOwner};
use client::Client;
use domains::Known;
pub use exchange::Exchanged;
pub use listening::{Listening, Refreshed, ServiceByService, listen};
pub use rewrite::Rewritten;
pub use tables::PortTables;

/// Outbound listeners and route tables of a sidecar.
pub fn compile(view: &View<'_>) -> (Fragment, Report) {
    let (listening, mut report) = listen(view, &[], &mut ());
    let tables = tables(view, &listening, Vec::new(), &mut Anew, &mut report);
    let mut route_tables: Vec<_> = tables.iter().flat_map(|tables| tables.tables().to_vec()).collect();
    let (listeners, unknown) = listening.into_parts();
    route_tables.extend(unknown);
    (Fragment { listeners, route_tables }, without_repeats(report))
}

/// The tables that listeners ask for, by port. `earlier` is what an earlier revision had.
pub fn tables(
    view: &View<'_>,
    listening: &Listening,
    earlier: Vec<PortTables>,
    cache: &mut dyn RouteCache,
    report: &mut Report,
) -> Vec<PortTables> {
    tables::build(&Client::of(view), &listening.names, earlier, cache, report)
}

/// Takes another version of a VirtualService into the tables of a port.
pub fn rewrite(
    view: &View<'_>,
    tables: &mut PortTables,
    virtual_service: &Arc<MergedVirtualService>,
    cache: &mut dyn RouteCache,
    report: &mut Report,
) -> Rewritten {
    tables.rewrite(view, virtual_service, cache, report)
}

/// Takes another version of a service into the tables of a port: one with the same ports, addresses and names.
pub fn rewrite_service(
    view: &View<'_>,
    tables: &mut PortTables,
    service: &Arc<Service>,
    cache: &mut dyn RouteCache,
    report: &mut Report,
) -> Rewritten {
    tables.rewrite_service(view, service, cache, report)
}

/// Makes the default routes of a service in the tables of a port again.
pub fn rewrite_defaults(
    view: &View<'_>,
    tables: &mut PortTables,
    hostname: &str,
    cache: &mut dyn RouteCache,
    report: &mut Report,
) -> Rewritten {
    tables.rewrite_defaults(view, hostname, cache, report)
}

/// Takes services and VirtualServices that came, went, or have another shape into the tables of a port.
pub fn exchange(
    view: &View<'_>,
    tables: &mut PortTables,
    exchanged: &Exchanged,
    cache: &mut dyn RouteCache,
    report: &mut Report,
) -> Rewritten {
    tables.exchange(view, exchanged, cache, report)
}

/// Makes the tables of all ports, which were another proxy's, those of one that knows these services by other names; what
/// each of them came to.
pub fn rename(view: &View<'_>, tables: &mut [PortTables], hostnames: &[Arc<str>]) -> Vec<Rewritten> {
    // Most services have a virtual host in several tables, with the same names.
    let mut known = Known::default();
    tables.iter_mut().map(|tables| tables.rename(view, hostnames, &mut known)).collect()
}

/// A VirtualService is compiled once a table: what it says about itself is said once.
fn without_repeats(report: Report) -> Report {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut once = Report::new();
    for diagnostic in report {
        if seen.insert(Diagnostic::to_string(&diagnostic)) {
            once.push(diagnostic);
        }
    }
    once
}
