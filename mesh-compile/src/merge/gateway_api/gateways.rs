//! Gateways of the classes that Istio serves: a Gateway with one server for every listener.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, Report, did_you_mean, nearest};
use mesh_model::gateway_api::{AllowedRoutes, GROUP, KubernetesGateway, Listener};
use mesh_model::networking::gateway::spec::{Gateway, Port, Server};
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::part::ServerTlsSettings;

use super::grants::Grants;
use super::parents::{Listeners, Parent};
use super::{Converted, GatewayBinding, MADE, general_help, listener_tls, report_at, report_with};
use crate::registry::{DOMAIN, Registry};

/// The controller whose gateways are translated.
const CONTROLLER: &str = "istio.io/gateway-controller";
/// Controllers of Istio whose gateways have no routes here.
const OTHER_CONTROLLERS: [&str; 3] =
    ["istio.io/unmanaged-gateway", "istio.io/mesh-controller", "istio.io/eastwest-controller"];
/// The class that exists also where nobody wrote it.
const BUILT_IN_CLASS: &str = "istio";
/// Those that Istio makes itself.
const BUILT_IN_CLASSES: [&str; 4] = [BUILT_IN_CLASS, "istio-remote", "istio-waypoint", "istio-east-west"];
const NAME_OVERRIDE: &str = "gateway.istio.io/name-override";
/// Protocols of listeners that are served.
const PROTOCOLS: [&str; 4] = ["HTTP", "HTTPS", "TCP", "TLS"];
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Makes the Gateways, and notes every listener that routes can be attached to.
pub(super) fn convert(
    config: &ConfigSet,
    registry: &Registry,
    grants: &Grants,
    listeners: &mut Listeners,
    made: &mut Converted,
    report: &mut Report,
) {
    let classes: BTreeMap<&str, &str> = config
        .gateway_classes
        .iter()
        .map(|class| (&*class.meta.name, class.spec.spec.controller_name.as_str()))
        .filter(|(_, controller)| *controller == CONTROLLER || OTHER_CONTROLLERS.contains(controller))
        .collect();
    for gateway in config.kubernetes_gateways.by_precedence() {
        let meta = &gateway.meta;
        if !registry.namespaces.is_discovered(&meta.cluster, &meta.namespace) {
            continue;
        }
        let class = gateway.spec.spec.gateway_class_name.as_str();
        let is_ours = match classes.get(class) {
            Some(controller) => *controller == CONTROLLER,
            None => class == BUILT_IN_CLASS,
        };
        if !is_ours {
            misspelt_class(config, &gateway, &classes, report);
        }
        if is_ours {
            let builder = Builder { config, grants, gateway: &gateway };
            builder.listeners(listeners, made, report);
        }
    }
}

/// A class that nobody has, and that is nearly called like one of ours; others may be those of other controllers.
fn misspelt_class(
    config: &ConfigSet,
    gateway: &Object<KubernetesGateway>,
    classes: &BTreeMap<&str, &str>,
    report: &mut Report,
) {
    let written = gateway.spec.spec.gateway_class_name.as_str();
    let is_known = config.gateway_classes.iter().any(|class| &*class.meta.name == written);
    let candidates = || classes.keys().copied().chain(BUILT_IN_CLASSES);
    let Some(near) =
        nearest(written, candidates()).filter(|_| !is_known && candidates().all(|class| class != written))
    else {
        return;
    };
    let at = Place::of(&gateway.provenance, "spec.gatewayClassName");
    let message = format!("there is no GatewayClass `{written}`: nobody may serve the gateway");
    let finding = Diagnostic::new(Code::NotServed, at, message).help(format!("did you mean `{near}`?"));
    report.push(finding.missing(Missing::object("GatewayClass", "", written)));
}

/// A Gateway that is translated.
struct Builder<'b> {
    config: &'b ConfigSet,
    grants: &'b Grants,
    gateway: &'b Arc<Object<KubernetesGateway>>,
}

