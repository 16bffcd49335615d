//! Spans on their way to collectors of OpenTelemetry.

mod messages;
mod target;

use super::export::ExportCounts;
use super::proxy::Proxy;

pub(crate) use self::messages::{AnyValue, KeyValue};
pub(crate) use self::target::Target;
use super::proxy::{Inner, Proxy};
use crate::telemetry::trace::span::Span;

/// Spans that may wait; more are dropped.
const WAITING_MAX: usize = 4096;
/// Spans of one message.
const BATCH_MAX: usize = 512;
/// How long a span waits for others.
const GATHERING: Duration = Duration::from_millis(500);

/// What became of spans. Ours: spans that are lost have to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpanCounts {
    /// Taken by a collector.
    pub sent: u64,
    /// Not taken in: too many were waiting, or the collector did not take them.
    pub dropped: u64,
}

/// The queue, and the task that empties it.
#[derive(Debug, Default)]
pub(crate) struct Export {
    queue: OnceLock<Sender<Message>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Message {
    Span(Arc<Target>, Box<Span>),
    /// Everything before this is sent first.
    Flush(oneshot::Sender<()>),
}

impl Proxy {
    /// What became of the spans so far.
    pub fn span_counts(&self) -> ExportCounts {
        self.inner.traces.export.counts()
    }
}
