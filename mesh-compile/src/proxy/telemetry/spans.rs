//! Whether spans are made, where they go, what is in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::mesh_config::{self, ExtensionProvider, MeshConfig};
use mesh_model::origin::Origin;
use mesh_model::resolved::{Layer, Level, Resolved};
use mesh_model::telemetry::spec::{CustomTag, TagSource, Tracing, WorkloadMode};
use serde::Serialize;

use super::applicable::Found;
use super::providers::{self, NO_SERVICE, ProviderTarget, UNKNOWN};
use super::{Ignored, is_for};
use crate::proxy_identity::ProxyKind;
use crate::view::View;

/// How spans are made. API: telemetry.istio.io/v1 `Tracing`; without one T-466 holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spans {
    /// Name of the extension provider that takes them; `None`: the tracer of the proxy's own settings
    /// (`ProxyConfig.tracing`), which is what holds where no Telemetry and no default provider says anything.
    pub provider: Option<Resolved<String>>,
    /// The provider with its settings.
    #[serde(skip)]
    pub settings: Option<Arc<ExtensionProvider>>,
    /// The service that takes them; `None`: the tracer of the proxy's own settings.
    pub target: Option<ProviderTarget>,
    /// Share of requests without a decision of their own that are sampled, 0 to 100; 1 where nobody says (T-466).
    pub sampling_percent: Resolved<f64>,
    /// More tags of each span, by the tag's name.
    pub tags: Resolved<BTreeMap<String, SpanTag>>,
    /// Whether Istio's own tags are added.
    pub istio_tags: Resolved<bool>,
    /// Whether the `x-request-id` of a request decides on sampling.
    pub request_id_decides: Resolved<bool>,
    /// Whether trace headers are passed on.
    pub context_propagation: Resolved<bool>,
    /// Longest tag of a path in bytes; `None`: 256.
    pub path_tag_bytes_max: Option<u32>,
    /// Whether the request to the upstream gets a span of its own.
    pub upstream_span: bool,
}

/// Where the value of a tag comes from. API: telemetry.istio.io/v1 `Tracing.CustomTag`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SpanTag {
    /// The same for every span.
    Literal(String),
    /// A variable of the proxy's environment.
    Environment {
        /// The variable.
        name: String,
        /// The value where it is not set.
        default: String,
    },
    /// A header of the request.
    Header {
        /// The header.
        name: String,
        /// The value where the request has none.
        default: String,
    },
    /// A format string, as in access logs.
    Format(String),
}

/// What the sections say, one after the other.
struct Said {
    provider: Option<Resolved<String>>,
    disabled: Resolved<bool>,
    sampling_percent: Option<Resolved<f64>>,
    tags: Option<Resolved<BTreeMap<String, SpanTag>>>,
    istio_tags: Resolved<bool>,
    request_id_decides: Resolved<bool>,
    context_propagation: Resolved<bool>,
}

