//! Who may see what: `exportTo` of services, VirtualServices and DestinationRules with the mesh's defaults (T-025 to T-028).
//! `named` finds VirtualServices by their hosts.

mod named;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::MESH_GATEWAY;

use crate::export_to::{NOBODY, OWN_NAMESPACE, PUBLIC};
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};
use crate::registry::service::{RegistryKind, Service};
use crate::registry::{DOMAIN, put_in, take_out};
use named::Named;

/// The namespace that a hostname of Kubernetes' form names: its clients know the service by its name alone (T-040).
pub(crate) fn kubernetes_namespace(hostname: &str) -> Option<&str> {
    kubernetes_name(hostname)?.split_once('.').map(|(_, namespace)| namespace)
}

/// What stands before `.svc` in a hostname of Kubernetes' form.
pub(crate) fn kubernetes_name(hostname: &str) -> Option<&str> {
    hostname.strip_suffix(DOMAIN).filter(|rest| rest.ends_with(".svc."))?;
    hostname.split_once(".svc.").map(|(own, _)| own)
}

/// VirtualServices in T-004 order.
type Class = Vec<Arc<MergedVirtualService>>;
/// By viewing namespace and gateway.
type ByViewer = BTreeMap<(Arc<str>, Arc<str>), Class>;

/// VirtualServices by who sees them, in T-004 order within each class (T-101, T-102).
#[derive(Debug, Clone, Default)]
pub struct VirtualServiceIndex {
    /// Exported to their own namespace, by it and gateway.
    private: ByViewer,
    /// Exported by name, by viewing namespace and gateway.
    exported: ByViewer,
    /// Exported to all, by gateway.
    public: BTreeMap<Arc<str>, Class>,
    named: Named,
}

impl VirtualServiceIndex {
    /// Classifies VirtualServices that come in T-004 order.
    pub fn build(virtual_services: &[Arc<MergedVirtualService>]) -> Self {
        let mut index = Self::default();
        for virtual_service in virtual_services {
            index.named.insert(virtual_service);
            for gateway in gateways_of(virtual_service) {
                index.insert(virtual_service, &gateway);
            }
        }
        index
    }

    fn insert(&mut self, virtual_service: &Arc<MergedVirtualService>, gateway: &Arc<str>) {
        self.for_each_class(virtual_service, gateway, |class| class.push(Arc::clone(virtual_service)));
    }

    /// Takes one VirtualService out and another in, each at its place in the order.
    pub(crate) fn replace(
        &mut self,
        old: Option<&Arc<MergedVirtualService>>,
        new: Option<&Arc<MergedVirtualService>>,
    ) {
        if let Some(old) = old {
            self.named.remove(old);
            for gateway in gateways_of(old) {
                self.for_each_class(old, &gateway, |class| {
                    let order = old.precedence();
                    let start = class.partition_point(|it| it.precedence() < order);
                    let place = class.iter().skip(start).position(|it| Arc::ptr_eq(it, old));
                    if let Some(place) = place {
                        class.remove(start + place);
                    }
                });
            }
        }
        if let Some(new) = new {
            self.named.insert(new);
            for gateway in gateways_of(new) {
                self.for_each_class(new, &gateway, |class| {
                    let order = new.precedence();
                    let place = class.partition_point(|it| it.precedence() < order);
                    class.insert(place, Arc::clone(new));
                });
            }
        }
    }

    /// The lists that a VirtualService is in, or belongs into, for one of its gateways.
    fn for_each_class(
        &mut self,
        virtual_service: &MergedVirtualService,
        gateway: &Arc<str>,
        mut act: impl FnMut(&mut Class),
    ) {
        let export_to = &virtual_service.export_to;
        if export_to.contains(PUBLIC) {
            act(self.public.entry(Arc::clone(gateway)).or_default());
            return;
        }
        if export_to.contains(NOBODY) {
            return;
        }
        for viewer in export_to {
            let is_own = **viewer == *virtual_service.namespace;
            let class = if is_own { &mut self.private } else { &mut self.exported };
            let key = (Arc::from(viewer.as_str()), Arc::clone(gateway));
            act(class.entry(key).or_default());
        }
    }

