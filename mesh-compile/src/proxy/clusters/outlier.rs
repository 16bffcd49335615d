//! Passive health checks (T-276, T-277).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::origin::Origin;
use mesh_model::part::OutlierDetection;
use mesh_model::value::Duration;

use super::policy::Policy;
use crate::proxy::cluster::{Cluster, Outlier};
use crate::registry::service::{Service, TrafficDistribution};

/// Outlier detection and the panic threshold that comes with it.
pub(super) fn apply(cluster: &mut Cluster, policy: &Policy<'_>, service: &Service) {
    if let Some(block) = &policy.outlier_detection {
        cluster.outlier = Some(Arc::new(outlier(block.value)));
        cluster.origins.insert("outlier", block.origin());
        let forced = service.traffic_distribution != TrafficDistribution::Any;
        let percent =
            if forced { block.value.min_health_percent.min(0) } else { block.value.min_health_percent };
        // A negative percentage leaves the data plane's own threshold, which then T-312 replaces.
        if percent >= 0 {
            cluster.panic_threshold = Some(f64::from(percent));
            // 0 is mostly not written: then the block is what switches panic mode off.
            let origin = if percent > 0 { block.child(&[".minHealthPercent"]) } else { block.origin() };
            cluster.origins.insert("panic_threshold", origin);
        }
    }
}

/// Unready endpoints are sent as unhealthy, so panic mode, which would use them, is off (T-312).
pub(super) fn panic_off_by_default(cluster: &mut Cluster) {
    if cluster.panic_threshold.is_none() {
        cluster.panic_threshold = Some(0.0);
        cluster.origins.insert("panic_threshold", Origin::built_in("no panic mode (T-312)"));
    }
}

fn outlier(written: &OutlierDetection) -> Outlier {
    // Success rates are never looked at.
    let mut settings = BTreeMap::from([("enforcing_success_rate", 0)]);
    let mut counted = |count: Option<u32>, name: &'static str, enforcing: &'static str| {
        if let Some(count) = count {
            settings.insert(name, i64::from(count));
            settings.insert(enforcing, if count > 0 { 100 } else { 0 });
        }
    };
    counted(written.consecutive_5xx_errors, "consecutive5xx", "enforcing_consecutive5xx");
    counted(
        written.consecutive_gateway_errors,
        "consecutive_gateway_failure",
        "enforcing_consecutive_gateway_failure",
    );
    if written.split_external_local_origin_errors {
        counted(
            written.consecutive_local_origin_failures.filter(|count| *count > 0),
            "consecutive_local_origin_failure",
            "enforcing_consecutive_local_origin_failure",
        );
        settings.insert("enforcing_local_origin_success_rate", 0);
    }
    let times = [("interval_ms", written.interval), ("base_ejection_time_ms", written.base_ejection_time)];
    settings
        .extend(times.iter().filter_map(|(name, time)| time.map(|time| (*name, Duration::as_millis(time)))));
    if written.max_ejection_percent > 0 {
        settings.insert("max_ejection_percent", i64::from(written.max_ejection_percent));
    }
    Outlier {
        settings,
        split_external_local_origin_errors: written.split_external_local_origin_errors,
        http_error_codes: written
            .outlier_detection_http_error_codes
            .iter()
            .map(|code| code.to_string().into())
            .collect(),
    }
}
