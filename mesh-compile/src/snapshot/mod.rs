//! The mesh as a whole, resolved once: what views are cut from.

mod authorizers;
mod delta;
mod register;
mod update;

pub use delta::{Delta, RuleChange, ServiceChange, VirtualServiceChange};

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_authz::profile::Profile;
use mesh_model::config_set::{ConfigSet, Store};
use mesh_model::diagnostic::Report;
use mesh_model::extensions::{traffic_extension::TrafficExtension, wasm_plugin::WasmPlugin};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::networking::{
    envoy_filter::spec::EnvoyFilter, gateway::spec::Gateway, proxy_config::spec::ProxyConfig,
    sidecar::spec::Sidecar,
};
use mesh_model::object::Object;
use mesh_model::security::{
    authorization_policy::AuthorizationPolicy, peer_authentication::PeerAuthentication,
    request_authentication::RequestAuthentication,
};
use mesh_model::telemetry::Telemetry;

use crate::analyze::tell_refused;
use crate::merge::cluster_local::ClusterLocalHosts;
use crate::merge::destination_rule::DestinationRuleIndex;
use crate::merge::gateway_api::{self, GatewayBinding};
use crate::merge::ingress;
use crate::merge::virtual_service::{self, MergedVirtualService};
use crate::registry::Registry;
use crate::registry::namespaces::Namespaces;
use crate::visibility::{ServiceIndex, VirtualServiceIndex};
use crate::workloads::Workloads;

/// A resolved mesh. Only `view` and `analyze` read it. Ours: what does not depend on who asks is resolved once.
#[derive(Debug, Clone)]
pub struct MeshSnapshot {
    /// The mesh configuration over its defaults.
    pub mesh: Arc<MeshConfig>,
    /// Whose reading of policies and token rules is taken, everywhere in the mesh.
    pub profile: Profile,
    /// Services and endpoints.
    pub registry: Registry,
    /// VirtualServices with delegates merged, in T-004 order.
    pub virtual_services: Vec<Arc<MergedVirtualService>>,
    /// Gateways in T-004 order.
    pub gateways: Vec<Arc<Object<Gateway>>>,
    /// Who serves the Gateways that the Gateway API's listeners come to, by `ns/name`.
    pub gateway_bindings: BTreeMap<Arc<str>, GatewayBinding>,
    /// Sidecars in T-004 order.
    pub sidecars: Vec<Arc<Object<Sidecar>>>,
    /// PeerAuthentications in T-004 order.
    pub peer_authentications: Vec<Arc<Object<PeerAuthentication>>>,
    /// RequestAuthentications in T-004 order.
    pub request_authentications: Vec<Arc<Object<RequestAuthentication>>>,
    /// AuthorizationPolicies in T-004 order.
    pub authorization_policies: Vec<Arc<Object<AuthorizationPolicy>>>,
    /// Telemetry resources in T-004 order.
    pub telemetries: Vec<Arc<Object<Telemetry>>>,
    /// ProxyConfig resources in T-004 order.
    pub proxy_configs: Vec<Arc<Object<ProxyConfig>>>,
    /// WasmPlugins in T-004 order.
    pub wasm_plugins: Vec<Arc<Object<WasmPlugin>>>,
    /// TrafficExtensions in T-004 order.
    pub traffic_extensions: Vec<Arc<Object<TrafficExtension>>>,
    /// EnvoyFilters in T-004 order.
    pub envoy_filters: Vec<Arc<Object<EnvoyFilter>>>,
    /// Pods and endpoints by address.
    pub workloads: Workloads,
    /// Services by hostname and by who sees them.
    pub service_index: ServiceIndex,
    /// VirtualServices by who sees them and by gateway.
    pub virtual_service_index: VirtualServiceIndex,
    /// DestinationRules in the pools that are searched.
    pub destination_rules: DestinationRuleIndex,
    /// Hosts whose endpoints count in their own cluster only.
    pub cluster_local: ClusterLocalHosts,
    /// Gateways made from other kinds.
    made_gateways: Vec<Arc<Object<Gateway>>>,
    written: update::Written,
}

impl MeshSnapshot {
    /// Resolves everything that does not depend on who asks. `mesh` is the configuration over its defaults.
    pub fn resolve(config: &ConfigSet, mesh: Arc<MeshConfig>) -> (Self, Report) {
        Self::resolve_after(config, mesh, None)
    }

