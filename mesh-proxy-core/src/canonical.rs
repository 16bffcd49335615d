//! The one canonical request: what the codec and the connection manager make of a request before any rule sees it.

use std::borrow::Cow;
use std::net::IpAddr;

use mesh_compile::proxy::listener::HttpManager;
use mesh_compile::proxy::proxy_headers::ClientCertificateHeader;
use mesh_model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts};

use crate::client_address::remote_address;
use crate::decision::{LocalReply, ReplyReason};
use crate::http_syntax::{Ipv4Text, is_above_controls, is_graphic, is_http1_method, lower_case};
use crate::path_normalization::normalize;

/// A request in the form that authentication, policies, routes and the upstream share (S-195, S-196, S-367).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical<'a> {
    /// Path normalised, header names lower case, `x-forwarded-proto` settled.
    pub request: RequestFacts<'a>,
    /// The client as forwarded headers tell it, where trusted (E-010).
    pub remote_ip: IpAddr,
}

impl Canonical<'_> {
    /// `x-forwarded-proto` as the proxy holds it (T-423).
    pub fn forwarded_proto(&self) -> Cow<'_, str> {
        forwarded_proto(&self.request.headers).unwrap_or_default()
    }
}

/// The TLS that this proxy terminated, and what its client has shown in it (S-345 to S-351).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminated<'a> {
    /// No TLS ended here.
    No,
    /// The client has shown no certificate.
    Anonymous,
    /// It has shown one, of which nothing more is known than whose it is.
    Named,
    /// It has shown one. With its element of `x-forwarded-client-cert`; `None`: nothing can be told of it (B-36).
    Certified(Option<&'a [u8]>),
}

impl Terminated<'_> {
    fn is_over_tls(self) -> bool {
        self != Self::No
    }

    fn has_certificate(self) -> bool {
        matches!(self, Self::Named | Self::Certified(_))
    }
}

/// A request that no rule sees: the codec or the connection manager answers it (S-198, S-364).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// What is wrong with it.
    pub reason: ReplyReason,
    /// The answer's status.
    pub status: u16,
}

impl From<Rejection> for LocalReply {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection.reason, rejection.status)
    }
}

/// The canonical form of a request, or the answer to one that has none.
///
/// # Errors
/// The reply of the codec (method, E-089; path characters, E-012) or of the connection manager (HTTP/1.0, T-564;
/// authority, E-013; path, S-198 and E-011), in the order in which they look.
pub fn canonicalize<'a>(
    manager: &HttpManager,
    connection: &ConnectionFacts<'_>,
    terminated: Terminated<'a>,
    request: &'a RequestFacts<'_>,
) -> Result<Canonical<'a>, Rejection> {
    let bad = |reason| Err(Rejection { reason, status: 400 });
    let is_http1 = request.version != HttpVersion::Http2;
    if is_http1 && !is_http1_method(&request.method) {
        return bad(ReplyReason::BadRequest);
    }
    if !is_graphic(request.path.as_bytes()) {
        return bad(ReplyReason::BadPath);
    }
    if !request.headers.entries.iter().all(|(name, value)| is_header(name, value)) {
        return bad(ReplyReason::BadRequest);
    }
    if request.version == HttpVersion::Http10 && !manager.http10 {
        return Err(Rejection { reason: ReplyReason::Http10, status: 426 });
    }
    let target = Target::of(request);
    if !is_authority(target.authority) {
        return bad(ReplyReason::BadAuthority);
    }
    let has_path = target.path.starts_with('/');
    let needs_none = target.path.is_empty() && request.method == "CONNECT";
    if !has_path && !needs_none {
        let status = if is_http1 && !is_known_to_http1(&request.method, &target) { 400 } else { 404 };
        return Err(Rejection { reason: ReplyReason::BadPath, status });
    }
    let Ok(path) = normalize(target.path, manager.normalization) else { return bad(ReplyReason::BadPath) };

    let remote_ip = remote_address(manager, connection.client_ip(), &request.headers);
    let headers = canonical_headers(manager, connection, terminated, request);
    let scheme = scheme(request, target.scheme, &headers, terminated.is_over_tls());
    let request = RequestFacts {
        version: request.version,
        method: Cow::Borrowed(&request.method),
        scheme,
        authority: Cow::Borrowed(target.authority),
        path,
        headers,
    };
    Ok(Canonical { request, remote_ip })
}