    /// VirtualServices with this very host, which is in lower case, whoever sees them; in no order.
    pub(crate) fn with_host(&self, host: &str) -> &[Arc<MergedVirtualService>] {
        self.named.exact(host)
    }

    /// VirtualServices with a wildcard among their hosts, whoever sees them; in no order.
    pub(crate) fn with_wildcards(&self) -> &[Arc<MergedVirtualService>] {
        self.named.wildcards()
    }

    /// The three classes that a proxy of `namespace` sees for `gateway`: private, exported by name, public.
    pub fn classes(&self, namespace: &str, gateway: &str) -> [&[Arc<MergedVirtualService>]; 3] {
        let key = (Arc::from(namespace), Arc::from(gateway));
        let found = [self.private.get(&key), self.exported.get(&key), self.public.get(gateway)];
        found.map(|list| list.map_or(&[][..], Vec::as_slice))
    }

    /// All that a proxy of `namespace` sees for a gateway `ns/name`, or for `mesh`, in T-102 order.
    ///
    /// Among the public ones, Gateway API routes of the proxy's own namespace come first (E-101).
    pub fn for_gateway(&self, namespace: &str, gateway: &str) -> Vec<Arc<MergedVirtualService>> {
        let [private, exported, public] = self.classes(namespace, gateway);
        let (first, rest): (Vec<_>, Vec<_>) =
            public.iter().cloned().partition(|candidate| is_own_gateway_api(candidate, namespace));
        [private, exported].concat().into_iter().chain(first).chain(rest).collect()
    }
}

/// Whether a proxy of `namespace` sees it for the gateway, as the index has it.
pub fn is_seen(virtual_service: &MergedVirtualService, namespace: &str, gateway: &str) -> bool {
    let export_to = &virtual_service.export_to;
    let is_exported =
        export_to.contains(PUBLIC) || (export_to.contains(namespace) && !export_to.contains(NOBODY));
    is_exported && gateways_of(virtual_service).iter().any(|own| &**own == gateway)
}

/// Which of the classes a VirtualService is in for a proxy of `namespace` that sees it: 0, 1 or 2, in order.
pub(crate) fn class_of(virtual_service: &MergedVirtualService, namespace: &str) -> u8 {
    if virtual_service.export_to.contains(PUBLIC) {
        2
    } else {
        u8::from(*virtual_service.namespace != *namespace)
    }
}

/// Whether it was made from a Gateway API route of `namespace`.
pub fn is_own_gateway_api(virtual_service: &MergedVirtualService, namespace: &str) -> bool {
    virtual_service.semantics == RouteSemantics::GatewayApi && &*virtual_service.namespace == namespace
}

/// The gateways a VirtualService is bound to, each once; `mesh` where none is written (T-024).
fn gateways_of(virtual_service: &MergedVirtualService) -> BTreeSet<Arc<str>> {
    if virtual_service.spec.gateways.is_empty() {
        return [Arc::from(MESH_GATEWAY)].into();
    }
    virtual_service.spec.gateways.iter().map(|gateway| Arc::from(gateway.as_str())).collect()
}

/// Services by who sees them, in T-006 order within each class (T-302, T-303).
#[derive(Debug, Clone, Default)]
pub struct ServiceIndex {
    public: Vec<Arc<Service>>,
    exported: BTreeMap<Arc<str>, Vec<Arc<Service>>>,
    by_hostname: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<Service>>>,
    default_export_to: BTreeSet<String>,
}

impl ServiceIndex {
    /// Classifies services that come in T-006 order.
    pub fn build(services: &[Arc<Service>], mesh: &MeshConfig) -> Self {
        let default_export_to = mesh.default_service_export_to().iter().cloned().collect();
        let mut index = Self { default_export_to, ..Self::default() };
        for service in services {
            index.insert_by_hostname(service);
            index.insert_by_viewer(service);
        }
        index
    }

