//! ExternalName services: names that stand for other services (T-308).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};

use super::HostKey;
use super::room::{Room, alias_bytes};
use super::service::{Resolution, Service};

/// Tells every service which aliases end at it. A chain is followed by hostname alone to the last name that is no
/// alias; a loop resolves to nothing.
pub(super) fn resolve(services: &mut [Service], room: &mut Room, report: &mut Report) {
    let next: BTreeMap<Arc<str>, Arc<str>> = aliases(services)
        .filter_map(|service| Some((Arc::clone(&service.hostname), service.external_name.clone()?)))
        .collect();
    if next.is_empty() {
        return;
    }
    let mut by_end: BTreeMap<Arc<str>, Vec<HostKey>> = BTreeMap::new();
    for alias in aliases(services) {
        match end_of(&alias.hostname, &next) {
            Some(end) => {
                let name = (Arc::clone(&alias.hostname), Arc::clone(&alias.namespace));
                by_end.entry(end).or_default().push(name);
            }
            None => report.push(
                Diagnostic::new(
                    Code::AliasLoop,
                    Place::of(&alias.provenance, "spec.externalName"),
                    format!("`{}` stands for itself: it resolves to nothing", alias.hostname),
                )
                .help("name a host that is no ExternalName service of the same loop"),
            ),
        }
    }
    for names in by_end.values_mut() {
        names.sort_by(|(host, namespace), (other_host, other_namespace)| {
            (namespace, host).cmp(&(other_namespace, other_host))
        });
    }
    for service in services {
        if let Some(names) = by_end.get(&service.hostname) {
            if !room.take(alias_bytes(names.len()), &service.provenance, report) {
                return;
            }
            service.aliases.clone_from(names);
        }
    }
}

fn aliases(services: &[Service]) -> impl Iterator<Item = &Service> {
    services.iter().filter(|service| service.resolution == Resolution::Alias)
}

fn end_of(start: &Arc<str>, next: &BTreeMap<Arc<str>, Arc<str>>) -> Option<Arc<str>> {
    let mut seen = BTreeSet::new();
    let mut host = start;
    while let Some(following) = next.get(host) {
        if !seen.insert(host) {
            return None;
        }
        host = following;
    }
    Some(Arc::clone(host))
}