fn is_header(name: &str, value: &[u8]) -> bool {
    let bad_name = |byte: u8| byte.is_ascii_control() || byte == b' ';
    !name.is_empty()
        && (is_graphic(name.as_bytes()) || !name.bytes().any(bad_name))
        && (is_above_controls(value) || !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')))
}

/// E-013. An empty one is accepted.
fn is_authority(authority: &str) -> bool {
    let is_refused = |byte: &u8| {
        matches!(byte, b'"' | b'#' | b'/' | b'<' | b'>' | b'?' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    is_graphic(authority.as_bytes()) && !authority.as_bytes().iter().any(is_refused)
}

/// The request target, taken apart where it is in absolute form (HTTP/1, RFC 9112, 3.2.2).
struct Target<'r> {
    scheme: Option<&'static str>,
    authority: &'r str,
    path: &'r str,
}

impl<'r> Target<'r> {
    fn of(request: &'r RequestFacts<'_>) -> Self {
        let as_it_came = Self { scheme: None, authority: &request.authority, path: &request.path };
        if request.version == HttpVersion::Http2 {
            return as_it_came;
        }
        let absolute = strip_scheme(&request.path, "http://")
            .map(|rest| ("http", rest))
            .or_else(|| strip_scheme(&request.path, "https://").map(|rest| ("https", rest)));
        let Some((scheme, rest)) = absolute else { return as_it_came };
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(authority_end).unwrap_or((rest, ""));
        // A path may be left out, but not before a query.
        let path = if path.is_empty() { "/" } else { path };
        Self { scheme: Some(scheme), authority, path }
    }
}

/// The HTTP/1 codec refuses targets that are neither paths nor absolute itself, but for `OPTIONS *` (S-198 otherwise).
fn is_known_to_http1(method: &str, target: &Target<'_>) -> bool {
    target.scheme.is_some() || (method == "OPTIONS" && target.path.starts_with('*'))
}

fn strip_scheme<'r>(target: &'r str, scheme: &str) -> Option<&'r str> {
    let start = target.get(..scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then(|| target.get(scheme.len()..)).flatten()
}

/// Names lower case; at an edge the peer is appended to X-Forwarded-For (T-440); `x-forwarded-proto` settled (T-423), and
/// `x-forwarded-port`, where it is wanted (T-473), and `x-forwarded-client-cert` (S-345 to S-351): rules, authorizers and
/// plugins see of it what the upstream will, as in Envoy.
fn canonical_headers<'a>(
    manager: &HttpManager,
    connection: &ConnectionFacts<'_>,
    terminated: Terminated<'a>,
    request: &'a RequestFacts<'_>,
) -> Headers<'a> {
    let lines = &request.headers.entries;
    // With room for the two that may be added.
    let mut headers = Headers { entries: Vec::with_capacity(lines.len() + 2) };
    headers.entries.extend(
        lines
            .iter()
            .map(|(name, value)| (lower_case(name), Cow::Borrowed(field_value(request.version, value)))),
    );
    if manager.use_remote_address {
        append_forwarded_for(&mut headers, connection.client_ip());
    }
    let trusts_forwarded = !manager.use_remote_address || manager.trusted_hops > 0;
    if !trusts_forwarded || !headers.contains("x-forwarded-proto") {
        headers.remove("x-forwarded-proto");
        headers.push("x-forwarded-proto", own_scheme(terminated.is_over_tls()).as_bytes());
    }
    tell_client_certificate(&mut headers, manager.headers.client_certificate, terminated);
    if manager.headers.forwarded_port && (!trusts_forwarded || !headers.contains("x-forwarded-port")) {
        headers.remove("x-forwarded-port");
        headers.push("x-forwarded-port", connection.dst_port.to_string().into_bytes());
    }
    headers
}

/// Who the client is by its certificate (S-345 to S-351). What a client without one says of itself goes no further, but
/// where all of it is to.
fn tell_client_certificate<'a>(
    headers: &mut Headers<'a>,
    mode: ClientCertificateHeader,
    terminated: Terminated<'a>,
) {
    const NAME: &str = "x-forwarded-client-cert";
    let own: Cow<'a, [u8]> = match (mode, terminated) {
        (ClientCertificateHeader::AlwaysForwardOnly, _) => return,
        (ClientCertificateHeader::ForwardOnly, client) if client.has_certificate() => return,
        (ClientCertificateHeader::AppendForward(_), Terminated::Named) => return,
        (ClientCertificateHeader::SanitizeSet(_), Terminated::Certified(Some(own))) => own.into(),
        (ClientCertificateHeader::AppendForward(_), Terminated::Certified(Some(own))) => {
            match headers.joined(NAME) {
                before if before.is_empty() => own.into(),
                before => [&*before, own].join(&b',').into(),
            }
        }
        _ => return headers.remove(NAME),
    };
    headers.remove(NAME);
    headers.push(NAME, own);
}

/// The HTTP/1 codec takes white space around a value for none of it (RFC 9112, 5.1).
fn field_value(version: HttpVersion, value: &[u8]) -> &[u8] {
    if version == HttpVersion::Http2 { value } else { value.trim_ascii() }
}

fn append_forwarded_for(headers: &mut Headers<'_>, peer: IpAddr) {
    let mut joined = Vec::with_capacity(48);
    for line in headers.values("x-forwarded-for") {
        joined.extend_from_slice(line);
        joined.push(b',');
    }
    match peer {
        IpAddr::V4(peer) => joined.extend_from_slice(Ipv4Text::of(peer).as_str().as_bytes()),
        IpAddr::V6(peer) => joined.extend_from_slice(peer.to_string().as_bytes()),
    }
    headers.remove("x-forwarded-for");
    headers.push("x-forwarded-for", joined);
}

fn own_scheme(over_tls: bool) -> &'static str {
    if over_tls { "https" } else { "http" }
}

/// The lines of `x-forwarded-proto`, joined as inline headers are (E-085).
fn forwarded_proto<'h>(headers: &'h Headers<'_>) -> Option<Cow<'h, str>> {
    let mut values = headers.values("x-forwarded-proto");
    let first = values.next()?;
    let mut joined = String::from_utf8_lossy(first);
    for value in values {
        let text = joined.to_mut();
        text.push(',');
        text.push_str(&String::from_utf8_lossy(value));
    }
    Some(joined)
}

/// E-063: HTTP/2 and absolute targets have their own scheme; otherwise `x-forwarded-proto` where it is one, else
/// the connection's.
fn scheme<'a>(
    request: &'a RequestFacts<'_>,
    of_target: Option<&'static str>,
    headers: &Headers<'_>,
    over_tls: bool,
) -> Cow<'a, str> {
    if request.version == HttpVersion::Http2 {
        return lower_case(&request.scheme);
    }
    if let Some(scheme) = of_target {
        return Cow::Borrowed(scheme);
    }
    Cow::Borrowed(match forwarded_proto(headers) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
        Some(proto) if proto.eq_ignore_ascii_case("http") => "http",
        _ => own_scheme(over_tls),
    })
}

#[cfg(test)]
mod tests;
