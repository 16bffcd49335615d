//! One document over another (T-471).
//!
//! A field that is written replaces the whole field below it. Four things are merged instead: `defaultConfig` and
//! `defaultProviders` field by field, `extensionProviders` by name, `trustDomainAliases` as a sorted union.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DefaultProviders, ExtensionProvider, ForwardClientCertDetails, MeshConfig, ProxyConfig, ProxyHeaders,
};

impl MeshConfig {
    /// Puts what `written` sets over this one (T-471).
    ///
    /// Every list that an empty one could clear keeps that meaning (`defaultServiceExportTo: []` is no export); for
    /// the other lists an empty one counts as not written, which is the same because their defaults are empty.
    #[must_use]
    pub fn overlay(self, written: Self) -> Self {
        let Self {
            proxy_listen_port,
            proxy_inbound_listen_port,
            proxy_http_port,
            connect_timeout,
            hbone_idle_timeout,
            protocol_detection_timeout,
            tcp_keepalive,
            ingress_class,
            ingress_service,
            ingress_controller_mode,
            ingress_selector,
            enable_tracing,
            access_log_file,
            access_log_format,
            access_log_encoding,
            enable_envoy_access_log_service,
            disable_envoy_listener_log,
            default_config,
            outbound_traffic_policy,
            inbound_traffic_policy,
            config_sources,
            enable_auto_mtls,
            trust_domain,
            trust_domain_aliases,
            ca_certificates,
            default_service_export_to,
            default_virtual_service_export_to,
            default_destination_rule_export_to,
            root_namespace,
            locality_lb_setting,
            zone_aware_lb_setting,
            dns_refresh_rate,
            h2_upgrade_policy,
            inbound_cluster_stat_name,
            outbound_cluster_stat_name,
            certificates,
            service_settings,
            service_scope_configs,
            enable_prometheus_merge,
            verify_certificate_at_client,
            ca,
            extension_providers,
            default_providers,
            discovery_selectors,
            path_normalization,
            default_http_retry_policy,
            default_inbound_http_retry_policy,
            mesh_mtls,
            tls_defaults,
            default_traffic_policy,
            service_entry_visibility,
            layers,
        } = written;
        Self {
            proxy_listen_port: proxy_listen_port.or(self.proxy_listen_port),
            proxy_inbound_listen_port: proxy_inbound_listen_port.or(self.proxy_inbound_listen_port),
            proxy_http_port: proxy_http_port.or(self.proxy_http_port),
            connect_timeout: connect_timeout.or(self.connect_timeout),
            hbone_idle_timeout: hbone_idle_timeout.or(self.hbone_idle_timeout),
            protocol_detection_timeout: protocol_detection_timeout.or(self.protocol_detection_timeout),
            tcp_keepalive: tcp_keepalive.or(self.tcp_keepalive),
            ingress_class: ingress_class.or(self.ingress_class),
            ingress_service: ingress_service.or(self.ingress_service),
            ingress_controller_mode: ingress_controller_mode.or(self.ingress_controller_mode),
            ingress_selector: ingress_selector.or(self.ingress_selector),
            enable_tracing: enable_tracing.or(self.enable_tracing),
            access_log_file: access_log_file.or(self.access_log_file),
            access_log_format: access_log_format.or(self.access_log_format),
            access_log_encoding: access_log_encoding.or(self.access_log_encoding),
            enable_envoy_access_log_service: enable_envoy_access_log_service
                .or(self.enable_envoy_access_log_service),
            disable_envoy_listener_log: disable_envoy_listener_log.or(self.disable_envoy_listener_log),
            default_config: overlaid(self.default_config, default_config, ProxyConfig::overlay),
            outbound_traffic_policy: outbound_traffic_policy.or(self.outbound_traffic_policy),
            inbound_traffic_policy: inbound_traffic_policy.or(self.inbound_traffic_policy),
            config_sources: if config_sources.is_empty() { self.config_sources } else { config_sources },
            enable_auto_mtls: enable_auto_mtls.or(self.enable_auto_mtls),
            trust_domain: trust_domain.or(self.trust_domain),
            trust_domain_aliases: union(self.trust_domain_aliases, trust_domain_aliases),
            ca_certificates: if ca_certificates.is_empty() { self.ca_certificates } else { ca_certificates },
            default_service_export_to: default_service_export_to.or(self.default_service_export_to),
            default_virtual_service_export_to: default_virtual_service_export_to
                .or(self.default_virtual_service_export_to),
            default_destination_rule_export_to: default_destination_rule_export_to
                .or(self.default_destination_rule_export_to),
            root_namespace: root_namespace.or(self.root_namespace),
            locality_lb_setting: locality_lb_setting.or(self.locality_lb_setting),
            zone_aware_lb_setting: zone_aware_lb_setting.or(self.zone_aware_lb_setting),
            dns_refresh_rate: dns_refresh_rate.or(self.dns_refresh_rate),
            h2_upgrade_policy: h2_upgrade_policy.or(self.h2_upgrade_policy),
            inbound_cluster_stat_name: inbound_cluster_stat_name.or(self.inbound_cluster_stat_name),
            outbound_cluster_stat_name: outbound_cluster_stat_name.or(self.outbound_cluster_stat_name),
            certificates: if certificates.is_empty() { self.certificates } else { certificates },
            service_settings: if service_settings.is_empty() {
                self.service_settings
            } else {
                service_settings
            },
            service_scope_configs: if service_scope_configs.is_empty() {
                self.service_scope_configs
            } else {
                service_scope_configs
            },
            enable_prometheus_merge: enable_prometheus_merge.or(self.enable_prometheus_merge),
            verify_certificate_at_client: verify_certificate_at_client.or(self.verify_certificate_at_client),
            ca: ca.or(self.ca),
            extension_providers: by_name(self.extension_providers, extension_providers),
            default_providers: overlaid(self.default_providers, default_providers, DefaultProviders::overlay),
            discovery_selectors: if discovery_selectors.is_empty() {
                self.discovery_selectors
            } else {
                discovery_selectors
            },
            path_normalization: path_normalization.or(self.path_normalization),
            default_http_retry_policy: default_http_retry_policy.or(self.default_http_retry_policy),
            default_inbound_http_retry_policy: default_inbound_http_retry_policy
                .or(self.default_inbound_http_retry_policy),
            mesh_mtls: mesh_mtls.or(self.mesh_mtls),
            tls_defaults: tls_defaults.or(self.tls_defaults),
            default_traffic_policy: default_traffic_policy.or(self.default_traffic_policy),
            service_entry_visibility: service_entry_visibility.or(self.service_entry_visibility),
            layers: self.layers.over(layers),
        }
    }
}

