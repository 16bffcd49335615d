//! Records as Envoy's access log service takes them. What is not known here (TLS versions, sizes of heads, filter state,
//! the times between) is not set.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use mesh_compile::proxy::telemetry::GrpcLog;
use mesh_compile::proxy_identity::Proxy as Identity;
use prost::Message;

use super::messages::{
    Address, Certificate, Common, ConnectionBytes, Entries, HttpEntry, Identifier, Name, Node, Number,
    Request, Response, StreamMessage, TcpEntry, Tls,
};
use crate::telemetry::peer::node_id;
use crate::telemetry::record::{Record, RequestRecord};
use crate::telemetry::response_flags::RESPONSE_FLAGS;

pub(super) const PATH: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

/// `RequestMethod` by number; 0: another one.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

/// A log of Envoy's records.
#[derive(Debug)]
pub(super) struct Log {
    identifier: Identifier,
    request_headers: Vec<String>,
    response_headers: Vec<String>,
    response_trailers: Vec<String>,
}

impl Log {
    pub(super) fn of(log: &GrpcLog, workload: Option<&Identity>) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self {
            identifier: Identifier { node: Some(node(workload)), log_name: log.log_name.to_string() },
            request_headers: lower(&log.request_headers),
            response_headers: lower(&log.response_headers),
            response_trailers: lower(&log.response_trailers),
        }
    }

    /// The entry of a request; `None`: it is none.
    pub(super) fn http(&self, record: &Record) -> Option<Vec<u8>> {
        let request = record.request.as_ref()?;
        let entry = HttpEntry {
            common: Some(common(record)),
            protocol_version: match request.protocol {
                "HTTP/1.0" => 1,
                "HTTP/1.1" => 2,
                "HTTP/2" => 3,
                _ => 0,
            },
            request: Some(self.request(request, record)),
            response: Some(Response {
                code: (record.status != 0).then(|| Number { value: u32::from(record.status) }),
                body_bytes: record.bytes_sent,
                headers: chosen(&record.response_headers, &self.response_headers),
                trailers: chosen(&record.response_trailers, &self.response_trailers),
                details: record.details.clone(),
            }),
        };
        Some(entry.encode_to_vec())
    }

    /// The entry of a connection; `None`: it is a request.
    pub(super) fn tcp(&self, record: &Record) -> Option<Vec<u8>> {
        if record.request.is_some() {
            return None;
        }
        let connection = ConnectionBytes { received: record.bytes_received, sent: record.bytes_sent };
        Some(TcpEntry { common: Some(common(record)), connection: Some(connection) }.encode_to_vec())
    }

    /// The one message of a call.
    pub(super) fn message(&self, entries: Vec<Vec<u8>>, is_http: bool) -> StreamMessage {
        let entries = Some(Entries { log_entry: entries });
        let (http_logs, tcp_logs) = if is_http { (entries, None) } else { (None, entries) };
        StreamMessage { identifier: Some(self.identifier.clone()), http_logs, tcp_logs }
    }

    fn request(&self, request: &RequestRecord, record: &Record) -> Request {
        let header = |name: &str| text(&request.headers, name).unwrap_or_default();
        let number = METHODS.iter().position(|method| *method == request.method);
        Request {
            method: number.and_then(|place| i32::try_from(place + 1).ok()).unwrap_or(0),
            scheme: request.scheme.clone(),
            authority: request.authority.clone(),
            path: request.path.clone(),
            user_agent: header("user-agent"),
            referer: header("referer"),
            forwarded_for: header("x-forwarded-for"),
            request_id: header("x-request-id"),
            original_path: header("x-envoy-original-path"),
            body_bytes: record.bytes_received,
            headers: chosen(&request.headers, &self.request_headers),
        }
    }
}

/// Who sends, as Istio names its proxies.
fn node(workload: Option<&Identity>) -> Node {
    let Some(workload) = workload else { return Node::default() };
    let (name, namespace) = (&workload.name, &workload.namespace);
    let service = workload.labels.get("service.istio.io/canonical-name").or(workload.labels.get("app"));
    Node { id: node_id(workload), cluster: format!("{}.{namespace}", service.unwrap_or(name)) }
}

fn common(record: &Record) -> Common {
    let endpoint = record.endpoint.as_deref().and_then(|endpoint| endpoint.parse().ok());
    let tls = (record.server_name.is_some() || record.peer_principal.is_some()).then(|| Tls {
        server_name: record.server_name.clone().unwrap_or_default(),
        peer: record
            .peer_principal
            .clone()
            .map(|principal| Certificate { names: vec![Name { uri: Some(principal) }] }),
    });
    let some = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    Common {
        downstream_remote: Some(Address::of(record.peer)),
        downstream_local: Some(Address::of(record.destination)),
        tls,
        start: Some(record.start.into()),
        until_last_sent: Some(record.duration.into()),
        upstream_remote: endpoint.map(Address::of),
        upstream_local: record.upstream_local.map(Address::of),
        upstream_cluster: some(&record.cluster),
        response_flags: flags(&record.flags),
        upstream_failure: record.upstream_failure.clone(),
        route_name: some(&record.route),
        duration: Some(record.duration.into()),
        attempts: record.attempts,
    }
}

/// `ResponseFlags`: fields in the order of the table, each `true`; the reason why an authorizer refused is a message.
fn flags(written: &str) -> Option<Vec<u8>> {
    const UNAUTHORIZED: usize = 13;
    let mut bytes = Vec::new();
    for (place, (short, ..)) in RESPONSE_FLAGS.iter().enumerate() {
        if !written.split(',').any(|flag| flag == *short) {
            continue;
        }
        let (number, is_message) = (place + 1, place + 1 == UNAUTHORIZED);
        let mut key = number << 3 | if is_message { 2 } else { 0 };
        while key >= 0x80 {
            bytes.push(u8::try_from(key & 0x7f).unwrap_or_default() | 0x80);
            key >>= 7;
        }
        bytes.push(u8::try_from(key).unwrap_or_default());
        bytes.extend_from_slice(if is_message { &[2, 8, 1] } else { &[1] });
    }
    (!bytes.is_empty()).then_some(bytes)
}

/// Values of one name are joined by commas, as Envoy has it.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn chosen(headers: &HeaderMap, names: &[String]) -> BTreeMap<String, String> {
    names.iter().filter_map(|name| Some((name.clone(), text(headers, name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_fields_by_their_place() {
        assert_eq!(flags("-"), None);
        assert_eq!(flags("NR"), Some(vec![9 << 3, 1]));
        assert_eq!(flags("UAEX"), Some(vec![13 << 3 | 2, 2, 8, 1]));
        // Field 16 has a key of two bytes.
        assert_eq!(flags("UF,URX"), Some(vec![6 << 3, 1, 0x80, 1, 1]));
    }
}
