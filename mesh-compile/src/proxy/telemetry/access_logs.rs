//! Which logs are written, in which format, for which requests.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::mesh_config::{
    AccessLogEncoding, ExtensionProvider, FileAccessLogProvider, MeshConfig, OpenTelemetryAccessLogProvider,
};
use mesh_model::resolved::{Layer, Level, Resolved};
use mesh_model::telemetry::spec::{AccessLogging, WorkloadMode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::applicable::Found;
use super::providers::{self, NO_SERVICE, ProviderTarget, UNKNOWN};
use super::{ENVOY_TEXT, ISTIO_JSON, ISTIO_TEXT, Ignored, is_for};
use crate::view::View;

/// A log that is written. API: telemetry.istio.io/v1 `AccessLogging`; without one T-465 holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccessLog {
    /// The provider's name; `accessLogFile` and `enableEnvoyAccessLogService` for logs that MeshConfig asks for itself.
    pub provider: Arc<str>,
    /// Where the records go.
    pub sink: AccessLogSink,
    /// Which traffic is logged.
    pub traffic: Traffic,
    /// A CEL expression over the request's attributes, true for those to log; `None`: all.
    pub filter: Option<Resolved<Arc<str>>>,
    /// Who switched it on, and who said something before.
    pub on: Resolved<bool>,
}

/// A log that is not written because somebody said so. Ours: why nothing is logged is asked as often as what is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SwitchedOff {
    /// The provider's name.
    pub provider: Arc<str>,
    /// Who switched it off, and who said something before.
    pub on: Resolved<bool>,
}

/// Kinds of traffic. Ours: providers for HTTP and for TCP are told apart by what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Every request and every connection.
    Any,
    /// Requests of HTTP.
    Http,
    /// Connections whose bytes are not looked at.
    Tcp,
}

/// Where the records of a log go. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider`, its access logs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessLogSink {
    /// To a file, a line each.
    File {
        /// The file.
        path: Arc<str>,
        /// What is in a line.
        line: LogLine,
        /// Whether values that are not there are left out instead of printed as `-`.
        omit_empty_values: bool,
    },
    /// To a service that takes Envoy's records of HTTP.
    HttpGrpc(GrpcLog),
    /// To a service that takes Envoy's records of TCP.
    TcpGrpc(GrpcLog),
    /// To a collector of OpenTelemetry.
    OpenTelemetry {
        /// The collector.
        target: ProviderTarget,
        /// Name of the log.
        log_name: Arc<str>,
        /// Format of a record's body.
        body: Arc<str>,
        /// Formats of a record's attributes.
        attributes: Map<String, Value>,
    },
}

/// A service that takes Envoy's records.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyHttpGrpcV3LogProvider` and
/// `MeshConfig.ExtensionProvider.EnvoyTcpGrpcV3LogProvider`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GrpcLog {
    /// The service; `None`: the one that the bootstrap names (`envoy_accesslog_service`).
    pub target: Option<ProviderTarget>,
    /// Name of the log.
    pub log_name: Arc<str>,
    /// Filter state that is sent along.
    pub filter_state: Vec<String>,
    /// Request headers that are sent along.
    pub request_headers: Vec<String>,
    /// Response headers that are sent along.
    pub response_headers: Vec<String>,
    /// Response trailers that are sent along.
    pub response_trailers: Vec<String>,
}

/// What is in a line. API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider.LogFormat`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LogLine {
    /// Text with `%COMMAND%`s, its line feed included.
    Text(Arc<str>),
    /// An object whose values are texts with `%COMMAND%`s, or objects again.
    Json(Map<String, Value>),
}

/// What was said of one provider.
struct Said {
    on: Resolved<bool>,
    filter: Option<Resolved<Arc<str>>>,
}