impl ProxyConfig {
    /// Puts what `written` sets over this one: the step between two layers of T-470.
    #[must_use]
    pub fn overlay(self, written: Self) -> Self {
        let Self {
            config_path,
            binary_path,
            service_cluster,
            tracing_service_name,
            drain_duration,
            discovery_address,
            discovery_refresh_delay,
            zipkin_address,
            statsd_udp_address,
            envoy_metrics_service_address,
            proxy_admin_port,
            availability_zone,
            control_plane_auth_policy,
            custom_config_file,
            stat_name_length,
            concurrency,
            proxy_bootstrap_template_path,
            interception_mode,
            tracing,
            sds,
            envoy_access_log_service,
            envoy_metrics_service,
            proxy_metadata,
            runtime_values,
            status_port,
            extra_stat_tags,
            gateway_topology,
            termination_drain_duration,
            mesh_id,
            readiness_probe,
            proxy_stats_matcher,
            hold_application_until_proxy_starts,
            ca_certificates_pem,
            image,
            private_key_provider,
            proxy_headers,
            file_flush_interval,
            file_flush_min_size_kb,
            stats_compression,
            connection_settings,
        } = written;
        // The two names are one oneof: writing either takes the other away.
        let (service_cluster, tracing_service_name) =
            if service_cluster.is_none() && tracing_service_name.is_none() {
                (self.service_cluster, self.tracing_service_name)
            } else {
                (service_cluster, tracing_service_name)
            };
        Self {
            config_path: config_path.or(self.config_path),
            binary_path: binary_path.or(self.binary_path),
            service_cluster,
            tracing_service_name,
            drain_duration: drain_duration.or(self.drain_duration),
            discovery_address: discovery_address.or(self.discovery_address),
            discovery_refresh_delay: discovery_refresh_delay.or(self.discovery_refresh_delay),
            zipkin_address: zipkin_address.or(self.zipkin_address),
            statsd_udp_address: statsd_udp_address.or(self.statsd_udp_address),
            envoy_metrics_service_address: envoy_metrics_service_address
                .or(self.envoy_metrics_service_address),
            proxy_admin_port: proxy_admin_port.or(self.proxy_admin_port),
            availability_zone: availability_zone.or(self.availability_zone),
            control_plane_auth_policy: control_plane_auth_policy.or(self.control_plane_auth_policy),
            custom_config_file: custom_config_file.or(self.custom_config_file),
            stat_name_length: stat_name_length.or(self.stat_name_length),
            concurrency: concurrency.or(self.concurrency),
            proxy_bootstrap_template_path: proxy_bootstrap_template_path
                .or(self.proxy_bootstrap_template_path),
            interception_mode: interception_mode.or(self.interception_mode),
            tracing: tracing.or(self.tracing),
            sds: sds.or(self.sds),
            envoy_access_log_service: envoy_access_log_service.or(self.envoy_access_log_service),
            envoy_metrics_service: envoy_metrics_service.or(self.envoy_metrics_service),
            proxy_metadata: merged(self.proxy_metadata, proxy_metadata),
            runtime_values: if runtime_values.is_empty() { self.runtime_values } else { runtime_values },
            status_port: status_port.or(self.status_port),
            extra_stat_tags: if extra_stat_tags.is_empty() { self.extra_stat_tags } else { extra_stat_tags },
            gateway_topology: gateway_topology.or(self.gateway_topology),
            termination_drain_duration: termination_drain_duration.or(self.termination_drain_duration),
            mesh_id: mesh_id.or(self.mesh_id),
            readiness_probe: readiness_probe.or(self.readiness_probe),
            proxy_stats_matcher: proxy_stats_matcher.or(self.proxy_stats_matcher),
            hold_application_until_proxy_starts: hold_application_until_proxy_starts
                .or(self.hold_application_until_proxy_starts),
            ca_certificates_pem: if ca_certificates_pem.is_empty() {
                self.ca_certificates_pem
            } else {
                ca_certificates_pem
            },
            image: image.or(self.image),
            private_key_provider: private_key_provider.or(self.private_key_provider),
            proxy_headers: overlaid(self.proxy_headers, proxy_headers, ProxyHeaders::overlay),
            file_flush_interval: file_flush_interval.or(self.file_flush_interval),
            file_flush_min_size_kb: file_flush_min_size_kb.or(self.file_flush_min_size_kb),
            stats_compression: stats_compression.or(self.stats_compression),
            connection_settings: connection_settings.or(self.connection_settings),
        }
    }
}

