//! VirtualService as it is written.

mod http_action;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::http_action::{
    CorsPolicy, Delegate, FaultAbort, FaultDelay, HttpBody, HttpDirectResponse, HttpFaultInjection,
    HttpMirrorPolicy, HttpRedirect, HttpRewrite, RedirectPortSelection, RegexRewrite, UnmatchedPreflights,
};
use crate::diagnostic::Report;
use crate::name::StringMap;
use crate::object::{Kind, Object};
use crate::part::{Destination, Headers, HttpRetry, Percent, StringMatch, is_default};
use crate::value::Duration;

/// How requests to some hosts are routed.
/// API: networking.istio.io/v1 `VirtualService`; which one owns a host is T-101 to T-106.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualService {
    /// The hosts; empty makes it a delegate, applied only through another one (T-100).
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: Vec<String>,
    /// Gateways it applies on; empty: `mesh`, that is sidecars (T-024).
    #[serde(skip_serializing_if = "is_default")]
    pub gateways: Vec<String>,
    /// HTTP routes; the first that matches is taken (T-115).
    #[serde(skip_serializing_if = "is_default")]
    pub http: Vec<HttpRoute>,
    /// Routes of TLS that is not terminated (T-186).
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Vec<TlsRoute>,
    /// Routes of TCP (T-190).
    #[serde(skip_serializing_if = "is_default")]
    pub tcp: Vec<TcpRoute>,
    /// Namespaces that see it; empty: the mesh's default (T-025, T-026).
    #[serde(skip_serializing_if = "is_default")]
    pub export_to: Vec<String>,
}

impl Kind for VirtualService {
    const KIND: &'static str = "VirtualService";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1", "v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// An HTTP route: conditions, one action (`route`, `redirect`, `directResponse` or `delegate`), and what goes with it.
/// API: networking.istio.io/v1 `HTTPRoute`; one action as T-157 says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRoute {
    /// A name for logs; part of the route's name (T-122).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Conditions, any of which suffices; empty: every request (T-118).
    #[serde(skip_serializing_if = "is_default")]
    pub r#match: Vec<HttpMatchRequest>,
    /// Forward to one of these, by weight (T-154, T-155).
    #[serde(skip_serializing_if = "is_default")]
    pub route: Vec<HttpRouteDestination>,
    /// Answer with a redirect (T-170..T-172).
    #[serde(skip_serializing_if = "is_default")]
    pub redirect: Option<Box<HttpRedirect>>,
    /// Answer with a fixed response (T-173).
    #[serde(skip_serializing_if = "is_default")]
    pub direct_response: Option<Box<HttpDirectResponse>>,
    /// Put another VirtualService's routes here (T-125..T-131).
    #[serde(skip_serializing_if = "is_default")]
    pub delegate: Option<Box<Delegate>>,
    /// Change path and authority before forwarding (T-174, T-175).
    #[serde(skip_serializing_if = "is_default")]
    pub rewrite: Option<Box<HttpRewrite>>,
    /// Time for the whole exchange with all tries; unset or `0s`: no limit (T-168).
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: Option<Duration>,
    /// Tries after a failure; replaces the mesh's policy whole (T-160).
    #[serde(skip_serializing_if = "is_default")]
    pub retries: Option<HttpRetry>,
    /// Delays and aborts on purpose (T-182).
    #[serde(skip_serializing_if = "is_default")]
    pub fault: Option<Box<HttpFaultInjection>>,
    /// Send a copy here too; excludes `mirrors` (T-183).
    #[serde(skip_serializing_if = "is_default")]
    pub mirror: Option<Box<Destination>>,
    /// Send copies to each of these (T-183).
    #[serde(skip_serializing_if = "is_default")]
    pub mirrors: Vec<HttpMirrorPolicy>,
    /// Deprecated share of `mirror`, whole percents (T-183).
    #[serde(alias = "mirror_percent", skip_serializing_if = "is_default")]
    pub mirror_percent: Option<u32>,
    /// Share of requests that `mirror` gets; unset: all, written empty: none (T-524).
    #[serde(skip_serializing_if = "is_default")]
    pub mirror_percentage: Option<Percent>,
    /// Answers to cross-origin requests (T-184).
    #[serde(skip_serializing_if = "is_default")]
    pub cors_policy: Option<Box<CorsPolicy>>,
    /// Header changes, whatever the destination (T-176).
    #[serde(skip_serializing_if = "is_default")]
    pub headers: Option<Box<Headers>>,
}

