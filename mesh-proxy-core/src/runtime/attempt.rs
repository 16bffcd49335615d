//! One try of a request: a connection to one endpoint, the request on it, the head of the answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{EXPECT, UPGRADE};
use http::{Method, Response};
use mesh_compile::proxy::cluster::{UpstreamProtocol, UpstreamTls, UpstreamTlsContext};
use mesh_model::facts::HttpVersion;

use super::body::Body;
use super::broken;
use super::cluster::ClusterState;
use super::direct::{self, Broken, Direct};
use super::ends::Ends;
use super::head::{self, Head};
use super::http1_upstream::Http1;
use super::http2_upstream::Stream;
use super::pool::{Checkout, Failure, Key, Protocol};
use super::proxy::Inner;
use super::replay::Replay;
use super::tls::upstream::Offer;
use crate::cluster::host::Host;
use crate::telemetry::record::Record;

/// An answer, and what it holds of the pool until it is read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    pub(crate) connection: Option<Held>,
}

/// What an answer holds of its cluster's pool.
#[derive(Debug)]
pub(crate) enum Held {
    /// A connection that goes back once the answer is read.
    Http1(Box<Lent>),
    /// A place on a connection that others share.
    Http2(Stream),
}

impl Held {
    /// The answer was read to its end.
    pub(crate) fn give_back(self) {
        match self {
            Self::Http1(lent) => lent.give_back(),
            Self::Http2(stream) => drop(stream),
        }
    }
}

/// A connection on loan from a cluster's pool.
#[derive(Debug)]
pub(crate) struct Lent {
    cluster: Arc<ClusterState>,
    key: Key,
    connection: Http1,
}

impl Lent {
    fn give_back(self) {
        self.cluster.pool.give_back(self.key, self.connection);
    }
}

/// Sends a request to an endpoint. `preface`: a PROXY protocol header, in front of a connection of its own; `record`: is told
/// of the connection's ends.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn send(
    proxy: &Inner,
    preface: Option<Bytes>,
    cluster: &Arc<ClusterState>,
    host: &Host,
    head: &Head,
    body: &Replay,
    mut record: Option<&mut Record>,
) -> Result<Answer, Failure> {
    let tls = match &cluster.cluster.tls {
        UpstreamTls::Tls(context) if !context.auto || host.endpoint.mtls => Some(&**context),
        _ => None,
    };
    let protocol = protocol(cluster.cluster.http.protocol, head.version, tls);
    let offer = tls.map(|context| offer(cluster, context, head, protocol));
    let key = Key {
        address: Arc::clone(&host.endpoint.address),
        tls: offer.as_ref().map(|offer| Arc::clone(&offer.server_name)),
        protocol,
        preface,
    };
    // A kept connection may have been closed a moment ago: what it did not take is sent on a new one.
    const STALE_MAX: usize = 3;
    for _ in 0..STALE_MAX {
        let checkout = cluster.pool.checkout(proxy, &cluster.cluster, &key, offer.as_ref()).await?;
        match checkout {
            Checkout::Http1(mut connection, was_used) => {
                tell(&connection.ends, "HTTP/1.1", &mut record);
                if let Some(body) = body.at_hand().filter(|_| is_only_asked(head))
                    && let Some(direct) = connection.take_direct()
                {
                    let lent = Lent { cluster: Arc::clone(cluster), key: key.clone(), connection };
                    match at_once(direct, lent, head, &body).await {
                        Ok(response) => return Ok(Answer { response, connection: None }),
                        Err(Broken::Unsent) if was_used => continue,
                        Err(Broken::Unsent) => {
                            return Err(Failure::Reset("connection termination".to_owned()));
                        }
                        Err(Broken::Failed(failure)) => return Err(failure),
                    }
                }
                let request = head.request(false, body.body()).map_err(|_| Failure::NotWritable)?;
                match connection.sender().await?.try_send_request(request).await {
                    Ok(response) => {
                        head::framing(response.headers())
                            .map_err(|problem| Failure::Protocol(problem.0.to_owned()))?;
                        let lent = Lent { cluster: Arc::clone(cluster), key, connection };
                        let connection = Some(Held::Http1(Box::new(lent)));
                        return Ok(Answer { response: response.map(Body::Incoming), connection });
                    }
                    Err(mut refused) => {
                        let was_not_sent = refused.take_message().is_some();
                        if !(was_not_sent && was_used) {
                            return Err(broken::before_head(refused.error()));
                        }
                    }
                }
            }
            Checkout::Http2(stream) => {
                tell(stream.ends(), "HTTP/2", &mut record);
                let request = head.request(true, body.body()).map_err(|_| Failure::NotWritable)?;
                match stream.sender().try_send_request(request).await {
                    Ok(response) => {
                        let connection = Some(Held::Http2(stream));
                        return Ok(Answer { response: response.map(Body::Stream), connection });
                    }
                    Err(mut refused) => {
                        if refused.take_message().is_none() {
                            return Err(broken::before_head(refused.error()));
                        }
                        stream.refused();
                    }
                }
            }
        }
    }
    Err(Failure::Refused)
}

