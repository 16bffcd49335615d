//! Outbound listeners by address and port, so that services that come, go or change have only their own made again.
//!
//! What is at one place depends on who asks for it, in the order of the scope, and on nothing else of the mesh but the
//! answers that these were given. [`listen`] makes all of them and is what [`Listening::refresh`] comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mesh_model::diagnostic::Report;
use smallvec::SmallVec;

use super::chain::TableName;
use super::client::Client;
use super::conflicts::{Entry, Key};
use super::{entries, listeners, unknown};
use crate::proxy::listener::Listener;
use crate::registry::service::Service;
use crate::route_table::RouteTable;
use crate::view::View;

/// Hears for which service questions are asked. Ours: each service's listeners have questions of their own.
pub trait ServiceByService {
    /// Questions of one service follow.
    fn begin(&mut self);
    /// They were this service's; `None`: nobody's.
    fn end(&mut self, service: Option<&Arc<Service>>);
}

/// Nobody listens.
impl ServiceByService for () {
    fn begin(&mut self) {}
    fn end(&mut self, _: Option<&Arc<Service>>) {}
}

/// Outbound listeners with the tables they ask for (T-109, T-200).
#[derive(Debug, Clone, Default)]
pub struct Listening {
    /// The listeners: by address and port, then those for everything else.
    pub listeners: Vec<Arc<Listener>>,
    /// The table of hosts that nobody knows, where there is one of its own.
    pub unknown: Option<Arc<RouteTable>>,
    pub(super) names: Vec<TableName>,
    places: BTreeMap<Key, Place>,
    /// Places that the ports of a service asked for, but for those where they add nothing.
    of_hosts: HashMap<Arc<str>, SmallVec<[Key; 1]>, RandomState>,
    explicit_proxy: Option<(Arc<Listener>, TableName)>,
    /// For what no other listener takes.
    virtual_ones: Vec<Arc<Listener>>,
}

/// What listens at an address and port.
#[derive(Debug, Clone)]
struct Place {
    /// Hostnames of the services that it was made for.
    askers: SmallVec<[Arc<str>; 1]>,
    tables: SmallVec<[TableName; 1]>,
    listeners: SmallVec<[Arc<Listener>; 1]>,
    /// Whether nobody else asked, and nothing was told of it.
    is_whole: bool,
}

/// What another state of some services did to the listeners.
/// Ours: most changes ask for no other tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// They are up to date, and ask for the same tables.
    Done,
    /// They are up to date, and ask for other tables.
    OtherTables,
    /// All of them must be made anew.
    Anew,
}

impl Place {
    fn build(client: &Client<'_, '_>, mut entry: Entry, keep: &dyn Fn(Listener) -> Arc<Listener>) -> Self {
        let (askers, is_whole) = (std::mem::take(&mut entry.askers), entry.is_whole);
        let tables = entry.tables().cloned().collect();
        let listeners = listeners::build(client, entry).into_iter().map(keep).collect();
        Self { askers, tables, listeners, is_whole }
    }
}

/// The listeners of a sidecar's client side (T-200). Those that are the same as `earlier` ones are these in memory.
pub fn listen(
    view: &View<'_>,
    earlier: &[Arc<Listener>],
    listens: &mut dyn ServiceByService,
) -> (Listening, Report) {
    let client = Client::of(view);
    let mut report = Report::new();
    let mut by_name: HashMap<&str, &Arc<Listener>, RandomState> = HashMap::default();
    for listener in earlier {
        by_name.entry(&listener.name).or_insert(listener);
    }
    let keep = |listener: Listener| {
        let same = by_name.get(&*listener.name).filter(|it| it.is_same_as(&listener));
        same.map_or_else(|| Arc::new(listener), |it| Arc::clone(it))
    };
    let entries = entries::collect(&client, listens, &mut report);
    let mut listening = Listening::default();
    for (key, entry) in entries {
        listening.enter(key, Place::build(&client, entry, &keep));
    }
    listening.explicit_proxy =
        listeners::explicit_proxy(&client).map(|(listener, table)| (keep(listener), table));
    if client.captures {
        let (virtual_ones, table) = unknown::virtual_listeners(&client);
        listening.virtual_ones = virtual_ones.into_iter().map(&keep).collect();
        listening.unknown = table.map(Arc::new);
    }
    listening.arrange();
    listening.name_tables();
    (listening, report)
}

impl Listening {
    /// The listeners in order, and the table of hosts that nobody knows.
    pub(super) fn into_parts(self) -> (Vec<Listener>, Option<Arc<RouteTable>>) {
        let Self { listeners, unknown, places, explicit_proxy, virtual_ones, .. } = self;
        // What is held once is not copied.
        drop((places, explicit_proxy, virtual_ones));
        (listeners.into_iter().map(Arc::unwrap_or_clone).collect(), unknown)
    }

    /// Whether the listeners of both ask for the same tables.
    pub fn asks_for_same_tables(&self, other: &Self) -> bool {
        self.names == other.names
    }

