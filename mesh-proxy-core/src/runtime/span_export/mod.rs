//! Spans on their way to collectors of OpenTelemetry.

mod messages;
mod target;

use super::export::ExportCounts;
use super::proxy::Proxy;

pub(crate) use self::messages::{AnyValue, KeyValue};
pub(crate) use self::target::Target;

impl Proxy {
    /// What became of the spans so far.
    pub fn span_counts(&self) -> ExportCounts {
        self.inner.traces.export.counts()
    }
}
