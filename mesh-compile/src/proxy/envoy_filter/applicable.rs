//! Which patches are for a proxy, in which order, and which objects they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_authz::selection::{Home, attaches};
use mesh_model::networking::envoy_filter::spec::{
    ApplyTo, ClusterMatch, EnvoyConfigObjectPatch, EnvoyFilter, FilterMatch, ListenerMatch, ObjectMatch,
    PatchContext, PatchOperation, ProxyMatch, RouteAction as WantedAction, RouteConfigurationMatch,
};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use serde_json::{Map, Value};

use super::{PatchOutcome, without_equivalent};
use crate::proxy::listener::{Direction, Listener};
use crate::proxy_identity::{Proxy, ProxyKind};
use crate::route_table::action::RouteAction;
use crate::route_table::pattern::Pattern;
use crate::route_table::{Route, VirtualHost};
use crate::view::View;

/// The patches of one proxy, in order.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    pub(super) list: Vec<Patch>,
    kind: Option<ProxyKind>,
    /// Hostnames of the services behind each port of the workload.
    inbound_hosts: BTreeMap<u16, BTreeSet<Arc<str>>>,
}

/// One patch.
#[derive(Debug)]
pub(super) struct Patch {
    object: Arc<Object<EnvoyFilter>>,
    index: usize,
    pub(super) apply_to: ApplyTo,
    pub(super) operation: PatchOperation,
}

/// EnvoyFilters of the root namespace and of the proxy's, by priority, the root namespace first, by age, by name.
pub(crate) fn select(view: &View<'_>) -> Patches {
    let (proxy, root) = (view.proxy(), view.mesh().root_namespace());
    let is_for = |object: &&Arc<Object<EnvoyFilter>>| {
        let home = Home { policy: &object.meta.namespace, root_namespace: root, namespace: &proxy.namespace };
        let is_near = *object.meta.namespace == *root || object.meta.namespace == proxy.namespace;
        let labels = object.spec.workload_selector.as_ref().map(|selector| &selector.labels);
        is_near && attaches(&object.spec.target_refs, labels, &home, &proxy.labels)
    };
    let mut objects: Vec<_> = view.envoy_filters().iter().filter(is_for).collect();
    objects.sort_by_key(|it| {
        let is_other = *it.meta.namespace != *root;
        (it.spec.priority, is_other, it.meta.created.unwrap_or(i64::MIN), Arc::clone(&it.meta.name))
    });
    let mut list = Vec::new();
    for object in objects {
        for (index, written) in object.spec.config_patches.iter().enumerate() {
            let Some(patch) = &written.patch else { continue };
            if !written.matches.as_ref().and_then(|it| it.proxy.as_ref()).is_none_or(|it| is_proxy(it, proxy))
            {
                continue;
            }
            let context = written.matches.as_ref().map_or(PatchContext::Any, |it| it.context);
            if !is_context_of(context, proxy.kind) {
                continue;
            }
            let operation = patch.operation;
            list.push(Patch { object: Arc::clone(object), index, apply_to: written.apply_to, operation });
        }
    }
    let mut inbound_hosts: BTreeMap<u16, BTreeSet<Arc<str>>> = BTreeMap::new();
    if !list.is_empty() && proxy.kind == ProxyKind::Sidecar {
        for target in view.service_targets() {
            let hosts = inbound_hosts.entry(target.target_port).or_default();
            hosts.insert(Arc::clone(&target.service.hostname));
        }
    }
    Patches { list, kind: Some(proxy.kind), inbound_hosts }
}

/// Whether such a proxy has any objects of a context.
fn is_context_of(context: PatchContext, kind: ProxyKind) -> bool {
    match context {
        PatchContext::Any => true,
        PatchContext::SidecarInbound | PatchContext::SidecarOutbound => kind == ProxyKind::Sidecar,
        PatchContext::Gateway => kind == ProxyKind::Gateway,
        PatchContext::Waypoint => false,
    }
}

/// The longest expression for versions that Istio reads.
const VERSION_BYTES_MAX: usize = 1024;

/// A proxy that says no version fits no expression; one that cannot be read fits nothing.
fn is_proxy(wanted: &ProxyMatch, proxy: &Proxy) -> bool {
    let version = proxy.metadata.get("ISTIO_VERSION").map_or("", String::as_str);
    let expression = wanted.proxy_version.as_str();
    let is_version = expression.is_empty()
        || (expression.len() <= VERSION_BYTES_MAX
            && !version.is_empty()
            && Pattern::search(expression).is_ok_and(|it| it.is_match(version.as_bytes())));
    is_version
        && wanted.metadata.iter().all(|(key, value)| proxy.metadata.get(key).is_some_and(|own| own == value))
}

impl Patch {
    fn written(&self) -> Option<&EnvoyConfigObjectPatch> {
        self.object.spec.config_patches.get(self.index)
    }

