//! `ProxyConfig` of the mesh.

use crate::check::{Checked, Checker, Path, Problem, host, port, tls, value};
use crate::diagnostic::Code;
use crate::mesh_config::{
    AuthenticationPolicy, ConnectionSettings, KeyAccelerator, PrivateKeyProvider, ProxyConfig, Tracing,
};
use crate::value::Duration;

/// The switch of the first way to allocate addresses, which is gone.
const AUTO_ALLOCATE: &str = "ISTIO_META_DNS_AUTO_ALLOCATE";

/// The smallest window that HTTP/2 allows.
const WINDOW_BYTES_MIN: i32 = 65535;

/// Checks what is written.
pub(super) fn proxy_config(found: &mut Checker<'_>, at: &Path<'_>, config: &ProxyConfig) {
    let texts = [
        ("configPath", &config.config_path),
        ("binaryPath", &config.binary_path),
        ("serviceCluster", &config.service_cluster),
    ];
    for (name, text) in texts {
        found.require(text.as_deref() != Some(""), &at.field(name), || {
            Problem::missing(format!("`{name}` is empty"))
                .help(format!("write a value, or leave `{name}` out for the default"))
        });
    }
    found.at_most_one(
        at,
        &[
            ("serviceCluster", config.service_cluster.is_some()),
            ("tracingServiceName", config.tracing_service_name.is_some()),
        ],
    );
    if let Some(duration) = config.drain_duration {
        found.check(&at.field("drainDuration"), drain(duration));
    }
    let addresses = [
        ("discoveryAddress", config.discovery_address.as_deref(), true),
        ("statsdUdpAddress", config.statsd_udp_address.as_deref(), false),
        ("envoyMetricsServiceAddress", config.envoy_metrics_service_address.as_deref(), false),
    ];
    for (name, address, is_required) in addresses {
        if let Some(address) = address.filter(|address| is_required || !address.is_empty()) {
            found.check(&at.field(name), host::host_and_port(address));
        }
    }
    let services = [
        ("envoyMetricsService", &config.envoy_metrics_service),
        ("envoyAccessLogService", &config.envoy_access_log_service),
    ];
    for (name, service) in services {
        if let Some(service) = service.as_ref().filter(|service| !service.address.is_empty()) {
            found.check(&at.field(name).field("address"), host::host_and_port(&service.address));
        }
    }
    for (name, number) in [("proxyAdminPort", config.proxy_admin_port), ("statusPort", config.status_port)] {
        if let Some(number) = number {
            found.check(&at.field(name), port::number(number));
        }
    }
    found.require(
        config.control_plane_auth_policy != Some(AuthenticationPolicy::Inherit),
        &at.field("controlPlaneAuthPolicy"),
        || Problem::invalid("`INHERIT` has nothing to inherit from here").help("`MUTUAL_TLS` or `NONE`"),
    );
    found.require(config.concurrency.is_none_or(|count| count >= 0), &at.field("concurrency"), || {
        Problem::invalid("the number of threads is negative").help("`0` is one thread per core")
    });
    if config.proxy_metadata.contains_key(AUTO_ALLOCATE) {
        let problem = Problem::new(Code::Deprecated, format!("`{AUTO_ALLOCATE}` is deprecated"));
        let help = "addresses are allocated by the control plane now; remove the setting";
        found.find(&at.field("proxyMetadata").field(AUTO_ALLOCATE), problem.help(help));
    }
    if let Some(tracing) = &config.tracing {
        tracer(found, &at.field("tracing"), tracing);
    }
    if let Some(provider) = &config.private_key_provider {
        private_key(found, &at.field("privateKeyProvider"), provider);
    }
    if let Some(settings) = &config.connection_settings {
        connection_settings(found, &at.field("connectionSettings"), settings);
    }
}

fn drain(duration: Duration) -> Checked {
    value::duration(duration)?;
    value::whole_seconds(duration)
}

