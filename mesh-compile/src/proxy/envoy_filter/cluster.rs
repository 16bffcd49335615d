//! Patches of clusters.

use std::sync::Arc;

use mesh_model::networking::envoy_filter::spec::{ApplyTo, PatchOperation};
use serde_json::{Map, Value};

use super::applicable::{Patch, Patches};
use super::value::{count, duration_ms, field, fields, integer};
use super::{Notes, Once, cluster_value};
use crate::proxy::cluster::{
    Cluster, HttpOptions, LbPolicy, Limits, Outlier, TcpKeepalive, UpstreamProtocol,
};

/// Applies the patches that mean a cluster; `None`: none does.
pub(super) fn patch(patches: &Patches, before: &Arc<Cluster>) -> Option<Once<Cluster>> {
    let mut notes = Notes::default();
    let mut cluster: Option<Cluster> = None;
    let mut is_removed = false;
    for (place, patch) in patches.of(ApplyTo::Cluster) {
        if !patches.means_cluster(patch, &before.name) {
            continue;
        }
        if patch.operation == PatchOperation::Add {
            continue;
        }
        if patch.operation == PatchOperation::Remove {
            notes.changed.push((place, Arc::clone(&before.name)));
            is_removed = true;
            break;
        }
        let cluster = cluster.get_or_insert_with(|| (**before).clone());
        let mut merge = Merge { cluster, patch, place, notes: &mut notes, is_changed: false, is_new: false };
        merge.all();
        let is_changed = merge.is_changed;
        if is_changed {
            notes.changed.push((place, Arc::clone(&before.name)));
        }
    }
    if notes.changed.is_empty() && notes.left_out.is_empty() {
        return None;
    }
    let after = match cluster {
        _ if is_removed => None,
        Some(cluster) if !notes.changed.is_empty() => Some(Arc::new(cluster)),
        _ => Some(Arc::clone(before)),
    };
    Some(Once { before: Arc::clone(before), after, notes })
}

/// The clusters that patches add, and what is left out of them.
pub(super) fn added(patches: &Patches) -> (Vec<(usize, Arc<Cluster>)>, Notes) {
    let mut notes = Notes::default();
    let mut clusters = Vec::new();
    for (place, patch) in patches.of(ApplyTo::Cluster) {
        if patch.operation != PatchOperation::Add || patches.direction_of_added(patch).is_none() {
            continue;
        }
        let origin = patch.origin().child(".patch.value");
        match patch.value().map_or(Err(UNREADABLE), |value| cluster_value::cluster(value, &origin)) {
            Ok(mut cluster) => {
                let notes = &mut notes;
                let mut merge =
                    Merge { cluster: &mut cluster, patch, place, notes, is_changed: false, is_new: true };
                merge.all();
                clusters.push((place, Arc::new(cluster)));
            }
            Err(why) => notes.left_out.push((place, String::new(), why.into())),
        }
    }
    (clusters, notes)
}

/// One value being merged into one cluster.
struct Merge<'m> {
    cluster: &'m mut Cluster,
    patch: &'m Patch,
    place: usize,
    notes: &'m mut Notes,
    is_changed: bool,
    /// Whether the cluster is the patch's own.
    is_new: bool,
}

const UNKNOWN: &str = "compiled clusters have no such field";
const UNREADABLE: &str = "the value cannot be read";

