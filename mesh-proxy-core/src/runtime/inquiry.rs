//! A question to a service of the mesh, asked over the pool of its cluster and answered whole, within a bound.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::attempt;
use super::cluster::ClusterState;
use super::head::Head;
use super::pool::Failure;
use super::proxy::Inner;
use super::replay::Replay;
use crate::cluster::outlier_detection::Outcome;
use crate::cluster::upstream::Wish;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("{0}")]
    Failure(#[from] Failure),
    #[error("the answer is too long")]
    TooLong,
    #[error("the answer broke: {0}")]
    Broken(String),
}

/// Asks one host of a cluster, once; an answer with a longer body is none. The caller keeps the time.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn ask(
    proxy: &Inner,
    cluster: &Arc<ClusterState>,
    head: &Head,
    body: Bytes,
    body_bytes_max: usize,
) -> Result<Whole, Unanswered> {
    let mut active = cluster.enter(false).ok_or(Failure::Overflow)?;
    let host = cluster.pick(NOWHERE, &Wish::default(), &*proxy.dice).ok_or(Failure::NoHealthyUpstream)?;
    active.at(&host);
    let answer = match attempt::send(proxy, None, cluster, &host, head, &Replay::of(body), None).await {
        Ok(answer) => answer,
        Err(failure) => {
            cluster.record_failure(&host, &failure);
            return Err(failure.into());
        }
    };
    let (parts, body) = answer.response.into_parts();
    cluster.record(&host, Outcome::Status(parts.status.as_u16()));
    let collected = Limited::new(body, body_bytes_max).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Unanswered::TooLong
        } else {
            Unanswered::Broken(error.to_string())
        }
    })?;
    if let Some(lent) = answer.connection {
        lent.give_back();
    }
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(Whole { status: parts.status, headers: parts.headers, body: collected.to_bytes(), trailers })
}

/// The longest answer of a service that is told something.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Tells a service something, by the name of its cluster; its answer, where it comes in time.
///
/// # Errors
/// Why there is no answer, in words.
pub(crate) async fn tell(
    proxy: &Inner,
    cluster: &Arc<str>,
    head: &Head,
    body: Bytes,
    patience: Duration,
) -> Result<Whole, String> {
    let Some(cluster) = proxy.live.load().clusters.get(cluster).map(Arc::clone) else {
        return Err("its cluster is not there".to_owned());
    };
    let asking = Box::pin(ask(proxy, &cluster, head, body, ANSWER_BYTES_MAX));
    let answer = tokio::time::timeout(patience, asking).await.map_err(|_| "no answer in time".to_owned())?;
    answer.map_err(|error| error.to_string())
}

/// No client dialled: clusters that go where the client was going have no host for a question.
const NOWHERE: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
