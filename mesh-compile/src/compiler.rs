//! Puts a proxy's configuration together. No logic of its own.

use std::sync::Arc;

use mesh_model::diagnostic::Report;

use crate::proxy::{Fragment, ProxyConfig, clusters, gateway, inbound, outbound};
use crate::proxy_identity::ProxyKind;
use crate::view::View;

/// Compiles what the proxy of `view` runs.
pub fn compile(view: &View<'_>) -> (ProxyConfig, Report) {
    let mut config = ProxyConfig::default();
    let mut report = view.problems().clone();
    match view.proxy().kind {
        ProxyKind::Sidecar => {
            add(&mut config, &mut report, outbound::compile(view));
            add(&mut config, &mut report, inbound::compile(view));
        }
        ProxyKind::Gateway => add(&mut config, &mut report, gateway::compile(view)),
    }
    let (clusters, problems) = clusters::compile(view);
    config.clusters = clusters;
    report.merge(problems);
    (config, report)
}

fn add(config: &mut ProxyConfig, report: &mut Report, (fragment, problems): (Fragment, Report)) {
    config.listeners.extend(fragment.listeners.into_iter().map(Arc::new));
    for table in fragment.route_tables {
        config.route_tables.insert(Arc::clone(&table.name), table);
    }
    report.merge(problems);
}
