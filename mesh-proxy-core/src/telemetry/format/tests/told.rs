//! Records of the requests and connections that a real Envoy was sent, beside what it told of them.

use std::time::Instant;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::*;
use crate::telemetry::certificate::Certificate;
use crate::telemetry::connections::{ConnectionRecord, Times, TlsRecord};

const TOLD: &str = include_str!("told.tsv");
const TAKEN: &str = include_str!("refused.tsv");
const CLIENT: &[u8] = include_bytes!("client.pem");
const SERVER: &[u8] = include_bytes!("server.pem");

pub(super) fn connection(id: u64, tls: Option<TlsRecord>) -> ConnectionRecord {
    let now = Instant::now();
    let handshaken = tls.as_ref().map(|_| now);
    let connected = Some(now);
    ConnectionRecord { id, begun: now, connected, handshaken, direct_peer: None, filter_chain: None, tls }
}

fn certificate(pem: &[u8]) -> Certificate {
    Certificate::new(CertificateDer::from_pem_slice(pem).unwrap())
}

fn tls(own: &[u8], peer: &[u8], version: &'static str, cipher: &'static str) -> TlsRecord {
    let server_name = Some("server.example".into());
    let own = Some(Arc::new(certificate(own)));
    TlsRecord { version, cipher, group: "X25519", server_name, own, peer: vec![certificate(peer)] }
}

/// A column of the table, by the operators that say what was sent.
struct Column<'t>(Vec<(&'t str, serde_json::Value)>);

impl Column<'_> {
    fn get(&self, operator: &str) -> &serde_json::Value {
        &self.0.iter().find(|(known, _)| *known == operator).unwrap().1
    }

    fn text(&self, operator: &str) -> String {
        self.get(operator).as_str().unwrap_or_default().to_owned()
    }

    fn number(&self, operator: &str) -> u64 {
        self.get(operator).as_u64().unwrap_or_default()
    }

    /// The record of what was sent: from the table come only addresses and numbers that differ from run to run.
    fn record(&self, name: &str) -> Record {
        let address = |operator: &str| self.text(operator).parse();
        let client = address("DOWNSTREAM_REMOTE_ADDRESS").unwrap();
        let mut record =
            Record::begin(Direction::Inbound, client, address("DOWNSTREAM_LOCAL_ADDRESS").unwrap());
        let is_tls = name.contains("tls");
        let of_client = is_tls.then(|| tls(SERVER, CLIENT, "TLSv1.3", "TLS_AES_256_GCM_SHA384"));
        let to_upstream = is_tls.then(|| tls(CLIENT, SERVER, "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"));
        let mut downstream = connection(self.number("CONNECTION_ID"), of_client);
        downstream.filter_chain = Some(self.text("FILTER_CHAIN_NAME").into());
        record.connection = Some(Arc::new(downstream));
        record.client_certificate = is_tls;
        record.server_name = is_tls.then(|| "server.example".to_owned());
        let is_bytes = name.starts_with("tcp");
        let now = Instant::now();
        record.times.begun = Some(now);
        record.times.ended = Some(now + Duration::from_millis(1));
        if name != "local" {
            record.endpoint = Some(self.text("UPSTREAM_HOST").into());
            record.cluster = Some(self.text("UPSTREAM_CLUSTER").into());
            record.attempts = 1;
        }
        if !matches!(name, "local" | "down" | "tcp-down") {
            record.upstream = Some(Arc::new(connection(self.number("UPSTREAM_CONNECTION_ID"), to_upstream)));
            record.upstream_local = address("UPSTREAM_LOCAL_ADDRESS").ok();
        }
        if is_bytes {
            if name == "tcp-down" {
                record.flags = "UF,URX".to_owned();
                record.upstream_failure = "delayed connect error: Connection refused".to_owned();
            }
            (record.bytes_received, record.bytes_sent) =
                (self.number("BYTES_RECEIVED"), self.number("BYTES_SENT"));
            return record;
        }
        record.times.received = Some(now);
        record.times.answering = Some(now);
        let path = match name {
            "http" => "/p?a=1&b=second&a=3&enc=%41%20b+c",
            "rewritten" => "/new/x?q=1",
            "tls" => "/h2",
            "local" => "/local",
            _ => "/down",
        };
        let mut request = RequestRecord {
            protocol: if is_tls { "HTTP/2" } else { "HTTP/1.1" },
            method: if name == "rewritten" { http::Method::POST } else { http::Method::GET },
            path: path.to_owned(),
            authority: self.text("REQUEST_HEADER(:AUTHORITY)").trim().to_owned(),
            scheme: if is_tls { "https" } else { "http" }.to_owned(),
            ..RequestRecord::default()
        };
        if name == "http" {
            for (name, value) in [("x-twice", "1"), ("x-twice", "2"), ("x-empty", "")] {
                request.headers.append(name, HeaderValue::from_static(value));
            }
        }
        if name == "rewritten" {
            request.headers.insert("x-envoy-original-path", HeaderValue::from_static("/rw/x?q=1"));
        }
        record.request = Some(request);
        (record.status, record.details, record.bytes_sent) = match name {
            "local" => (418, "direct_response".to_owned(), 6),
            "down" => (503, self.text("RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)"), 98),
            _ => (200, "via_upstream".to_owned(), 5),
        };
        match name {
            "local" => record.route = Some("local".into()),
            "down" => {
                record.route = Some("down".into());
                record.flags = "UF".to_owned();
                record.upstream_failure = "delayed connect error: Connection refused".to_owned();
            }
            _ => {
                record.route = Some(if name == "rewritten" { "rewrite" } else { "default" }.into());
                record.upstream_protocol = if is_tls { "HTTP/2" } else { "HTTP/1.1" };
                record.response_headers.insert("x-resp", HeaderValue::from_static("r"));
                let times = [Some(now); 6];
                let [wanted, sending, sent, answered, answer_body, answer_read] = times;
                record.times =
                    Times { wanted, sending, sent, answered, answer_body, answer_read, ..record.times };
            }
        }
        if name == "rewritten" {
            record.bytes_received = 4;
        }
        record
    }
}

