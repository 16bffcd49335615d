//! What the instances of a module share: its settings, data, metrics, and how much it may log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::limits::WasmLimits;
use super::status::{self, Status};
use crate::rate_limit::{Rate, TokenBucket};
use crate::runtime::proxy::Inner;
use crate::seam::clock::Clock;

/// Names of metrics, and keys of data.
const NAME_BYTES_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Shared {
    /// `NAMESPACE.NAME`.
    pub(super) name: Arc<str>,
    pub(super) root_id: String,
    /// `pluginConfig` as JSON.
    pub(super) configuration: Vec<u8>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) limits: WasmLimits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) proxy: Arc<OnceLock<Weak<Inner>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    data: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    data_bytes: usize,
    metrics: Vec<Metric>,
    logs: TokenBucket,
    restarts: TokenBucket,
}

/// A metric of a module. Spec: proxy-wasm ABI 0.2.1, Stats/metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasmMetric {
    /// Its name, as the module wrote it.
    pub name: String,
    /// What it counts.
    pub kind: WasmMetricKind,
    /// Its value; of a histogram, how many values were recorded.
    pub value: u64,
    /// The sum of what a histogram recorded.
    pub sum: u64,
}

/// Kinds of metrics. Spec: proxy-wasm ABI 0.2.1, `proxy_metric_type_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WasmMetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Values, of which number and sum are kept.
    Histogram,
}

type Metric = WasmMetric;

impl Shared {
    pub(super) fn new(
        name: Arc<str>,
        root_id: String,
        configuration: Vec<u8>,
        environment: Vec<(String, String)>,
        limits: WasmLimits,
        clock: Arc<dyn Clock>,
        proxy: Arc<OnceLock<Weak<Inner>>>,
    ) -> Self {
        let now = clock.now_ms();
        let a_second = |max_tokens: u32, tokens: u32| {
            let rate = Rate { max_tokens, parts_per_ms: u64::from(tokens), parts_of_token: 1000 };
            TokenBucket::full(rate, now)
        };
        let state = State {
            data: BTreeMap::new(),
            data_bytes: 0,
            metrics: Vec::new(),
            logs: a_second(limits.logs_per_second, limits.logs_per_second),
            restarts: a_second(limits.restarts, 1),
        };
        Self { name, root_id, configuration, environment, limits, clock, proxy, state: Mutex::new(state) }
    }

    /// Writes a line of the module's log; what is too much is lost.
    pub(super) fn log(&self, level: u32, message: &[u8]) {
        if !self.lock().logs.take(self.clock.now_ms()) {
            return;
        }
        let cut = message.get(..self.limits.log_bytes).unwrap_or(message);
        let message: String =
            String::from_utf8_lossy(cut).chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        let plugin = &*self.name;
        match level {
            0 => tracing::trace!(plugin, "{message}"),
            1 => tracing::debug!(plugin, "{message}"),
            2 => tracing::info!(plugin, "{message}"),
            3 => tracing::warn!(plugin, "{message}"),
            _ => tracing::error!(plugin, "{message}"),
        }
    }

    /// Whether an instance that broke may be made anew now.
    pub(super) fn may_restart(&self) -> bool {
        self.lock().restarts.take(self.clock.now_ms())
    }

    pub(super) fn data(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.lock().data.get(key).cloned()
    }

    /// Puts data where `expected` is 0 or the version that is there.
    pub(super) fn put_data(&self, key: &[u8], value: &[u8], expected: u32) -> Status {
        let mut state = self.lock();
        let before = state.data.get(key).map(|(value, version)| (key.len() + value.len(), *version));
        if expected != 0 && before.is_some_and(|(_, version)| version != expected) {
            return status::CAS_MISMATCH;
        }
        let (taken, version) = before.unwrap_or((0, 0));
        let bytes = state.data_bytes - taken + key.len() + value.len();
        if key.len() > NAME_BYTES_MAX || bytes > self.limits.shared_bytes {
            return status::INTERNAL_FAILURE;
        }
        state.data_bytes = bytes;
        // 0 is no version.
        state.data.insert(key.to_vec(), (value.to_vec(), version.wrapping_add(1).max(1)));
        status::OK
    }

    /// The number of a metric of this name, which is made where there is none.
    pub(super) fn define_metric(&self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let kind = match kind {
            0 => WasmMetricKind::Counter,
            1 => WasmMetricKind::Gauge,
            2 => WasmMetricKind::Histogram,
            _ => return Err(status::BAD_ARGUMENT),
        };
        let Ok(name) = std::str::from_utf8(name) else { return Err(status::BAD_ARGUMENT) };
        let mut state = self.lock();
        let known = state.metrics.iter().position(|metric| metric.name == name && metric.kind == kind);
        let at = known.unwrap_or(state.metrics.len());
        if known.is_none() {
            if name.len() > NAME_BYTES_MAX || state.metrics.len() >= self.limits.metrics {
                return Err(status::INTERNAL_FAILURE);
            }
            state.metrics.push(Metric { name: name.to_owned(), kind, value: 0, sum: 0 });
        }
        u32::try_from(at).map_err(|_| status::INTERNAL_FAILURE)
    }

    /// A counter grows, a gauge goes up or down.
    pub(super) fn increment_metric(&self, id: u32, offset: i64) -> Status {
        self.with_metric(id, |metric| {
            match metric.kind {
                WasmMetricKind::Counter if offset < 0 => return status::BAD_ARGUMENT,
                WasmMetricKind::Histogram => return status::BAD_ARGUMENT,
                _ => metric.value = metric.value.saturating_add_signed(offset),
            }
            status::OK
        })
    }

    /// A gauge is set, a histogram has one more value, a counter grows.
    pub(super) fn record_metric(&self, id: u32, value: u64) -> Status {
        self.with_metric(id, |metric| {
            match metric.kind {
                WasmMetricKind::Counter => metric.value = metric.value.saturating_add(value),
                WasmMetricKind::Gauge => metric.value = value,
                WasmMetricKind::Histogram => {
                    metric.value = metric.value.saturating_add(1);
                    metric.sum = metric.sum.saturating_add(value);
                }
            }
            status::OK
        })
    }

    pub(super) fn metric(&self, id: u32) -> Option<u64> {
        let state = self.lock();
        let metric = state.metrics.get(usize::try_from(id).ok()?)?;
        (metric.kind != WasmMetricKind::Histogram).then_some(metric.value)
    }

    pub(super) fn metrics(&self) -> Vec<WasmMetric> {
        self.lock().metrics.clone()
    }

    fn with_metric(&self, id: u32, change: impl FnOnce(&mut Metric) -> Status) -> Status {
        let mut state = self.lock();
        let metric = usize::try_from(id).ok().and_then(|id| state.metrics.get_mut(id));
        metric.map_or(status::NOT_FOUND, change)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
