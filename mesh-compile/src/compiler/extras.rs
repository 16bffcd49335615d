//! What a proxy runs beside its traffic tables: telemetry, settings, extensions, patches.

use std::sync::Arc;

use mesh_authz::peer::PeerModes;
use mesh_model::diagnostic::Report;
use serde::Serialize;

use crate::proxy::envoy_filter::{self, EnvoyFilters, Patched, Patches};
use crate::proxy::extensions::{self, Extensions};
use crate::proxy::proxy_settings::{self, ProxySettings};
use crate::proxy::telemetry::{self, TelemetryConfig};
use crate::proxy::{ProxyConfig, inbound};
use crate::proxy_identity::ProxyKind;
use crate::view::View;

/// The parts that come from resources about the proxy itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Extras {
    telemetry: Arc<TelemetryConfig>,
    settings: Arc<ProxySettings>,
    extensions: Arc<Extensions>,
    peer_modes: Arc<PeerModes>,
    patches: Arc<Patches>,
}

/// Parts that patches changed, and what became of the patches.
#[derive(Debug, Default)]
pub(super) struct Patching {
    patched: Patched,
    outcome: Arc<EnvoyFilters>,
    report: Report,
}

impl Extras {
    /// Compiles all of them.
    pub(super) fn compile(view: &View<'_>) -> Self {
        let peer_modes = match view.proxy().kind {
            ProxyKind::Sidecar => inbound::peer_modes(view),
            ProxyKind::Gateway => PeerModes::default(),
        };
        Self {
            telemetry: Arc::new(telemetry::compile(view)),
            settings: Arc::new(proxy_settings::compile(view)),
            extensions: Arc::new(extensions::compile(view)),
            peer_modes: Arc::new(peer_modes),
            patches: Arc::new(envoy_filter::select(view)),
        }
    }

    /// The same parts, those that are as before in their old place in memory.
    pub(super) fn keep(self, earlier: &Self) -> Self {
        Self {
            telemetry: keep(&earlier.telemetry, self.telemetry),
            settings: keep(&earlier.settings, self.settings),
            extensions: keep(&earlier.extensions, self.extensions),
            peer_modes: keep(&earlier.peer_modes, self.peer_modes),
            patches: if self.patches.is_same_as(&earlier.patches) {
                Arc::clone(&earlier.patches)
            } else {
                self.patches
            },
        }
    }

    /// Puts them where they belong, and applies the patches to what is there.
    pub(super) fn put_into(&self, config: &mut ProxyConfig, patching: &mut Patching) {
        config.telemetry = Arc::clone(&self.telemetry);
        config.settings = Arc::clone(&self.settings);
        config.extensions = Arc::clone(&self.extensions);
        config.peer_modes = Arc::clone(&self.peer_modes);
        let (outcome, report) = patching.patched.apply(&self.patches, config);
        patching.outcome = keep(&patching.outcome, Arc::new(outcome));
        patching.report = report;
        config.envoy_filters = Arc::clone(&patching.outcome);
    }
}

impl Patching {
    /// What is not applied.
    pub(super) fn report(&self) -> &Report {
        &self.report
    }
}

/// The old part where the new one says the same and was written at the same places, which its text shows.
fn keep<T: PartialEq + Serialize>(old: &Arc<T>, new: Arc<T>) -> Arc<T> {
    let text = |part: &T| serde_json::to_string(part).ok();
    let is_same = old == &new && text(old) == text(&new);
    if is_same { Arc::clone(old) } else { new }
}
