//! A scope of which one service or one VirtualService comes, goes, or takes another shape.
//!
//! Services and VirtualServices stand in a scope in the order of the mesh, so that one is put in or taken out at its place.
//! That is done where nothing else can depend on it: one egress listener for all ports, a hostname that one namespace has,
//! no wildcard that covers it. Anything else is for [`Scope::of`], which is the oracle.

use std::cmp::Ordering;
use std::sync::Arc;

use mesh_model::name::{host_matches, is_wildcard};

use super::egress::EgressScope;
use super::imports::{count, destinations};
use super::scope::Scope;
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};
use crate::registry::order;
use crate::registry::service::{Resolution, Service};
use crate::snapshot::MeshSnapshot;
use crate::visibility::class_of;

/// Where one element of a list stood, and where one is to stand once that is gone.
#[derive(Debug, Clone, Copy)]
struct Places {
    old: Option<usize>,
    new: Option<usize>,
}

impl Places {
    /// Whether nothing is and nothing comes.
    fn is_nowhere(self) -> bool {
        self.old.is_none() && self.new.is_none()
    }

    fn exchange<T>(self, list: &mut Vec<Arc<T>>, new: Option<&Arc<T>>) {
        if let Some(old) = self.old.filter(|old| *old < list.len()) {
            list.remove(old);
        }
        if let (Some(place), Some(new)) = (self.new.filter(|place| *place <= list.len()), new) {
            list.insert(place, Arc::clone(new));
        }
    }

    /// Where another element stands afterwards.
    fn moved(self, place: usize) -> usize {
        let without = place - usize::from(self.old.is_some_and(|old| old < place));
        without + usize::from(self.new.is_some_and(|new| new <= without))
    }

    /// Moves the positions of other elements.
    fn move_all<'p>(self, positions: impl Iterator<Item = &'p mut usize>) {
        if self.old != self.new {
            positions.for_each(|place| *place = self.moved(*place));
        }
    }
}

/// The place of a new element in a list in order without the element at `gone`; `compare` says how others stand to it.
/// `None`: another one has the same rank.
fn place_in<T>(list: &[Arc<T>], gone: Option<usize>, compare: impl Fn(&T) -> Ordering) -> Option<usize> {
    let place = list.partition_point(|it| compare(it).is_lt());
    let is_alike = |at: usize| gone != Some(at) && list.get(at).is_some_and(|it| compare(it).is_eq());
    let is_contended = is_alike(place) || (gone == Some(place) && is_alike(place + 1));
    (!is_contended).then(|| place - usize::from(gone.is_some_and(|gone| gone < place)))
}

impl EgressScope {
    /// Where a service stands and where another version of it is to stand; `None`: that cannot be told one by one.
    fn places_of_service(
        &self,
        snapshot: &MeshSnapshot,
        namespace: &str,
        old: Option<&Arc<Service>>,
        new: Option<&Arc<Service>>,
    ) -> Option<Places> {
        let index = &snapshot.service_index;
        let is_simple = |service: &Service| {
            service.aliases.is_empty()
                && service.resolution != Resolution::Alias
                && !is_wildcard(&service.hostname)
                && !service.hostname.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b':')
        };
        if !self.is_plain || !old.into_iter().chain(new).all(|service| is_simple(service)) {
            return None;
        }
        let rank = |service: &Service| index.part_of(service, namespace);
        let compare = |it: &Service, with: &Service| (rank(it), order(it)).cmp(&(rank(with), order(with)));
        let old_place = old.and_then(|old| {
            let place = self.services.partition_point(|it| compare(it, old).is_lt());
            self.services.get(place).filter(|it| Arc::ptr_eq(it, old)).map(|_| place)
        });
        let taken =
            new.filter(|new| rank(new).is_some() && self.takes_service(&new.hostname, &new.namespace));
        let new_place = match taken {
            None => None,
            Some(new) => Some(place_in(&self.services, old_place, |it| compare(it, new))?),
        };
        Some(Places { old: old_place, new: new_place })
    }

    /// Whether a VirtualService with a wildcard among its hosts covers a host: whose routes it then has is not told by
    /// the host alone (T-106).
    fn is_covered(&self, snapshot: &MeshSnapshot, host: &str) -> bool {
        snapshot.virtual_service_index.with_wildcards().iter().any(|it| {
            self.position(it).is_some()
                && it.spec.hosts.iter().any(|wildcard| is_wildcard(wildcard) && host_matches(wildcard, host))
        })
    }

    /// Finds again which VirtualService has a service of this host, which no wildcard covers.
    fn find_owner(&mut self, snapshot: &MeshSnapshot, host: &str) {
        let all = snapshot.virtual_service_index.with_host(host).iter();
        let first = all.filter_map(|it| self.position(it)).min();
        let owners = Arc::make_mut(&mut self.most_specific);
        match first {
            Some(first) => owners.insert(host.into(), first),
            None => owners.remove(host),
        };
    }
}

