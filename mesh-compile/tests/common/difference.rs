//! Configurations compared part by part.
#![allow(unreachable_pub, reason = "a module of several programs")]

use std::sync::Arc;

use mesh_compile::proxy::ProxyConfig;

/// The first part in which two configurations differ: every listener, virtual host, domain looked up, and cluster is
/// compared with everything that it says.
pub fn difference(found: &ProxyConfig, wanted: &ProxyConfig) -> Option<String> {
    let names = |config: &ProxyConfig| -> [Vec<Arc<str>>; 3] {
        let listeners = config.listeners.iter().map(|it| Arc::clone(&it.name)).collect();
        let tables = config.route_tables.keys().cloned().collect();
        [listeners, tables, config.clusters.keys().cloned().collect()]
    };
    if names(found) != names(wanted) {
        return Some("names of listeners, tables or clusters".into());
    }
    let said = |what: &str, a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| {
        let (a, b) = (format!("{a:?}"), format!("{b:?}"));
        (a != b).then(|| format!("{what}: {a}\n{b}"))
    };
    for (a, b) in found.listeners.iter().zip(wanted.listeners.iter()) {
        if let Some(difference) = said("listener", a, b) {
            return Some(difference);
        }
    }
    for (a, b) in found.route_tables.values().zip(wanted.route_tables.values()) {
        if a.virtual_hosts.len() != b.virtual_hosts.len() {
            return Some(format!("table {}: number of virtual hosts", a.name));
        }
        for (one, other) in a.virtual_hosts.iter().zip(b.virtual_hosts.iter()) {
            if let Some(difference) = said("virtual host", one, other) {
                return Some(difference);
            }
            for domain in &one.domains {
                let [one, other] = [a, b].map(|table| table.virtual_host(domain).map(|it| &it.name));
                if one != other {
                    return Some(format!("table {}: {domain} leads to {one:?} and {other:?}", a.name));
                }
            }
        }
    }
    found.clusters.values().zip(wanted.clusters.values()).find_map(|(a, b)| said("cluster", a, b))
}
