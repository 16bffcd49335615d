//! What operators without an argument tell.

use super::durations;
use super::headers;
use super::value::{some, text};
use super::values::{Place, address, number};
use crate::telemetry::record::Record;
use crate::telemetry::response_flags;

/// By the operator of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    Protocol,
    UpstreamProtocol,
    ResponseCode,
    ResponseFlags,
    ResponseFlagsLong,
    ConnectionTerminationDetails,
    UpstreamTransportFailureReason,
    BytesReceived,
    BytesSent,
    /// Bytes of a connection's own, which only those of bytes tell.
    Wire(Wire),
    RequestHeadersBytes,
    ResponseHeadersBytes,
    ResponseTrailersBytes,
    Duration,
    HandshakeDuration,
    UpstreamHost,
    UpstreamHostWithoutPort,
    HostsAttempted,
    HostsAttemptedWithoutPort,
    ConnectionsAttempted,
    UpstreamCluster,
    UpstreamRequestAttemptCount,
    Address(Place),
    Port(Place),
    /// Of an address within Envoy: those with a port have none.
    EndpointId(Place),
    ConnectionId,
    UpstreamConnectionId,
    StreamId,
    UniqueId,
    RouteName,
    FilterChainName,
    AccessLogType,
    TraceId,
    SpanId,
    UpstreamCloseType,
    /// `0`: what only HTTP/3 counts.
    Zero,
    /// A text that is there and empty.
    Empty,
    /// How connections end: no log is written of one that was reset.
    Normal,
}

/// Bytes on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) is_upstream: bool,
    pub(super) is_sent: bool,
    /// Whether only heads are meant.
    pub(super) heads: bool,
}

/// Operators that tell nothing else, by name.
const FACTS: [(&str, Fact); 57] = [
    ("ACCESS_LOG_TYPE", Fact::AccessLogType),
    ("BYTES_RECEIVED", Fact::BytesReceived),
    ("BYTES_RETRANSMITTED", Fact::Zero),
    ("BYTES_SENT", Fact::BytesSent),
    ("CONNECTION_ID", Fact::ConnectionId),
    ("CONNECTION_TERMINATION_DETAILS", Fact::ConnectionTerminationDetails),
    ("CUSTOM_FLAGS", Fact::Empty),
    ("DOWNSTREAM_DETECTED_CLOSE_TYPE", Fact::Normal),
    ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS", Fact::Address(Place::Destination)),
    ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", Fact::EndpointId(Place::Destination)),
    ("DOWNSTREAM_DIRECT_LOCAL_PORT", Fact::Port(Place::Destination)),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Fact::Address(Place::DirectClient)),
    ("DOWNSTREAM_DIRECT_REMOTE_PORT", Fact::Port(Place::DirectClient)),
    ("DOWNSTREAM_HANDSHAKE_DURATION", Fact::HandshakeDuration),
    ("DOWNSTREAM_LOCAL_ADDRESS", Fact::Address(Place::Destination)),
    ("DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", Fact::EndpointId(Place::Destination)),
    ("DOWNSTREAM_LOCAL_PORT", Fact::Port(Place::Destination)),
    ("DOWNSTREAM_REMOTE_ADDRESS", Fact::Address(Place::Client)),
    ("DOWNSTREAM_REMOTE_PORT", Fact::Port(Place::Client)),
    ("DURATION", Fact::Duration),
    ("FILTER_CHAIN_NAME", Fact::FilterChainName),
    ("LOCAL_REPLY_BODY", Fact::Empty),
    ("PACKETS_RETRANSMITTED", Fact::Zero),
    ("PROTOCOL", Fact::Protocol),
    ("REQUEST_HEADERS_BYTES", Fact::RequestHeadersBytes),
    ("RESPONSE_CODE", Fact::ResponseCode),
    ("RESPONSE_FLAGS", Fact::ResponseFlags),
    ("RESPONSE_FLAGS_LONG", Fact::ResponseFlagsLong),
    ("RESPONSE_HEADERS_BYTES", Fact::ResponseHeadersBytes),
    ("RESPONSE_TRAILERS_BYTES", Fact::ResponseTrailersBytes),
    ("ROUTE_NAME", Fact::RouteName),
    ("SPAN_ID", Fact::SpanId),
    ("STREAM_ID", Fact::StreamId),
    ("TRACE_ID", Fact::TraceId),
    ("UNIQUE_ID", Fact::UniqueId),
    ("UPSTREAM_CLUSTER", Fact::UpstreamCluster),
    ("UPSTREAM_CLUSTER_RAW", Fact::UpstreamCluster),
    ("UPSTREAM_CONNECTION_ID", Fact::UpstreamConnectionId),
    ("UPSTREAM_CONNECTION_IDS_ATTEMPTED", Fact::ConnectionsAttempted),
    ("UPSTREAM_DETECTED_CLOSE_TYPE", Fact::UpstreamCloseType),
    ("UPSTREAM_HOST", Fact::UpstreamHost),
    ("UPSTREAM_HOSTS_ATTEMPTED", Fact::HostsAttempted),
    ("UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", Fact::HostsAttemptedWithoutPort),
    ("UPSTREAM_HOST_NAME", Fact::UpstreamHost),
    ("UPSTREAM_HOST_NAMES_ATTEMPTED", Fact::HostsAttempted),
    ("UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", Fact::HostsAttemptedWithoutPort),
    ("UPSTREAM_HOST_NAME_WITHOUT_PORT", Fact::UpstreamHostWithoutPort),
    ("UPSTREAM_LOCAL_ADDRESS", Fact::Address(Place::UpstreamLocal)),
    ("UPSTREAM_LOCAL_PORT", Fact::Port(Place::UpstreamLocal)),
    ("UPSTREAM_PROTOCOL", Fact::UpstreamProtocol),
    ("UPSTREAM_REMOTE_ADDRESS", Fact::Address(Place::Upstream)),
    ("UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", Fact::EndpointId(Place::Upstream)),
    ("UPSTREAM_REMOTE_PORT", Fact::Port(Place::Upstream)),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", Fact::UpstreamRequestAttemptCount),
    ("UPSTREAM_TRANSPORT_FAILURE_REASON", Fact::UpstreamTransportFailureReason),
    ("DOWNSTREAM_WIRE_BYTES_SENT", Fact::Wire(Wire { is_upstream: false, is_sent: true, heads: false })),
    ("DOWNSTREAM_WIRE_BYTES_RECEIVED", Fact::Wire(Wire { is_upstream: false, is_sent: false, heads: false })),
];

