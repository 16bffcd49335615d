//! What tells clients of one namespace from those of another: most namespaces of a mesh see the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::{Lookup, proxy_config};
use crate::merge::virtual_service::RouteSemantics;
use crate::proxy_identity::Proxy;
use crate::snapshot::MeshSnapshot;
use crate::visibility::kubernetes_namespace;

/// The namespaces of one revision of a mesh, by what their clients see and others do not.
#[derive(Debug, Default)]
pub(crate) struct Kinship {
    /// Namespaces whose clients may see other services and VirtualServices than those of namespaces that are not here.
    apart: HashSet<Arc<str>, RandomState>,
    /// Hosts of services in lower case by the namespace in their names, whose clients know them by shorter names too.
    named: HashMap<String, Vec<Arc<str>>, RandomState>,
    /// Hosts of exported rules that name the namespaces which may use them.
    rules: HashMap<Arc<str>, Vec<Arc<str>>, RandomState>,
}

impl Kinship {
    /// Looks through a mesh.
    pub(crate) fn of(snapshot: &MeshSnapshot) -> Self {
        let mut kinship = Self::default();
        let index = &snapshot.service_index;
        kinship.apart.extend(index.rivals().cloned());
        for service in &snapshot.registry.services {
            if !index.is_public(service) {
                kinship.apart.insert(Arc::clone(&service.namespace));
                kinship.apart.extend(service.export_to.iter().map(|viewer| Arc::from(viewer.as_str())));
            }
            for host in
                std::iter::once(&service.hostname).chain(service.aliases.iter().map(|(alias, _)| alias))
            {
                let Some(namespace) = kubernetes_namespace(host) else { continue };
                let is_lower = !service.hostname.bytes().any(|byte| byte.is_ascii_uppercase());
                let known = if is_lower {
                    Arc::clone(&service.hostname)
                } else {
                    service.hostname.to_ascii_lowercase().into()
                };
                kinship.named.entry_ref(namespace).or_default().push(known);
            }
        }
        for virtual_service in &snapshot.virtual_services {
            if virtual_service.semantics == RouteSemantics::GatewayApi {
                kinship.apart.insert(Arc::clone(&virtual_service.namespace));
            }
            if !virtual_service.export_to.contains(crate::export_to::PUBLIC) {
                kinship.apart.insert(Arc::clone(&virtual_service.namespace));
                kinship
                    .apart
                    .extend(virtual_service.export_to.iter().map(|viewer| Arc::from(viewer.as_str())));
            }
            let conditions = virtual_service.spec.http.iter().flat_map(|route| &route.r#match);
            for condition in conditions.filter(|condition| !condition.source_namespace.is_empty()) {
                kinship.apart.insert(condition.source_namespace.as_str().into());
            }
        }
        for (viewer, host) in snapshot.destination_rules.named_viewers() {
            kinship.rules.entry(viewer).or_default().push(host);
        }
        kinship
    }

    /// Whether clients of a namespace may see what others do not.
    pub(super) fn is_apart(&self, namespace: &str) -> bool {
        self.apart.contains(namespace)
    }

    /// Hosts of services, in lower case, that clients of the two namespaces know by different names.
    pub(crate) fn known_otherwise(&self, from: &str, to: &str) -> Vec<Arc<str>> {
        if from == to {
            return Vec::new();
        }
        let hosts: BTreeSet<_> =
            [from, to].into_iter().filter_map(|it| self.named.get(it)).flatten().collect();
        hosts.into_iter().cloned().collect()
    }

    /// Hosts, perhaps wildcards, whose rules may be others for clients of the two namespaces.
    pub(crate) fn ruled_otherwise(
        &self,
        snapshot: &MeshSnapshot,
        from: &str,
        to: &str,
    ) -> HashSet<Arc<str>, RandomState> {
        if from == to {
            return HashSet::default();
        }
        let named = |namespace: &str| self.rules.get(namespace).into_iter().flatten().cloned();
        let own = |namespace: &str| {
            snapshot.destination_rules.own_hosts(namespace).map(Arc::from).collect::<Vec<_>>()
        };
        [from, to].into_iter().flat_map(|it| named(it).chain(own(it))).collect()
    }

    /// Whether the rules that a question is about are others for clients of the two namespaces. `namespace` is that of the
    /// service in scope.
    pub(crate) fn is_ruled_otherwise(
        snapshot: &MeshSnapshot,
        question: &Lookup,
        namespace: &str,
        (from, to): (&str, &str),
    ) -> bool {
        let (Lookup::DestinationRule(host) | Lookup::ConsistentHash(host)) = question else { return false };
        let find = |client: &str| snapshot.destination_rules.find(client, host, namespace);
        let (from, to) = (find(from), find(to));
        from.len() != to.len() || from.iter().zip(&to).any(|(a, b)| !Arc::ptr_eq(a, b) && a != b)
    }

    /// Whether both proxies are set up alike, with the same annotation at their Pods.
    pub(crate) fn are_set_up_alike(
        snapshot: &MeshSnapshot,
        settings: Option<&str>,
        one: &Proxy,
        other: &Proxy,
    ) -> bool {
        snapshot.proxy_configs.is_empty()
            || proxy_config::of_text(snapshot, one, settings).merged
                == proxy_config::of_text(snapshot, other, settings).merged
    }
}
