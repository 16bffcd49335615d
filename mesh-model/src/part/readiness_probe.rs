//! The readiness probe of a WorkloadGroup, and of the proxy settings that an agent is started with (T-337).

use serde::{Deserialize, Serialize};

use super::is_default;

/// When and how a workload is asked whether it is ready, by exactly one of the four methods. Zeros are defaults.
/// API: networking.istio.io/v1 `ReadinessProbe` (T-337).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ReadinessProbe {
    /// Seconds before the first probe.
    #[serde(skip_serializing_if = "is_default")]
    pub initial_delay_seconds: i32,
    /// Seconds until a probe fails; 0: 1.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout_seconds: i32,
    /// Seconds between two probes; 0: 10.
    #[serde(skip_serializing_if = "is_default")]
    pub period_seconds: i32,
    /// Successes in a row that make it ready; 0: 1.
    #[serde(skip_serializing_if = "is_default")]
    pub success_threshold: i32,
    /// Failures in a row that make it not ready; 0: 3.
    #[serde(skip_serializing_if = "is_default")]
    pub failure_threshold: i32,
    /// An HTTP request; a status of 200 to 399 is a success.
    #[serde(skip_serializing_if = "is_default")]
    pub http_get: Option<HttpHealthCheck>,
    /// A TCP connection.
    #[serde(skip_serializing_if = "is_default")]
    pub tcp_socket: Option<TcpHealthCheck>,
    /// A command; exit status 0 is a success.
    #[serde(skip_serializing_if = "is_default")]
    pub exec: Option<ExecHealthCheck>,
    /// gRPC's health service. Istio's validation does not take it yet.
    #[serde(skip_serializing_if = "is_default")]
    pub grpc: Option<GrpcHealthCheck>,
}

/// How a workload is asked. API: networking.istio.io/v1 `ReadinessProbe`, its oneof (T-337).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ProbeMethod<'p> {
    /// An HTTP request.
    HttpGet(&'p HttpHealthCheck),
    /// A TCP connection.
    TcpSocket(&'p TcpHealthCheck),
    /// A command.
    Exec(&'p ExecHealthCheck),
    /// gRPC's health service.
    Grpc(&'p GrpcHealthCheck),
}

impl ReadinessProbe {
    /// The method that is written; the first one where validation let several pass.
    pub fn method(&self) -> Option<ProbeMethod<'_>> {
        let http = self.http_get.as_ref().map(ProbeMethod::HttpGet);
        http.or_else(|| self.tcp_socket.as_ref().map(ProbeMethod::TcpSocket))
            .or_else(|| self.exec.as_ref().map(ProbeMethod::Exec))
            .or_else(|| self.grpc.as_ref().map(ProbeMethod::Grpc))
    }
}

/// An HTTP request. API: networking.istio.io/v1 `HTTPHealthCheckConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpHealthCheck {
    /// Path; empty: `/`.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// Port; required.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Address to connect to; empty: the workload's own.
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
    /// `HTTP` or `HTTPS`; empty: `HTTP`.
    #[serde(skip_serializing_if = "is_default")]
    pub scheme: String,
    /// Headers of the request.
    #[serde(skip_serializing_if = "is_default")]
    pub http_headers: Vec<HttpHeader>,
}

/// A header. API: networking.istio.io/v1 `HTTPHeader`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HttpHeader {
    /// Its name: letters, digits, `-` and `_`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Its value.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// A TCP connection. API: networking.istio.io/v1 `TCPHealthCheckConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TcpHealthCheck {
    /// Address to connect to; empty: `localhost`.
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
    /// Port; required.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
}

/// A command, run without a shell. API: networking.istio.io/v1 `ExecHealthCheckConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ExecHealthCheck {
    /// The program and its arguments; required.
    #[serde(skip_serializing_if = "is_default")]
    pub command: Vec<String>,
}

/// gRPC's health service. API: networking.istio.io/v1 `GrpcHealthCheckConfig`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcHealthCheck {
    /// Port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// Service to ask for; empty: the server as a whole.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
}
