//! A request on its way to an upstream: faults, mirrors, the choice of a cluster, tries and their deadline.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{CONNECTION, HeaderName, HeaderValue, SET_COOKIE, UPGRADE};
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy::proxy_headers::ProxyHeaders;
use mesh_compile::route_table::action::HeaderOp;
use tokio::time::Instant;

use super::answer_headers::{OVERLOADED, SERVICE_TIME};
use super::attempt;
use super::body::Body;
use super::cluster::Active;
use super::connection::{Connection, Standing};
use super::cors_response::CorsHeaders;
use super::head::Head;
use super::pool::Failure;
use super::replay::{Buffered, Replay};
use super::reply::Reply;
use super::request_headers::Replaced;
use super::tries::{Time, Tries};
use super::{header_ops, hop_by_hop, mirror, request_control, request_headers, tcp};
use crate::cluster::draw;
use crate::cluster::hash_key::{self, HashFacts, HashKey};
use crate::decision::{ClusterChoice, Forward, HttpForward, UpstreamAuthority};
use crate::seam::dice::Throw;
use crate::telemetry::record::Record;

/// A request to be sent on.
pub(crate) struct Forwarding {
    pub(crate) head: Head,
    /// The path that the client asked for, normalised.
    pub(crate) original_path: String,
    pub(crate) forward: Forward,
    /// Status where the drawn cluster does not exist.
    pub(crate) no_cluster_status: u16,
    /// Whether the proxy is an edge: what a client says of itself counts for less there.
    pub(crate) is_edge: bool,
    /// Which headers the proxy itself adds.
    pub(crate) headers: Arc<ProxyHeaders>,
    /// What the upstream is told of the authority that the route replaces.
    pub(crate) replaced: Replaced,
    pub(crate) cors: CorsHeaders,
    /// The protocol that the client wants to change to.
    pub(crate) upgrade: Option<(HeaderValue, OnUpgrade)>,
}

/// What came of it.
pub(crate) enum Outcome {
    Answer(Box<Answered>),
    Reply(Reply, Vec<HeaderOp>),
    /// Nothing is answered: a plugin has broken the stream off.
    #[cfg(feature = "wasm")]
    Close,
}

/// An upstream's answer, and what is held while it passes.
pub(crate) struct Answered {
    pub(crate) response: Response<Body>,
    pub(crate) active: Active,
    pub(crate) lent: Option<attempt::Held>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) ops: Vec<HeaderOp>,
}