impl ProxyHeaders {
    /// Only five of the headers survive from below when any header is written, as in Istio's merge.
    fn overlay(self, written: Self) -> Self {
        Self {
            forwarded_client_cert: match written.forwarded_client_cert {
                ForwardClientCertDetails::Undefined => self.forwarded_client_cert,
                details => details,
            },
            request_id: written.request_id.or(self.request_id),
            attempt_count: written.attempt_count.or(self.attempt_count),
            server: written.server.or(self.server),
            envoy_debug_headers: written.envoy_debug_headers.or(self.envoy_debug_headers),
            set_current_client_cert_details: written.set_current_client_cert_details,
            metadata_exchange_headers: written.metadata_exchange_headers,
            preserve_http1_header_case: written.preserve_http1_header_case,
            x_forwarded_host: written.x_forwarded_host,
            x_forwarded_port: written.x_forwarded_port,
        }
    }
}

impl DefaultProviders {
    /// A list that is written replaces the one below.
    fn overlay(self, written: Self) -> Self {
        let over = |below: Vec<String>, above: Vec<String>| if above.is_empty() { below } else { above };
        Self {
            tracing: over(self.tracing, written.tracing),
            metrics: over(self.metrics, written.metrics),
            access_logging: over(self.access_logging, written.access_logging),
        }
    }
}

fn overlaid<T>(below: Option<T>, above: Option<T>, overlay: fn(T, T) -> T) -> Option<T> {
    match (below, above) {
        (Some(below), Some(above)) => Some(overlay(below, above)),
        (below, above) => above.or(below),
    }
}

fn merged(mut below: BTreeMap<String, String>, above: BTreeMap<String, String>) -> BTreeMap<String, String> {
    below.extend(above);
    below
}

/// A provider replaces the first of its name in its place; new names go to the end.
fn by_name(mut below: Vec<ExtensionProvider>, above: Vec<ExtensionProvider>) -> Vec<ExtensionProvider> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (place, provider) in below.iter().enumerate() {
        places.entry(provider.name.clone()).or_insert(place);
    }
    for provider in above {
        match places.get(&provider.name).and_then(|place| below.get_mut(*place)) {
            Some(slot) => *slot = provider,
            None => {
                places.insert(provider.name.clone(), below.len());
                below.push(provider);
            }
        }
    }
    below
}

fn union(below: Vec<String>, above: Vec<String>) -> Vec<String> {
    below.into_iter().chain(above).collect::<BTreeSet<_>>().into_iter().collect()
}
