//! Outlier detection: hosts that fail too often in a row are left out for a while (T-276).
//!
//! The rules are Envoy's (`arch_overview/upstream/outlier`), of which Istio uses the consecutive ones: success rates are
//! never looked at. One [`OutlierDetector`] per cluster; it holds counters, and says what changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_compile::proxy::cluster::Outlier;

use super::host::Host;

/// How a try went, as outlier detection counts it (T-276).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The host answered with this status (a gRPC status is counted by its HTTP equivalent).
    Status(u16),
    /// The host could not be reached in time, or dropped the connection: found here, not said by the host.
    LocalFailure(LocalFailure),
    /// A connection was established (TCP), which clears the count of local failures.
    Connected,
}

/// Failures found by the proxy itself (T-276).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LocalFailure {
    /// No connection; counts as 503 where local failures are not counted apart.
    Connect,
    /// No answer in time; counts as 504.
    Timeout,
    /// The connection broke; counts as 503.
    Reset,
}

impl LocalFailure {
    fn status(self) -> u16 {
        match self {
            Self::Connect | Self::Reset => 503,
            Self::Timeout => 504,
        }
    }
}

/// The settings, with Envoy's defaults filled in (T-276).
#[derive(Debug, Clone, PartialEq)]
pub struct OutlierSettings {
    /// Failures in a row that eject; `None`: not looked at.
    pub consecutive_5xx: Option<u32>,
    /// 502, 503, 504 in a row that eject; `None`: not looked at.
    pub consecutive_gateway: Option<u32>,
    /// Local failures in a row that eject; `None`: they count as statuses.
    pub consecutive_local: Option<u32>,
    /// Time between sweeps, in milliseconds.
    pub interval_ms: u64,
    /// Ejection time of the first ejection; the n-th lasts n times as long.
    pub base_ejection_ms: u64,
    /// Longest ejection.
    pub max_ejection_ms: u64,
    /// Share of hosts that may be out at once, percent; one host may be out whatever it says (T-276).
    pub max_ejection_percent: u32,
    /// Statuses that count as failures; empty: 500 to 599.
    pub failure_codes: Vec<u16>,
}

impl From<&Outlier> for OutlierSettings {
    fn from(written: &Outlier) -> Self {
        let number = |name: &str| written.settings.get(name).copied();
        let count = |name: &str, enforcing: &str, default: Option<u32>| {
            let enforced = number(enforcing).map_or(default.is_some(), |percent| percent > 0);
            let count = number(name).and_then(|count| u32::try_from(count).ok()).or(default);
            count.filter(|count| enforced && *count > 0)
        };
        let time =
            |name: &str, default: u64| number(name).map_or(default, |ms| u64::try_from(ms).unwrap_or(0));
        let split = written.split_external_local_origin_errors;
        let base_ejection_ms = time("base_ejection_time_ms", 30_000);
        Self {
            consecutive_5xx: count("consecutive5xx", "enforcing_consecutive5xx", Some(5)),
            consecutive_gateway: count(
                "consecutive_gateway_failure",
                "enforcing_consecutive_gateway_failure",
                None,
            ),
            consecutive_local: split
                .then(|| {
                    let (name, enforcing) =
                        ("consecutive_local_origin_failure", "enforcing_consecutive_local_origin_failure");
                    count(name, enforcing, Some(5))
                })
                .flatten(),
            interval_ms: time("interval_ms", 10_000).max(1),
            base_ejection_ms,
            max_ejection_ms: base_ejection_ms.max(300_000),
            max_ejection_percent: number("max_ejection_percent")
                .map_or(10, |percent| u32::try_from(percent).unwrap_or(0))
                .min(100),
            failure_codes: written.http_error_codes.iter().filter_map(|code| code.parse().ok()).collect(),
        }
    }
}

/// What is counted for one host.
#[derive(Debug, Default)]
struct Monitor {
    in_row_5xx: u32,
    in_row_gateway: u32,
    in_row_local: u32,
    /// When it was ejected; `None`: it is in.
    ejected_ms: Option<u64>,
    /// When it was let in again.
    back_ms: u64,
    /// How many ejections count towards the next one's length.
    backoff: u32,
}

/// Counts, ejects and lets in again (T-276).
#[derive(Debug)]
pub struct OutlierDetector {
    settings: OutlierSettings,
    split: bool,
    monitors: BTreeMap<Arc<str>, Monitor>,
    next_sweep_ms: u64,
}

impl OutlierDetector {
    /// A detector that starts to sweep one interval from now.
    pub fn new(written: &Outlier, now_ms: u64) -> Self {
        let settings = OutlierSettings::from(written);
        let next_sweep_ms = now_ms.saturating_add(settings.interval_ms);
        let split = written.split_external_local_origin_errors;
        Self { settings, split, monitors: BTreeMap::new(), next_sweep_ms }
    }

