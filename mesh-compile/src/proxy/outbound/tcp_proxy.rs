//! TCP to the service behind a request.

use super::client::Client;
use super::entries::Request;
use crate::proxy::listener::TcpProxy;
use crate::proxy::routes::{cluster_name, rule_for};
use crate::proxy::tcp_proxy::to_cluster;

/// To the service behind a request. A service with one port lends its number (a Sidecar listener's may differ).
pub(super) fn to_service(client: &Client<'_, '_>, request: &Request<'_>) -> TcpProxy {
    let port = match request.service.ports.as_slice() {
        [only] => only.number,
        _ => request.port,
    };
    let cluster = cluster_name(port, "", &request.service.hostname);
    let rule = rule_for(client.view, &request.service.hostname);
    to_cluster(client.view, cluster, rule.as_deref(), "", request.origin.clone())
}
