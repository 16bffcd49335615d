//! The calendar is turned and the clock of the system has an offset: what is waited for goes by the time that passes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::get;
use crate::fixture::door;
use crate::process::Process;
use crate::upstream::Upstream;

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A second for an answer that takes two: 504, after a second, whatever the calendar does meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z01_a_calendar_that_is_turned_changes_no_timeout() {
    if !Path::new(FAKETIME).is_file() {
        eprintln!("skipped: libfaketime is not installed");
        return;
    }
    let upstream = Upstream::start("reviews").await;
    let turned = std::env::temp_dir().join(format!("mesh-calendar-{}", std::process::id()));
    std::fs::write(&turned, "+0").unwrap();
    let limit = format!(
        "export LD_PRELOAD={FAKETIME} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1; ",
        turned.display()
    );
    let text = door(
        "  - timeout: 1s\n    retries: {attempts: 0}\n    \
         route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n",
    );
    let log = std::env::temp_dir().join(format!("mesh-calendar-log-{}", std::process::id()));
    let more = [
        "--access-log",
        log.to_str().unwrap(),
        "--access-log-format",
        "%START_TIME(%Y)% %RESPONSE_CODE% %DURATION%",
    ];
    let Some(process) = Process::start_with("z01", &text, upstream.address, &limit, &more) else { return };
    for to in ["+1d", "-1d", "+3650d", "-3650d", "@1970-01-01 00:00:05", "@2038-01-19 03:14:06", "-1h", "+0"]
    {
        let address = process.address;
        let slow = tokio::spawn(async move {
            let began = Instant::now();
            (get(address, "a", "/slow").await.status, began.elapsed())
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        std::fs::write(&turned, to).unwrap();
        assert_eq!(get(address, "a", "/").await.status, 200, "{to}");
        let (status, took) = slow.await.unwrap();
        assert_eq!(status, 504, "{to}");
        assert!((Duration::from_millis(900)..Duration::from_millis(1_900)).contains(&took), "{to}: {took:?}");
    }
    let mut lines = Vec::new();
    for _ in 0..100 {
        lines = std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
        if lines.len() >= 16 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(lines.len(), 16, "{lines:?}");
    for line in &lines {
        let duration: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(duration < 1_900, "{line}");
    }
    for year in ["1970", "2038"] {
        assert!(lines.iter().any(|line| line.starts_with(year)), "{year}: {lines:?}");
    }
    std::fs::remove_file(&turned).unwrap();
    std::fs::remove_file(&log).unwrap();
}

/// Uptimes of three years and of a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z02_an_offset_of_the_clock_that_only_goes_on_changes_nothing() {
    let can = Command::new("unshare").args(["--time", "--monotonic", "10", "--fork", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no time namespaces here");
        return;
    }
    let upstream = Upstream::start("reviews").await;
    for seconds in ["100000000", "-1"] {
        let limit = format!(
            "exec unshare --time --monotonic {seconds} --boottime {seconds} --fork --kill-child \"$0\" \"$@\"; "
        );
        let text = door(
            "  - timeout: 500ms\n    retries: {attempts: 0}\n    \
             route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n",
        );
        let name = format!("z02-{seconds}");
        let Some(process) = Process::start_with(&name, &text, upstream.address, &limit, &[]) else { return };
        for _ in 0..3 {
            assert_eq!(get(process.address, "a", "/").await.status, 200);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let began = Instant::now();
        assert_eq!(get(process.address, "a", "/slow").await.status, 504);
        assert!((400..1_500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }
}
