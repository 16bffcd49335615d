//! Which object of a proxy's configuration a patch is for: one of four ways to name it.

use serde::{Deserialize, Serialize};

use super::spec::{EnvoyConfigObjectMatch, PatchContext, ProxyMatch};
use crate::part::is_default;
use crate::part::proto_enum::proto_enum;

/// The object, named in one of four ways.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.EnvoyConfigObjectMatch`, its oneof.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ObjectMatch {
    /// None is written: every object.
    #[default]
    Unset,
    /// By its listener.
    Listener(ListenerMatch),
    /// By its route configuration.
    RouteConfiguration(RouteConfigurationMatch),
    /// By its cluster.
    Cluster(ClusterMatch),
    /// In a waypoint; only with context `WAYPOINT`.
    Waypoint(WaypointMatch),
}

/// A listener, or something in it. API: networking.istio.io/v1alpha3 `EnvoyFilter.ListenerMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerMatch {
    /// Port of the service, gateway server or listener; 0: any.
    #[serde(skip_serializing_if = "is_default")]
    pub port_number: u32,
    /// Not used by Istio; deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub port_name: String,
    /// A filter chain of it.
    #[serde(skip_serializing_if = "is_default")]
    pub filter_chain: Option<FilterChainMatch>,
    /// A listener filter of it, by name.
    #[serde(skip_serializing_if = "is_default")]
    pub listener_filter: String,
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// A filter chain, or a filter in it. API: networking.istio.io/v1alpha3 `EnvoyFilter.ListenerMatch.FilterChainMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FilterChainMatch {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// A server name that it matches.
    #[serde(skip_serializing_if = "is_default")]
    pub sni: String,
    /// `raw_buffer` or `tls`.
    #[serde(skip_serializing_if = "is_default")]
    pub transport_protocol: String,
    /// Application protocols that it matches, separated by commas.
    #[serde(skip_serializing_if = "is_default")]
    pub application_protocols: String,
    /// A network filter in it.
    #[serde(skip_serializing_if = "is_default")]
    pub filter: Option<FilterMatch>,
    /// The destination port that it matches.
    #[serde(skip_serializing_if = "is_default")]
    pub destination_port: u32,
    /// Name of its transport socket.
    #[serde(skip_serializing_if = "is_default")]
    pub transport_socket: String,
}

/// A network filter, or an HTTP filter in it.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.ListenerMatch.FilterMatch` and
/// `EnvoyFilter.WaypointMatch.FilterMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct FilterMatch {
    /// The network filter's name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// A filter of the HTTP connection manager.
    #[serde(skip_serializing_if = "is_default")]
    pub sub_filter: Option<SubFilterMatch>,
}

/// An HTTP filter.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.ListenerMatch.SubFilterMatch` and
/// `EnvoyFilter.WaypointMatch.FilterMatch.SubFilterMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SubFilterMatch {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// A route configuration, or something in it.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.RouteConfigurationMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RouteConfigurationMatch {
    /// Port of the service or gateway server; 0: any.
    #[serde(skip_serializing_if = "is_default")]
    pub port_number: u32,
    /// Name of a gateway server's port; gateways only.
    #[serde(skip_serializing_if = "is_default")]
    pub port_name: String,
    /// `namespace/name` of a Gateway; gateways only.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway: String,
    /// A virtual host of it.
    #[serde(skip_serializing_if = "is_default")]
    pub vhost: Option<VirtualHostMatch>,
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// A virtual host, or a route in it.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.RouteConfigurationMatch.VirtualHostMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualHostMatch {
    /// Its name, `host:port`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// A route of it.
    #[serde(skip_serializing_if = "is_default")]
    pub route: Option<RouteMatch>,
    /// One of its domains.
    #[serde(skip_serializing_if = "is_default")]
    pub domain_name: String,
}

/// A route of a virtual host. API: networking.istio.io/v1alpha3 `EnvoyFilter.RouteConfigurationMatch.RouteMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RouteMatch {
    /// Its name: that of the VirtualService's route, or `default`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// What it does.
    #[serde(skip_serializing_if = "is_default")]
    pub action: RouteAction,
}

