//! VirtualServices by the hosts that they are written for, whoever sees them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mesh_model::name::is_wildcard;
use smallvec::SmallVec;

use crate::merge::virtual_service::MergedVirtualService;

/// VirtualServices of one host; in no order.
type OfHost = SmallVec<[Arc<MergedVirtualService>; 1]>;

/// VirtualServices by host.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    /// By host, in lower case.
    exact: HashMap<Arc<str>, OfHost, RandomState>,
    /// Those that have a wildcard among their hosts.
    wildcards: Vec<Arc<MergedVirtualService>>,
}

impl Named {
    pub(super) fn insert(&mut self, new: &Arc<MergedVirtualService>) {
        for host in exact_hosts(new) {
            match self.exact.get_mut(&*host) {
                Some(list) => list.push(Arc::clone(new)),
                None => {
                    self.exact.insert(Arc::from(&*host), OfHost::from_iter([Arc::clone(new)]));
                }
            }
        }
        if has_wildcard(new) {
            self.wildcards.push(Arc::clone(new));
        }
    }

    pub(super) fn remove(&mut self, old: &Arc<MergedVirtualService>) {
        for host in exact_hosts(old) {
            let Some(list) = self.exact.get_mut(&*host) else { continue };
            list.retain(|it| !Arc::ptr_eq(it, old));
            if list.is_empty() {
                self.exact.remove(&*host);
            }
        }
        if has_wildcard(old) {
            self.wildcards.retain(|it| !Arc::ptr_eq(it, old));
        }
    }

    pub(super) fn exact(&self, host: &str) -> &[Arc<MergedVirtualService>] {
        self.exact.get(host).map_or(&[], SmallVec::as_slice)
    }

    pub(super) fn wildcards(&self) -> &[Arc<MergedVirtualService>] {
        &self.wildcards
    }
}

/// Hosts without a wildcard, each once.
fn exact_hosts(virtual_service: &MergedVirtualService) -> BTreeSet<Cow<'_, str>> {
    let hosts = virtual_service.spec.hosts.iter().filter(|host| !is_wildcard(host));
    hosts
        .map(|host| {
            if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
                Cow::Owned(host.to_ascii_lowercase())
            } else {
                Cow::Borrowed(host.as_str())
            }
        })
        .collect()
}

fn has_wildcard(virtual_service: &MergedVirtualService) -> bool {
    virtual_service.spec.hosts.iter().any(|host| is_wildcard(host))
}
