//! One endpoint of a cluster, with what is known of it while the proxy runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mesh_compile::proxy::cluster::ClusterEndpoint;

/// An endpoint and its state. Shared by all requests; the state is atomic, so nobody waits for it.
/// Spec: Envoy, upstream/host_description.h; what its state is for is T-276 and T-311.
#[derive(Debug)]
pub struct Host {
    /// What the configuration says of it.
    pub endpoint: ClusterEndpoint,
    /// When it became a member, in milliseconds; slow start counts from here (T-250).
    pub since_ms: u64,
    /// Outlives a change of settings: requests that began before it end after it.
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    active: AtomicU32,
    ejected: AtomicBool,
}

impl Host {
    /// A host that becomes a member now.
    pub fn new(endpoint: ClusterEndpoint, now_ms: u64) -> Self {
        Self { endpoint, since_ms: now_ms, state: Arc::default() }
    }

    /// The same host under changed settings: it keeps its requests, its ejection and its age.
    pub(super) fn moved(&self, endpoint: ClusterEndpoint) -> Self {
        Self { endpoint, since_ms: self.since_ms, state: Arc::clone(&self.state) }
    }

    /// Whether requests are sent to it outside panic mode: ready, and not ejected.
    pub fn is_healthy(&self) -> bool {
        self.endpoint.healthy && !self.is_ejected()
    }

    /// Whether outlier detection has taken it out.
    pub fn is_ejected(&self) -> bool {
        self.state.ejected.load(Ordering::Relaxed)
    }

    /// Takes it out, or lets it in again.
    pub(super) fn set_ejected(&self, ejected: bool) {
        self.state.ejected.store(ejected, Ordering::Relaxed);
    }

    /// Requests it is working on.
    pub fn active(&self) -> u32 {
        self.state.active.load(Ordering::Relaxed)
    }

    /// A request was sent to it.
    pub fn begin(&self) {
        self.state.active.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that was sent to it has ended.
    pub fn end(&self) {
        // More ends than begins are the caller's mistake; they must not wrap to four billion requests.
        let less = |active: u32| active.checked_sub(1);
        let _ = self.state.active.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
