//! Service ports: names that tell the protocol.

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::Protocol as KubernetesProtocol;
use mesh_model::kubernetes::service::{ServicePort, ServiceType};
use mesh_model::name::{Protocol, Transport};

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};
use crate::analyze::in_mesh::{MANAGED, is_control_plane};

/// What Istio itself makes for gateways.
const CONTROLLERS: [&str; 3] =
    ["istio.io-gateway-controller", "istio.io-mesh-controller", "istio.io-eastwest-controller"];

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for service in context.objects(&context.config.services) {
        let is_managed = service.meta.labels.get(MANAGED).is_some_and(|by| CONTROLLERS.contains(&by));
        if is_managed || is_control_plane(&service.meta.labels) {
            continue;
        }
        let is_external = service.spec.spec.r#type == ServiceType::ExternalName;
        for (index, port) in service.spec.spec.ports.iter().enumerate() {
            let is_bare = is_external && port.name == "tcp";
            if !protocol(port).is_unsupported() && !is_bare {
                continue;
            }
            let path = format!("spec.ports[{index}]");
            let name = match port.name.as_str() {
                "" => format!("port {} has no name", port.port),
                name => format!("port {} is named `{}`", port.port, short(name)),
            };
            if is_external {
                let message = format!("{name}, which tells no protocol that an outside host can have");
                let help = "name it `http`, `https`, `tls` or another protocol: plain `tcp` would capture every address";
                found.add(service, &path, Code::ExternalNamePortName, message, help);
            } else {
                let message = format!("{name}, which tells no protocol, so that it is detected");
                let help = "begin the name with the protocol (`http-web`), or set `appProtocol`";
                found.add(service, &path, Code::PortNameUnconventional, message, help);
            }
        }
    }
}

fn protocol(port: &ServicePort) -> Protocol {
    let transport = match port.protocol {
        KubernetesProtocol::Udp => Transport::Udp,
        KubernetesProtocol::Sctp => Transport::Sctp,
        _ => Transport::Tcp,
    };
    let number = u16::try_from(port.port).unwrap_or_default();
    Protocol::from_name_and_app_protocol(&port.name, port.app_protocol.as_deref(), transport, number)
}
