//! Records as Envoy's access log service takes them. What is not known here (bytes on the wire, session ids, metadata) is not
//! set.
// Facts: Envoy's source/extensions/access_loggers/grpc/grpc_access_log_utils.cc; for filter state istio/proxy
// extensions/common/metadata_object.cc (`serializeAsProto`).

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use mesh_compile::proxy::telemetry::GrpcLog;
use mesh_compile::proxy_identity::Proxy as Identity;
use prost::Message;

use super::messages::{
    Address, Any, CertificateProperties, Common, ConnectionBytes, Entries, HttpEntry, Identifier, Name, Node,
    Number, Request, Response, StreamMessage, Struct, TcpEntry, Tls,
};
use crate::telemetry::certificate::Certificate;
use crate::telemetry::connections::{TlsRecord, between};
use crate::telemetry::format::{self, PeerSide};
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
    filter_state: Vec<(String, PeerSide)>,
}

impl Log {
    pub(super) fn of(log: &GrpcLog, workload: Option<&Identity>) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self {
            identifier: Identifier { node: Some(node(workload)), log_name: log.log_name.to_string() },
            request_headers: lower(&log.request_headers),
            response_headers: lower(&log.response_headers),
            response_trailers: lower(&log.response_trailers),
            filter_state: log
                .filter_state
                .iter()
                .filter_map(|key| Some((key.clone(), PeerSide::of(key)?)))
                .collect(),
        }
    }

    /// The entry of a request; `None`: it is none.
    pub(super) fn http(&self, record: &Record) -> Option<Vec<u8>> {
        let request = record.request.as_ref()?;
        let entry = HttpEntry {
            common: Some(self.common(record)),
            protocol_version: match request.protocol {
                "HTTP/1.0" => 1,
                "HTTP/1.1" => 2,
                "HTTP/2" => 3,
                _ => 0,
            },
            request: Some(self.request(request, record)),
            response: Some(Response {
                code: (record.status != 0).then(|| Number { value: u32::from(record.status) }),
                headers_bytes: format::response_bytes(record),
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
        Some(TcpEntry { common: Some(self.common(record)), connection: Some(connection) }.encode_to_vec())
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
            headers_bytes: format::request_bytes(record),
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

impl Log {
    fn common(&self, record: &Record) -> Common {
        let endpoint = record.endpoint.as_deref().and_then(|endpoint| endpoint.parse().ok());
        let some = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
        let times = &record.times;
        let until = |time| between(times.begun, time).map(Into::into);
        let is_http = record.request.is_some();
        let direct = record.connection.as_ref().and_then(|connection| connection.direct_peer);
        let state = self.filter_state.iter();
        Common {
            downstream_remote: Some(Address::of(record.peer)),
            downstream_local: Some(Address::of(record.destination)),
            tls: tls(record),
            start: Some(record.start.into()),
            until_last_received: until(times.received),
            until_first_upstream_sent: until(times.sending).filter(|_| is_http),
            until_last_upstream_sent: until(times.sent),
            until_first_upstream_received: until(times.answered),
            until_last_upstream_received: until(times.answer_read),
            until_first_sent: until(times.answering),
            until_last_sent: is_http.then(|| record.duration.into()),
            upstream_remote: endpoint.map(Address::of),
            upstream_local: record.upstream_local.map(Address::of),
            upstream_cluster: some(&record.cluster),
            response_flags: flags(&record.flags),
            upstream_failure: record.upstream_failure.clone(),
            route_name: some(&record.route),
            direct_remote: Some(Address::of(direct.unwrap_or(record.peer))),
            filter_state: state
                .filter_map(|(key, side)| Some((key.clone(), Any::of(&Struct::of(&side.object(record)?)))))
                .collect(),
            duration: Some(record.duration.into()),
            attempts: record.attempts,
            termination: record.termination.clone(),
        }
    }
}

/// What is known of the client's TLS; `None`: nothing.
fn tls(record: &Record) -> Option<Tls> {
    let server_name = record.server_name.clone();
    let Some(tls) = record.connection.as_ref().and_then(|connection| connection.tls.as_ref()) else {
        return server_name.map(|server_name| Tls { server_name, ..Tls::default() });
    };
    Some(Tls {
        version: match tls.version {
            "TLSv1.2" => 3,
            "TLSv1.3" => 4,
            _ => 0,
        },
        cipher_suite: cipher_suite(tls).map(|value| Number { value }),
        server_name: server_name.unwrap_or_default(),
        own: Some(certificate(tls.own.as_deref())),
        peer: Some(certificate(tls.peer.first())),
    })
}

/// The number of a suite in IANA's registry.
fn cipher_suite(tls: &TlsRecord) -> Option<u32> {
    Some(match tls.cipher {
        "TLS_AES_128_GCM_SHA256" => 0x1301,
        "TLS_AES_256_GCM_SHA384" => 0x1302,
        "TLS_CHACHA20_POLY1305_SHA256" => 0x1303,
        "ECDHE-ECDSA-AES128-GCM-SHA256" => 0xc02b,
        "ECDHE-ECDSA-AES256-GCM-SHA384" => 0xc02c,
        "ECDHE-RSA-AES128-GCM-SHA256" => 0xc02f,
        "ECDHE-RSA-AES256-GCM-SHA384" => 0xc030,
        "ECDHE-RSA-CHACHA20-POLY1305" => 0xcca8,
        "ECDHE-ECDSA-CHACHA20-POLY1305" => 0xcca9,
        _ => return None,
    })
}

fn certificate(shown: Option<&Certificate>) -> CertificateProperties {
    let Some(read) = shown.and_then(Certificate::read) else { return CertificateProperties::default() };
    CertificateProperties {
        names: read.uris.iter().map(|uri| Name { uri: Some(uri.clone()) }).collect(),
        subject: read.subject.clone(),
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
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use mesh_compile::proxy::listener::Direction;

    use super::*;
    use crate::telemetry::peer::Peer;

    #[test]
    fn workloads_go_along_as_filter_state_and_times_as_far_as_they_are_known() {
        let log = GrpcLog {
            target: None,
            log_name: "log".into(),
            filter_state: ["upstream_peer", "downstream_peer", "wasm.upstream_peer"]
                .map(str::to_owned)
                .to_vec(),
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            response_trailers: Vec::new(),
        };
        let address = "10.0.0.1:80".parse().unwrap();
        let mut record = Record::begin(Direction::Inbound, "10.0.0.2:4000".parse().unwrap(), address);
        record.request = Some(RequestRecord { path: "/a".to_owned(), ..RequestRecord::default() });
        let peer = Peer { workload: "web".into(), namespace: "shop".into(), ..Peer::default() };
        record.downstream_peer = Some(Arc::new(peer));
        let begun = Instant::now();
        record.times.begun = Some(begun);
        record.times.answered = Some(begun + Duration::from_millis(1500));
        let bytes = Log::of(&log, None).http(&record).unwrap();
        let entry = HttpEntry::decode(&*bytes).unwrap();
        let common = entry.common.unwrap();
        let told = Struct::of(&serde_json::json!({"workload": "web", "namespace": "shop"}));
        let expected = BTreeMap::from([("downstream_peer".to_owned(), Any::of(&told))]);
        assert_eq!(common.filter_state, expected);
        assert_eq!(common.until_first_upstream_received, Some(Duration::from_millis(1500).into()));
        assert_eq!((common.until_last_received, common.tls), (None, None));
        assert_eq!(entry.request.unwrap().headers_bytes, ":method".len() as u64 + 3 + 7);
    }

    #[test]
    fn flags_are_fields_by_their_place() {
        assert_eq!(flags("-"), None);
        assert_eq!(flags("NR"), Some(vec![9 << 3, 1]));
        assert_eq!(flags("UAEX"), Some(vec![13 << 3 | 2, 2, 8, 1]));
        // Field 16 has a key of two bytes.
        assert_eq!(flags("UF,URX"), Some(vec![6 << 3, 1, 0x80, 1, 1]));
    }
}
