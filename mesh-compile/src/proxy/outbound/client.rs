//! What every part of the client side needs to know of the proxy.

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::name::Protocol;

use crate::proxy::listener::{Direction, HttpLimits, HttpManager};
use crate::proxy::proxy_headers::ProxyHeaders;
use crate::proxy::settings;
use crate::view::{OutboundPolicy, View};

/// The proxy whose client side is compiled.
pub(super) struct Client<'v, 's> {
    pub(super) view: &'v View<'s>,
    /// How unknown traffic is treated.
    pub(super) policy: OutboundPolicy,
    /// Any address, in the proxy's family.
    pub(super) wildcard: IpAddr,
    /// The loopback address, in the proxy's family.
    pub(super) localhost: IpAddr,
    /// Traffic is redirected to the proxy; otherwise listeners bind real ports and there is no virtual one (T-376).
    pub(super) captures: bool,
    unprivileged: bool,
    headers: Arc<ProxyHeaders>,
    /// Ports that the proxy listens on for itself (T-494).
    reserved: Vec<u32>,
    /// [`wildcard`](Self::wildcard) in words.
    pub(super) wildcard_text: Arc<str>,
}

impl<'v, 's> Client<'v, 's> {
    pub(super) fn of(view: &'v View<'s>) -> Self {
        let families = view.proxy().families();
        let wildcard = families.wildcard();
        Self {
            view,
            policy: view.outbound_policy(),
            wildcard,
            wildcard_text: wildcard.to_string().into(),
            reserved: settings::static_ports(view).collect(),
            localhost: families.localhost(),
            captures: settings::captures(view),
            unprivileged: settings::is_unprivileged(view),
            headers: settings::headers(view, Direction::Outbound),
        }
    }

    /// HTTP on a connection that the sidecar's own application opened: no policies, addresses as they are.
    pub(super) fn http_manager(&self, table: &str) -> HttpManager {
        HttpManager {
            route_table: table.into(),
            authn: None,
            authz: None,
            normalization: settings::path_normalization(self.view),
            http10: settings::http10(self.view),
            use_remote_address: false,
            trusted_hops: 0,
            headers: Arc::clone(&self.headers),
            limits: HttpLimits::default(),
            filters: None,
        }
    }

    /// Whether a listener may stand there beside the proxy's own (T-494). `bind` is empty where none is asked for.
    pub(super) fn can_bind(&self, binds_port: bool, bind: &str, port: u32, protocol: Protocol) -> bool {
        if binds_port && self.unprivileged && (1..1024).contains(&port) {
            return false;
        }
        let is_wildcard = if bind.is_empty() { protocol.is_http() } else { *bind == *self.wildcard_text };
        !(is_wildcard && self.is_reserved(port))
    }

    fn is_reserved(&self, port: u32) -> bool {
        self.reserved.contains(&port) || settings::is_capture_port(self.view, port)
    }
}
