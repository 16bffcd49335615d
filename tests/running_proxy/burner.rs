//! The program `gateway` on one core that another program burns. Skipped where it was not built, or where no core can be
//! chosen.

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::client::get;
use crate::fixture::door;
use crate::process::{Held, Process, cpu};
use crate::upstream::Upstream;

const ROUTE: &str = "  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";

/// A program that does nothing, as fast as it can, until it is dropped.
struct Burner(Child);

impl Burner {
    fn start(core: &str) -> Option<Self> {
        let burner = Command::new("taskset").args(["-c", core, "bash", "-c", "while :; do :; done"]).spawn();
        burner.ok().map(Self)
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The slowest but one of a hundred answers, over some time.
async fn p99(address: SocketAddr, time: Duration) -> Duration {
    let (started, mut took) = (Instant::now(), Vec::new());
    while started.elapsed() < time {
        let asked = Instant::now();
        assert_eq!(get(address, "a", "/").await.status, 200);
        took.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort_unstable();
    assert!(took.len() > 20, "{} requests show nothing", took.len());
    took[took.len() * 99 / 100]
}

/// The first core that this process may run on; `None`: it cannot be told.
fn core() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let first = allowed.split([',', '-']).next()?.to_owned();
    Command::new("taskset")
        .args(["-c", &first, "true"])
        .status()
        .is_ok_and(|status| status.success())
        .then_some(first)
}

/// Beside a burner every request is served, and soon after it has gone as fast as before; timers do not pile up meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x04_a_core_that_another_program_burns_is_shared_and_all_is_well_afterwards() {
    let Some(core) = core() else { return eprintln!("skipped: no core can be chosen here") };
    let upstream = Upstream::start("reviews").await;
    let limit = format!("taskset -cp {core} $$ >/dev/null && ");
    let Some(process) = Process::start_with("x04-burner", &door(ROUTE), upstream.address, &limit, &[]) else {
        return;
    };
    // Each of these has its timers.
    let mut held = Held::open(process.address).await;
    let before = p99(process.address, Duration::from_secs(2)).await;
    let burners: Vec<_> = (0..2).filter_map(|_| Burner::start(&core)).collect();
    assert_eq!(burners.len(), 2);
    let beside = p99(process.address, Duration::from_secs(4)).await;
    drop(burners);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = p99(process.address, Duration::from_secs(2)).await;
    println!("p99: {before:?} before, {beside:?} beside two burners, {after:?} two seconds after");
    assert!(beside < Duration::from_secs(2), "{beside:?} beside the burners");
    // Other tests run beside this one: a few milliseconds more or less are theirs.
    assert!(after < before * 3 + Duration::from_millis(100), "{before:?}, then {after:?}");
    let used = cpu(&process);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = cpu(&process) - used;
    assert!(idle < 0.3, "{idle} s of CPU in a second without work");
    held.ask().await;
}
