//! Services whose endpoints count in their own cluster only (T-345).

use std::collections::BTreeMap;

use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::{is_wildcard, most_specific_match};

use crate::registry::DOMAIN;

/// Which hosts are cluster-local (T-345).
#[derive(Debug, Clone, Default)]
pub struct ClusterLocalHosts {
    exact: BTreeMap<String, bool>,
    wildcards: BTreeMap<String, bool>,
}

impl ClusterLocalHosts {
    /// The mesh's settings over the defaults. A `false` for any host below a default removes that whole default, as in
    /// Istio (T-345).
    pub fn of(mesh: &MeshConfig) -> Self {
        let mut hosts = Self::default();
        let mut defaults = defaults(mesh);
        for entry in &mesh.service_settings {
            let is_local = entry.settings.as_ref().is_some_and(|settings| settings.cluster_local);
            for host in &entry.hosts {
                if !is_local {
                    defaults.retain(|default| !is_overridden(default, host));
                }
                hosts.set(host, is_local);
            }
        }
        for host in &defaults {
            hosts.set(host, true);
        }
        hosts
    }

    fn set(&mut self, host: &str, is_local: bool) {
        let table = if is_wildcard(host) { &mut self.wildcards } else { &mut self.exact };
        table.insert(host.to_owned(), is_local);
    }

    /// Whether a service's endpoints are for its own cluster; the most specific host decides.
    pub fn contains(&self, hostname: &str) -> bool {
        most_specific_match(hostname, &self.exact, &self.wildcards).is_some_and(|(_, is_local)| *is_local)
    }
}

fn defaults(mesh: &MeshConfig) -> Vec<String> {
    let mut hosts = vec![format!("*.kube-system.svc.{DOMAIN}"), format!("kubernetes.default.svc.{DOMAIN}")];
    let address = mesh.default_config().discovery_address();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    hosts.push(if host.ends_with(DOMAIN) { host.to_owned() } else { format!("{host}.{DOMAIN}") });
    hosts
}

fn is_overridden(default: &str, host: &str) -> bool {
    host == default || default.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix))
}
