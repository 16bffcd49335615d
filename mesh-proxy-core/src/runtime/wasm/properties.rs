//! What modules may ask for by name. Spec: Envoy, Attributes; proxy-wasm ABI 0.2.1, Well-known properties.

use std::net::SocketAddr;
use std::time::SystemTime;

use mesh_compile::proxy::listener::Direction;

use super::fields::Fields;
use super::host::{Host, Stream};

/// Properties that a module sets for a stream, and how long they are.
const OWN_MAX: usize = 64;
const OWN_BYTES_MAX: usize = 4096;

/// What is known of a stream from its beginning, and what is found out on the way.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) client: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) direction: Direction,
    pub(super) protocol: &'static str,
    pub(super) server_name: Option<String>,
    pub(super) peer: Option<String>,
    pub(super) has_certificate: bool,
    pub(super) began: SystemTime,
    pub(super) request: Asked,
}

/// The head of a request: it can be asked for as long as its stream lives.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) lines: http::HeaderMap,
}

/// The value of a property of the context; its names have a zero byte between them.
pub(super) fn get(host: &mut Host, path: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(path.strip_suffix(b"\0").unwrap_or(path)).ok()?;
    let mut names = text.split('\0');
    let (first, second, third) = (names.next()?, names.next(), names.next());
    match (first, second) {
        ("plugin_name", None) => return Some(host.shared.name.as_bytes().to_vec()),
        ("plugin_root_id", None) => return Some(host.shared.root_id.as_bytes().to_vec()),
        ("plugin_vm_id", None) => return Some(Vec::new()),
        _ => {}
    }
    let stream = host.stream()?;
    let known = match (first, second) {
        ("request", Some(name)) => of_request(stream, name, third),
        ("response", Some(name)) => of_response(stream, name, third),
        (first, second) => of_connection(&stream.facts, first, second),
    };
    known.or_else(|| stream.properties.get(path).cloned())
}

/// Sets a property of the module's own; `false`: there is no room for it, or no stream.
pub(super) fn set(host: &mut Host, path: &[u8], value: &[u8]) -> bool {
    let Some(stream) = host.stream() else { return false };
    let fits = path.len() + value.len() <= OWN_BYTES_MAX
        && (stream.properties.len() < OWN_MAX || stream.properties.contains_key(path));
    if fits {
        stream.properties.insert(path.to_vec(), value.to_vec());
    }
    fits
}

fn of_request(stream: &Stream, name: &str, key: Option<&str>) -> Option<Vec<u8>> {
    let now = stream.request.headers.as_ref();
    let asked = &stream.facts.request;
    let pseudo = |name: &str, before: &str| {
        let value = now.and_then(|fields| fields.pseudo(name)).unwrap_or(before);
        Some(value.as_bytes().to_vec())
    };
    let line = |name: &str| match now {
        Some(fields) => fields.first(name.as_bytes()).map(<[u8]>::to_vec),
        None => asked.lines.get(name).map(|value| value.as_bytes().to_vec()),
    };
    match name {
        "path" => pseudo(":path", &asked.path),
        "url_path" => {
            let path = now.and_then(|fields| fields.pseudo(":path")).unwrap_or(&asked.path);
            Some(path.split('?').next().unwrap_or_default().as_bytes().to_vec())
        }
        "query" => {
            let path = now.and_then(|fields| fields.pseudo(":path")).unwrap_or(&asked.path);
            Some(path.split_once('?').map_or("", |(_, query)| query).as_bytes().to_vec())
        }
        "host" => pseudo(":authority", &asked.authority),
        "scheme" => pseudo(":scheme", &asked.scheme),
        "method" => pseudo(":method", &asked.method),
        "protocol" => Some(stream.facts.protocol.as_bytes().to_vec()),
        "referer" => line("referer"),
        "useragent" => line("user-agent"),
        "id" => line("x-request-id"),
        "headers" => line(&key?.to_ascii_lowercase()),
        "time" => {
            let since = stream.facts.began.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            Some(u64::try_from(since.as_nanos()).ok()?.to_le_bytes().to_vec())
        }
        _ => None,
    }
}

fn of_response(stream: &Stream, name: &str, key: Option<&str>) -> Option<Vec<u8>> {
    let headers: &Fields = stream.response.headers.as_ref()?;
    match name {
        "code" => number(headers.pseudo(":status")?.parse().ok()?),
        "headers" => headers.first(key?.to_ascii_lowercase().as_bytes()).map(<[u8]>::to_vec),
        _ => None,
    }
}

fn of_connection(facts: &Facts, first: &str, second: Option<&str>) -> Option<Vec<u8>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    match (first, second) {
        ("source", Some("address")) => text(&facts.client.to_string()),
        ("source", Some("port")) => number(facts.client.port().into()),
        ("destination", Some("address")) => text(&facts.destination.to_string()),
        ("destination", Some("port")) => number(facts.destination.port().into()),
        ("connection", Some("requested_server_name")) => text(facts.server_name.as_deref()?),
        ("connection", Some("uri_san_peer_certificate")) => text(facts.peer.as_deref()?),
        ("connection", Some("mtls")) => Some(vec![u8::from(facts.has_certificate)]),
        // Spec: Envoy, core.v3.TrafficDirection.
        ("listener_direction", None) => number(match facts.direction {
            Direction::Inbound => 1,
            Direction::Outbound | Direction::Gateway => 2,
        }),
        _ => None,
    }
}

fn number(value: i64) -> Option<Vec<u8>> {
    Some(value.to_le_bytes().to_vec())
}