/// Spans of a side; the origin says who switched them off, or named a provider that cannot take them.
pub(super) fn of(
    view: &View<'_>,
    found: &[Found<'_>],
    mode: WorkloadMode,
    ignored: &mut Vec<Ignored>,
) -> (Option<Spans>, Option<Origin>) {
    let mesh = view.mesh();
    let sections: Vec<_> = found
        .iter()
        .flat_map(|it| {
            it.object.spec.tracing.iter().enumerate().map(move |(place, section)| (it, place, section))
        })
        .collect();
    let defaults = mesh.default_providers.as_ref().map_or(&[][..], |it| &it.tracing);
    if sections.is_empty() && defaults.is_empty() {
        return of_proxy(view);
    }
    let said = said(mesh, &sections, mode);
    let Some(provider) = said.provider else { return (None, None) };
    if *said.disabled.value() {
        return (None, Some(said.disabled.origin().clone()));
    }
    let found = providers::find(mesh, provider.value());
    let fit = found.ok_or(UNKNOWN).and_then(|it| Fit::of(view, it).map(|fit| (it, fit)));
    let (settings, fit) = match fit {
        Ok(found) => found,
        Err(why) => {
            let (name, origin) = (provider.value().clone(), provider.origin().clone());
            ignored.push(Ignored { provider: name, purpose: "spans", why, origin: origin.clone() });
            return (None, Some(origin));
        }
    };
    let own = OwnSettings::of(view);
    let mut sampling_percent = own.sampling_percent();
    let mut written: Vec<_> = said.sampling_percent.iter().flat_map(Resolved::layers).cloned().collect();
    // The statement that holds comes first there, and must be laid last.
    written.reverse();
    written.into_iter().for_each(|layer| sampling_percent.lay(layer));
    if fit.samples_itself {
        let origin = provider.origin().clone();
        sampling_percent.lay(Layer::new(100.0, sampling_percent.level().max(provider.level()), origin));
    }
    let tags = said.tags.filter(|it| !it.value().is_empty()).unwrap_or_else(|| own.tags());
    let spans = Spans {
        provider: Some(provider),
        settings: Some(Arc::new(settings.clone())),
        target: Some(fit.target),
        sampling_percent,
        tags,
        istio_tags: said.istio_tags,
        request_id_decides: said.request_id_decides,
        context_propagation: said.context_propagation,
        path_tag_bytes_max: own
            .path_tag_bytes_max()
            .filter(|_| fit.tag_bytes_max == 0)
            .or(Some(fit.tag_bytes_max).filter(|max| *max != 0)),
        upstream_span: fit.always_upstream_span || view.proxy().kind == ProxyKind::Gateway,
    };
    (Some(spans), None)
}

/// Spans by the proxy's own settings (T-466).
fn of_proxy(view: &View<'_>) -> (Option<Spans>, Option<Origin>) {
    if !view.mesh().enable_tracing() {
        let is_off = |it: &MeshConfig| it.enable_tracing.is_some();
        return (None, Some(view.mesh().origin_of("enableTracing", is_off)));
    }
    let own = OwnSettings::of(view);
    let spans = Spans {
        provider: None,
        settings: None,
        target: None,
        sampling_percent: own.sampling_percent(),
        tags: own.tags(),
        istio_tags: own.istio_tags(),
        request_id_decides: Resolved::built_in(true, REQUEST_ID),
        context_propagation: Resolved::built_in(true, PROPAGATION),
        path_tag_bytes_max: own.path_tag_bytes_max(),
        upstream_span: false,
    };
    (Some(spans), None)
}

const REQUEST_ID: &str = "x-request-id decides on sampling where no Telemetry says otherwise";
const PROPAGATION: &str = "trace headers are passed on where no Telemetry says otherwise";
const REPORTED: &str = "spans are reported where no Telemetry says otherwise";
const ISTIO_TAGS: &str = "Istio's tags are added where nothing says otherwise";
const SAMPLING: &str = "1 % where nothing says otherwise (T-466)";
const NO_TAGS: &str = "no further tags";

fn said(mesh: &MeshConfig, sections: &[(&Found<'_>, usize, &Tracing)], mode: WorkloadMode) -> Said {
    let is_set = |it: &MeshConfig| it.default_providers.as_ref().is_some_and(|it| !it.tracing.is_empty());
    let default = mesh.default_providers.as_ref().and_then(|it| it.tracing.first());
    let mut said = Said {
        provider: default.map(|name| {
            let origin = mesh.origin_of("defaultProviders.tracing", is_set);
            Resolved::new(Layer::new(name.clone(), Level::Mesh, origin))
        }),
        disabled: Resolved::built_in(false, REPORTED),
        sampling_percent: None,
        tags: None,
        istio_tags: Resolved::built_in(true, ISTIO_TAGS),
        request_id_decides: Resolved::built_in(true, REQUEST_ID),
        context_propagation: Resolved::built_in(true, PROPAGATION),
    };
    for (found, place, section) in sections {
        let Tracing {
            r#match,
            providers,
            random_sampling_percentage,
            disable_span_reporting,
            disable_context_propagation,
            custom_tags,
            use_request_id_for_trace_sampling,
            enable_istio_tags,
        } = section;
        if !is_for(r#match.as_ref().map(|it| it.mode), mode) {
            continue;
        }
        let layer = Laying { found, place: *place };
        if let Some(first) = providers.first() {
            layer.on(&mut said.provider, Some(first.name.clone()), "providers");
        }
        layer.over(&mut said.disabled, *disable_span_reporting, "disableSpanReporting");
        layer.on(&mut said.sampling_percent, *random_sampling_percentage, "randomSamplingPercentage");
        // Tags of several levels are not merged.
        let tags = custom_tags.iter().filter_map(|(name, tag)| Some((name.clone(), tag_of(tag)?)));
        layer.on(&mut said.tags, (!custom_tags.is_empty()).then(|| tags.collect()), "customTags");
        layer.over(&mut said.istio_tags, *enable_istio_tags, "enableIstioTags");
        let decides = *use_request_id_for_trace_sampling;
        layer.over(&mut said.request_id_decides, decides, "useRequestIdForTraceSampling");
        let is_passed_on = disable_context_propagation.map(|it| !it);
        layer.over(&mut said.context_propagation, is_passed_on, "disableContextPropagation");
    }
    said
}

/// Lays the fields of one section.
struct Laying<'f> {
    found: &'f Found<'f>,
    place: usize,
}

impl Laying<'_> {
    fn layer<T>(&self, value: T, field: &str) -> Layer<T> {
        let origin = self.found.object.origin(format!("spec.tracing[{}].{field}", self.place));
        Layer::new(value, self.found.level, origin)
    }

    fn over<T>(&self, resolved: &mut Resolved<T>, value: Option<T>, field: &str) {
        if let Some(value) = value {
            resolved.lay(self.layer(value, field));
        }
    }

    fn on<T>(&self, resolved: &mut Option<Resolved<T>>, value: Option<T>, field: &str) {
        match (resolved, value) {
            (_, None) => {}
            (Some(resolved), Some(value)) => resolved.lay(self.layer(value, field)),
            (none, Some(value)) => *none = Some(Resolved::new(self.layer(value, field))),
        }
    }
}

fn tag_of(tag: &CustomTag) -> Option<SpanTag> {
    Some(match tag.source()? {
        TagSource::Literal(it) => SpanTag::Literal(it.value.clone()),
        TagSource::Environment(it) => {
            SpanTag::Environment { name: it.name.clone(), default: it.default_value.clone() }
        }
        TagSource::Header(it) => SpanTag::Header { name: it.name.clone(), default: it.default_value.clone() },
        TagSource::Formatter(it) => SpanTag::Format(it.value.clone()),
    })
}

/// What a provider takes spans with.
struct Fit {
    target: ProviderTarget,
    tag_bytes_max: u32,
    always_upstream_span: bool,
    /// It decides on sampling itself: every span is sent to it.
    samples_itself: bool,
}

impl Fit {
    fn of(view: &View<'_>, provider: &ExtensionProvider) -> Result<Self, &'static str> {
        let (service, port, tag_bytes_max, always_upstream_span, samples_itself) =
            if let Some(it) = &provider.zipkin {
                (&it.service, it.port, it.max_tag_length, false, false)
            } else if let Some(it) = &provider.datadog {
                (&it.service, it.port, it.max_tag_length, false, false)
            } else if let Some(it) = &provider.skywalking {
                (&it.service, it.port, 0, true, false)
            } else if let Some(it) = &provider.opentelemetry {
                (&it.service, it.port, it.max_tag_length, false, it.dynatrace_sampler.is_some())
            } else {
                return Err("it takes no spans, or none any more");
            };
        let target = providers::target(view, service, port).ok_or(NO_SERVICE)?;
        Ok(Self { target, tag_bytes_max, always_upstream_span, samples_itself })
    }
}

/// What the proxy's own settings say of spans, below every Telemetry.
struct OwnSettings<'v> {
    tracing: Option<&'v mesh_config::Tracing>,
    level: Level,
    origin: Origin,
}

impl<'v> OwnSettings<'v> {
    fn of(view: &'v View<'_>) -> Self {
        let (level, origin) = view.proxy_setting("tracing", |it| it.tracing.is_some());
        Self { tracing: view.proxy_config().tracing.as_ref(), level, origin }
    }

    fn layer<T>(&self, value: T, field: &str) -> Layer<T> {
        Layer::new(value, self.level, self.origin.child(field))
    }

    fn sampling_percent(&self) -> Resolved<f64> {
        let mut percent = Resolved::built_in(1.0, SAMPLING);
        if let Some(tracing) = self.tracing.filter(|it| it.sampling != 0.0) {
            let value = if tracing.sampling > 100.0 { 1.0 } else { tracing.sampling };
            percent.lay(self.layer(value, ".sampling"));
        }
        percent
    }

    fn tags(&self) -> Resolved<BTreeMap<String, SpanTag>> {
        let mut tags = Resolved::built_in(BTreeMap::new(), NO_TAGS);
        if let Some(tracing) = self.tracing.filter(|it| !it.custom_tags.is_empty()) {
            let written = tracing.custom_tags.iter();
            let value = written.filter_map(|(name, tag)| Some((name.clone(), own_tag(tag)?))).collect();
            tags.lay(self.layer(value, ".customTags"));
        }
        tags
    }

    fn istio_tags(&self) -> Resolved<bool> {
        let mut istio_tags = Resolved::built_in(true, ISTIO_TAGS);
        if let Some(value) = self.tracing.and_then(|it| it.enable_istio_tags) {
            istio_tags.lay(self.layer(value, ".enableIstioTags"));
        }
        istio_tags
    }

    fn path_tag_bytes_max(&self) -> Option<u32> {
        self.tracing.map(|it| it.max_path_tag_length).filter(|max| *max != 0)
    }
}

fn own_tag(tag: &mesh_config::CustomTag) -> Option<SpanTag> {
    let literal = tag.literal.as_ref().map(|it| SpanTag::Literal(it.value.clone()));
    let environment = || {
        let it = tag.environment.as_ref()?;
        Some(SpanTag::Environment { name: it.name.clone(), default: it.default_value.clone() })
    };
    let header = || {
        let it = tag.header.as_ref()?;
        Some(SpanTag::Header { name: it.name.clone(), default: it.default_value.clone() })
    };
    literal.or_else(environment).or_else(header)
}
