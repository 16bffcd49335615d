//! Upstream connections of a cluster: opened, kept, shared.

mod open;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use foldhash::HashMap;
use mesh_compile::proxy::cluster::Cluster;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use self::open::open;
pub(crate) use self::open::{Opened, connect_bytes};
use super::http1_upstream::{Http1, is_ready};
use super::http2_upstream::{Stream, Use};
use super::proxy::Inner;
use super::shared::{Found, Making, Shared};
use super::tls::upstream::Offer;
use crate::seam::clock::Clock;

/// Idle connections kept for one endpoint.
const IDLE_MAX: usize = 128;
/// How long an idle HTTP/1 connection is kept where the cluster says nothing.
const IDLE_DEFAULT: Duration = Duration::from_secs(60);

/// The same for HTTP/2 (Envoy's default).
const SHARED_IDLE_DEFAULT: Duration = Duration::from_secs(3600);

/// Why no upstream answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no healthy upstream")]
    NoHealthyUpstream,
    #[error("overflow")]
    Overflow,
    #[error("connection failure: {0}")]
    Connect(String),
    #[error("connection timeout")]
    ConnectTimeout,
    /// No connection took the request.
    #[error("the stream was refused")]
    Refused,
    /// The upstream has reset the stream; `refused`: and has not looked at the request.
    #[error("remote reset")]
    RemoteReset { refused: bool },
    #[error("connection termination: {0}")]
    Reset(String),
    #[error("protocol error: {0}")]
    Protocol(String),
    #[error("upstream per try timeout")]
    PerTryTimeout,
    #[error("upstream request timeout")]
    Timeout,
    #[error("the client stopped sending its request")]
    ClientIdle,
    #[error("path or authority cannot be written")]
    NotWritable,
}

/// Which connections may carry a request: same endpoint, same identity towards it, same protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) address: Arc<str>,
    /// Server name; `None`: plaintext.
    pub(crate) tls: Option<Arc<str>>,
    pub(crate) protocol: Protocol,
    /// A PROXY protocol header in front: only its own client's requests follow it.
    pub(crate) preface: Option<Bytes>,
}

/// The protocol towards an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Http1,
    Http2,
    /// What the upstream picks.
    ByAlpn,
}

/// The connections of one cluster.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<Key, Vec<Idle>>>,
    shared: Shared,
    connections: Option<Arc<Semaphore>>,
    waiting: Option<Arc<Semaphore>>,
    /// Told of every connection that is given back.
    returned: Arc<Notify>,
    clock: Arc<dyn Clock>,
    idle_max_ms: u64,
    limits: Use,
    connect_timeout: Duration,
}

#[derive(Debug)]
struct Idle {
    connection: Http1,
    since_ms: u64,
}

/// A connection for one request.
#[derive(Debug)]
pub(crate) enum Checkout {
    Http1(Http1, /* used before */ bool),
    Http2(Stream),
}

/// What a request that finds no idle connection gets.
enum Room {
    Kept(Http1),
    /// To make a connection in; `None`: they are not counted.
    Place(Option<OwnedSemaphorePermit>),
}

impl Pool {
    pub(crate) fn new(cluster: &Cluster, clock: Arc<dyn Clock>) -> Self {
        let millis = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        let semaphore = |limit: Option<u32>| limit.map(|limit| Arc::new(Semaphore::new(limit as usize)));
        let positive = |setting: Option<i64>| setting.map(millis).filter(|time| !time.is_zero());
        let requests = cluster.http.max_requests_per_connection.filter(|max| *max > 0).unwrap_or(u32::MAX);
        let idle = positive(cluster.http.idle_timeout_ms);
        Self {
            idle: Mutex::default(),
            shared: Shared::new(in_millis(idle.unwrap_or(SHARED_IDLE_DEFAULT))),
            connections: semaphore(cluster.limits.max_connections),
            waiting: semaphore(cluster.limits.max_pending_requests),
            returned: Arc::default(),
            clock,
            idle_max_ms: in_millis(idle.unwrap_or(IDLE_DEFAULT)),
            limits: Use::of(
                cluster,
                requests,
                positive(cluster.http.max_connection_duration_ms).map(in_millis),
            ),
            connect_timeout: if cluster.connect_timeout_ms > 0 {
                millis(cluster.connect_timeout_ms)
            } else {
                Duration::from_secs(10)
            },
        }
    }

