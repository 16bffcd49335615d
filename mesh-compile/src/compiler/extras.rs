//! What a proxy runs beside its traffic tables: telemetry.

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use serde::Serialize;

use crate::proxy::ProxyConfig;
use crate::proxy::telemetry::{self, TelemetryConfig};
use crate::view::View;

/// The parts that come from resources about the proxy itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Extras {
    telemetry: Arc<TelemetryConfig>,
}

impl Extras {
    /// Compiles all of them.
    pub(super) fn compile(view: &View<'_>) -> (Self, Report) {
        (Self { telemetry: Arc::new(telemetry::compile(view)) }, Report::new())
    }

    /// The same parts, those that are as before in their old place in memory.
    pub(super) fn keep(self, earlier: &Self) -> Self {
        Self { telemetry: keep(&earlier.telemetry, self.telemetry) }
    }

    /// Puts them where they belong.
    pub(super) fn put_into(&self, config: &mut ProxyConfig) {
        config.telemetry = Arc::clone(&self.telemetry);
    }
}

/// The old part where the new one says the same and was written at the same places, which its text shows.
fn keep<T: PartialEq + Serialize>(old: &Arc<T>, new: Arc<T>) -> Arc<T> {
    let text = |part: &T| serde_json::to_string(part).ok();
    let is_same = old == &new && text(old) == text(&new);
    if is_same { Arc::clone(old) } else { new }
}
