//! Fetched keys of the configuration in force: fetched when due, put into force when they change (S-288 to S-297).
//!
//! The program's configuration has none; every generation is made of it and of the keys that are there. Nothing was ever
//! fetched for an issuer: its tokens are refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use mesh_authz::jwks_store::{Fetch, FetchProblem, IssuerState, JwksOptions, JwksStore};
use mesh_authz::request_authn::RemoteKeys;
use mesh_compile::proxy::ProxyConfig;
use tokio::sync::{Notify, Semaphore};

use super::live::{Generation, Retired};
use super::proxy::Inner;
use crate::seam::clock::Clock;
use crate::seam::key_fetch::KeyFetch;

/// Fetches under way at once: those that fail slowly take places from nobody before there are so many.
const FETCHES_MAX: usize = 256;

/// The configuration as the program gave it, and the keys for it.
#[derive(Debug)]
pub(crate) struct Keys {
    source: Box<dyn KeyFetch>,
    state: Mutex<State>,
    /// Something is due sooner, or something came.
    wake: Notify,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct State {
    base: Arc<ProxyConfig>,
    store: JwksStore,
    /// The revision of the store that the configuration in force has.
    in_force: u64,
}

impl Keys {
    pub(crate) fn new(
        source: Box<dyn KeyFetch>,
        options: JwksOptions,
        base: Arc<ProxyConfig>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut store = JwksStore::new(options);
        store.want(base.remote_keys(), clock.now_ms());
        let state = State { base, store, in_force: 0 };
        Self { source, state: Mutex::new(state), wake: Notify::new(), clock }
    }

    /// Puts another configuration of the program in force, with the keys that are there; the number of the generation.
    pub(crate) fn apply(&self, live: &ArcSwap<Generation>, retired: &Retired, config: ProxyConfig) -> u64 {
        let mut state = self.lock();
        state.base = Arc::new(config);
        let base = Arc::clone(&state.base);
        state.store.want(base.remote_keys(), self.now());
        let number = state.publish(live, retired);
        drop(state);
        self.wake.notify_one();
        number
    }

    /// A token named a key that none of these sets has: they are fetched soon, but not again and again.
    pub(crate) fn unknown_key<'k>(&self, sets: impl Iterator<Item = &'k RemoteKeys>) {
        let now = self.now();
        let mut state = self.lock();
        let mut is_due = false;
        for set in sets {
            is_due |= state.store.unknown_key(&set.issuer, &set.jwks_uri, now);
        }
        drop(state);
        if is_due {
            self.wake.notify_one();
        }
    }

    /// How every issuer stands, for the administration endpoint.
    pub(crate) fn states(&self) -> Vec<IssuerState> {
        self.lock().store.states().collect()
    }

    /// Milliseconds of a clock that never steps back (JK04).
    pub(crate) fn now(&self) -> u64 {
        self.clock.now_ms()
    }

    fn answered(&self, fetch: &Fetch, body: Result<&[u8], FetchProblem>) {
        let answer = self.lock().store.answered(&fetch.issuer, &fetch.jwks_uri, body, self.now());
        tracing::debug!(issuer = fetch.issuer, url = fetch.url, ?answer, "a fetch of keys has ended");
        self.wake.notify_one();
    }

    /// What is to be fetched now, and how long there is nothing more to do. Keys that have come or gone are put in force.
    fn turn(&self, live: &ArcSwap<Generation>, retired: &Retired) -> (Vec<Fetch>, Duration) {
        const LONGEST: u64 = 3_600_000;
        let now = self.now();
        let mut state = self.lock();
        state.store.expire(now);
        if state.store.revision() != state.in_force {
            state.publish(live, retired);
        }
        let due = state.store.due(now);
        let wait = state.store.next_due().map_or(LONGEST, |next| next.saturating_sub(now)).clamp(5, LONGEST);
        (due, Duration::from_millis(wait))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn publish(&mut self, live: &ArcSwap<Generation>, retired: &Retired) -> u64 {
        self.in_force = self.store.revision();
        let config = if self.base.remote_keys().next().is_none() {
            Arc::clone(&self.base)
        } else {
            let (keyed, report) = self.base.with_keys(&self.store);
            for problem in &report {
                tracing::debug!("{problem}");
            }
            Arc::new(keyed)
        };
        let next = live.load_full().next(config);
        let number = next.number;
        retired.keep(live.swap(Arc::new(next)));
        number
    }
}

/// Fetches whatever is due until a drain begins. Every issuer is fetched by a task of its own (JK03).
pub(crate) async fn run(proxy: Arc<Inner>) {
    let places = Arc::new(Semaphore::new(FETCHES_MAX));
    loop {
        // Keys that have come are put in force, which takes as long as a configuration is large.
        let turning = Arc::clone(&proxy);
        let turn = tokio::task::spawn_blocking(move || turning.keys.turn(&turning.live, &turning.retired));
        let Ok((due, wait)) = turn.await else { return };
        for fetch in due {
            let (proxy, places) = (Arc::clone(&proxy), Arc::clone(&places));
            tokio::spawn(async move {
                let Ok(_place) = places.acquire_owned().await else { return };
                let fetching = proxy.keys.source.fetch(&fetch);
                tokio::select! {
                    () = proxy.draining.cancelled() => {}
                    body = tokio::time::timeout(Duration::from_millis(fetch.timeout_ms), fetching) => {
                        let body = body.unwrap_or(Err(FetchProblem::Failed));
                        proxy.keys.answered(&fetch, body.as_deref().map_err(|problem| *problem));
                    }
                }
            });
        }
        tokio::select! {
            () = proxy.draining.cancelled() => return,
            () = proxy.keys.wake.notified() => {}
            () = proxy.clock.sleep(wait) => {}
        }
    }
}
