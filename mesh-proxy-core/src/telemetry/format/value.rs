//! What an operator tells, found once so that a line costs no comparisons of names.

use std::sync::Arc;

use http::header::HeaderName;
use serde_json::Value as Json;

use super::certificates::Shown;
use super::durations::Span;
use super::fact::Fact;
use super::headers::{self, RequestField, ResponseField, Told};
use super::metadata::{Metadata, PeerState};
use super::operator::Operator;
use super::path::{Path, QueryParams, query_param};
use super::time::Time;
use super::values::{GrpcForm, WithoutPort, grpc_code, grpc_name};
use crate::telemetry::expression::Expression;
use crate::telemetry::record::Record;

/// What is told of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// What needs no argument.
    Fact(Fact),
    Address(WithoutPort),
    Time(Time),
    Span(Span),
    Shown(Shown),
    Request(Vec<RequestField>),
    RequestWithoutQuery(Vec<RequestField>),
    Response(Vec<ResponseField>),
    Trailer(Vec<Told>),
    Details {
        keeps_spaces: bool,
    },
    Grpc(GrpcForm),
    Path(Path),
    QueryParam(String),
    QueryParams(QueryParams),
    ServerName(ServerName),
    PeerState(PeerState),
    Metadata(Metadata),
    /// The first that is there and not empty.
    First(Vec<Operator>),
    Expression(Compiled),
    /// The same for every record.
    Fixed(String),
    /// Known to Envoy; never there here.
    Nothing,
}

/// Which name a client asked for. Envoy: `REQUESTED_SERVER_NAME(X:Y)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerName {
    /// Whether the other one counts where there is none.
    pub(super) or_host: bool,
    pub(super) host_first: bool,
    pub(super) source: HostSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostSource {
    Original,
    Authority,
    OriginalOrAuthority,
}

/// An expression. Two are the same if they read the same.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) text: String,
    pub(super) expression: Arc<Expression>,
    /// Whether numbers and truth values keep their kind in JSON.
    pub(super) is_typed: bool,
}

impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.is_typed) == (&other.text, other.is_typed)
    }
}

impl Eq for Compiled {}

impl Value {
    /// Writes it; whether it is there, be it empty.
    pub(super) fn write(&self, record: &Record, out: &mut String) -> bool {
        let request = record.request.as_ref();
        match self {
            Self::Fact(fact) => fact.write(record, out),
            Self::Address(address) => address.write(record, out),
            Self::Time(time) => time.write(record, out),
            Self::Span(span) => span.write(record, out),
            Self::Shown(shown) => shown.write(record, out),
            Self::Request(fields) => {
                request.is_some_and(|request| fields.iter().any(|field| field.write(request, out)))
            }
            Self::RequestWithoutQuery(fields) => {
                let start = out.len();
                let is_there =
                    request.is_some_and(|request| fields.iter().any(|field| field.write(request, out)));
                let query = out.get(start..).and_then(|text| text.find('?'));
                out.truncate(query.map_or(out.len(), |query| start + query));
                is_there
            }
            Self::Response(fields) => fields.iter().any(|field| field.write(record, out)),
            Self::Trailer(names) => names.iter().any(|told| told.write(&record.response_trailers, out)),
            Self::Details { keeps_spaces } => match &*record.details {
                "" => false,
                details if *keeps_spaces || !details.bytes().any(|it| it.is_ascii_whitespace()) => {
                    text(details, out)
                }
                details => {
                    out.extend(details.chars().map(|it| if it.is_ascii_whitespace() { '_' } else { it }));
                    true
                }
            },
            Self::Grpc(form) => grpc_code(record).is_some_and(|code| text(&grpc_name(&code, *form), out)),
            Self::Path(path) => request.is_some_and(|request| path.write(request, out)),
            Self::QueryParam(name) => request
                .and_then(|request| query_param(&request.path, name))
                .is_some_and(|value| text(&value, out)),
            Self::QueryParams(params) => request.is_some_and(|request| params.write(request, out)),
            Self::ServerName(name) => name.write(record, out),
            Self::PeerState(peer) => peer.write(record, out),
            Self::Metadata(metadata) => metadata.write(record, out),
            // What is there and empty counts.
            Self::First(operators) => operators.iter().any(|operator| operator.write(record, out)),
            Self::Expression(compiled) => {
                compiled.expression.text(record).is_some_and(|value| text(&value, out))
            }
            Self::Fixed(value) => text(value, out),
            Self::Nothing => false,
        }
    }

    /// Whether it is a number where JSON has it alone.
    pub(super) fn is_number(&self) -> bool {
        match self {
            Self::Fact(fact) => fact.is_number(),
            Self::Span(_) | Self::Grpc(GrpcForm::Number) => true,
            _ => false,
        }
    }

    /// Its value where that is not made of its text; `Some(None)`: it is not there.
    pub(super) fn structured(&self, record: &Record) -> Option<Option<Json>> {
        match self {
            Self::Metadata(metadata) => Some(metadata.json(record)),
            Self::PeerState(peer) => peer.structured(record),
            Self::First(operators) => Some(operators.iter().find_map(|operator| operator.json(record))),
            Self::Expression(compiled) if compiled.is_typed => Some(compiled.expression.json(record)),
            _ => None,
        }
    }
}

impl ServerName {
    fn write(self, record: &Record, out: &mut String) -> bool {
        let asked = |out: &mut String| record.server_name.as_deref().is_some_and(|name| text(name, out));
        let host = |out: &mut String| self.or_host && self.source.write(record, out);
        (self.host_first && host(out)) || asked(out) || host(out)
    }
}

impl HostSource {
    fn write(self, record: &Record, out: &mut String) -> bool {
        const ORIGINAL: HeaderName = HeaderName::from_static("x-envoy-original-host");
        let Some(request) = &record.request else { return false };
        let original = |out: &mut String| headers::write_all(&request.headers, &ORIGINAL, out);
        let authority = |out: &mut String| !request.authority.is_empty() && text(&request.authority, out);
        match self {
            Self::Original => original(out),
            Self::Authority => authority(out),
            Self::OriginalOrAuthority => original(out) || authority(out),
        }
    }
}

/// Writes a text, which is there.
pub(super) fn text(text: &str, out: &mut String) -> bool {
    out.push_str(text);
    true
}

/// Writes a text if there is one.
pub(super) fn some(found: Option<&str>, out: &mut String) -> bool {
    found.is_some_and(|found| text(found, out))
}
