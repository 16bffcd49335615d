//! The messages of `envoy.service.auth.v3.Authorization/Check` that are sent and read here, with the field numbers of
//! Envoy's API (`service/auth/v3/external_auth.proto`, `attribute_context.proto`). Fields that are not here are neither
//! sent nor looked at.

use std::collections::BTreeMap;

/// `CheckRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) attributes: Option<AttributeContext>,
}

/// `AttributeContext`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AttributeContext {
    #[prost(message, optional, tag = "1")]
    pub(super) source: Option<Peer>,
    #[prost(message, optional, tag = "2")]
    pub(super) destination: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    pub(super) request: Option<Request>,
}

/// `AttributeContext.Peer`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Peer {
    #[prost(message, optional, tag = "1")]
    pub(super) address: Option<Address>,
    #[prost(string, tag = "4")]
    pub(super) principal: String,
}

/// `config.core.v3.Address`, of a socket
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Address {
    #[prost(message, optional, tag = "1")]
    pub(super) socket_address: Option<SocketAddress>,
}

/// `config.core.v3.SocketAddress`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SocketAddress {
    #[prost(string, tag = "2")]
    pub(super) address: String,
    /// Of a `oneof`: present even if 0.
    #[prost(uint32, optional, tag = "3")]
    pub(super) port_value: Option<u32>,
}

/// `AttributeContext.Request`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Request {
    #[prost(message, optional, tag = "1")]
    pub(super) time: Option<Timestamp>,
    #[prost(message, optional, tag = "2")]
    pub(super) http: Option<HttpRequest>,
}

/// `google.protobuf.Timestamp`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

/// `AttributeContext.HttpRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpRequest {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) method: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(super) headers: BTreeMap<String, String>,
    #[prost(string, tag = "4")]
    pub(super) path: String,
    #[prost(string, tag = "5")]
    pub(super) host: String,
    #[prost(string, tag = "6")]
    pub(super) scheme: String,
    #[prost(int64, tag = "9")]
    pub(super) size: i64,
    #[prost(string, tag = "10")]
    pub(super) protocol: String,
    #[prost(string, tag = "11")]
    pub(super) body: String,
    #[prost(bytes = "vec", tag = "12")]
    pub(super) raw_body: Vec<u8>,
}

/// `CheckResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(message, optional, tag = "2")]
    pub(super) denied_response: Option<DeniedHttpResponse>,
    #[prost(message, optional, tag = "3")]
    pub(super) ok_response: Option<OkHttpResponse>,
    #[prost(message, optional, tag = "5")]
    pub(super) error_response: Option<DeniedHttpResponse>,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

/// `DeniedHttpResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
    #[prost(string, tag = "3")]
    pub(super) body: String,
}

/// `type.v3.HttpStatus`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

/// `OkHttpResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "5")]
    pub(super) headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    pub(super) response_headers_to_add: Vec<HeaderValueOption>,
    #[prost(message, repeated, tag = "7")]
    pub(super) query_parameters_to_set: Vec<QueryParameter>,
    #[prost(string, repeated, tag = "8")]
    pub(super) query_parameters_to_remove: Vec<String>,
}

/// `config.core.v3.QueryParameter`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct QueryParameter {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `config.core.v3.HeaderValueOption`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<HeaderValue>,
    #[prost(message, optional, tag = "2")]
    pub(super) append: Option<BoolValue>,
    #[prost(int32, tag = "3")]
    pub(super) append_action: i32,
}

/// `google.protobuf.BoolValue`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BoolValue {
    #[prost(bool, tag = "1")]
    pub(super) value: bool,
}

/// `config.core.v3.HeaderValue`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HeaderValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) raw_value: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    /// Bytes as another implementation of the same messages writes them (Python's, from Envoy's own files).
    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn peer(address: &str, port: u32, principal: &str) -> Option<Peer> {
        let socket_address = Some(SocketAddress { address: address.into(), port_value: Some(port) });
        Some(Peer { address: Some(Address { socket_address }), principal: principal.into() })
    }

    #[test]
    fn questions_are_written_as_others_write_them() {
        let http = HttpRequest {
            id: "i".into(),
            method: "GET".into(),
            headers: BTreeMap::from([("k".into(), "v".into())]),
            path: "/p".into(),
            host: "h".into(),
            scheme: "http".into(),
            size: -1,
            protocol: "HTTP/2".into(),
            body: "b".into(),
            raw_body: vec![0xff],
        };
        let question = CheckRequest {
            attributes: Some(AttributeContext {
                source: peer("10.0.0.1", 4000, "spiffe://td/ns/a/sa/b"),
                destination: peer("10.0.0.2", 80, ""),
                request: Some(Request { time: Some(Timestamp { seconds: 7, nanos: 9 }), http: Some(http) }),
            }),
        };
        let wanted = "0a7c0a280a0f0a0d120831302e302e302e3118a01f22157370696666653a2f2f74642f6e732f612f73612f62\
                      12100a0e0a0c120831302e302e302e321850223e0a040807100912360a016912034745541a060a016b120176\
                      22022f702a016832046874747048ffffffffffffffffff015206485454502f325a01626201ff";
        assert_eq!(question.encode_to_vec(), bytes(wanted));
    }

    #[test]
    fn answers_are_read_as_others_write_them() {
        let line =
            |key: &str, value: &str, raw: &[u8], append: Option<bool>, append_action| HeaderValueOption {
                header: Some(HeaderValue { key: key.into(), value: value.into(), raw_value: raw.to_vec() }),
                append: append.map(|value| BoolValue { value }),
                append_action,
            };
        let consent = "0a001a32120c0a060a016112013112020801120a0a060a01621a013218022a016332080a060a0164120134\
                       3a060a0171120135420172";
        let wanted = CheckResponse {
            status: Some(Status { code: 0 }),
            ok_response: Some(OkHttpResponse {
                headers: vec![line("a", "1", b"", Some(true), 0), line("b", "", b"2", None, 2)],
                headers_to_remove: vec!["c".into()],
                response_headers_to_add: vec![line("d", "4", b"", None, 0)],
                query_parameters_to_set: vec![QueryParameter { key: "q".into(), value: "5".into() }],
                query_parameters_to_remove: vec!["r".into()],
            }),
            ..CheckResponse::default()
        };
        assert_eq!(CheckResponse::decode(&*bytes(consent)).unwrap(), wanted);
        let refusal = "0a02081012130a0308910312080a060a01771201791a026e6f";
        let wanted = CheckResponse {
            status: Some(Status { code: 16 }),
            denied_response: Some(DeniedHttpResponse {
                status: Some(HttpStatus { code: 401 }),
                headers: vec![line("w", "y", b"", None, 0)],
                body: "no".into(),
            }),
            ..CheckResponse::default()
        };
        assert_eq!(CheckResponse::decode(&*bytes(refusal)).unwrap(), wanted);
        let error = CheckResponse::decode(&*bytes("0a02080d2a050a0308f703")).unwrap();
        assert_eq!(error.error_response.and_then(|error| error.status).map(|status| status.code), Some(503));
    }
}
