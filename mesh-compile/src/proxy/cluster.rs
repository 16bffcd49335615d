//! Clusters: upstreams with every setting resolved (FORMAT.md, `clusters.json`).

use std::collections::BTreeMap;
use std::sync::Arc;

pub use super::origins::Origins;
use crate::registry::service::Service;
use crate::workload_names::WorkloadNames;

/// An upstream cluster. Spec: Envoy, config.cluster.v3.Cluster; its name is T-150.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// `outbound|9080|v1|reviews.default.svc.cluster.local`.
    pub name: Arc<str>,
    /// How endpoints are found.
    pub discovery: Discovery,
    /// Load-balancing policy.
    pub lb: LbPolicy,
    /// Connect timeout.
    pub connect_timeout_ms: i64,
    /// TCP keep-alive; `None`: the system's.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Circuit breakers; `None`: unlimited.
    pub limits: Limits,
    /// Passive health checks.
    pub outlier: Option<Arc<Outlier>>,
    /// Healthy share below which all endpoints are used, percent.
    pub panic_threshold: Option<f64>,
    /// Locality weights are given to the balancer (T-261).
    pub locality_weighted: bool,
    /// Slow start of new endpoints.
    pub slow_start: Option<SlowStart>,
    /// Transport security towards the endpoints.
    pub tls: UpstreamTls,
    /// HTTP options.
    pub http: HttpOptions,
    /// Share of requests that may be retries at once.
    pub retry_budget: Option<RetryBudget>,
    /// PROXY protocol version sent first: `V1` or `V2`.
    pub proxy_protocol: Option<&'static str>,
    /// Port used instead of the dialled one (original destination clusters).
    pub port_override: Option<u16>,
    /// Zone-aware routing.
    pub zone_aware: Option<ZoneAware>,
    /// `V4_ONLY` or `ALL` for DNS clusters.
    pub dns_family: Option<&'static str>,
    /// How often names of DNS clusters are looked up, in milliseconds; `None`: once a minute (T-461).
    pub dns_refresh_ms: Option<i64>,
    /// Address the upstream connection is bound to (127.0.0.6 for inbound passthrough).
    pub source_address: Option<std::net::IpAddr>,
    /// The service it stands for in metrics, where its name does not say which that is.
    pub service: Option<Arc<ClusterService>>,
    /// Whether the service is out of the mesh (`MESH_EXTERNAL`).
    pub mesh_external: bool,
    /// Endpoints, also unhealthy ones.
    pub endpoints: Vec<ClusterEndpoint>,
    /// Locality, priority, weight; those with endpoints, sorted.
    pub localities: Vec<(Arc<str>, u32, u32)>,
    /// What each setting came from.
    pub origins: Origins,
}

impl Cluster {
    /// A cluster with nothing set but its name and kind.
    pub fn bare(name: impl Into<Arc<str>>, discovery: Discovery, lb: LbPolicy) -> Self {
        Self {
            name: name.into(),
            discovery,
            lb,
            connect_timeout_ms: 0,
            tcp_keepalive: None,
            limits: Limits::default(),
            outlier: None,
            panic_threshold: None,
            locality_weighted: false,
            slow_start: None,
            tls: UpstreamTls::Plaintext,
            http: HttpOptions::default(),
            retry_budget: None,
            proxy_protocol: None,
            port_override: None,
            zone_aware: None,
            dns_family: None,
            dns_refresh_ms: None,
            source_address: None,
            service: None,
            mesh_external: false,
            endpoints: Vec::new(),
            localities: Vec::new(),
            origins: Origins::default(),
        }
    }
}

/// The service of a cluster, as metrics name it. Spec: istio/istio, cluster_builder.go (`addTelemetryMetadata`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClusterService {
    /// Its host, as in `destination_service`.
    pub host: Arc<str>,
    /// Its name; of a ServiceEntry: the host.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
}

impl ClusterService {
    /// As metrics name a service.
    pub(super) fn of(service: &Service) -> Arc<Self> {
        Arc::new(Self {
            host: Arc::clone(&service.hostname),
            name: Arc::clone(&service.name),
            namespace: Arc::clone(&service.namespace),
        })
    }

