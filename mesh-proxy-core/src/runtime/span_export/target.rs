//! Where spans go, and how they are handed over: OTLP over gRPC or HTTP, through the mesh's own cluster.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::uri::Scheme;
use http::{HeaderMap, Method};
use mesh_compile::proxy::telemetry::Spans;
use mesh_compile::proxy_identity::Proxy as Identity;
use mesh_model::facts::HttpVersion;
use mesh_model::mesh_config::{OpenTelemetryProvider, ProviderHeader, ServiceAttributeEnrichment};
use prost::Message;

use super::messages::{self, ExportResponse, Resource};
use crate::runtime::export::Deliver;
use crate::runtime::grpc;
use crate::runtime::head::{Head, Read};
use crate::runtime::inquiry::{self, Whole};
use crate::runtime::proxy::Inner;
use crate::telemetry::trace::span::Span;

/// Where nothing is said; a collector that takes longer than this is one that is down.
const PATIENCE: Duration = Duration::from_secs(10);
/// Over HTTP (Istio: 3 s).
const HTTP_PATIENCE: Duration = Duration::from_secs(3);
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A collector of OpenTelemetry.
#[derive(Debug)]
pub(crate) struct Target {
    cluster: Arc<str>,
    authority: String,
    /// `None`: gRPC.
    path: Option<String>,
    headers: HeaderMap,
    patience: Duration,
    resource: Resource,
}

impl Target {
    /// The collector that spans are for; `None`: they are for something else.
    pub(crate) fn of(spans: &Spans, workload: Option<&Identity>) -> Option<Self> {
        let (Some(provider), Some(target)) = (&spans.settings, &spans.target) else { return None };
        let otel = provider.opentelemetry.as_ref().filter(|_| cfg!(feature = "otel"))?;
        let (path, written, patience) = match (&otel.http, &otel.grpc) {
            (Some(http), _) => {
                let path = format!("/{}", http.path.trim_start_matches('/'));
                (Some(path), &http.headers[..], http.timeout.map_or(HTTP_PATIENCE, patience))
            }
            (None, Some(grpc)) => (None, &grpc.initial_metadata[..], grpc.timeout.map_or(PATIENCE, patience)),
            (None, None) => (None, &[][..], PATIENCE),
        };
        Some(Self {
            cluster: Arc::clone(&target.cluster),
            authority: target.host.to_string(),
            path,
            headers: written.iter().filter_map(header).collect(),
            patience,
            resource: Resource::of(&attributes(otel, workload)),
        })
    }

    fn head(&self) -> Head {
        let mut headers = self.headers.clone();
        let version = if self.path.is_none() {
            grpc::mark(&mut headers);
            HttpVersion::Http2
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            HttpVersion::Http11
        };
        Head {
            version,
            method: Method::POST,
            scheme: Scheme::HTTP,
            authority: self.authority.clone(),
            path: self.path.clone().unwrap_or_else(|| GRPC_PATH.to_owned()),
            headers,
            read: Read::default(),
        }
    }

    /// Whether the collector took all of them.
    fn taken(&self, whole: &Whole) -> Result<(), String> {
        if !whole.status.is_success() {
            return Err(format!("it answered {}", whole.status));
        }
        let message = if self.path.is_some() {
            Some(&*whole.body)
        } else {
            grpc::succeeded(whole)?;
            whole.body.get(5..)
        };
        // What cannot be read says nothing of refused spans.
        let response = message.and_then(|message| ExportResponse::decode(message).ok()).unwrap_or_default();
        match response.partial_success {
            Some(partial) if partial.rejected_spans > 0 => {
                Err(format!("it refused {}: {}", partial.rejected_spans, partial.error_message))
            }
            _ => Ok(()),
        }
    }
}

impl Deliver for Target {
    type Item = Span;

    fn cluster(&self) -> &str {
        &self.cluster
    }

    async fn deliver(&self, proxy: &Inner, spans: &[Span]) -> Result<(), String> {
        let message = messages::export(&self.resource, spans);
        let body = if self.path.is_some() { message.encode_to_vec().into() } else { grpc::framed(&message) };
        let whole = inquiry::tell(proxy, &self.cluster, &self.head(), body, self.patience).await?;
        self.taken(&whole)
    }
}

fn patience(written: mesh_model::value::Duration) -> Duration {
    u64::try_from(written.as_millis())
        .ok()
        .filter(|millis| *millis > 0)
        .map_or(PATIENCE, Duration::from_millis)
}

/// A header with its own value; those with one of the control plane's environment are not known here.
fn header(written: &ProviderHeader) -> Option<(HeaderName, HeaderValue)> {
    let name = written.name.to_ascii_lowercase().parse().ok()?;
    Some((name, HeaderValue::from_str(written.value.as_deref()?).ok()?))
}

/// What is said of the proxy that sends.
fn attributes(provider: &OpenTelemetryProvider, workload: Option<&Identity>) -> Vec<(String, String)> {
    let label = |key: &str| workload.and_then(|workload| workload.labels.get(key));
    let namespace = workload.map_or("default", |workload| &*workload.namespace);
    let canonical = label("service.istio.io/canonical-name").or_else(|| label("app"));
    let by_convention = [
        label("app.kubernetes.io/instance"),
        label("app.kubernetes.io/name"),
        canonical,
        workload.map(|workload| &*workload.name),
    ];
    let name = match provider.service_attribute_enrichment {
        ServiceAttributeEnrichment::OtelSemanticConventions => {
            by_convention.into_iter().flatten().next().unwrap_or("istio-proxy").to_owned()
        }
        ServiceAttributeEnrichment::IstioCanonical => {
            canonical.map_or_else(|| "istio-proxy".to_owned(), |name| format!("{name}.{namespace}"))
        }
    };
    let mut attributes = vec![
        ("service.name".to_owned(), name),
        ("telemetry.sdk.language".to_owned(), "rust".to_owned()),
        ("telemetry.sdk.name".to_owned(), "mesh".to_owned()),
    ];
    let reads_environment = provider.resource_detectors.as_ref().is_some_and(|it| it.environment.is_some())
        || provider.service_attribute_enrichment == ServiceAttributeEnrichment::OtelSemanticConventions;
    if reads_environment && let Ok(written) = std::env::var("OTEL_RESOURCE_ATTRIBUTES") {
        for (name, value) in written.split(',').filter_map(|pair| pair.split_once('=')) {
            attributes.retain(|(before, _)| before != name.trim());
            attributes.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    attributes
}
