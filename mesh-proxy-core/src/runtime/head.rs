//! Heads of requests: what the codec read as facts, and the canonical request as what the upstream receives.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};

use super::body::Body;
use crate::canonical::Canonical;
use crate::cluster::hash_key::HeaderValues;

/// A request that the codec let pass and Envoy's would not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The facts of a request as hyper read it.
///
/// # Errors
/// No `host` or several of them, or bytes that are no text where text must be.
pub(crate) fn facts(parts: &Parts, over_tls: bool) -> Result<RequestFacts<'_>, Malformed> {
    let version = match parts.version {
        Version::HTTP_10 | Version::HTTP_09 => HttpVersion::Http10,
        Version::HTTP_11 => HttpVersion::Http11,
        _ => HttpVersion::Http2,
    };
    if version != HttpVersion::Http2 {
        framing(&parts.headers)?;
    }
    let uri = &parts.uri;
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Malformed("several host headers"));
    }
    let host = match host {
        Some(host) => {
            Some(std::str::from_utf8(host.as_bytes()).map_err(|_| Malformed("the host is no text"))?)
        }
        None => None,
    };
    let is_absolute = uri.scheme().is_some();
    let authority = match version {
        HttpVersion::Http2 => uri.authority().map(Authority::as_str).or(host),
        HttpVersion::Http10 | HttpVersion::Http11 => match host {
            // An absolute target is taken apart by the canonical request; its authority wins (RFC 9112, 3.2.2).
            Some(host) => Some(host),
            None => uri.authority().map(Authority::as_str),
        },
    };
    let authority = authority.ok_or(Malformed("no host"))?;
    let path = if is_absolute && version != HttpVersion::Http2 {
        Cow::Owned(uri.to_string())
    } else {
        Cow::Borrowed(uri.path_and_query().map_or("", PathAndQuery::as_str))
    };
    let mut headers = Headers { entries: Vec::with_capacity(parts.headers.len()) };
    let lines = parts.headers.iter().filter(|(name, _)| **name != HOST);
    headers
        .entries
        .extend(lines.map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_bytes()))));
    Ok(RequestFacts {
        version,
        method: Cow::Borrowed(parts.method.as_str()),
        scheme: Cow::Borrowed(uri.scheme_str().unwrap_or(if over_tls { "https" } else { "http" })),
        authority: Cow::Borrowed(authority),
        path,
        headers,
    })
}

/// Of the ways that HTTP/1 has to say where a message ends, one, once: what parsers read differently is refused
/// (RFC 9112, 6.3), of clients and of upstreams. The codec itself takes several codings, or a length before a coding.
///
/// # Errors
/// There are several.
pub(crate) fn framing(headers: &HeaderMap) -> Result<(), Malformed> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (coding, length) = (codings.next(), lengths.next());
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(Malformed("a transfer encoding other than chunked"));
    }
    if coding.is_some() && length.is_some() {
        return Err(Malformed("a length and a transfer encoding"));
    }
    if lengths.next().is_some() {
        return Err(Malformed("several lengths"));
    }
    Ok(())
}

/// The head of a request on its way upstream.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) version: HttpVersion,
    pub(crate) method: Method,
    pub(crate) scheme: Scheme,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Path and `host` as the codec read them: where they are still the same they need not be read again.
    pub(crate) read: Read,
}

/// What the codec read, where it did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Read {
    path: Option<PathAndQuery>,
    host: Option<HeaderValue>,
}

impl Head {
    /// The canonical request's own head. Header lines that are none are left out: the codec lets none of them in.
    pub(crate) fn of(canonical: &Canonical<'_>, parts: &Parts) -> Self {
        let request = &canonical.request;
        let read = Read { path: parts.uri.path_and_query().cloned(), host: parts.headers.get(HOST).cloned() };
        Self {
            version: request.version,
            method: parts.method.clone(),
            scheme: if request.scheme == "https" { Scheme::HTTPS } else { Scheme::HTTP },
            authority: request.authority.to_string(),
            path: request.path.to_string(),
            headers: headers(&request.headers, &parts.headers),
            read,
        }
    }

    /// Whether it is a gRPC request.
    pub(crate) fn is_grpc(&self) -> bool {
        is_grpc(&self.headers)
    }

    /// The request in HTTP/1.1, or in HTTP/2.
    ///
    /// # Errors
    /// Path or authority cannot be written as a URI.
    pub(crate) fn request(&self, http2: bool, body: Body) -> Result<Request<Body>, http::Error> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        let path = match &self.read.path {
            Some(read) if read.as_str() == self.path => Ok(read.clone()),
            _ => PathAndQuery::try_from(self.path.as_str()),
        };
        if http2 {
            let authority = Authority::try_from(self.authority.as_str())?;
            let uri = Uri::builder().scheme(self.scheme.clone()).authority(authority);
            *request.uri_mut() = uri.path_and_query(path?).build()?;
            *request.version_mut() = Version::HTTP_2;
        } else {
            *request.uri_mut() = Uri::from(path?);
            let host = match &self.read.host {
                Some(read) if read.as_bytes() == self.authority.as_bytes() => read.clone(),
                _ => HeaderValue::from_str(&self.authority)?,
            };
            request.headers_mut().insert(HOST, host);
        }
        Ok(request)
    }
}

/// Header lines as the upstream receives them. Most are lines that the codec read, in the same order: those are shared
/// with it, and only what rules wrote is read as header lines again.
fn headers(canonical: &Headers<'_>, read: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(canonical.entries.len() + 6);
    let mut lines = read.iter();
    for (name, value) in &canonical.entries {
        if let Cow::Borrowed(value) = value {
            // What lies between is what rules took out. A line that is not found costs the lines behind it a copy.
            let is_it = |line: &(&HeaderName, &HeaderValue)| {
                std::ptr::eq(line.1.as_bytes(), *value) && line.0.as_str() == name
            };
            if let Some((name, value)) = lines.find(is_it) {
                headers.append(name.clone(), value.clone());
                continue;
            }
        }
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// `application/grpc`, alone or with a suffix.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .strip_prefix(b"application/grpc")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b";"))
    })
}

impl HeaderValues for HeaderMap {
    fn values<'h>(&'h self, name: &str) -> Box<dyn Iterator<Item = &'h str> + 'h> {
        Box::new(self.get_all(name).iter().filter_map(|value| value.to_str().ok()))
    }
}
