//! Requests traced as the configuration in force asks for it (T-466, T-467).
//!
//! Trace headers go on for providers of OpenTelemetry (W3C) and Zipkin (B3, or both). Spans are sent to collectors of
//! OpenTelemetry, in builds with the feature `otel`; to others none are sent. Headers of Datadog and SkyWalking are
//! neither read nor made, they go on as they are.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy::telemetry::{Spans, TelemetryConfig};
use mesh_compile::proxy_identity::Proxy as Identity;
use mesh_model::mesh_config::TraceContextOption;

use super::export::Export;
use super::span_export::Target;
use crate::seam::dice::{SharedDice, Throw};
use crate::telemetry::record::Record;
use crate::telemetry::trace::context::TraceContext;
use crate::telemetry::trace::span::{SpanKind, Tags};
use crate::telemetry::trace::{self, Begun, Headers, Settings};

/// The traces of a proxy.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    made: ArcSwap<Made>,
    /// Who the proxy is, where the program says so.
    pub(super) workload: Option<Identity>,
    pub(super) export: Export<Target>,
}

/// What a configuration comes to.
#[derive(Debug, Default)]
struct Made {
    of: Arc<TelemetryConfig>,
    server: Option<Arc<Side>>,
    client: Option<Arc<Side>>,
}

#[derive(Debug)]
struct Side {
    settings: Settings,
    tags: Tags,
    kind: SpanKind,
    /// `None`: spans are sent nowhere.
    target: Option<Arc<Target>>,
}

/// The trace of one request.
#[derive(Debug, Clone)]
pub(crate) struct Traced {
    begun: Begun,
    side: Arc<Side>,
}

impl Traces {
    pub(crate) fn new(workload: Option<Identity>) -> Self {
        Self { workload, ..Self::default() }
    }

    /// Begins the span of a request with the headers as they will go on; `None`: requests are not traced.
    pub(crate) fn begin(
        &self,
        config: &ProxyConfig,
        direction: Direction,
        headers: &mut HeaderMap,
        dice: &dyn SharedDice,
    ) -> Option<Traced> {
        let made = self.made.load();
        let side = if Arc::ptr_eq(&made.of, &config.telemetry) {
            made.side(direction).cloned()
        } else {
            let made = Arc::new(self.make(config));
            self.made.store(Arc::clone(&made));
            made.side(direction).cloned()
        }?;
        let begun = trace::begin(headers, &side.settings, &mut Throw(dice));
        Some(Traced { begun, side })
    }

    fn make(&self, config: &ProxyConfig) -> Made {
        let telemetry = &config.telemetry;
        let side = |direction| {
            let spans = telemetry.side(direction).spans.as_ref()?;
            Some(Arc::new(self.side(spans, direction, config)))
        };
        Made {
            of: Arc::clone(telemetry),
            server: side(Direction::Inbound),
            client: side(Direction::Outbound),
        }
    }

    fn side(&self, spans: &Spans, direction: Direction, config: &ProxyConfig) -> Side {
        let provider = spans.settings.as_deref();
        let zipkin = provider.and_then(|provider| provider.zipkin.as_ref());
        let is_otel = provider.is_some_and(|provider| provider.opentelemetry.is_some());
        let own = config.settings.config.tracing.as_ref().filter(|_| provider.is_none());
        let headers = match zipkin {
            Some(zipkin) if zipkin.trace_context_option == TraceContextOption::UseB3WithW3cPropagation => {
                Headers::B3AndW3c
            }
            Some(_) => Headers::B3,
            None if is_otel => Headers::W3c,
            None if own.is_some_and(|tracing| tracing.zipkin.is_some()) => Headers::B3,
            None => Headers::Untouched,
        };
        let settings = Settings {
            headers,
            sampling_percent: *spans.sampling_percent.value(),
            request_id_decides: *spans.request_id_decides.value(),
            is_told_on: *spans.context_propagation.value(),
            short_ids: zipkin.is_some_and(|zipkin| zipkin.enable64bit_trace_id),
            upstream_span: spans.upstream_span,
        };
        let mut tags = Tags { path_bytes_max: spans.path_tag_bytes_max, ..Tags::default() };
        if *spans.istio_tags.value() {
            tags.fixed = istio_tags(self.workload.as_ref());
        }
        tags.add(spans.tags.value(), |name| {
            let set = config.settings.environment.get(name);
            set.and_then(|set| set.value().as_str().map(str::to_owned)).or_else(|| std::env::var(name).ok())
        });
        // A hop that tells of the request upstream by itself is a server of its own in the trace.
        let kind = if spans.upstream_span || direction == Direction::Inbound {
            SpanKind::Server
        } else {
            SpanKind::Client
        };
        let target = Target::of(spans, self.workload.as_ref()).map(Arc::new);
        if target.is_none() && (provider.is_some() || own.is_some()) {
            let provider = spans.provider.as_ref().map_or("the proxy's own tracer", |name| name.value());
            tracing::warn!(
                provider,
                "spans are not sent: only to collectors of OpenTelemetry, with the feature `otel`"
            );
        }
        Side { settings, tags, kind, target }
    }
}

impl Made {
    fn side(&self, direction: Direction) -> Option<&Arc<Side>> {
        match direction {
            Direction::Inbound => self.server.as_ref(),
            Direction::Outbound | Direction::Gateway => self.client.as_ref(),
        }
    }
}

impl Traced {
    /// The trace, and the span of the request in it; `None`: the next hop is not told of it, and nobody else is.
    pub(crate) fn context(&self) -> Option<TraceContext> {
        let is_told = self.side.settings.headers != Headers::Untouched || self.side.target.is_some();
        is_told.then_some(self.begun.context)
    }

    /// The spans of a finished request, on their way to the collector if they are sampled.
    pub(crate) fn finished(&self, proxy: &Arc<super::proxy::Inner>, record: &Record) {
        let Some(target) = self.side.target.as_ref().filter(|_| self.begun.context.sampled) else { return };
        for span in self.side.tags.spans(&self.begun, record, self.side.kind) {
            proxy.traces.export.send(proxy, target, span);
        }
    }
}

/// Tags that Istio has every proxy put on.
fn istio_tags(workload: Option<&Identity>) -> Vec<(String, String)> {
    let label = |key: &str, other: &str| {
        let found = workload.and_then(|workload| workload.labels.get(key));
        found.map(str::to_owned).unwrap_or_else(|| other.to_owned())
    };
    let known = |text: Option<&Arc<str>>, other: &str| {
        text.filter(|text| !text.is_empty()).map_or_else(|| other.to_owned(), ToString::to_string)
    };
    [
        ("istio.canonical_revision", label("service.istio.io/canonical-revision", "latest")),
        ("istio.canonical_service", label("service.istio.io/canonical-name", "unknown")),
        ("istio.cluster_id", known(workload.map(|workload| &workload.cluster_id), "unknown")),
        ("istio.mesh_id", "unknown".to_owned()),
        ("istio.namespace", known(workload.map(|workload| &workload.namespace), "default")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
