//! Which tables of a port listeners ask for: the shared one, and for each sniffed service at an address of its own one with
//! its virtual host alone (T-044).

use std::cmp::Ordering;
use std::sync::Arc;

use super::chain::TableName;
use super::drafts::Draft;
use super::earlier::{keep_host, keep_table};
use super::tables::{PortTables, Wanted};
use crate::route_table::{RouteTable, VirtualHost};

impl Wanted {
    /// Whether it is the table of one sniffed service.
    pub(super) fn is_of_service(&self) -> bool {
        matches!(self.name, TableName::Service(..))
    }
}

impl PortTables {
    /// The same tables, and those that listeners ask for now: nothing that they are made from is different.
    pub(super) fn wanted_as(mut self, wanted: Vec<Wanted>) -> Self {
        if *self.wanted != *wanted {
            let known = |it: &Wanted| self.tables.get(self.wanted.binary_search(it).ok()?).cloned();
            self.tables = wanted.iter().map(|it| known(it).unwrap_or_else(|| self.make(it, None))).collect();
            self.wanted = wanted.into();
        }
        self
    }

    /// The table of this name.
    pub(super) fn table(&self, name: &TableName) -> Option<&Arc<RouteTable>> {
        self.tables.get(self.wanted.binary_search_by(|it| it.name.cmp(name)).ok()?)
    }

    /// A table that is wanted; what is the same as in an earlier one stays.
    pub(super) fn make(&self, wanted: &Wanted, earlier: Option<&Arc<RouteTable>>) -> Arc<RouteTable> {
        let TableName::Service(host, port) = &wanted.name else { return Arc::clone(&self.all) };
        let hosts = if !self.is_served {
            vec![Arc::clone(&self.unknown)]
        } else if wanted.is_shared {
            // As the control plane generates it: the service's virtual host is given away once, and listeners that
            // share the table (pods of a headless service, T-307) are left with none.
            Vec::new()
        } else {
            self.of_service(host, *port)
        };
        let hosts = hosts.into_iter().map(|host| keep_host(earlier, host)).collect();
        keep_table(earlier, &wanted.name.to_text(), hosts, Vec::new())
    }

    /// Brings the tables up to date with the shared one, in which virtual hosts that have or had these domains are others.
    pub(super) fn follow(&mut self, touched: &[Arc<str>]) {
        let shared = self.wanted.iter().position(|it| !it.is_of_service());
        let own = touched.iter().flat_map(|domain| {
            let host = domain.rsplit_once(':').filter(|(_, port)| *port == self.port.to_string());
            let host = host.and_then(|(host, _)| self.place_of_service(host));
            host.into_iter().chain(self.place_of_service(domain))
        });
        let places: Vec<usize> = shared.into_iter().chain(own).collect();
        for place in places {
            let made = self.wanted.get(place).map(|wanted| self.make(wanted, self.tables.get(place)));
            if let Some((slot, made)) = self.tables.get_mut(place).zip(made) {
                *slot = made;
            }
        }
    }

    /// Where the table of a sniffed service stands.
    fn place_of_service(&self, host: &str) -> Option<usize> {
        let compare = |wanted: &Wanted| match &wanted.name {
            TableName::Port(_) => Ordering::Less,
            TableName::Service(other, port) => (**other).cmp(host).then(port.cmp(&self.port)),
            TableName::Unix(_) | TableName::HttpProxy => Ordering::Greater,
        };
        self.wanted.binary_search_by(compare).ok()
    }

    /// What one sniffed service's table holds: its virtual host alone, for every host that is asked for (T-044, T-487).
    fn of_service(&self, host: &str, port: u16) -> Vec<Arc<VirtualHost>> {
        let holder = |domain: &str| self.drafts.get(self.all.holder(domain)?);
        let plain = holder(host);
        let other = holder(&format!("{host}:{port}"));
        let other = other.filter(|other| plain.is_none_or(|plain| plain.host.name != other.host.name));
        match (plain, other) {
            (Some(only), None) | (None, Some(only)) => vec![only.answering(vec!["*".into()])],
            (plain, other) => {
                let both = plain.into_iter().chain(other);
                both.map(|draft: &Arc<Draft>| Arc::clone(&draft.host)).collect()
            }
        }
    }
}
