//! Ejection and return, one rule a test.

use mesh_compile::proxy::cluster::ClusterEndpoint;

use super::*;

fn hosts(count: usize) -> Vec<Arc<Host>> {
    let endpoint = |index: usize| ClusterEndpoint::at(format!("10.0.0.{index}:80"));
    (0..count).map(|index| Arc::new(Host::new(endpoint(index), 0))).collect()
}

fn written(settings: &[(&'static str, i64)]) -> Outlier {
    Outlier { settings: settings.iter().copied().collect(), ..Outlier::default() }
}

/// Records an outcome so many times; after how many the host was out.
fn until_ejected(
    detector: &mut OutlierDetector,
    host: &Host,
    outcome: Outcome,
    times: usize,
) -> Option<usize> {
    (1..=times).find(|_| detector.record(host, outcome, 10, 0))
}

const FIVE_XX: Outcome = Outcome::Status(500);
const CONNECT: Outcome = Outcome::LocalFailure(LocalFailure::Connect);

#[test]
fn five_failures_in_a_row_eject_by_default() {
    let mut detector = OutlierDetector::new(&written(&[]), 0);
    let hosts = hosts(10);
    assert_eq!(until_ejected(&mut detector, &hosts[0], FIVE_XX, 9), Some(5));
    assert!(hosts[0].is_ejected() && !hosts[0].is_healthy());
}

#[test]
fn a_success_starts_the_count_again() {
    let mut detector = OutlierDetector::new(&written(&[]), 0);
    let hosts = hosts(10);
    for _ in 0..20 {
        assert_eq!(until_ejected(&mut detector, &hosts[0], FIVE_XX, 4), None);
        assert!(!detector.record(&hosts[0], Outcome::Status(404), 10, 0));
    }
}

#[test]
fn zero_switches_a_count_off() {
    let off = written(&[("consecutive5xx", 0), ("enforcing_consecutive5xx", 0)]);
    let hosts = hosts(10);
    assert_eq!(until_ejected(&mut OutlierDetector::new(&off, 0), &hosts[0], FIVE_XX, 50), None);
}

#[test]
fn gateway_errors_are_looked_at_only_when_asked_for() {
    let asked = written(&[
        ("consecutive_gateway_failure", 2),
        ("enforcing_consecutive_gateway_failure", 100),
        ("consecutive5xx", 0),
        ("enforcing_consecutive5xx", 0),
    ]);
    for (outcome, expected) in [
        (Outcome::Status(502), Some(2)),
        (Outcome::Status(503), Some(2)),
        (Outcome::Status(504), Some(2)),
        (Outcome::Status(500), None),
        (CONNECT, Some(2)),
    ] {
        let hosts = hosts(10);
        let mut detector = OutlierDetector::new(&asked, 0);
        assert_eq!(until_ejected(&mut detector, &hosts[0], outcome, 9), expected, "{outcome:?}");
    }
}

#[test]
fn local_failures_count_apart_when_split() {
    let mut apart = written(&[
        ("consecutive5xx", 3),
        ("enforcing_consecutive5xx", 100),
        ("consecutive_local_origin_failure", 2),
        ("enforcing_consecutive_local_origin_failure", 100),
    ]);
    let mut together = OutlierDetector::new(&apart, 0);
    assert_eq!(until_ejected(&mut together, &hosts(10)[0], CONNECT, 9), Some(3));
    apart.split_external_local_origin_errors = true;
    let mut detector = OutlierDetector::new(&apart, 0);
    let hosts = hosts(10);
    assert_eq!(until_ejected(&mut detector, &hosts[0], CONNECT, 9), Some(2));
    assert!(!detector.record(&hosts[1], CONNECT, 10, 0));
    assert!(!detector.record(&hosts[1], Outcome::Connected, 10, 0));
    assert!(!detector.record(&hosts[1], CONNECT, 10, 0), "a connection starts the count again");
}

#[test]
fn written_codes_take_the_place_of_5xx() {
    let codes = Outlier { http_error_codes: vec!["429".into()], ..written(&[]) };
    let hosts = hosts(10);
    let mut detector = OutlierDetector::new(&codes, 0);
    assert_eq!(until_ejected(&mut detector, &hosts[0], FIVE_XX, 9), None);
    assert_eq!(until_ejected(&mut detector, &hosts[0], Outcome::Status(429), 9), Some(5));
}

#[test]
fn one_host_may_go_whatever_the_share_and_no_more() {
    let mut detector = OutlierDetector::new(&written(&[("max_ejection_percent", 1)]), 0);
    let hosts = hosts(4);
    let mut out = 0;
    for host in &hosts {
        out += (0..5).filter(|_| detector.record(host, FIVE_XX, 4, 0)).count();
    }
    assert_eq!((out, detector.ejected()), (1, 1));
}

#[test]
fn the_share_is_a_bound() {
    let mut detector = OutlierDetector::new(&written(&[("max_ejection_percent", 50)]), 0);
    let hosts = hosts(4);
    for host in &hosts {
        for _ in 0..5 {
            detector.record(host, FIVE_XX, 4, 0);
        }
    }
    assert_eq!(detector.ejected(), 2);
}

#[test]
fn ejections_last_longer_each_time_and_shrink_when_quiet() {
    let settings = [("interval_ms", 1_000), ("base_ejection_time_ms", 10_000)];
    let mut detector = OutlierDetector::new(&written(&settings), 0);
    let hosts = hosts(10);
    let mut now = 0;
    let mut lengths = Vec::new();
    for _ in 0..3 {
        (0..5).for_each(|_| _ = detector.record(&hosts[0], FIVE_XX, 10, now));
        let since = now;
        while hosts[0].is_ejected() {
            now += 1_000;
            detector.sweep(hosts.iter(), now);
        }
        lengths.push(now - since);
    }
    assert_eq!(lengths, [10_000, 20_000, 30_000]);
    // Three quiet intervals later it is as if nothing had been.
    for _ in 0..4 {
        now += 1_000;
        detector.sweep(hosts.iter(), now);
    }
    (0..5).for_each(|_| _ = detector.record(&hosts[0], FIVE_XX, 10, now));
    detector.sweep(hosts.iter(), now + 9_000);
    assert!(hosts[0].is_ejected());
    detector.sweep(hosts.iter(), now + 10_000);
    assert!(!hosts[0].is_ejected());
}

#[test]
fn a_host_that_left_is_forgotten() {
    let mut detector = OutlierDetector::new(&written(&[]), 0);
    let all = hosts(3);
    (0..5).for_each(|_| _ = detector.record(&all[0], FIVE_XX, 3, 0));
    assert_eq!(detector.ejected(), 1);
    detector.sweep(all.iter().skip(1), 10_000);
    assert_eq!(detector.ejected(), 0);
}
