//! Heads of requests: what the codec read as facts, and the canonical request as what the upstream receives.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};

use super::body::Body;
use super::request_headers::Replaced;
use crate::canonical::Canonical;
use crate::cluster::hash_key::HeaderValues;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const CLIENT_CERTIFICATE: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

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
    /// Its header lines are still the codec's: see [`HeaderChanges`].
    pub(crate) fn of(canonical: &Canonical<'_>, parts: &Parts) -> Self {
        let request = &canonical.request;
        let read = Read { path: parts.uri.path_and_query().cloned(), host: parts.headers.get(HOST).cloned() };
        Self {
            version: request.version,
            // A plugin may have changed it.
            method: if *parts.method.as_str() == *request.method {
                parts.method.clone()
            } else {
                Method::from_bytes(request.method.as_bytes()).unwrap_or_default()
            },
            scheme: if request.scheme == "https" { Scheme::HTTPS } else { Scheme::HTTP },
            authority: request.authority.to_string(),
            path: request.path.to_string(),
            headers: HeaderMap::new(),
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
        let path = self.written_path();
        if http2 {
            let authority = Authority::try_from(self.authority.as_str())?;
            let uri = Uri::builder().scheme(self.scheme.clone()).authority(authority);
            *request.uri_mut() = uri.path_and_query(path?).build()?;
            *request.version_mut() = Version::HTTP_2;
        } else {
            *request.uri_mut() = Uri::from(path?);
            request.headers_mut().insert(HOST, self.written_host()?);
        }
        Ok(request)
    }

    /// Takes another authority; the upstream is told of the one before, where it is to be.
    pub(crate) fn take_authority(&mut self, authority: &str, replaced: Replaced) {
        replaced.tell(&mut self.headers, &self.authority);
        if *authority != *self.authority {
            self.authority = authority.to_owned();
        }
    }

    /// The path as it is written.
    ///
    /// # Errors
    /// It cannot be.
    pub(crate) fn written_path(&self) -> Result<PathAndQuery, http::Error> {
        match &self.read.path {
            Some(read) if read.as_str() == self.path => Ok(read.clone()),
            _ => Ok(PathAndQuery::try_from(self.path.as_str())?),
        }
    }

    /// The authority as it is written in HTTP/1.
    ///
    /// # Errors
    /// It cannot be.
    pub(crate) fn written_host(&self) -> Result<HeaderValue, http::Error> {
        match &self.read.host {
            Some(read) if read.as_bytes() == self.authority.as_bytes() => Ok(read.clone()),
            _ => Ok(HeaderValue::from_str(&self.authority)?),
        }
    }
}

/// How the header lines of a canonical request differ from those that the codec read. There are few differences as a
/// rule, so the codec's own map is changed and sent on.
#[derive(Debug)]
pub(crate) enum HeaderChanges {
    /// Names whose lines go, then lines that come.
    Few(Vec<HeaderName>, Vec<(HeaderName, HeaderValue)>),
    /// All lines.
    Whole(HeaderMap),
}

impl HeaderChanges {
    /// Lines of the canonical request that are none are left out: the codec lets none of them in. `made`: a value that is
    /// not made once more where it is one of them.
    pub(crate) fn of(canonical: &Headers<'_>, read: &HeaderMap, made: Option<&HeaderValue>) -> Self {
        let mut lines = canonical.entries.iter().peekable();
        let mut gone = Vec::new();
        for (name, value) in read {
            let is_it = |(its, line): &&(Cow<'_, str>, Cow<'_, [u8]>)| {
                // Empty values may all be at one address.
                let is_same = |line: &&[u8]| std::ptr::eq(*line, value.as_bytes());
                matches!(line, Cow::Borrowed(line) if is_same(line)) && its == name.as_str()
            };
            if lines.next_if(is_it).is_none() {
                gone.push(name.clone());
            }
        }
        // Of a name with several lines some may have stayed.
        if gone.iter().any(|name| read.get_all(name).iter().nth(1).is_some()) {
            let mut headers = HeaderMap::with_capacity(canonical.entries.len() + 4);
            for (name, value) in canonical.entries.iter().filter_map(|entry| line(entry, made)) {
                headers.append(name, value);
            }
            return Self::Whole(headers);
        }
        Self::Few(gone, lines.filter_map(|entry| line(entry, made)).collect())
    }

    /// Makes the codec's lines those of the canonical request.
    pub(crate) fn apply(self, mut read: HeaderMap) -> HeaderMap {
        match self {
            Self::Whole(headers) => headers,
            Self::Few(gone, come) => {
                for name in gone {
                    read.remove(name);
                }
                for (name, value) in come {
                    read.append(name, value);
                }
                read
            }
        }
    }
}

fn line(
    (name, value): &(Cow<'_, str>, Cow<'_, [u8]>),
    made: Option<&HeaderValue>,
) -> Option<(HeaderName, HeaderValue)> {
    // What every request at an edge gets needs neither to be checked nor kept once more.
    let name = match &**name {
        "x-forwarded-for" => FORWARDED_FOR,
        "x-forwarded-client-cert" => CLIENT_CERTIFICATE,
        "x-forwarded-port" => FORWARDED_PORT,
        "x-forwarded-proto" => FORWARDED_PROTO,
        name => HeaderName::from_bytes(name.as_bytes()).ok()?,
    };
    let value = match &**value {
        b"http" => HeaderValue::from_static("http"),
        b"https" => HeaderValue::from_static("https"),
        value => match made.filter(|made| std::ptr::eq(value, made.as_bytes())) {
            Some(made) => made.clone(),
            None => HeaderValue::from_bytes(value).ok()?,
        },
    };
    Some((name, value))
}

/// The name of a version as logs have it.
pub(crate) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        _ => "HTTP/2",
    }
}

/// The same of the version of a request that was read.
#[cfg(feature = "wasm")]
pub(crate) fn protocol_of(version: HttpVersion) -> &'static str {
    match version {
        HttpVersion::Http10 => "HTTP/1.0",
        HttpVersion::Http11 => "HTTP/1.1",
        HttpVersion::Http2 => "HTTP/2",
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Line = (&'static str, &'static [u8]);

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        let name = prop::sample::select(vec!["accept", "x-a", "x-b", "x-c"]);
        let value = prop::sample::select(vec![&b""[..], b"one", b"two"]);
        prop::collection::vec((name, value), 0..6)
    }

    fn map(lines: &[Line]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(std::str::from_utf8(value).unwrap()));
        }
        map
    }

    proptest! {
        /// The canonical request keeps some of the codec's lines, in their order, and others come.
        #[test]
        fn changed_lines_are_those_of_the_canonical_request(
            read in lines(), kept in prop::collection::vec(any::<bool>(), 6), come in lines()
        ) {
            let read = map(&read);
            let stay = read.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(line, _)| line);
            let stay = stay.map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_bytes())));
            let come = come.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Owned(value.to_vec())));
            let canonical = Headers { entries: stay.chain(come).collect() };
            let mut slow = HeaderMap::new();
            for (name, value) in canonical.entries.iter().filter_map(|entry| line(entry, None)) {
                slow.append(name, value);
            }
            prop_assert_eq!(HeaderChanges::of(&canonical, &read, None).apply(read.clone()), slow);
        }
    }
}
