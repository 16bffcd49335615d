//! The snapshot as one proxy may see it: the only door for compile code.
//!
//! A view answers questions ("which services", "which rule for this host", "which endpoints"); it decides visibility,
//! Sidecar scope and namespace preference, and nothing else.

mod egress;
mod endpoints;
mod exchange;
mod extras;
mod gateways;
mod hosts;
mod imports;
mod kinship;
mod lookup;
mod outbound_policy;
mod proxy_config;
mod rules;
mod scope;
mod targets;
#[cfg(test)]
mod tests;

pub use egress::EgressScope;
pub(crate) use gateways::is_bound;
pub(crate) use kinship::Kinship;
pub use lookup::{Asked, Lookup, Reader, Recorder};
pub use outbound_policy::OutboundPolicy;
pub(crate) use proxy_config::written_text as settings_written;
pub use scope::{Concern, Scope, ScopeKey};
pub use targets::ServiceTarget;

use std::cell::OnceCell;
use std::sync::Arc;

use mesh_authz::profile::Profile;
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::{MeshConfig, ProxyConfig};
use mesh_model::name::{StringMap, labels_subset_of};
use mesh_model::networking::{gateway::spec::Gateway, sidecar::spec::Sidecar};
use mesh_model::object::Object;
use mesh_model::resolved::Resolved;
use mesh_model::security::{
    authorization_policy::AuthorizationPolicy, peer_authentication::PeerAuthentication,
    request_authentication::RequestAuthentication,
};

use crate::merge::destination_rule::{MergedDestinationRule, Rules};
use crate::merge::gateway_api::GatewayBinding;
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy_identity::Proxy;
use crate::registry::endpoint::Endpoint;
use crate::registry::network_gateways::GatewayTable;
use crate::registry::service::{Service, ServicePort};
use crate::snapshot::MeshSnapshot;

/// The hostname of a service that was found by it, else a copy.
fn name_of(hostname: &str, found: Option<&Arc<Service>>) -> Arc<str> {
    found
        .filter(|service| *service.hostname == *hostname)
        .map_or_else(|| hostname.into(), |service| Arc::clone(&service.hostname))
}

/// What one proxy may see. Ours: what a proxy may not see cannot be compiled for it.
#[derive(Debug)]
pub struct View<'s> {
    snapshot: &'s MeshSnapshot,
    proxy: &'s Proxy,
    scope: Arc<Scope>,
    /// Worked out when they are asked for.
    targets: OnceCell<Vec<ServiceTarget>>,
    /// What is set over `defaultConfig`.
    settings: proxy_config::Settings,
    problems: Report,
    reader: &'s dyn Reader,
}

impl<'s> View<'s> {
    /// Cuts the view of a proxy.
    pub fn new(snapshot: &'s MeshSnapshot, proxy: &'s Proxy) -> Self {
        Self::with_scope(snapshot, proxy, Arc::new(Scope::of(snapshot, proxy)))
    }

    /// Cuts the view of a proxy with a scope that was made for another of the same [`ScopeKey`] in the same mesh.
    pub fn with_scope(snapshot: &'s MeshSnapshot, proxy: &'s Proxy, scope: Arc<Scope>) -> Self {
        Self::with_reader(snapshot, proxy, scope, &())
    }

    /// The same with someone who listens to the questions.
    pub fn with_reader(
        snapshot: &'s MeshSnapshot,
        proxy: &'s Proxy,
        scope: Arc<Scope>,
        reader: &'s dyn Reader,
    ) -> Self {
        let (settings, problems) = proxy_config::of(snapshot, proxy);
        Self { snapshot, proxy, scope, targets: OnceCell::new(), settings, problems, reader }
    }

    /// Cuts the view of all proxies that are like `proxy` but for their Pods, which have this annotation in common.
    pub(crate) fn of_class(
        snapshot: &'s MeshSnapshot,
        proxy: &'s Proxy,
        settings: Option<&str>,
        scope: Arc<Scope>,
        reader: &'s dyn Reader,
    ) -> Self {
        let settings = proxy_config::of_text(snapshot, proxy, settings);
        let problems = Report::new();
        Self { snapshot, proxy, scope, targets: OnceCell::new(), settings, problems, reader }
    }

