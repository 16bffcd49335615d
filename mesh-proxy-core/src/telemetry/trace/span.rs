//! Spans as data: what is told of a request, with Envoy's tags and Istio's.

use std::time::SystemTime;

use mesh_compile::proxy::telemetry::SpanTag;

use super::Begun;
use super::context::{SpanId, TraceContext};
use crate::telemetry::format::{Format, grpc_status, header};
use crate::telemetry::record::Record;

/// The longest path in a tag where nothing else is set, in bytes.
const PATH_BYTES_MAX: u32 = 256;
/// The longest value of any tag, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// Whose side of a call a span is. Spec: OpenTelemetry, SpanKind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Of the one who asks.
    Client,
    /// Of the one who answers.
    Server,
}

/// A finished span. Spec: OpenTelemetry, trace.v1.Span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The span.
    pub context: TraceContext,
    /// The span that called; `None`: it begins the trace.
    pub parent: Option<SpanId>,
    /// What was done.
    pub name: String,
    /// Whose side.
    pub kind: SpanKind,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// Tags, by name.
    pub tags: Vec<(String, String)>,
    /// Whether it failed.
    pub is_error: bool,
}

/// What is in the spans of one side of a proxy. API: telemetry.istio.io/v1 `Tracing.customTags`.
#[derive(Debug, Default)]
pub struct Tags {
    /// The same for every span.
    pub fixed: Vec<(String, String)>,
    /// Made for each, from the record.
    pub made: Vec<(String, Made)>,
    /// Longest path in a tag, in bytes; `None`: 256.
    pub path_bytes_max: Option<u32>,
}

/// The value of a tag that differs between requests. API: telemetry.istio.io/v1 `Tracing.CustomTag`.
#[derive(Debug)]
pub enum Made {
    /// A header of the request, and the value where it is missing; empty: no tag then.
    Header(String, String),
    /// A format string.
    Format(Format),
}

