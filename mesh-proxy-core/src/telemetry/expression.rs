//! CEL expressions over finished requests and connections: filters of access logs, labels of metrics.
//! Spec: google/cel-spec, doc/langdef.md; Envoy, its attributes.
//!
//! The attributes are Envoy's: `request`, `response`, `connection`, `upstream`, `source`, `destination`, `xds`. What is
//! not known of a record is not there, and an expression that asks for it has no value. `metadata` is empty; `filter_state` has
//! `downstream_peer` and `upstream_peer`, the workloads as they say of themselves.
// Facts: Envoy's source/extensions/filters/common/expr/context.cc, docs "Attributes"; for labels istio/proxy
// source/extensions/filters/http/istio_stats/istio_stats.cc.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use cel::common::traits::{Container, Indexer};
use cel::common::types::{CelBool, CelDuration, CelInt, CelMap, CelString, CelTimestamp, CelUInt, Type};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, Program, Value};
use http::HeaderMap;
use mesh_compile::proxy::listener::Direction;
use mesh_model::value::check_cel;

use super::format;
use super::record::Record;
use super::response_flags;

/// The longest expression that is compiled, in bytes: it is evaluated for every request.
pub const EXPRESSION_BYTES_MAX: usize = 16 * 1024;

/// An expression, compiled once. Spec: google/cel-spec, doc/langdef.md.
#[derive(Debug)]
pub struct Expression {
    program: Program,
    /// Roots that it asks for.
    roots: Vec<Root>,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(format!("longer than {EXPRESSION_BYTES_MAX} bytes"));
        }
        // The own check first: it bounds the depth of what the library is given.
        check_cel(text).map_err(|error| error.to_string())?;
        let program = environment().compile(text).map_err(|error| error.to_string())?;
        let roots = {
            let references = program.references();
            Root::ALL.into_iter().filter(|root| references.has_variable(root.name())).collect()
        };
        Ok(Self { program, roots })
    }

    /// Whether it is true of a record. Without a value, or with one that is no Boolean, it is not.
    pub fn holds(&self, record: &Record) -> bool {
        matches!(self.value(record), Some(Value::Bool(true)))
    }

    /// Its value as the text of a label; `None`: it has none.
    pub fn text(&self, record: &Record) -> Option<String> {
        printed(&self.value(record)?)
    }

    /// Its value in JSON, where numbers and truth values keep their kind; `None`: it has none.
    pub fn json(&self, record: &Record) -> Option<serde_json::Value> {
        match self.value(record)? {
            Value::Int(number) => Some(number.into()),
            Value::UInt(number) => Some(number.into()),
            Value::Float(number) => serde_json::Number::from_f64(number).map(Into::into),
            Value::Bool(is_true) => Some(is_true.into()),
            other => printed(&other).map(Into::into),
        }
    }

    fn value(&self, record: &Record) -> Option<Value> {
        let mut context = Context::with_env(Arc::clone(environment()));
        for root in &self.roots {
            context.add_variable_as_val(root.name(), Box::new(Attributes { root: *root, record }));
        }
        self.program.execute(&context).ok()
    }
}

/// As Envoy prints values of CEL.
fn printed(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(is_true) => is_true.to_string(),
        Value::Duration(time) => format!("{}ns", time.num_nanoseconds().unwrap_or(i64::MAX)),
        Value::Timestamp(time) => time.to_rfc3339(),
        _ => return None,
    })
}

fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| Arc::new(Env::stdlib()))
}

/// Names at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Request,
    Response,
    Connection,
    Upstream,
    Source,
    Destination,
    Xds,
    Metadata,
    FilterState,
    UpstreamFilterState,
    DownstreamPeer,
    UpstreamPeer,
    RequestHeaders,
    ResponseHeaders,
    ResponseTrailers,
}

