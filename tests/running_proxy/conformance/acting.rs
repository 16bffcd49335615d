//! A probe as bytes.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh::proxy_core::probe::{Probe, ProbeRequest, ProbeVersion};
use mesh::proxy_core::runtime::Arrival;
use mesh::proxy_core::seam::dial::BoxIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::stage::{CA, Reached, Stage, issue};
use super::{Played, compare};
use crate::client::{Answer, exchange_on};
use crate::tls;

/// What the client saw.
#[derive(Debug)]
pub enum Heard {
    Answer(Answer),
    /// Its own bytes, from an upstream that sends them back.
    Echo,
    /// The connection was closed, without a byte.
    Closed,
}

const BYTES: &[u8] = b"\x00bytes\n";

pub async fn act(stage: &Stage, probe: &Probe, expected: &Value) -> Played {
    if let Some(why) = cannot_be_acted(stage, probe, expected) {
        return Played::NotActed(why);
    }
    stage.take();
    let playing = play(stage, probe);
    let Ok(heard) = tokio::time::timeout(Duration::from_secs(8), playing).await else {
        return Played::Different("nothing came for eight seconds".to_owned());
    };
    match heard {
        Err(why) => Played::NotActed(why),
        Ok((heard, was_asked)) => match compare::compare(expected, &heard, &reached(stage, probe), probe) {
            Ok(()) => Played::Same,
            Err(_) if !was_asked => Played::NotActed("nobody asked for the client's certificate"),
            Err(how) => Played::Different(how),
        },
    }
}

/// What reached upstreams for this probe; copies of the one before may still arrive.
fn reached(stage: &Stage, probe: &Probe) -> Vec<Reached> {
    let mut reached = stage.take();
    reached.retain(|one| {
        one.request.as_ref().is_none_or(|seen| seen.header(PROBE_ID) == Some(probe.id.as_str()))
    });
    reached
}

/// Names the probe in what upstreams receive.
const PROBE_ID: &str = "x-acted-probe";

fn cannot_be_acted(stage: &Stage, probe: &Probe, expected: &Value) -> Option<&'static str> {
    if expected.get("external_authz").is_some() {
        return Some("asks an external authorizer");
    }
    let fault = &expected["fault"];
    let percent = |key: &str| fault[key].as_f64().unwrap_or(0.0);
    if percent("delay_percent") > 0.0 {
        return Some("injects a delay");
    }
    let always = percent("abort_percent") >= 100.0;
    if percent("abort_percent") > 0.0 && !always {
        return Some("aborts by chance");
    }
    // `docs/hardening.md`, T02: nobody with such a name gets through the handshake, whatever policies would say.
    let peer = probe.conn.tls.as_ref().and_then(|tls| tls.peer.as_deref());
    let is_denied = expected["reason"] == "rbac";
    if is_denied && peer.is_some_and(|peer| peer.parse::<mesh::model::name::SpiffeId>().is_err()) {
        return Some("the handshake refuses that identity");
    }
    let is_token = |name: &str| hyper::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
    if probe.http.iter().flat_map(|http| &http.headers).any(|(name, _)| !is_token(name)) {
        return Some("a client cannot send that header");
    }
    let clusters = expected["clusters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let known = &stage.proxy.generation().config.clusters;
    let missing = |cluster: &Value| !known.contains_key(cluster["cluster"].as_str().unwrap_or_default());
    if clusters.len() > 1 && clusters.iter().any(missing) {
        return Some("may pick a cluster that is not there");
    }
    None
}

/// What the client heard, and whether its certificate was asked for where it has one.
async fn play(stage: &Stage, probe: &Probe) -> Result<(Heard, bool), &'static str> {
    let offered = probe.conn.tls.as_ref().map(|tls| tls.alpn.clone()).unwrap_or_default();
    if let Some(heard) = play_offering(stage, probe, &offered).await? {
        return Ok(heard);
    }
    // Who has agreed on HTTP/2 speaks it: a client that wants to send HTTP/1 must not offer it.
    let without: Vec<String> = offered.into_iter().filter(|name| !HTTP2.contains(&&**name)).collect();
    if without.is_empty() {
        return Err("who offers HTTP/2 alone speaks it");
    }
    play_offering(stage, probe, &without).await?.ok_or("HTTP/2 is agreed on though nobody offers it")
}

/// Names of HTTP/2 in handshakes.
const HTTP2: [&str; 2] = ["h2", "istio-h2"];