    fn context(&self) -> PatchContext {
        self.written().and_then(|it| it.matches.as_ref()).map_or(PatchContext::Any, |it| it.context)
    }

    fn object_match(&self) -> Option<&ObjectMatch> {
        self.written()?.matches.as_ref().map(|it| &it.object)
    }

    /// Where it was written.
    pub(super) fn origin(&self) -> Origin {
        self.object.origin(format!("spec.configPatches[{}]", self.index))
    }

    /// What it says.
    pub(super) fn value(&self) -> Option<&Map<String, Value>> {
        self.written()?.patch.as_ref()?.value.as_ref()
    }

    /// The beginning of its outcome: nothing has been changed yet.
    pub(super) fn outcome(&self) -> PatchOutcome {
        let why = without_equivalent(self.apply_to, self.operation);
        PatchOutcome {
            origin: self.origin(),
            apply_to: self.apply_to.as_str(),
            operation: self.operation.as_str(),
            changed: Vec::new(),
            left_out: why.map(|why| (String::new(), why.into())).into_iter().collect(),
        }
    }

    /// Whether lists are replaced instead of appended to.
    pub(super) fn replaces_lists(&self) -> bool {
        self.operation == PatchOperation::MergeAndReplaceList
    }
}

impl Patches {
    /// Whether both are the patches of the very same objects for the same proxy.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let is_same = |(a, b): (&Patch, &Patch)| Arc::ptr_eq(&a.object, &b.object) && a.index == b.index;
        (self.kind, &self.inbound_hosts) == (other.kind, &other.inbound_hosts)
            && self.list.len() == other.list.len()
            && self.list.iter().zip(&other.list).all(is_same)
    }

    /// Patches of a kind of object that change it, with their places in the list.
    pub(super) fn of(&self, apply_to: ApplyTo) -> impl Iterator<Item = (usize, &Patch)> {
        let is_wanted = move |(_, patch): &(usize, &Patch)| {
            patch.apply_to == apply_to && without_equivalent(patch.apply_to, patch.operation).is_none()
        };
        self.list.iter().enumerate().filter(is_wanted)
    }

    fn is_in_context(&self, patch: &Patch, is_inbound: bool) -> bool {
        match patch.context() {
            PatchContext::Any => true,
            PatchContext::SidecarInbound => self.kind == Some(ProxyKind::Sidecar) && is_inbound,
            PatchContext::SidecarOutbound => self.kind == Some(ProxyKind::Sidecar) && !is_inbound,
            PatchContext::Gateway => self.kind == Some(ProxyKind::Gateway),
            PatchContext::Waypoint => false,
        }
    }

    /// Whether a patch means a listener, as far as its context, name and port go.
    pub(super) fn means_listener(&self, patch: &Patch, listener: &Listener) -> bool {
        self.is_in_context(patch, listener.direction == Direction::Inbound)
            && super::listener_match::means(patch, listener)
    }

    /// On which side an added listener or cluster is; `None`: the proxy has no such side. Without a context it is that of
    /// what goes out.
    pub(super) fn direction_of_added(&self, patch: &Patch) -> Option<Direction> {
        let outwards = match self.kind? {
            ProxyKind::Sidecar => Direction::Outbound,
            ProxyKind::Gateway => Direction::Gateway,
        };
        match patch.context() {
            PatchContext::Any => Some(outwards),
            PatchContext::SidecarOutbound => Some(outwards).filter(|it| *it == Direction::Outbound),
            PatchContext::SidecarInbound if outwards == Direction::Outbound => Some(Direction::Inbound),
            PatchContext::Gateway => Some(outwards).filter(|it| *it == Direction::Gateway),
            PatchContext::SidecarInbound | PatchContext::Waypoint => None,
        }
    }

    /// The extension configurations that patches add, by name, each with the place of its patch.
    pub(super) fn extension_configs(&self) -> impl Iterator<Item = (usize, Arc<str>)> {
        let name = |patch: &Patch| Some(super::value::field(patch.value()?, "name")?.as_str()?.into());
        self.of(ApplyTo::ExtensionConfig).filter_map(move |(place, patch)| Some((place, name(patch)?)))
    }

    /// The extension configuration of a name.
    pub(super) fn extension_config(&self, name: &str) -> Option<&Map<String, Value>> {
        let is_named = |value: &&Map<String, Value>| {
            super::value::field(value, "name").and_then(Value::as_str) == Some(name)
        };
        self.of(ApplyTo::ExtensionConfig).filter_map(|(_, patch)| patch.value()).find(is_named)
    }

    /// Whether a patch means the cluster of a name (`outbound|80|v1|host`).
    pub(super) fn means_cluster(&self, patch: &Patch, name: &str) -> bool {
        let is_inbound = name.starts_with("inbound|") || name == "InboundPassthroughCluster";
        if !self.is_in_context(patch, is_inbound) {
            return false;
        }
        let Some(ObjectMatch::Cluster(wanted)) = patch.object_match() else { return true };
        let ClusterMatch { port_number, service, subset, name: whole } = wanted;
        if !whole.is_empty() {
            return whole == name;
        }
        let mut parts = name.splitn(4, '|').skip(1);
        let port = parts.next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(0);
        let (own_subset, host) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let behind = self.inbound_hosts.get(&port).filter(|hosts| is_inbound && !hosts.is_empty());
        let is_service =
            service.is_empty() || behind.map_or(service == host, |hosts| hosts.contains(service.as_str()));
        is_service
            && (subset.is_empty() || subset == own_subset)
            && (*port_number == 0 || *port_number == u32::from(port))
    }

    /// Whether a patch means the route table of a name (`80`, `http.8080`, `https.443.https.shop.edge`, `inbound|80||`).
    pub(super) fn means_table(&self, patch: &Patch, name: &str) -> bool {
        if !self.is_in_context(patch, name.starts_with("inbound|")) {
            return false;
        }
        let Some(wanted) = patch.routes() else { return true };
        let RouteConfigurationMatch { port_number, port_name, gateway, vhost: _, name: whole } = wanted;
        if !whole.is_empty() && whole != name {
            return false;
        }
        if self.kind != Some(ProxyKind::Gateway) {
            let port =
                name.strip_prefix("inbound|").map_or(name, |rest| rest.split('|').next().unwrap_or(""));
            let number = port.parse::<u32>().unwrap_or(0);
            return *port_number == 0 || *port_number == number;
        }
        let (number, own_port, own_gateway) = gateway_table(name);
        (port_name.is_empty() || *port_name == own_port)
            && (gateway.is_empty() || *gateway == own_gateway)
            && (*port_number == 0 || *port_number == number)
    }
}

