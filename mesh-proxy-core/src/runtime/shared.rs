//! The HTTP/2 connections of a cluster: which one has a place for a request, and who is making another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::http2_upstream::{Http2, Room, Stream};
use super::pool::{Failure, Key};

/// Connections that nobody uses, of one cluster: those that have been idle for longest are closed beyond that. Clients
/// may choose for how many names there are connections.
const IDLE_MAX: usize = 1024;
/// Requests that a connection is taken to have places for before the first of a key was made.
const STREAMS_ASSUMED: u32 = 1024;

/// The connections that requests share.
#[derive(Debug)]
pub(super) struct Shared {
    groups: Mutex<HashMap<Key, Group>>,
    idle_max_ms: u64,
}

/// Those of one key.
#[derive(Debug)]
struct Group {
    connections: Vec<Arc<Http2>>,
    attempts: Vec<Attempt>,
    /// Requests at once that the last of them took.
    streams: u32,
    /// The upstream, asked to pick, picked HTTP/1.
    speaks_http1: bool,
}

impl Default for Group {
    fn default() -> Self {
        Self { connections: Vec::new(), attempts: Vec::new(), streams: STREAMS_ASSUMED, speaks_http1: false }
    }
}

/// What came of making a connection; `None`: nothing yet.
type Told = Option<Result<(), Failure>>;

/// A connection that is being made.
#[derive(Debug)]
struct Attempt {
    told: watch::Receiver<Told>,
    /// Requests that are to have a place on it.
    requests: u32,
}

/// What there is for a request.
pub(super) enum Found<'s> {
    Stream(Stream),
    /// The upstream speaks HTTP/1.
    Http1,
    /// A connection is being made that will have a place.
    UnderWay(watch::Receiver<Told>),
    /// All are full, and the cluster may have no more.
    Full,
    /// A connection is to be made.
    Nothing(Making<'s>),
}

/// The promise to make a connection; others wait for it. Dropped, it is taken back.
#[derive(Debug)]
pub(super) struct Making<'s> {
    shared: &'s Shared,
    key: Key,
    tell: watch::Sender<Told>,
}

impl Shared {
    pub(super) fn new(idle_max_ms: u64) -> Self {
        Self { groups: Mutex::default(), idle_max_ms }
    }

    /// Looks for a place. `limit`: how many connections the cluster may have; `place`: one of those that is at hand, or
    /// is now. As in Envoy an upstream has one connection even where others have used the limit up: requests would
    /// wait for each other.
    pub(super) fn look(
        &self,
        key: &Key,
        limit: Option<&Arc<Semaphore>>,
        place: &mut Option<OwnedSemaphorePermit>,
    ) -> Found<'_> {
        let mut groups = self.lock();
        let group = groups.entry(key.clone()).or_default();
        if let Some(stream) = group.reserve() {
            return Found::Stream(stream);
        }
        if group.speaks_http1 {
            return Found::Http1;
        }
        if let Some(attempt) = group.attempts.iter_mut().find(|attempt| attempt.requests < group.streams) {
            attempt.requests += 1;
            return Found::UnderWay(attempt.told.clone());
        }
        if let Some(limit) = limit
            && place.is_none()
        {
            *place = Arc::clone(limit).try_acquire_owned().ok();
            let has_none = group.connections.is_empty() && group.attempts.is_empty();
            if place.is_none() && !has_none {
                return Found::Full;
            }
        }
        Found::Nothing(self.begin(key, group))
    }

    /// Promises a connection that nobody asked for.
    pub(super) fn make(&self, key: &Key) -> Making<'_> {
        let mut groups = self.lock();
        let group = groups.entry(key.clone()).or_default();
        self.begin(key, group)
    }

    fn begin(&self, key: &Key, group: &mut Group) -> Making<'_> {
        let (tell, told) = watch::channel(None);
        group.attempts.push(Attempt { told, requests: 1 });
        Making { shared: self, key: key.clone(), tell }
    }

    /// Closes what has been idle for too long, is over, or was one client's alone and is not used.
    pub(super) fn sweep(&self, now_ms: u64) {
        self.lock().retain(|key, group| {
            group.connections.retain(|connection| {
                let is_spent = |since_ms: u64| {
                    key.preface.is_some() || now_ms.saturating_sub(since_ms) >= self.idle_max_ms
                };
                !connection.is_over() && !connection.idle_since().is_some_and(is_spent)
            });
            !group.connections.is_empty() || !group.attempts.is_empty()
        });
    }

    /// Lets go of the connections of other keys; requests on them go on.
    pub(super) fn keep(&self, is_kept: impl Fn(&Key) -> bool) {
        self.lock().retain(|key, _| is_kept(key));
    }

    /// Closes the connection that has been idle for longest, if one is.
    pub(super) fn close_one_idle(&self) {
        close_longest_idle(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn close_longest_idle(groups: &mut HashMap<Key, Group>) {
    let connections = groups.values().flat_map(|group| &group.connections);
    let idle = connections.filter_map(|connection| Some((connection.idle_since()?, Arc::clone(connection))));
    let Some((_, longest)) = idle.min_by_key(|(since, _)| *since) else { return };
    for group in groups.values_mut() {
        group.connections.retain(|connection| !Arc::ptr_eq(connection, &longest));
    }
}

impl Group {
    /// A place on one of the connections; those that are over are let go.
    fn reserve(&mut self) -> Option<Stream> {
        let mut found = None;
        self.connections.retain(|connection| {
            if found.is_some() {
                return true;
            }
            match connection.reserve() {
                Room::Place(stream, more) => {
                    found = Some(stream);
                    more
                }
                Room::Full => true,
                Room::Over => false,
            }
        });
        found
    }
}

impl Making<'_> {
    /// It is there. The caller has a place on it already.
    pub(super) fn made(self, stream: &Stream) {
        let connection = stream.connection();
        let mut groups = self.shared.lock();
        let total: usize = groups.values().map(|group| group.connections.len()).sum();
        if total >= IDLE_MAX {
            close_longest_idle(&mut groups);
        }
        let group = groups.entry(self.key.clone()).or_default();
        group.streams = connection.streams_max().max(1);
        group.speaks_http1 = false;
        if !connection.is_over() {
            group.connections.push(Arc::clone(connection));
        }
        drop(groups);
        self.tell.send_replace(Some(Ok(())));
    }

    /// It is there, and can be used by one request at a time.
    pub(super) fn speaks_http1(self) {
        self.shared.lock().entry(self.key.clone()).or_default().speaks_http1 = true;
        self.tell.send_replace(Some(Ok(())));
    }

    /// It cannot be made: who waits for it fails with it.
    pub(super) fn failed(self, failure: &Failure) {
        self.tell.send_replace(Some(Err(failure.clone())));
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.shared.lock().get_mut(&self.key) {
            let own = self.tell.subscribe();
            group.attempts.retain(|attempt| !attempt.told.same_channel(&own));
        }
    }
}
