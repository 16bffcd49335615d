//! An access log in a file or on standard output, written by a thread of its own.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::seam::sink::Sink;
use crate::telemetry::access_log::LineFormat;
use crate::telemetry::record::Record;

/// Lines that may wait to be written; more are dropped, and counted.
const WAITING_MAX: usize = 16_384;
/// How long the first of them waits for others, so that they are written together: waking a thread costs more than a
/// line does.
const GATHER: Duration = Duration::from_millis(5);
/// How long the end of a log waits for its last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Writes a line for every record. A full disk or a reader that sleeps costs lines, never requests.
/// Ours: requests never wait for a log.
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
        self.lines.send(&self.format.line(record));
    }
}

/// Lines on their way to a thread that writes them.
#[derive(Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Told of the first line that waits, of the end, and of the last line written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    text: String,
    lines: usize,
    /// No more lines will come.
    ended: bool,
    /// Nothing more will be written.
    written: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Appends to a file.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self::new(file))
    }

    fn new(out: impl Write + Send + 'static) -> Self {
        let (shared, dropped) = (Arc::<Shared>::default(), Arc::new(AtomicU64::new(0)));
        let (written, lost) = (Arc::clone(&shared), Arc::clone(&dropped));
        std::thread::spawn(move || write(out, &written, &lost));
        Self { shared, dropped }
    }

    /// Lets a line wait to be written, or drops it.
    pub(crate) fn send(&self, line: &str) {
        let mut waiting = self.shared.lock();
        if waiting.lines >= WAITING_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.text.push_str(line);
        waiting.lines += 1;
        if waiting.lines == 1 {
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Lines {
    /// Waits for the last lines, but not for ever.
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.ended = true;
        self.shared.changed.notify_all();
        let is_written = |waiting: &mut Waiting| !waiting.written;
        let _ = self.shared.changed.wait_timeout_while(waiting, LAST_LINES, is_written);
    }
}

/// Writes what waits in one go, then waits for more. Lines that cannot be written are lost, and counted.
fn write(mut out: impl Write, shared: &Shared, lost: &AtomicU64) {
    let mut text = String::new();
    loop {
        let waiting = shared.lock();
        let is_idle = |waiting: &mut Waiting| waiting.lines == 0 && !waiting.ended;
        let waiting = shared.changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner);
        let gathers = |waiting: &mut Waiting| !waiting.ended;
        let gathered = shared.changed.wait_timeout_while(waiting, GATHER, gathers);
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        text.clear();
        std::mem::swap(&mut text, &mut waiting.text);
        let count = std::mem::take(&mut waiting.lines);
        let is_last = waiting.ended;
        drop(waiting);
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            lost.fetch_add(count as u64, Ordering::Relaxed);
        }
        if is_last {
            shared.lock().written = true;
            shared.changed.notify_all();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_written_in_order_and_the_last_before_the_end() {
        let out = Out::default();
        let lines = Lines::new(out.clone());
        let wanted: String = (0..5_000).map(|number| format!("line {number}\n")).collect();
        wanted.lines().for_each(|line| lines.send(&format!("{line}\n")));
        drop(lines);
        assert_eq!(String::from_utf8(out.0.lock().unwrap().clone()).unwrap(), wanted);
    }

    /// Never takes a byte.
    struct Stuck;

    impl Write for Stuck {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            loop {
                std::thread::park();
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_sleeps_costs_lines_and_nobody_waits() {
        let lines = Lines::new(Stuck);
        let sent = 3 * WAITING_MAX;
        (0..sent).for_each(|_| lines.send("x\n"));
        let dropped = usize::try_from(lines.dropped.load(Ordering::Relaxed)).unwrap();
        assert!(dropped >= sent - 2 * WAITING_MAX, "{dropped}");
        drop(lines);
    }
}
