//! What Istio refuses or warns about in the mesh's own configuration.
//!
//! Istio checks a mesh configuration once it lies over the defaults, which are fine: so only what is written is checked.

mod provider;
mod proxy;

use std::collections::BTreeSet;

use super::{MeshConfig, MeshNetworks, ProxyConfig};
use crate::check::connection_pool::{connection_pool, outlier_detection};
use crate::check::locality::{self, Ejection};
use crate::check::retry::retry;
use crate::check::{Checked, Checker, Hearing, Path, Problem, host, port, short, value};
use crate::diagnostic::{Code, Report};
use crate::name::is_dns_label;
use crate::object::Object;
use crate::part::HttpRetry;
use crate::value::Duration;

const ROOT: Path<'static> = Path::Root("");

/// Longest `connectTimeout`.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// Curves that the data plane has.
const ECDH_CURVES: [&str; 7] =
    ["P-224", "P-256", "P-521", "P-384", "X25519", "X25519Kyber768Draft00", "X25519MLKEM768"];

/// Checks a `MeshConfig`.
pub(super) fn mesh_config(object: &Object<MeshConfig>, report: &mut Report) {
    let mesh = &object.spec;
    let found = &mut Checker::new(object, report);
    if let Some(number) = mesh.proxy_listen_port {
        found.check(&ROOT.field("proxyListenPort"), port::number(number));
    }
    if let Some(timeout) = mesh.connect_timeout {
        found.check(&ROOT.field("connectTimeout"), connect_timeout(timeout));
    }
    if let Some(timeout) = mesh.protocol_detection_timeout {
        found.check(&ROOT.field("protocolDetectionTimeout"), value::whole_millis(timeout));
    }
    if let Some(config) = &mesh.default_config {
        proxy::proxy_config(found, &ROOT.field("defaultConfig"), config);
    }
    if let Some(setting) = &mesh.locality_lb_setting {
        locality::locality(found, &ROOT.field("localityLbSetting"), setting, Ejection::Configured);
    }
    if let Some(setting) = &mesh.zone_aware_lb_setting {
        locality::zone_aware(found, &ROOT.field("zoneAwareLbSetting"), setting, Ejection::Configured);
    }
    for (index, settings) in mesh.service_settings.iter().enumerate() {
        let list = ROOT.field("serviceSettings");
        found.each(&list.index(index).field("hosts"), &settings.hosts, host::wildcard_domain);
    }
    for (index, one) in mesh.ca_certificates.iter().enumerate() {
        let list = ROOT.field("caCertificates");
        let fields = [("pem", one.pem.is_some()), ("spiffeBundleUrl", one.spiffe_bundle_url.is_some())];
        found.at_most_one(&list.index(index), &fields);
    }
    if let Some(domain) = &mesh.trust_domain {
        found.check(&ROOT.field("trustDomain"), host::trust_domain(domain));
    }
    found.each(&ROOT.field("trustDomainAliases"), &mesh.trust_domain_aliases, host::trust_domain);
    provider::providers(found, &ROOT.field("extensionProviders"), &mesh.extension_providers);
    curves(found, mesh);
    if let Some(policy) = &mesh.default_traffic_policy {
        let at = ROOT.field("defaultTrafficPolicy");
        if let Some(pool) = &policy.connection_pool {
            connection_pool(found, &at.field("connectionPool"), pool, Hearing::Nothing);
        }
        if let Some(outlier) = &policy.outlier_detection {
            outlier_detection(found, &at.field("outlierDetection"), outlier, Hearing::Nothing);
        }
    }
    if let Some(policy) = &mesh.default_http_retry_policy {
        // Istio checks the policy of inbound routes only.
        found.hearing(Hearing::Nothing, |found| {
            retry(found, &ROOT.field("defaultHttpRetryPolicy"), policy);
        });
    }
    if let Some(policy) = &mesh.default_inbound_http_retry_policy {
        inbound_retry(found, &ROOT.field("defaultInboundHttpRetryPolicy"), policy);
    }
}

fn connect_timeout(timeout: Duration) -> Checked {
    value::duration(timeout)?;
    if timeout > CONNECT_TIMEOUT_MAX {
        return Err(
            Problem::invalid(format!("`{timeout}` is longer than an hour")).help("write `1h` or less")
        );
    }
    Ok(())
}

