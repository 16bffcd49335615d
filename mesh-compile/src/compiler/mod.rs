//! Puts a proxy's configuration together: [`compile`] from scratch, [`Compiler`] keeping it current as objects change.
//! Ours: one function compiles from scratch, and is what every shortcut is compared with.
//!
//! `fork` begins a class with what another one knows, `layered` are the maps that both then share.
//!
//! `units` are what is compiled once and remembered with the questions that were asked for it, `class` is what proxies of
//! one kind share, kept current by `scope_changes`, `hearing` and `tables`, `own` what each has for itself; `driver` takes changes in, `update` says what they did. [`compile`] is
//! the oracle: the driver gives the same, whatever came before.

mod class;
mod clusters;
mod driver;
mod extras;
mod fork;
mod hearing;
mod layered;
mod own;
mod scope_changes;
mod tables;
#[cfg(test)]
mod tests;
mod units;
mod update;

pub use driver::Compiler;
pub use update::{Because, ProxyUpdate, Update};

use std::sync::Arc;

use extras::{Extras, Patching};
use mesh_model::diagnostic::Report;

use crate::proxy::{Fragment, ProxyConfig, gateway, inbound, outbound};
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
    let (clusters, problems) = crate::proxy::clusters::compile(view);
    config.clusters = clusters;
    report.merge(problems);
    let mut patching = Patching::default();
    Extras::compile(view).put_into(&mut config, &mut patching);
    report.merge(patching.report().clone());
    (config, report)
}

fn add(config: &mut ProxyConfig, report: &mut Report, (fragment, problems): (Fragment, Report)) {
    config.listeners.extend(fragment.listeners.into_iter().map(Arc::new));
    for table in fragment.route_tables {
        config.route_tables.insert(Arc::clone(&table.name), table);
    }
    report.merge(problems);
}
