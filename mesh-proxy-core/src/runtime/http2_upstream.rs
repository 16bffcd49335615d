//! HTTP/2 connections to upstreams: each carries many requests at once, for as long and as many as its cluster has it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use mesh_compile::proxy::cluster::Cluster;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::body::Body;
use super::ends::Ends;
use super::pool::Failure;
use super::wrap::writes_to_inner;
use crate::seam::clock::Clock;
use crate::seam::dial::BoxIo;

/// Bytes of an answer that an upstream may send before somebody takes them.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Requests at once on one connection, whatever its peer takes (Envoy's default). The connection has room for that many
/// answers that nobody takes: they never hold the others up.
const STREAMS_MAX: u32 = 1024;
/// What a connection is taken to allow until its peer has said what it does; a number that no peer names.
const NOT_SAID: usize = STREAMS_MAX as usize - 1;
/// How long a new connection waits for its peer to say so.
const SAYS_WITHIN: Duration = Duration::from_millis(50);

/// For how long and how much a connection is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    /// Requests at once.
    pub(super) streams: u32,
    /// Requests in all.
    pub(super) requests: u32,
    /// Milliseconds from the handshake; `None`: without end.
    pub(super) life_ms: Option<u64>,
}

impl Use {
    pub(super) fn of(cluster: &Cluster, requests: u32, life_ms: Option<u64>) -> Self {
        let streams = cluster.http.max_concurrent_streams.filter(|max| *max > 0).unwrap_or(STREAMS_MAX);
        Self { streams: streams.min(STREAMS_MAX), requests, life_ms }
    }
}

type Driven = http2::Connection<TokioIo<Counted<BoxIo>>, Body, TokioExecutor>;

/// A connection. It closes once nobody holds it.
pub(super) struct Http2 {
    sender: http2::SendRequest<Body>,
    /// Driven by a task, and dropped with its end, which ends the requests that still wait in it; here it is asked for
    /// what its peer allows.
    driven: Arc<Mutex<Option<Driven>>>,
    limits: Use,
    clock: Arc<dyn Clock>,
    born_ms: u64,
    ends: Ends,
    state: Mutex<State>,
    /// Told of every request that is over.
    returned: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    streams: u32,
    requests: u32,
    idle_since_ms: u64,
    /// It took a request no more.
    is_refusing: bool,
}

/// What a connection has for a request.
pub(super) enum Room {
    /// A place, and whether there are more to come.
    Place(Stream, bool),
    /// No place now.
    Full,
    /// None, ever.
    Over,
}

/// A place for one request on a connection, for as long as it is held: until the answer has ended.
#[derive(Debug)]
pub(crate) struct Stream {
    connection: Arc<Http2>,
}

impl Http2 {
    /// Begins a connection and takes its first place. `place`: that of the connection among its cluster's.
    ///
    /// # Errors
    /// The codec does not take it.
    pub(super) async fn begin(
        (stream, ends): (BoxIo, Ends),
        cluster: &Cluster,
        limits: Use,
        place: Option<OwnedSemaphorePermit>,
        returned: Arc<Notify>,
        clock: Arc<dyn Clock>,
    ) -> Result<Stream, Failure> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(60 * 1024)
            .initial_max_send_streams(NOT_SAID)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW * STREAMS_MAX);
        if let Some((interval, timeout)) = cluster.http.keepalive_ms {
            let millis = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or_default());
            builder.keep_alive_interval(Some(millis(interval))).keep_alive_timeout(millis(timeout));
        }
        let io = TokioIo::new(Counted { inner: stream, _place: place });
        let (sender, connection) =
            builder.handshake(io).await.map_err(|error| Failure::Connect(error.to_string()))?;
        let driven = Arc::new(Mutex::new(Some(connection)));
        tokio::spawn(drive(Arc::clone(&driven)));
        let born_ms = clock.now_ms();
        let state = State { streams: 1, requests: 1, idle_since_ms: born_ms, is_refusing: false };
        let connection = Arc::new(Self {
            sender,
            driven,
            limits,
            clock,
            born_ms,
            ends,
            state: Mutex::new(state),
            returned,
        });
        connection.hear_limit().await;
        Ok(Stream { connection })
    }

    /// Takes a place.
    pub(super) fn reserve(self: &Arc<Self>) -> Room {
        if self.is_over() {
            return Room::Over;
        }
        let streams_max = self.streams_max();
        let mut state = self.state();
        if state.streams >= streams_max {
            return Room::Full;
        }
        state.streams += 1;
        state.requests += 1;
        let more = state.requests < self.limits.requests;
        drop(state);
        Room::Place(Stream { connection: Arc::clone(self) }, more)
    }

    /// Whether it takes no further requests.
    pub(super) fn is_over(&self) -> bool {
        if self.sender.is_closed() || self.limits.life_ms.is_some_and(|life| self.age_ms() >= life) {
            return true;
        }
        let state = self.state();
        state.is_refusing || state.requests >= self.limits.requests
    }

    fn age_ms(&self) -> u64 {
        self.clock.now_ms().saturating_sub(self.born_ms)
    }

    /// Since when it has had no request, in milliseconds of the clock; `None`: it has one.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let state = self.state();
        (state.streams == 0).then_some(state.idle_since_ms)
    }

    /// Requests that it takes at once.
    pub(super) fn streams_max(&self) -> u32 {
        let peer = self.peer_max().map(|peer| u32::try_from(peer).unwrap_or(u32::MAX));
        self.limits.streams.min(peer.unwrap_or_default())
    }

    /// Waits a moment for the peer to say how many requests it takes, so that the second does not go where there is
    /// room for one.
    async fn hear_limit(&self) {
        let is_said = || self.peer_max() != Some(NOT_SAID);
        let began = Instant::now();
        while !is_said() && began.elapsed() < SAYS_WITHIN && !self.sender.is_closed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What the peer takes at once; `None`: the connection has ended.
    fn peer_max(&self) -> Option<usize> {
        let driven = self.driven.lock().unwrap_or_else(PoisonError::into_inner);
        driven.as_ref().map(Driven::current_max_send_streams)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Http2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2")
            .field("limits", &self.limits)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// The ends of its connection.
    pub(crate) fn ends(&self) -> &Ends {
        &self.connection.ends
    }

    /// Takes the request.
    pub(crate) fn sender(&self) -> http2::SendRequest<Body> {
        self.connection.sender.clone()
    }

    /// The connection did not take the request, and will not take another.
    pub(crate) fn refused(&self) {
        self.connection.state().is_refusing = true;
    }

    /// The connection that it is on.
    pub(super) fn connection(&self) -> &Arc<Http2> {
        &self.connection
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let now = self.connection.clock.now_ms();
        let mut state = self.connection.state();
        state.streams = state.streams.saturating_sub(1);
        state.idle_since_ms = now;
        drop(state);
        self.connection.returned.notify_waiters();
    }
}

/// Hands requests to the codec until nobody has any more, or the connection ends.
async fn drive(driven: Arc<Mutex<Option<Driven>>>) {
    let ended = std::future::poll_fn(|context| {
        let mut driven = driven.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = driven.as_mut() else { return Poll::Ready(Ok(())) };
        let polled = Pin::new(connection).poll(context);
        if polled.is_ready() {
            *driven = None;
        }
        polled
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "an upstream connection ended");
    }
}

/// A stream that has a place among its cluster's connections for as long as it is open.
struct Counted<T> {
    inner: T,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

writes_to_inner!(Counted);