proto_enum! {
    /// What a route does. API: networking.istio.io/v1alpha3 `EnvoyFilter.RouteConfigurationMatch.RouteMatch.Action`.
    pub enum RouteAction {
        /// Anything.
        Any = "ANY" = 0,
        /// It forwards.
        Route = "ROUTE" = 1,
        /// It redirects.
        Redirect = "REDIRECT" = 2,
        /// It answers by itself.
        DirectResponse = "DIRECT_RESPONSE" = 3,
    }
}

/// A cluster. API: networking.istio.io/v1alpha3 `EnvoyFilter.ClusterMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterMatch {
    /// The service port it was made for; 0: any.
    #[serde(skip_serializing_if = "is_default")]
    pub port_number: u32,
    /// The service's full host name; inbound clusters have none.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
    /// Its subset.
    #[serde(skip_serializing_if = "is_default")]
    pub subset: String,
    /// Its whole name, such as `outbound|80||a.b.svc.cluster.local`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// Something in a waypoint. API: networking.istio.io/v1alpha3 `EnvoyFilter.WaypointMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WaypointMatch {
    /// The service port, 1 to 65535; unset: any.
    #[serde(skip_serializing_if = "is_default")]
    pub port_number: u32,
    /// A network filter.
    #[serde(skip_serializing_if = "is_default")]
    pub filter: Option<FilterMatch>,
    /// A route.
    #[serde(skip_serializing_if = "is_default")]
    pub route: Option<WaypointRouteMatch>,
}

/// A route of a waypoint. API: networking.istio.io/v1alpha3 `EnvoyFilter.WaypointMatch.RouteMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct WaypointRouteMatch {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

/// Which objects a patch is for; every condition that is written must hold.
// As it is written: each of the four ways is a field of its own.
#[derive(Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WrittenMatch {
    /// Which configurations: sidecars inbound or outbound, gateways, waypoints.
    #[serde(skip_serializing_if = "is_default")]
    context: PatchContext,
    /// Which proxies.
    #[serde(skip_serializing_if = "is_default")]
    proxy: Option<ProxyMatch>,
    /// The object by its listener; excludes the three below.
    #[serde(skip_serializing_if = "is_default")]
    listener: Option<ListenerMatch>,
    /// The object by its route configuration.
    #[serde(skip_serializing_if = "is_default")]
    route_configuration: Option<RouteConfigurationMatch>,
    /// The object by its cluster.
    #[serde(skip_serializing_if = "is_default")]
    cluster: Option<ClusterMatch>,
    /// Something in a waypoint; only with context `WAYPOINT`.
    #[serde(skip_serializing_if = "is_default")]
    waypoint: Option<WaypointMatch>,
}

impl TryFrom<WrittenMatch> for EnvoyConfigObjectMatch {
    type Error = &'static str;

    fn try_from(written: WrittenMatch) -> Result<Self, Self::Error> {
        let WrittenMatch { context, proxy, listener, route_configuration, cluster, waypoint } = written;
        let object = match (listener, route_configuration, cluster, waypoint) {
            (None, None, None, None) => ObjectMatch::Unset,
            (Some(listener), None, None, None) => ObjectMatch::Listener(listener),
            (None, Some(routes), None, None) => ObjectMatch::RouteConfiguration(routes),
            (None, None, Some(cluster), None) => ObjectMatch::Cluster(cluster),
            (None, None, None, Some(waypoint)) => ObjectMatch::Waypoint(waypoint),
            _ => return Err("at most one of listener, routeConfiguration, cluster, waypoint"),
        };
        Ok(Self { context, proxy, object })
    }
}

impl From<EnvoyConfigObjectMatch> for WrittenMatch {
    fn from(matches: EnvoyConfigObjectMatch) -> Self {
        let EnvoyConfigObjectMatch { context, proxy, object } = matches;
        let mut written = Self { context, proxy, ..Self::default() };
        match object {
            ObjectMatch::Unset => {}
            ObjectMatch::Listener(listener) => written.listener = Some(listener),
            ObjectMatch::RouteConfiguration(routes) => written.route_configuration = Some(routes),
            ObjectMatch::Cluster(cluster) => written.cluster = Some(cluster),
            ObjectMatch::Waypoint(waypoint) => written.waypoint = Some(waypoint),
        }
        written
    }
}
