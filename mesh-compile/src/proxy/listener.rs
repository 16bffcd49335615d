//! Listeners and their filter chains: which connections a proxy takes, and what it does with the bytes.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use mesh_authz::policy_set::PolicySet;
use mesh_authz::request_authn::RequestAuthn;
use mesh_model::mesh_config::ProxyConfig as MeshProxyConfig;
use mesh_model::origin::Origin;

use super::http_filters::HttpFilters;
use super::proxy_headers::ProxyHeaders;
use crate::route_table::action::{Destination, Destinations, HashPolicy};

/// Which traffic a listener takes (T-200, T-490, T-411).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Captured at the client's sidecar.
    Outbound,
    /// Captured at the server's sidecar.
    Inbound,
    /// Arriving at a gateway's port.
    Gateway,
}

/// A listener. Spec: Envoy, config.listener.v3.Listener.
///
/// Outbound: chosen by the dialled `address:port`, exact address before the wildcard; the virtual listener
/// (`port` 15001) takes what no other does. Inbound: one virtual listener (15006) whose chains name ports.
/// Gateway: chosen by `address:port` likewise; there is no virtual one.
#[derive(Debug, Clone)]
pub struct Listener {
    /// `0.0.0.0_9080`, `virtualInbound`, ...
    pub name: Arc<str>,
    /// Which traffic.
    pub direction: Direction,
    /// Bound address; unspecified: any.
    pub address: IpAddr,
    /// Port; 0 for a Unix socket (never chosen by address).
    pub port: u16,
    /// Whether this is the virtual listener of its direction, which takes what no other listener does.
    pub catch_all: bool,
    /// Whether it has a socket of its own. Others are handed the connections that a virtual listener takes (T-376).
    pub binds_port: bool,
    /// Whether plaintext bytes are looked at to tell HTTP from other protocols (T-199): then chains see
    /// application protocols `http/1.1`, `h2c` (and `http/1.0` where allowed).
    pub http_inspector: bool,
    /// Whether `http/1.0` counts as HTTP for the inspector.
    pub http10: bool,
    /// Whether every connection begins with a PROXY protocol header (`gatewayTopology.proxyProtocol`); one without is
    /// closed.
    pub proxy_protocol: bool,
    /// Bytes that are held for a connection on each side; `None`: the proxy's default.
    pub buffer_bytes: Option<u32>,
    /// In order; selection is by [`ChainMatch`] specificity, not by order.
    pub filter_chains: Vec<FilterChain>,
    /// Taken where no chain fits.
    pub default_chain: Option<FilterChain>,
    /// Why it exists.
    pub origin: Origin,
}

/// A filter chain: a condition, transport security, and what runs on the bytes.
/// Spec: Envoy, config.listener.v3.FilterChain.
#[derive(Debug, Clone)]
pub struct FilterChain {
    /// For people.
    pub name: Arc<str>,
    /// When it applies.
    pub matches: ChainMatch,
    /// TLS that this chain terminates; `None`: the bytes are taken as they come.
    pub tls: Option<Arc<DownstreamTls>>,
    /// What runs.
    pub network: Network,
    /// More connections than this are closed (an EnvoyFilter's); `None`: no limit.
    pub max_connections: Option<u64>,
    /// Why it exists.
    pub origin: Origin,
}

/// Conditions of a chain, in Envoy's order of evaluation: destination port, destination address, server name,
/// transport protocol, application protocols; each criterion picks its most specific fit without backtracking (T-189).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainMatch {
    /// The dialled port.
    pub destination_port: Option<u16>,
    /// Dialled addresses; empty: any.
    pub destinations: Vec<IpNet>,
    /// SNI: exact or `*.suffix`, lower case; empty: any, also none.
    pub server_names: Vec<Arc<str>>,
    /// TLS or not; `None`: either.
    pub transport: Option<Transport>,
    /// ALPN, or what the inspector saw; empty: any.
    pub application_protocols: Vec<Arc<str>>,
}

/// What arrives. Spec: Envoy, FilterChainMatch.transport_protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// A TLS client hello.
    Tls,
    /// Anything else.
    RawBuffer,
}

/// TLS termination.
/// Spec: Envoy, extensions.transport_sockets.tls.v3.DownstreamTlsContext; made as S-040 and T-430 to T-436 say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownstreamTls {
    /// What is asked of the client.
    pub client_certificate: ClientCertificate,
    /// Trust domains whose identities are accepted; empty: not checked (S-041, S-043).
    pub trust_domains: Vec<Arc<str>>,
    /// Exact SANs of which the client certificate must have one; empty: not checked.
    pub subject_alt_names: Vec<Arc<str>>,
    /// `default` (workload certificate), `kubernetes://NAME`, `file-cert:CERT~KEY`.
    pub certificates: Vec<Arc<str>>,
    /// CA for client certificates; `None`: none.
    pub root: Option<Arc<str>>,
    /// Offered protocols.
    pub alpn: Vec<Arc<str>>,
    /// `TLSv1_2`, ...; empty: the proxy's default.
    pub min_version: Arc<str>,
    /// As above.
    pub max_version: Arc<str>,
    /// OpenSSL names; empty: the default list.
    pub cipher_suites: Vec<Arc<str>>,
    /// File with certificates of clients that are revoked; `None`: none.
    pub crl: Option<Arc<str>>,
    /// Curves for the key exchange; empty: the proxy's own.
    pub ecdh_curves: Vec<Arc<str>>,
    /// SHA-256 hashes of public keys (base64) of which the client's must be one; with
    /// [`certificate_hashes`](Self::certificate_hashes) empty too: any.
    pub key_hashes: Vec<Arc<str>>,
    /// SHA-256 hashes of certificates (hexadecimal, perhaps with colons); fitting one of either list is enough.
    pub certificate_hashes: Vec<Arc<str>>,
}