    /// Name and namespace, as the name of an outbound cluster says them (`outbound|PORT|SUBSET|HOST`, or with `_.` in place
    /// of `|`); `None`: it is another name, or the host is none of Kubernetes' (`NAME.NAMESPACE.svc.DOMAIN`).
    ///
    /// ```
    /// use mesh_compile::proxy::cluster::ClusterService;
    ///
    /// assert_eq!(ClusterService::in_name("outbound|80||a.b.svc.cluster.local"), Some(("a", "b")));
    /// assert_eq!(ClusterService::in_name("outbound|80||a.example"), None);
    /// ```
    pub fn in_name(cluster: &str) -> Option<(&str, &str)> {
        let host = cluster.splitn(4, '|').nth(3).or_else(|| cluster.splitn(4, "_.").nth(3))?;
        let mut parts = host.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(namespace), Some("svc")) => Some((name, namespace)),
            _ => None,
        }
    }
}

/// How endpoints are found. Spec: Envoy, config.cluster.v3.Cluster.DiscoveryType; chosen as T-301 and T-321 say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discovery {
    /// From the control plane.
    Eds,
    /// Every address of a name.
    StrictDns,
    /// One address of a name at a time.
    LogicalDns,
    /// Fixed.
    Static,
    /// The address the client dialled.
    OriginalDst,
    /// A dynamic forward proxy.
    Custom,
}

/// Load-balancing policy, with the size of a hash table where there is one.
/// Spec: Envoy, config.cluster.v3.Cluster.LbPolicy; chosen as T-245 and T-246 say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LbPolicy {
    /// In turn.
    RoundRobin,
    /// The less loaded of two.
    LeastRequest,
    /// Any.
    Random,
    /// Ketama ring of at least this size.
    RingHash {
        /// Minimum ring size; `None`: the proxy's default.
        minimum_ring_size: Option<u64>,
    },
    /// Maglev table of this size.
    Maglev {
        /// Table size; `None`: the proxy's default.
        table_size: Option<u64>,
    },
    /// The cluster's own (original destination, dynamic forward proxy).
    ClusterProvided,
}

/// TCP keep-alive; unset attributes are the system's. Spec: Envoy, config.core.v3.TcpKeepalive (T-270).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpKeepalive {
    /// Unanswered probes before the connection is dropped.
    pub probes: Option<u32>,
    /// Idle seconds before the first probe.
    pub time: Option<u32>,
    /// Seconds between probes.
    pub interval: Option<u32>,
}

/// Circuit breakers. Spec: Envoy, config.cluster.v3.CircuitBreakers.Thresholds (T-270, T-271).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Connections.
    pub max_connections: Option<u32>,
    /// Requests waiting for a connection.
    pub max_pending_requests: Option<u32>,
    /// Requests at once.
    pub max_requests: Option<u32>,
    /// Retries at once.
    pub max_retries: Option<u32>,
}

/// Outlier detection under Envoy's names (T-276).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outlier {
    /// Numeric settings that are set: `consecutive5xx`, `enforcing_consecutive5xx`, `interval_ms`, ...
    pub settings: BTreeMap<&'static str, i64>,
    /// Local failures are counted apart.
    pub split_external_local_origin_errors: bool,
    /// Status codes that count as errors, as text; empty: 5xx.
    pub http_error_codes: Vec<Arc<str>>,
}

/// Slow start. Spec: Envoy, config.cluster.v3.Cluster.SlowStartConfig (T-250).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowStart {
    /// Length of the window.
    pub window_ms: i64,
    /// Shape; `None`: not set.
    pub aggression: Option<f64>,
    /// Floor in percent; `None`: not set.
    pub min_weight_percent: Option<f64>,
}

/// Transport security towards endpoints (T-280..T-289).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamTls {
    /// None.
    Plaintext,
    /// TLS, everywhere or (auto) towards endpoints marked `istio`.
    Tls(Box<UpstreamTlsContext>),
}

