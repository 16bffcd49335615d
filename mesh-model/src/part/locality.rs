//! Preference for near endpoints (T-255..T-262).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Preference by region, zone and subzone; at most one of `distribute`, `failover` with or without
/// `failoverPriority`. API: networking.istio.io/v1 `LocalityLoadBalancerSetting` (T-255..T-261).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LocalityLoadBalancerSetting {
    /// Fixed shares per locality; excludes failover (T-258).
    #[serde(skip_serializing_if = "is_default")]
    pub distribute: Vec<LocalityDistribute>,
    /// Which region stands in for which (T-257).
    #[serde(skip_serializing_if = "is_default")]
    pub failover: Vec<LocalityFailover>,
    /// Labels that make endpoints alike, the most telling first (T-260).
    #[serde(skip_serializing_if = "is_default")]
    pub failover_priority: Vec<String>,
    /// Whether any of it applies; unset: yes (T-255).
    #[serde(skip_serializing_if = "is_default")]
    pub enabled: Option<bool>,
}

/// How clients of one locality spread. API: networking.istio.io/v1 `LocalityLoadBalancerSetting.Distribute` (T-258).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LocalityDistribute {
    /// The clients' locality, `region/zone/subzone`, `*` at the end allowed.
    #[serde(skip_serializing_if = "is_default")]
    pub from: String,
    /// Percent by the endpoints' locality.
    #[serde(skip_serializing_if = "is_default")]
    pub to: BTreeMap<String, u32>,
}

/// Which region stands in for another. API: networking.istio.io/v1 `LocalityLoadBalancerSetting.Failover` (T-257).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LocalityFailover {
    /// The clients' region.
    #[serde(skip_serializing_if = "is_default")]
    pub from: String,
    /// The region to use when its endpoints are unhealthy.
    #[serde(skip_serializing_if = "is_default")]
    pub to: String,
}

/// Preference for the own zone, by Envoy's zone-aware routing (T-262).
/// API: networking.istio.io/v1 `ZoneAwareLoadBalancerSetting`.
/// API: networking.istio.io/v1 `ZoneAwareLoadBalancerSetting`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ZoneAwareLoadBalancerSetting {
    /// Whether it applies; unset: yes (T-262).
    #[serde(skip_serializing_if = "is_default")]
    pub enabled: Option<bool>,
    /// Fewest endpoints of the cluster for zones to count; unset: the data plane's 6.
    #[serde(skip_serializing_if = "is_default")]
    pub min_cluster_size: Option<u64>,
    /// Which region stands in for which.
    #[serde(skip_serializing_if = "is_default")]
    pub failover: Vec<ZoneAwareFailover>,
    /// Labels that make endpoints alike, the most telling first (T-260).
    #[serde(skip_serializing_if = "is_default")]
    pub failover_priority: Vec<String>,
}

/// Which region stands in for another. API: networking.istio.io/v1 `ZoneAwareLoadBalancerSetting.Failover` (T-262).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ZoneAwareFailover {
    /// The clients' region.
    #[serde(skip_serializing_if = "is_default")]
    pub from: String,
    /// The region to use when its endpoints are unhealthy.
    #[serde(skip_serializing_if = "is_default")]
    pub to: String,
}
