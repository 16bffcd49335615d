//! Connections that are proxied as bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesh_compile::proxy::cluster::UpstreamTls;
use mesh_compile::proxy::listener::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::cluster::{ClusterState, Picked};
use super::connection::{Connection, Standing};
use super::forward::choose;
use super::pool;
use crate::decision::Action;
use crate::seam::dial::{BoxIo, Io};
use crate::tcp;

/// Proxies the bytes of a connection until one side is done with it.
pub(crate) async fn serve<T: Io>(connection: Connection, standing: Standing, stream: T) {
    let Some(Network::Tcp(network)) = standing.chain().map(|chain| &chain.network) else { return };
    let generation = &standing.generation;
    let decision = tcp::serve(&connection.connected(&generation.config, None, 0), network, &mut ());
    let forward = match decision.action {
        Action::Forward(forward) => forward,
        Action::Refuse(reason) => {
            return tracing::debug!(arrival = ?connection.arrival, reason = reason.as_str(), "refused");
        }
        Action::LocalReply(_) => return,
    };
    let Some(choice) = choose(&forward.clusters, &*connection.proxy.dice) else { return };
    let Some(cluster) = generation.clusters.get(&choice.cluster).map(Arc::clone) else {
        return tracing::debug!(cluster = &*choice.cluster, "there is no such cluster");
    };
    let idle = network.idle_timeout_ms.map_or(connection.proxy.options.patience.tcp_idle, |millis| {
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    });
    // The generation may be long gone before the connection is.
    drop(standing);
    let Some(_active) = cluster.enter() else { return };
    match connect(&connection, &cluster).await {
        Ok(upstream) => {
            let end = relay(stream, upstream, idle).await;
            tracing::debug!(arrival = ?connection.arrival, ?end, "the connection ended");
        }
        Err(error) => tracing::debug!(cluster = &*cluster.cluster.name, error, "no upstream"),
    }
}

/// An upstream connection; endpoints that do not answer are passed over.
async fn connect(connection: &Connection, cluster: &Arc<ClusterState>) -> Result<BoxIo, String> {
    const TRIES: usize = 3;
    let mut tried: Vec<Arc<str>> = Vec::new();
    let mut problem = "no healthy upstream".to_owned();
    for _ in 0..TRIES {
        let hash =
            Some(crate::seam::load_balancer::mix(0, connection.arrival.peer.ip().to_string().as_bytes()));
        let picked = cluster.pick(connection.arrival.destination, hash, &tried, &*connection.proxy.dice);
        let Some(Picked { address, mtls }) = picked else { return Err(problem) };
        if tried.contains(&address) {
            break;
        }
        let tls = match &cluster.cluster.tls {
            UpstreamTls::Tls(context) if !context.auto || mtls => Some(&**context),
            _ => None,
        };
        match pool::connect_bytes(&connection.proxy, &cluster.cluster, &address, tls).await {
            Ok(stream) => return Ok(stream),
            Err(failure) => problem = failure.to_string(),
        }
        tried.push(address);
    }
    Err(problem)
}

/// Why bytes no longer flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Idle,
    Broke,
}

/// Copies both ways until both sides are done, or nothing has moved for `idle`.
pub(crate) async fn relay(client: impl Io, upstream: impl Io, idle: Duration) -> End {
    let moved = AtomicU64::new(0);
    let (client_read, client_write) = tokio::io::split(client);
    let (upstream_read, upstream_write) = tokio::io::split(upstream);
    let both = async {
        tokio::try_join!(copy(client_read, upstream_write, &moved), copy(upstream_read, client_write, &moved))
    };
    tokio::select! {
        result = both => if result.is_ok() { End::Closed } else { End::Broke },
        () = nothing_moves(&moved, idle) => End::Idle,
    }
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

async fn nothing_moves(moved: &AtomicU64, idle: Duration) {
    if idle.is_zero() {
        return std::future::pending().await;
    }
    let mut before = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep_until(Instant::now() + idle).await;
        let now = moved.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
    }
}