    /// A connection that can take a request now.
    ///
    /// # Errors
    /// None can be made.
    pub(crate) async fn checkout(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
    ) -> Result<Checkout, Failure> {
        match key.protocol {
            Protocol::Http1 => {
                while let Some(mut kept) = self.take(key) {
                    if is_ready(&mut kept).await {
                        return Ok(Checkout::Http1(kept, true));
                    }
                }
                self.open_http1(proxy, cluster, key, tls).await
            }
            Protocol::Http2 | Protocol::ByAlpn => self.share(proxy, cluster, key, tls).await,
        }
    }

    /// Takes a connection back once its answer was read to the end.
    pub(crate) fn give_back(&self, key: Key, mut connection: Http1) {
        connection.requests += 1;
        let now = self.clock.now_ms();
        if connection.is_closed()
            || connection.requests >= self.limits.requests
            || self.is_too_old(&connection, now)
        {
            // Its place is free for whoever waits for one.
            return;
        }
        // Those that were idle for too long are found when they are taken, or by the next sweep.
        let mut idle = self.lock();
        let kept = idle.entry(key).or_default();
        if kept.len() < IDLE_MAX {
            kept.push(Idle { connection, since_ms: now });
        }
        drop(idle);
        self.returned.notify_waiters();
    }

    /// Closes what has been idle for too long, and shared connections that are one client's alone.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now_ms();
        let mut idle = self.lock();
        for kept in idle.values_mut() {
            kept.retain_mut(|idle| {
                now.saturating_sub(idle.since_ms) < self.idle_max_ms
                    && !self.is_too_old(&idle.connection, now)
                    && !idle.connection.is_found_closed()
            });
        }
        idle.retain(|_, kept| !kept.is_empty());
        drop(idle);
        self.shared.sweep(now);
    }

    /// Lets go of connections to addresses that are not the cluster's any more; requests on them go on.
    pub(crate) fn keep(&self, is_known: impl Fn(&str) -> bool) {
        self.lock().retain(|key, _| is_known(&key.address));
        self.shared.keep(|key| is_known(&key.address));
    }

    fn is_too_old(&self, connection: &Http1, now_ms: u64) -> bool {
        self.limits.life_ms.is_some_and(|life| now_ms.saturating_sub(connection.born) >= life)
    }

    fn take(&self, key: &Key) -> Option<Http1> {
        let mut idle = self.lock();
        let kept = idle.get_mut(key)?;
        let now = self.clock.now_ms();
        while let Some(last) = kept.pop() {
            let is_idle_too_long = now.saturating_sub(last.since_ms) >= self.idle_max_ms;
            let is_fresh = !is_idle_too_long && !self.is_too_old(&last.connection, now);
            if is_fresh && !last.connection.is_closed() {
                return Some(last.connection);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open_http1(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
    ) -> Result<Checkout, Failure> {
        let place = match self.room(key).await? {
            Room::Kept(kept) => return Ok(Checkout::Http1(kept, true)),
            Room::Place(place) => place,
        };
        let opened = self.connect(proxy, cluster, key, tls).await?;
        Ok(Checkout::Http1(Http1::new(opened.stream, opened.ends, place, self.clock.now_ms()), false))
    }

    /// A place among the cluster's connections, or one that somebody gives back; waits for either while others may
    /// wait too.
    async fn room(&self, key: &Key) -> Result<Room, Failure> {
        let Some(connections) = &self.connections else { return Ok(Room::Place(None)) };
        let _waiting = match Arc::clone(connections).try_acquire_owned() {
            Ok(place) => return Ok(Room::Place(Some(place))),
            Err(_) => match &self.waiting {
                Some(waiting) => Some(waiting.try_acquire().map_err(|_| Failure::Overflow)?),
                None => None,
            },
        };
        let mut acquiring = pin!(Arc::clone(connections).acquire_owned());
        loop {
            let returned = self.returned.notified();
            if let Some(mut kept) = self.take(key)
                && is_ready(&mut kept).await
            {
                return Ok(Room::Kept(kept));
            }
            // One that is idle elsewhere, or for somebody else, makes room.
            self.close_one_idle();
            tokio::select! {
                place = &mut acquiring => return place.map(Some).map(Room::Place).map_err(|_| Failure::Overflow),
                () = returned => {}
            }
        }
    }

    fn close_one_idle(&self) {
        let mut idle = self.lock();
        if let Some(kept) = idle.values_mut().find(|kept| !kept.is_empty()) {
            kept.pop();
            return;
        }
        drop(idle);
        self.shared.close_one_idle();
    }

    /// A place on an HTTP/2 connection, which is made where none has one; where the upstream picks HTTP/1, one of those.
    async fn share(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
    ) -> Result<Checkout, Failure> {
        let deadline = tokio::time::Instant::now() + self.connect_timeout;
        let (mut waiting, mut place) = (None, None);
        loop {
            // Before the look: what is returned after it must be heard of.
            let returned = self.returned.notified();
            match self.shared.look(key, self.connections.as_ref(), &mut place) {
                Found::Stream(stream) => return Ok(Checkout::Http2(stream)),
                Found::Http1 => return self.open_by_alpn(proxy, cluster, key, tls).await,
                Found::Nothing(making) => {
                    return self.make(proxy, cluster, key, tls, making, place.take()).await;
                }
                Found::UnderWay(mut told) => {
                    tokio::select! {
                        outcome = told.wait_for(Option::is_some) => {
                            // Where whoever made it was gone before it was made, somebody else begins anew.
                            if let Ok(outcome) = outcome && let Some(Err(failure)) = &*outcome {
                                return Err(failure.clone());
                            }
                        }
                        () = returned => {}
                        () = tokio::time::sleep_until(deadline) => return Err(Failure::ConnectTimeout),
                    }
                }
                Found::Full => {
                    if waiting.is_none() {
                        waiting = match &self.waiting {
                            Some(limit) => Some(Some(limit.try_acquire().map_err(|_| Failure::Overflow)?)),
                            None => Some(None),
                        };
                    }
                    self.close_one_idle();
                    let Some(connections) = &self.connections else { continue };
                    tokio::select! {
                        free = Arc::clone(connections).acquire_owned() => {
                            place = Some(free.map_err(|_| Failure::Overflow)?);
                        }
                        () = returned => {}
                    }
                }
            }
        }
    }

    /// Makes a shared connection, and tells those who wait for it.
    async fn make(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
        making: Making<'_>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Checkout, Failure> {
        let made = async {
            let opened = self.connect(proxy, cluster, key, tls).await?;
            if is_http1(key, opened.alpn.as_deref()) {
                let http1 = Http1::new(opened.stream, opened.ends, place, self.clock.now_ms());
                return Ok(Checkout::Http1(http1, false));
            }
            let returned = Arc::clone(&self.returned);
            let begun = super::http2_upstream::Http2::begin(
                (opened.stream, opened.ends),
                cluster,
                self.limits,
                place,
                returned,
                Arc::clone(&self.clock),
            );
            Box::pin(begun).await.map(Checkout::Http2)
        };
        let made = made.await;
        match &made {
            Ok(Checkout::Http2(stream)) => making.made(stream),
            Ok(Checkout::Http1(..)) => making.speaks_http1(),
            Err(failure) => making.failed(failure),
        }
        made
    }

    /// A connection to an upstream that picked HTTP/1 the last time; it may pick anew.
    async fn open_by_alpn(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
    ) -> Result<Checkout, Failure> {
        while let Some(mut kept) = self.take(key) {
            if is_ready(&mut kept).await {
                return Ok(Checkout::Http1(kept, true));
            }
        }
        let place = match self.room(key).await? {
            Room::Kept(kept) => return Ok(Checkout::Http1(kept, true)),
            Room::Place(place) => place,
        };
        let making = self.shared.make(key);
        self.make(proxy, cluster, key, tls, making, place).await
    }

    async fn connect(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
    ) -> Result<Opened, Failure> {
        // Handshakes are large and rare: requests on kept connections carry no room for them.
        let connecting = Box::pin(open(proxy, cluster, &key.address, key.preface.as_ref(), tls));
        tokio::time::timeout(self.connect_timeout, connecting).await.map_err(|_| Failure::ConnectTimeout)?
    }
}

fn in_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether an upstream that was to pick a protocol has picked HTTP/1.
fn is_http1(key: &Key, alpn: Option<&[u8]>) -> bool {
    key.protocol == Protocol::ByAlpn && alpn != Some(b"h2")
}
