//! Istio's standard metrics for Prometheus, as Telemetry resources change them, with a bound on how many series clients
//! can make. Spec: istio/proxy, the stats filter and its labels.

mod counts;
mod labels;
mod plan;
mod series;
mod sides;
#[cfg(test)]
mod tests;
mod text;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use mesh_compile::proxy::telemetry::TelemetryConfig;
use mesh_compile::proxy_identity::Proxy as Identity;

use self::labels::Key;
use self::plan::Plan;
use self::series::{Families, Series};
use self::sides::Own;
pub use self::text::Pieces;
use crate::seam::sink::Sink;
use crate::telemetry::record::Record;

/// The most series; records that would need more are counted under a label set of their own (`reporter="overflow"`).
pub const SERIES_MAX: usize = 10_000;
/// The most bytes of labels that series may have together; what comes after is counted as where there are too many series.
pub const LABEL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most series that are named after what clients say of themselves, where no certificate says it of them: who can send
/// anything must not use up the series of those who are known. Beyond it such clients are unknown ones.
const UNPROVEN_MAX: usize = SERIES_MAX / 2;

/// Counts finished requests and connections. API: telemetry.istio.io/v1 `Metrics`.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    families: Arc<Families>,
    own: Own,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plan: Arc<Plan>,
    known: HashMap<Key, Arc<Series>>,
    /// How many of them are named by clients that have proven nothing.
    unproven: usize,
    label_bytes: usize,
}

/// What was told of a connection while it was open.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Its series are chosen when it is first told of.
    series: Option<Arc<Series>>,
    received: u64,
    sent: u64,
}

impl Metrics {
    /// Metrics of a proxy.
    pub fn new(proxy: &Identity) -> Self {
        let inner =
            Inner { families: Arc::new(Families::new()), own: Own::of(proxy), state: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// All of them in Prometheus' text format. With as many series as there may be it is hundreds of megabytes long; the
    /// administration endpoint makes it piece by piece.
    pub fn text(&self) -> String {
        self.pieces().map(|piece| String::from_utf8_lossy(&piece).into_owned()).collect()
    }

    /// The same, made as it is asked for.
    pub fn pieces(&self) -> Pieces {
        Pieces::of(Arc::clone(&self.inner.families))
    }

    /// Counts a record as a configuration wants it counted.
    pub(crate) fn finished_under(&self, config: &Arc<TelemetryConfig>, record: &Record, mut told: Told) {
        match told.series.take() {
            Some(series) => series.finished(record, Some((told.received, told.sent))),
            None => {
                if let Some(series) = self.series(Some(config), record) {
                    series.finished(record, None);
                }
            }
        }
    }

    /// Tells of a connection that stays open: what has passed by now.
    pub(crate) fn open_under(&self, config: &Arc<TelemetryConfig>, record: &Record, told: &mut Told) {
        if told.series.is_none() {
            told.series = self.series(Some(config), record);
            if let Some(series) = &told.series {
                series.opened();
            }
        }
        if let Some(series) = &told.series {
            series.passed(
                record.bytes_received.saturating_sub(told.received),
                record.bytes_sent.saturating_sub(told.sent),
            );
        }
        (told.received, told.sent) = (record.bytes_received, record.bytes_sent);
    }

    /// How often an open connection is told of; `None`: at its end only.
    pub(crate) fn interval(
        &self,
        config: &Arc<TelemetryConfig>,
        record: &Record,
    ) -> Option<std::time::Duration> {
        self.plan(&mut self.lock(), Some(config)).side(record.direction).interval
    }

    /// The series of a record, made where it is the first of its kind; `None`: nothing is counted.
    fn series(&self, config: Option<&Arc<TelemetryConfig>>, record: &Record) -> Option<Arc<Series>> {
        let plan = self.plan(&mut self.lock(), config);
        let side = plan.side(record.direction);
        if !side.is_on {
            return None;
        }
        // Expressions are evaluated without the lock.
        let mut key = Key::of(record, side.values(record));
        let mut state = self.lock();
        if let Some(series) = state.known.get(&key) {
            return Some(Arc::clone(series));
        }
        if key.is_unproven() && state.unproven >= UNPROVEN_MAX {
            key.forget_peer();
            if let Some(series) = state.known.get(&key) {
                return Some(Arc::clone(series));
            }
        }
        if state.known.len() >= SERIES_MAX || state.label_bytes >= LABEL_BYTES_MAX {
            return Some(Arc::new(self.inner.families.overflow(&key)));
        }
        let (series, bytes) = self.inner.families.series(&key.labels(&self.inner.own), &key, side);
        let series = Arc::new(series);
        state.label_bytes += bytes;
        state.unproven += usize::from(key.is_unproven());
        state.known.insert(key, Arc::clone(&series));
        Some(series)
    }

    /// The plan of a configuration. Where it is another one than before, counting begins anew.
    fn plan(&self, state: &mut MutexGuard<'_, State>, config: Option<&Arc<TelemetryConfig>>) -> Arc<Plan> {
        if let Some(config) = config
            && !state.plan.is_of(config)
        {
            let plan = Plan::of(config);
            if !state.plan.counts_as(config) {
                state.known.clear();
                state.label_bytes = 0;
                state.unproven = 0;
                self.inner.families.clear();
            }
            state.plan = Arc::new(plan);
        }
        Arc::clone(&state.plan)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One label as it stands between braces.
pub(super) fn label(name: &str, value: &str) -> Arc<str> {
    text::labels(std::iter::once((name, value)))
}

/// Counts records as Istio defines its metrics. What Telemetry resources change is followed where a proxy is given the
/// metrics as such ([`Builder::metrics`](super::proxy::Builder::metrics)).
impl Sink for Metrics {
    fn finished(&self, record: &Record) {
        if let Some(series) = self.series(None, record) {
            series.finished(record, None);
        }
    }
}
