//! Probes: facts of a connection or request as JSON lines (`conformance/FORMAT.md`).
//! Spec: conformance/FORMAT.md, probes.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use mesh_compile::proxy::listener::Direction;
use mesh_model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts, TlsFacts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::query::Query;

/// Longest line that is read, in bytes.
const LINE_MAX: usize = 1 << 20;

/// One request or connection at one proxy. Spec: conformance/FORMAT.md, probes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Repeated in the answer.
    pub id: String,
    /// Where it is met.
    pub direction: ProbeDirection,
    /// The connection.
    pub conn: ProbeConnection,
    /// The request; `None`: raw bytes.
    #[serde(default)]
    pub http: Option<ProbeRequest>,
}

/// Where a probe is met. Spec: conformance/FORMAT.md, probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeDirection {
    /// Captured at the client's sidecar.
    Outbound,
    /// Captured at the server's sidecar.
    Inbound,
    /// Arriving at a gateway's port.
    Gateway,
}

/// A connection. Spec: conformance/FORMAT.md, probes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeConnection {
    /// The peer.
    #[serde(default = "default_source")]
    pub src_ip: IpAddr,
    /// The dialled address.
    #[serde(default = "default_destination")]
    pub dst_ip: IpAddr,
    /// The dialled port.
    pub dst_port: u16,
    /// `None`: plaintext.
    #[serde(default)]
    pub tls: Option<ProbeTls>,
}

/// What a TLS client offers. Spec: conformance/FORMAT.md, probes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeTls {
    /// Server name; `None`: none sent.
    #[serde(default)]
    pub sni: Option<String>,
    /// In the client's order.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// URI SAN of the verified client certificate; `None`: none presented.
    #[serde(default)]
    pub peer: Option<String>,
}

/// A request. Spec: conformance/FORMAT.md, probes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeRequest {
    /// `1.0`, `1.1` (when absent) or `2`.
    #[serde(default)]
    pub version: ProbeVersion,
    /// `GET` when absent.
    #[serde(default = "default_method")]
    pub method: String,
    /// `Host` or `:authority`.
    pub authority: String,
    /// Path with query.
    pub path: String,
    /// In order, repeated names allowed.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// HTTP version as written. Spec: conformance/FORMAT.md, probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum ProbeVersion {
    /// HTTP/1.0
    #[serde(rename = "1.0")]
    Http10,
    /// HTTP/1.1
    #[default]
    #[serde(rename = "1.1")]
    Http11,
    /// HTTP/2
    #[serde(rename = "2")]
    Http2,
}

fn default_source() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))
}

fn default_destination() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(1, 3, 3, 7))
}

fn default_method() -> String {
    "GET".to_owned()
}

/// A line that is no probe. Ours: a line that is wrong is told with its number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadProbe {
    /// The probe's `id`, where the line has one.
    pub id: Option<Value>,
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// `{"id":..,"error":{"line":N,"message":".."}}`
impl Serialize for BadProbe {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({"id": self.id, "error": {"line": self.line, "message": self.message}}).serialize(serializer)
    }
}

/// The probes of a text, one JSON object a line; empty lines are skipped.
pub fn read(text: &str) -> impl Iterator<Item = Result<Probe, BadProbe>> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| read_line(index + 1, line))
}

fn read_line(line: usize, text: &str) -> Result<Probe, BadProbe> {
    if text.len() > LINE_MAX {
        let message = format!("longer than {LINE_MAX} bytes");
        return Err(BadProbe { id: None, line, message });
    }
    serde_json::from_str(text).map_err(|error| BadProbe {
        id: id_of(text),
        line,
        message: message_of(&error),
    })
}

/// The `id` of a line that is JSON but no probe.
fn id_of(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text).ok()?.get("id").cloned()
}

/// The parser's words; its own line number is always 1 and says nothing.
fn message_of(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

impl Probe {
    /// The question that this probe asks at `now`, in seconds since 1970.
    pub fn query(&self, now: i64) -> Query<'_> {
        Query {
            direction: self.direction.into(),
            connection: self.conn.facts(),
            request: self.http.as_ref().map(|http| http.facts(self.conn.tls.is_some())),
            now,
        }
    }
}

