//! The client side of a sidecar: outbound listeners, their filter chains, and the route tables they use.
//!
//! `entries` collects what services and Sidecar listeners ask for, one entry an address and port; `conflicts` settles what
//! shares one; `tcp_chains`, `tls_chains` and `tcp_proxy` make chains; `listeners` turns entries into listeners; `unknown`
//! is what becomes of everything else; `tables`, `owners` and `domains` make the route tables.

mod chain;
mod client;
mod conflicts;
mod domains;
mod entries;
mod listeners;
mod owners;
mod tables;
mod tcp_chains;
mod tcp_proxy;
#[cfg(test)]
mod tests;
mod tls_chains;
mod unknown;

use std::collections::BTreeSet;

use mesh_model::diagnostic::{Diagnostic, Report};

use super::Fragment;
use crate::view::View;
use client::Client;

/// Outbound listeners and route tables of a sidecar.
pub fn compile(view: &View<'_>) -> (Fragment, Report) {
    let client = Client::of(view);
    let mut report = Report::new();
    let entries = entries::collect(&client, &mut report);
    let mut names: Vec<_> = entries.values().flat_map(conflicts::Entry::tables).cloned().collect();
    let mut listeners: Vec<_> =
        entries.into_values().flat_map(|entry| listeners::build(&client, entry)).collect();
    if let Some((listener, table)) = listeners::explicit_proxy(&client) {
        listeners.push(listener);
        names.push(table);
    }
    listeners.sort_by_key(|listener| (listener.address, listener.port));
    let mut route_tables = tables::build(&client, &names, &mut report);
    if client.captures {
        let (virtual_listeners, table) = unknown::virtual_listeners(&client);
        listeners.extend(virtual_listeners);
        route_tables.extend(table);
    }
    (Fragment { listeners, route_tables }, without_repeats(report))
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