impl Scope {
    /// Puts one service of a hostname, or none, in the place of one, or none; no other namespace has it. `false`, and
    /// nothing is done: the scope is to be worked out anew.
    pub(crate) fn exchange_service(
        &mut self,
        snapshot: &MeshSnapshot,
        namespace: &str,
        old: Option<&Arc<Service>>,
        new: Option<&Arc<Service>>,
    ) -> bool {
        let Some(host) = new.or(old).map(|it| Arc::clone(&it.hostname)) else { return false };
        let [egress] = self.egress.as_mut_slice() else { return false };
        let Some(places) = egress.places_of_service(snapshot, namespace, old, new) else { return false };
        let before = self.by_hostname.get(&host).copied();
        // A single listener's services come first in the scope, each in its place there. What routes alone lead to is
        // for the long road, and what the listener has in another form.
        let stands_as_written = before == places.old
            && before.is_none_or(|at| {
                self.services.get(at).zip(old).is_some_and(|(own, old)| Arc::ptr_eq(own, old) || own == old)
            });
        let is_led_to = new.is_some() && places.new.is_none() && self.destinations.contains_key(&host);
        if !stands_as_written || is_led_to || egress.is_covered(snapshot, &host) {
            return false;
        }
        if places.is_nowhere() {
            return true;
        }
        places.exchange(&mut egress.services, new);
        places.exchange(&mut self.services, new);
        let positions = Arc::make_mut(&mut self.by_hostname);
        positions.remove(&host);
        places.move_all(positions.values_mut());
        if let Some(place) = places.new {
            positions.insert(Arc::clone(&host), place);
            egress.find_owner(snapshot, &host);
        } else {
            Arc::make_mut(&mut egress.most_specific).remove(&host);
        }
        true
    }

    /// Puts one VirtualService, or none, in the place of one, or none. `false`, and nothing is done: the scope is to be
    /// worked out anew.
    pub(crate) fn exchange_virtual_service(
        &mut self,
        snapshot: &MeshSnapshot,
        namespace: &str,
        old: Option<&Arc<MergedVirtualService>>,
        new: Option<&Arc<MergedVirtualService>>,
    ) -> bool {
        let [egress] = self.egress.as_mut_slice() else { return false };
        let both = || old.into_iter().chain(new);
        let hosts = || both().flat_map(|it| &it.spec.hosts);
        let is_simple = |host: &String| {
            !is_wildcard(host) && !host.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b':')
        };
        if !egress.is_plain
            || both().any(|it| it.semantics != RouteSemantics::Istio)
            || !hosts().all(is_simple)
            || hosts().any(|host| egress.is_covered(snapshot, host))
        {
            return false;
        }
        // Services that its routes lead to are there for themselves, or nobody has them.
        let by_hostname = &self.by_hostname;
        let services = &egress.services;
        let is_there = |host: &str| match snapshot.registry.by_host(host) {
            [] => !by_hostname.contains_key(host),
            [only] => by_hostname
                .get(host)
                .and_then(|at| services.get(*at))
                .is_some_and(|own| own.hostname == only.hostname),
            _ => false,
        };
        if !both().all(|it| destinations(&it.spec, namespace).into_keys().all(is_there)) {
            return false;
        }
        let old_place = old.and_then(|old| egress.position(old));
        let taken = new.filter(|new| egress.takes(new, namespace));
        let rank = |it: &MergedVirtualService| class_of(it, namespace);
        let mut new_place = None;
        if let Some(new) = taken {
            let compare =
                |it: &MergedVirtualService| (rank(it), it.precedence()).cmp(&(rank(new), new.precedence()));
            new_place = place_in(&egress.virtual_services, old_place, compare);
            if new_place.is_none() {
                return false;
            }
        }
        let places = Places { old: old_place, new: new_place };
        if places.is_nowhere() {
            return true;
        }
        places.exchange(&mut egress.virtual_services, new);
        let positions = Arc::make_mut(&mut egress.positions);
        if let Some(old) = old.filter(|_| places.old.is_some()) {
            positions.remove(&(Arc::clone(&old.namespace), Arc::clone(&old.name)));
        }
        places.move_all(positions.values_mut());
        if let Some((new, place)) = taken.zip(places.new) {
            positions.insert((Arc::clone(&new.namespace), Arc::clone(&new.name)), place);
        }
        places.move_all(Arc::make_mut(&mut egress.most_specific).values_mut());
        for host in hosts() {
            if by_hostname.contains_key(host.as_str()) {
                egress.find_owner(snapshot, host);
            }
        }
        let counted = Arc::make_mut(&mut self.destinations);
        if let Some(old) = old.filter(|_| places.old.is_some()) {
            for host in destinations(&old.spec, namespace).into_keys() {
                if let Some(count) = counted.get_mut(host) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        counted.remove(host);
                    }
                }
            }
        }
        for host in taken.map(|new| destinations(&new.spec, namespace)).unwrap_or_default().into_keys() {
            count(counted, host);
        }
        true
    }
}
