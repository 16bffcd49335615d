//! A process that serves: its threads, and the signals that end it.

use std::io;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::proxy::Proxy;
use crate::seam::config_source::ConfigSource;

/// Stack of every thread, in bytes, whatever limit the program was started with: what is nested deepest of all that is read
/// fits several times.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// Does work to its end on as many threads as there are cores, with stacks that hold whatever is read. What is left
/// running then is not waited for.
/// Ours: a limit on stacks (`ulimit -s`) is no way to end a proxy.
///
/// # Errors
/// There can be no threads.
pub fn run<F: Future>(work: impl FnOnce() -> F + Send + 'static) -> io::Result<F::Output>
where
    F::Output: Send + 'static,
{
    let main = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // On one core there is nobody to hand work to.
        let mut runtime = match thread::available_parallelism().map_or(1, usize::from) {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = runtime.enable_all().thread_stack_size(STACK_BYTES).build()?;
        let done = runtime.block_on(work());
        // A configuration that is being read is of no use any more.
        runtime.shutdown_background();
        Ok(done)
    })?;
    main.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// How a drain ended. Ours: whoever stopped the process wants to know whether requests were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// All that was in flight has ended, or [`Patience::drain`](super::options::Patience::drain) was over.
    Whole,
    /// A second signal cut it short.
    CutShort,
}

impl Proxy {
    /// Follows a source until SIGTERM or SIGINT comes, then drains; a second signal ends that.
    ///
    /// # Errors
    /// Signals cannot be waited for.
    pub async fn serve_until_signalled(&self, source: impl ConfigSource + 'static) -> io::Result<Drained> {
        let mut signals = Signals::new()?;
        let following = tokio::spawn({
            let proxy = self.clone();
            async move { proxy.follow(source).await }
        });
        signals.next().await;
        tracing::info!("draining");
        let drained = tokio::select! {
            () = self.drain() => Drained::Whole,
            () = signals.next() => Drained::CutShort,
        };
        following.abort();
        Ok(drained)
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