impl Root {
    /// Those that an expression can name; headers are reached through `request` and `response`.
    const ALL: [Self; 10] = [
        Self::Request,
        Self::Response,
        Self::Connection,
        Self::Upstream,
        Self::Source,
        Self::Destination,
        Self::Xds,
        Self::Metadata,
        Self::FilterState,
        Self::UpstreamFilterState,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Connection => "connection",
            Self::Upstream => "upstream",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Xds => "xds",
            Self::Metadata => "metadata",
            Self::FilterState => "filter_state",
            Self::UpstreamFilterState => "upstream_filter_state",
            Self::DownstreamPeer => "downstream_peer",
            Self::UpstreamPeer => "upstream_peer",
            Self::RequestHeaders | Self::ResponseHeaders | Self::ResponseTrailers => "headers",
        }
    }
}

/// A map whose values are read off the record when somebody asks.
#[derive(Clone, Copy)]
struct Attributes<'r> {
    root: Root,
    record: &'r Record,
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attributes").field(&self.root).finish()
    }
}

type Boxed<'v> = Box<dyn Val + 'v>;

impl<'r> Attributes<'r> {
    fn of(self, name: &str) -> Option<Boxed<'r>> {
        let record = self.record;
        match self.root {
            Root::Request => self.request(name),
            Root::Response => self.response(name),
            Root::Connection => match name {
                "mtls" => Some(Box::new(CelBool::from(record.client_certificate))),
                "requested_server_name" => some_text(record.server_name.as_deref().unwrap_or_default()),
                "uri_san_peer_certificate" => some_text(record.peer_principal.as_deref()?),
                _ => None,
            },
            Root::Upstream => match name {
                "address" => some_text(record.endpoint.as_deref()?),
                "port" => {
                    let address: SocketAddr = record.endpoint.as_deref()?.parse().ok()?;
                    Some(int(address.port().into()))
                }
                "transport_failure_reason" => some_text(&record.upstream_failure),
                "request_attempt_count" => Some(Box::new(CelUInt::from(u64::from(record.attempts)))),
                _ => None,
            },
            Root::Source => endpoint(record.peer, name),
            Root::Destination => endpoint(record.destination, name),
            Root::Xds => match name {
                "cluster_name" => some_text(record.cluster.as_deref()?),
                "route_name" => some_text(record.route.as_deref()?),
                "listener_direction" => Some(int(match record.direction {
                    Direction::Inbound => 1,
                    Direction::Outbound => 2,
                    Direction::Gateway => 0,
                })),
                _ => None,
            },
            Root::Metadata => None,
            // What a connection of bytes is told by its upstream stands on the upstream's side.
            Root::FilterState | Root::UpstreamFilterState => match name {
                "downstream_peer" if self.root == Root::FilterState => {
                    record.downstream_peer.as_ref().map(|_| self.inner(Root::DownstreamPeer))
                }
                "upstream_peer" if (self.root == Root::FilterState) == record.request.is_some() => {
                    record.upstream_peer.as_ref().map(|_| self.inner(Root::UpstreamPeer))
                }
                _ => None,
            },
            Root::DownstreamPeer => some_text(record.downstream_peer.as_ref()?.field(name)?),
            Root::UpstreamPeer => some_text(record.upstream_peer.as_ref()?.field(name)?),
            Root::RequestHeaders => owned_text(format::request_header(record.request.as_ref()?, name)?),
            Root::ResponseHeaders if name == ":status" => owned_text(record.status.to_string()),
            Root::ResponseHeaders => owned_text(format::header(&record.response_headers, name)?),
            Root::ResponseTrailers => owned_text(format::header(&record.response_trailers, name)?),
        }
    }

    fn inner(self, root: Root) -> Boxed<'r> {
        Box::new(Attributes { root, record: self.record })
    }

    fn request(self, name: &str) -> Option<Boxed<'r>> {
        let record = self.record;
        match name {
            "time" => return time(record),
            "duration" => return Some(Box::new(CelDuration::from(span(record.duration)))),
            _ => {}
        }
        let request = record.request.as_ref()?;
        let pseudo = [&request.path, &request.authority, &request.scheme];
        let head_bytes = || {
            let named = ":path:authority:scheme:method".len() + request.method.as_str().len();
            bytes_of(&request.headers) + named + pseudo.iter().map(|text| text.len()).sum::<usize>()
        };
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match name {
            "headers" => Some(self.inner(Root::RequestHeaders)),
            "headers_bytes" => Some(size(head_bytes())),
            "size" => match request.headers.get("content-length") {
                Some(length) => Some(int(length.to_str().ok()?.parse().ok()?)),
                None => Some(count(record.bytes_received)),
            },
            "total_size" => Some(count(record.bytes_received.saturating_add(head_bytes() as u64))),
            "protocol" => some_text(request.protocol),
            "path" => some_text(&request.path),
            "url_path" => some_text(path),
            "query" => some_text(query.split('#').next().unwrap_or_default()),
            "host" => some_text(&request.authority),
            "scheme" => some_text(&request.scheme),
            "method" => some_text(request.method.as_str()),
            "referer" => owned_text(format::header(&request.headers, "referer")?),
            "id" => owned_text(format::header(&request.headers, "x-request-id")?),
            "useragent" => owned_text(format::header(&request.headers, "user-agent")?),
            _ => None,
        }
    }

    fn response(self, name: &str) -> Option<Boxed<'r>> {
        let record = self.record;
        let head_bytes = || bytes_of(&record.response_headers);
        match name {
            "code" if record.status > 0 => Some(int(record.status.into())),
            "code_details" if !record.details.is_empty() => some_text(&record.details),
            "size" => Some(count(record.bytes_sent)),
            "headers" => Some(self.inner(Root::ResponseHeaders)),
            "headers_bytes" => Some(size(head_bytes())),
            "trailers" => Some(self.inner(Root::ResponseTrailers)),
            "total_size" => {
                let heads = head_bytes() + bytes_of(&record.response_trailers);
                Some(count(record.bytes_sent.saturating_add(heads as u64)))
            }
            "flags" => Some(int(response_flags::bits(&record.flags))),
            "grpc_status" => Some(int(format::grpc_status(record)?.parse().ok()?)),
            _ => None,
        }
    }
}

