//! Patches of the network filters of a chain: filters put in and taken out, settings of the two that end chains.

use std::sync::Arc;

use mesh_model::networking::envoy_filter::spec::{ApplyTo, PatchOperation};
use serde_json::{Map, Value};

use super::Notes;
use super::applicable::{Patch, Patches};
use super::filter_value::typed;
use super::http_filter;
use super::listener::place_in;
use super::listener_match::means_chain;
use super::value::{count, duration_ms, field, fields, integer};
use crate::proxy::listener::{FilterChain, HttpManager, Listener, Network, PathNormalization, TcpProxy};

pub(super) const HTTP_MANAGER: &str = "envoy.filters.network.http_connection_manager";
const TCP_PROXY: &str = "envoy.filters.network.tcp_proxy";
pub(super) const TCP_PROXY_TYPE: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const CONNECTION_LIMIT: &str = "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit";
const RBAC: &str = "envoy.filters.network.rbac";

/// Applies the patches that mean filters of a chain.
pub(super) fn patch(patches: &Patches, listener: &Listener, chain: &mut FilterChain, notes: &mut Notes) {
    let what: Arc<str> = format!("{}/{}", listener.name, chain.name).into();
    let last = match chain.network {
        Network::Http(_) => HTTP_MANAGER,
        Network::Tcp(_) => TCP_PROXY,
    };
    let mut names = filters_of(chain, last);
    let is_meant = |patch: &Patch| patches.means_listener(patch, listener);
    for (place, patch) in patches.of(ApplyTo::NetworkFilter) {
        if !is_meant(patch) || !means_chain(patch, listener, chain) {
            continue;
        }
        let wanted = patch.network_filter();
        let mut new = names.clone();
        let value = patch.value();
        let own = value.and_then(|it| field(it, "name")?.as_str()).unwrap_or_default().to_owned();
        let means = |name: &String| wanted.is_none_or(|wanted| wanted == name);
        if !place_in(&mut new, patch.operation, wanted.is_some(), own.clone(), means) {
            continue;
        }
        if new.last().map(String::as_str) != Some(last) {
            let why = format!("`{last}` ends the chain, and Envoy refuses one that does not end so");
            notes.left_out.push((place, String::new(), why.into()));
            continue;
        }
        names = new;
        let limit = (patch.operation != PatchOperation::Remove).then(|| connection_limit(value)).flatten();
        match limit {
            Some(limit) => {
                chain.max_connections = Some(limit.min(chain.max_connections.unwrap_or(limit)));
                notes.changed.push((place, Arc::clone(&what)));
            }
            None if patch.operation == PatchOperation::Remove => {
                notes.changed.push((place, Arc::clone(&what)));
            }
            None => notes.left_out.push((place, String::new(), format!("nothing here runs `{own}`").into())),
        }
    }
    if let Network::Tcp(proxy) = &mut chain.network
        && !names.iter().any(|it| it == RBAC)
    {
        proxy.authz = None;
    }
    for (place, patch) in patches.of(ApplyTo::NetworkFilter) {
        let is_merge = matches!(patch.operation, PatchOperation::Merge | PatchOperation::MergeAndReplaceList);
        let means_last = patch.network_filter().is_none_or(|wanted| wanted == last);
        if !is_merge || !means_last || !is_meant(patch) || !means_chain(patch, listener, chain) {
            continue;
        }
        let config = patch.value().and_then(|it| field(it, "typed_config")?.as_object()).and_then(typed);
        let Some((_, written)) = config else { continue };
        let mut left_out = Vec::new();
        let is_changed = match &mut chain.network {
            Network::Http(manager) => merge_manager(manager, written, &mut left_out),
            Network::Tcp(proxy) => merge_proxy(proxy, written, &mut left_out),
        };
        if is_changed {
            notes.changed.push((place, Arc::clone(&what)));
        }
        notes.leave_out(place, left_out.into_iter().map(|(name, why)| (format!("typed_config.{name}"), why)));
    }
    let of_http = patches.of(ApplyTo::HttpFilter).filter(|(_, patch)| {
        is_meant(patch)
            && means_chain(patch, listener, chain)
            && patch.network_filter().is_none_or(|wanted| wanted == HTTP_MANAGER)
    });
    let of_http: Vec<(usize, &Patch)> = of_http.collect();
    if let Network::Http(manager) = &mut chain.network {
        http_filter::patch(patches, &of_http, manager, listener.direction, &what, notes);
    }
}

/// The network filters of a chain that Istio made.
fn filters_of(chain: &FilterChain, last: &str) -> Vec<String> {
    let mut names = vec!["istio.metadata_exchange".to_owned()];
    if let Network::Tcp(proxy) = &chain.network {
        if proxy.authz.is_some() {
            names.push(RBAC.to_owned());
        }
        names.push("istio.stats".to_owned());
    }
    names.push(last.to_owned());
    names
}

