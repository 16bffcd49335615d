//! Memory: how much of what there may be is taken, and what is done about it near the bound.
//!
//! Of the bound, less a fortieth for what comes too fast: from nine tenths on no connections are taken; where it stays
//! there some are cut every second, or clients that only hold what they have would keep all others out. From 95 of a
//! hundred on requests are answered with 503 and some connections are cut every tenth of a second, until there is less
//! than nine tenths; from 97 on nothing is read either, from clients or upstreams. That is the order of Envoy's overload
//! manager (`stop_accepting_connections`, `reduce_timeouts`, `stop_accepting_requests`, `reset_high_memory_stream`), whose
//! replies and flag (`OM`) these have.
//!
//! What is taken is looked at every fiftieth of a second, and besides whenever so much was read since the last look that
//! it could matter: between two looks nobody can make the process take what is left to the bound. A look is one read of
//! a file that is held open.

mod group;
mod metered;
mod process;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use self::group::Group;
pub(crate) use self::metered::Metered;
use self::process::Process;
use super::options::Memory;

/// How often it is looked at what is taken, where nothing is read.
const EVERY: Duration = Duration::from_millis(20);
/// Milliseconds between two looks at the group's files: the process alone is looked at more often while much is read.
const GROUP_EVERY: u64 = 10;
/// How often connections are cut: what the last cut gave back is then seen.
const CUT_EVERY: Duration = Duration::from_millis(100);
/// The same where no connections are taken, and nothing else is the matter.
const CUT_EVERY_WHILE_FULL: Duration = Duration::from_secs(1);
/// How often threads are stirred while there is much in use, and for how long afterwards.
const STIR_EVERY: Duration = Duration::from_millis(100);
const STIR_FOR: Duration = Duration::from_secs(15);
/// One of so many connections is cut at a time.
const CUT_SHARE: u64 = 8;
/// What a connection is counted as that has said nothing.
const CONNECTION_BYTES: usize = 16 * 1024;
/// Bytes read between looks, as a part of the bound; a byte read can become a hundred.
const LOOK_PART: u64 = 1024;
const LOOK_MIN: u64 = 64 * 1024;
const LOOK_MAX: u64 = 4 * 1024 * 1024;
/// The same once a good part of the memory is taken.
const LOOK_NEAR: u64 = 8 * 1024;

/// What is left free of any bound, for what comes before a look tells (what was read and is not worked on yet, sockets,
/// threads), as a part of it; of a small bound that is not enough (measured: 2 MiB in a fiftieth of a second).
const SPARE_PART: u64 = 40;
const SPARE_MIN: u64 = 3 << 20;

/// Parts of the bound without what is left free, in thousands.
const NEAR: u64 = 800;
const FULL: u64 = 900;
const OVER: u64 = 950;
const PAUSED: u64 = 970;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    /// Nothing is done.
    Calm,
    /// It is looked at more often.
    Near,
    /// No connections are taken; a few are cut.
    Full,
    /// Requests are refused, connections are cut.
    Over,
    /// Nothing is read.
    Paused,
}

impl Level {
    /// The level of a use, after another.
    ///
    /// What was shed must bring something: shedding ends below [`FULL`].
    fn after(self, used: u64, bound: u64) -> Self {
        let spare = (bound / SPARE_PART).max(SPARE_MIN);
        let thousandths = used.saturating_mul(1000) / bound.saturating_sub(spare).max(1);
        match thousandths {
            PAUSED.. => Self::Paused,
            OVER.. => Self::Over,
            FULL.. if self >= Self::Over => Self::Over,
            FULL.. => Self::Full,
            NEAR.. => Self::Near,
            _ => Self::Calm,
        }
    }

    /// How often connections are cut; `None`: never.
    fn cut_every(self) -> Option<Duration> {
        match self {
            Self::Calm | Self::Near => None,
            Self::Full => Some(CUT_EVERY_WHILE_FULL),
            Self::Over | Self::Paused => Some(CUT_EVERY),
        }
    }

    fn of(number: u8) -> Self {
        [Self::Calm, Self::Near, Self::Full, Self::Over]
            .into_iter()
            .nth(number.into())
            .unwrap_or(Self::Paused)
    }
}

