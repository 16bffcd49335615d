//! An access log in a file or on standard output, written by a thread of its own.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::seam::sink::Sink;
use crate::telemetry::access_log::LineFormat;
use crate::telemetry::record::Record;

/// Lines that may wait to be written; more are dropped, and counted.
const WAITING_MAX: usize = 16_384;

/// Writes a line for every record. A full disk or a reader that sleeps costs lines, never requests.
#[derive(Debug)]
pub struct LogWriter {
    format: LineFormat,
    lines: Lines,
}

impl LogWriter {
    /// Appends to a file; `/dev/stdout` and `/dev/stderr` are files too.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, format: LineFormat) -> std::io::Result<Self> {
        Ok(Self { format, lines: Lines::open(path)? })
    }

    /// Writes to anything.
    pub fn new(out: impl Write + Send + 'static, format: LineFormat) -> Self {
        Self { format, lines: Lines::new(out) }
    }

    /// How many lines were dropped or could not be written.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lines.dropped)
    }
}

impl Sink for LogWriter {
    fn finished(&self, record: &Record) {
        self.lines.send(self.format.line(record));
    }
}

/// Lines on their way to a thread that writes them.
#[derive(Debug)]
pub(crate) struct Lines {
    sender: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Appends to a file.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self::new(file))
    }

    fn new(out: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        std::thread::spawn(move || write(out, &receiver, &lost));
        Self { sender, dropped }
    }

    /// Lets a line wait to be written, or drops it.
    pub(crate) fn send(&self, line: String) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.sender.try_send(line) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes what waits in one go, then waits for more. Lines that cannot be written are lost, and counted.
fn write(mut out: impl Write, lines: &Receiver<String>, lost: &AtomicU64) {
    const AT_ONCE: usize = 64 * 1024;
    let mut text = String::new();
    while let Ok(first) = lines.recv() {
        text.push_str(&first);
        let mut count = 1;
        while text.len() < AT_ONCE
            && let Ok(line) = lines.try_recv()
        {
            text.push_str(&line);
            count += 1;
        }
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            lost.fetch_add(count, Ordering::Relaxed);
        }
        text.clear();
    }
}