fn connection_limit(value: Option<&Map<String, Value>>) -> Option<u64> {
    let (kind, written) = typed(field(value?, "typed_config")?.as_object()?)?;
    let limit = (kind == CONNECTION_LIMIT).then(|| field(written, "max_connections").and_then(integer));
    u64::try_from(limit.flatten()?).ok()
}

const NO_FIELD: &str = "compiled chains have no such setting";

/// Merges settings of the HTTP connection manager. Says whether anything changed.
fn merge_manager(
    manager: &mut HttpManager,
    written: &Map<String, Value>,
    left_out: &mut Vec<(String, &'static str)>,
) -> bool {
    let mut is_changed = false;
    let mut paths = Paths::of(manager.normalization);
    for (name, value) in fields(written) {
        let done = match name.as_str() {
            "@type" | "stat_prefix" | "server_name" => continue,
            "xff_num_trusted_hops" => count(value).map(|hops| manager.trusted_hops = hops),
            "use_remote_address" => value.as_bool().map(|is_used| manager.use_remote_address = is_used),
            "normalize_path" => value.as_bool().map(|it| paths.normalizes = it),
            "merge_slashes" => value.as_bool().map(|it| paths.merges = it),
            "path_with_escaped_slashes_action" => match value.as_str() {
                Some("KEEP_UNCHANGED" | "IMPLEMENTATION_SPECIFIC_DEFAULT") => Some(false),
                Some("UNESCAPE_AND_FORWARD") => Some(true),
                _ => None,
            }
            .map(|it| paths.unescapes = it),
            "stream_idle_timeout" => {
                duration_ms(value).map(|it| manager.limits.stream_idle_timeout_ms = Some(it))
            }
            "request_timeout" => duration_ms(value).map(|it| manager.limits.request_timeout_ms = Some(it)),
            "max_request_headers_kb" => {
                count(value).map(|it| manager.limits.max_request_headers_kb = Some(it))
            }
            "common_http_protocol_options" => value.as_object().and_then(|map| {
                let idle = field(map, "idle_timeout").and_then(duration_ms)?;
                manager.limits.idle_timeout_ms = Some(idle);
                (map.len() == 1).then_some(())
            }),
            "http_protocol_options" => value.as_object().and_then(|map| {
                manager.http10 = field(map, "accept_http_10").and_then(Value::as_bool)?;
                (map.len() == 1).then_some(())
            }),
            _ => {
                left_out.push((name, NO_FIELD));
                continue;
            }
        };
        match done {
            Some(()) => is_changed = true,
            None => left_out.push((name, "the value, or part of it, has no equivalent")),
        }
    }
    match paths.normalization() {
        Some(normalization) => manager.normalization = normalization,
        None => left_out.push((
            "merge_slashes".to_owned(),
            "paths are normalised in one of MeshConfig's four ways, and this is none of them",
        )),
    }
    is_changed
}

/// How paths are normalised, in the manager's own terms.
struct Paths {
    normalizes: bool,
    merges: bool,
    unescapes: bool,
}

impl Paths {
    fn of(normalization: PathNormalization) -> Self {
        Self {
            normalizes: normalization != PathNormalization::None,
            merges: normalization >= PathNormalization::MergeSlashes,
            unescapes: normalization == PathNormalization::DecodeAndMergeSlashes,
        }
    }

    fn normalization(&self) -> Option<PathNormalization> {
        match (self.normalizes, self.merges, self.unescapes) {
            (false, false, false) => Some(PathNormalization::None),
            (true, false, false) => Some(PathNormalization::Base),
            (true, true, false) => Some(PathNormalization::MergeSlashes),
            (true, true, true) => Some(PathNormalization::DecodeAndMergeSlashes),
            _ => None,
        }
    }
}

/// Merges settings of the TCP proxy. Says whether anything changed.
fn merge_proxy(
    proxy: &mut TcpProxy,
    written: &Map<String, Value>,
    left_out: &mut Vec<(String, &'static str)>,
) -> bool {
    let mut is_changed = false;
    for (name, value) in fields(written) {
        match name.as_str() {
            "@type" | "stat_prefix" => {}
            "idle_timeout" => match duration_ms(value) {
                Some(idle) => {
                    proxy.idle_timeout_ms = Some(idle);
                    is_changed = true;
                }
                None => left_out.push((name, "the value cannot be read")),
            },
            "max_downstream_connection_duration" => match duration_ms(value) {
                Some(life) => {
                    proxy.max_connection_ms = Some(life);
                    is_changed = true;
                }
                None => left_out.push((name, "the value cannot be read")),
            },
            _ => left_out.push((name, NO_FIELD)),
        }
    }
    is_changed
}
