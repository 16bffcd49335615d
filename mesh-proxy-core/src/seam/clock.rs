//! Time: how much has passed, and what the calendar says.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Over, some time later. Ours: a wait may take its time without holding a thread.
pub type Sleeping<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The time of a proxy: of its hosts that are ejected, warm up or are looked up, of connections that are kept, of keys that
/// are fetched, of tokens that expire. Ours: a test says what time it is.
///
/// What clients and upstreams are waited for (time-outs, back-off, bytes that do not come) is measured by the runtime
/// itself.
///
/// A contract: `now_ms` never goes back, whatever becomes of the calendar; a sleep ends once so much of that time has
/// passed. Both are read several times for each request and return at once.
///
/// ```
/// use std::time::Duration;
/// use mesh_proxy_core::seam::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::at(1_700_000_000);
/// clock.advance(Duration::from_secs(2));
/// assert_eq!((clock.now_ms(), clock.unix_seconds()), (2_000, 1_700_000_002));
/// clock.turn(1_600_000_000);
/// assert_eq!((clock.now_ms(), clock.unix_seconds()), (2_000, 1_600_000_000));
/// ```
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since a moment of the clock's own.
    fn now_ms(&self) -> u64;
    /// Seconds since 1970, as the calendar has them; it may be turned.
    fn unix_seconds(&self) -> i64;
    /// Over when so much time has passed.
    fn sleep(&self, time: Duration) -> Sleeping<'_>;
}

/// The system's clocks. Ours: what is taken where a program brings nothing of its own.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    began: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { began: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn unix_seconds(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    fn sleep(&self, time: Duration) -> Sleeping<'_> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// A clock that stands still until it is moved: for tests. Ours: a test need not wait for what it is about.
#[derive(Debug)]
pub struct ManualClock {
    passed_ms: watch::Sender<u64>,
    /// What the calendar said when nothing had passed.
    unix_began: AtomicI64,
}

impl ManualClock {
    /// One whose calendar says so many seconds since 1970.
    pub fn at(unix_seconds: i64) -> Self {
        Self { passed_ms: watch::Sender::new(0), unix_began: AtomicI64::new(unix_seconds) }
    }

    /// Time passes, by the calendar too. Whoever has slept for long enough wakes.
    pub fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.passed_ms.send_modify(|passed| *passed = passed.saturating_add(millis));
    }

    /// The calendar is turned, and no time passes.
    pub fn turn(&self, unix_seconds: i64) {
        self.unix_began.store(unix_seconds.saturating_sub(self.passed_seconds()), Ordering::Relaxed);
    }

    fn passed_seconds(&self) -> i64 {
        i64::try_from(self.now_ms() / 1000).unwrap_or(i64::MAX)
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        *self.passed_ms.borrow()
    }

    fn unix_seconds(&self) -> i64 {
        self.unix_began.load(Ordering::Relaxed).saturating_add(self.passed_seconds())
    }

    fn sleep(&self, time: Duration) -> Sleeping<'_> {
        let mut passed = self.passed_ms.subscribe();
        let until = self.now_ms().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Box::pin(async move {
            // The sender is this clock: it is there for as long as this borrows it.
            let _ = passed.wait_for(|passed| *passed >= until).await;
        })
    }
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn now_ms(&self) -> u64 {
        (**self).now_ms()
    }

    fn unix_seconds(&self) -> i64 {
        (**self).unix_seconds()
    }

    fn sleep(&self, time: Duration) -> Sleeping<'_> {
        (**self).sleep(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_ends_with_its_time_and_not_with_the_calendar() {
        let clock = ManualClock::at(0);
        let mut sleeping = clock.sleep(Duration::from_secs(10));
        clock.turn(1_000_000);
        clock.advance(Duration::from_millis(9_999));
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut sleeping).await.is_err());
        clock.advance(Duration::from_millis(1));
        assert!(tokio::time::timeout(Duration::from_secs(5), sleeping).await.is_ok());
    }

    #[tokio::test]
    async fn the_systems_clock_goes_on() {
        let clock = SystemClock::default();
        let before = clock.now_ms();
        clock.sleep(Duration::from_millis(5)).await;
        assert!(clock.now_ms() >= before + 4);
        assert!(clock.unix_seconds() > 1_700_000_000);
    }
}