/// Conditions that must all hold. API: networking.istio.io/v1 `HTTPMatchRequest` (T-115).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpMatchRequest {
    /// A name for logs; appended to the route's (T-122).
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// The path without the query (T-135..T-139).
    #[serde(skip_serializing_if = "is_default")]
    pub uri: Option<StringMatch>,
    /// `:scheme` (T-140).
    #[serde(skip_serializing_if = "is_default")]
    pub scheme: Option<StringMatch>,
    /// `:method`; case counts (T-140).
    #[serde(skip_serializing_if = "is_default")]
    pub method: Option<StringMatch>,
    /// `:authority` as received, with its port (T-140, T-509).
    #[serde(skip_serializing_if = "is_default")]
    pub authority: Option<StringMatch>,
    /// Headers that must match; an unset match asks for presence only (T-141, T-142).
    #[serde(skip_serializing_if = "is_default")]
    pub headers: BTreeMap<String, StringMatch>,
    /// The port that was addressed; 0: any (T-116).
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Labels that the client must carry; on sidecars only (T-117).
    #[serde(skip_serializing_if = "is_default")]
    pub source_labels: StringMap,
    /// Gateways of the route, fewer than the VirtualService's; replaces the label checks (T-117, T-505).
    #[serde(skip_serializing_if = "is_default")]
    pub gateways: Vec<String>,
    /// Query parameters that must match (T-144).
    #[serde(skip_serializing_if = "is_default")]
    pub query_params: BTreeMap<String, StringMatch>,
    /// Whether `uri` compares without case, except for `regex` (T-138).
    #[serde(skip_serializing_if = "is_default")]
    pub ignore_uri_case: bool,
    /// Headers that must not match (T-143).
    #[serde(skip_serializing_if = "is_default")]
    pub without_headers: BTreeMap<String, StringMatch>,
    /// The client's namespace; empty: any (T-117).
    #[serde(skip_serializing_if = "is_default")]
    pub source_namespace: String,
    /// Prefix of the route's statistics; empty: none (T-122).
    #[serde(skip_serializing_if = "is_default")]
    pub stat_prefix: String,
}

/// One of the destinations of an HTTP route. API: networking.istio.io/v1 `HTTPRouteDestination`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteDestination {
    /// The service (T-150).
    #[serde(skip_serializing_if = "is_default")]
    pub destination: Option<Destination>,
    /// Its share, relative to the sum; without effect when it is alone (T-154, T-155).
    #[serde(skip_serializing_if = "is_default")]
    pub weight: i32,
    /// Header changes for this destination only (T-177, T-178).
    #[serde(skip_serializing_if = "is_default")]
    pub headers: Option<Box<Headers>>,
}

/// A route of TLS that is not terminated. API: networking.istio.io/v1 `TLSRoute` (T-186).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TlsRoute {
    /// Conditions, any of which suffices (T-187).
    #[serde(skip_serializing_if = "is_default")]
    pub r#match: Vec<TlsMatchAttributes>,
    /// Forward to one of these, by weight (T-191).
    #[serde(skip_serializing_if = "is_default")]
    pub route: Vec<RouteDestination>,
}

/// Conditions on a TLS connection that must all hold. API: networking.istio.io/v1 `TLSMatchAttributes` (T-186).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TlsMatchAttributes {
    /// Server names, wildcards allowed (T-189).
    #[serde(skip_serializing_if = "is_default")]
    pub sni_hosts: Vec<String>,
    /// Address blocks of the original destination (T-187).
    #[serde(skip_serializing_if = "is_default")]
    pub destination_subnets: Vec<String>,
    /// The port that was addressed; 0: any (T-186).
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Labels that the client must carry; not looked at on gateways (T-192).
    #[serde(skip_serializing_if = "is_default")]
    pub source_labels: StringMap,
    /// Gateways of the route, fewer than the VirtualService's (T-186).
    #[serde(skip_serializing_if = "is_default")]
    pub gateways: Vec<String>,
    /// The client's namespace; empty: any (T-186).
    #[serde(skip_serializing_if = "is_default")]
    pub source_namespace: String,
}

/// A route of TCP. API: networking.istio.io/v1 `TCPRoute` (T-190).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TcpRoute {
    /// Conditions, any of which suffices; empty: every connection (T-190).
    #[serde(skip_serializing_if = "is_default")]
    pub r#match: Vec<L4MatchAttributes>,
    /// Forward to one of these, by weight (T-191).
    #[serde(skip_serializing_if = "is_default")]
    pub route: Vec<RouteDestination>,
}

/// Conditions on a TCP connection that must all hold. API: networking.istio.io/v1 `L4MatchAttributes` (T-190).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct L4MatchAttributes {
    /// Address blocks of the original destination.
    #[serde(skip_serializing_if = "is_default")]
    pub destination_subnets: Vec<String>,
    /// The port that was addressed; 0: any (T-186).
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Deprecated and ignored (T-193).
    #[serde(skip_serializing_if = "is_default")]
    pub source_subnet: String,
    /// Labels that the client must carry; not looked at on gateways (T-192).
    #[serde(skip_serializing_if = "is_default")]
    pub source_labels: StringMap,
    /// Gateways of the route, fewer than the VirtualService's (T-186).
    #[serde(skip_serializing_if = "is_default")]
    pub gateways: Vec<String>,
    /// The client's namespace; empty: any (T-186).
    #[serde(skip_serializing_if = "is_default")]
    pub source_namespace: String,
}

/// One of the destinations of a TLS or TCP route. API: networking.istio.io/v1 `RouteDestination`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RouteDestination {
    /// The service.
    #[serde(skip_serializing_if = "is_default")]
    pub destination: Option<Destination>,
    /// Its share, relative to the sum; without effect when it is alone (T-191).
    #[serde(skip_serializing_if = "is_default")]
    pub weight: i32,
}