impl Fact {
    /// By the operator's name; `None`: it is another one.
    pub(super) fn named(name: &str) -> Option<Self> {
        let known = FACTS.iter().find(|(known, _)| *known == name).map(|(_, fact)| *fact);
        known.or_else(|| Wire::named(name).map(Self::Wire))
    }

    /// Writes it; whether it is there, be it empty.
    pub(super) fn write(self, record: &Record, out: &mut String) -> bool {
        let request = record.request.as_ref();
        let failure = &*record.upstream_failure;
        match self {
            Self::Protocol => known(request.map_or("", |request| request.protocol), out),
            Self::UpstreamProtocol => known(record.upstream_protocol, out),
            Self::ResponseCode => number(u64::from(record.status), out),
            Self::ResponseFlags => text(if record.flags.is_empty() { "-" } else { &record.flags }, out),
            Self::ResponseFlagsLong => {
                let long = response_flags::long(&record.flags);
                text(long.as_deref().unwrap_or("-"), out)
            }
            Self::ConnectionTerminationDetails => known(&record.termination, out),
            Self::UpstreamTransportFailureReason => known(&failure.replace(' ', "_"), out),
            Self::BytesReceived => number(record.bytes_received, out),
            Self::BytesSent => number(record.bytes_sent, out),
            Self::Wire(wire) => wire.bytes(record).is_some_and(|bytes| number(bytes, out)),
            Self::RequestHeadersBytes => number(headers::request_bytes(record), out),
            Self::ResponseHeadersBytes => number(headers::response_bytes(record), out),
            Self::ResponseTrailersBytes => number(headers::bytes(&record.response_trailers), out),
            Self::Duration => number(u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX), out),
            Self::HandshakeDuration => durations::handshake(record, out),
            Self::UpstreamHost => some(record.endpoint.as_deref(), out),
            Self::UpstreamHostWithoutPort => some(record.endpoint.as_deref().map(without_port), out),
            Self::HostsAttempted => hosts(record, |host| host, out),
            Self::HostsAttemptedWithoutPort => hosts(record, without_port, out),
            Self::ConnectionsAttempted => {
                let last = record.upstream.iter().map(|upstream| upstream.id);
                let all = record.tried.iter().map(|(_, id)| *id).chain(last);
                known(&all.map(|id| id.to_string()).collect::<Vec<_>>().join(","), out)
            }
            Self::UpstreamCluster => some(record.cluster.as_deref(), out),
            Self::UpstreamRequestAttemptCount => number(u64::from(record.attempts), out),
            Self::Address(place) => place.of(record).is_some_and(|at| address(at, out)),
            Self::Port(place) => place.of(record).is_some_and(|at| number(u64::from(at.port()), out)),
            Self::EndpointId(place) => place.of(record).is_some(),
            Self::ConnectionId => number(record.connection.as_ref().map_or(0, |it| it.id), out),
            Self::UpstreamConnectionId => number(record.upstream.as_ref().map_or(0, |it| it.id), out),
            Self::StreamId => match request.and_then(|request| request.headers.get("x-request-id")) {
                Some(id) => text(&String::from_utf8_lossy(id.as_bytes()), out),
                None if request.is_some() => false,
                None => text(&id_of_connection(record), out),
            },
            Self::UniqueId => text(&uuid(fastrand::u128(..)), out),
            Self::RouteName => some(record.route.as_deref().filter(|name| !name.is_empty()), out),
            Self::FilterChainName => {
                some(record.connection.as_ref().and_then(|it| it.filter_chain.as_deref()), out)
            }
            Self::AccessLogType => {
                text(if request.is_some() { "DownstreamEnd" } else { "TcpConnectionEnd" }, out)
            }
            Self::TraceId => record
                .trace
                .as_ref()
                .is_some_and(|context| text(&context.trace.digits(context.is_short), out)),
            Self::SpanId => record.trace.as_ref().is_some_and(|it| text(&it.span.to_string(), out)),
            Self::UpstreamCloseType => record.endpoint.is_some() && text("Normal", out),
            Self::Zero => number(0, out),
            Self::Empty => true,
            Self::Normal => text("Normal", out),
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Self::ResponseCode
                | Self::BytesReceived
                | Self::BytesSent
                | Self::Wire(_)
                | Self::RequestHeadersBytes
                | Self::ResponseHeadersBytes
                | Self::ResponseTrailersBytes
                | Self::Duration
                | Self::HandshakeDuration
                | Self::UpstreamRequestAttemptCount
                | Self::Port(_)
                | Self::ConnectionId
                | Self::UpstreamConnectionId
                | Self::Zero
        )
    }
}

