//! EnvoyFilter as it is written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::object_match::WrittenMatch;
pub use super::object_match::{
    ClusterMatch, FilterChainMatch, FilterMatch, ListenerMatch, ObjectMatch, RouteAction,
    RouteConfigurationMatch, RouteMatch, SubFilterMatch, VirtualHostMatch, WaypointMatch, WaypointRouteMatch,
};
use crate::diagnostic::Report;
use crate::name::StringMap;
use crate::object::{Kind, Object};
use crate::part::proto_enum::proto_enum;
use crate::part::{NetworkingWorkloadSelector, PolicyTargetReference, is_default};

/// Patches of the configuration that Istio makes for Envoy, in the order in which they are written.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EnvoyFilter {
    /// Workloads it applies to; unset: all in the namespace, or in the mesh from the root namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub workload_selector: Option<NetworkingWorkloadSelector>,
    /// Gateways, services and waypoints it is attached to; instead of `workloadSelector`, at most 16.
    #[serde(skip_serializing_if = "is_default")]
    pub target_refs: Vec<PolicyTargetReference>,
    /// The patches.
    #[serde(skip_serializing_if = "is_default")]
    pub config_patches: Vec<EnvoyConfigObjectPatch>,
    /// Order among EnvoyFilters of one namespace: smaller first, ties by creation time, then by name.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: i32,
}

impl Kind for EnvoyFilter {
    const KIND: &'static str = "EnvoyFilter";
    const GROUP: &'static str = "networking.istio.io";
    const VERSIONS: &'static [&'static str] = &["v1alpha3"];

    fn validate(object: &Object<Self>, report: &mut Report) {
        super::validate::validate(object, report);
    }
}

/// One patch: which objects, and what is done with them.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.EnvoyConfigObjectPatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct EnvoyConfigObjectPatch {
    /// The kind of Envoy object.
    #[serde(skip_serializing_if = "is_default")]
    pub apply_to: ApplyTo,
    /// Which of these objects; unset: all.
    #[serde(rename = "match", skip_serializing_if = "is_default")]
    pub matches: Option<EnvoyConfigObjectMatch>,
    /// What is done with them; required.
    #[serde(skip_serializing_if = "is_default")]
    pub patch: Option<Patch>,
}

/// Which objects a patch is for; every condition that is written must hold.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.EnvoyConfigObjectMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "WrittenMatch", into = "WrittenMatch")]
pub struct EnvoyConfigObjectMatch {
    /// Which configurations: sidecars inbound or outbound, gateways, waypoints.
    pub context: PatchContext,
    /// Which proxies.
    pub proxy: Option<ProxyMatch>,
    /// Which objects in them.
    pub object: ObjectMatch,
}

/// Which proxies, by what they report of themselves. API: networking.istio.io/v1alpha3 `EnvoyFilter.ProxyMatch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyMatch {
    /// RE2 for the version of Istio's proxy; longer than 1024 bytes it is ignored.
    #[serde(skip_serializing_if = "is_default")]
    pub proxy_version: String,
    /// Metadata that the proxy reports, each equal.
    #[serde(skip_serializing_if = "is_default")]
    pub metadata: StringMap,
}

/// What is done with an object. API: networking.istio.io/v1alpha3 `EnvoyFilter.Patch`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Patch {
    /// Add, merge, remove and so on.
    #[serde(skip_serializing_if = "is_default")]
    pub operation: PatchOperation,
    /// The object in Envoy's own JSON form, required for all but `REMOVE`.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Option<Map<String, Value>>,
    /// Where an added filter stands; only with `ADD`.
    #[serde(skip_serializing_if = "is_default")]
    pub filter_class: FilterClass,
}

proto_enum! {
    /// Kinds of Envoy objects that can be patched. API: networking.istio.io/v1alpha3 `EnvoyFilter.ApplyTo`.
    pub enum ApplyTo {
        /// Not written, which is refused.
        Invalid = "INVALID" = 0,
        /// A listener.
        Listener = "LISTENER" = 1,
        /// A filter chain of a listener.
        FilterChain = "FILTER_CHAIN" = 2,
        /// A network filter of a filter chain.
        NetworkFilter = "NETWORK_FILTER" = 3,
        /// A filter of the HTTP connection manager.
        HttpFilter = "HTTP_FILTER" = 4,
        /// A route configuration.
        RouteConfiguration = "ROUTE_CONFIGURATION" = 5,
        /// A virtual host of a route configuration.
        VirtualHost = "VIRTUAL_HOST" = 6,
        /// A route of a virtual host.
        HttpRoute = "HTTP_ROUTE" = 7,
        /// A cluster.
        Cluster = "CLUSTER" = 8,
        /// A resource of the extension configuration discovery service.
        ExtensionConfig = "EXTENSION_CONFIG" = 9,
        /// The bootstrap, when the proxy starts.
        Bootstrap = "BOOTSTRAP" = 10,
        /// A listener filter.
        ListenerFilter = "LISTENER_FILTER" = 11,
    }
}

proto_enum! {
    /// Which configurations a patch is for. API: networking.istio.io/v1alpha3 `EnvoyFilter.PatchContext`.
    pub enum PatchContext {
        /// Sidecars and gateways.
        Any = "ANY" = 0,
        /// What comes into a sidecar.
        SidecarInbound = "SIDECAR_INBOUND" = 1,
        /// What goes out of a sidecar.
        SidecarOutbound = "SIDECAR_OUTBOUND" = 2,
        /// Gateways.
        Gateway = "GATEWAY" = 3,
        /// Waypoints.
        Waypoint = "WAYPOINT" = 4,
    }
}

proto_enum! {
    /// What is done with an object. API: networking.istio.io/v1alpha3 `EnvoyFilter.Patch.Operation`.
    pub enum PatchOperation {
        /// Not written, which is refused.
        Invalid = "INVALID" = 0,
        /// Protobuf's merge: scalars replaced, lists appended.
        Merge = "MERGE" = 1,
        /// A new object at the end.
        Add = "ADD" = 2,
        /// The object goes away.
        Remove = "REMOVE" = 3,
        /// A new object before the one that matches.
        InsertBefore = "INSERT_BEFORE" = 4,
        /// A new object after the one that matches.
        InsertAfter = "INSERT_AFTER" = 5,
        /// A new object before all others.
        InsertFirst = "INSERT_FIRST" = 6,
        /// The value instead of the object; filters only.
        Replace = "REPLACE" = 7,
        /// As `MERGE`, with lists replaced.
        MergeAndReplaceList = "MERGE_AND_REPLACE_LIST" = 8,
    }
}

proto_enum! {
    /// Where an added filter stands. API: networking.istio.io/v1alpha3 `EnvoyFilter.Patch.FilterClass`.
    pub enum FilterClass {
        /// Where the operation says.
        Unspecified = "UNSPECIFIED" = 0,
        /// After Istio's authentication filters.
        Authn = "AUTHN" = 1,
        /// After Istio's authorization filters.
        Authz = "AUTHZ" = 2,
        /// Before Istio's statistics filters.
        Stats = "STATS" = 3,
    }
}