    /// Hostnames of services that have listeners of their own, or share one that they were first to ask for.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.of_hosts.keys()
    }

    /// Whether the service of a hostname has part in a listener that would be another without it.
    pub fn has_part(&self, hostname: &str) -> bool {
        self.of_hosts.contains_key(hostname)
    }

    /// Makes the listeners of services of these hostnames again, which came, went or changed, and those of who shares an
    /// address and port with them.
    pub fn refresh(
        &mut self,
        view: &View<'_>,
        hosts: &BTreeSet<Arc<str>>,
        listens: &mut dyn ServiceByService,
    ) -> Refreshed {
        let [egress] = view.scope().egress.as_slice() else { return Refreshed::Anew };
        if !egress.has_plain_services() {
            return Refreshed::Anew;
        }
        let client = Client::of(view);
        let find = |host: &Arc<str>| view.scope().place_of(host).map(|(place, _)| place);
        let mut services: BTreeSet<usize> = hosts.iter().filter_map(find).collect();
        let mut affected: BTreeSet<Key> =
            hosts.iter().filter_map(|host| self.of_hosts.get(host)).flatten().cloned().collect();
        for place in &services {
            let Some(service) = egress.services.get(*place) else { continue };
            listens.begin();
            let one = entries::of_services(&client, egress, &[service], None, &mut (), &mut Report::new());
            listens.end(None);
            for key in one.into_keys() {
                if !entries::adds_nothing_at(egress, *place, key.1) {
                    affected.insert(key);
                    continue;
                }
                // Whoever is first there now is not alone any more.
                match self.places.get_mut(&key) {
                    Some(shared) => shared.is_whole = false,
                    None => return Refreshed::Anew,
                }
            }
        }
        for place in affected.iter().filter_map(|key| self.places.get(key)) {
            if !place.is_whole {
                return Refreshed::Anew;
            }
            services.extend(place.askers.iter().filter_map(find));
        }
        let services: Vec<&Arc<Service>> =
            services.into_iter().filter_map(|place| egress.services.get(place)).collect();
        let mut report = Report::new();
        let mut entries =
            entries::of_services(&client, egress, &services, Some(&affected), listens, &mut report);
        if !report.is_empty() {
            return Refreshed::Anew;
        }
        for host in hosts {
            self.of_hosts.remove(host);
        }
        let (mut asks_for_others, mut is_arranged) = (false, true);
        for key in affected {
            let old = self.places.remove(&key);
            let old_listeners = old.as_ref().map_or(&[][..], |old| old.listeners.as_slice());
            let keep = |listener: Listener| {
                let same =
                    old_listeners.iter().find(|it| it.name == listener.name && it.is_same_as(&listener));
                same.map_or_else(|| Arc::new(listener), Arc::clone)
            };
            let new = entries.remove(&key).map(|entry| Place::build(&client, entry, &keep));
            let tables = |place: Option<&Place>| place.map(|it| it.tables.clone()).unwrap_or_default();
            asks_for_others |= tables(old.as_ref()) != tables(new.as_ref());
            let new_listeners = new.as_ref().map_or(&[][..], |new| new.listeners.as_slice());
            if old_listeners.len() != new_listeners.len()
                || !old_listeners.iter().zip(new_listeners).all(|(a, b)| Arc::ptr_eq(a, b))
            {
                old_listeners.iter().for_each(|listener| is_arranged &= self.take_out(listener));
                new_listeners.iter().for_each(|listener| is_arranged &= self.put_in(listener));
            }
            if let Some(new) = new {
                self.enter(key, new);
            }
        }
        if !is_arranged {
            self.arrange();
        }
        if asks_for_others {
            self.name_tables();
            return Refreshed::OtherTables;
        }
        Refreshed::Done
    }

    fn enter(&mut self, key: Key, place: Place) {
        for host in &place.askers {
            let keys = self.of_hosts.entry(Arc::clone(host)).or_default();
            if !keys.contains(&key) {
                keys.push(key.clone());
            }
        }
        self.places.insert(key, place);
    }

    /// All listeners in order.
    fn arrange(&mut self) {
        let explicit = self.explicit_proxy.iter().map(|(listener, _)| listener);
        let all = self.places.values().flat_map(|place| &place.listeners).chain(explicit);
        self.listeners = all.cloned().collect();
        self.listeners.sort_by_key(place_of);
        self.listeners.extend(self.virtual_ones.iter().cloned());
    }

    fn name_tables(&mut self) {
        let explicit = self.explicit_proxy.iter().map(|(_, table)| table);
        self.names = self.places.values().flat_map(|place| &place.tables).chain(explicit).cloned().collect();
    }

    /// Where listeners of an address and port stand among those in order.
    fn range_of(&self, listener: &Arc<Listener>) -> std::ops::Range<usize> {
        let in_order = self.listeners.len().saturating_sub(self.virtual_ones.len());
        let in_order = self.listeners.get(..in_order).unwrap_or_default();
        let wanted = place_of(listener);
        let start = in_order.partition_point(|it| place_of(it) < wanted);
        let count = in_order.iter().skip(start).take_while(|it| place_of(it) == wanted).count();
        start..start + count
    }

    /// Takes a listener out of those in order. `false`: it is not there.
    fn take_out(&mut self, listener: &Arc<Listener>) -> bool {
        let range = self.range_of(listener);
        let mut near = self.listeners.iter().enumerate().skip(range.start).take(range.len());
        let Some((place, _)) = near.find(|(_, it)| Arc::ptr_eq(it, listener)) else { return false };
        self.listeners.remove(place);
        true
    }

    /// Puts a listener in. `false`: another one has its address and port, so that it is not clear which is first.
    fn put_in(&mut self, listener: &Arc<Listener>) -> bool {
        let range = self.range_of(listener);
        let is_free = range.is_empty();
        self.listeners.insert(range.start, Arc::clone(listener));
        is_free
    }
}

fn place_of(listener: &Arc<Listener>) -> (IpAddr, u16) {
    (listener.address, listener.port)
}
