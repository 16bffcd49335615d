//! Which workload ports have chains of their own: from Services, or from the Sidecar's ingress (T-390, T-490).

use std::collections::BTreeMap;
use std::net::IpAddr;

use mesh_model::name::Protocol;
use mesh_model::networking::sidecar::spec::CaptureMode;
use mesh_model::origin::Origin;

use crate::proxy::settings;
use crate::view::View;

/// Ports below are for privileged proxies.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// A workload port with chains of its own.
#[derive(Debug, Clone)]
pub(super) struct InboundPort {
    /// The workload's port.
    pub(super) number: u16,
    /// Port of the Service, for names.
    pub(super) service_port: u16,
    pub(super) protocol: Protocol,
    /// The address in its name.
    pub(super) bind: IpAddr,
    /// A listener of its own at that address, rather than chains of the virtual listener (T-376).
    pub(super) binds_port: bool,
    /// Why it exists.
    pub(super) origin: Origin,
}

/// By workload port; the first Service that names a port decides (oldest first, T-490).
pub(super) fn ports(view: &View<'_>) -> BTreeMap<u16, InboundPort> {
    let mut ports = BTreeMap::new();
    let wildcard = view.proxy().families().wildcard();
    let captures = settings::captures(view);
    match view.sidecar().filter(|sidecar| !sidecar.spec.ingress.is_empty()) {
        Some(sidecar) => {
            for (index, listener) in sidecar.spec.ingress.iter().enumerate() {
                let Some(port) = &listener.port else { continue };
                let Ok(number) = u16::try_from(port.number) else { continue };
                let written: Option<IpAddr> = listener.bind.parse().ok();
                let protocol = Protocol::parse(&port.protocol);
                // A reserved port clashes only where the wildcard is named, or where HTTP leaves the address open.
                if settings::is_static_port(view, u32::from(number))
                    && (written == Some(wildcard) || listener.bind.is_empty() && protocol.is_http())
                {
                    continue;
                }
                // What asks for capture never has a socket, also where nothing is captured: nobody reaches it then.
                let binds_port = match listener.capture_mode {
                    CaptureMode::Default => !captures,
                    CaptureMode::Iptables => false,
                    CaptureMode::None => true,
                };
                if binds_port && number < FIRST_UNPRIVILEGED && settings::is_unprivileged(view) {
                    continue;
                }
                let bind = written.or_else(|| view.proxy().unicast_address()).unwrap_or(wildcard);
                let origin = sidecar.origin(format!("spec.ingress[{index}]"));
                ports.entry(number).or_insert(InboundPort {
                    number,
                    service_port: number,
                    protocol,
                    bind,
                    binds_port,
                    origin,
                });
            }
        }
        // Without capture the services' ports belong to the application.
        None if !captures => {}
        None => {
            for target in view.service_targets() {
                let number = u32::from(target.target_port);
                if settings::is_static_port(view, number) || settings::is_capture_port(view, number) {
                    continue;
                }
                let origin =
                    Origin::written(&target.service.provenance, format!("spec.ports[{}]", target.port.index));
                ports.entry(target.target_port).or_insert(InboundPort {
                    number: target.target_port,
                    service_port: target.port.number,
                    protocol: target.port.protocol,
                    bind: wildcard,
                    binds_port: false,
                    origin,
                });
            }
        }
    }
    ports
}

/// The ports of the virtual listeners.
pub(super) fn own_ports(view: &View<'_>) -> [u16; 2] {
    let port = |number: i32, default: u16| u16::try_from(number).unwrap_or(default);
    [port(view.mesh().proxy_listen_port(), 15001), port(view.mesh().proxy_inbound_listen_port(), 15006)]
}
