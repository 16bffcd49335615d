//! The answer: what the proxy does. Serialised as `conformance/FORMAT.md` has it (see `decision_format`).

use std::sync::Arc;

use mesh_authz::verdict::{ExternalAuthz, RuleRef};
use mesh_compile::proxy::listener::Tunnel;
use mesh_compile::route_table::action::{Fault, HashPolicy, HeaderOp, LocalRateLimit, Mirror, RetryPolicy};

/// What a proxy does with one connection or request. Spec: conformance/FORMAT.md, decisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What it does.
    pub action: Action,
    /// External authorizers asked, in order; the action holds when each allows.
    pub external_authz: Vec<ExternalAuthz>,
    /// The policy and rule that decided; `None`: no policy decided.
    pub policy: Option<Arc<RuleRef>>,
    /// The steps that won, in words; filled by [`explain`](crate::decide::explain) only.
    pub why: Vec<String>,
}

impl From<Action> for Decision {
    fn from(action: Action) -> Self {
        Self { action, external_authz: Vec::new(), policy: None, why: Vec::new() }
    }
}

impl From<RefuseReason> for Decision {
    fn from(reason: RefuseReason) -> Self {
        Action::Refuse(reason).into()
    }
}

impl From<LocalReply> for Decision {
    fn from(reply: LocalReply) -> Self {
        Action::LocalReply(Box::new(reply)).into()
    }
}

/// What the proxy does. Spec: conformance/FORMAT.md, decisions; local replies are Appendix A.5.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Bytes or a request go upstream.
    Forward(Box<Forward>),
    /// The proxy answers itself.
    LocalReply(Box<LocalReply>),
    /// The connection is closed or not accepted.
    Refuse(RefuseReason),
}

/// Where bytes or a request go. Spec: conformance/FORMAT.md, decisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// Every destination that could be picked.
    pub clusters: Vec<ClusterChoice>,
    /// Where a consistent hash key is taken from.
    pub hash_policy: Vec<HashPolicy>,
    /// The upstream is asked to forward the bytes (T-290); `None` for requests.
    pub tunnel: Option<Arc<Tunnel>>,
    /// What an HTTP request becomes; `None`: bytes.
    pub http: Option<HttpForward>,
}

/// A destination with its share (T-154, T-155).
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterChoice {
    /// Its name.
    pub cluster: Arc<str>,
    /// As configured; a single destination has 100.
    pub weight: u32,
    /// In the order in which they take effect; empty for TCP.
    pub request_headers: Vec<HeaderOp>,
    /// As above.
    pub response_headers: Vec<HeaderOp>,
    /// The destination's own host rewrite, where the route has none (E-093).
    pub authority: Option<Arc<str>>,
}

/// A request on its way upstream (T-168, T-175).
#[derive(Debug, Clone, PartialEq)]
pub struct HttpForward {
    /// Path and query that the upstream receives.
    pub path: String,
    /// The authority that the upstream receives.
    pub authority: UpstreamAuthority,
    /// Whole-exchange timeout in milliseconds; 0: none.
    pub timeout_ms: u64,
    /// `None`: no retries.
    pub retries: Option<Arc<RetryPolicy>>,
    /// Copies of the request.
    pub mirrors: Vec<Mirror>,
    /// Faults that may be injected.
    pub fault: Option<Fault>,
    /// Local rate limits that it meets, in order (EnvoyFilters).
    pub rate_limits: Vec<Arc<LocalRateLimit>>,
    /// A larger body is answered with 413 (EnvoyFilters).
    pub max_request_bytes: Option<u32>,
}

/// The authority that an upstream receives (T-175, E-093).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamAuthority {
    /// This text.
    Text(Arc<str>),
    /// The host name of the endpoint that is picked.
    UpstreamHost,
}

/// An answer of the proxy's own. Spec: conformance/FORMAT.md, decisions.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalReply {
    /// Why.
    pub reason: ReplyReason,
    /// HTTP status.
    pub status: u16,
    /// `Location` of a redirect.
    pub location: Option<String>,
    /// Body; `None`: not of interest (empty).
    pub body: Option<Arc<str>>,
    /// The route's fault, for replies given after the fault filter.
    pub fault: Option<Fault>,
    /// The answer to a preflight.
    pub cors: Option<CorsAnswer>,
    /// Header operations of the route on the answer (T-173).
    pub response_headers: Vec<HeaderOp>,
}