fn tracer(found: &mut Checker<'_>, at: &Path<'_>, tracing: &Tracing) {
    found.at_most_one(
        at,
        &[
            ("zipkin", tracing.zipkin.is_some()),
            ("lightstep", tracing.lightstep.is_some()),
            ("datadog", tracing.datadog.is_some()),
            ("stackdriver", tracing.stackdriver.is_some()),
            ("openCensusAgent", tracing.open_census_agent.is_some()),
        ],
    );
    for (name, tracer) in [("zipkin", &tracing.zipkin), ("datadog", &tracing.datadog)] {
        if let Some(tracer) = tracer {
            // The agent replaces the variable by the address of the node.
            let address = tracer.address.replacen("$(HOST_IP)", "127.0.0.1", 1);
            found.check(&at.field(name).field("address"), host::host_and_port(&address));
        }
    }
    if let Some(lightstep) = &tracing.lightstep {
        let at = at.field("lightstep");
        found.check(&at.field("address"), host::host_and_port(&lightstep.address));
        found.require(!lightstep.access_token.is_empty(), &at, || {
            Problem::missing("`accessToken` is required").help("add `accessToken`")
        });
    }
    if let Some(settings) = &tracing.tls_settings {
        tls::client(found, &at.field("tlsSettings"), settings);
    }
}

fn private_key(found: &mut Checker<'_>, at: &Path<'_>, provider: &PrivateKeyProvider) {
    let PrivateKeyProvider { cryptomb, qat } = provider;
    found.at_most_one(at, &[("cryptomb", cryptomb.is_some()), ("qat", qat.is_some())]);
    found.require(cryptomb.is_some() || qat.is_some(), at, || {
        Problem::missing("`cryptomb` or `qat` is required")
            .help("write one of them, or remove `privateKeyProvider`")
    });
    for (name, accelerator) in [("cryptomb", cryptomb), ("qat", qat)] {
        let Some(KeyAccelerator { poll_delay, fallback: _ }) = accelerator else { continue };
        let at = at.field(name);
        match poll_delay {
            None => found.find(
                &at,
                Problem::missing("`pollDelay` is required").help("add `pollDelay`, for example `10ms`"),
            ),
            Some(delay) => found.require(!delay.is_zero(), &at.field("pollDelay"), || {
                Problem::invalid("the delay is zero").help("write a delay above zero, for example `10ms`")
            }),
        }
    }
}

fn connection_settings(found: &mut Checker<'_>, at: &Path<'_>, settings: &ConnectionSettings) {
    let durations = [
        ("httpIdleTimeout", settings.http_idle_timeout),
        ("httpMaxConnectionDuration", settings.http_max_connection_duration),
        ("httpDrainTimeout", settings.http_drain_timeout),
        ("httpRequestTimeout", settings.http_request_timeout),
        ("httpRequestHeadersTimeout", settings.http_request_headers_timeout),
        ("httpStreamIdleTimeout", settings.http_stream_idle_timeout),
        ("httpMaxStreamDuration", settings.http_max_stream_duration),
    ];
    for (name, duration) in durations {
        if let Some(duration) = duration.filter(|duration| duration.is_negative()) {
            found.find(
                &at.field(name),
                Problem::invalid(format!("`{duration}` is negative")).help("write `0s` or more"),
            );
        }
    }
    let numbers = [
        ("listenerPerConnectionBufferLimitBytes", settings.listener_per_connection_buffer_limit_bytes, 0),
        ("clusterPerConnectionBufferLimitBytes", settings.cluster_per_connection_buffer_limit_bytes, 0),
        ("httpMaxConcurrentStreams", settings.http_max_concurrent_streams, 1),
        ("http2InitialStreamWindowSize", settings.http2_initial_stream_window_size, WINDOW_BYTES_MIN),
        ("http2InitialConnectionWindowSize", settings.http2_initial_connection_window_size, WINDOW_BYTES_MIN),
        ("listenerConnectionLimit", settings.listener_connection_limit, 1),
        ("globalDownstreamConnectionLimit", settings.global_downstream_connection_limit, 1),
    ];
    for (name, number, min) in numbers {
        if let Some(number) = number.filter(|number| *number < min) {
            found.find(
                &at.field(name),
                Problem::invalid(format!("`{number}` is less than {min}"))
                    .help(format!("write {min} or more")),
            );
        }
    }
}