/// Curves can be chosen for everything but the mesh's own TLS.
fn curves(found: &mut Checker<'_>, mesh: &MeshConfig) {
    let own = ROOT.field("meshMTLS");
    let is_set = mesh.mesh_mtls.as_ref().is_some_and(|tls| !tls.ecdh_curves.is_empty());
    found.require(!is_set, &own.field("ecdhCurves"), || {
        Problem::invalid("the curves of the mesh's own TLS cannot be chosen")
            .help("`tlsDefaults` has them for the rest")
    });
    let Some(tls) = &mesh.tls_defaults else { return };
    let defaults = ROOT.field("tlsDefaults");
    let at = defaults.field("ecdhCurves");
    let mut seen = BTreeSet::new();
    for (index, curve) in tls.ecdh_curves.iter().enumerate().filter(|(_, curve)| !curve.is_empty()) {
        let message = if !ECDH_CURVES.contains(&curve.as_str()) {
            format!("`{}` is not a curve that is known", short(curve))
        } else if !seen.insert(curve) {
            format!("curve `{curve}` is listed twice")
        } else {
            continue;
        };
        found.find(
            &at.index(index),
            Problem::suspicious(message).help(format!("known curves: `{}`", ECDH_CURVES.join("`, `"))),
        );
    }
}

/// Retries towards the own workload: there is one endpoint, so nothing can be chosen.
fn inbound_retry(found: &mut Checker<'_>, at: &Path<'_>, policy: &HttpRetry) {
    retry(found, at, policy);
    found.require(policy.attempts != 0 || policy.backoff.is_none(), &at.field("backoff"), || {
        Problem::conflict("a retry policy without `attempts` is switched off, yet it has a pause")
            .help("set `attempts`, or remove the other fields")
    });
    let ignored = [
        ("perTryTimeout", policy.per_try_timeout.is_some()),
        ("retryRemoteLocalities", policy.retry_remote_localities.is_some()),
        ("retryIgnorePreviousHosts", policy.retry_ignore_previous_hosts.is_some()),
    ];
    for (name, _) in ignored.iter().filter(|(_, is_written)| *is_written) {
        let message = format!("`{name}` means nothing for retries towards the own workload");
        found.find(&at.field(name), Problem::new(Code::NoEffect, message).help("remove it"));
    }
}

/// Checks a `MeshNetworks`.
pub(super) fn mesh_networks(object: &Object<MeshNetworks>, report: &mut Report) {
    let found = &mut Checker::new(object, report);
    let networks = ROOT.field("networks");
    for (name, network) in &object.spec.networks {
        let at = networks.field(name);
        for (index, endpoints) in network.endpoints.iter().enumerate() {
            let list = at.field("endpoints");
            let at = list.index(index);
            let fields = [
                ("fromCidr", endpoints.from_cidr.is_some()),
                ("fromRegistry", endpoints.from_registry.is_some()),
            ];
            found.at_most_one(&at, &fields);
            if let Some(block) = &endpoints.from_cidr {
                found.check(&at.field("fromCidr"), host::subnet(block));
            }
            if let Some(registry) = &endpoints.from_registry {
                found.require(is_dns_label(registry), &at.field("fromRegistry"), || {
                    Problem::new(
                        Code::InvalidName,
                        format!("`{}` is not the name of a registry", short(registry)),
                    )
                    .help("the name of a cluster, such as `Kubernetes`")
                });
            }
        }
        for (index, gateway) in network.gateways.iter().enumerate() {
            let list = at.field("gateways");
            let at = list.index(index);
            let fields = [
                ("registryServiceName", gateway.registry_service_name.is_some()),
                ("address", gateway.address.is_some()),
            ];
            found.at_most_one(&at, &fields);
            if let Some(name) = &gateway.registry_service_name {
                found.check(&at.field("registryServiceName"), host::fqdn(name));
            }
            if let Some(address) = gateway.address.as_deref().filter(|address| !host::is_address(address)) {
                found.check(&at.field("address"), host::fqdn(address));
            }
            found.check(&at.field("port"), port::number(gateway.port));
        }
    }
}

/// Checks a `ProxyConfig` that stands alone.
pub(super) fn proxy_config(object: &Object<ProxyConfig>, report: &mut Report) {
    let found = &mut Checker::new(object, report);
    proxy::proxy_config(found, &ROOT, &object.spec);
}