impl From<ProbeDirection> for Direction {
    fn from(direction: ProbeDirection) -> Self {
        match direction {
            ProbeDirection::Outbound => Self::Outbound,
            ProbeDirection::Inbound => Self::Inbound,
            ProbeDirection::Gateway => Self::Gateway,
        }
    }
}

impl ProbeConnection {
    /// The facts of this connection.
    pub fn facts(&self) -> ConnectionFacts<'_> {
        ConnectionFacts {
            src_ip: self.src_ip,
            dst_ip: self.dst_ip,
            dst_port: self.dst_port,
            tls: self.tls.as_ref().map(ProbeTls::facts),
            proxied_ip: None,
        }
    }
}

impl ProbeTls {
    /// The facts of this client hello.
    pub fn facts(&self) -> TlsFacts<'_> {
        TlsFacts {
            sni: self.sni.as_deref().map(Cow::Borrowed),
            alpn: self.alpn.iter().map(|name| Cow::Borrowed(name.as_str())).collect(),
            peer: self.peer.as_deref().map(Cow::Borrowed),
        }
    }
}

impl ProbeRequest {
    /// The facts of this request; `over_tls`: how HTTP/2 clients set `:scheme`.
    pub fn facts(&self, over_tls: bool) -> RequestFacts<'_> {
        RequestFacts {
            version: match self.version {
                ProbeVersion::Http10 => HttpVersion::Http10,
                ProbeVersion::Http11 => HttpVersion::Http11,
                ProbeVersion::Http2 => HttpVersion::Http2,
            },
            method: Cow::Borrowed(&self.method),
            scheme: Cow::Borrowed(if over_tls { "https" } else { "http" }),
            authority: Cow::Borrowed(&self.authority),
            path: Cow::Borrowed(&self.path),
            headers: Headers {
                entries: self
                    .headers
                    .iter()
                    .map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_bytes())))
                    .collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Result<Probe, BadProbe> {
        read(text).next().unwrap()
    }

    #[test]
    fn addresses_have_defaults() {
        let probe = only(r#"{"id":"p","direction":"outbound","conn":{"dst_port":80}}"#).unwrap();
        assert_eq!(probe.conn.src_ip.to_string(), "10.1.2.3");
        assert_eq!(probe.conn.dst_ip.to_string(), "1.3.3.7");
        assert_eq!(probe.query(0).request, None);
    }

    #[test]
    fn unknown_keys_are_an_error_that_names_id_and_line() {
        let text = "\n{\"id\":\"p\",\"direction\":\"inbound\",\"conn\":{\"dst_port\":80,\"port\":1}}\n";
        let bad = only(text).unwrap_err();
        assert_eq!(bad.line, 2);
        assert_eq!(bad.id, Some(Value::from("p")));
        assert!(bad.message.contains("unknown field `port`"), "{}", bad.message);
        assert!(serde_json::to_string(&bad).unwrap().starts_with(r#"{"error":{"line":2"#));
    }

    #[test]
    fn a_bad_line_leaves_the_others_alone() {
        let good = r#"{"id":"p","direction":"gateway","conn":{"dst_port":80}}"#;
        let results: Vec<_> = read(&format!("{{\n{good}\n")).map(|result| result.is_ok()).collect();
        assert_eq!(results, [false, true]);
    }

    #[test]
    fn header_lines_keep_order_and_repeats() {
        let probe = only(
            r#"{"id":"p","direction":"gateway","conn":{"dst_port":80},
                "http":{"version":"2","authority":"a","path":"/","headers":[["x","1"],["y","2"],["x","3"]]}}"#
                .replace('\n', " ")
                .as_str(),
        )
        .unwrap();
        let query = probe.query(0);
        let request = query.request.unwrap();
        assert_eq!(request.version, HttpVersion::Http2);
        assert_eq!(request.headers.values("x").collect::<Vec<_>>(), [b"1", b"3"]);
    }
}
