//! Outlier detection with each of its fields, 100,000 tries each, beside an oracle that keeps every host's history and
//! looks through it again at every step.

use std::sync::Arc;

use mesh_compile::proxy::cluster::Outlier;

use super::host::Host;
use super::outlier_detection::{LocalFailure, Outcome, OutlierDetector};
use super::simulation_test::{REQUESTS, endpoint};
use crate::dice::{Dice, SeededDice};

/// The fields of a DestinationRule's outlier detection, in its own words; `None`: not written.
#[derive(Debug, Clone, Default)]
struct Fields {
    consecutive_5xx: Option<usize>,
    consecutive_gateway: Option<usize>,
    consecutive_local: Option<usize>,
    split: bool,
    interval_ms: Option<u64>,
    base_ms: Option<u64>,
    max_percent: Option<u64>,
    codes: Vec<u16>,
}

impl Fields {
    fn written(&self) -> Outlier {
        let mut written = Outlier {
            split_external_local_origin_errors: self.split,
            http_error_codes: self.codes.iter().map(|code| code.to_string().into()).collect(),
            ..Outlier::default()
        };
        let mut put = |name, value: Option<i64>| {
            if let Some(value) = value {
                written.settings.insert(name, value);
            }
        };
        let enforced = |count: Option<usize>| count.map(|count| if count > 0 { 100 } else { 0 });
        let number = |count: Option<usize>| count.map(|count| count as i64);
        put("consecutive5xx", number(self.consecutive_5xx));
        put("enforcing_consecutive5xx", enforced(self.consecutive_5xx));
        put("consecutive_gateway_failure", number(self.consecutive_gateway));
        put("enforcing_consecutive_gateway_failure", enforced(self.consecutive_gateway));
        put("consecutive_local_origin_failure", number(self.consecutive_local));
        put("enforcing_consecutive_local_origin_failure", enforced(self.consecutive_local));
        put("interval_ms", self.interval_ms.map(|ms| ms as i64));
        put("base_ejection_time_ms", self.base_ms.map(|ms| ms as i64));
        put("max_ejection_percent", self.max_percent.map(|percent| percent as i64));
        written
    }
}

/// What one count has seen since it last began.
#[derive(Debug, Default, Clone)]
struct Run(Vec<bool>);

impl Run {
    /// Whether so many of the last were failures, without another between them; then it begins anew.
    fn sees(&mut self, failed: bool, limit: Option<usize>) -> bool {
        self.0.push(failed);
        let in_row = self.0.iter().rev().take_while(|failed| **failed).count();
        let reached = limit.is_some_and(|limit| limit > 0 && in_row >= limit);
        if reached {
            self.0.clear();
        }
        reached
    }
}

#[derive(Debug, Default, Clone)]
struct History {
    five_xx: Run,
    gateway: Run,
    local: Run,
    ejected_ms: Option<u64>,
    back_ms: u64,
    length: u64,
}

struct Oracle {
    fields: Fields,
    hosts: Vec<History>,
    swept_ms: u64,
}

impl Oracle {
    fn tells(&mut self, host: usize, outcome: Outcome, now_ms: u64) {
        let fields = &self.fields;
        let out = self.hosts.iter().filter(|host| host.ejected_ms.is_some()).count();
        let all = self.hosts.len();
        let history = &mut self.hosts[host];
        let five_xx = fields.consecutive_5xx.or(Some(5));
        let (status, is_local) = match outcome {
            Outcome::Status(status) => (status, false),
            Outcome::LocalFailure(LocalFailure::Timeout) => (504, true),
            Outcome::LocalFailure(_) => (503, true),
            Outcome::Connected => (200, false),
        };
        if fields.split && !is_local {
            history.local.sees(false, None);
        }
        let reached = if fields.split && is_local {
            history.local.sees(true, fields.consecutive_local.or(Some(5)))
        } else if fields.split && outcome == Outcome::Connected {
            false
        } else {
            let failed = match (is_local, &*fields.codes) {
                (true, _) | (false, []) => status / 100 == 5,
                (false, codes) => codes.contains(&status),
            };
            let gateway = failed && [502, 503, 504].contains(&status);
            let by_gateway = history.gateway.sees(gateway, fields.consecutive_gateway);
            history.five_xx.sees(failed, five_xx) || by_gateway
        };
        let room = out == 0 || 100 * (out as u64 + 1) <= fields.max_percent.unwrap_or(10) * all as u64;
        if reached && history.ejected_ms.is_none() && room {
            let base = fields.base_ms.unwrap_or(30_000);
            history.ejected_ms = Some(now_ms);
            // The time before this one, and once more; it stops growing once it is longer than the longest.
            if history.length < base.max(300_000) + base {
                history.length += base;
            }
        }
    }

