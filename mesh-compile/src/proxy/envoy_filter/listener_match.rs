//! Which listeners and filter chains a patch means.

use mesh_model::networking::envoy_filter::spec::{ApplyTo, ListenerMatch};

use super::applicable::Patch;
use crate::proxy::listener::{ChainMatch, FilterChain, Listener, Network, Transport};

/// The port of the virtual listeners is a condition of their chains.
fn is_virtual(listener: &Listener) -> bool {
    matches!(&*listener.name, "virtualInbound" | "virtualOutbound")
}

/// Whether a patch means a listener, apart from what it asks of chains and filters.
pub(super) fn means(patch: &Patch, listener: &Listener) -> bool {
    let Some(ListenerMatch { port_number, name, .. }) = patch.listener() else { return true };
    if !name.is_empty() && **name != *listener.name {
        return false;
    }
    if patch.apply_to != ApplyTo::Listener && is_virtual(listener) {
        return true;
    }
    *port_number == 0 || *port_number == u32::from(listener.port)
}

/// Whether a patch means a chain of a listener that it means.
pub(super) fn means_chain(patch: &Patch, listener: &Listener, chain: &FilterChain) -> bool {
    let Some(wanted) = patch.listener() else { return true };
    let ChainMatch { destination_port, server_names, transport, application_protocols, .. } = &chain.matches;
    let port = destination_port.map_or(0, u32::from);
    if is_virtual(listener) && wanted.port_number > 0 && wanted.port_number != port {
        return false;
    }
    let Some(wanted) = &wanted.filter_chain else { return true };
    let transport = match transport {
        Some(Transport::Tls) => "tls",
        Some(Transport::RawBuffer) => "raw_buffer",
        None => "",
    };
    let speaks = |protocol: &str| application_protocols.iter().any(|it| **it == *protocol);
    (wanted.name.is_empty() || is_called(chain, &wanted.name))
        && (wanted.sni.is_empty() || server_names.iter().any(|it| **it == *wanted.sni))
        && (wanted.transport_protocol.is_empty() || wanted.transport_protocol == transport)
        && (wanted.application_protocols.is_empty() || wanted.application_protocols.split(',').all(speaks))
        && (wanted.destination_port == 0 || wanted.destination_port == port)
}

/// Chains of one port have Istio's name of the port in front of what tells them apart here.
fn is_called(chain: &FilterChain, name: &str) -> bool {
    let own = chain.name.split(' ').next().unwrap_or_default();
    let is_http = matches!(chain.network, Network::Http(_));
    match name {
        "virtualInbound-catchall-http" => own == "virtualInbound" && is_http,
        "virtualInbound" => own == "virtualInbound" && !is_http,
        name => *chain.name == *name || own == name,
    }
}
