//! Connections that are proxied as bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesh_compile::proxy::cluster::UpstreamTls;
use mesh_compile::proxy::extensions::ChainKind;
use mesh_compile::proxy::listener::{Network, Tunnel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::cluster::{Active, ClusterState};
use super::connection::{Connection, Standing};
use super::metrics::Told;
use super::pool::Opened;
use super::prelude::Heard;
use super::reply::denied_by;
use super::{ext_authz, pool, tunnel, unrun};
use crate::cluster::draw;
use crate::cluster::hash_key::{self, HashFacts};
use crate::cluster::host::Host;
use crate::cluster::outlier_detection::Outcome;
use crate::cluster::upstream::Wish;
use crate::decision::{Action, RefuseReason};
use crate::seam::dial::Io;
use crate::seam::dice::Throw;
use crate::tcp;
use crate::telemetry::record::Record;

/// Proxies the bytes of a connection until one side is done with it.
pub(crate) async fn serve<T: Io>(connection: Arc<Connection>, standing: Standing, stream: T) {
    let Some(Network::Tcp(network)) = standing.chain().map(|chain| &chain.network) else { return };
    let generation = &standing.generation;
    let decision = tcp::serve(&connection.connected(&generation.config, None, None, 0), network, &mut ());
    let started = Instant::now();
    if unrun::stands_in(&connection, &standing, ChainKind::Network) {
        let mut record = begin(&connection);
        record.flags = "NFCF".to_owned();
        return finish(&connection, record, started, Told::default());
    }
    if !ext_authz::ask_about_connection(&connection, generation, &decision.external_authz).await {
        let mut record = begin(&connection);
        record.flags = "UAEX".to_owned();
        record.details = "ext_authz_denied".to_owned();
        return finish(&connection, record, started, Told::default());
    }
    let forward = match decision.action {
        Action::Forward(forward) => forward,
        Action::Refuse(RefuseReason::Rbac) => {
            let mut record = begin(&connection);
            record.termination = denied_by(decision.policy.as_deref());
            return finish(&connection, record, started, Told::default());
        }
        Action::Refuse(reason) => {
            return tracing::debug!(arrival = ?connection.arrival, reason = reason.as_str(), "refused");
        }
        Action::LocalReply(_) => return,
    };
    let Some(choice) = draw::destination(&forward.clusters, &mut Throw(&*connection.proxy.dice)) else {
        return;
    };
    let Some(cluster) = generation.clusters.get(&choice.cluster).map(Arc::clone) else {
        return tracing::debug!(cluster = &*choice.cluster, "there is no such cluster");
    };
    let idle = network.idle_timeout_ms.map_or(connection.proxy.options.patience.tcp_idle, |millis| {
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    });
    let life =
        network.max_connection_ms.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
    // The generation may be long gone before the connection is.
    drop(standing);
    let peer = connection.client.ip().to_canonical();
    let hash = {
        let facts = HashFacts { headers: &http::HeaderMap::new(), path: "", source: Some(peer) };
        hash_key::key(&forward.hash_policy, &facts, "").hash
    };
    let mut record = begin(&connection);
    record.cluster = Some(Arc::clone(&cluster.cluster.name));
    record.service.clone_from(&cluster.cluster.service);
    let Some(mut active) = cluster.enter_connection() else {
        record.flags = "UO".to_owned();
        return finish(&connection, record, started, Told::default());
    };
    record.attempts = 1;
    record.times.wanted = Some(Instant::now().into_std());
    let mut told = Told::default();
    let mut heard = None;
    let connecting = connect(&connection, &cluster, hash, forward.tunnel.as_deref(), &mut active);
    match connecting.await {
        Ok(Opened { stream: upstream, ends, heard: from, .. }) => {
            ends.tell(&mut record);
            record.times.sending = Some(Instant::now().into_std());
            heard = from;
            record.upstream_workload = active.host().and_then(|host| host.endpoint.workload.clone());
            record.endpoint = active.host().map(|host| Arc::clone(&host.endpoint.address));
            let passed = Passed::default();
            let relayed = tokio::select! {
                relayed = relay_counted(stream, upstream, idle, &passed) => relayed,
                () = ends_at(life.map(|life| started + life)) => {
                    let (received, sent) = passed.now();
                    Relayed { end: End::TooOld, received, sent }
                }
                never = tell_between(&connection, &record, heard.as_ref(), &passed, &mut told) => match never {},
            };
            (record.bytes_received, record.bytes_sent) = (relayed.received, relayed.sent);
            match relayed.end {
                End::Idle => record.flags = "SI".to_owned(),
                End::TooOld => record.flags = "DT".to_owned(),
                End::Closed | End::Broke => {}
            }
        }
        Err(error) => {
            record.flags = if error == NOBODY { "UH" } else { "UF" }.to_owned();
            record.upstream_failure = error;
        }
    }
    record.endpoint = active.host().map(|host| Arc::clone(&host.endpoint.address));
    hear(&mut record, &connection, heard.as_ref());
    finish(&connection, record, started, told);
}

/// Notes what the workloads on both sides have told of themselves by now.
fn hear(record: &mut Record, connection: &Connection, upstream: Option<&Heard>) {
    record.downstream_peer = connection.heard().cloned();
    record.upstream_peer = upstream.and_then(|heard| heard.get()).cloned();
}

/// Over at that time; `None`: never.
async fn ends_at(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Tells the metrics of an open connection, again and again.
async fn tell_between(
    connection: &Connection,
    record: &Record,
    upstream: Option<&Heard>,
    passed: &Passed,
    told: &mut Told,
) -> std::convert::Infallible {
    let proxy = &connection.proxy;
    let mut record = record.clone();
    loop {
        let interval = proxy.metrics.as_ref().and_then(|metrics| {
            let generation = proxy.live.load();
            metrics.interval(&generation.config.telemetry, &record)
        });
        let Some(interval) = interval else { return std::future::pending().await };
        tokio::time::sleep(interval).await;
        (record.bytes_received, record.bytes_sent) = passed.now();
        hear(&mut record, connection, upstream);
        if let Some(metrics) = &proxy.metrics {
            metrics.open_under(&proxy.live.load().config.telemetry, &record, told);
        }
    }
}

fn begin(connection: &Connection) -> Record {
    let arrival = &connection.arrival;
    let mut record = Record::begin(arrival.direction, connection.client, arrival.destination);
    record.server_name = connection.server_name().map(str::to_owned);
    record.peer_principal = connection.peer().map(str::to_owned);
    record.client_certificate = connection.has_certificate();
    record.own_principal = connection.own().cloned();
    record.connection = Some(Arc::clone(connection.note()));
    record
}

fn finish(connection: &Connection, mut record: Record, started: Instant, told: Told) {
    record.duration = started.elapsed();
    record.times.begun = Some(started.into_std());
    record.times.ended = Some(std::time::Instant::now());
    connection.proxy.tell_connection(&record, told);
}

/// What is said where a cluster has no host to ask.
const NOBODY: &str = "no healthy upstream";

/// An upstream connection; hosts that do not answer are passed over.
async fn connect(
    connection: &Connection,
    cluster: &Arc<ClusterState>,
    hash: Option<u64>,
    through: Option<&Tunnel>,
    active: &mut Active,
) -> Result<Opened, String> {
    const TRIES: usize = 3;
    let mut tried: Vec<Arc<Host>> = Vec::new();
    let mut problem = NOBODY.to_owned();
    for _ in 0..TRIES {
        let wish = Wish { hash, tried: &tried, avoid_tried: true, other_priorities: false };
        let picked = cluster.pick(connection.arrival.destination, &wish, &*connection.proxy.dice);
        let Some(host) = picked else { break };
        let address = &host.endpoint.address;
        if tried.iter().any(|before| before.endpoint.address == *address) {
            break;
        }
        active.at(&host);
        let tls = match &cluster.cluster.tls {
            UpstreamTls::Tls(context) if !context.auto || host.endpoint.mtls => Some(&**context),
            _ => None,
        };
        match pool::connect_bytes(connection, &cluster.cluster, address, tls).await {
            Ok(mut opened) => {
                cluster.record(&host, Outcome::Connected);
                if let Some(through) = through {
                    let wait = Duration::from_millis(
                        u64::try_from(cluster.cluster.connect_timeout_ms).unwrap_or(10_000).max(1),
                    );
                    let opening = tunnel::open(&mut opened.stream, through, cluster.cluster.http.protocol);
                    let opened = tokio::time::timeout(wait, opening).await;
                    opened
                        .map_err(|_| "no answer to CONNECT".to_owned())?
                        .map_err(|error| error.to_string())?;
                }
                return Ok(opened);
            }
            Err(failure) => {
                cluster.record_failure(&host, &failure);
                problem = failure.to_string();
            }
        }
        tried.push(host);
    }
    Err(problem)
}

/// Why bytes no longer flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Idle,
    /// It was open for as long as it may be.
    TooOld,
    Broke,
}

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relayed {
    pub(crate) end: End,
    /// Bytes from the client.
    pub(crate) received: u64,
    /// Bytes to the client.
    pub(crate) sent: u64,
}

/// Bytes that have passed so far.
#[derive(Debug, Default)]
struct Passed {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Passed {
    /// From the client, and to it.
    fn now(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }
}

/// Copies both ways until both sides are done, or nothing has moved for `idle`.
pub(crate) async fn relay(client: impl Io, upstream: impl Io, idle: Duration) -> Relayed {
    relay_counted(client, upstream, idle, &Passed::default()).await
}

async fn relay_counted(client: impl Io, upstream: impl Io, idle: Duration, passed: &Passed) -> Relayed {
    let Passed { received, sent } = passed;
    let (client_read, client_write) = tokio::io::split(client);
    let (upstream_read, upstream_write) = tokio::io::split(upstream);
    let both = async {
        tokio::try_join!(copy(client_read, upstream_write, received), copy(upstream_read, client_write, sent))
    };
    let end = tokio::select! {
        result = both => if result.is_ok() { End::Closed } else { End::Broke },
        () = nothing_moves([received, sent], idle) => End::Idle,
    };
    let (received, sent) = passed.now();
    Relayed { end, received, sent }
}

async fn copy(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    moved: &AtomicU64,
) -> std::io::Result<()> {
    const CHUNK: usize = 16 * 1024;
    let mut buffer = bytes::BytesMut::with_capacity(CHUNK);
    loop {
        buffer.clear();
        if from.read_buf(&mut buffer).await? == 0 {
            return to.shutdown().await;
        }
        moved.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        to.write_all(&buffer).await?;
        to.flush().await?;
    }
}

async fn nothing_moves(counts: [&AtomicU64; 2], idle: Duration) {
    if idle.is_zero() {
        return std::future::pending().await;
    }
    let moved = || counts.map(|count| count.load(Ordering::Relaxed));
    let mut before = moved();
    loop {
        tokio::time::sleep_until(Instant::now() + idle).await;
        let now = moved();
        if now == before {
            return;
        }
        before = now;
    }
}