/// Waits as an injected delay has it.
pub(crate) async fn delay(delay_ms: Option<u64>, record: &mut Record) {
    if let Some(millis) = delay_ms {
        record.flags = "DI".to_owned();
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// Sends a request on, as often as its retries allow. What it works on stays where it is.
pub(crate) async fn run(
    connection: &Arc<Connection>,
    standing: &Standing,
    forwarding: &mut Forwarding,
    body: &Replay,
    record: &mut Record,
) -> Outcome {
    if let Some(fault) = forwarding.forward.http.as_ref().and_then(|http| http.fault.as_ref()) {
        let drawn = draw::fault(fault, &mut Throw(&*connection.proxy.dice));
        delay(drawn.delay_ms, record).await;
        if let Some(abort) = drawn.abort {
            return Outcome::Reply(Reply::of_abort(abort), Vec::new());
        }
    }
    // Who waits until here has no room for what comes.
    Box::pin(choose_and_send(connection, standing, forwarding, body, record)).await
}

async fn choose_and_send(
    connection: &Arc<Connection>,
    standing: &Standing,
    forwarding: &mut Forwarding,
    body: &Replay,
    record: &mut Record,
) -> Outcome {
    let dice = &*connection.proxy.dice;
    let Forwarding {
        head,
        original_path,
        forward,
        no_cluster_status,
        is_edge: _,
        headers,
        replaced,
        cors: _,
        upgrade,
    } = forwarding;
    let (no_cluster_status, upgrade) = (*no_cluster_status, upgrade.take());
    let Forward { clusters, hash_policy, tunnel: _, http } = forward;
    let Some(http) = http else { return Outcome::Reply(Reply::no_cluster(503), Vec::new()) };
    if let Some(max) = http.max_request_bytes.filter(|_| upgrade.is_none()) {
        // Few routes have it: those that have not hold no room for it.
        if let Err(reply) =
            Box::pin(held_whole(body, max, connection.proxy.options.patience.request_body)).await
        {
            return Outcome::Reply(reply, Vec::new());
        }
    }
    let Some(choice) = draw::destination(clusters, &mut Throw(dice)) else {
        return Outcome::Reply(Reply::no_cluster(no_cluster_status), Vec::new());
    };
    record.cluster = Some(Arc::clone(&choice.cluster));
    let Some(cluster) = standing.generation.clusters.get(&choice.cluster).map(Arc::clone) else {
        return Outcome::Reply(Reply::no_cluster(no_cluster_status), Vec::new());
    };
    record.service.clone_from(&cluster.cluster.service);
    let key = if hash_policy.is_empty() {
        HashKey::default()
    } else {
        let source = Some(connection.client.ip().to_canonical());
        let facts = HashFacts { headers: &head.headers, path: original_path, source };
        hash_key::key(hash_policy, &facts, &format!("{:x}", dice.roll()))
    };
    let direction = connection.arrival.direction;
    let is_heeded = direction == Direction::Outbound && connection.proxy.options.heed_application;
    let timeouts = request_control::timeouts(&mut head.headers, http, is_heeded);
    header_ops::apply(&mut head.headers, &choice.request_headers, |value| {
        standing.generation.formats.value(value, record)
    });
    request_control::retries(&mut head.headers, http, timeouts);
    if direction != Direction::Inbound {
        let is_told = !(headers.metadata_in_mesh_only && cluster.cluster.mesh_external);
        connection.proxy.peers.put(&mut head.headers, is_told);
    }
    rewrite(head, std::mem::take(original_path).as_str(), http, choice, headers, *replaced);
    if let Some((protocol, _)) = &upgrade {
        if !protocol.as_bytes().eq_ignore_ascii_case(b"websocket") {
            return Outcome::Reply(Reply::new(403, "upgrade_failed"), Vec::new());
        }
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, protocol.clone());
    } else if head.method == http::Method::CONNECT {
        return Outcome::Reply(Reply::new(403, "upgrade_failed"), Vec::new());
    }
    mirror::send(connection, &standing.generation, &http.mirrors, head, body);

    record.times.wanted = Some(Instant::now().into_std());
    let (started, replaced) = (Instant::now(), *replaced);
    let deadline = OnceLock::new();
    let patience = timeout(http, head, timeouts.is_whole_asked);
    let time = Time { whole: patience, deadline: &deadline };
    let tries =
        Tries { connection, cluster: &cluster, http, headers, replaced, hash: key.hash, started, time };
    // One future for both ways: a request that waits holds room for each that is written out.
    let outcome = {
        let mut trying = pin!(tries.run(head, body, record));
        if patience.is_none() && body.is_complete() {
            trying.await
        } else {
            tokio::select! {
                biased;
                outcome = &mut trying => outcome,
                () = overall_timeout(body, patience, &deadline) => Err((Failure::Timeout, false)),
                () = body_stops(body, connection.proxy.options.patience.request_body) => {
                    Err((Failure::ClientIdle, false))
                }
            }
        }
    };
    let mut ops = choice.response_headers.clone();
    let cookies = key.set_cookies.into_iter();
    ops.extend(cookies.map(|cookie| HeaderOp::Add(SET_COOKIE.as_str().into(), cookie.into())));
    if let Some(request) = &mut record.request {
        request.headers = std::mem::take(&mut head.headers);
        request.authority = std::mem::take(&mut head.authority);
        request.path = std::mem::take(&mut head.path);
    }
    match outcome {
        Ok((answer, active)) => {
            record.times.answered = Some(Instant::now().into_std());
            let mut answered = Answered {
                response: answer.response,
                active,
                lent: answer.connection,
                deadline: deadline.get().copied(),
                ops,
            };
            answered.prepare(connection, upgrade, headers.debug.then_some(tries.started));
            if direction != Direction::Inbound {
                record.upstream_peer = connection.proxy.peers.take(answered.response.headers_mut()).peer;
            }
            record.details = "via_upstream".to_owned();
            Outcome::Answer(Box::new(answered))
        }
        Err((failure, retried)) => {
            if let Failure::Connect(reason) = &failure {
                record.upstream_failure.clone_from(reason);
            }
            let mut reply = Reply::of_failure(&failure, retried);
            if !headers.debug {
                reply.headers.remove(OVERLOADED);
            }
            Outcome::Reply(reply, ops)
        }
    }
}

/// Waits for the whole body, as a filter that buffers does (an EnvoyFilter's).
///
/// # Errors
/// It is larger than the filter takes, stopped, or broke: nothing more of it is read.
async fn held_whole(body: &Replay, max: u32, patience: Duration) -> Result<(), Reply> {
    let buffered = tokio::select! {
        buffered = body.buffer(usize::try_from(max).unwrap_or(usize::MAX)) => buffered,
        () = body_stops(body, patience) => return Err(Reply::of_failure(&Failure::ClientIdle, false)),
    };
    match buffered {
        Ok(Buffered::Whole(_)) => Ok(()),
        Ok(Buffered::Beginning(_)) => {
            let mut reply = Reply::too_large();
            reply.headers.insert(CONNECTION, HeaderValue::from_static("close"));
            Err(reply)
        }
        Err(_) => Err(Reply::malformed("the request's body broke")),
    }
}

/// Path and authority as the route wants them; the endpoint's own name is filled in with each try.
fn rewrite(
    head: &mut Head,
    original_path: &str,
    http: &mut HttpForward,
    choice: &ClusterChoice,
    headers: &ProxyHeaders,
    replaced: Replaced,
) {
    head.path = std::mem::take(&mut http.path);
    if headers.debug
        && original_path != head.path
        && let Ok(original) = HeaderValue::try_from(original_path)
    {
        head.headers.insert(request_headers::ORIGINAL_PATH, original);
    }
    match (&choice.authority, &http.authority) {
        // Of what one of several destinations replaces nobody is told, as in Envoy.
        (Some(own), _) => head.take_authority(own, Replaced::default()),
        (None, UpstreamAuthority::Text(own)) => head.take_authority(own, replaced),
        (None, UpstreamAuthority::UpstreamHost) => {}
    }
}

/// The route's timeout; gRPC clients may name a shorter one, unless it was asked for.
fn timeout(http: &HttpForward, head: &Head, is_asked: bool) -> Option<Duration> {
    let route = (http.timeout_ms > 0).then(|| Duration::from_millis(http.timeout_ms));
    let client = if head.is_grpc() && !is_asked { grpc_timeout(head) } else { None };
    match (route, client) {
        (Some(route), Some(client)) => Some(route.min(client)),
        (route, client) => route.or(client),
    }
}

/// `grpc-timeout`: at most eight digits and a unit; anything else is none.
fn grpc_timeout(head: &Head) -> Option<Duration> {
    let text = head.headers.get(HeaderName::from_static("grpc-timeout"))?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// Over when the time of the whole exchange is: it begins once the client has sent all of its request.
async fn overall_timeout(body: &Replay, timeout: Option<Duration>, deadline: &OnceLock<Instant>) {
    let Some(timeout) = timeout else { return std::future::pending().await };
    body.complete().await;
    let until = *deadline.get_or_init(|| Instant::now() + timeout);
    tokio::time::sleep_until(until).await;
}

/// Over when the client has not sent a byte of its unfinished body for so long.
async fn body_stops(body: &Replay, patience: Duration) {
    if patience.is_zero() || body.is_complete() {
        return std::future::pending().await;
    }
    let watching = async {
        let mut before = None;
        while before != Some(body.received()) {
            before = Some(body.received());
            tokio::time::sleep(patience).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = body.complete() => std::future::pending().await,
    }
}

impl Answered {
    /// Takes off what goes no further; where the upstream changes protocols, joins the two connections. `started`: clients
    /// are told how long it took.
    fn prepare(
        &mut self,
        connection: &Arc<Connection>,
        upgrade: Option<(HeaderValue, OnUpgrade)>,
        started: Option<Instant>,
    ) {
        let changed = self.response.headers().get(UPGRADE).cloned();
        hop_by_hop::remove(self.response.headers_mut());
        if let Some(started) = started {
            let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.response.headers_mut().insert(SERVICE_TIME, HeaderValue::from(millis));
        }
        if self.response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        // The connection now belongs to the other protocol.
        self.lent = None;
        let (Some(protocol), Some((_, client))) = (changed, upgrade) else { return };
        self.response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        self.response.headers_mut().insert(UPGRADE, protocol);
        let upstream = hyper::upgrade::on(&mut self.response);
        let idle = connection.proxy.options.patience.tcp_idle;
        let stop = connection.proxy.stop.clone();
        connection.proxy.tasks.spawn(async move {
            let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else { return };
            tokio::select! {
                () = stop.cancelled() => {}
                end = tcp::relay(TokioIo::new(client), TokioIo::new(upstream), idle) => {
                    tracing::debug!(?end, "an upgraded connection ended");
                }
            }
        });
    }
}
