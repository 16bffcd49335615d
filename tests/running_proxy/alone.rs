//! Tests that must be alone in their process: they look at all of its memory, or live under another clock.

use std::process::Stdio;
use std::time::{Duration, Instant};

/// Runs a test again in a process of its own, under these variables and for a minute at most; `true`: this is that
/// process, and the caller is to go on.
pub fn is_alone(test: &str, variables: &[(&str, String)]) -> bool {
    is_alone_through(&[], test, variables)
}

/// The same through another command (`ip netns exec NAME`).
pub fn is_alone_through(through: &[&str], test: &str, variables: &[(&str, String)]) -> bool {
    const MARK: &str = "MESH_TEST_ALONE";
    if std::env::var(MARK).is_ok_and(|alone| alone == test) {
        return true;
    }
    let own = std::env::current_exe().unwrap();
    let words = through.iter().map(std::ffi::OsStr::new).chain([own.as_os_str()]).collect::<Vec<_>>();
    let mut child = std::process::Command::new(words[0])
        .args(&words[1..])
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