    /// Tells the reader of a question.
    pub(crate) fn asked(&self, question: impl Fn() -> Lookup) {
        self.reader.asked(&question);
    }

    /// The proxy that looks.
    pub fn proxy(&self) -> &'s Proxy {
        self.proxy
    }

    /// Mesh configuration.
    pub fn mesh(&self) -> &'s MeshConfig {
        &self.snapshot.mesh
    }

    /// The settings of this proxy: `defaultConfig` under ProxyConfig resources and the annotation of its Pod (T-470).
    /// Whose reading of policies and token rules is taken.
    pub fn profile(&self) -> Profile {
        self.snapshot.profile
    }

    /// The settings of this proxy: `defaultConfig` under the annotation of its Pod (T-470).
    pub fn proxy_config(&self) -> &ProxyConfig {
        self.settings.merged.as_ref().unwrap_or_else(|| self.mesh().default_config())
    }

    /// What is wrong with the proxy's own settings.
    pub fn problems(&self) -> &Report {
        &self.problems
    }

    /// The proxy's scope.
    pub fn scope(&self) -> &Scope {
        self.asked(|| Lookup::Scope);
        &self.scope
    }

    /// The Sidecar that applies.
    pub fn sidecar(&self) -> Option<&Arc<Object<Sidecar>>> {
        self.asked(|| Lookup::Sidecar);
        self.scope.sidecar.as_ref()
    }

    /// The scope, to be shared with other proxies.
    pub fn shared_scope(&self) -> Arc<Scope> {
        Arc::clone(&self.scope)
    }

    /// The service in scope with this hostname.
    pub fn service(&self, hostname: &str) -> Option<&Arc<Service>> {
        let found = self.scope.service(hostname);
        self.asked_service(hostname, found);
        found
    }

    /// Tells the reader that the service of a hostname counts. Its own name is not copied.
    fn asked_service(&self, hostname: &str, found: Option<&Arc<Service>>) {
        self.asked(|| Lookup::Service(name_of(hostname, found)));
    }

    /// The service of this hostname in `namespace`, where the proxy's namespace may see it, else the scope's (T-151).
    pub fn service_near(&self, hostname: &str, namespace: &str) -> Option<&Arc<Service>> {
        self.asked(|| Lookup::Service(hostname.into()));
        self.snapshot
            .registry
            .service(hostname, namespace)
            .filter(|service| service.visible_from(&self.proxy.namespace))
            .or_else(|| self.scope.service(hostname))
    }

    /// VirtualServices of an egress listener that have this very host, which is in lower case.
    pub(crate) fn virtual_services_with_host(
        &self,
        egress: &EgressScope,
        host: &str,
    ) -> impl Iterator<Item = &'s Arc<MergedVirtualService>> {
        let all = self.snapshot.virtual_service_index.with_host(host);
        all.iter().filter(move |it| egress.position(it).is_some())
    }

    /// VirtualServices with a wildcard among their hosts, whoever sees them.
    pub(crate) fn virtual_services_with_wildcards(&self) -> &'s [Arc<MergedVirtualService>] {
        self.snapshot.virtual_service_index.with_wildcards()
    }

    /// The egress listener whose routes serve a port, or a Unix path where `port` is 0 (T-375).
    pub fn egress_for(&self, port: u32, bind: &str) -> Option<&EgressScope> {
        self.asked(|| Lookup::Scope);
        self.scope.egress_for(port, bind)
    }

    /// The consolidated DestinationRule for a hostname as this proxy sees it (T-220 to T-227).
    ///
    /// A hostname outside the scope has none. The namespace that counts is that of the scope's service of this name
    /// (T-380), which is `namespace` wherever the two come from the same service.
    pub fn destination_rule(&self, hostname: &str, namespace: &str) -> Option<Arc<MergedDestinationRule>> {
        let rules = self.destination_rules(hostname, namespace);
        rules::for_client(&rules, self.proxy).cloned()
    }

    /// The name (`namespace/name`) of that rule with those of every rule that it was preferred to: of the same pool, of
    /// less specific hosts, of pools that were not asked any more.
    pub fn destination_rule_layers(&self, hostname: &str, namespace: &str) -> Option<Resolved<String>> {
        let service = self.service(hostname)?;
        let namespace = if service.namespace.is_empty() { namespace } else { &service.namespace };
        let pools = self.snapshot.destination_rules.find_all(&self.proxy.namespace, hostname, namespace);
        rules::layers(&pools, self.proxy)
    }

    /// The same for the server side: rules with a workload selector do not count (T-224).
    pub fn inbound_destination_rule(
        &self,
        hostname: &str,
        namespace: &str,
    ) -> Option<Arc<MergedDestinationRule>> {
        let rules = self.destination_rules(hostname, namespace);
        rules::for_server(&rules).cloned()
    }

    /// The rule of [`destination_rule`](Self::destination_rule), of which the consistent hashes alone are looked at.
    pub(crate) fn hash_rule(&self, hostname: &str, namespace: &str) -> Option<Arc<MergedDestinationRule>> {
        let is_wanted = self.snapshot.destination_rules.hashes();
        let rules = self.find_rules(hostname, namespace, Lookup::ConsistentHash, is_wanted);
        rules::for_client(&rules, self.proxy).cloned()
    }

    fn destination_rules(&self, hostname: &str, namespace: &str) -> Rules {
        self.find_rules(hostname, namespace, Lookup::DestinationRule, true)
    }

    /// The rules, none where they are not wanted; the question is noted either way.
    fn find_rules(
        &self,
        hostname: &str,
        namespace: &str,
        question: fn(Arc<str>) -> Lookup,
        is_wanted: bool,
    ) -> Rules {
        let found = self.scope.service(hostname);
        self.asked(|| question(name_of(hostname, found)));
        self.asked_service(hostname, found);
        let Some(service) = found.filter(|_| is_wanted) else { return Rules::new() };
        let namespace = if service.namespace.is_empty() { namespace } else { &service.namespace };
        let rules = self.snapshot.destination_rules.find(&self.proxy.namespace, hostname, namespace);
        if rules.iter().any(|rule| rule.has_selector()) {
            self.asked(|| Lookup::OwnLabels);
        }
        rules
    }

    /// Whether a condition on the client's namespace and labels holds; an empty one always does (T-116).
    pub(crate) fn is_from(&self, namespace: &str, labels: &StringMap) -> bool {
        if !labels.is_empty() {
            self.asked(|| Lookup::OwnLabels);
        }
        labels_subset_of(labels, &self.proxy.labels) && (namespace.is_empty() || self.is_in(namespace))
    }

    /// Whether the proxy is in a namespace.
    pub(crate) fn is_in(&self, namespace: &str) -> bool {
        self.asked(|| Lookup::OwnNamespace);
        *self.proxy.namespace == *namespace
    }

    /// All endpoints of a service port that exist, whatever their health, cluster-local and node-local filters applied.
    pub fn endpoints(&self, service: &Service, port: &ServicePort) -> Vec<Arc<Endpoint>> {
        self.asked(|| Lookup::Endpoints(Arc::clone(&service.hostname)));
        endpoints::endpoints(self.snapshot, self.proxy, service, port)
    }

    /// All endpoints of a service port, those of other clusters and nodes too: what a headless service has listeners for and
    /// whether all of it speaks mutual TLS is told by these, also where it is cluster-local or node-local (T-284, T-307).
    pub fn endpoints_anywhere(&self, service: &Service, port: &ServicePort) -> Vec<Arc<Endpoint>> {
        self.asked(|| Lookup::Endpoints(Arc::clone(&service.hostname)));
        self.snapshot.registry.port_endpoints(service, port).cloned().collect()
    }

    /// Gateways towards endpoints of other networks, those with host names among them where the proxy looks names up
    /// (T-315). They are part of the endpoints of every host, so whoever asks has asked for [`endpoints`](Self::endpoints).
    pub fn network_gateways(&self, by_name: bool) -> &'s GatewayTable {
        self.snapshot.registry.networks.gateways.dialled(by_name)
    }

    /// Identities that servers of a service may bear, sorted (T-286).
    pub fn identities(&self, service: &Service) -> &'s [String] {
        self.asked(|| Lookup::Endpoints(Arc::clone(&service.hostname)));
        self.snapshot.registry.identities(service)
    }

    /// The addresses at which this proxy dials a service (T-341): IPs or CIDRs; `0.0.0.0` where there is none.
    pub fn addresses(&self, service: &Service) -> Vec<Arc<str>> {
        endpoints::addresses(self.proxy, service)
    }

    /// How unknown outbound traffic is treated.
    pub fn outbound_policy(&self) -> OutboundPolicy {
        self.asked(|| Lookup::Sidecar);
        OutboundPolicy::of(self.scope.sidecar.as_deref(), self.mesh())
    }

    /// Service ports that this proxy's workload serves, ordered as Istio's service targets are.
    pub fn service_targets(&self) -> &[ServiceTarget] {
        self.asked(|| Lookup::Targets);
        self.targets.get_or_init(|| targets::of(self.snapshot, self.proxy))
    }

    /// Gateways that select this proxy, in T-004 order (T-400 to T-402).
    pub fn gateways(&self) -> Vec<&'s Arc<Object<Gateway>>> {
        self.asked(|| Lookup::Gateways);
        gateways::selected(self.snapshot, self.proxy, self.service_targets())
    }

    /// Who serves a Gateway that a listener of the Gateway API came to; `None`: a Gateway with a selector.
    pub fn gateway_binding(&self, gateway: &Object<Gateway>) -> Option<&'s GatewayBinding> {
        self.asked(|| Lookup::Gateways);
        self.snapshot.gateway_binding(gateway)
    }

    /// VirtualServices bound to the gateway `ns/name` that this proxy may see, in T-102 order.
    pub fn gateway_virtual_services(&self, gateway: &str) -> Vec<Arc<MergedVirtualService>> {
        self.asked(|| Lookup::GatewayRoutes(gateway.into()));
        self.snapshot.virtual_service_index.for_gateway(&self.proxy.namespace, gateway)
    }

    /// PeerAuthentications of the mesh in T-004 order; which apply is decided where they are compiled, and there it is
    /// told of which namespaces they were asked.
    pub fn peer_authentications(&self) -> &'s [Arc<Object<PeerAuthentication>>] {
        &self.snapshot.peer_authentications
    }

    /// Tells the reader that the PeerAuthentications of a namespace count, and so those of the root namespace.
    pub(crate) fn asked_peers_of(&self, namespace: &Arc<str>) {
        self.asked(|| Lookup::PeerAuthentication(Arc::clone(namespace)));
        self.asked(|| Lookup::PeerAuthentication(self.mesh().root_namespace().into()));
    }

    /// RequestAuthentications of the mesh in T-004 order. Those of the proxy's namespace and of the root namespace count.
    pub fn request_authentications(&self) -> &'s [Arc<Object<RequestAuthentication>>] {
        self.asked(|| Lookup::RequestAuthentication(Arc::clone(&self.proxy.namespace)));
        self.asked(|| Lookup::RequestAuthentication(self.mesh().root_namespace().into()));
        &self.snapshot.request_authentications
    }

    /// AuthorizationPolicies of the mesh in T-004 order. Those of the proxy's namespace and of the root namespace count.
    pub fn authorization_policies(&self) -> &'s [Arc<Object<AuthorizationPolicy>>] {
        self.asked(|| Lookup::AuthorizationPolicy(Arc::clone(&self.proxy.namespace)));
        self.asked(|| Lookup::AuthorizationPolicy(self.mesh().root_namespace().into()));
        &self.snapshot.authorization_policies
    }
}
