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
