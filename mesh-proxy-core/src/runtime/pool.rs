//! Upstream connections of a cluster: opened, kept, shared.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::HashMap;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use mesh_compile::proxy::cluster::{Cluster, UpstreamTlsContext};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::body::Body;
use super::connection::Connection;
use super::http1_upstream::{Http1, is_ready};
use super::proxy::Inner;
use super::tls::upstream::Offer;
use crate::seam::dial::{BoxIo, Target};

/// Idle connections kept for one endpoint.
const IDLE_MAX: usize = 128;
/// How long an idle connection is kept where the cluster says nothing.
const IDLE_DEFAULT: Duration = Duration::from_secs(60);

/// Bytes of an answer that an HTTP/2 upstream may send before somebody takes them.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Streams whose answers nobody takes that a connection has room for: so many never hold the others up.
const STREAMS_MAX: u32 = 1024;

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
    /// The connection took the request and nothing of it was read.
    #[error("the stream was refused")]
    Refused,
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
    shared: Mutex<HashMap<Key, Shared>>,
    connections: Option<Arc<Semaphore>>,
    waiting: Option<Arc<Semaphore>>,
    /// Told of every connection that is given back.
    returned: Notify,
    idle_max: Duration,
    requests_max: u32,
    connect_timeout: Duration,
}

/// The HTTP/2 connection of a key, held while it is made so that it is made once.
type Shared = Arc<tokio::sync::Mutex<Option<http2::SendRequest<Body>>>>;

#[derive(Debug)]
struct Idle {
    connection: Http1,
    since: Instant,
}

/// A connection for one request.
#[derive(Debug)]
pub(crate) enum Checkout {
    Http1(Http1, /* used before */ bool),
    Http2(http2::SendRequest<Body>),
}

/// What a request that finds no idle connection gets.
enum Room {
    Kept(Http1),
    /// To make a connection in; `None`: they are not counted.
    Place(Option<OwnedSemaphorePermit>),
}

impl Pool {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let millis = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        let semaphore = |limit: Option<u32>| limit.map(|limit| Arc::new(Semaphore::new(limit as usize)));
        Self {
            idle: Mutex::default(),
            shared: Mutex::default(),
            connections: semaphore(cluster.limits.max_connections),
            waiting: semaphore(cluster.limits.max_pending_requests),
            returned: Notify::new(),
            idle_max: cluster
                .http
                .idle_timeout_ms
                .map(millis)
                .filter(|idle| !idle.is_zero())
                .unwrap_or(IDLE_DEFAULT),
            requests_max: cluster.http.max_requests_per_connection.filter(|max| *max > 0).unwrap_or(u32::MAX),
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
        if connection.is_closed() || connection.requests >= self.requests_max {
            return;
        }
        // Those that were idle for too long are found when they are taken, or by the next sweep.
        let since = Instant::now();
        let mut idle = self.lock();
        let kept = idle.entry(key).or_default();
        if kept.len() < IDLE_MAX {
            kept.push(Idle { connection, since });
        }
        drop(idle);
        self.returned.notify_waiters();
    }