    /// When [`sweep`](Self::sweep) is due.
    pub fn next_sweep_ms(&self) -> u64 {
        self.next_sweep_ms
    }

    /// How many hosts are out.
    pub fn ejected(&self) -> usize {
        self.monitors.values().filter(|monitor| monitor.ejected_ms.is_some()).count()
    }

    /// Counts how a try went. Whether the host was ejected by it: then the tables of the balancers are to be made anew.
    pub fn record(&mut self, host: &Host, outcome: Outcome, members: usize, now_ms: u64) -> bool {
        if !self.count(host, outcome) || host.is_ejected() {
            return false;
        }
        let out = self.ejected();
        let share = 100.0 * (out as f64 + 1.0) / (members.max(1) as f64);
        if out > 0 && share > f64::from(self.settings.max_ejection_percent) {
            return false;
        }
        let most = self.settings.max_ejection_ms.saturating_add(self.settings.base_ejection_ms);
        if let Some(monitor) = self.monitors.get_mut(&host.endpoint.address) {
            monitor.ejected_ms = Some(now_ms);
            if u64::from(monitor.backoff).saturating_mul(self.settings.base_ejection_ms) < most {
                monitor.backoff += 1;
            }
        }
        host.set_ejected(true);
        true
    }

    /// Counts; whether a limit was reached.
    fn count(&mut self, host: &Host, outcome: Outcome) -> bool {
        let settings = &self.settings;
        let monitor = self.monitors.entry(Arc::clone(&host.endpoint.address)).or_default();
        let status = match outcome {
            Outcome::Status(status) => {
                // An answer of any kind shows that the host can be reached.
                monitor.in_row_local = 0;
                status
            }
            Outcome::LocalFailure(_) if self.split => {
                return reached(&mut monitor.in_row_local, true, settings.consecutive_local);
            }
            Outcome::LocalFailure(failure) => failure.status(),
            Outcome::Connected if self.split => {
                monitor.in_row_local = 0;
                return false;
            }
            // Without the split a connection counts as an answer of 200 (TCP has no other).
            Outcome::Connected => 200,
        };
        let failed = if settings.failure_codes.is_empty() || matches!(outcome, Outcome::LocalFailure(_)) {
            (500..600).contains(&status)
        } else {
            settings.failure_codes.contains(&status)
        };
        let gateway = failed && (502..=504).contains(&status);
        let by_gateway = reached(&mut monitor.in_row_gateway, gateway, settings.consecutive_gateway);
        let by_any = reached(&mut monitor.in_row_5xx, failed, settings.consecutive_5xx);
        by_gateway || by_any
    }

    /// Lets hosts in whose time is over, and forgets hosts that are no members. Whether anything changed. Call it when
    /// [`next_sweep_ms`](Self::next_sweep_ms) has come; before that it does nothing.
    pub fn sweep<'h>(&mut self, hosts: impl Iterator<Item = &'h Arc<Host>>, now_ms: u64) -> bool {
        if now_ms < self.next_sweep_ms {
            return false;
        }
        let settings = &self.settings;
        self.next_sweep_ms = now_ms.saturating_add(settings.interval_ms);
        let mut before = std::mem::take(&mut self.monitors);
        let mut changed = false;
        for host in hosts {
            let Some(mut monitor) = before.remove(&host.endpoint.address) else { continue };
            let length = settings.base_ejection_ms.saturating_mul(u64::from(monitor.backoff));
            let length = length.min(settings.max_ejection_ms);
            match monitor.ejected_ms {
                Some(since) if now_ms >= since.saturating_add(length) => {
                    monitor = Monitor { backoff: monitor.backoff, back_ms: now_ms, ..Monitor::default() };
                    host.set_ejected(false);
                    changed = true;
                }
                Some(_) => {}
                // Each quiet interval shortens the next ejection.
                None if now_ms >= monitor.back_ms.saturating_add(settings.interval_ms) => {
                    monitor.backoff = monitor.backoff.saturating_sub(1);
                }
                None => {}
            }
            self.monitors.insert(Arc::clone(&host.endpoint.address), monitor);
        }
        changed
    }
}

/// Counts one in a row, or starts again; whether the limit is reached, which starts again too.
fn reached(count: &mut u32, failed: bool, limit: Option<u32>) -> bool {
    *count = if failed { count.saturating_add(1) } else { 0 };
    let reached = limit.is_some_and(|limit| *count >= limit);
    if reached {
        *count = 0;
    }
    reached
}

#[cfg(test)]
mod tests;