/// Operators whose value in Envoy depends on what this test does not send: all headers of a request, a CEL expression in
/// Envoy's own words.
fn is_comparable(operator: &str) -> bool {
    let is_expression = operator.contains("CEL(");
    !operator.ends_with("HEADERS_BYTES") && (cfg!(feature = "cel") || !is_expression)
}

#[test]
fn operators_tell_what_envoy_told() {
    let mut lines = TOLD.lines().skip(1);
    let names: Vec<&str> = lines.next().unwrap().split('\t').skip(1).collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    let mut differences = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let value = |cell: &str| serde_json::from_str(cell).unwrap_or_else(|_| serde_json::Value::from(cell));
        let column = Column(rows.iter().map(|row| (row[0], value(row[place + 1]))).collect());
        let record = column.record(name);
        for (operator, told) in column.0.iter().filter(|(operator, _)| is_comparable(operator)) {
            let format = Format::parse(&format!("%{operator}%"));
            let ours = format.value(&record, "-");
            let is_same = match told.as_str() {
                Some("time") => ours.is_number(),
                _ => ours == *told,
            };
            if !is_same {
                differences.push(format!("{name} {operator}: {ours}, Envoy: {told}"));
            }
            let text = format.text(&record, "-");
            let expected = match &ours {
                serde_json::Value::Null => "-".to_owned(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(text, expected, "{name} {operator}");
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(rows.len() > 170, "{}", rows.len());
}

#[test]
fn what_envoy_refuses_is_refused() {
    for line in TAKEN.lines().skip(1) {
        let (operator, taken) = line.split_once('\t').unwrap();
        if operator.contains("CEL(") && !cfg!(feature = "cel") {
            continue;
        }
        let format = Format::parse(&format!("%{operator}%"));
        assert_eq!(format.problem().is_none(), taken == "taken", "{operator}: {:?}", format.problem());
    }
    assert_eq!(Format::parse("%START_TIME% 100%% %REQ(a?b)%").problem(), None);
}

/// Of a client that shows more than its own certificate, its own is told; of the chain, all of it.
#[test]
fn of_a_chain_the_clients_own_certificate_is_told() {
    let with = |peer: &[&[u8]]| {
        let mut shown = tls(SERVER, CLIENT, "TLSv1.3", "");
        shown.peer = peer.iter().map(|pem| certificate(pem)).collect();
        let anybody = "10.0.0.2:4000".parse().unwrap();
        let mut record = Record::begin(Direction::Inbound, anybody, anybody);
        record.upstream = Some(Arc::new(connection(2, Some(tls(CLIENT, SERVER, "TLSv1.3", "")))));
        record.connection = Some(Arc::new(connection(1, Some(shown))));
        record
    };
    let told = |operator: &str, record: &Record| Format::parse(&format!("%{operator}%")).text(record, "-");
    let (alone, other, chain) = (with(&[CLIENT]), with(&[SERVER]), with(&[CLIENT, SERVER]));
    for part in
        ["SUBJECT", "SERIAL", "FINGERPRINT_256", "CERT", "CERT_V_START(%s)", "URI_SAN", "DNS_SAN", "ISSUER"]
    {
        let operator = format!("DOWNSTREAM_PEER_{part}");
        assert_eq!(told(&operator, &chain), told(&operator, &alone), "{part}");
    }
    for (of_all, of_one) in [("CHAIN_SERIALS", "SERIAL"), ("CHAIN_FINGERPRINTS_256", "FINGERPRINT_256")] {
        let (of_all, of_one) = (format!("DOWNSTREAM_PEER_{of_all}"), format!("DOWNSTREAM_PEER_{of_one}"));
        let both = format!("{},{}", told(&of_one, &alone), told(&of_one, &other));
        assert_eq!(told(&of_all, &chain), both);
    }
    assert_ne!(told("DOWNSTREAM_PEER_SERIAL", &alone), told("DOWNSTREAM_PEER_SERIAL", &other));
}

/// Asked of Envoy 1.40: a header that is there and empty is the first that is there.
#[test]
fn the_first_value_that_is_there_may_be_empty() {
    let mut record =
        Record::begin(Direction::Inbound, "10.0.0.2:4000".parse().unwrap(), "10.0.0.1:80".parse().unwrap());
    let mut request = RequestRecord::default();
    request.headers.insert("x-empty", HeaderValue::from_static(""));
    record.request = Some(request);
    record.status = 200;
    let first = |names: &str| {
        let format = Format::parse(&format!("%COALESCE({{\"operators\": [{names}]}})%"));
        assert_eq!(format.problem(), None);
        (format.text(&record, "-"), format.value(&record, "-").to_string())
    };
    let (empty, none) =
        (r#"{"command": "REQ", "param": "x-empty"}"#, r#"{"command": "REQ", "param": "x-none"}"#);
    let text = |text: &str, json: &str| (text.to_owned(), json.to_owned());
    assert_eq!(first(&format!("{empty}, \"RESPONSE_CODE\"")), text("", "\"\""));
    assert_eq!(first(&format!("{none}, \"RESPONSE_CODE\"")), text("200", "200"));
    assert_eq!(first(&format!("{none}, {empty}")), text("", "\"\""));
    assert_eq!(first(none), text("-", "null"));
}
