//! One question to an HTTP authorizer, and what its answer comes to.

use mesh_model::facts::{Headers, RequestFacts};

use super::{AuthorizerProtocol, ExternalAuthorizer, HttpCheck};

/// The request that an HTTP authorizer gets (S-109).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRequest {
    /// The method of the request in question.
    pub method: String,
    /// Its authority.
    pub authority: String,
    /// `pathPrefix` and its path with query.
    pub path: String,
    /// Names in lower case; every line of a header that comes several times (CVE-2021-32777).
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What came back (S-111).
#[derive(Debug, Clone, Copy)]
pub enum CheckAnswer<'a> {
    /// A whole response.
    Response {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: &'a Headers<'a>,
        /// Its body.
        body: &'a [u8],
    },
    /// None in time, a broken connection, something that is no response.
    Failed,
}

/// What becomes of the request (S-111).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It goes on.
    Allowed {
        /// Set in the request; they replace what the client sent.
        request_headers: Vec<(String, Vec<u8>)>,
        /// Added to the response.
        response_headers: Vec<(String, Vec<u8>)>,
    },
    /// It is answered by the proxy (response flag `UAEX`).
    Denied {
        /// The authorizer's status, or the one for errors.
        status: u16,
        /// Of the answer.
        headers: Vec<(String, Vec<u8>)>,
        /// Of the answer.
        body: Vec<u8>,
    },
}

/// Framing and addressing are the caller's.
const NEVER_COPIED: &[&str] = &["host", "connection", "transfer-encoding", "content-length"];

/// Sent to the client on refusal whatever the list says.
const ALWAYS_ON_DENY: &[&str] = &["www-authenticate", "location"];

impl ExternalAuthorizer {
    /// The request to send for an HTTP authorizer; `None`: it speaks gRPC, and is shown the whole request.
    pub fn question(&self, request: &RequestFacts<'_>) -> Option<CheckRequest> {
        let AuthorizerProtocol::Http(check) = &self.protocol else { return None };
        let is_added = |name: &str| check.added_headers.keys().any(|added| added.eq_ignore_ascii_case(name));
        let is_shown = |name: &str| {
            let is_listed = name.eq_ignore_ascii_case("authorization") || check.request_headers.has(name);
            is_listed && !is_added(name) && !is_framing(name)
        };
        let shown = copied(&request.headers, is_shown);
        let added = check.added_headers.iter();
        let added = added.map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes()));
        Some(CheckRequest {
            method: request.method.to_string(),
            authority: request.authority.to_string(),
            path: format!("{}{}", check.path_prefix, request.path),
            headers: shown.into_iter().chain(added).collect(),
        })
    }

    /// What an answer comes to: consent is 200 and nothing else; a 5xx is no answer, as in Envoy.
    pub fn judge(&self, answer: CheckAnswer<'_>) -> CheckOutcome {
        let nothing = HttpCheck::default();
        let check = match &self.protocol {
            AuthorizerProtocol::Http(check) => check,
            AuthorizerProtocol::Grpc => &nothing,
        };
        match answer {
            CheckAnswer::Response { status: 200, headers, .. } => CheckOutcome::Allowed {
                request_headers: copied(headers, |name| {
                    check.upstream_on_allow.has(name) && !is_framing(name)
                }),
                response_headers: copied(headers, |name| {
                    check.downstream_on_allow.has(name) && !is_framing(name)
                }),
            },
            CheckAnswer::Response { status, headers, body } if status < 500 => CheckOutcome::Denied {
                status,
                headers: copied(headers, |name| {
                    let is_always = ALWAYS_ON_DENY.iter().any(|always| name.eq_ignore_ascii_case(always));
                    let list = &check.downstream_on_deny;
                    !is_framing(name) && (list.is_empty() || is_always || list.has(name))
                }),
                body: body.to_vec(),
            },
            _ if self.fail_open => {
                CheckOutcome::Allowed { request_headers: Vec::new(), response_headers: Vec::new() }
            }
            _ => CheckOutcome::Denied { status: self.status_on_error, headers: Vec::new(), body: Vec::new() },
        }
    }
}

fn is_framing(name: &str) -> bool {
    name.starts_with(':') || NEVER_COPIED.iter().any(|never| name.eq_ignore_ascii_case(never))
}

fn copied(headers: &Headers<'_>, keep: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let kept = headers.entries.iter().filter(|(name, _)| keep(name));
    kept.map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect()
}
