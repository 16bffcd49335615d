//! Traces: which requests are traced, which trace they belong to, what is told the next hop, spans as data (T-466).
//!
//! As Envoy's tracers do under Istio: the connection manager decides by `x-request-id` and its trace bits, and a trace
//! that a request brings along decides for itself. Headers that are malformed, too long or contradict themselves are not
//! followed: a trace is begun anew and takes their place.
// Facts: Envoy's source/common/http/conn_manager_utility.cc (`mutateTracingRequestHeader`),
// source/extensions/request_id/uuid/config.cc, source/extensions/tracers/{zipkin,opentelemetry}; W3C Trace Context;
// github.com/openzipkin/b3-propagation.

pub mod b3;
pub mod context;
pub mod request_id;
pub mod span;
#[cfg(test)]
mod tests;
pub mod w3c;

use http::HeaderMap;

use self::context::{SpanId, TraceContext, TraceId};
use crate::dice::Dice;

/// Which headers tell of traces.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider`, its tracers; each has its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Headers {
    /// `traceparent` and `tracestate`.
    W3c,
    /// `b3`, `x-b3-traceid` and so on.
    B3,
    /// B3; W3C where there is no B3; both are sent.
    B3AndW3c,
    /// None: those that are there go on as they are.
    #[default]
    Untouched,
}

/// How the requests of a listener are traced. API: telemetry.istio.io/v1 `Tracing`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// The headers.
    pub headers: Headers,
    /// Share of requests that begin a trace and are sampled, 0 to 100.
    pub sampling_percent: f64,
    /// Whether `x-request-id` decides on sampling; otherwise every request that begins a trace is sampled.
    pub request_id_decides: bool,
    /// Whether the next hop is told.
    pub is_told_on: bool,
    /// Trace ids of 64 bits.
    pub short_ids: bool,
    /// Whether the request to the upstream gets a span of its own.
    pub upstream_span: bool,
}

/// The spans of one request. Spec: Envoy, HttpConnectionManager.Tracing, `spawn_upstream_span`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The span of the request.
    pub context: TraceContext,
    /// The span that it is a child of; `None`: it begins a trace.
    pub parent: Option<SpanId>,
    /// The span of the request to the upstream, where it has one of its own.
    pub upstream: Option<SpanId>,
}

/// What headers say of a trace. Spec: W3C Trace Context, and openzipkin/b3-propagation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Arrived {
    /// Nothing, or nothing that can be followed.
    #[default]
    Nothing,
    /// Whether to sample, of a trace that is to be begun.
    Wish(bool),
    /// A trace, and the span that called. `None`: the caller leaves the decision on sampling.
    Parent(TraceContext, Option<bool>),
}

/// Begins the span of a request: decides whether it is sampled, notes that in its `x-request-id`, and writes the headers
/// for the next hop.
pub fn begin(headers: &mut HeaderMap, settings: &Settings, dice: &mut impl Dice) -> Begun {
    let reason = request_id::decide(headers, settings);
    let by_default = reason != request_id::Reason::NotTraced;
    let arrived = match settings.headers {
        Headers::W3c => w3c::read(headers),
        Headers::B3 => b3::read(headers),
        Headers::B3AndW3c => match b3::read(headers) {
            Arrived::Nothing => w3c::read(headers),
            arrived => arrived,
        },
        Headers::Untouched => Arrived::Nothing,
    };
    let (trace, parent, sampled, is_short) = match arrived {
        Arrived::Parent(parent, sampled) => {
            (parent.trace, Some(parent.span), sampled.unwrap_or(by_default), parent.is_short)
        }
        Arrived::Wish(sampled) => (TraceId::new(dice, settings.short_ids), None, sampled, settings.short_ids),
        Arrived::Nothing => (TraceId::new(dice, settings.short_ids), None, by_default, settings.short_ids),
    };
    let context = TraceContext { trace, span: SpanId::new(dice), sampled, is_short };
    let upstream = settings.upstream_span.then(|| SpanId::new(dice));
    if settings.is_told_on {
        let told = TraceContext { span: upstream.unwrap_or(context.span), ..context };
        let caller = if upstream.is_some() { Some(context.span) } else { parent };
        if matches!(settings.headers, Headers::B3 | Headers::B3AndW3c) {
            b3::write(headers, &told, caller);
        }
        if matches!(settings.headers, Headers::W3c | Headers::B3AndW3c) {
            w3c::write(headers, &told);
        }
    }
    Begun { context, parent, upstream }
}
