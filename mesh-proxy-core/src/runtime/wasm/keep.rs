//! Timers of a module, and new instances in the place of broken ones.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::plugin::Loaded;
use super::vm::Vm;
use crate::runtime::proxy::Inner;

/// A broken instance that may not be made anew yet is looked after again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Looks after the instances of a module until it is no longer in service, or the proxy stops.
pub(super) async fn keep(proxy: Weak<Inner>, loaded: Weak<Loaded>) {
    // By the address of an instance: when its timer is due.
    let mut due: HashMap<usize, Instant> = HashMap::new();
    loop {
        let (Some(inner), Some(module)) = (proxy.upgrade(), loaded.upgrade()) else { return };
        if module.running().any(|running| running.is_broken()) {
            let restarting = Arc::clone(&module);
            if tokio::task::spawn_blocking(move || restarting.restart()).await.is_err() {
                return;
            }
        }
        let next = tick(&inner, &module, &mut due);
        let is_broken = module.running().any(|running| running.is_broken());
        let wait = if is_broken { next.min(LOOK_AGAIN) } else { next };
        let (woken, stop) = (Arc::clone(&module.woken), inner.draining.clone());
        // A module that is no longer wanted is not kept for its timer's sake.
        drop((inner, module));
        tokio::select! {
            () = stop.cancelled() => return,
            () = woken.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Tells instances whose timer is due; how long there is nothing more to tell.
fn tick(proxy: &Arc<Inner>, module: &Loaded, due: &mut HashMap<usize, Instant>) -> Duration {
    const LONGEST: Duration = Duration::from_secs(60);
    let now = Instant::now();
    let mut wait = LONGEST;
    let mut kept = HashMap::new();
    for running in module.running() {
        let address = Arc::as_ptr(&running).addr();
        let Some(period) = running.with(proxy, |vm| vm.tick_period()) else { continue };
        let mut at = due.get(&address).copied().unwrap_or(now + period).min(now + period);
        if at <= now {
            running.with(proxy, Vm::tick);
            // What was missed is not made up for.
            at = now + period;
        }
        wait = wait.min(at.saturating_duration_since(now));
        kept.insert(address, at);
    }
    *due = kept;
    wait
}
