//! Route tables of a class brought up to date: what a change is about is put in its place, or a port is planned anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::Report;

use super::units::{Remembering, UnitKey};
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy::outbound::{self, Exchanged, Listening, PortTables, Rewritten};
use crate::registry::HostKey;
use crate::registry::service::Service;
use crate::view::View;

/// What is to be done to the tables of a class.
#[derive(Debug)]
pub(super) struct TableWork<'w> {
    /// All of them are to be planned anew.
    pub(super) everything: bool,
    /// Listeners ask for other tables than those that are there.
    pub(super) asks_for_others: bool,
    /// Hosts of services that this proxy knows by other names.
    pub(super) renamed: &'w [Arc<str>],
    /// Services whose default routes are to be made again.
    pub(super) defaults: &'w BTreeSet<Arc<str>>,
    /// Services that are other versions of what they were.
    pub(super) services: &'w BTreeMap<Arc<str>, Arc<Service>>,
    /// What came, went, or has another shape.
    pub(super) exchanged: &'w Exchanged,
    /// VirtualServices that are other versions of what they were, or whose routes are to be made again.
    pub(super) rewritten: &'w BTreeMap<HostKey, Arc<MergedVirtualService>>,
}

impl TableWork<'_> {
    pub(super) fn refresh(
        &self,
        view: &View<'_>,
        listening: &Listening,
        tables: &mut Vec<PortTables>,
        cache: &mut Remembering<'_>,
    ) {
        let mut report = Report::new();
        let is_renamed = !self.everything && !self.renamed.is_empty();
        let renamed = if is_renamed { outbound::rename(view, tables, self.renamed) } else { Vec::new() };
        let renamed = renamed.into_iter().chain(std::iter::repeat(Rewritten::Untouched));
        for (table, renamed) in tables.iter_mut().zip(renamed) {
            if self.everything
                || self.take_in(view, table, renamed, cache, &mut report) == Rewritten::PlanAnew
            {
                table.make_stale();
            }
        }
        if self.asks_for_others || tables.iter().any(PortTables::is_stale) {
            let earlier = std::mem::take(tables);
            *tables = outbound::tables(view, listening, earlier, cache, &mut report);
        }
        self.forget_gone(view, tables, cache);
    }

    /// Forgets the routes of what is gone.
    fn forget_gone(&self, view: &View<'_>, tables: &[PortTables], cache: &mut Remembering<'_>) {
        let scope = view.scope();
        let names = self.exchanged.virtual_services.iter().filter(|name| !scope.has_virtual_service(name));
        let hosts = self.exchanged.services.iter().filter(|host| scope.service(host).is_none());
        let places = || tables.iter().map(PortTables::place);
        let of_names = names.flat_map(|(namespace, name)| {
            places().map(move |(port, bind)| {
                UnitKey::Routes(port, Arc::clone(bind), Arc::clone(namespace), Arc::clone(name))
            })
        });
        let of_hosts = hosts.flat_map(|host| {
            places().map(move |(port, bind)| {
                UnitKey::DefaultRoute(port, Arc::clone(bind), Arc::clone(host), port)
            })
        });
        for unit in of_names.chain(of_hosts) {
            cache.routes.forget(&unit);
            cache.questions.forget(&unit);
        }
    }

    /// Takes everything but other names, of which `outcome` says what they came to, into the tables of one port.
    fn take_in(
        &self,
        view: &View<'_>,
        table: &mut PortTables,
        mut outcome: Rewritten,
        cache: &mut Remembering<'_>,
        report: &mut Report,
    ) -> Rewritten {
        if !self.exchanged.is_empty() {
            outcome = outcome.then(|| outbound::exchange(view, table, self.exchanged, cache, report));
        }
        for host in self.defaults {
            outcome = outcome.then(|| outbound::rewrite_defaults(view, table, host, cache, report));
        }
        for service in self.services.values() {
            outcome = outcome.then(|| outbound::rewrite_service(view, table, service, cache, report));
        }
        for virtual_service in self.rewritten.values() {
            outcome = outcome.then(|| outbound::rewrite(view, table, virtual_service, cache, report));
        }
        outcome
    }
}
