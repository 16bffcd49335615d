//! Headers that a proxy itself adds, takes off or passes on (T-473, S-345 to S-351).

use std::sync::Arc;

use mesh_model::mesh_config::{
    ClientCertDetails, ForwardClientCertDetails, HeaderOptIn, HeaderSwitch, MetadataExchangeMode,
    ProxyConfig as MeshProxyConfig, ProxyHeaders as Written,
};

use super::listener::Direction;

/// The settings of one direction, settled. Spec: `pilot/pkg/networking/util/proxy_headers.go` (T-473).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyHeaders {
    /// What becomes of `x-forwarded-client-cert`.
    pub client_certificate: ClientCertificateHeader,
    /// Whether requests without `x-request-id`, and all at an edge, are given one.
    pub request_id: bool,
    /// The `server` header of answers.
    pub server: ServerHeader,
    /// Whether `x-envoy-attempt-count` is set. Sidecars leave that of the client's proxy to the application.
    pub attempt_count: bool,
    /// Whether `x-envoy-upstream-service-time`, `x-envoy-overloaded`, `x-envoy-original-path`,
    /// `x-envoy-original-host`, `x-envoy-expected-rq-timeout-ms` are set.
    pub debug: bool,
    /// Whether the authority that a route's `rewrite` replaces is appended to `x-forwarded-host`.
    pub forwarded_host: bool,
    /// Whether `x-forwarded-port` tells of the port that the client has dialled.
    pub forwarded_port: bool,
    /// Whether headers with workload metadata go to workloads of the mesh only.
    pub metadata_in_mesh_only: bool,
}

/// What becomes of `x-forwarded-client-cert`. Spec: Envoy, HttpConnectionManager.ForwardClientCertDetails (S-345 to S-351).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificateHeader {
    /// It is taken off.
    Sanitize,
    /// It goes on where the client has shown a certificate.
    ForwardOnly,
    /// The client is appended to it, where it has shown a certificate.
    AppendForward(ClientCertificateDetails),
    /// It tells of the client alone, where that has shown a certificate.
    SanitizeSet(ClientCertificateDetails),
    /// It goes on, whoever sent it.
    AlwaysForwardOnly,
}

/// What `x-forwarded-client-cert` tells of a client, besides who was asked and the hash of its certificate.
/// Spec: Envoy, HttpConnectionManager.SetCurrentClientCertDetails (S-350, S-352).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificateDetails {
    /// The certificate in PEM.
    pub cert: bool,
    /// That and those behind it.
    pub chain: bool,
    /// Its subject.
    pub subject: bool,
    /// Its URI SANs.
    pub uri: bool,
    /// Its DNS SANs.
    pub dns: bool,
}

/// The `server` header of answers. Spec: Envoy, HttpConnectionManager.ServerHeaderTransformation (T-473).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerHeader {
    /// It is this name, whatever the upstream says.
    Named(Arc<str>),
    /// The upstream's goes on, answers of the proxy's own have none.
    PassThrough,
}

/// What gateways tell, which no setting changes (S-350).
const OF_GATEWAY: ClientCertificateDetails =
    ClientCertificateDetails { cert: true, chain: false, subject: true, uri: true, dns: true };

impl ProxyHeaders {
    /// How a proxy's settings have it in one direction.
    pub fn of(direction: Direction, settings: &MeshProxyConfig) -> Self {
        let unset = Written::default();
        let written = settings.proxy_headers.as_ref().unwrap_or(&unset);
        let client_certificate = match direction {
            // No client of an application's own proxy shows a certificate.
            Direction::Outbound => ClientCertificateHeader::Sanitize,
            Direction::Inbound => ClientCertificateHeader::of(
                or(written.forwarded_client_cert, ForwardClientCertDetails::AppendForward),
                ClientCertificateDetails::of(written.set_current_client_cert_details.as_ref()),
            ),
            // Gateways have a setting of their own for it.
            Direction::Gateway => {
                let own = settings.gateway_topology.as_ref().map(|it| it.forward_client_cert_details);
                let own = or(own.unwrap_or_default(), ForwardClientCertDetails::SanitizeSet);
                ClientCertificateHeader::of(own, OF_GATEWAY)
            }
        };
        let mode = written.metadata_exchange_headers.as_ref().map(|headers| headers.mode);
        Self {
            client_certificate,
            request_id: !is_disabled(written.request_id.as_ref()),
            server: ServerHeader::of(direction, written),
            attempt_count: direction != Direction::Inbound && !is_disabled(written.attempt_count.as_ref()),
            debug: !is_disabled(written.envoy_debug_headers.as_ref()),
            forwarded_host: is_enabled(written.x_forwarded_host.as_ref()),
            forwarded_port: is_enabled(written.x_forwarded_port.as_ref()),
            metadata_in_mesh_only: direction != Direction::Inbound
                && mode == Some(MetadataExchangeMode::InMesh),
        }
    }
}

impl ClientCertificateHeader {
    fn of(mode: ForwardClientCertDetails, details: ClientCertificateDetails) -> Self {
        match mode {
            ForwardClientCertDetails::Undefined | ForwardClientCertDetails::Sanitize => Self::Sanitize,
            ForwardClientCertDetails::ForwardOnly => Self::ForwardOnly,
            ForwardClientCertDetails::AppendForward => Self::AppendForward(details),
            ForwardClientCertDetails::SanitizeSet => Self::SanitizeSet(details),
            ForwardClientCertDetails::AlwaysForwardOnly => Self::AlwaysForwardOnly,
        }
    }
}

impl ClientCertificateDetails {
    fn of(written: Option<&ClientCertDetails>) -> Self {
        let unset = ClientCertDetails::default();
        let ClientCertDetails { subject, cert, chain, dns, uri } = written.unwrap_or(&unset);
        Self {
            cert: cert.unwrap_or(false),
            chain: chain.unwrap_or(false),
            subject: subject.unwrap_or(true),
            uri: uri.unwrap_or(true),
            dns: dns.unwrap_or(true),
        }
    }
}

impl ServerHeader {
    /// Outbound answers come from `envoy`, all others from `istio-envoy`, as Istio has it.
    fn of(direction: Direction, written: &Written) -> Self {
        let own = written.server.as_ref();
        if own.is_some_and(|server| server.disabled == Some(true)) {
            return Self::PassThrough;
        }
        let default = if direction == Direction::Outbound { "envoy" } else { "istio-envoy" };
        let named = own.map(|server| server.value.as_str()).filter(|value| !value.is_empty());
        Self::Named(named.unwrap_or(default).into())
    }
}

fn or(written: ForwardClientCertDetails, default: ForwardClientCertDetails) -> ForwardClientCertDetails {
    if written == ForwardClientCertDetails::Undefined { default } else { written }
}

fn is_disabled(header: Option<&HeaderSwitch>) -> bool {
    header.is_some_and(|header| header.disabled == Some(true))
}

fn is_enabled(header: Option<&HeaderOptIn>) -> bool {
    header.is_some_and(|header| header.enabled == Some(true))
}

#[cfg(test)]
mod tests;