/// What is asked of a client during the handshake (T-431, S-040).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientCertificate {
    /// Nothing (SIMPLE).
    None,
    /// Verified if presented (OPTIONAL_MUTUAL).
    Optional,
    /// Required (mTLS).
    Required,
}

/// What runs on the bytes of a chain (T-428, T-492).
#[derive(Debug, Clone)]
pub enum Network {
    /// An HTTP connection manager.
    Http(Box<HttpManager>),
    /// A TCP proxy.
    Tcp(Box<TcpProxy>),
}

/// HTTP on a connection. Spec: Envoy, HttpConnectionManager.
#[derive(Debug, Clone)]
pub struct HttpManager {
    /// Name of the table in [`super::ProxyConfig::route_tables`].
    pub route_table: Arc<str>,
    /// Tokens; `None`: no RequestAuthentication applies.
    pub authn: Option<Arc<RequestAuthn>>,
    /// Policies; `None`: none apply.
    pub authz: Option<Arc<PolicySet>>,
    /// How paths are normalised before anything looks at them (T-453).
    pub normalization: PathNormalization,
    /// Whether HTTP/1.0 is served; otherwise 426.
    pub http10: bool,
    /// Whether the proxy is an edge: it trusts the connection's address before X-Forwarded-For (E-010).
    pub use_remote_address: bool,
    /// Trusted hops of X-Forwarded-For.
    pub trusted_hops: u32,
    /// Headers that the proxy itself adds, takes off or passes on (T-473).
    pub headers: Arc<ProxyHeaders>,
    /// Limits that differ from Istio's (an EnvoyFilter's).
    pub limits: HttpLimits,
    /// HTTP filters that differ from Istio's (an EnvoyFilter's); `None`: Istio's own, in its order.
    pub filters: Option<Arc<HttpFilters>>,
}

impl HttpManager {
    /// HTTP by a table, and nothing else; headers as a sidecar has them for its application.
    pub fn bare(route_table: impl Into<Arc<str>>) -> Self {
        Self {
            route_table: route_table.into(),
            authn: None,
            authz: None,
            normalization: PathNormalization::Base,
            http10: false,
            use_remote_address: false,
            trusted_hops: 0,
            headers: Arc::new(ProxyHeaders::of(Direction::Inbound, &MeshProxyConfig::default())),
            limits: HttpLimits::default(),
            filters: None,
        }
    }
}

/// Limits of HTTP connections and requests; `None`: as Istio has them.
/// Spec: Envoy, HttpConnectionManager, its timeouts and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HttpLimits {
    /// Connections without requests are closed after so many milliseconds.
    pub idle_timeout_ms: Option<i64>,
    /// Requests and answers on which nothing moves are given up after so many milliseconds; 0: never.
    pub stream_idle_timeout_ms: Option<i64>,
    /// Requests have to be whole after so many milliseconds; 0: never.
    pub request_timeout_ms: Option<i64>,
    /// The most kibibytes of a request's headers.
    pub max_request_headers_kb: Option<u32>,
}

/// `MeshConfig.pathNormalization` (T-453, S-191..S-194).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PathNormalization {
    /// As it came.
    None,
    /// RFC 3986 dot segments, `\` to `/`.
    #[default]
    Base,
    /// And `//` merged.
    MergeSlashes,
    /// `%2F` and `%5C` decoded first.
    DecodeAndMergeSlashes,
}

/// Bytes to a cluster. Spec: Envoy, extensions.filters.network.tcp_proxy.v3.TcpProxy (T-272).
#[derive(Debug, Clone)]
pub struct TcpProxy {
    /// Where to; several by weight.
    pub destinations: Destinations,
    /// Source-address hashing (T-247); empty: none.
    pub hash_policy: Vec<HashPolicy>,
    /// Policies over the connection; `None`: none apply.
    pub authz: Option<Arc<PolicySet>>,
    /// Idle timeout in milliseconds; `None`: the proxy's default.
    pub idle_timeout_ms: Option<i64>,
    /// How long a client's connection may be open, in milliseconds (`tcp.maxConnectionDuration` of a DestinationRule's
    /// `connectionPool`); `None`: without end.
    pub max_connection_ms: Option<i64>,
    /// The cluster is named by the SNI itself (AUTO_PASSTHROUGH).
    pub sni_cluster: bool,
    /// The upstream is an HTTP proxy, and the bytes go through it (T-290).
    pub tunnel: Option<Arc<Tunnel>>,
}

/// Bytes inside an HTTP request to an upstream that forwards them (T-290).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// How it is asked for.
    pub method: TunnelMethod,
    /// Where the upstream is to forward to: `host:port`, IPv6 in brackets.
    pub target: Arc<str>,
    /// Where it was written.
    pub origin: Origin,
}

/// The request that a tunnel begins with (T-290).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelMethod {
    /// `CONNECT`.
    Connect,
    /// `POST`.
    Post,
}

impl TunnelMethod {
    /// The method.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Post => "POST",
        }
    }
}

impl TcpProxy {
    /// Bytes to one cluster, nothing else.
    pub fn to(cluster: impl Into<Arc<str>>, origin: Origin) -> Self {
        Self {
            destinations: Destinations::Single(Box::new(Destination {
                cluster: cluster.into(),
                weight: 100,
                request_headers: Default::default(),
                response_headers: Default::default(),
                authority: None,
                origin,
            })),
            hash_policy: Vec::new(),
            authz: None,
            idle_timeout_ms: None,
            max_connection_ms: None,
            sni_cluster: false,
            tunnel: None,
        }
    }
}