/// The logs of a side, and those that are switched off.
pub(super) fn of(
    view: &View<'_>,
    found: &[Found<'_>],
    mode: WorkloadMode,
    ignored: &mut Vec<Ignored>,
) -> (Vec<AccessLog>, Vec<SwitchedOff>) {
    let mesh = view.mesh();
    let (mut logs, mut off) = (Vec::new(), Vec::new());
    for (name, Said { on, filter }) in said(mesh, found, mode) {
        let mut ignore = |why| {
            let origin = on.origin().clone();
            ignored.push(Ignored { provider: name.to_string(), purpose: "access log", why, origin });
        };
        let Some(provider) = providers::find(mesh, &name) else {
            ignore(UNKNOWN);
            continue;
        };
        let sink = match sink(view, provider) {
            Ok(sink) => sink,
            Err(why) => {
                ignore(why);
                continue;
            }
        };
        let provider: Arc<str> = provider.name.as_str().into();
        if *on.value() {
            logs.push(AccessLog { provider, sink, traffic: Traffic::Any, filter, on });
        } else {
            off.push(SwitchedOff { provider, on });
        }
    }
    if logs.is_empty() && off.is_empty() {
        logs = of_mesh(mesh);
    }
    logs.sort_by(|a, b| a.provider.cmp(&b.provider));
    (logs, off)
}

/// What Telemetry resources and the default providers say, by the provider's name.
///
/// Each level that names providers replaces those of the wider levels. A section without providers speaks of those of the
/// section before it, whichever side that one is for.
fn said(mesh: &MeshConfig, found: &[Found<'_>], mode: WorkloadMode) -> BTreeMap<String, Said> {
    let defaults = mesh.default_providers.as_ref().map_or(&[][..], |it| &it.access_logging);
    let by_default = || {
        let is_set =
            |it: &MeshConfig| it.default_providers.as_ref().is_some_and(|it| !it.access_logging.is_empty());
        Layer::new(true, Level::Mesh, mesh.origin_of("defaultProviders.accessLogging", is_set))
    };
    let levels: Vec<&Found<'_>> =
        found.iter().filter(|it| !it.object.spec.access_logging.is_empty()).collect();
    if levels.is_empty() {
        let said = |name: &String| (name.clone(), Said { on: Resolved::new(by_default()), filter: None });
        return defaults.iter().map(said).collect();
    }

    let mut filters: BTreeMap<&str, Resolved<Option<Arc<str>>>> = BTreeMap::new();
    let mut in_scope: BTreeSet<&str> = defaults.iter().map(String::as_str).collect();
    for level in &levels {
        let mut named = BTreeSet::new();
        for (place, section) in level.object.spec.access_logging.iter().enumerate() {
            if !is_for(section.r#match.as_ref().map(|it| it.mode), mode) {
                continue;
            }
            let expression = section.filter.as_ref().map(|filter| Arc::from(filter.expression.as_str()));
            let origin = level.object.origin(format!("spec.accessLogging[{place}].filter"));
            for provider in &section.providers {
                named.insert(provider.name.as_str());
                let layer = Layer::new(expression.clone(), level.level, origin.clone());
                match filters.get_mut(provider.name.as_str()) {
                    Some(resolved) => resolved.lay(layer),
                    None => {
                        filters.insert(&provider.name, Resolved::new(layer));
                    }
                }
            }
        }
        if !named.is_empty() {
            in_scope = named;
        }
    }

    let mut all: BTreeMap<String, Said> = BTreeMap::new();
    let mut parents: Vec<&str> = defaults.iter().map(String::as_str).collect();
    for level in &levels {
        for (place, section) in level.object.spec.access_logging.iter().enumerate() {
            parents = named_or(section, parents);
            if !is_for(section.r#match.as_ref().map(|it| it.mode), mode) {
                continue;
            }
            for name in parents.iter().filter(|name| in_scope.contains(*name)) {
                let is_on = section.disabled != Some(true);
                let field = if is_on { "" } else { ".disabled" };
                let origin = level.object.origin(format!("spec.accessLogging[{place}]{field}"));
                let layer = Layer::new(is_on, level.level, origin);
                let said = match all.entry((*name).to_owned()) {
                    Entry::Occupied(known) => {
                        let said = known.into_mut();
                        said.on.lay(layer);
                        said
                    }
                    Entry::Vacant(free) => {
                        let by_default = defaults.iter().any(|it| it == name).then(by_default);
                        let on = match by_default.map(Resolved::new) {
                            Some(mut on) => {
                                on.lay(layer);
                                on
                            }
                            None => Resolved::new(layer),
                        };
                        free.insert(Said { on, filter: None })
                    }
                };
                let filter = filters.get(*name).filter(|it| is_on && it.value().is_some());
                said.filter = filter.cloned().and_then(Resolved::flatten);
            }
        }
    }
    all
}

fn named_or<'s>(section: &'s AccessLogging, parents: Vec<&'s str>) -> Vec<&'s str> {
    if section.providers.is_empty() {
        return parents;
    }
    section.providers.iter().map(|it| it.name.as_str()).collect()
}

/// Logs that MeshConfig asks for without a provider, where nothing else asks for any (T-465).
fn of_mesh(mesh: &MeshConfig) -> Vec<AccessLog> {
    let mut logs = Vec::new();
    let mut push = |provider: &str, sink, traffic, origin| {
        let on = Resolved::new(Layer::new(true, Level::Mesh, origin));
        logs.push(AccessLog { provider: provider.into(), sink, traffic, filter: None, on });
    };
    if !mesh.access_log_file().is_empty() {
        let sink = mesh_file(mesh, mesh.access_log_file());
        let origin = mesh.origin_of("accessLogFile", |it| it.access_log_file.is_some());
        push("accessLogFile", sink, Traffic::Any, origin);
    }
    if mesh.enable_envoy_access_log_service.unwrap_or(false) {
        let field = "enableEnvoyAccessLogService";
        let origin = mesh.origin_of(field, |it| it.enable_envoy_access_log_service.is_some());
        let log = |name: &str| GrpcLog {
            target: None,
            log_name: name.into(),
            filter_state: OLD_AND_NEW_PEERS.map(str::to_owned).to_vec(),
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            response_trailers: Vec::new(),
        };
        push(field, AccessLogSink::HttpGrpc(log(HTTP_LOG)), Traffic::Http, origin.clone());
        push(field, AccessLogSink::TcpGrpc(log(TCP_LOG)), Traffic::Tcp, origin);
    }
    logs
}

const HTTP_LOG: &str = "http_envoy_accesslog";
const TCP_LOG: &str = "tcp_envoy_accesslog";
const OTEL_LOG: &str = "otel_envoy_accesslog";
/// Filter state about the other workload, sent along where nothing else is asked for.
const PEERS: [&str; 2] = ["upstream_peer", "downstream_peer"];
const OLD_AND_NEW_PEERS: [&str; 6] = [
    "upstream_peer",
    "downstream_peer",
    "wasm.upstream_peer",
    "wasm.upstream_peer_id",
    "wasm.downstream_peer",
    "wasm.downstream_peer_id",
];
/// The provider that takes its format from MeshConfig.
const BUILT_IN: &str = "envoy";
const STANDARD_OUTPUT: &str = "/dev/stdout";

fn sink(view: &View<'_>, provider: &ExtensionProvider) -> Result<AccessLogSink, &'static str> {
    if let Some(file) = &provider.envoy_file_access_log {
        let is_plain = file.log_format.is_none() && !file.omit_empty_values;
        return Ok(if provider.name == BUILT_IN && is_plain {
            mesh_file(view.mesh(), &file.path)
        } else {
            own_file(file)
        });
    }
    if let Some(http) = &provider.envoy_http_als {
        let target = providers::target(view, &http.service, http.port).ok_or(NO_SERVICE)?;
        return Ok(AccessLogSink::HttpGrpc(GrpcLog {
            target: Some(target),
            log_name: or(&http.log_name, HTTP_LOG),
            filter_state: or_peers(&http.filter_state_objects_to_log),
            request_headers: http.additional_request_headers_to_log.clone(),
            response_headers: http.additional_response_headers_to_log.clone(),
            response_trailers: http.additional_response_trailers_to_log.clone(),
        }));
    }
    if let Some(tcp) = &provider.envoy_tcp_als {
        let target = providers::target(view, &tcp.service, tcp.port).ok_or(NO_SERVICE)?;
        return Ok(AccessLogSink::TcpGrpc(GrpcLog {
            target: Some(target),
            log_name: or(&tcp.log_name, TCP_LOG),
            filter_state: or_peers(&tcp.filter_state_objects_to_log),
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            response_trailers: Vec::new(),
        }));
    }
    if let Some(otel) = &provider.envoy_otel_als {
        return open_telemetry(view, otel);
    }
    Err("it takes no access log")
}

fn open_telemetry(
    view: &View<'_>,
    provider: &OpenTelemetryAccessLogProvider,
) -> Result<AccessLogSink, &'static str> {
    let target = providers::target(view, &provider.service, provider.port).ok_or(NO_SERVICE)?;
    let format = provider.log_format.as_ref();
    let text = format.and_then(|it| it.text.as_deref()).unwrap_or_default();
    Ok(AccessLogSink::OpenTelemetry {
        target,
        log_name: or(&provider.log_name, OTEL_LOG),
        body: or(text, ISTIO_TEXT),
        attributes: format.and_then(|it| it.labels.clone()).unwrap_or_default(),
    })
}

/// A file in the format of MeshConfig.
fn mesh_file(mesh: &MeshConfig, path: &str) -> AccessLogSink {
    let format = mesh.access_log_format();
    let line = match mesh.access_log_encoding() {
        AccessLogEncoding::Text => text_line(format),
        AccessLogEncoding::Json => {
            LogLine::Json(serde_json::from_str(format).unwrap_or_else(|_| default_json()))
        }
    };
    AccessLogSink::File { path: path.into(), line, omit_empty_values: false }
}

/// A file in the provider's own format.
fn own_file(provider: &FileAccessLogProvider) -> AccessLogSink {
    let line = match &provider.log_format {
        None => text_line(""),
        Some(format) => match (&format.text, &format.labels) {
            (Some(text), _) => text_line(text),
            (None, Some(labels)) if labels.is_empty() => LogLine::Json(default_json()),
            (None, Some(labels)) => LogLine::Json(labels.clone()),
            (None, None) => LogLine::Text(ENVOY_TEXT.into()),
        },
    };
    let path = or(&provider.path, STANDARD_OUTPUT);
    AccessLogSink::File { path, line, omit_empty_values: provider.omit_empty_values }
}

/// A text format ends in a line feed, which is added where it is missing.
fn text_line(format: &str) -> LogLine {
    LogLine::Text(match format {
        "" => ISTIO_TEXT.into(),
        format if format.ends_with('\n') => format.into(),
        format => format!("{format}\n").into(),
    })
}

fn default_json() -> Map<String, Value> {
    ISTIO_JSON.iter().map(|(key, format)| ((*key).to_owned(), Value::from(*format))).collect()
}

fn or(written: &str, default: &str) -> Arc<str> {
    if written.is_empty() { default.into() } else { written.into() }
}

fn or_peers(written: &[String]) -> Vec<String> {
    if written.is_empty() { PEERS.map(str::to_owned).to_vec() } else { written.to_vec() }
}
