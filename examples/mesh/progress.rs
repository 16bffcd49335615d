//! A bar on a terminal, once it is clear that more than a second of work lies ahead.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work shorter than this is never announced.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often the bar is looked at and drawn.
const TICK: Duration = Duration::from_millis(100);

/// Progress of reading and checking. The work itself only counts; a second thread watches and draws, so that one huge
/// file shows a bar as well as many small ones.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    watcher: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts with a number of bytes to read.
    pub fn reading(bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::hidden());
        bar.set_style(style("{spinner} reading  {bar:30} {bytes}/{total_bytes} {eta}"));
        let watcher = std::io::stderr().is_terminal().then(|| watch(bar.clone()));
        Self { bar, watcher }
    }

    /// Some of the work is done.
    pub fn done(&self, amount: u64) {
        self.bar.inc(amount);
    }

    /// Reading is over, so many documents are to be checked.
    pub fn checking(&self, documents: u64) {
        self.bar.reset();
        self.bar.set_style(style("{spinner} checking {bar:30} {pos}/{len} documents {eta}"));
        self.bar.set_length(documents);
    }

    /// What has no measure.
    pub fn finishing(&self, what: &'static str) {
        self.bar.set_style(style("{spinner} {msg}"));
        self.bar.set_message(what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.watcher.take() {
            drop(stop);
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

fn watch(bar: ProgressBar) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel();
    let start = Instant::now();
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if bar.is_hidden() && is_long(start.elapsed(), bar.position(), bar.length().unwrap_or_default()) {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.tick();
        }
    });
    (stop, thread)
}

/// Whether more than a second lies ahead, if the rest goes as what is done went.
fn is_long(elapsed: Duration, done: u64, all: u64) -> bool {
    if elapsed < PATIENCE {
        return false;
    }
    let rest = all.saturating_sub(done);
    // Nothing done yet: one big file.
    done == 0 || elapsed.as_millis().saturating_mul(u128::from(rest)) > u128::from(done).saturating_mul(1000)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
