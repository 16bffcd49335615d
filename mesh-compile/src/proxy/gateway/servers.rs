//! The servers of the Gateways that a proxy serves, hosts and ports resolved (T-404, T-410, T-413, T-415).

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::name::Protocol;
use mesh_model::networking::gateway::spec::{Gateway, Port, Server};
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::part::{ServerTlsMode, ServerTlsSettings};

use super::hosts;
use crate::merge::gateway_api::GatewayBinding;
use crate::view::{ServiceTarget, View, is_bound};

/// A server as this proxy serves it.
#[derive(Debug)]
pub(super) struct GatewayServer<'s> {
    /// The Gateway as `ns/name`.
    pub gateway: Arc<str>,
    /// What was written.
    pub spec: &'s Server,
    /// Its port as written.
    pub port: &'s Port,
    /// `port.number`: what matches on ports compare with (T-418, T-560).
    pub number: u16,
    /// Where the proxy listens (T-404).
    pub listen_port: u16,
    /// `port.protocol`.
    pub protocol: Protocol,
    /// `host` or `ns/host` (T-415).
    pub hosts: Vec<String>,
    /// `spec.servers[i]`.
    pub origin: Origin,
    /// A listener of the Gateway API: what it refers to was granted when it was translated.
    pub is_translated: bool,
    /// Name and namespace of the Gateway, for table names.
    name: (Arc<str>, Arc<str>),
}

/// Every usable server in T-004 order of the Gateways, then in list order.
pub(super) fn of<'s>(view: &View<'s>, report: &mut Report) -> Vec<GatewayServer<'s>> {
    let mut servers = Vec::new();
    for gateway in view.gateways() {
        let binding = view.gateway_binding(gateway);
        for (index, spec) in gateway.spec.servers.iter().enumerate() {
            let origin = match binding {
                Some(binding) => gateway.origin(Arc::clone(&binding.field)),
                None => gateway.origin(format!("spec.servers[{index}]")),
            };
            let number = match number_of(spec) {
                Ok(number) => number,
                Err(reason) => {
                    let help = "correct the server, or give it a port of its own; the others work";
                    report.push(Diagnostic::new(Code::ServerRejected, &origin, reason).help(help));
                    continue;
                }
            };
            let ports = match binding {
                Some(binding) => bound_ports(gateway, binding, number, view.service_targets()),
                None => [listen_port(number, view.service_targets())].into(),
            };
            let at = |port| one(gateway, spec, number, port, origin.clone());
            let served = ports.into_iter().filter_map(at);
            servers.extend(served.map(|server| GatewayServer { is_translated: binding.is_some(), ..server }));
        }
    }
    servers
}

fn number_of(spec: &Server) -> Result<u16, String> {
    let port = spec.port.as_ref().ok_or("the server has no port")?;
    u16::try_from(port.number)
        .ok()
        .filter(|number| *number != 0)
        .ok_or_else(|| format!("`{}` is not a port number", port.number))
}

fn one<'s>(
    gateway: &Object<Gateway>,
    spec: &'s Server,
    number: u16,
    listen_port: u16,
    origin: Origin,
) -> Option<GatewayServer<'s>> {
    let port = spec.port.as_ref()?;
    let (name, namespace) = (&gateway.meta.name, &gateway.meta.namespace);
    Some(GatewayServer {
        gateway: format!("{namespace}/{name}").into(),
        spec,
        port,
        number,
        listen_port,
        protocol: Protocol::parse(&port.protocol),
        hosts: hosts::sanitize(&spec.hosts, namespace),
        origin,
        is_translated: false,
        name: (Arc::clone(name), Arc::clone(namespace)),
    })
}

/// The port of the workload behind the first service of this port, else the number itself (T-404, E-046).
fn listen_port(number: u16, targets: &[ServiceTarget]) -> u16 {
    targets
        .iter()
        .filter(|target| !target.service.no_gateway_port_translation)
        .find(|target| target.port.number == number)
        .map_or(number, |target| target.target_port)
}

/// The ports of the workload behind the Services of a listener; a port that they do not have is not served.
fn bound_ports(
    gateway: &Object<Gateway>,
    binding: &GatewayBinding,
    number: u16,
    targets: &[ServiceTarget],
) -> BTreeSet<u16> {
    targets
        .iter()
        .filter(|target| target.port.number == number && is_bound(gateway, binding, target))
        .map(|target| target.target_port)
        .collect()
}

impl GatewayServer<'_> {
    /// Its TLS settings; HTTP servers may have some for the sake of `httpsRedirect`.
    pub(super) fn tls(&self) -> Option<&ServerTlsSettings> {
        self.spec.tls.as_deref()
    }

    /// Whether it takes TLS, terminated or not (T-410).
    pub(super) fn is_tls(&self) -> bool {
        self.spec.tls.is_some() && !self.protocol.is_http()
    }

    /// Whether requests are read: HTTP in plaintext, or HTTPS that is terminated (T-410, T-428).
    pub(super) fn is_http(&self) -> bool {
        self.protocol.is_http() || (self.protocol == Protocol::Https && !self.passes_through())
    }

    /// Whether TLS is forwarded as it is.
    pub(super) fn passes_through(&self) -> bool {
        self.tls().is_some_and(|tls| {
            matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough)
        })
    }

    /// Whether requests are read from TLS that it terminates.
    pub(super) fn terminates_https(&self) -> bool {
        self.protocol == Protocol::Https && self.spec.tls.is_some() && !self.passes_through()
    }

    /// Whether every plaintext request is redirected to HTTPS (T-422).
    pub(super) fn redirects_to_https(&self) -> bool {
        self.tls().is_some_and(|tls| tls.https_redirect)
    }

    /// `bind`; empty: every address.
    pub(super) fn bind(&self) -> &str {
        &self.spec.bind
    }

    /// Server names of its chain, lower case, sorted; empty: any, also none (T-421, E-030).
    pub(super) fn server_names(&self) -> Vec<Arc<str>> {
        hosts::server_names(self.hosts.iter().map(|host| hosts::without_namespace(host)))
    }

    /// The route table of its requests (T-413); `None`: it reads none.
    pub(super) fn route_table(&self) -> Option<Arc<str>> {
        let bind = if self.bind().is_empty() { String::new() } else { format!(".{}", self.bind()) };
        if self.protocol.is_http() {
            return Some(format!("http.{}{bind}", self.listen_port).into());
        }
        let (name, namespace) = &self.name;
        self.is_http()
            .then(|| format!("https.{}.{}.{name}.{namespace}{bind}", self.number, self.port.name).into())
    }
}
