//! The `hosts` of an egress listener: which services and VirtualServices they import (T-372 to T-374, T-384).

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::name::{host_matches, host_subset_of, is_wildcard};

/// Any namespace.
const ANY_NAMESPACE: &str = "*";

/// The entries of a listener by namespace; `*` holds those for any.
#[derive(Debug, Default)]
pub(super) struct HostImports {
    by_namespace: BTreeMap<String, HostSet>,
    only_exact: bool,
}

/// The entries of one namespace.
#[derive(Debug, Default)]
pub(super) struct HostSet {
    exact: BTreeSet<String>,
    wildcards: Vec<String>,
    excluded: Vec<String>,
}

/// How a VirtualService's host meets an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// The entry covers the host.
    OneWay,
    /// Either covers the other: entry `a.com` takes a VirtualService of `*.com` (T-384).
    EitherWay,
}

impl HostImports {
    /// Reads `namespace/host` entries; malformed ones do not count (T-372).
    pub(super) fn parse(entries: &[String], own_namespace: &str) -> Self {
        let mut imports = Self { only_exact: true, ..Self::default() };
        for entry in entries {
            match entry.split_once('/') {
                Some((namespace, host)) if !host.contains('/') => imports.add(namespace, host, own_namespace),
                _ => {}
            }
        }
        imports
    }

    fn add(&mut self, written: &str, host: &str, own_namespace: &str) {
        let (is_excluded, namespace) = match written.strip_prefix('~') {
            Some("") => (true, ANY_NAMESPACE),
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let namespace = if namespace == "." { own_namespace } else { namespace };
        let set = self.by_namespace.entry(namespace.to_owned()).or_default();
        if is_excluded {
            set.excluded.push(host.to_owned());
        } else if is_wildcard(host) {
            set.wildcards.push(host.to_owned());
            self.only_exact = false;
        } else {
            set.exact.insert(host.to_owned());
            self.only_exact &= namespace != ANY_NAMESPACE;
        }
    }

    /// Namespace and host of every entry, if all are exact and name their namespace.
    pub(super) fn exact_pairs(&self) -> Option<impl Iterator<Item = (&str, &str)>> {
        let pairs = self.by_namespace.iter().flat_map(|(namespace, set)| {
            set.exact.iter().map(move |host| (namespace.as_str(), host.as_str()))
        });
        self.only_exact.then_some(pairs)
    }

    /// Whether `host` of `namespace` is excluded there or everywhere (T-373).
    pub(super) fn excludes(&self, namespace: &str, host: &str) -> bool {
        self.sets(namespace).any(|set| set.excluded.iter().any(|excluded| host_subset_of(host, excluded)))
    }

    /// The entries that count for things of `namespace`: its own first, then those for any.
    pub(super) fn sets(&self, namespace: &str) -> impl Iterator<Item = &HostSet> {
        [self.by_namespace.get(namespace), self.by_namespace.get(ANY_NAMESPACE)].into_iter().flatten()
    }
}

impl HostSet {
    /// Whether an entry covers `host` (T-374).
    pub(super) fn covers(&self, host: &str) -> bool {
        self.exact.contains(host) || self.wildcards.iter().any(|entry| host_subset_of(host, entry))
    }

    /// Whether an entry meets the host of a VirtualService (T-384).
    pub(super) fn meets(&self, host: &str, cover: Cover) -> bool {
        if self.covers(host) {
            return true;
        }
        cover == Cover::EitherWay
            && (self.wildcards.iter().any(|entry| host_matches(host, entry))
                || (is_wildcard(host) && self.exact.iter().any(|entry| host_matches(host, entry))))
    }
}