    /// The same after an earlier revision: services and VirtualServices that are the
    /// same are those of the earlier one, in memory too.
    fn resolve_after(config: &ConfigSet, mesh: Arc<MeshConfig>, earlier: Option<&Self>) -> (Self, Report) {
        let (registry, mut report) = Registry::build_after(earlier.map(|it| &it.registry), config, &mesh);
        let namespaces = &registry.namespaces;
        let made = ingress::convert(config, &registry, &mesh, &mut report);
        let from_gateway_api = gateway_api::convert(config, &registry, &mesh, &mut report);
        let mut made_gateways = [made.gateways, from_gateway_api.gateways].concat();
        for gateway in &mut made_gateways {
            let known = earlier.and_then(|it| it.made_gateways.iter().find(|old| *old == gateway));
            if let Some(known) = known {
                *gateway = Arc::clone(known);
            }
        }
        let mut gateways = discovered(&config.gateways, namespaces);
        gateways.extend(made_gateways.iter().cloned());
        sort(&mut gateways);
        let objects = discovered(&config.virtual_services, namespaces);
        let merged = virtual_service::merge_all(&objects, &mesh, &mut report);
        let merged = keep(merged, earlier);
        let others = [made.virtual_services, from_gateway_api.virtual_services].concat();
        let mut virtual_services = merged.clone();
        virtual_services.extend(keep(others, earlier));
        virtual_services.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
        let rules = discovered(&config.destination_rules, namespaces);
        let snapshot = Self {
            service_index: ServiceIndex::build(&registry.services, &mesh),
            virtual_service_index: VirtualServiceIndex::build(&virtual_services),
            destination_rules: DestinationRuleIndex::build(&rules, from_gateway_api.destination_rules, &mesh),
            cluster_local: ClusterLocalHosts::of(&mesh),
            virtual_services,
            gateways,
            gateway_bindings: from_gateway_api.bindings,
            sidecars: discovered(&config.sidecars, namespaces),
            peer_authentications: discovered(&config.peer_authentications, namespaces),
            request_authentications: discovered(&config.request_authentications, namespaces),
            authorization_policies: discovered(&config.authorization_policies, namespaces),
            telemetries: discovered(&config.telemetries, namespaces),
            proxy_configs: discovered(&config.proxy_configs, namespaces),
            wasm_plugins: discovered(&config.wasm_plugins, namespaces),
            traffic_extensions: discovered(&config.traffic_extensions, namespaces),
            envoy_filters: discovered(&config.envoy_filters, namespaces),
            workloads: Workloads::build(&config.pods, &registry),
            made_gateways,
            written: update::Written::of(config, &objects, &merged, &rules),
            registry,
            mesh,
            profile: earlier.map_or_else(Profile::default, |earlier| earlier.profile),
        };
        authorizers::check(&snapshot, &mut report);
        tell_refused(&mut report, config);
        (snapshot, report)
    }

    /// Who serves a Gateway that a listener of the Gateway API came to; `None`: it came from none.
    pub(crate) fn gateway_binding(&self, gateway: &Object<Gateway>) -> Option<&GatewayBinding> {
        let name = format!("{}/{}", gateway.meta.namespace, gateway.meta.name);
        self.gateway_bindings.get(name.as_str())
    }

    /// The same mesh with another reading of its policies and token rules.
    #[must_use]
    pub fn with_profile(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }
}

/// VirtualServices, those that an earlier revision had too in their old place in memory.
fn keep(
    virtual_services: Vec<Arc<MergedVirtualService>>,
    earlier: Option<&MeshSnapshot>,
) -> Vec<Arc<MergedVirtualService>> {
    let Some(earlier) = earlier else { return virtual_services };
    let mut known: BTreeMap<(&str, &str), Vec<&Arc<MergedVirtualService>>> = BTreeMap::new();
    for it in &earlier.virtual_services {
        known.entry((&it.namespace, &it.name)).or_default().push(it);
    }
    let keep = |it: Arc<MergedVirtualService>| {
        let same =
            known.get(&(&*it.namespace, &*it.name)).and_then(|list| list.iter().find(|old| ***old == it));
        same.map_or_else(|| Arc::clone(&it), |old| Arc::clone(old))
    };
    virtual_services.into_iter().map(keep).collect()
}

/// Objects by precedence, without those of namespaces that the mesh does not look at (`discoverySelectors`). What stands
/// for refused objects is among them.
fn discovered<S>(store: &Store<S>, namespaces: &Namespaces) -> Vec<Arc<Object<S>>> {
    let is_discovered =
        |object: &&Arc<Object<S>>| namespaces.is_discovered(&object.meta.cluster, &object.meta.namespace);
    let mut objects: Vec<_> = store.in_effect().filter(is_discovered).cloned().collect();
    sort(&mut objects);
    objects
}

/// Sorts by precedence (T-004); objects of one name in several clusters by cluster, so that the result is fixed.
fn sort<S>(objects: &mut [Arc<Object<S>>]) {
    objects.sort_by(|a, b| {
        a.precedence().cmp(&b.precedence()).then_with(|| a.meta.cluster.cmp(&b.meta.cluster))
    });
}