impl Merge<'_> {
    fn all(&mut self) {
        let Some(value) = self.patch.value().cloned() else { return };
        for (name, value) in fields(&value) {
            let result = match name.as_str() {
                name if self.is_new && cluster_value::FIELDS.contains(&name) => continue,
                "connect_timeout" => self.connect_timeout(value),
                "lb_policy" => self.lb_policy(value),
                "outlier_detection" => self.outlier(value),
                "circuit_breakers" => self.limits(value),
                "upstream_connection_options" => self.keepalive(value),
                "common_lb_config" => self.panic_threshold(value),
                "dns_lookup_family" => self.dns_family(value),
                "dns_refresh_rate" => self.dns_refresh(value),
                "max_requests_per_connection" => self.requests_per_connection(value),
                "typed_extension_protocol_options" => self.http(value),
                _ => Err(UNKNOWN),
            };
            if let Err(why) = result {
                self.leave_out(name, why);
            }
        }
    }

    fn leave_out(&mut self, field: impl Into<String>, why: &'static str) {
        self.notes.left_out.push((self.place, field.into(), why.into()));
    }

    /// Notes that a setting of the cluster comes from this patch.
    fn set(&mut self, setting: &'static str, field: &str) {
        let origin = self.patch.origin().child(&format!(".patch.value.{field}"));
        self.cluster.origins.insert(setting, origin);
        self.is_changed = true;
    }

    fn connect_timeout(&mut self, value: &Value) -> Result<(), &'static str> {
        self.cluster.connect_timeout_ms = duration_ms(value).ok_or(UNREADABLE)?;
        self.set("connect_timeout_ms", "connect_timeout");
        Ok(())
    }

    fn lb_policy(&mut self, value: &Value) -> Result<(), &'static str> {
        self.cluster.lb = match value.as_str() {
            Some("ROUND_ROBIN") => LbPolicy::RoundRobin,
            Some("LEAST_REQUEST") => LbPolicy::LeastRequest,
            Some("RANDOM") => LbPolicy::Random,
            Some("RING_HASH") => LbPolicy::RingHash { minimum_ring_size: None },
            Some("MAGLEV") => LbPolicy::Maglev { table_size: None },
            Some("CLUSTER_PROVIDED") => LbPolicy::ClusterProvided,
            _ => return Err(UNREADABLE),
        };
        self.set("lb", "lb_policy");
        Ok(())
    }

    fn outlier(&mut self, value: &Value) -> Result<(), &'static str> {
        let map = value.as_object().ok_or(UNREADABLE)?;
        let mut outlier = self.cluster.outlier.clone().unwrap_or_default();
        for (name, value) in fields(map) {
            if !merge_outlier(Arc::make_mut(&mut outlier), &name, value) {
                self.leave_out(format!("outlier_detection.{name}"), UNKNOWN);
            }
        }
        self.cluster.outlier = Some(outlier);
        self.set("outlier", "outlier_detection");
        Ok(())
    }

    /// Envoy takes the first entry of a priority: entries that are appended to Istio's count for nothing.
    fn limits(&mut self, value: &Value) -> Result<(), &'static str> {
        let map = value.as_object().ok_or(UNREADABLE)?;
        if !self.is_new && !self.patch.replaces_lists() {
            return Err(
                "Istio's thresholds come first, and Envoy takes the first; MERGE_AND_REPLACE_LIST replaces them",
            );
        }
        let thresholds = field(map, "thresholds").and_then(Value::as_array).ok_or(UNREADABLE)?;
        let is_default = |it: &&Map<String, Value>| {
            field(it, "priority").is_none_or(|priority| priority.as_str() == Some("DEFAULT"))
        };
        let first = thresholds.iter().filter_map(Value::as_object).find(is_default).ok_or(UNREADABLE)?;
        // Envoy's own limits where none is written.
        let limit = |name: &str, unset: u32| field(first, name).map_or(Some(unset), count);
        self.cluster.limits = Limits {
            max_connections: limit("max_connections", 1024),
            max_pending_requests: limit("max_pending_requests", 1024),
            max_requests: limit("max_requests", 1024),
            max_retries: limit("max_retries", 3),
        };
        self.set("limits", "circuit_breakers");
        Ok(())
    }

    fn keepalive(&mut self, value: &Value) -> Result<(), &'static str> {
        let map = value.as_object().ok_or(UNREADABLE)?;
        for (name, value) in fields(map) {
            let Some(written) = value.as_object().filter(|_| name == "tcp_keepalive") else {
                self.leave_out(format!("upstream_connection_options.{name}"), UNKNOWN);
                continue;
            };
            let old = self.cluster.tcp_keepalive.unwrap_or_default();
            let or = |name: &str, old: Option<u32>| field(written, name).and_then(count).or(old);
            self.cluster.tcp_keepalive = Some(TcpKeepalive {
                probes: or("keepalive_probes", old.probes),
                time: or("keepalive_time", old.time),
                interval: or("keepalive_interval", old.interval),
            });
            self.set("tcp_keepalive", "upstream_connection_options");
        }
        Ok(())
    }

    fn panic_threshold(&mut self, value: &Value) -> Result<(), &'static str> {
        let map = value.as_object().ok_or(UNREADABLE)?;
        for (name, value) in fields(map) {
            let percent = value.as_object().filter(|_| name == "healthy_panic_threshold");
            match percent.map(|it| field(it, "value").map_or(Some(0.0), Value::as_f64)) {
                Some(Some(percent)) => {
                    self.cluster.panic_threshold = Some(percent);
                    self.set("panic_threshold", "common_lb_config");
                }
                _ => self.leave_out(format!("common_lb_config.{name}"), UNKNOWN),
            }
        }
        Ok(())
    }

    fn dns_refresh(&mut self, value: &Value) -> Result<(), &'static str> {
        self.cluster.dns_refresh_ms = Some(duration_ms(value).ok_or(UNREADABLE)?);
        self.set("dns_refresh_ms", "dns_refresh_rate");
        Ok(())
    }

    fn dns_family(&mut self, value: &Value) -> Result<(), &'static str> {
        self.cluster.dns_family = match value.as_str() {
            Some("V4_ONLY") => Some("V4_ONLY"),
            Some("ALL") => Some("ALL"),
            _ => return Err("only V4_ONLY and ALL are known here"),
        };
        self.set("dns_family", "dns_lookup_family");
        Ok(())
    }

    fn requests_per_connection(&mut self, value: &Value) -> Result<(), &'static str> {
        self.cluster.http.max_requests_per_connection = Some(count(value).ok_or(UNREADABLE)?);
        self.set("http", "max_requests_per_connection");
        Ok(())
    }

    /// Protobuf's merge replaces entries of a map: nothing of Istio's HTTP options stays.
    fn http(&mut self, value: &Value) -> Result<(), &'static str> {
        const NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let all = value.as_object().ok_or(UNREADABLE)?;
        for (name, value) in all {
            let path = format!("typed_extension_protocol_options[\"{name}\"]");
            let Some(written) = value.as_object().filter(|_| name == NAME) else {
                self.leave_out(path, UNKNOWN);
                continue;
            };
            let mut http = HttpOptions::default();
            for (field, value) in fields(written) {
                if field != "@type" && !merge_http(&mut http, &field, value) {
                    self.leave_out(format!("{path}.{field}"), UNKNOWN);
                }
            }
            self.cluster.http = http;
            self.set("http", &path);
        }
        Ok(())
    }
}