impl LocalReply {
    /// An answer with a status and no more.
    pub fn new(reason: ReplyReason, status: u16) -> Self {
        Self {
            reason,
            status,
            location: None,
            body: None,
            fault: None,
            cors: None,
            response_headers: Vec::new(),
        }
    }

    /// Adds a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Arc<str>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Adds a `Location`.
    #[must_use]
    pub fn with_location(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }
}

/// CORS headers of a preflight's answer; empty: not sent (T-184, E-014).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorsAnswer {
    /// `Access-Control-Allow-Origin`; empty: the origin is not allowed.
    pub allow_origin: Arc<str>,
    /// `Access-Control-Allow-Methods`.
    pub allow_methods: Arc<str>,
    /// `Access-Control-Allow-Headers`.
    pub allow_headers: Arc<str>,
    /// `Access-Control-Max-Age`.
    pub max_age: Arc<str>,
}

/// Why the proxy answers itself. Spec: conformance/FORMAT.md, decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyReason {
    /// A policy denies (403).
    Rbac,
    /// A token is refused (401, 403 for audiences).
    Jwt,
    /// The route redirects.
    Redirect,
    /// The virtual host wants TLS (301).
    HttpsRedirect,
    /// The route answers.
    DirectResponse,
    /// The route aborts all requests.
    Fault,
    /// A CORS preflight is answered (200).
    CorsPreflight,
    /// A local rate limit has no token for it; answered by a running proxy only.
    RateLimit,
    /// The virtual host has no route for the request (404).
    NoRoute,
    /// The table has no virtual host for the authority (404).
    NoVirtualHost,
    /// The route names only clusters that do not exist (503, 500 for the Gateway API).
    NoCluster,
    /// The path is not acceptable (400, 404 where it is not absolute: S-198).
    BadPath,
    /// The authority is not acceptable (400).
    BadAuthority,
    /// The codec refuses the request (400).
    BadRequest,
    /// HTTP/1.0 is not served (426).
    Http10,
}

/// Why a connection is closed or not accepted. Spec: conformance/FORMAT.md, decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefuseReason {
    /// Nothing listens there.
    NoListener,
    /// No filter chain fits.
    NoFilterChain,
    /// Plaintext where TLS is terminated.
    TlsRequired,
    /// No client certificate where one is required.
    ClientCertificateRequired,
    /// The client's certificate is not accepted (S-041, E-067).
    ClientCertificateUntrusted,
    /// The bytes are not the chain's protocol.
    ProtocolError,
    /// A policy denies.
    Rbac,
    /// The connection goes to the black hole.
    Blackhole,
    /// The chain names only clusters that do not exist.
    NoCluster,
}

impl ReplyReason {
    /// The word of the decision format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rbac => "rbac",
            Self::Jwt => "jwt",
            Self::Redirect => "redirect",
            Self::HttpsRedirect => "https_redirect",
            Self::DirectResponse => "direct_response",
            Self::Fault => "fault",
            Self::CorsPreflight => "cors_preflight",
            Self::RateLimit => "rate_limit",
            Self::NoRoute => "no_route",
            Self::NoVirtualHost => "no_virtual_host",
            Self::NoCluster => "no_cluster",
            Self::BadPath => "bad_path",
            Self::BadAuthority => "bad_authority",
            Self::BadRequest => "bad_request",
            Self::Http10 => "http10",
        }
    }
}

impl RefuseReason {
    /// The word of the decision format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoListener => "no_listener",
            Self::NoFilterChain => "no_filter_chain",
            Self::TlsRequired => "tls_required",
            Self::ClientCertificateRequired => "client_certificate_required",
            Self::ClientCertificateUntrusted => "client_certificate_untrusted",
            Self::ProtocolError => "protocol_error",
            Self::Rbac => "rbac",
            Self::Blackhole => "blackhole",
            Self::NoCluster => "no_cluster",
        }
    }
}
