//! What is told to services of the mesh by and by, spans and access logs: a bounded queue, batches, one task.
//!
//! A service that is down, slow or refuses costs what it was to be told, which is counted, never requests (L03).

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use super::proxy::Inner;

/// Items that may wait; more are dropped.
const WAITING_MAX: usize = 4096;
/// Items of one message.
const BATCH_MAX: usize = 512;
/// How long an item waits for others.
const GATHERING: Duration = Duration::from_millis(500);

/// A service that takes items.
pub(crate) trait Deliver: Debug + Send + Sync + 'static {
    /// What it takes.
    type Item: Debug + Send + Sync + 'static;

    /// Its cluster, for the log.
    fn cluster(&self) -> &str;

    /// Hands items over.
    ///
    /// # Errors
    /// Why they were not taken.
    fn deliver(&self, proxy: &Inner, items: &[Self::Item])
    -> impl Future<Output = Result<(), String>> + Send;
}

/// What became of what was to be told. Ours: what is lost has to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExportCounts {
    /// Taken by the service.
    pub sent: u64,
    /// Not taken in: too much was waiting, the service did not take it, or a drain ended before it did.
    pub dropped: u64,
}

/// The queue, and the task that empties it.
#[derive(Debug)]
pub(crate) struct Export<D: Deliver> {
    queue: OnceLock<Sender<Message<D>>>,
    counts: Arc<Counts>,
}

impl<D: Deliver> Default for Export<D> {
    fn default() -> Self {
        Self { queue: OnceLock::new(), counts: Arc::default() }
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// In the queue, or on their way.
    waiting: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    /// Counts what became of items that waited, where they were not given up meanwhile.
    fn settle(&self, count: u64, outcome: &AtomicU64) {
        let settled = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| waiting.checked_sub(count));
        if settled.is_ok() {
            outcome.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts all that still waits as dropped.
    fn give_up(&self) {
        let left = self.waiting.swap(0, Ordering::AcqRel);
        self.dropped.fetch_add(left, Ordering::Relaxed);
    }
}

#[derive(Debug)]
enum Message<D: Deliver> {
    Item(Arc<D>, Box<D::Item>),
    /// Everything before this is sent first.
    Flush(oneshot::Sender<()>),
}

impl<D: Deliver> Export<D> {
    pub(crate) fn counts(&self) -> ExportCounts {
        ExportCounts {
            sent: self.counts.sent.load(Ordering::Relaxed),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
        }
    }

    /// Counts an item that is not even to wait.
    pub(crate) fn drop_one(&self) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets an item wait to be sent, or drops it.
    pub(crate) fn send(&self, proxy: &Arc<Inner>, target: &Arc<D>, item: D::Item) {
        // A runtime that shuts down drops what is in flight, and takes no task any more.
        let Ok(runtime) = Handle::try_current() else { return self.drop_one() };
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = channel(WAITING_MAX);
            // The queue belongs to the proxy: the task must not keep it alive.
            runtime.spawn(run(Arc::downgrade(proxy), receiver, Arc::clone(&self.counts)));
            sender
        });
        // Before it can be taken out of the queue.
        self.counts.waiting.fetch_add(1, Ordering::AcqRel);
        if queue.try_send(Message::Item(Arc::clone(target), Box::new(item))).is_err() {
            self.counts.settle(1, &self.counts.dropped);
        }
    }

    /// Sends what waits, for as long as there is patience. What is not taken by then is lost, and counted as such (L03).
    pub(crate) async fn flush(&self, patience: Duration) {
        let Some(queue) = self.queue.get() else { return };
        let (done, sent) = oneshot::channel();
        let flushing = async {
            if queue.send(Message::Flush(done)).await.is_ok() {
                let _ = sent.await;
            }
        };
        if tokio::time::timeout(patience, flushing).await.is_err() {
            self.counts.give_up();
        }
    }
}

/// Items of one target, and where they go.
type Waiting<D> = Vec<(Arc<D>, Box<<D as Deliver>::Item>)>;

async fn run<D: Deliver>(proxy: Weak<Inner>, mut queue: Receiver<Message<D>>, counts: Arc<Counts>) {
    while let Some(first) = queue.recv().await {
        let mut waiting: Waiting<D> = Vec::with_capacity(BATCH_MAX);
        let mut flushed = Vec::new();
        let mut sort = |message, waiting: &mut Waiting<D>| match message {
            Message::Item(target, item) => {
                waiting.push((target, item));
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
            let (same, others): (Waiting<D>, Waiting<D>) =
                waiting.into_iter().partition(|(of, _)| Arc::ptr_eq(of, &target));
            waiting = others;
            let items: Vec<D::Item> = same.into_iter().map(|(_, item)| *item).collect();
            let count = items.len() as u64;
            match target.deliver(&proxy, &items).await {
                Ok(()) => counts.settle(count, &counts.sent),
                Err(problem) => {
                    let cluster = target.cluster();
                    tracing::debug!(cluster, problem, count, "a service did not take what it was told");
                    counts.settle(count, &counts.dropped);
                }
            };
        }
        for done in flushed {
            let _ = done.send(());
        }
    }
}