impl Patch {
    /// What it asks of listeners.
    pub(super) fn listener(&self) -> Option<&ListenerMatch> {
        match self.object_match()? {
            ObjectMatch::Listener(wanted) => Some(wanted),
            _ => None,
        }
    }

    fn filter(&self) -> Option<&FilterMatch> {
        self.listener()?.filter_chain.as_ref()?.filter.as_ref()
    }

    /// The network filter that it goes by.
    pub(super) fn network_filter(&self) -> Option<&str> {
        self.filter().map(|it| it.name.as_str())
    }

    /// The HTTP filter that it goes by.
    pub(super) fn http_filter(&self) -> Option<&str> {
        self.filter()?.sub_filter.as_ref().map(|it| it.name.as_str())
    }

    /// Whether it goes by a route.
    pub(super) fn names_a_route(&self) -> bool {
        self.routes().and_then(|it| it.vhost.as_ref()).is_some_and(|it| it.route.is_some())
    }

    fn routes(&self) -> Option<&RouteConfigurationMatch> {
        match self.object_match()? {
            ObjectMatch::RouteConfiguration(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// Whether it means a virtual host of a table that it means.
    pub(super) fn means_host(&self, host: &VirtualHost) -> bool {
        let Some(wanted) = self.routes().and_then(|it| it.vhost.as_ref()) else { return true };
        (wanted.name.is_empty() || wanted.name == *host.name)
            && (wanted.domain_name.is_empty()
                || host.domains.iter().any(|it| wanted.domain_name.eq_ignore_ascii_case(it)))
    }

    /// Whether it means a route of a virtual host that it means.
    pub(super) fn means_route(&self, route: &Route) -> bool {
        let wanted = self.routes().and_then(|it| it.vhost.as_ref()).and_then(|it| it.route.as_ref());
        let Some(wanted) = wanted else { return true };
        let is_action = matches!(
            (wanted.action, &route.action),
            (WantedAction::Any, _)
                | (WantedAction::Route, RouteAction::Forward(_))
                | (WantedAction::Redirect, RouteAction::Redirect(_))
                | (WantedAction::DirectResponse, RouteAction::Respond(_))
        );
        is_action && (wanted.name.is_empty() || wanted.name == *route.name)
    }
}

/// Port, name of the server's port and `namespace/name` of the Gateway that a gateway's table is for (T-421).
fn gateway_table(name: &str) -> (u32, String, String) {
    if let Some(port) = name.strip_prefix("http.") {
        return (
            port.split('.').next().and_then(|it| it.parse().ok()).unwrap_or(0),
            String::new(),
            String::new(),
        );
    }
    let Some(rest) = name.strip_prefix("https.") else { return (0, String::new(), String::new()) };
    let mut parts = rest.split('.');
    let number = parts.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    let (port, gateway, namespace) =
        (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    (number, port.to_owned(), format!("{namespace}/{gateway}"))
}