    /// One service per hostname and namespace: the first, unless a Kubernetes Service comes after a ServiceEntry (T-343).
    fn insert_by_hostname(&mut self, service: &Arc<Service>) {
        let by_namespace = self.by_hostname.entry(Arc::clone(&service.hostname)).or_default();
        let replaces = by_namespace.get(&service.namespace).is_none_or(|existing| {
            existing.registry != RegistryKind::Kubernetes && service.registry == RegistryKind::Kubernetes
        });
        if replaces {
            by_namespace.insert(Arc::clone(&service.namespace), Arc::clone(service));
        }
    }

    fn insert_by_viewer(&mut self, service: &Arc<Service>) {
        self.for_each_class(service, |class| class.push(Arc::clone(service)));
    }

    /// The lists that a service is in, or belongs into.
    fn for_each_class(&mut self, service: &Service, mut act: impl FnMut(&mut Vec<Arc<Service>>)) {
        let export_to = self.export_to(service);
        if export_to.contains(PUBLIC) {
            act(&mut self.public);
            return;
        }
        if export_to.contains(NOBODY) {
            return;
        }
        let own = |value: &String| {
            if value == OWN_NAMESPACE { Arc::clone(&service.namespace) } else { Arc::from(value.as_str()) }
        };
        let viewers: BTreeSet<Arc<str>> = export_to.iter().map(own).collect();
        for viewer in viewers {
            act(self.exported.entry(viewer).or_default());
        }
    }

    /// Takes the services of a hostname out and others in, each at its place in the order. `of_host` are all that the
    /// hostname has now.
    pub(crate) fn replace(
        &mut self,
        hostname: &str,
        old: &[Arc<Service>],
        new: &[Arc<Service>],
        of_host: &[Arc<Service>],
    ) {
        for service in old {
            self.for_each_class(service, |class| take_out(class, service));
        }
        for service in new {
            self.for_each_class(service, |class| put_in(class, service));
        }
        self.by_hostname.remove(hostname);
        for service in of_host {
            self.insert_by_hostname(service);
        }
    }

    /// Namespaces that have a service of a hostname which another namespace has too.
    pub(crate) fn rivals(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_hostname.values().filter(|owners| owners.len() > 1).flat_map(BTreeMap::keys)
    }

    /// Whether every namespace sees a service.
    pub(crate) fn is_public(&self, service: &Service) -> bool {
        let written = &service.export_to;
        let export_to = if written.is_empty() { &self.default_export_to } else { written };
        export_to.contains(PUBLIC)
    }

    fn export_to(&self, service: &Service) -> BTreeSet<String> {
        let written = &service.export_to;
        if written.is_empty() { self.default_export_to.clone() } else { written.clone() }
    }

    /// Services that a client in `namespace` sees: those exported to it by name, then the public ones (T-303).
    pub fn exported_to(&self, namespace: &str) -> impl Iterator<Item = &Arc<Service>> {
        self.exported.get(namespace).into_iter().flatten().chain(&self.public)
    }

    /// In which part of [`exported_to`](Self::exported_to) a service stands for a client in `namespace`: 0 or 1, in order;
    /// `None`: it is not there.
    pub(crate) fn part_of(&self, service: &Service, namespace: &str) -> Option<u8> {
        let written = &service.export_to;
        let export_to = if written.is_empty() { &self.default_export_to } else { written };
        if export_to.contains(PUBLIC) {
            return Some(1);
        }
        let is_own = || export_to.contains(OWN_NAMESPACE) && *service.namespace == *namespace;
        let is_named = || namespace != OWN_NAMESPACE && export_to.contains(namespace);
        (!export_to.contains(NOBODY) && (is_own() || is_named())).then_some(0)
    }

    /// The services of a hostname, one per namespace, whoever sees them.
    pub fn by_hostname(&self, hostname: &str) -> Option<&BTreeMap<Arc<str>, Arc<Service>>> {
        self.by_hostname.get(hostname)
    }

    /// Whether a client in `namespace` may see one service by name.
    ///
    /// Unlike [`exported_to`](Self::exported_to), `~` beside other values hides nothing here, as in Istio.
    pub fn is_visible(&self, service: &Service, namespace: &str) -> bool {
        let export_to = self.export_to(service);
        export_to.contains(PUBLIC)
            || (export_to.contains(OWN_NAMESPACE) && &*service.namespace == namespace)
            || export_to.contains(namespace)
    }
}
