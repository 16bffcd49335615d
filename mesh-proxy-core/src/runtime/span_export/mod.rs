//! Spans on their way to collectors of OpenTelemetry: a bounded queue, batches, one task.
//!
//! A collector that is down, slow or refuses costs spans, which are counted, never requests (L03).

mod messages;
mod target;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

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
    pub fn span_counts(&self) -> SpanCounts {
        let counts = &self.inner.traces.export.counts;
        SpanCounts {
            sent: counts.sent.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
        }
    }
}

impl Export {
    /// Lets a span wait to be sent, or drops it.
    pub(crate) fn send(&self, proxy: &Arc<Inner>, target: &Arc<Target>, span: Span) {
        // A runtime that shuts down drops what is in flight, and takes no task any more.
        let Ok(runtime) = Handle::try_current() else {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = channel(WAITING_MAX);
            // The queue belongs to the proxy: the task must not keep it alive.
            runtime.spawn(run(Arc::downgrade(proxy), receiver, Arc::clone(&self.counts)));
            sender
        });
        if queue.try_send(Message::Span(Arc::clone(target), Box::new(span))).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends what waits, for as long as there is patience.
    pub(crate) async fn flush(&self, patience: Duration) {
        let Some(queue) = self.queue.get() else { return };
        let (done, sent) = oneshot::channel();
        let flushing = async {
            if queue.send(Message::Flush(done)).await.is_ok() {
                let _ = sent.await;
            }
        };
        let _ = tokio::time::timeout(patience, flushing).await;
    }
}

async fn run(proxy: Weak<Inner>, mut queue: Receiver<Message>, counts: Arc<Counts>) {
    while let Some(first) = queue.recv().await {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        let mut flushed = Vec::new();
        let mut sort = |message, waiting: &mut Vec<(Arc<Target>, Box<Span>)>| match message {
            Message::Span(target, span) => {
                waiting.push((target, span));
                false
            }
            Message::Flush(done) => {
                flushed.push(done);
                true
            }
        };
        let mut is_urgent = sort(first, &mut waiting);
        let until = tokio::time::Instant::now() + GATHERING;
        while !is_urgent && waiting.len() < BATCH_MAX {
            match tokio::time::timeout_at(until, queue.recv()).await {
                Ok(Some(message)) => is_urgent = sort(message, &mut waiting),
                Ok(None) | Err(_) => break,
            }
        }
        while !waiting.is_empty() {
            let Some(proxy) = proxy.upgrade() else { return };
            let Some(target) = waiting.first().map(|(target, _)| Arc::clone(target)) else { break };
            let (same, others): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(of, _)| Arc::ptr_eq(of, &target));
            waiting = others;
            let spans: Vec<Span> = same.into_iter().map(|(_, span)| *span).collect();
            let count = spans.len() as u64;
            match target.deliver(&proxy, &spans).await {
                Ok(()) => counts.sent.fetch_add(count, Ordering::Relaxed),
                Err(problem) => {
                    let cluster = target.cluster();
                    tracing::debug!(cluster, problem, count, "spans were not taken");
                    counts.dropped.fetch_add(count, Ordering::Relaxed)
                }
            };
        }
        for done in flushed {
            let _ = done.send(());
        }
    }
}
