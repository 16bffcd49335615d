//! The messages of both services that are sent and read here, with their field numbers. Entries are put together from
//! bytes: a message within a message is written as its bytes are.
//!
//! Envoy's: `envoy/service/accesslog/v3/als.proto`, `envoy/data/accesslog/v3/accesslog.proto`,
//! `envoy/config/core/v3/{base,address}.proto`. OpenTelemetry's: `opentelemetry/proto/logs/v1/logs.proto`,
//! `collector/logs/v1/logs_service.proto`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::runtime::span_export::{AnyValue, KeyValue};

/// `StreamAccessLogsMessage`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StreamMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) identifier: Option<Identifier>,
    #[prost(message, optional, tag = "2")]
    pub(super) http_logs: Option<Entries>,
    #[prost(message, optional, tag = "3")]
    pub(super) tcp_logs: Option<Entries>,
}

/// `HTTPAccessLogEntries`, `TCPAccessLogEntries`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entries {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) log_entry: Vec<Vec<u8>>,
}

/// `StreamAccessLogsMessage.Identifier`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Identifier {
    #[prost(message, optional, tag = "1")]
    pub(super) node: Option<Node>,
    #[prost(string, tag = "2")]
    pub(super) log_name: String,
}

/// `Node`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) cluster: String,
}

/// `HTTPAccessLogEntry`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpEntry {
    #[prost(message, optional, tag = "1")]
    pub(super) common: Option<Common>,
    #[prost(int32, tag = "2")]
    pub(super) protocol_version: i32,
    #[prost(message, optional, tag = "3")]
    pub(super) request: Option<Request>,
    #[prost(message, optional, tag = "4")]
    pub(super) response: Option<Response>,
}

/// `TCPAccessLogEntry`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TcpEntry {
    #[prost(message, optional, tag = "1")]
    pub(super) common: Option<Common>,
    #[prost(message, optional, tag = "2")]
    pub(super) connection: Option<ConnectionBytes>,
}

/// `ConnectionProperties`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ConnectionBytes {
    #[prost(uint64, tag = "1")]
    pub(super) received: u64,
    #[prost(uint64, tag = "2")]
    pub(super) sent: u64,
}

/// `AccessLogCommon`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Common {
    #[prost(message, optional, tag = "2")]
    pub(super) downstream_remote: Option<Address>,
    #[prost(message, optional, tag = "3")]
    pub(super) downstream_local: Option<Address>,
    #[prost(message, optional, tag = "4")]
    pub(super) tls: Option<Tls>,
    #[prost(message, optional, tag = "5")]
    pub(super) start: Option<Time>,
    #[prost(message, optional, tag = "6")]
    pub(super) until_last_received: Option<Time>,
    #[prost(message, optional, tag = "7")]
    pub(super) until_first_upstream_sent: Option<Time>,
    #[prost(message, optional, tag = "8")]
    pub(super) until_last_upstream_sent: Option<Time>,
    #[prost(message, optional, tag = "9")]
    pub(super) until_first_upstream_received: Option<Time>,
    #[prost(message, optional, tag = "10")]
    pub(super) until_last_upstream_received: Option<Time>,
    #[prost(message, optional, tag = "11")]
    pub(super) until_first_sent: Option<Time>,
    #[prost(message, optional, tag = "12")]
    pub(super) until_last_sent: Option<Time>,
    #[prost(message, optional, tag = "13")]
    pub(super) upstream_remote: Option<Address>,
    #[prost(message, optional, tag = "14")]
    pub(super) upstream_local: Option<Address>,
    #[prost(string, tag = "15")]
    pub(super) upstream_cluster: String,
    #[prost(bytes = "vec", optional, tag = "16")]
    pub(super) response_flags: Option<Vec<u8>>,
    #[prost(string, tag = "18")]
    pub(super) upstream_failure: String,
    #[prost(string, tag = "19")]
    pub(super) route_name: String,
    #[prost(message, optional, tag = "20")]
    pub(super) direct_remote: Option<Address>,
    #[prost(btree_map = "string, message", tag = "21")]
    pub(super) filter_state: BTreeMap<String, Any>,
    #[prost(message, optional, tag = "23")]
    pub(super) duration: Option<Time>,
    #[prost(uint32, tag = "24")]
    pub(super) attempts: u32,
    #[prost(string, tag = "25")]
    pub(super) termination: String,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl Any {
    pub(super) fn of(fields: &Struct) -> Self {
        let type_url = "type.googleapis.com/google.protobuf.Struct".to_owned();
        Self { type_url, value: prost::Message::encode_to_vec(fields) }
    }
}

