//! The tries of one request: hosts, retries with their back-off, what outlier detection hears (T-160 to T-166, T-276).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Response;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::proxy::cluster::Discovery;
use mesh_compile::proxy::proxy_headers::ProxyHeaders;
use mesh_compile::route_table::action::RetryPolicy;
use tokio::time::Instant;

use super::answer_headers::OVERLOADED;
use super::attempt::{self, Answer};
use super::body::Body;
use super::cluster::{Active, ClusterState};
use super::connection::Connection;
use super::ends::Ends;
use super::finish::add_flag;
use super::head::Head;
use super::pool::Failure;
use super::replay::Replay;
use super::request_control;
use super::request_headers::{ATTEMPT_COUNT, Replaced};
use crate::cluster::host::Host;
use crate::cluster::outlier_detection::Outcome;
use crate::cluster::retry::{ResetReason, RetryState, Try, Verdict};
use crate::cluster::upstream::Wish;
use crate::decision::{HttpForward, UpstreamAuthority};
use crate::seam::dice::Throw;
use crate::telemetry::record::Record;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");

/// A request that may be tried several times.
pub(crate) struct Tries<'r> {
    pub(crate) connection: &'r Arc<Connection>,
    pub(crate) cluster: &'r Arc<ClusterState>,
    pub(crate) http: &'r HttpForward,
    pub(crate) headers: &'r ProxyHeaders,
    pub(crate) replaced: Replaced,
    pub(crate) hash: Option<u64>,
    pub(crate) started: Instant,
    pub(crate) time: Time<'r>,
}

/// The time of all tries together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time<'r> {
    /// `None`: they have as long as they like.
    pub(crate) whole: Option<Duration>,
    /// When it is over; none yet while the client sends its request.
    pub(crate) deadline: &'r OnceLock<Instant>,
}

impl Time<'_> {
    fn left(self) -> Option<Duration> {
        match self.deadline.get() {
            Some(end) => Some(end.saturating_duration_since(Instant::now())),
            None => self.whole,
        }
    }
}

impl Tries<'_> {
    /// The answer, or the last failure and whether it came after retries.
    pub(crate) async fn run(
        &self,
        head: &mut Head,
        body: &Replay,
        record: &mut Record,
    ) -> Result<(Answer, Active), (Failure, bool)> {
        let dice = &*self.connection.proxy.dice;
        let policy = self.http.retries.as_deref();
        let mut retries = policy.map(RetryState::new);
        let mut tried: Vec<Arc<Host>> = Vec::new();
        let mut active = self.cluster.enter(false).ok_or((Failure::Overflow, false))?;
        loop {
            let retried = !tried.is_empty();
            let wish = Wish {
                hash: self.hash,
                tried: &tried,
                avoid_tried: policy.is_some_and(|policy| policy.avoid_previous_hosts),
                other_priorities: policy.is_some_and(|policy| policy.remote_localities),
            };
            let host = self
                .cluster
                .pick(self.connection.arrival.destination, &wish, dice)
                .ok_or((Failure::NoHealthyUpstream, retried))?;
            active.at(&host);
            record.endpoint = Some(Arc::clone(&host.endpoint.address));
            record.attempts += 1;
            if self.http.authority == UpstreamAuthority::UpstreamHost {
                let replaced = if retried { Replaced::default() } else { self.replaced };
                head.take_authority(&upstream_host(self.cluster, &host), replaced);
            }
            if self.headers.attempt_count {
                let attempt = match record.attempts {
                    1 => HeaderValue::from_static("1"),
                    several => HeaderValue::from(several),
                };
                head.headers.insert(ATTEMPT_COUNT, attempt);
            }
            request_control::tell_time(&mut head.headers, self.time_of_try(policy), self.headers);
            // Of the last try, as the endpoint is.
            Ends::default().tell(record);
            record.upstream_protocol = "";
            record.times.sending = None;
            record.upstream_workload.clone_from(&host.endpoint.workload);
            let result = self.once(&host, head, body, policy, record).await;
            let came = match &result {
                Ok(answer) => {
                    self.cluster.record(&host, Outcome::Status(outlier_status(&answer.response)));
                    of_answer(&answer.response)
                }
                Err(failure) => {
                    self.cluster.record_failure(&host, failure);
                    of_failure(failure)
                }
            };
            let verdict =
                retries.as_mut().map_or(Verdict::Final, |retries| retries.after(came, &mut Throw(dice)));
            let again = match verdict {
                Verdict::Retry { after_ms } if body.can_repeat() => {
                    let place = self.cluster.enter(true);
                    if place.is_none() {
                        add_flag(record, "UO");
                    }
                    place.map(|place| (after_ms, place))
                }
                Verdict::LimitExceeded => {
                    add_flag(record, "URX");
                    None
                }
                _ => None,
            };
            let Some((after_ms, place)) = again else {
                return match result {
                    Ok(answer) => Ok((answer, active)),
                    Err(failure) => Err((failure, retried)),
                };
            };
            if let Some(upstream) = &record.upstream {
                record.tried.push((Arc::clone(&host.endpoint.address), upstream.id));
            }
            active = place;
            drop(result);
            tried.push(host);
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
        }
    }

    /// The time that the next try has.
    fn time_of_try(&self, policy: Option<&RetryPolicy>) -> Option<Duration> {
        match (per_try_timeout(policy), self.time.left()) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        }
    }

    async fn once(
        &self,
        host: &Host,
        head: &Head,
        body: &Replay,
        policy: Option<&RetryPolicy>,
        record: &mut Record,
    ) -> Result<Answer, Failure> {
        let preface = self.connection.preface(&self.cluster.cluster);
        let sending =
            attempt::send(&self.connection.proxy, preface, self.cluster, host, head, body, Some(record));
        match per_try_timeout(policy) {
            None => sending.await,
            Some(patience) => {
                tokio::time::timeout(patience, sending).await.unwrap_or(Err(Failure::PerTryTimeout))
            }
        }
    }
}

