//! Limits and strictness of connections (T-442).

use serde::{Deserialize, Serialize};

use crate::part::is_default;
use crate::part::proto_enum::proto_enum;
use crate::value::Duration;

/// Limits and strictness of connections; what is unset comes from the profile.
/// API: mesh/v1alpha1 `ProxyConfig.ConnectionSettings` (T-442).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ConnectionSettings {
    /// Where defaults come from.
    #[serde(skip_serializing_if = "is_default")]
    pub profile: ConnectionProfile,
    /// Buffer per downstream connection, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_per_connection_buffer_limit_bytes: Option<i32>,
    /// Buffer per upstream connection, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_per_connection_buffer_limit_bytes: Option<i32>,
    /// Time without requests after which a connection is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_idle_timeout: Option<Duration>,
    /// Longest life of a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_max_connection_duration: Option<Duration>,
    /// Time between the two GOAWAYs of a graceful close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_drain_timeout: Option<Duration>,
    /// Time to receive a whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_request_timeout: Option<Duration>,
    /// Time to receive the request's headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_request_headers_timeout: Option<Duration>,
    /// Time without activity after which a request is ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_stream_idle_timeout: Option<Duration>,
    /// Longest life of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_max_stream_duration: Option<Duration>,
    /// HTTP/2 requests at a time per connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_max_concurrent_streams: Option<i32>,
    /// HTTP/2 window per request, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2_initial_stream_window_size: Option<i32>,
    /// HTTP/2 window per connection, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2_initial_connection_window_size: Option<i32>,
    /// What is done with header names that have an underscore.
    #[serde(skip_serializing_if = "is_default")]
    pub http_headers_with_underscores_action: HeadersWithUnderscoresAction,
    /// Whether runs of slashes in paths become one (S-200).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_merge_slashes: Option<bool>,
    /// What is done with `%2F` and `%5C` in paths (S-200).
    #[serde(skip_serializing_if = "is_default")]
    pub http_path_with_escaped_slashes_action: PathWithEscapedSlashesAction,
    /// Connections at a time per listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_connection_limit: Option<i32>,
    /// Downstream connections at a time per proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_downstream_connection_limit: Option<i32>,
}

proto_enum! {
    /// A set of defaults. API: mesh/v1alpha1 `ProxyConfig.ConnectionSettings.Profile` (T-442, S-200).
    pub enum ConnectionProfile {
        /// For sidecars: nothing is limited.
        Sidecar = "SIDECAR" = 0,
        /// For gateways that face the internet.
        Edge = "EDGE" = 1,
    }
}

proto_enum! {
    /// What is done with header names that have an underscore.
    /// API: mesh/v1alpha1 `ProxyConfig.ConnectionSettings.HeadersWithUnderscoresAction`.
    pub enum HeadersWithUnderscoresAction {
        /// As the profile says.
        Unspecified = "HEADERS_WITH_UNDERSCORES_UNSPECIFIED" = 0,
        /// They pass.
        Allow = "HEADERS_WITH_UNDERSCORES_ALLOW" = 1,
        /// The request is refused.
        RejectRequest = "HEADERS_WITH_UNDERSCORES_REJECT_REQUEST" = 2,
        /// They are removed.
        DropHeader = "HEADERS_WITH_UNDERSCORES_DROP_HEADER" = 3,
    }
}

proto_enum! {
    /// What is done with `%2F` and `%5C` in paths.
    /// API: mesh/v1alpha1 `ProxyConfig.ConnectionSettings.PathWithEscapedSlashesAction` (S-200).
    pub enum PathWithEscapedSlashesAction {
        /// As the profile says.
        Unspecified = "PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED" = 0,
        /// They stay.
        KeepUnchanged = "KEEP_UNCHANGED" = 1,
        /// The request is refused.
        RejectRequest = "REJECT_REQUEST" = 2,
        /// The client is sent to the decoded path.
        UnescapeAndRedirect = "UNESCAPE_AND_REDIRECT" = 3,
        /// They are decoded.
        UnescapeAndForward = "UNESCAPE_AND_FORWARD" = 4,
    }
}
