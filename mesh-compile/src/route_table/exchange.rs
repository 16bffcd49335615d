//! Tables in which some virtual hosts come and go: the index over the domains of the others is shared.
//!
//! The index leads to numbers that virtual hosts had when it was made. What they became since is a list of positions;
//! domains that came are indexed apart, those that are gone lead nowhere. When that grows, the index is made anew.
//! A host is looked for by name in both, then the better wildcard of both covers it.

use std::sync::Arc;

use super::apart::Apart;
use super::host_index::canonical_host;
use super::{RouteTable, VirtualHost};

/// The position of a virtual host that is gone.
const GONE: u32 = u32::MAX;

/// At most so many domains are indexed apart, and one for every so many virtual hosts.
const APART: usize = 64;
const HOSTS_FOR_ONE_APART: usize = 32;

/// Positions of virtual hosts by the numbers that the index of their table knows them by.
#[derive(Debug, Clone)]
pub(super) struct Places {
    by_number: Box<[u32]>,
}

impl Places {
    /// The position; `None`: that virtual host is gone.
    pub(super) fn position(&self, number: u32) -> Option<u32> {
        self.by_number.get(number as usize).copied().filter(|position| *position != GONE)
    }
}

impl RouteTable {
    /// The table without the virtual hosts at some positions, which are in order, and with others, each at the position
    /// that it then has, in order. Their domains are in lower case, and no other virtual host has them.
    ///
    /// `None`: the index is to be made anew, for all that has come and gone before.
    #[must_use]
    pub fn with_exchanged(&self, gone: &[usize], come: Vec<(usize, Arc<VirtualHost>)>) -> Option<Self> {
        if let Some(replaced) = self.with_same_domains(gone, &come) {
            return Some(replaced);
        }
        // Where those that stay stand afterwards.
        let mut moved: Vec<u32> = Vec::with_capacity(self.virtual_hosts.len());
        let mut virtual_hosts = Vec::with_capacity(self.virtual_hosts.len() + come.len());
        let mut apart = Vec::new();
        let mut gone = gone.iter().copied().peekable();
        let mut come = come.into_iter().peekable();
        for (at, host) in self.virtual_hosts.iter().enumerate() {
            if gone.next_if_eq(&at).is_some() {
                moved.push(GONE);
                continue;
            }
            while let Some((place, new)) = come.next_if(|(place, _)| *place == virtual_hosts.len()) {
                let place = u32::try_from(place).ok()?;
                apart.extend(new.domains.iter().map(|domain| (place, Arc::clone(domain))));
                virtual_hosts.push(new);
            }
            moved.push(u32::try_from(virtual_hosts.len()).ok()?);
            virtual_hosts.push(Arc::clone(host));
        }
        for (place, new) in come {
            let place = u32::try_from(place).ok()?;
            apart.extend(new.domains.iter().map(|domain| (place, Arc::clone(domain))));
            virtual_hosts.push(new);
        }
        let place = |old: u32| moved.get(old as usize).copied().unwrap_or(GONE);
        let known = self.apart.iter().flat_map(|apart| apart.domains());
        apart
            .extend(known.map(|(at, domain)| (place(*at), Arc::clone(domain))).filter(|(at, _)| *at != GONE));
        let by_number: Box<[u32]> = match &self.places {
            Some(places) => places.by_number.iter().map(|at| place(*at)).collect(),
            None => moved.iter().copied().collect(),
        };
        let lost = by_number.iter().filter(|at| **at == GONE).count();
        let is_worn = apart.len() > APART + virtual_hosts.len() / HOSTS_FOR_ONE_APART
            || lost > APART + virtual_hosts.len() / HOSTS_FOR_ONE_APART;
        (!is_worn).then(|| Self {
            name: Arc::clone(&self.name),
            virtual_hosts,
            hosts: Arc::clone(&self.hosts),
            apart: Apart::new(apart),
            places: Some(Arc::new(Places { by_number })),
        })
    }

    /// The position of the virtual host that answers for an authority, where some came and went.
    #[inline(never)]
    pub(super) fn find_moved(&self, places: &Places, authority: &str) -> Option<u32> {
        let apart = self.apart.as_deref();
        let named = apart.and_then(|apart| apart.find(authority));
        let named = named.or_else(|| places.position(self.hosts.find_name(authority)?));
        named.or_else(|| {
            let host = canonical_host(authority);
            let moved = self.hosts.covering(&host, |number| places.position(number));
            let came = apart.and_then(|apart| apart.covering(&host));
            // No two have the same wildcard.
            moved.max(came).map(|(_, position)| position)
        })
    }

    /// Where virtual hosts are replaced by ones of the same domains.
    fn with_same_domains(&self, gone: &[usize], come: &[(usize, Arc<VirtualHost>)]) -> Option<Self> {
        let is_same_place = gone.len() == come.len() && gone.iter().zip(come).all(|(old, new)| *old == new.0);
        if !is_same_place {
            return None;
        }
        self.with_replaced(come.iter().map(|(at, host)| (*at, Arc::clone(host))))
    }
}
