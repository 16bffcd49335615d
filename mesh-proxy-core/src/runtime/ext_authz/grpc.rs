//! An authorizer that is asked with `envoy.service.auth.v3.Authorization/Check` (`envoyExtAuthzGrpc`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ::http::header::{HeaderName, HeaderValue};
use ::http::uri::Scheme;
use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use mesh_model::facts::{HttpVersion, RequestFacts};
use prost::Message;

use super::messages::{
    Address, AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, HttpRequest, OkHttpResponse,
    Peer, Request, SocketAddress, Timestamp,
};
use super::{ANSWER_BYTES_MAX, header_change, host};
use crate::runtime::cluster::ClusterState;
use crate::runtime::grpc;
use crate::runtime::head::{Head, Read};
use crate::runtime::inquiry::{self, Whole};
use crate::runtime::proxy::Inner;
use crate::seam::authorizer::{Answer, Asked, Authorizer, Consent, Question, Refusal, ShownBody};

/// Asks the hosts of a cluster.
#[derive(Debug)]
pub(super) struct OverGrpc<'p> {
    pub(super) proxy: &'p Inner,
    pub(super) cluster: &'p Arc<ClusterState>,
}

impl Authorizer for OverGrpc<'_> {
    fn ask<'a>(&'a self, question: Question<'a>) -> Asked<'a> {
        Box::pin(self.asked(question))
    }
}

impl OverGrpc<'_> {
    async fn asked(&self, question: Question<'_>) -> Answer {
        let message = grpc::framed(&check(&question));
        let head = head(&question);
        match inquiry::ask(self.proxy, self.cluster, &head, message, ANSWER_BYTES_MAX).await {
            Ok(whole) => match read(&whole) {
                Ok(response) => judge(response, question.request),
                Err(why) => Answer::Silent(why),
            },
            Err(why) => Answer::Silent(why.to_string()),
        }
    }
}

fn head(question: &Question<'_>) -> Head {
    let mut headers = HeaderMap::new();
    grpc::mark(&mut headers);
    // At most eight digits (gRPC over HTTP/2, Timeout).
    let millis = question.authorizer.timeout_ms.min(99_999_999);
    if let Ok(timeout) = HeaderValue::try_from(format!("{millis}m")) {
        headers.insert(HeaderName::from_static("grpc-timeout"), timeout);
    }
    Head {
        version: HttpVersion::Http2,
        method: Method::POST,
        scheme: Scheme::HTTP,
        authority: host(question.authorizer).to_owned(),
        path: "/envoy.service.auth.v3.Authorization/Check".to_owned(),
        headers,
        read: Read::default(),
    }
}

/// What the authorizer is told.
fn check(question: &Question<'_>) -> CheckRequest {
    let request = question.request.map(|request| Request {
        time: Some(timestamp(question.time)),
        http: Some(http_request(question, request)),
    });
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(peer(question.source, question.principal)),
            destination: Some(peer(question.destination, None)),
            request,
        }),
    }
}

fn peer(address: SocketAddr, principal: Option<&str>) -> Peer {
    let socket_address = SocketAddress {
        address: address.ip().to_canonical().to_string(),
        port_value: Some(u32::from(address.port())),
    };
    Peer {
        address: Some(Address { socket_address: Some(socket_address) }),
        principal: principal.unwrap_or_default().to_owned(),
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
    }
}

fn http_request(question: &Question<'_>, request: &RequestFacts<'_>) -> HttpRequest {
    let (body, raw_body) = body(question);
    let size = question.body.as_ref().filter(|body| !body.is_partial).map(|body| body.bytes.len());
    HttpRequest {
        id: first(request, "x-request-id"),
        method: request.method.to_string(),
        headers: headers(request, question.body.as_ref()),
        path: request.path.to_string(),
        host: request.authority.to_string(),
        scheme: request.scheme.to_string(),
        size: size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1),
        protocol: match request.version {
            HttpVersion::Http10 => "HTTP/1.0",
            HttpVersion::Http11 => "HTTP/1.1",
            HttpVersion::Http2 => "HTTP/2",
        }
        .to_owned(),
        body,
        raw_body,
    }
}