    fn sweep(&mut self, now_ms: u64) {
        let interval = self.fields.interval_ms.unwrap_or(10_000);
        let base = self.fields.base_ms.unwrap_or(30_000);
        if now_ms < self.swept_ms + interval {
            return;
        }
        self.swept_ms = now_ms;
        for history in &mut self.hosts {
            match history.ejected_ms {
                Some(since) if now_ms - since >= history.length.min(base.max(300_000)) => {
                    *history = History { back_ms: now_ms, length: history.length, ..History::default() };
                }
                None if now_ms - history.back_ms >= interval => {
                    history.length = history.length.saturating_sub(base);
                }
                _ => {}
            }
        }
    }
}

fn outcome(dice: &mut SeededDice) -> Outcome {
    let statuses = [200, 200, 404, 429, 500, 500, 502, 503, 504, 599];
    match dice.below(100) {
        0..70 => Outcome::Status(statuses[dice.below(10) as usize]),
        70..80 => Outcome::LocalFailure(LocalFailure::Connect),
        80..87 => Outcome::LocalFailure(LocalFailure::Timeout),
        87..94 => Outcome::LocalFailure(LocalFailure::Reset),
        _ => Outcome::Connected,
    }
}

/// Who is out after each of 100,000 tries is who the oracle says; how often somebody was ejected.
fn act_out(fields: &Fields) -> u64 {
    let hosts: Vec<Arc<Host>> =
        (0..10).map(|index| Arc::new(Host::new(endpoint(&format!("h{index}"), 0, ""), 0))).collect();
    let mut detector = OutlierDetector::new(&fields.written(), 0);
    let mut oracle =
        Oracle { fields: fields.clone(), hosts: vec![History::default(); hosts.len()], swept_ms: 0 };
    let mut dice = SeededDice::new(17);
    let (mut now_ms, mut ejections) = (0, 0);
    for step in 0..REQUESTS {
        now_ms += dice.below(100);
        detector.sweep(hosts.iter(), now_ms);
        oracle.sweep(now_ms);
        let index = dice.below(10) as usize;
        // Runs of one outcome, and quiet times, as failing and healthy networks have them.
        let told = match step / 500 % 4 {
            0 => outcome(&mut dice),
            1 if index < 4 => Outcome::Status(503),
            2 if index < 6 => Outcome::LocalFailure(LocalFailure::Connect),
            _ => Outcome::Status(200),
        };
        ejections += u64::from(detector.record(&hosts[index], told, hosts.len(), now_ms));
        oracle.tells(index, told, now_ms);
        let out: Vec<bool> = hosts.iter().map(|host| host.is_ejected()).collect();
        let expected: Vec<bool> = oracle.hosts.iter().map(|host| host.ejected_ms.is_some()).collect();
        assert_eq!(out, expected, "{fields:?}, step {step}, {now_ms} ms, {told:?} of h{index}");
    }
    ejections
}

#[test]
fn each_field_does_what_its_description_says() {
    let all = Fields { max_percent: Some(100), ..Fields::default() };
    let cases = [
        Fields::default(),
        all.clone(),
        Fields { consecutive_5xx: Some(1), ..all.clone() },
        Fields { consecutive_5xx: Some(20), ..all.clone() },
        Fields { consecutive_gateway: Some(3), consecutive_5xx: Some(0), ..all.clone() },
        Fields { consecutive_gateway: Some(2), consecutive_5xx: Some(7), ..all.clone() },
        Fields { split: true, ..all.clone() },
        Fields { split: true, consecutive_local: Some(2), ..all.clone() },
        Fields { split: true, consecutive_local: Some(0), consecutive_5xx: Some(3), ..all.clone() },
        // Without the split local failures are statuses, and their own count is not looked at.
        Fields { consecutive_local: Some(2), ..all.clone() },
        Fields { interval_ms: Some(500), base_ms: Some(1_000), ..all.clone() },
        Fields { interval_ms: Some(60_000), base_ms: Some(700_000), ..all.clone() },
        Fields { base_ms: Some(250_000), interval_ms: Some(1_000), consecutive_5xx: Some(2), ..all.clone() },
        Fields { max_percent: Some(0), ..all.clone() },
        Fields { max_percent: Some(30), ..all.clone() },
        Fields { codes: vec![429, 500], consecutive_5xx: Some(2), ..all.clone() },
        Fields { codes: vec![404, 503], consecutive_gateway: Some(2), ..all },
    ];
    for fields in cases {
        assert!(act_out(&fields) > 0, "{fields:?} ejects nobody: nothing was tested");
    }
    let off = Fields { consecutive_5xx: Some(0), max_percent: Some(100), ..Fields::default() };
    assert_eq!(act_out(&off), 0);
}
