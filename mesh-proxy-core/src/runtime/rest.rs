//! When changes that come one after another are taken in: once they have come to rest, and at the latest some time after
//! the first of them, so that changes without end are no reason to run what is old.

use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long nothing must change before what changed is read.
const REST: Duration = Duration::from_millis(200);
/// How long changes that do not end put off the next reading.
const PUT_OFF_MAX: Duration = Duration::from_millis(500);

/// When changes of which the first and the last came at these times are read.
fn due(first: Instant, last: Instant) -> Instant {
    (last + REST).min(first + PUT_OFF_MAX)
}

/// Waits for a change and those that follow it: whoever reads then reads them all. What comes later ends the next wait.
pub(super) async fn settled(changes: &Notify) {
    changes.notified().await;
    let first = Instant::now();
    let mut due_at = due(first, first);
    while tokio::time::timeout_at(due_at.into(), changes.notified()).await.is_ok() {
        let now = Instant::now();
        // Who is told at every turn never runs out of time: the timer is asked last.
        if now >= due_at {
            return;
        }
        due_at = due(first, now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// By made-up times: changes every tenth of a millisecond for ten seconds, read whenever that is due.
    #[test]
    fn c02_ten_thousand_changes_a_second_are_read_twice_a_second_and_none_is_missed() {
        let start = Instant::now();
        let at = |change: u32| start + Duration::from_micros(100) * change;
        let (mut readings, mut read_up_to, mut change) = (0, 0, 0);
        while change < 100_000 {
            let first = at(change);
            let mut last = first;
            while change < 100_000 && at(change) < due(first, last) {
                last = at(change);
                change += 1;
            }
            let read_at = due(first, last);
            assert!(read_at - first <= PUT_OFF_MAX, "the first waited {:?}", read_at - first);
            assert!(read_at >= last, "read before the last of them");
            (readings, read_up_to) = (readings + 1, change);
        }
        assert_eq!(read_up_to, 100_000);
        assert_eq!(readings, 20);
    }

    #[test]
    fn one_change_is_read_when_it_has_rested() {
        let first = Instant::now();
        assert_eq!(due(first, first), first + REST);
        let second = first + Duration::from_millis(150);
        assert_eq!(due(first, second), second + REST);
        let late = first + Duration::from_millis(499);
        assert_eq!(due(first, late), first + PUT_OFF_MAX);
    }

    #[tokio::test]
    async fn c02_a_storm_is_waited_out_for_a_while_only() {
        let changes = Arc::new(Notify::new());
        let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let storm = std::thread::spawn({
            let (changes, stop, told) = (Arc::clone(&changes), Arc::clone(&stop), Arc::clone(&told));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    changes.notify_one();
                    told.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        // A busy machine may be late; without a bound this never returns.
        for _ in 0..3 {
            let waited = tokio::time::timeout(Duration::from_secs(20), settled(&changes)).await;
            assert!(waited.is_ok(), "the storm put the reading off for ever");
        }
        stop.store(true, Ordering::Relaxed);
        storm.join().unwrap();
        assert!(told.load(Ordering::Relaxed) >= 10_000);
        // One change after the storm is read too, and then there is nothing more to wait for.
        changes.notify_one();
        tokio::time::timeout(Duration::from_secs(20), settled(&changes)).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(1), settled(&changes)).await.is_err());
    }
}
