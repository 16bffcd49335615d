//! What a matched route does. Plain data, all of it settled at compile time; the proxy core acts on it.

use std::sync::Arc;

use mesh_model::origin::Origin;

use super::few::Few;
use super::pattern::Pattern;

/// What happens to a request that matched a route. Spec: Envoy, config.route.v3.Route.action (T-157).
#[derive(Debug, Clone)]
pub enum RouteAction {
    /// Goes to one of the clusters.
    Forward(Box<Forward>),
    /// Is redirected.
    Redirect(Box<Redirect>),
    /// Is answered by the proxy itself.
    Respond(DirectResponse),
}

/// A forwarding action. Spec: Envoy, config.route.v3.RouteAction (T-150..T-185).
#[derive(Debug, Clone)]
pub struct Forward {
    /// Where to.
    pub destinations: Destinations,
    /// Whole-exchange timeout in milliseconds; 0: none (T-168).
    pub timeout_ms: u64,
    /// Where the timeout was written.
    pub timeout_origin: Option<Origin>,
    /// `None`: no retries.
    pub retries: Option<Arc<RetryPolicy>>,
    /// Path rewrite, after matching.
    pub path_rewrite: Option<PathRewrite>,
    /// `:authority` rewrite of the route (E-093: wins over a destination's own).
    pub authority_rewrite: Option<AuthorityRewrite>,
    /// Whether the authority that is rewritten is told of in `x-forwarded-host`, where the proxy's settings want that: a
    /// `rewrite` was written (T-175).
    pub tells_authority: bool,
    /// Copies of the request.
    pub mirrors: Few<Mirror>,
    /// Where a consistent-hash key is taken from, in order (T-247, E-072).
    pub hash_policy: Few<HashPolicy>,
    /// Injected faults.
    pub fault: Option<Box<Fault>>,
    /// CORS policy.
    pub cors: Option<Box<CorsPolicy>>,
    /// The local rate limit of its own, in place of that of the chain's filters (an EnvoyFilter's).
    pub rate_limit: Option<Arc<LocalRateLimit>>,
    /// Status where the cluster does not exist: 503, or 500 for routes of the Gateway API (T-153).
    pub no_cluster_status: u16,
}

/// A token bucket of one proxy. Spec: Envoy, extensions.filters.http.local_ratelimit.v3.LocalRateLimit.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalRateLimit {
    /// The most tokens in it.
    pub max_tokens: u32,
    /// Tokens that come in at once.
    pub tokens_per_fill: u32,
    /// How often, in milliseconds.
    pub fill_interval_ms: i64,
    /// Share of requests that ask the bucket, in percent.
    pub enabled_percent: f64,
    /// Share of those without a token that are answered, in percent; the others go on.
    pub enforced_percent: f64,
    /// The status of the answer.
    pub status: u16,
    /// Operations on the answer's headers.
    pub response_headers: HeaderOps,
    /// Where it was written.
    pub origin: Origin,
}

impl LocalRateLimit {
    /// Whether any request can be answered for it.
    pub fn is_enforced(&self) -> bool {
        self.enabled_percent > 0.0 && self.enforced_percent > 0.0
    }
}

/// One or several weighted clusters (T-154, T-155).
#[derive(Debug, Clone)]
pub enum Destinations {
    /// A single cluster; its weight is not looked at (T-154).
    Single(Box<Destination>),
    /// Chosen by weight; entries of weight 0 were dropped (T-155). INVARIANT: not empty.
    Weighted(Vec<Destination>),
}

impl Destinations {
    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Destination> {
        match self {
            Self::Single(destination) => std::slice::from_ref(&**destination).iter(),
            Self::Weighted(list) => list.iter(),
        }
    }
}

impl<'a> IntoIterator for &'a Destinations {
    type Item = &'a Destination;
    type IntoIter = std::slice::Iter<'a, Destination>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A cluster with its share and its own header operations (T-150, T-155).
#[derive(Debug, Clone)]
pub struct Destination {
    /// `outbound|9080|v1|reviews.default.svc.cluster.local`.
    pub cluster: Arc<str>,
    /// As configured; a single destination has 100.
    pub weight: u32,
    /// Applied before the route's (FORMAT.md).
    pub request_headers: HeaderOps,
    /// Applied before the route's.
    pub response_headers: HeaderOps,
    /// The destination's own `:authority`.
    pub authority: Option<Arc<str>>,
    /// Where it was written.
    pub origin: Origin,
}

/// Header operations in the order in which they take effect (T-176..T-178).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderOps {
    /// Removals first, then sets and adds (T-176).
    pub ops: Few<HeaderOp>,
}