/// `google.protobuf.Struct`, of texts.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    fields: BTreeMap<String, StructValue>,
}

/// `google.protobuf.Value`, a text.
#[derive(Clone, PartialEq, prost::Message)]
struct StructValue {
    #[prost(string, optional, tag = "3")]
    text: Option<String>,
}

impl Struct {
    /// The texts of an object.
    pub(super) fn of(object: &serde_json::Value) -> Self {
        let fields = object.as_object().into_iter().flatten();
        let text = |value: &serde_json::Value| StructValue { text: value.as_str().map(str::to_owned) };
        Self { fields: fields.map(|(name, value)| (name.clone(), text(value))).collect() }
    }
}

/// `Address`, which is a `SocketAddress`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Address {
    #[prost(message, optional, tag = "1")]
    socket: Option<Socket>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Socket {
    #[prost(string, tag = "2")]
    address: String,
    #[prost(uint32, tag = "3")]
    port: u32,
}

/// `TLSProperties`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tls {
    #[prost(int32, tag = "1")]
    pub(super) version: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) cipher_suite: Option<Number>,
    #[prost(string, tag = "3")]
    pub(super) server_name: String,
    #[prost(message, optional, tag = "4")]
    pub(super) own: Option<CertificateProperties>,
    #[prost(message, optional, tag = "5")]
    pub(super) peer: Option<CertificateProperties>,
}

/// `TLSProperties.CertificateProperties`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CertificateProperties {
    #[prost(message, repeated, tag = "1")]
    pub(super) names: Vec<Name>,
    #[prost(string, tag = "2")]
    pub(super) subject: String,
}

/// `SubjectAltName`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Name {
    #[prost(string, optional, tag = "1")]
    pub(super) uri: Option<String>,
}

/// `google.protobuf.Timestamp`, `google.protobuf.Duration`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// `HTTPRequestProperties`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Request {
    #[prost(int32, tag = "1")]
    pub(super) method: i32,
    #[prost(string, tag = "2")]
    pub(super) scheme: String,
    #[prost(string, tag = "3")]
    pub(super) authority: String,
    #[prost(string, tag = "5")]
    pub(super) path: String,
    #[prost(string, tag = "6")]
    pub(super) user_agent: String,
    #[prost(string, tag = "7")]
    pub(super) referer: String,
    #[prost(string, tag = "8")]
    pub(super) forwarded_for: String,
    #[prost(string, tag = "9")]
    pub(super) request_id: String,
    #[prost(string, tag = "10")]
    pub(super) original_path: String,
    #[prost(uint64, tag = "11")]
    pub(super) headers_bytes: u64,
    #[prost(uint64, tag = "12")]
    pub(super) body_bytes: u64,
    #[prost(btree_map = "string, string", tag = "13")]
    pub(super) headers: BTreeMap<String, String>,
}

/// `HTTPResponseProperties`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(super) code: Option<Number>,
    #[prost(uint64, tag = "2")]
    pub(super) headers_bytes: u64,
    #[prost(uint64, tag = "3")]
    pub(super) body_bytes: u64,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(super) headers: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(super) trailers: BTreeMap<String, String>,
    #[prost(string, tag = "6")]
    pub(super) details: String,
}

/// `google.protobuf.UInt32Value`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Number {
    #[prost(uint32, tag = "1")]
    pub(super) value: u32,
}

/// `ExportLogsServiceRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_logs: Vec<ResourceLogs>,
}

/// `ResourceLogs`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResourceLogs {
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_logs: Vec<ScopeLogs>,
}

/// `ScopeLogs`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ScopeLogs {
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) log_records: Vec<Vec<u8>>,
}

/// `LogRecord`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    pub(super) time_unix_nano: u64,
    #[prost(message, optional, tag = "5")]
    pub(super) body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    pub(super) attributes: Vec<KeyValue>,
}

/// `ExportLogsServiceResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// `ExportLogsPartialSuccess`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

impl Address {
    pub(super) fn of(address: SocketAddr) -> Self {
        let socket = Socket { address: address.ip().to_string(), port: u32::from(address.port()) };
        Self { socket: Some(socket) }
    }
}

impl From<Duration> for Time {
    fn from(time: Duration) -> Self {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self { seconds, nanos: i32::try_from(time.subsec_nanos()).unwrap_or_default() }
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        time.duration_since(UNIX_EPOCH).unwrap_or_default().into()
    }
}