/// A TLS client context. Spec: Envoy, extensions.transport_sockets.tls.v3.UpstreamTlsContext (T-281..T-283).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamTlsContext {
    /// Server name sent; empty: none.
    pub sni: Arc<str>,
    /// Protocols offered.
    pub alpn: Vec<Arc<str>>,
    /// `default`, `file-cert:CERT~KEY`, `kubernetes://NAME`; `None`: no client certificate.
    pub certificate: Option<Arc<str>>,
    /// `ROOTCA`, `file-root:PATH`, `file-root:system`, `kubernetes://NAME-cacert`; `None`: not verified.
    pub root: Option<Arc<str>>,
    /// `exact:VALUE`, in order.
    pub sans: Vec<Arc<str>>,
    /// `tls_minimum_protocol_version`, `tls_maximum_protocol_version`; those that are set.
    pub params: Arc<BTreeMap<&'static str, Arc<str>>>,
    /// Certificate revocation list file.
    pub crl: Option<Arc<str>>,
    /// Only towards endpoints marked `istio` (auto mTLS).
    pub auto: bool,
}

/// HTTP options of a cluster. Spec: Envoy, extensions.upstreams.http.v3.HttpProtocolOptions (T-270).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpOptions {
    /// Upstream protocol.
    pub protocol: UpstreamProtocol,
    /// Idle timeout.
    pub idle_timeout_ms: Option<i64>,
    /// Requests per connection.
    pub max_requests_per_connection: Option<u32>,
    /// Life of a connection.
    pub max_connection_duration_ms: Option<i64>,
    /// HTTP/2 streams per connection.
    pub max_concurrent_streams: Option<u32>,
    /// HTTP/2 pings: interval and timeout in milliseconds.
    pub keepalive_ms: Option<(i64, i64)>,
    /// SNI from the request's authority.
    pub auto_sni: bool,
    /// The certificate must fit that SNI.
    pub auto_san_validation: bool,
}

/// Upstream protocol (T-198, T-270).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum UpstreamProtocol {
    /// HTTP/1.1
    #[default]
    Http1,
    /// HTTP/2
    Http2,
    /// As the client's.
    Downstream,
    /// By ALPN.
    Alpn,
}

/// Retry budget (T-273).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// Share of active requests.
    pub budget_percent: f64,
    /// Floor.
    pub min_retry_concurrency: u32,
    /// Window; `None`: not set.
    pub budget_interval_ms: Option<i64>,
}

/// Zone-aware routing; what is not set is the proxy's default (T-262).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ZoneAware {
    /// Endpoints needed before it is used.
    pub min_cluster_size: Option<u64>,
    /// Share of requests it applies to, percent.
    pub routing_enabled: Option<f64>,
}

/// An endpoint of a cluster. Spec: Envoy, config.endpoint.v3.LbEndpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterEndpoint {
    /// `10.0.0.1:80`, `[::1]:80`, `host:port`, or a Unix path (`/run/app.sock`, abstract: `@app`).
    pub address: Arc<str>,
    /// 0 is tried first.
    pub priority: u32,
    /// Load-balancing weight.
    pub weight: u32,
    /// Whether it may be used.
    pub healthy: bool,
    /// Whether it only keeps the sessions that it has (T-313); such an endpoint is not healthy.
    pub draining: bool,
    /// Whether it is marked `istio` (speaks mesh mTLS).
    pub mtls: bool,
    /// `region/zone/subzone`; empty: none.
    pub locality: Arc<str>,
    /// What telemetry calls its workload; `None`: nothing is known of it.
    pub workload: Option<Arc<WorkloadNames>>,
}

impl ClusterEndpoint {
    /// A healthy endpoint of the first priority and of weight 1, without mTLS, that is nowhere in particular.
    pub fn at(address: impl Into<Arc<str>>) -> Self {
        Self {
            address: address.into(),
            priority: 0,
            weight: 1,
            healthy: true,
            draining: false,
            mtls: false,
            locality: "".into(),
            workload: None,
        }
    }
}
