//! HTTP messages: retries, header operations, percentages.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::name::StringMap;
use crate::value::Duration;

/// Names of gRPC status codes; the code is the position, from 0 (T-182).
pub const GRPC_STATUS: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// When and how often a request is tried again (T-160..T-167). API: networking.istio.io/v1 `HTTPRetry`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRetry {
    /// Tries after the first one; ≤ 0 means no retries at all (T-162).
    #[serde(skip_serializing_if = "is_default")]
    pub attempts: i32,
    /// Time for each try; unset: what is left of the route's timeout (T-165).
    #[serde(skip_serializing_if = "is_default")]
    pub per_try_timeout: Option<Duration>,
    /// Conditions and status codes, separated by commas (T-163, T-164).
    #[serde(skip_serializing_if = "is_default")]
    pub retry_on: String,
    /// Whether a retry may go to a locality not yet tried; unset: no (T-165).
    #[serde(skip_serializing_if = "is_default")]
    pub retry_remote_localities: Option<bool>,
    /// Whether a retry avoids the endpoints already tried; unset: yes (T-161).
    #[serde(skip_serializing_if = "is_default")]
    pub retry_ignore_previous_hosts: Option<bool>,
    /// Base of the pause between tries; unset: the data plane's 25 ms (T-165).
    #[serde(skip_serializing_if = "is_default")]
    pub backoff: Option<Duration>,
}

/// Header changes in both directions (T-176..T-181). API: networking.istio.io/v1 `Headers`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Headers {
    /// Before the request is forwarded.
    #[serde(skip_serializing_if = "is_default")]
    pub request: Option<Box<HeaderOperations>>,
    /// Before the response is returned.
    #[serde(skip_serializing_if = "is_default")]
    pub response: Option<Box<HeaderOperations>>,
}

/// Header changes in one direction; `remove` comes before `set` and `add` (T-177, T-522).
/// API: networking.istio.io/v1 `Headers.HeaderOperations`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderOperations {
    /// Headers to overwrite.
    #[serde(skip_serializing_if = "is_default")]
    pub set: StringMap,
    /// Values to append, as lines of their own (T-181).
    #[serde(skip_serializing_if = "is_default")]
    pub add: StringMap,
    /// Names to drop.
    #[serde(skip_serializing_if = "is_default")]
    pub remove: Vec<String>,
}

/// A share between 0 and 100, finer than whole percents. API: networking.istio.io/v1 `Percent`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Percent {
    /// 0.0 to 100.0; written empty it is 0, not the default of the field that holds it (T-524).
    #[serde(skip_serializing_if = "is_default")]
    pub value: f64,
}