/// What became of too much: numbers since the start.
/// Ours: whoever looks at a proxy that refuses is to see why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryCounts {
    /// Bytes in use at the last look; 0 where there is no bound.
    pub used: u64,
    /// Bytes that there may be; 0 where there is no bound.
    pub bound: u64,
    /// Requests answered with 503.
    pub refused: u64,
    /// Connections cut.
    pub cut: u64,
}

/// How the process stands to its bound.
#[derive(Debug)]
pub(crate) struct Pressure {
    /// `None`: there is no bound.
    gauge: Option<Gauge>,
    level: AtomicU8,
    /// Told when reading goes on.
    goes_on: Arc<Notify>,
    /// Told when connections are taken again.
    eased: Notify,
    /// Told when some connections are to be cut.
    cut: Notify,
    refused_count: AtomicU64,
    cut_count: AtomicU64,
}

#[derive(Debug)]
struct Gauge {
    process: Process,
    group: Option<Group>,
    bound: AtomicU64,
    /// What the group has beyond what this process shows; less than nothing where pages of the process are another group's.
    besides: AtomicI64,
    made: Instant,
    /// When the group was looked at last, in milliseconds after `made`.
    looked: AtomicU64,
    used: AtomicU64,
    /// Bytes read since the last look.
    since: AtomicU64,
}

/// What a setting comes to now, and the group that it is read from.
fn bound_of(wanted: Memory) -> Option<(u64, Option<Group>)> {
    match wanted {
        Memory::Unbounded => None,
        Memory::Process(bound) => Some((bound, None)),
        Memory::ControlGroup => {
            let group = Group::of_this_process()?;
            Some((group.bound()?, Some(group)))
        }
    }
}

impl Memory {
    /// The bytes that it comes to now; `None`: nothing bounds the memory.
    pub fn bound(self) -> Option<u64> {
        bound_of(self).map(|(bound, _)| bound)
    }
}

impl Gauge {
    /// `None`: there is nothing to keep to, or nothing to read it from.
    fn new(wanted: Memory) -> Option<Self> {
        let (bound, group) = bound_of(wanted)?;
        let process = Process::open()?;
        Some(Self {
            process,
            group,
            bound: AtomicU64::new(bound),
            besides: AtomicI64::new(0),
            made: Instant::now(),
            looked: AtomicU64::new(0),
            used: AtomicU64::new(0),
            since: AtomicU64::new(0),
        })
    }

    /// Reads what the group has and may have, unless that was done a moment ago.
    fn look_at_group(&self) {
        let Some(group) = &self.group else { return };
        let now = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        if looked != 0 && now.saturating_sub(looked) < GROUP_EVERY {
            return;
        }
        self.looked.store(now, Ordering::Relaxed);
        if let Some(bound) = group.bound() {
            self.bound.store(bound, Ordering::Relaxed);
        }
        if let (Some(used), Some(own)) = (group.used(), self.process.resident()) {
            self.besides.store(used.cast_signed().saturating_sub(own.cast_signed()), Ordering::Relaxed);
        }
    }

    fn used(&self) -> Option<(u64, u64)> {
        let used = self.process.resident()?.saturating_add_signed(self.besides.load(Ordering::Relaxed));
        self.used.store(used, Ordering::Relaxed);
        Some((used, self.bound.load(Ordering::Relaxed)))
    }
}

impl Pressure {
    pub(crate) fn new(wanted: Memory) -> Self {
        let gauge = Gauge::new(wanted);
        if let Some(gauge) = &gauge {
            tracing::info!(bytes = gauge.bound.load(Ordering::Relaxed), "memory is bounded");
        }
        Self {
            gauge,
            level: AtomicU8::new(Level::Calm as u8),
            goes_on: Arc::default(),
            eased: Notify::new(),
            cut: Notify::new(),
            refused_count: AtomicU64::new(0),
            cut_count: AtomicU64::new(0),
        }
    }

    fn level(&self) -> Level {
        Level::of(self.level.load(Ordering::Relaxed))
    }

    /// Whether there is a bound at all.
    pub(crate) fn is_bounded(&self) -> bool {
        self.gauge.is_some()
    }

    /// Whether a request is to be refused; it is counted as that.
    pub(crate) fn refuses(&self) -> bool {
        let refuses = self.level() >= Level::Over;
        if refuses {
            self.refused_count.fetch_add(1, Ordering::Relaxed);
        }
        refuses
    }