impl Tags {
    /// Tags as a configuration has them. `environment` knows the variables of the proxy.
    pub fn add<'t>(
        &mut self,
        written: impl IntoIterator<Item = (&'t String, &'t SpanTag)>,
        environment: impl Fn(&str) -> Option<String>,
    ) {
        for (name, tag) in written {
            match tag {
                SpanTag::Literal(value) => self.fixed.push((name.clone(), value.clone())),
                SpanTag::Environment { name: variable, default } => {
                    let value = environment(variable).unwrap_or_else(|| default.clone());
                    if !value.is_empty() {
                        self.fixed.push((name.clone(), value));
                    }
                }
                SpanTag::Header { name: of, default } => {
                    let of = of.to_ascii_lowercase();
                    self.made.push((name.clone(), Made::Header(of, default.clone())));
                }
                SpanTag::Format(text) => self.made.push((name.clone(), Made::Format(Format::parse(text)))),
            }
        }
    }

    /// The spans of a request: its own, and that of the request to the upstream where it has one.
    pub fn spans(&self, begun: &Begun, record: &Record, kind: SpanKind) -> Vec<Span> {
        let end = record.start.checked_add(record.duration).unwrap_or(record.start);
        let is_error = record.status == 0 || record.status >= 500 || grpc_is_error(record);
        let own = Span {
            context: begun.context,
            parent: begun.parent,
            name: operation(record),
            kind,
            start: record.start,
            end,
            tags: self.tags(record, is_error),
            is_error,
        };
        let upstream = begun.upstream.filter(|_| record.endpoint.is_some()).map(|span| Span {
            context: TraceContext { span, ..begun.context },
            parent: Some(begun.context.span),
            name: format!("router {} egress", record.cluster.as_deref().unwrap_or("-")),
            kind: SpanKind::Client,
            tags: upstream_tags(record, is_error),
            ..own.clone()
        });
        std::iter::once(own).chain(upstream).collect()
    }

    fn tags(&self, record: &Record, is_error: bool) -> Vec<(String, String)> {
        let mut tags: Vec<(String, String)> = vec![("component".to_owned(), "proxy".to_owned())];
        let mut put =
            |name: &str, value: String| tags.push((name.to_owned(), bounded(value, VALUE_BYTES_MAX)));
        if let Some(request) = &record.request {
            let path_bytes_max = usize::try_from(self.path_bytes_max.unwrap_or(PATH_BYTES_MAX));
            let path =
                header(&request.headers, "x-envoy-original-path").unwrap_or_else(|| request.path.clone());
            let path = bounded(path, path_bytes_max.unwrap_or(usize::MAX));
            if let Some(id) = header(&request.headers, "x-request-id") {
                put("guid:x-request-id", id);
            }
            put("http.url", format!("{}://{}{path}", request.scheme, request.authority));
            put("http.method", request.method.to_string());
            let caller = header(&request.headers, "x-envoy-downstream-service-cluster");
            put("downstream_cluster", caller.unwrap_or_else(|| "-".to_owned()));
            put("user_agent", header(&request.headers, "user-agent").unwrap_or_else(|| "-".to_owned()));
            put("http.protocol", request.protocol.to_owned());
            if let Some(id) = header(&request.headers, "x-client-trace-id") {
                put("guid:x-client-trace-id", id);
            }
        }
        put("peer.address", record.peer.ip().to_canonical().to_string());
        put("request_size", record.bytes_received.to_string());
        put("http.status_code", record.status.to_string());
        put("response_size", record.bytes_sent.to_string());
        put("response_flags", if record.flags.is_empty() { "-".to_owned() } else { record.flags.clone() });
        if let Some(code) = grpc_status(record) {
            put("grpc.status_code", code);
        }
        if let Some(cluster) = &record.cluster {
            put("upstream_cluster", cluster.to_string());
            put("upstream_cluster.name", cluster.to_string());
        }
        if is_error {
            put("error", "true".to_owned());
        }
        for (name, value) in &self.fixed {
            put(name, value.clone());
        }
        for (name, made) in &self.made {
            let value = match made {
                Made::Header(of, default) => {
                    let found = record.request.as_ref().and_then(|request| header(&request.headers, of));
                    found.unwrap_or_else(|| default.clone())
                }
                Made::Format(format) => format.text(record, "-"),
            };
            if !value.is_empty() {
                put(name, value);
            }
        }
        // A tag of one's own takes the place of Envoy's.
        let mut last: Vec<(String, String)> = Vec::with_capacity(tags.len());
        for (name, value) in tags {
            match last.iter_mut().find(|(before, _)| *before == name) {
                Some(before) => before.1 = value,
                None => last.push((name, value)),
            }
        }
        last
    }
}

fn upstream_tags(record: &Record, is_error: bool) -> Vec<(String, String)> {
    let mut tags = vec![
        ("component".to_owned(), "proxy".to_owned()),
        ("http.status_code".to_owned(), record.status.to_string()),
        ("response_flags".to_owned(), record.flags.clone()),
    ];
    let more = [("upstream_cluster", &record.cluster), ("upstream_address", &record.endpoint)];
    let more =
        more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.as_ref()?.to_string())));
    tags.extend(more);
    if is_error {
        tags.push(("error".to_owned(), "true".to_owned()));
    }
    tags
}

/// Statuses of gRPC that mean that the server failed, as Envoy's tracers have it.
fn grpc_is_error(record: &Record) -> bool {
    matches!(grpc_status(record).as_deref(), Some("2" | "4" | "12" | "13" | "14" | "15"))
}

/// `HOST:PORT/*`, the decorator of Istio's routes; the authority where no service was chosen.
fn operation(record: &Record) -> String {
    let mut parts = record.cluster.as_deref().unwrap_or_default().splitn(4, '|');
    if let (Some(_), Some(port), Some(_), Some(host)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && !host.is_empty()
    {
        return format!("{host}:{port}/*");
    }
    let authority = record.request.as_ref().map(|request| request.authority.as_str()).unwrap_or_default();
    bounded(if authority.is_empty() { "-".to_owned() } else { authority.to_owned() }, VALUE_BYTES_MAX)
}

fn bounded(mut value: String, bytes_max: usize) -> String {
    if value.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
        value.truncate(end);
    }
    value
}