fn some_text(text: &str) -> Option<Boxed<'_>> {
    Some(Box::new(CelString::from(text)))
}

fn owned_text<'v>(text: String) -> Option<Boxed<'v>> {
    Some(Box::new(CelString::from(text)))
}

fn int<'v>(number: i64) -> Boxed<'v> {
    Box::new(CelInt::from(number))
}

fn count<'v>(number: u64) -> Boxed<'v> {
    int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn size<'v>(number: usize) -> Boxed<'v> {
    count(number as u64)
}

fn endpoint<'v>(address: SocketAddr, name: &str) -> Option<Boxed<'v>> {
    match name {
        "address" => owned_text(SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()),
        "port" => Some(int(address.port().into())),
        _ => None,
    }
}

fn bytes_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn span(duration: Duration) -> chrono::Duration {
    chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::MAX)
}

fn time<'v>(record: &Record) -> Option<Boxed<'v>> {
    let since = record.start.duration_since(UNIX_EPOCH).ok()?;
    let at = chrono::DateTime::from_timestamp(i64::try_from(since.as_secs()).ok()?, since.subsec_nanos())?;
    Some(Box::new(CelTimestamp::from(at.fixed_offset())))
}

impl Val for Attributes<'_> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        <CelMap<'static> as Val>::cel_type()
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

impl Container for Attributes<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(value.downcast_ref::<CelString<'_>>().is_some_and(|name| self.of(name.inner()).is_some()))
    }
}

impl Indexer for Attributes<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.found(index).map(CowVal::Owned)
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.found(index)
    }
}

impl<'r> Attributes<'r> {
    fn found<'v>(&self, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        'r: 'v,
    {
        let Some(name) = index.downcast_ref::<CelString<'_>>() else {
            return Err(ExecutionError::UnexpectedType {
                got: index.get_type().name().to_owned(),
                want: "string".to_owned(),
            });
        };
        let value: Option<Boxed<'v>> = self.of(name.inner());
        value.ok_or_else(|| ExecutionError::no_such_key(name.inner()))
    }
}

#[cfg(test)]
mod tests;