impl Builder<'_> {
    fn listeners(&self, listeners: &mut Listeners, made: &mut Converted, report: &mut Report) {
        let spec = &self.gateway.spec.spec;
        let services = self.services();
        if services.is_empty() {
            let message = "no address is a hostname: the gateway is served by nobody";
            report_at(&self.gateway.provenance, "spec.addresses", Code::NotServed, message, report);
            return;
        }
        let mut accepted: Vec<&Listener> = Vec::new();
        for (index, listener) in spec.listeners.iter().enumerate() {
            let field: Arc<str> = format!("spec.listeners[{index}]").into();
            if let Some(holder) = accepted.iter().find(|holder| !are_distinct(holder, listener)) {
                let message = format!(
                    "port {} is that of listener `{}`, and protocol and host do not part them: it is left out",
                    listener.port, holder.name
                );
                report_at(&self.gateway.provenance, &field, Code::ServerRejected, message, report);
                continue;
            }
            accepted.push(listener);
            let Some((server, is_valid)) = self.server(listener, &field, report) else { continue };
            let name: Arc<str> = format!("{}~{MADE}~{}", self.gateway.meta.name, listener.name).into();
            let internal: Arc<str> = format!("{}/{name}", self.gateway.meta.namespace).into();
            listeners.add(
                &self.gateway.meta,
                Parent {
                    internal: Arc::clone(&internal),
                    kinds: allowed_kinds(listener),
                    hosts: server.hosts.clone(),
                    hostname: listener.hostname.clone().unwrap_or_default(),
                    section: listener.name.clone(),
                    port: listener.port,
                    protocol: listener.protocol.clone(),
                },
            );
            if is_valid {
                let binding =
                    GatewayBinding { services: services.clone(), is_managed: self.is_managed(), field };
                made.bindings.insert(internal, binding);
                made.gateways.push(Arc::new(self.gateway_of(name, server)));
            }
        }
    }

    fn gateway_of(&self, name: Arc<str>, server: Server) -> Object<Gateway> {
        let meta = &self.gateway.meta;
        Object {
            meta: ObjectMeta {
                name,
                namespace: Arc::clone(&meta.namespace),
                created: meta.created,
                cluster: Arc::clone(&meta.cluster),
                ..ObjectMeta::default()
            },
            spec: Gateway { servers: vec![server], ..Gateway::default() },
            provenance: Arc::clone(&self.gateway.provenance),
        }
    }

    /// Without addresses, or with one IP address, Istio runs the workload.
    fn is_managed(&self) -> bool {
        match self.gateway.spec.spec.addresses.as_slice() {
            [] => true,
            [only] => only.r#type.as_deref().is_none_or(|kind| kind == "IPAddress"),
            _ => false,
        }
    }

    /// Hostnames of the Services whose workloads serve the gateway.
    fn services(&self) -> BTreeSet<String> {
        let Object { meta, spec, .. } = &**self.gateway;
        let spec = &spec.spec;
        let in_cluster = |name: &str| format!("{name}.{}.svc.{DOMAIN}", meta.namespace);
        if self.is_managed() {
            let default = || format!("{}-{}", meta.name, spec.gateway_class_name);
            let name = meta.annotations.get(NAME_OVERRIDE).map(str::to_owned).unwrap_or_else(default);
            return [in_cluster(&name)].into();
        }
        let is_host = |kind: &Option<String>| kind.as_deref().is_none_or(|kind| kind == "Hostname");
        let hosts = spec.addresses.iter().filter(|address| is_host(&address.r#type));
        hosts
            .map(|address| match address.value.as_str() {
                host if host.contains('.') => host.to_owned(),
                short => in_cluster(short),
            })
            .collect()
    }

    /// The server of a listener and whether it is served; `None`: TLS is missing, no route can be attached either.
    fn server(&self, listener: &Listener, field: &str, report: &mut Report) -> Option<(Server, bool)> {
        let provenance = &self.gateway.provenance;
        let mut is_valid = true;
        if !PROTOCOLS.contains(&listener.protocol.as_str()) {
            let message =
                format!("protocol `{}` is not supported: the listener is left out", listener.protocol);
            let help = did_you_mean(&listener.protocol, PROTOCOLS, "protocols").unwrap_or_default();
            let at = format!("{field}.protocol");
            report_with(provenance, &at, Code::ServerRejected, message, help, report);
            is_valid = false;
        }
        let context =
            listener_tls::Context { config: self.config, grants: self.grants, gateway: self.gateway };
        let tls = listener.tls.as_ref().map(|tls| match context.build(listener, tls) {
            Ok(settings) => settings,
            Err(problem) => {
                is_valid = false;
                let code = if problem.is_grant { Code::ReferenceNotPermitted } else { Code::ServerRejected };
                let message = format!("{}: the listener is left out", problem.message);
                let at = Place::of(provenance, &format!("{field}.tls"));
                let mut finding = Diagnostic::new(code, at, message).help(general_help(code));
                finding.missing = problem.missing.map(Box::new);
                report.push(finding);
                // Routes find the listener all the same.
                ServerTlsSettings::default()
            }
        });
        if tls.is_none() && matches!(listener.protocol.as_str(), "HTTPS" | "TLS") {
            let message = "the protocol needs `tls`: the listener is left out";
            report_at(provenance, field, Code::ServerRejected, message, report);
            return None;
        }
        let server = Server {
            port: Some(Port {
                number: u32::from(listener.port),
                protocol: listener.protocol.clone(),
                name: "default".to_owned(),
                ..Port::default()
            }),
            hosts: self.hosts(listener),
            tls: tls.map(Box::new),
            ..Server::default()
        };
        Some((server, is_valid))
    }

    /// `ns/host` for every namespace whose routes may be attached; `~/host` where there is none.
    fn hosts(&self, listener: &Listener) -> Vec<String> {
        let host = listener.hostname.as_deref().unwrap_or("*");
        let namespaces = self.namespaces(listener.allowed_routes.as_ref());
        if namespaces.is_empty() {
            return vec![format!("~/{host}")];
        }
        namespaces.iter().map(|namespace| format!("{namespace}/{host}")).collect()
    }

    fn namespaces(&self, allowed: Option<&AllowedRoutes>) -> Vec<String> {
        let allowed = allowed.and_then(|allowed| allowed.namespaces.as_ref());
        let own = || vec![self.gateway.meta.namespace.to_string()];
        let Some(allowed) = allowed else { return own() };
        match (allowed.from.as_deref(), &allowed.selector) {
            (None | Some("Same"), _) => own(),
            (Some("All"), _) | (_, None) => vec!["*".to_owned()],
            (_, Some(selector)) => {
                let Some(selector) = selector.compiled() else { return Vec::new() };
                let mut names: BTreeSet<String> = BTreeSet::new();
                for namespace in self.config.namespaces.iter() {
                    let mut labels = namespace.meta.labels.clone();
                    labels.insert(NAMESPACE_NAME, &namespace.meta.name);
                    let is_own_cluster = namespace.meta.cluster == self.gateway.meta.cluster;
                    if is_own_cluster && selector.matches(&labels) {
                        names.insert(namespace.meta.name.to_string());
                    }
                }
                names.into_iter().collect()
            }
        }
    }
}

/// Kinds of routes that fit the protocol and are wanted.
fn allowed_kinds(listener: &Listener) -> Vec<&'static str> {
    let mode = listener.tls.as_ref().and_then(|tls| tls.mode.as_deref());
    let supported: &[&'static str] = match (listener.protocol.as_str(), mode) {
        ("HTTP" | "HTTPS", _) => &["HTTPRoute", "GRPCRoute"],
        ("TCP", _) => &["TCPRoute"],
        ("TLS", Some("Terminate")) => &["TLSRoute", "TCPRoute"],
        ("TLS", _) => &["TLSRoute"],
        _ => &[],
    };
    let wanted = listener.allowed_routes.as_ref().map_or(&[][..], |allowed| &allowed.kinds);
    let is_wanted = |kind: &&&str| {
        wanted.is_empty()
            || wanted.iter().any(|wanted| {
                wanted.kind == **kind && wanted.group.as_deref().is_none_or(|group| group == GROUP)
            })
    };
    supported.iter().filter(is_wanted).copied().collect()
}

/// Whether two listeners can stand side by side: they differ in port or host, or in a protocol that tells them apart.
fn are_distinct(first: &Listener, second: &Listener) -> bool {
    let is_stream = |listener: &Listener| matches!(listener.protocol.as_str(), "TCP" | "UDP");
    let reads_host = |listener: &Listener| matches!(listener.protocol.as_str(), "HTTP" | "HTTPS" | "TLS");
    let host = |listener: &Listener| match listener.hostname.as_deref() {
        None | Some("") => "*".to_owned(),
        Some(host) => host.to_owned(),
    };
    if first.port != second.port {
        return true;
    }
    match (is_stream(first), is_stream(second), reads_host(first), reads_host(second)) {
        (true, true, ..) | (true, _, _, true) | (_, true, true, _) => false,
        (_, _, true, true) => host(first) != host(second),
        _ => first.protocol != second.protocol,
    }
}