/// The time of one try; `None`: that of all of them.
fn per_try_timeout(policy: Option<&RetryPolicy>) -> Option<Duration> {
    policy?.per_try_timeout_ms.filter(|millis| *millis > 0).map(Duration::from_millis)
}

/// A try that was answered, as retry policies look at it.
fn of_answer(response: &Response<Body>) -> Try {
    let headers = response.headers();
    Try::Response {
        status: response.status().as_u16(),
        grpc_status: grpc_status(response),
        rate_limited: headers.contains_key(&RATE_LIMITED),
        overloaded: headers.contains_key(&OVERLOADED),
    }
}

/// A try without an answer, as retry policies look at it.
fn of_failure(failure: &Failure) -> Try {
    let (reason, request_sent) = match failure {
        Failure::Connect(_) | Failure::ConnectTimeout => (ResetReason::ConnectFailure, false),
        Failure::Refused => (ResetReason::RefusedStream, false),
        Failure::RemoteReset { refused: true } => (ResetReason::RefusedStream, true),
        Failure::RemoteReset { refused: false } => (ResetReason::Reset, true),
        Failure::Reset(_) | Failure::Protocol(_) => (ResetReason::Reset, true),
        Failure::PerTryTimeout => (ResetReason::PerTryTimeout, true),
        Failure::NoHealthyUpstream
        | Failure::Overflow
        | Failure::Timeout
        | Failure::ClientIdle
        | Failure::NotWritable => (ResetReason::Overflow, false),
    };
    Try::Reset { reason, request_sent }
}

fn grpc_status(response: &Response<Body>) -> Option<u32> {
    response.headers().get(&GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

/// The status that outlier detection counts: that of gRPC in terms of HTTP, where the answer has one at once.
fn outlier_status(response: &Response<Body>) -> u16 {
    match grpc_status(response) {
        Some(4) => 504,
        Some(14) => 503,
        Some(2 | 13 | 15) => 500,
        _ => response.status().as_u16(),
    }
}

/// The name of a host: its DNS name where the cluster is looked up, its address elsewhere.
fn upstream_host(cluster: &ClusterState, host: &Host) -> String {
    let by_name = matches!(cluster.cluster.discovery, Discovery::StrictDns | Discovery::LogicalDns);
    let address = &*host.endpoint.address;
    if let Some(name) = cluster.names.as_ref().and_then(|names| names.name_of(address)) {
        return name;
    }
    let name = if by_name { address.rsplit_once(':').map_or(address, |(name, _)| name) } else { address };
    name.to_owned()
}
