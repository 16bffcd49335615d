//! Milliseconds since the process began: what the state machines count in. Never goes back.

use std::sync::OnceLock;
use std::time::Instant;

/// Now.
pub(crate) fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}