impl Wire {
    fn named(name: &str) -> Option<Self> {
        let (is_upstream, rest) = match name.strip_prefix("DOWNSTREAM_") {
            Some(rest) => (false, rest),
            None => (true, name.strip_prefix("UPSTREAM_")?),
        };
        let (heads, rest) = match rest.strip_prefix("WIRE_BYTES_") {
            Some(rest) => (false, rest),
            None => (true, rest.strip_prefix("DECOMPRESSED_").unwrap_or(rest).strip_prefix("HEADER_BYTES_")?),
        };
        let is_sent = match rest {
            "SENT" => true,
            "RECEIVED" => false,
            _ => return None,
        };
        Some(Self { is_upstream, is_sent, heads })
    }

    /// Of bytes they are counted; how HTTP writes heads, the codec does not tell.
    fn bytes(self, record: &Record) -> Option<u64> {
        if record.request.is_some() {
            return (self.is_upstream && record.upstream.is_none()).then_some(0);
        }
        Some(match (self.heads, self.is_upstream == self.is_sent) {
            (true, _) => 0,
            (false, true) => record.bytes_received,
            (false, false) => record.bytes_sent,
        })
    }
}

/// A text that is there unless it is empty.
fn known(found: &str, out: &mut String) -> bool {
    !found.is_empty() && text(found, out)
}

/// The endpoints that there were connections to; of bytes those that were tried last, be it in vain.
fn hosts(record: &Record, part: impl Fn(&str) -> &str, out: &mut String) -> bool {
    let counts = record.upstream.is_some() || record.request.is_none();
    let last = record.endpoint.as_ref().filter(|_| counts);
    let all = record.tried.iter().map(|(host, _)| host).chain(last);
    known(&all.map(|host| part(host)).collect::<Vec<_>>().join(","), out)
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(host, _)| host)
}

/// One id for all logs of a connection of bytes.
fn id_of_connection(record: &Record) -> String {
    let since = record.start.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let id = record.connection.as_ref().map_or(0, |connection| connection.id);
    uuid(since.as_nanos() << 64 | u128::from(id))
}

/// Bits as the text of a UUID (RFC 9562, version 4).
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(3 << 62) | 4 << 76 | 2 << 62;
    let digits = format!("{bits:032x}");
    let part = |from: usize, until: usize| digits.get(from..until).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