/// Merges a field of outlier detection; `false`: there is no such field.
fn merge_outlier(outlier: &mut Outlier, name: &str, value: &Value) -> bool {
    const NUMBERS: [(&str, &str); 10] = [
        ("consecutive_5xx", "consecutive5xx"),
        ("enforcing_consecutive_5xx", "enforcing_consecutive5xx"),
        ("consecutive_gateway_failure", "consecutive_gateway_failure"),
        ("enforcing_consecutive_gateway_failure", "enforcing_consecutive_gateway_failure"),
        ("consecutive_local_origin_failure", "consecutive_local_origin_failure"),
        ("enforcing_consecutive_local_origin_failure", "enforcing_consecutive_local_origin_failure"),
        ("enforcing_success_rate", "enforcing_success_rate"),
        ("enforcing_local_origin_success_rate", "enforcing_local_origin_success_rate"),
        ("max_ejection_percent", "max_ejection_percent"),
        ("interval", "interval_ms"),
    ];
    if name == "split_external_local_origin_errors" {
        outlier.split_external_local_origin_errors = value.as_bool().unwrap_or(false);
        return value.is_boolean();
    }
    let read = match name {
        "base_ejection_time" => duration_ms(value).map(|time| ("base_ejection_time_ms", time)),
        "interval" => duration_ms(value).map(|time| ("interval_ms", time)),
        name => {
            let known = NUMBERS.iter().find(|(written, _)| *written == name);
            known.and_then(|(_, setting)| Some((*setting, integer(value)?)))
        }
    };
    outlier.settings.extend(read);
    read.is_some()
}

/// Sets a field of the HTTP options; `false`: there is no such field.
fn merge_http(http: &mut HttpOptions, name: &str, value: &Value) -> bool {
    let Some(map) = value.as_object() else { return false };
    let mut streams = |protocol: &Map<String, Value>| {
        let options = field(protocol, "http2_protocol_options").and_then(Value::as_object);
        http.max_concurrent_streams =
            options.and_then(|it| field(it, "max_concurrent_streams")).and_then(count);
        options.is_some()
    };
    match name {
        "explicit_http_config" => {
            let is_http2 = streams(map);
            http.protocol = if is_http2 { UpstreamProtocol::Http2 } else { UpstreamProtocol::Http1 };
            field(map, "http3_protocol_options").is_none()
        }
        "use_downstream_protocol_config" => {
            streams(map);
            http.protocol = UpstreamProtocol::Downstream;
            true
        }
        "auto_config" => {
            streams(map);
            http.protocol = UpstreamProtocol::Alpn;
            true
        }
        "common_http_protocol_options" => {
            let mut is_whole = true;
            for (name, value) in fields(map) {
                match name.as_str() {
                    "idle_timeout" => http.idle_timeout_ms = duration_ms(value),
                    "max_connection_duration" => http.max_connection_duration_ms = duration_ms(value),
                    "max_requests_per_connection" => http.max_requests_per_connection = count(value),
                    _ => is_whole = false,
                }
            }
            is_whole
        }
        "upstream_http_protocol_options" => {
            let is_on = |name: &str| field(map, name).and_then(Value::as_bool).unwrap_or(false);
            http.auto_sni = is_on("auto_sni");
            http.auto_san_validation = is_on("auto_san_validation");
            true
        }
        _ => false,
    }
}