/// One header operation; names are lower case (T-176, T-181).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderOp {
    /// Overwrite or add.
    Set(Arc<str>, Arc<str>),
    /// Append a value.
    Add(Arc<str>, Arc<str>),
    /// Delete.
    Remove(Arc<str>),
}

/// A retry policy (T-160 to T-166).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Retries after the first try.
    pub attempts: u32,
    /// Conditions, comma separated, in Envoy's words.
    pub on: Arc<str>,
    /// Extra retriable status codes.
    pub codes: Vec<u16>,
    /// Per-try timeout; `None`: the route's budget.
    pub per_try_timeout_ms: Option<u64>,
    /// Base back-off interval; `None`: the proxy's 25 ms.
    pub backoff_ms: Option<u64>,
    /// Whether hosts already tried are avoided (T-161).
    pub avoid_previous_hosts: bool,
    /// Whether other priorities are tried (T-165).
    pub remote_localities: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// How the path changes (T-174).
#[derive(Debug, Clone)]
pub enum PathRewrite {
    /// Replaces the matched prefix (byte length given by the match), or the whole path of exact and regex matches.
    Matched(Arc<str>),
    /// Replaces the whole path, the query is kept.
    Whole(Arc<str>),
    /// RE2 substitution over the path without query.
    Regex {
        /// What is looked for, anywhere in the path.
        pattern: Pattern,
        /// The replacement with `\N` references.
        substitution: Arc<str>,
    },
}

/// How `:authority` changes (T-175).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorityRewrite {
    /// To a literal.
    Literal(Arc<str>),
    /// To the upstream endpoint's host name.
    UpstreamHost,
}

/// A mirror destination (T-183).
#[derive(Debug, Clone, PartialEq)]
pub struct Mirror {
    /// The cluster.
    pub cluster: Arc<str>,
    /// Share of requests, 0 to 100.
    pub percent: f64,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a hash key comes from (T-247, T-185).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashPolicy {
    /// A header, as configured.
    Header(Arc<str>),
    /// A cookie; `ttl_ms` `None`: none is generated.
    Cookie {
        /// Its name.
        name: Arc<str>,
        /// Life of a generated one; 0: session cookie.
        ttl_ms: Option<i64>,
        /// Its path; empty: none.
        path: Arc<str>,
        /// More attributes of a generated one, each with its value (empty: none), as written.
        attributes: Vec<(Arc<str>, Arc<str>)>,
    },
    /// The client's address.
    SourceIp,
    /// A query parameter.
    Query(Arc<str>),
}

/// Injected faults; percentages as configured (T-182).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fault {
    /// Delay in milliseconds and its share of requests.
    pub delay: Option<(i64, f64)>,
    /// Abort and its share of requests.
    pub abort: Option<(FaultAbort, f64)>,
}

/// How a request is aborted (T-182).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAbort {
    /// With an HTTP status.
    Http(u16),
    /// With a gRPC status code, HTTP status 200.
    Grpc(u32),
}

/// CORS policy of a route (T-184).
#[derive(Debug, Clone, Default)]
pub struct CorsPolicy {
    /// Allowed origins; any one match allows.
    pub allow_origins: Vec<super::matcher::TextMatch>,
    /// `Access-Control-Allow-Methods`, joined with `,`; empty: not sent.
    pub allow_methods: Arc<str>,
    /// `Access-Control-Allow-Headers`.
    pub allow_headers: Arc<str>,
    /// `Access-Control-Expose-Headers`.
    pub expose_headers: Arc<str>,
    /// `Access-Control-Max-Age` in seconds as text; empty: not sent.
    pub max_age: Arc<str>,
    /// `Access-Control-Allow-Credentials`.
    pub allow_credentials: Option<bool>,
    /// Whether preflights of origins that are not allowed are sent upstream.
    pub forward_unmatched_preflights: bool,
}

/// A redirect (T-170 to T-172).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// New scheme.
    pub scheme: Option<Arc<str>>,
    /// New host, verbatim (may hold a port).
    pub host: Option<Arc<str>>,
    /// Port to put into `Location`; `None`: none configured (elision was settled at compile time).
    pub port: Option<u16>,
    /// What becomes of the path.
    pub path: RedirectPath,
    /// Whether the request's query is dropped.
    pub strip_query: bool,
}

/// The path of a redirect (T-170).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectPath {
    /// As requested.
    Keep,
    /// Replaced whole.
    Whole(Arc<str>),
    /// The matched prefix is replaced.
    Prefix(Arc<str>),
}

/// A response of the proxy's own (T-173).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectResponse {
    /// HTTP status.
    pub status: u16,
    /// Body; `None`: none.
    pub body: Option<Arc<str>>,
}