    /// Takes note of bytes that were read, or of what they have become.
    pub(crate) fn grew(&self, bytes: usize) {
        let Some(gauge) = &self.gauge else { return };
        let bytes = bytes as u64;
        let since = gauge.since.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let most = match self.level() {
            Level::Calm => (gauge.bound.load(Ordering::Relaxed) / LOOK_PART).clamp(LOOK_MIN, LOOK_MAX),
            _ => LOOK_NEAR,
        };
        if since >= most {
            gauge.since.store(0, Ordering::Relaxed);
            self.look(gauge);
        }
    }

    /// A connection was taken.
    pub(crate) fn took_connection(&self) {
        self.grew(CONNECTION_BYTES);
    }

    fn look(&self, gauge: &Gauge) {
        gauge.look_at_group();
        let Some((used, bound)) = gauge.used() else { return };
        self.set(used, bound);
    }

    fn set(&self, used: u64, bound: u64) {
        let before = self.level();
        let now = before.after(used, bound);
        if now == before {
            return;
        }
        self.level.store(now as u8, Ordering::Relaxed);
        if now < Level::Paused {
            self.goes_on.notify_waiters();
        }
        if now < Level::Full {
            self.eased.notify_waiters();
        }
        if now >= Level::Over && before < Level::Over {
            tracing::warn!(used, bound, "memory: requests are refused and connections cut");
        } else if now < Level::Over && before >= Level::Over {
            tracing::info!(used, bound, "memory: requests are served again");
        }
    }

    /// Waits until connections may be taken.
    pub(crate) async fn takes_connections(&self) {
        loop {
            let eased = self.eased.notified();
            if self.level() < Level::Full {
                return;
            }
            eased.await;
        }
    }

    /// Waits until the lot falls on a connection; for ever where there is no bound.
    pub(crate) async fn is_cut(&self, roll: impl Fn() -> u64) {
        if self.gauge.is_none() {
            return std::future::pending().await;
        }
        loop {
            self.cut.notified().await;
            if roll().is_multiple_of(CUT_SHARE) {
                self.cut_count.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }

    pub(crate) fn counts(&self) -> MemoryCounts {
        let of = |number: fn(&Gauge) -> &AtomicU64| {
            self.gauge.as_ref().map_or(0, |gauge| number(gauge).load(Ordering::Relaxed))
        };
        MemoryCounts {
            used: of(|gauge| &gauge.used),
            bound: of(|gauge| &gauge.bound),
            refused: self.refused_count.load(Ordering::Relaxed),
            cut: self.cut_count.load(Ordering::Relaxed),
        }
    }
}

/// Looks and cuts for as long as there is a proxy.
pub(super) fn watch(pressure: &Arc<Pressure>) {
    if !pressure.is_bounded() {
        return;
    }
    let watched = Arc::downgrade(pressure);
    tokio::spawn(async move {
        let (mut since_cut, mut until_stir, mut stirs) = (CUT_EVERY, Duration::ZERO, Duration::ZERO);
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(pressure) = watched.upgrade() else { return };
            let Some(gauge) = &pressure.gauge else { return };
            pressure.look(gauge);
            until_stir = until_stir.saturating_sub(EVERY);
            stirs = if pressure.level() >= Level::Near { STIR_FOR } else { stirs.saturating_sub(EVERY) };
            if !stirs.is_zero() && until_stir.is_zero() {
                stir();
                until_stir = STIR_EVERY;
            }
            since_cut = since_cut.saturating_add(EVERY);
            match pressure.level().cut_every() {
                // Where it comes to that, the first cut is at once.
                None => since_cut = CUT_EVERY,
                Some(every) if since_cut >= every => {
                    pressure.cut.notify_waiters();
                    since_cut = Duration::ZERO;
                }
                Some(_) => {}
            }
        }
    });
}

/// Gives every thread of the runtime a moment's work with memory: allocators keep what others have freed of a thread's memory
/// until that thread asks for some (mimalloc, once in so many times).
fn stir() {
    const TASKS_OF_EACH: usize = 4;
    const ASKED: usize = 1200;
    let threads = tokio::runtime::Handle::current().metrics().num_workers();
    for _ in 0..threads * TASKS_OF_EACH {
        tokio::spawn(async {
            for _ in 0..ASKED {
                drop(std::hint::black_box(Vec::<u8>::with_capacity(2048)));
            }
        });
    }
}
