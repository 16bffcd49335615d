//! All that any rule may look at: one connection, one request. Built once, by the edge, and never changed.
//! Ours: what is gathered once, by one function, cannot be understood in two ways.

mod inline_header;

use std::borrow::Cow;
use std::net::IpAddr;

pub use inline_header::is_inline_header;

/// What is known of a connection (S-136, T-189).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFacts<'a> {
    /// The physical peer (S-136).
    pub src_ip: IpAddr,
    /// The address the client dialled, before capture (T-189, T-481).
    pub dst_ip: IpAddr,
    /// The port the client dialled, before capture (T-189, T-481).
    pub dst_port: u16,
    /// TLS as it arrives; `None`: plaintext.
    pub tls: Option<TlsFacts<'a>>,
    /// The client as the physical peer tells it in a PROXY protocol header; `None`: it told nothing (S-222).
    pub proxied_ip: Option<IpAddr>,
}

impl ConnectionFacts<'_> {
    /// The connection's client: the one that a PROXY protocol header names, else the physical peer. `remoteIpBlocks` and
    /// X-Forwarded-For mean this one, `ipBlocks` the physical peer.
    pub fn client_ip(&self) -> IpAddr {
        self.proxied_ip.unwrap_or(self.src_ip)
    }
}

/// What a TLS client offers (S-144, S-339).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFacts<'a> {
    /// Server name, as sent (S-144, E-082).
    pub sni: Option<Cow<'a, str>>,
    /// Protocols in the client's order (T-492).
    pub alpn: Vec<Cow<'a, str>>,
    /// URI SAN of the verified client certificate; `None`: no certificate (S-339, S-340).
    pub peer: Option<Cow<'a, str>>,
}

/// HTTP version of a request (T-564).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

/// A request: as it arrived, or in canonical form (path normalised, header names lower case) (T-135..T-149, S-367).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    /// The version.
    pub version: HttpVersion,
    /// The method, case-sensitive (T-140, S-176).
    pub method: Cow<'a, str>,
    /// `:scheme` as routes see it (E-063).
    pub scheme: Cow<'a, str>,
    /// `Host` or `:authority`, as received, with its port (T-140, S-177).
    pub authority: Cow<'a, str>,
    /// Path with query (T-135, S-182).
    pub path: Cow<'a, str>,
    /// In order; repeated names allowed (T-141, E-001).
    pub headers: Headers<'a>,
}

impl RequestFacts<'_> {
    /// The path without its query.
    pub fn path_only(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(path, _)| path)
    }

    /// The query without `?`; empty: none.
    pub fn query(&self) -> &str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }
}

/// An ordered multimap of headers (E-001, E-085).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    /// Name and value, in order. Names are lower case in a canonical request.
    pub entries: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
}

impl<'a> Headers<'a> {
    /// The values of one header, in order; `name` is lower case.
    pub fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'a> {
        self.entries.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The first value of a header.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// All lines of a header as one value, joined with `,`; empty lines leave no trace, not even a comma (E-085).
    pub fn joined(&self, name: &str) -> Vec<u8> {
        let lines: Vec<&[u8]> = self.values(name).filter(|line| !line.is_empty()).collect();
        lines.join(&b',')
    }

    /// Whether a header is there.
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// Appends a header line.
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, [u8]>>) {
        self.entries.push((name.into(), value.into()));
    }

    /// Deletes all lines of a header.
    pub fn remove(&mut self, name: &str) {
        self.entries.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}
