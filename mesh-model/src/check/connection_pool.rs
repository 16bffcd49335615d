//! `ConnectionPoolSettings` and `OutlierDetection` (T-229, T-270..T-277).

use super::{Checker, Hearing, Path, Problem, value};
use crate::part::{
    ConnectionPoolSettings, H2UpgradePolicy, HttpSettings, OutlierDetection, TcpKeepalive, TcpSettings,
};
use crate::value::Duration;

/// Limits of connections and requests. `rest`: what is heard of fields that only a DestinationRule is checked for.
pub(crate) fn connection_pool(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    pool: &ConnectionPoolSettings,
    rest: Hearing,
) {
    found.require(pool.http.is_some() || pool.tcp.is_some(), at, || {
        Problem::missing("a connection pool needs `tcp` or `http`")
            .help("write limits under `tcp` or `http`, or remove it")
    });
    if let Some(http) = &pool.http {
        let at = at.field("http");
        http_settings(found, &at, http);
        found.hearing(rest, |found| http2_keep_alive(found, &at, http));
    }
    if let Some(tcp) = &pool.tcp {
        tcp_settings(found, &at.field("tcp"), tcp);
    }
}

fn http_settings(found: &mut Checker<'_>, at: &Path<'_>, http: &HttpSettings) {
    let limits = [
        ("http1MaxPendingRequests", http.http1_max_pending_requests),
        ("http2MaxRequests", http.http2_max_requests),
        ("maxRequestsPerConnection", http.max_requests_per_connection),
        ("maxRetries", http.max_retries),
        ("maxConcurrentStreams", http.max_concurrent_streams),
    ];
    for (name, limit) in limits {
        not_negative(found, &at.field(name), limit);
    }
    duration(found, &at.field("idleTimeout"), http.idle_timeout);
    if http.h2_upgrade_policy == H2UpgradePolicy::Upgrade && http.use_client_protocol {
        let problem =
            Problem::conflict("the client's protocol cannot be kept where connections are upgraded")
                .help("remove `useClientProtocol`, or set `h2UpgradePolicy: DO_NOT_UPGRADE`");
        found.find(
            &at.field("useClientProtocol"),
            problem.help("remove `useClientProtocol` or `h2UpgradePolicy: UPGRADE`"),
        );
    }
}

fn http2_keep_alive(found: &mut Checker<'_>, at: &Path<'_>, http: &HttpSettings) {
    if let Some(keepalive) = &http.http2_keep_alive {
        let at = at.field("http2KeepAlive");
        for (name, written) in [("interval", keepalive.interval), ("timeout", keepalive.timeout)] {
            found.require(written.is_some(), &at, || {
                Problem::missing(format!("`{name}` is required")).help(format!("add `{name}`"))
            });
            duration(found, &at.field(name), written);
        }
    }
}

fn tcp_settings(found: &mut Checker<'_>, at: &Path<'_>, tcp: &TcpSettings) {
    not_negative(found, &at.field("maxConnections"), tcp.max_connections);
    duration(found, &at.field("connectTimeout"), tcp.connect_timeout);
    duration(found, &at.field("maxConnectionDuration"), tcp.max_connection_duration);
    // Less than a millisecond switches the timeout off.
    duration(found, &at.field("idleTimeout"), tcp.idle_timeout.filter(|idle| idle.as_millis() != 0));
    if let Some(keepalive) = &tcp.tcp_keepalive {
        tcp_keepalive(found, &at.field("tcpKeepalive"), keepalive);
    }
}

fn tcp_keepalive(found: &mut Checker<'_>, at: &Path<'_>, keepalive: &TcpKeepalive) {
    duration(found, &at.field("time"), keepalive.time);
    duration(found, &at.field("interval"), keepalive.interval);
}

/// When endpoints are ejected. `rest`: as of [`connection_pool`].
pub(crate) fn outlier_detection(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    outlier: &OutlierDetection,
    rest: Hearing,
) {
    duration(found, &at.field("baseEjectionTime"), outlier.base_ejection_time);
    duration(found, &at.field("interval"), outlier.interval);
    let local_failures = outlier.consecutive_local_origin_failures.unwrap_or_default();
    if local_failures > 0 && !outlier.split_external_local_origin_errors {
        let problem =
            Problem::conflict("local failures do not count without `splitExternalLocalOriginErrors`");
        found.find(
            &at.field("consecutiveLocalOriginFailures"),
            problem.help("write `splitExternalLocalOriginErrors: true`"),
        );
    }
    found.check(&at.field("maxEjectionPercent"), value::percent(outlier.max_ejection_percent));
    found.check(&at.field("minHealthPercent"), value::percent(outlier.min_health_percent));
    found.hearing(rest, |found| what_is_an_error(found, at, outlier));
}

fn what_is_an_error(found: &mut Checker<'_>, at: &Path<'_>, outlier: &OutlierDetection) {
    if outlier.consecutive_errors != 0 {
        let problem = Problem::new(crate::diagnostic::Code::Deprecated, "`consecutiveErrors` is deprecated");
        found.find(
            &at.field("consecutiveErrors"),
            problem.help("use `consecutiveGatewayErrors` or `consecutive5xxErrors`"),
        );
    }
    let codes = at.field("outlierDetectionHttpErrorCodes");
    for (index, code) in outlier.outlier_detection_http_error_codes.iter().enumerate() {
        found.require((100..=599).contains(code), &codes.index(index), || {
            Problem::invalid(format!("status code `{code}` is not in 100 to 599"))
                .help("use a status of HTTP such as `503`")
        });
    }
}

fn duration(found: &mut Checker<'_>, at: &Path<'_>, duration: Option<Duration>) {
    if let Some(duration) = duration {
        found.check(at, value::duration(duration));
    }
}

fn not_negative(found: &mut Checker<'_>, at: &Path<'_>, limit: i32) {
    found.require(limit >= 0, at, || {
        Problem::invalid(format!("`{limit}` is negative"))
            .help("write 0 or more; leave it out for the default")
    });
}
