//! A gateway: listeners from Gateway servers, route tables from the VirtualServices bound to them (section A.3).
//! Servers are T-404 to T-413, hosts T-415 to T-423, bytes T-425 to T-428.
//!
//! `servers` reads what Gateways ask for, `merge` decides which servers share a port, `hosts` pairs their hosts with
//! those of VirtualServices, `http` makes route tables, `tcp` and `passthrough` chains over bytes, `tls` what is
//! terminated, and `listeners` puts the chains of one address and port together.

mod hosts;
mod http;
mod listeners;
mod merge;
mod passthrough;
mod servers;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

use mesh_model::diagnostic::Report;
use mesh_model::part::ServerTlsMode;

use super::Fragment;
use super::policies::Policies;
use crate::view::View;

/// Listeners and route tables of a gateway.
pub fn compile(view: &View<'_>) -> (Fragment, Report) {
    let mut problems = Report::new();
    let policies = Policies::compile(view, &mut problems);
    let (fragment, mut report) = compile_with(view, &policies);
    report.merge(problems);
    (fragment, report)
}

/// The same with policies that were compiled before.
pub fn compile_with(view: &View<'_>, policies: &Policies) -> (Fragment, Report) {
    let mut report = Report::new();
    let servers = servers::of(view, &mut report);
    let merged = merge::merge(&servers, &mut report);
    let listeners = listeners::build(view, &merged, policies, &mut report);
    let tables = http::tables(view, &merged, &listeners, &mut report);
    (Fragment { listeners, route_tables: tables }, report)
}

/// Whether a gateway forwards by server name alone, so that it has clusters for that (T-427).
pub fn forwards_by_name(view: &View<'_>) -> bool {
    let mut servers = view.gateways().into_iter().flat_map(|gateway| &gateway.spec.servers);
    if !servers
        .any(|server| server.tls.as_ref().is_some_and(|tls| tls.mode == ServerTlsMode::AutoPassthrough))
    {
        return false;
    }
    // What is wrong with them is told where their listeners are made.
    let mut told_elsewhere = Report::new();
    let servers = servers::of(view, &mut told_elsewhere);
    merge::merge(&servers, &mut told_elsewhere).forwards_by_name
}
