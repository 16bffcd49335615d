//! Configurations as text, to be compared.

use std::fmt::Write;

use crate::proxy::ProxyConfig;
use crate::proxy::listener::{FilterChain, Network};

/// Everything a configuration says, with the places it was written at.
pub(super) fn text(config: &ProxyConfig) -> String {
    let mut out = String::new();
    for listener in &config.listeners {
        let mut listener = (**listener).clone();
        let chains = std::mem::take(&mut listener.filter_chains);
        let default = listener.default_chain.take();
        writeln!(out, "{listener:?}").unwrap();
        for chain in chains.into_iter().chain(default) {
            writeln!(out, "  {}", chain_text(chain)).unwrap();
        }
    }
    for (name, table) in &config.route_tables {
        writeln!(out, "{name}").unwrap();
        for host in &table.virtual_hosts {
            writeln!(out, "  {host:?}").unwrap();
            for domain in &host.domains {
                let answers = table.virtual_host(domain).map(|found| &found.name);
                writeln!(out, "    {domain} {answers:?}").unwrap();
            }
        }
    }
    for cluster in config.clusters.values() {
        writeln!(out, "{cluster:?}").unwrap();
    }
    writeln!(out, "{:?}", config.telemetry).unwrap();
    writeln!(out, "{:?}", config.settings.config).unwrap();
    writeln!(out, "{:?}", config.extensions).unwrap();
    writeln!(out, "{:?}", config.envoy_filters).unwrap();
    writeln!(out, "{:?}", config.peer_modes).unwrap();
    out
}

/// Policies have indexes without order: what they are made of stands for them.
fn chain_text(mut chain: FilterChain) -> String {
    let mut policies = String::new();
    let authz = match &mut chain.network {
        Network::Http(manager) => {
            if let Some(authn) = manager.authn.take() {
                let issuers: Vec<_> = authn.issuers().collect();
                let refused: Vec<_> = authn.refused().collect();
                write!(policies, "{issuers:?}").unwrap();
                if !refused.is_empty() {
                    write!(policies, " refused: {refused:?}").unwrap();
                }
            }
            manager.authz.take()
        }
        Network::Tcp(proxy) => proxy.authz.take(),
    };
    let rules: Option<Vec<_>> =
        authz.as_ref().map(|set| set.rules().map(|rule| format!("{rule:?}")).collect());
    format!("{chain:?} {policies} {rules:?}")
}
