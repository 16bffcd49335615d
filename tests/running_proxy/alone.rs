//! Tests that must be alone in their process: they look at all of its memory, or live under another clock.

use std::process::Stdio;
use std::time::{Duration, Instant};

/// Runs a test again in a process of its own, under these variables and for a minute at most; `true`: this is that
/// process, and the caller is to go on.
pub fn is_alone(test: &str, variables: &[(&str, String)]) -> bool {
    const MARK: &str = "MESH_TEST_ALONE";
    if std::env::var(MARK).is_ok_and(|alone| alone == test) {
        return true;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads", "1"])
        .env(MARK, test)
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .stdout(Stdio::inherit())
        .spawn()
        .unwrap();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{test} failed in a process of its own");
            return false;
        }
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{test} did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The most memory that this process ever had, in bytes.
pub fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