/// `None`: HTTP/2 was agreed on for a probe of HTTP/1.
async fn play_offering(
    stage: &Stage,
    probe: &Probe,
    alpn: &[String],
) -> Result<Option<(Heard, bool)>, &'static str> {
    let direction = probe.direction.into();
    let arrival = Arrival {
        direction,
        peer: SocketAddr::new(probe.conn.src_ip, 40_000),
        destination: SocketAddr::new(probe.conn.dst_ip, probe.conn.dst_port),
    };
    let (near, far) = UnixStream::pair().unwrap();
    let proxy = stage.proxy.clone();
    tokio::spawn(async move { proxy.serve(far, arrival).await });
    let (stream, was_asked): (BoxIo, bool) = match &probe.conn.tls {
        None => (Box::new(near), true),
        Some(offered) => {
            let identity = match &offered.peer {
                None => None,
                Some(peer) if peer.is_ascii() => Some(issue(std::slice::from_ref(peer))),
                Some(_) => return Err("a certificate cannot have that name"),
            };
            let sni = offered.sni.as_deref().unwrap_or_default();
            // The last dot of a name is never sent (RFC 6066, 3).
            if sni.ends_with('.') {
                return Err("a client cannot send that server name");
            }
            match tls::offer(Box::new(near), &CA, sni, alpn, identity.as_ref()).await {
                Ok(offered) => {
                    let is_http1 = probe.http.as_ref().is_some_and(|it| it.version != ProbeVersion::Http2);
                    if is_http1 && offered.agreed.as_deref().is_some_and(|name| HTTP2.contains(&name)) {
                        return Ok(None);
                    }
                    (offered.stream, offered.asked)
                }
                Err(tls::NoTls::BadName) => return Err("a client cannot send that server name"),
                Err(tls::NoTls::Refused) => return Ok(Some((Heard::Closed, true))),
            }
        }
    };
    let heard = match &probe.http {
        None => heard(&exchange_on_half(stream, BYTES).await),
        Some(request) if request.version == ProbeVersion::Http2 => http2(stream, probe, request).await?,
        Some(request) => heard(&exchange_on(stream, &http1(probe, request)).await),
    };
    Ok(Some((heard, was_asked)))
}

/// Sends bytes, then listens for a short while: other bytes are sent back, but nobody need close.
async fn exchange_on_half(mut stream: BoxIo, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let _ = stream.write_all(bytes).await;
    let mut buffer = [0; 512];
    let length = stream.read(&mut buffer).await.unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn heard(text: &str) -> Heard {
    // An alert is how TLS says no.
    if text.is_empty() || text.starts_with('\x15') {
        Heard::Closed
    } else if text.starts_with("HTTP/") {
        Heard::Answer(Answer::parse(text))
    } else {
        Heard::Echo
    }
}

fn http1(probe: &Probe, request: &ProbeRequest) -> Vec<u8> {
    let version = if request.version == ProbeVersion::Http10 { "1.0" } else { "1.1" };
    let mut text = format!(
        "{} {} HTTP/{version}\r\nhost: {}\r\nconnection: close\r\n{PROBE_ID}: {}\r\n",
        request.method, request.path, request.authority, probe.id
    );
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

async fn http2(stream: BoxIo, probe: &Probe, request: &ProbeRequest) -> Result<Heard, &'static str> {
    const UNSENDABLE: &str = "a client cannot send that HTTP/2 request";
    let scheme = if probe.conn.tls.is_some() { "https" } else { "http" };
    let uri = hyper::Uri::builder()
        .scheme(scheme)
        .authority(request.authority.as_str())
        .path_and_query(request.path.as_str())
        .build()
        .map_err(|_| UNSENDABLE)?;
    if uri.path_and_query().is_none_or(|path| path.as_str() != request.path) {
        return Err(UNSENDABLE);
    }
    let mut builder =
        hyper::Request::builder().method(request.method.as_str()).uri(uri).header(PROBE_ID, &probe.id);
    for (name, value) in &request.headers {
        builder = builder.header(name.to_ascii_lowercase(), value);
    }
    let wanted = builder.body(Empty::<bytes::Bytes>::new()).map_err(|_| UNSENDABLE)?;
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let Ok((mut sender, connection)) = handshake.await else { return Ok(Heard::Closed) };
    let driver = tokio::spawn(connection);
    let result = sender.send_request(wanted).await;
    let heard = match result {
        Err(error) if error.is_user() => return Err(UNSENDABLE),
        Err(_) => Heard::Closed,
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let text =
                |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            Heard::Answer(Answer {
                status: parts.status.as_u16(),
                headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                body: String::from_utf8_lossy(&body).into_owned(),
            })
        }
    };
    driver.abort();
    Ok(heard)
}
