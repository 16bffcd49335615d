//! `OutlierDetection`: endpoints that fail are left out for a while (T-276, T-277).

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::value::Duration;

/// When an endpoint is ejected; the message with no field still switches ejection on (T-276).
/// API: networking.istio.io/v1 `OutlierDetection`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct OutlierDetection {
    /// Deprecated and without effect (T-276).
    #[serde(skip_serializing_if = "is_default")]
    pub consecutive_errors: i32,
    /// Whether failures to connect count apart from the upstream's answers.
    #[serde(skip_serializing_if = "is_default")]
    pub split_external_local_origin_errors: bool,
    /// Failures to connect in a row, with `splitExternalLocalOriginErrors` only; unset: 5.
    #[serde(skip_serializing_if = "is_default")]
    pub consecutive_local_origin_failures: Option<u32>,
    /// 502, 503, 504 in a row; unset or 0: not watched.
    #[serde(skip_serializing_if = "is_default")]
    pub consecutive_gateway_errors: Option<u32>,
    /// 5xx in a row; unset: 5, 0: not watched.
    #[serde(skip_serializing_if = "is_default")]
    pub consecutive_5xx_errors: Option<u32>,
    /// Time between two sweeps; unset: 10 s.
    #[serde(skip_serializing_if = "is_default")]
    pub interval: Option<Duration>,
    /// Length of the first ejection; unset: 30 s.
    #[serde(skip_serializing_if = "is_default")]
    pub base_ejection_time: Option<Duration>,
    /// Share of endpoints that can be out, in percent; 0: 10.
    #[serde(skip_serializing_if = "is_default")]
    pub max_ejection_percent: i32,
    /// Share of healthy endpoints below which all are used, in percent; 0: never (T-276, T-312).
    #[serde(skip_serializing_if = "is_default")]
    pub min_health_percent: i32,
    /// The status codes that count, instead of 5xx.
    #[serde(skip_serializing_if = "is_default")]
    pub outlier_detection_http_error_codes: Vec<u32>,
}
