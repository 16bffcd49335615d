//! Virtual hosts and tables of an earlier revision, which stay where they are the same.

use std::sync::Arc;

use crate::route_table::{RouteTable, VirtualHost};

/// The virtual host that a small earlier table has, where it is the same.
pub(super) fn keep_host(earlier: Option<&Arc<RouteTable>>, host: Arc<VirtualHost>) -> Arc<VirtualHost> {
    let mut known = earlier.into_iter().flat_map(|table| &table.virtual_hosts);
    known.find(|old| is_unchanged(old, &host)).map_or(host, Arc::clone)
}

/// Whether two virtual hosts are the same, the place they were written at included.
pub(super) fn is_unchanged(old: &VirtualHost, new: &VirtualHost) -> bool {
    old.name == new.name
        && old.domains == new.domains
        && old.require_tls == new.require_tls
        && old.routes.is_shared_with(&new.routes)
        && old.origin.is_same_place(&new.origin)
}

/// The earlier table where it has this name and these very virtual hosts, else one of them. `apart`: positions and
/// domains that are indexed apart.
pub(super) fn keep_table(
    earlier: Option<&Arc<RouteTable>>,
    name: &str,
    hosts: Vec<Arc<VirtualHost>>,
    apart: Vec<(u32, Arc<str>)>,
) -> Arc<RouteTable> {
    let same = earlier.filter(|table| {
        &*table.name == name
            && table.virtual_hosts.len() == hosts.len()
            && table.virtual_hosts.iter().zip(&hosts).all(|(a, b)| Arc::ptr_eq(a, b))
    });
    same.map_or_else(|| Arc::new(RouteTable::with_apart(name, hosts, apart)), Arc::clone)
}
