//! Copies of requests (T-183): sent once the client's body is there, their answers are read and dropped.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use mesh_compile::route_table::action::Mirror;

use super::attempt;
use super::cluster::ClusterState;
use super::connection::Connection;
use super::head::Head;
use super::live::Generation;
use super::replay::Replay;
use crate::cluster::draw;
use crate::cluster::upstream::Wish;
use crate::seam::dice::Throw;

/// The longest that a copy may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Sends copies to those mirrors that chance picks. The request itself never waits for them.
///
/// A body that is larger than what is kept for retries is not copied, and neither is its request.
pub(crate) fn send(
    connection: &Arc<Connection>,
    generation: &Generation,
    mirrors: &[Mirror],
    head: &Head,
    body: &Replay,
) {
    for mirror in draw::mirrors(mirrors, &mut Throw(&*connection.proxy.dice)) {
        let Some(cluster) = generation.clusters.get(&mirror.cluster) else { continue };
        let copy = copy(Arc::clone(connection), Arc::clone(cluster), head.clone(), body.clone());
        connection.proxy.tasks.spawn(async move {
            if tokio::time::timeout(PATIENCE, copy).await.is_err() {
                tracing::debug!("a mirrored request took too long");
            }
        });
    }
}

async fn copy(connection: Arc<Connection>, cluster: Arc<ClusterState>, head: Head, body: Replay) {
    body.complete().await;
    let Some(body) = body.copy() else { return tracing::debug!("a body is too large to be mirrored") };
    let Some(mut active) = cluster.enter(false) else { return };
    let dice = &*connection.proxy.dice;
    let Some(host) = cluster.pick(connection.arrival.destination, &Wish::default(), dice) else { return };
    active.at(&host);
    let preface = connection.preface(&cluster.cluster);
    match attempt::send(&connection.proxy, preface, &cluster, &host, &head, &body, None).await {
        Ok(answer) => {
            if answer.response.into_body().collect().await.is_ok()
                && let Some(connection) = answer.connection
            {
                connection.give_back();
            }
        }
        Err(failure) => tracing::debug!(%failure, cluster = &*cluster.cluster.name, "a mirror failed"),
    }
}