    /// Closes what has been idle for too long, and shared connections that are one client's alone.
    pub(crate) fn sweep(&self) {
        let mut idle = self.lock();
        for kept in idle.values_mut() {
            kept.retain_mut(|idle| {
                idle.since.elapsed() < self.idle_max && !idle.connection.is_found_closed()
            });
        }
        idle.retain(|_, kept| !kept.is_empty());
        drop(idle);
        // Of one client each, they would pile up; requests on them hold what they need.
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|key, slot| Arc::strong_count(slot) > 1 || key.preface.is_none());
    }

    fn take(&self, key: &Key) -> Option<Http1> {
        let mut idle = self.lock();
        let kept = idle.get_mut(key)?;
        while let Some(last) = kept.pop() {
            if last.since.elapsed() < self.idle_max && !last.connection.is_closed() {
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
        let (stream, _) = self.connect(proxy, cluster, key, tls).await?;
        Ok(Checkout::Http1(Http1::new(stream, place), false))
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
        }
    }

    /// The one HTTP/2 connection of a key, made where there is none; where the upstream picks HTTP/1, one of those.
    async fn share(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
    ) -> Result<Checkout, Failure> {
        let slot = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(shared.entry(key.clone()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(sender) = slot.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(Checkout::Http2(sender.clone()));
        }
        if key.protocol == Protocol::ByAlpn {
            while let Some(mut kept) = self.take(key) {
                if is_ready(&mut kept).await {
                    return Ok(Checkout::Http1(kept, true));
                }
            }
        }
        let (stream, alpn) = self.connect(proxy, cluster, key, tls).await?;
        if key.protocol == Protocol::ByAlpn && alpn.as_deref() != Some(b"h2") {
            return Ok(Checkout::Http1(Http1::new(stream, None), false));
        }
        let sender = Box::pin(handshake_http2(stream, cluster)).await?;
        *slot = Some(sender.clone());
        Ok(Checkout::Http2(sender))
    }

    async fn connect(
        &self,
        proxy: &Inner,
        cluster: &Cluster,
        key: &Key,
        tls: Option<&Offer<'_>>,
    ) -> Result<(BoxIo, Option<Vec<u8>>), Failure> {
        // Handshakes are large and rare: requests on kept connections carry no room for them.
        let connecting = Box::pin(open(proxy, cluster, &key.address, key.preface.as_ref(), tls));
        tokio::time::timeout(self.connect_timeout, connecting).await.map_err(|_| Failure::ConnectTimeout)?
    }
}

async fn handshake_http2(stream: BoxIo, cluster: &Cluster) -> Result<http2::SendRequest<Body>, Failure> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_header_list_size(60 * 1024);
    builder.initial_stream_window_size(STREAM_WINDOW);
    builder.initial_connection_window_size(STREAM_WINDOW * STREAMS_MAX);
    if let Some((interval, timeout)) = cluster.http.keepalive_ms {
        let millis = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        builder.keep_alive_interval(Some(millis(interval))).keep_alive_timeout(millis(timeout));
    }
    let (sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| Failure::Connect(error.to_string()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an upstream connection ended");
        }
    });
    Ok(sender)
}

/// A connection for bytes.
///
/// # Errors
/// None can be made.
pub(crate) async fn connect_bytes(
    connection: &Connection,
    cluster: &Cluster,
    address: &Arc<str>,
    tls: Option<&UpstreamTlsContext>,
) -> Result<BoxIo, Failure> {
    let offer = tls.map(|context| Offer::for_bytes(context, cluster.http.auto_san_validation));
    let timeout = Duration::from_millis(u64::try_from(cluster.connect_timeout_ms).unwrap_or(10_000).max(1));
    let preface = connection.preface(cluster);
    let opening = open(&connection.proxy, cluster, address, preface.as_ref(), offer.as_ref());
    let opened = tokio::time::timeout(timeout, opening).await.map_err(|_| Failure::ConnectTimeout)?;
    opened.map(|(stream, _)| stream)
}

async fn open(
    proxy: &Inner,
    cluster: &Cluster,
    address: &Arc<str>,
    preface: Option<&Bytes>,
    tls: Option<&Offer<'_>>,
) -> Result<(BoxIo, Option<Vec<u8>>), Failure> {
    let target = Target {
        address: Arc::clone(address),
        source: cluster.source_address,
        keepalive: cluster.tcp_keepalive,
    };
    let failed = |error| Failure::Connect(format!("delayed connect error: {}", in_words(&error)));
    let mut stream = proxy.dial.dial(target).await.map_err(failed)?;
    if let Some(preface) = preface {
        stream.write_all(preface).await.map_err(failed)?;
    }
    match tls {
        Some(offer) => proxy
            .tls
            .originate(stream, offer)
            .await
            .map_err(|problem| Failure::Connect(format!("TLS_error: {problem}"))),
        None => Ok((stream, None)),
    }
}

/// The system's words for a failed connection, without the number.
fn in_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
