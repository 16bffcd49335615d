//! What an HTTP route does, apart from forwarding.

use serde::{Deserialize, Serialize};

use crate::part::proto_enum::proto_enum;
use crate::part::{Destination, Percent, StringMatch, is_default};
use crate::value::Duration;

/// The VirtualService whose routes stand in for this one (T-125). API: networking.istio.io/v1 `Delegate`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Delegate {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Its namespace; empty: the delegating VirtualService's (T-125).
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
}

/// A redirect; at most one of `port`, `derivePort` (T-170..T-172). API: networking.istio.io/v1 `HTTPRedirect`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRedirect {
    /// The new path, whole; second to `prefixRewrite` (T-170).
    #[serde(skip_serializing_if = "is_default")]
    pub uri: String,
    /// What takes the place of the matched prefix (T-170).
    #[serde(skip_serializing_if = "is_default")]
    pub prefix_rewrite: String,
    /// The new host, verbatim; empty: the request's (T-171).
    #[serde(skip_serializing_if = "is_default")]
    pub authority: String,
    /// The new port (T-171, E-006).
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<u32>,
    /// Where the new port comes from (T-171).
    #[serde(skip_serializing_if = "is_default")]
    pub derive_port: Option<RedirectPortSelection>,
    /// The new scheme; empty: the request's (T-171).
    #[serde(skip_serializing_if = "is_default")]
    pub scheme: String,
    /// The status code; 0: 301 (T-172).
    #[serde(skip_serializing_if = "is_default")]
    pub redirect_code: u32,
}

proto_enum! {
    /// Where the port of a redirect comes from (T-171).
    /// API: networking.istio.io/v1 `HTTPRedirect.RedirectPortSelection`.
    pub enum RedirectPortSelection {
        /// From the scheme: none is written.
        FromProtocolDefault = "FROM_PROTOCOL_DEFAULT" = 0,
        /// The port of the listener, not the Host header's.
        FromRequestPort = "FROM_REQUEST_PORT" = 1,
    }
}

/// A fixed response (T-173). API: networking.istio.io/v1 `HTTPDirectResponse`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpDirectResponse {
    /// The status code (T-173).
    #[serde(skip_serializing_if = "is_default")]
    pub status: u32,
    /// The body; unset: none.
    #[serde(skip_serializing_if = "is_default")]
    pub body: Option<HttpBody>,
}

/// A body; at most one of `string`, `bytes`. API: networking.istio.io/v1 `HTTPBody` (T-173).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpBody {
    /// The body as text.
    #[serde(skip_serializing_if = "is_default")]
    pub string: Option<String>,
    /// The body in base64, as written.
    #[serde(skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schemars(extend("format" = "byte")))]
    pub bytes: Option<String>,
}

/// Changes of path and authority before forwarding. API: networking.istio.io/v1 `HTTPRewrite`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRewrite {
    /// What takes the place of the matched prefix, or of the whole path (T-174, T-518).
    #[serde(skip_serializing_if = "is_default")]
    pub uri: String,
    /// The new authority, verbatim (T-175).
    #[serde(skip_serializing_if = "is_default")]
    pub authority: String,
    /// A replacement by regex; goes before `uri` (T-174).
    #[serde(skip_serializing_if = "is_default")]
    pub uri_regex_rewrite: Option<RegexRewrite>,
}

/// A replacement by regex. API: networking.istio.io/v1 `RegexRewrite` (T-174).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RegexRewrite {
    /// RE2, searched for in the path without the query.
    #[serde(skip_serializing_if = "is_default")]
    pub r#match: String,
    /// What takes the place of each find, with `\1` for groups.
    #[serde(skip_serializing_if = "is_default")]
    pub rewrite: String,
}

/// Failures on purpose (T-182). API: networking.istio.io/v1 `HTTPFaultInjection`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpFaultInjection {
    /// Wait before forwarding.
    #[serde(skip_serializing_if = "is_default")]
    pub delay: Option<FaultDelay>,
    /// Answer with an error instead of forwarding.
    #[serde(skip_serializing_if = "is_default")]
    pub abort: Option<FaultAbort>,
}

/// A wait; at most one of `fixedDelay`, `exponentialDelay`.
/// API: networking.istio.io/v1 `HTTPFaultInjection.Delay` (T-182).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FaultDelay {
    /// Deprecated share, whole percents; used only without `percentage`.
    #[serde(skip_serializing_if = "is_default")]
    pub percent: i32,
    /// How long.
    #[serde(skip_serializing_if = "is_default")]
    pub fixed_delay: Option<Duration>,
    /// Not implemented by Istio: with it there is no delay (T-182).
    #[serde(skip_serializing_if = "is_default")]
    pub exponential_delay: Option<Duration>,
    /// Share of requests that wait; unset: none (T-523).
    #[serde(skip_serializing_if = "is_default")]
    pub percentage: Option<Percent>,
}

/// An error; at most one of `httpStatus`, `grpcStatus`, `http2Error`.
/// API: networking.istio.io/v1 `HTTPFaultInjection.Abort` (T-182).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FaultAbort {
    /// An HTTP status code.
    #[serde(skip_serializing_if = "is_default")]
    pub http_status: Option<i32>,
    /// A gRPC status, by name.
    #[serde(skip_serializing_if = "is_default")]
    pub grpc_status: Option<String>,
    /// Not implemented by Istio.
    #[serde(skip_serializing_if = "is_default")]
    pub http2_error: Option<String>,
    /// Share of requests that fail; unset: none (T-523).
    #[serde(skip_serializing_if = "is_default")]
    pub percentage: Option<Percent>,
}

/// A mirror with its share (T-183). API: networking.istio.io/v1 `HTTPMirrorPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpMirrorPolicy {
    /// Where the copy goes.
    #[serde(skip_serializing_if = "is_default")]
    pub destination: Option<Destination>,
    /// Share of requests that are copied; unset: all, written empty: none (T-524).
    #[serde(skip_serializing_if = "is_default")]
    pub percentage: Option<Percent>,
}

/// Answers to cross-origin requests (T-184). API: networking.istio.io/v1 `CorsPolicy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct CorsPolicy {
    /// Deprecated exact origins; used only without `allowOrigins`.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_origin: Vec<String>,
    /// Origins that are allowed.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_origins: Vec<StringMatch>,
    /// `Access-Control-Allow-Methods`.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_methods: Vec<String>,
    /// `Access-Control-Allow-Headers`.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_headers: Vec<String>,
    /// `Access-Control-Expose-Headers`.
    #[serde(skip_serializing_if = "is_default")]
    pub expose_headers: Vec<String>,
    /// `Access-Control-Max-Age`, whole seconds.
    #[serde(skip_serializing_if = "is_default")]
    pub max_age: Option<Duration>,
    /// Whether `Access-Control-Allow-Credentials: true` is sent; unset: no.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_credentials: Option<bool>,
    /// What becomes of preflights from other origins.
    #[serde(skip_serializing_if = "is_default")]
    pub unmatched_preflights: UnmatchedPreflights,
}

proto_enum! {
    /// What becomes of preflights from origins that are not allowed.
    /// API: networking.istio.io/v1 `CorsPolicy.UnmatchedPreflights` (T-184, E-014).
    pub enum UnmatchedPreflights {
        /// Left to Istio, which forwards.
        Unspecified = "UNSPECIFIED" = 0,
        /// The upstream gets them.
        Forward = "FORWARD" = 1,
        /// They are answered without CORS headers.
        Ignore = "IGNORE" = 2,
    }
}