fn tell(ends: &Ends, protocol: &'static str, record: &mut Option<&mut Record>) {
    if let Some(record) = record {
        ends.tell(record);
        record.upstream_protocol = protocol;
        record.times.sending = Some(Instant::now());
    }
}

/// Whether nothing but an answer is to come of a request: no other protocol, no tunnel.
fn is_only_asked(head: &Head) -> bool {
    head.method != Method::CONNECT
        && !head.headers.contains_key(UPGRADE)
        && !head.headers.contains_key(EXPECT)
}

/// Sends a request whose body is all there on a connection that no task drives.
async fn at_once(direct: Direct, lent: Lent, head: &Head, body: &[Bytes]) -> Result<Response<Body>, Broken> {
    let written = direct::written(head, body).map_err(|_| Broken::Failed(Failure::NotWritable))?;
    let home = |direct| {
        let Lent { cluster, key, connection } = lent;
        Lent { cluster, key, connection: connection.with_direct(direct) }.give_back();
    };
    direct.send(&head.method, &written, home).await
}

fn protocol(
    configured: UpstreamProtocol,
    downstream: HttpVersion,
    tls: Option<&UpstreamTlsContext>,
) -> Protocol {
    match configured {
        UpstreamProtocol::Http1 => Protocol::Http1,
        UpstreamProtocol::Http2 => Protocol::Http2,
        UpstreamProtocol::Downstream if downstream == HttpVersion::Http2 => Protocol::Http2,
        UpstreamProtocol::Downstream => Protocol::Http1,
        UpstreamProtocol::Alpn if tls.is_some() => Protocol::ByAlpn,
        UpstreamProtocol::Alpn => Protocol::Http1,
    }
}

/// The server name and the protocols of a request's connection. Towards mesh mTLS the protocol of the request is told
/// by name (`istio-http/1.1`), so that the other side need not look at the bytes.
fn offer<'c>(
    cluster: &ClusterState,
    context: &'c UpstreamTlsContext,
    head: &Head,
    protocol: Protocol,
) -> Offer<'c> {
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    let is_mesh = context.alpn.iter().any(|name| &**name == "istio");
    let alpn = match (is_mesh, protocol) {
        (true, Protocol::Http2) => names(&["istio-h2", "istio", "h2"]),
        (true, Protocol::Http1 | Protocol::ByAlpn) if head.version == HttpVersion::Http10 => {
            names(&["istio-http/1.0", "istio", "http/1.0"])
        }
        (true, Protocol::Http1 | Protocol::ByAlpn) => names(&["istio-http/1.1", "istio", "http/1.1"]),
        (false, Protocol::Http2) => names(&["h2"]),
        (false, Protocol::ByAlpn) => names(&["h2", "http/1.1"]),
        (false, Protocol::Http1) => context.alpn.iter().filter(|name| &***name != "h2").cloned().collect(),
    };
    let server_name = if cluster.cluster.http.auto_sni && context.sni.is_empty() {
        host(&head.authority).to_ascii_lowercase().into()
    } else {
        Arc::clone(&context.sni)
    };
    Offer { context, server_name, alpn, by_server_name: cluster.cluster.http.auto_san_validation }
}

/// An authority without its port.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}
