//! Domains that are indexed apart from the others of their table, so that tables which differ in them alone share an index.

use std::sync::Arc;

use super::host_index::{DomainShape, HostIndex, WildcardRank};
use super::{RouteTable, VirtualHost};

/// Some domains of a table: exact ones, and in tables whose virtual hosts came and went wildcards too.
#[derive(Debug)]
pub(super) struct Apart {
    /// Positions of virtual hosts with their domains, sorted.
    domains: Vec<(u32, Arc<str>)>,
    index: HostIndex,
}

impl Apart {
    pub(super) fn new(mut domains: Vec<(u32, Arc<str>)>) -> Option<Arc<Self>> {
        if domains.is_empty() {
            return None;
        }
        domains.sort_unstable();
        let index = HostIndex::new(domains.iter().map(|(position, domain)| (*position, domain)));
        Some(Arc::new(Self { domains, index }))
    }

    /// The position of the virtual host that an authority as received names. Wildcards come later, and no other exact
    /// domain is the same: it does not matter that these are asked first.
    pub(super) fn find(&self, authority: &str) -> Option<u32> {
        self.index.find_name(authority)
    }

    /// The position of the virtual host of the best wildcard that covers a canonical host.
    pub(super) fn covering(&self, host: &str) -> Option<(WildcardRank, u32)> {
        self.index.covering(host, Some)
    }

    /// The position of the virtual host that has this very domain.
    pub(super) fn holder(&self, domain: &str) -> Option<u32> {
        self.index.holder(domain)
    }

    /// Positions of virtual hosts with their domains.
    pub(super) fn domains(&self) -> impl Iterator<Item = &(u32, Arc<str>)> {
        self.domains.iter()
    }

    fn contains(&self, position: u32, domain: &Arc<str>) -> bool {
        let own = self.domains.iter().skip(self.domains.partition_point(|(at, _)| *at < position));
        own.take_while(|(at, _)| *at == position).any(|(_, it)| it == domain)
    }
}

fn is_in(apart: Option<&Apart>, position: u32, domain: &Arc<str>) -> bool {
    apart.is_some_and(|apart| apart.contains(position, domain))
}

impl RouteTable {
    /// A table of which some domains, with the positions of their virtual hosts, are indexed apart. They must be exact,
    /// in lower case, and of no other virtual host.
    pub fn with_apart(
        name: impl Into<Arc<str>>,
        virtual_hosts: Vec<Arc<VirtualHost>>,
        apart: Vec<(u32, Arc<str>)>,
    ) -> Self {
        if apart.is_empty() {
            return Self::of_shared(name, virtual_hosts);
        }
        let apart = Apart::new(apart);
        let own = apart.as_deref();
        let domains = (0..).zip(&virtual_hosts).flat_map(|(id, host)| {
            host.domains.iter().filter(move |domain| !is_in(own, id, domain)).map(move |domain| (id, domain))
        });
        let hosts = Arc::new(HostIndex::new(domains));
        Self { name: name.into(), virtual_hosts, hosts, apart, places: None }
    }

    /// The table with virtual hosts of other domains at some positions, each with those of its domains that are indexed
    /// apart. The index of all other domains is shared where these are the same.
    #[must_use]
    pub fn with_renamed(&self, renamed: Vec<(usize, Arc<VirtualHost>, Vec<Arc<str>>)>) -> Self {
        let mut virtual_hosts = self.virtual_hosts.clone();
        let before = self.apart.as_deref();
        let mut apart: Vec<(u32, Arc<str>)> = before.map(|before| before.domains.clone()).unwrap_or_default();
        let positions: Vec<u32> =
            renamed.iter().filter_map(|(position, ..)| u32::try_from(*position).ok()).collect();
        apart.retain(|(position, _)| !positions.contains(position));
        let mut is_shared = true;
        for ((position, host, own), at) in renamed.into_iter().zip(positions) {
            let Some(slot) = virtual_hosts.get_mut(position) else { continue };
            let mut old: Vec<_> = slot.domains.iter().filter(|it| !is_in(before, at, it)).collect();
            let mut new: Vec<_> = host.domains.iter().filter(|it| !own.contains(it)).collect();
            // They all lead to one virtual host, in whatever order.
            old.sort_unstable();
            new.sort_unstable();
            is_shared &= old == new;
            apart.extend(own.into_iter().map(|domain| (at, domain)));
            *slot = host;
        }
        if !is_shared {
            // Wildcards that came are apart for that alone.
            apart.retain(|(_, domain)| matches!(DomainShape::of(domain), DomainShape::Exact(_)));
            return Self::with_apart(Arc::clone(&self.name), virtual_hosts, apart);
        }
        let (name, hosts) = (Arc::clone(&self.name), Arc::clone(&self.hosts));
        Self { name, virtual_hosts, hosts, apart: Apart::new(apart), places: self.places.clone() }
    }

    /// Whether both find their virtual hosts by the very same index, but for domains that are indexed apart.
    pub fn shares_index_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.hosts, &other.hosts)
    }
}