fn first(request: &RequestFacts<'_>, name: &str) -> String {
    request.headers.first(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// The body as text, or as bytes (`packAsBytes`).
fn body(question: &Question<'_>) -> (String, Vec<u8>) {
    let Some(body) = &question.body else { return Default::default() };
    if question.authorizer.body.as_ref().is_some_and(|wanted| wanted.pack_as_bytes) {
        (String::new(), body.bytes.to_vec())
    } else {
        (String::from_utf8_lossy(&body.bytes).into_owned(), Vec::new())
    }
}

/// All headers, the pseudo-headers among them; lines of one name are joined (CVE-2021-32777).
fn headers(request: &RequestFacts<'_>, body: Option<&ShownBody>) -> BTreeMap<String, String> {
    let pseudo = [
        (":authority", &request.authority),
        (":method", &request.method),
        (":path", &request.path),
        (":scheme", &request.scheme),
    ];
    let mut headers: BTreeMap<String, String> =
        pseudo.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect();
    for (name, value) in &request.headers.entries {
        let value = String::from_utf8_lossy(value);
        let line = headers.entry(name.to_ascii_lowercase());
        line.and_modify(|joined| {
            joined.push(',');
            joined.push_str(&value);
        })
        .or_insert_with(|| value.clone().into_owned());
    }
    if let Some(body) = body {
        headers.insert("x-envoy-auth-partial-body".to_owned(), body.is_partial.to_string());
    }
    headers
}

/// The message of an answer: exactly one, of a call that succeeded.
fn read(whole: &Whole) -> Result<CheckResponse, String> {
    if whole.status != StatusCode::OK {
        return Err(format!("it answered {}", whole.status));
    }
    grpc::succeeded(whole)?;
    let (prefix, rest) = whole.body.split_at_checked(5).ok_or("no message")?;
    let [0, length @ ..] = prefix else { return Err("a compressed message".to_owned()) };
    let length =
        length.try_into().map(u32::from_be_bytes).ok().and_then(|length| usize::try_from(length).ok());
    if length != Some(rest.len()) {
        return Err("not one whole message".to_owned());
    }
    CheckResponse::decode(rest).map_err(|error| error.to_string())
}

/// Status 0 is consent, an error response no answer, all else refusal; no status at all is status 0 (proto3).
fn judge(response: CheckResponse, request: Option<&RequestFacts<'_>>) -> Answer {
    let code = response.status.map(|status| status.code).unwrap_or_default();
    if code == 0 {
        let consent = response.ok_response.unwrap_or_default();
        return Answer::Allowed(consented(&consent, request));
    }
    if response.error_response.is_some() {
        return Answer::Silent("it met an error of its own".to_owned());
    }
    Answer::Denied(refusal(response.denied_response.unwrap_or_default()))
}

fn consented(consent: &OkHttpResponse, request: Option<&RequestFacts<'_>>) -> Consent {
    Consent {
        request: request.map(|request| header_change::of_request(consent, request)).unwrap_or_default(),
        response: header_change::of_answer(&consent.response_headers_to_add),
    }
}

fn refusal(denied: DeniedHttpResponse) -> Refusal {
    let status = denied.status.map(|status| status.code).and_then(|code| u16::try_from(code).ok());
    Refusal {
        status: status
            .filter(|code| (200..600).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::FORBIDDEN),
        headers: header_change::of_answer(&denied.headers),
        body: Bytes::from(denied.body),
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::{HttpStatus, Status};
    use super::*;

    fn whole(status: u16, grpc_status: Option<&str>, body: &[u8]) -> Whole {
        let mut trailers = HeaderMap::new();
        if let Some(code) = grpc_status {
            trailers.insert("grpc-status", HeaderValue::from_str(code).unwrap());
        }
        Whole {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            trailers,
        }
    }

    #[test]
    fn u08_what_is_not_one_whole_message_of_a_good_call_is_no_answer() {
        let good = grpc::framed(&CheckResponse::default());
        assert!(read(&whole(200, Some("0"), &good)).is_ok());
        let mut longer = good.to_vec();
        longer.push(0);
        let compressed = [1, 0, 0, 0, 0];
        for bad in [
            whole(200, None, &good),
            whole(200, Some("14"), &good),
            whole(503, Some("0"), &good),
            whole(200, Some("0"), b""),
            whole(200, Some("0"), &longer),
            whole(200, Some("0"), &compressed),
            whole(200, Some("0"), b"\0\xff\xff\xff\xff"),
            whole(200, Some("0"), b"\0\0\0\0\x02\xff\xff"),
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_status_zero_is_consent() {
        let status = |code| Some(Status { code });
        let denied = |code| {
            let status = Some(HttpStatus { code });
            Some(DeniedHttpResponse { status, body: "no".to_owned(), ..DeniedHttpResponse::default() })
        };
        assert_eq!(judge(CheckResponse::default(), None), Answer::Allowed(Consent::default()));
        let both = CheckResponse {
            status: status(7),
            ok_response: Some(OkHttpResponse::default()),
            ..CheckResponse::default()
        };
        let Answer::Denied(refusal) = judge(both, None) else { unreachable!("status 7 is a refusal") };
        assert_eq!(refusal.status, StatusCode::FORBIDDEN);
        for (code, wanted) in [(401, 401), (0, 403), (99, 403), (-1, 403), (700, 403)] {
            let response = CheckResponse {
                status: status(16),
                denied_response: denied(code),
                ..CheckResponse::default()
            };
            let Answer::Denied(refusal) = judge(response, None) else { unreachable!("a refusal") };
            assert_eq!((refusal.status.as_u16(), &*refusal.body), (wanted, &b"no"[..]));
        }
        let broken =
            CheckResponse { status: status(13), error_response: denied(500), ..CheckResponse::default() };
        assert!(matches!(judge(broken, None), Answer::Silent(_)));
    }
}
