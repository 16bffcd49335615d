//! Answers of the proxy's own, in Envoy's words.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use mesh_authz::verdict::RuleRef;
use mesh_compile::route_table::action::FaultAbort;

use super::answer_headers::OVERLOADED;
use super::body::Body;
use super::http1_guard::Refusal;
use super::pool::Failure;
use crate::decision::{LocalReply, ReplyReason};

/// An answer of the proxy's own, and what the log says of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Response flags, as in `NR`.
    pub(crate) flags: &'static str,
    /// Response code details.
    pub(crate) details: String,
    /// The status that gRPC clients learn of; `None`: that of the HTTP status.
    pub(crate) grpc_status: Option<u32>,
}

impl Reply {
    pub(crate) fn new(status: u16, details: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            details: details.into(),
            ..Self::default()
        }
    }

    fn flags(mut self, flags: &'static str) -> Self {
        self.flags = flags;
        self
    }

    fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer of an injected abort.
    pub(crate) fn of_abort(abort: FaultAbort) -> Self {
        match abort {
            FaultAbort::Http(status) => {
                let mut reply = Self::new(status, "fault_filter_abort");
                reply.flags = "FI";
                reply.body = Bytes::from_static(b"fault filter abort");
                reply
            }
            FaultAbort::Grpc(code) => {
                let mut reply = Self::new(200, "fault_filter_abort");
                reply.flags = "FI";
                reply.headers.insert("content-type", HeaderValue::from_static("application/grpc"));
                reply.headers.insert("grpc-status", HeaderValue::from(code));
                reply.headers.insert("grpc-message", HeaderValue::from_static("fault filter abort"));
                reply
            }
        }
    }

    /// The answer that a decision gives. `rule`: of the policy that decided; `url`: the request's own, for token challenges.
    pub(crate) fn of_decision(reply: &LocalReply, rule: Option<&RuleRef>, url: &str) -> Self {
        let (flags, details) = words(reply);
        let mut made = Self::new(reply.status, details).flags(flags);
        if reply.reason == ReplyReason::Rbac {
            made.details = denied_by(rule);
        }
        if let Some(body) = &reply.body {
            made.body = Bytes::from(body.to_string());
        }
        if let Some(location) = reply.location.as_deref().and_then(|text| HeaderValue::try_from(text).ok()) {
            made.headers.insert(LOCATION, location);
        }
        if reply.reason == ReplyReason::Jwt && reply.status == 401 {
            made.challenge(url);
        }
        made
    }

    /// `www-authenticate`, as the token filter words it.
    fn challenge(&mut self, url: &str) {
        let error = if self.body == b"Jwt is missing"[..] { "" } else { ", error=\"invalid_token\"" };
        if let Ok(value) = HeaderValue::try_from(format!("Bearer realm=\"{url}\"{error}")) {
            self.headers.insert(WWW_AUTHENTICATE, value);
        }
    }

    /// The answer where no upstream gave one. `retried`: after retries.
    pub(crate) fn of_failure(failure: &Failure, retried: bool) -> Self {
        // What the transport said of it is for the log: clients are not told about the inside (as in Envoy 1.40).
        let reset = |reason: &str| {
            let again = if retried { "retried and the latest reset reason" } else { "reset reason" };
            format!("upstream connect error or disconnect/reset before headers. {again}: {reason}")
        };
        match failure {
            Failure::NoHealthyUpstream => {
                Self::new(503, "no_healthy_upstream").flags("UH").body("no healthy upstream")
            }
            Failure::Overflow => {
                let mut reply = Self::new(503, "upstream_reset_before_response_started{overflow}")
                    .flags("UO")
                    .body(reset("overflow"));
                reply.headers.insert(OVERLOADED, HeaderValue::from_static("true"));
                reply
            }
            Failure::Connect(reason) => Self::new(
                503,
                format!(
                    "upstream_reset_before_response_started{{remote_connection_failure|{}}}",
                    underscored(reason)
                ),
            )
            .flags("UF")
            .body(reset("remote connection failure")),
            Failure::ConnectTimeout => {
                Self::new(503, "upstream_reset_before_response_started{connection_timeout}")
                    .flags("UF")
                    .body(reset("connection timeout"))
            }
            Failure::Refused | Failure::Reset(_) | Failure::RemoteReset { .. } | Failure::Protocol(_) => {
                let (flag, words) = failure.reset().unwrap_or(("UC", "connection termination"));
                let status = if matches!(failure, Failure::Protocol(_)) { 502 } else { 503 };
                Self::new(status, format!("upstream_reset_before_response_started{{{}}}", underscored(words)))
                    .flags(flag)
                    .body(reset(words))
            }
            Failure::PerTryTimeout => {
                Self::new(504, "upstream_per_try_timeout").flags("UT").body("upstream request timeout")
            }
            Failure::Timeout => {
                Self::new(504, "response_timeout").flags("UT").body("upstream request timeout")
            }
            Failure::ClientIdle => Self::new(408, "stream_idle_timeout").flags("SI").body("stream timeout"),
            Failure::NotWritable => Self::new(400, "path_or_authority_not_writable").flags("DPE"),
        }
    }

    /// The answer where the cluster that was drawn does not exist (T-153).
    pub(crate) fn no_cluster(status: u16) -> Self {
        Self::new(status, "cluster_not_found").flags("NC")
    }

    /// The answer where an external authorizer gave none.
    pub(crate) fn unauthorized(status: u16) -> Self {
        Self::new(status, "ext_authz_error").flags("UAEX")
    }

    /// The answer of an external authorizer that refuses.
    pub(crate) fn denied(status: StatusCode, body: Bytes) -> Self {
        Self::new(status.as_u16(), "ext_authz_denied").flags("UAEX").body(body)
    }

    /// The answer to a body that is larger than what must be looked at whole (S-110).
    pub(crate) fn too_large() -> Self {
        Self::new(413, "request_payload_too_large").body("Payload Too Large")
    }

    /// The answer that a filter gives.
    pub(crate) fn of_filter(answer: Response<String>) -> Self {
        let (parts, body) = answer.into_parts();
        let flags = if parts.status == StatusCode::TOO_MANY_REQUESTS { "RL" } else { "-" };
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.into(),
            flags,
            details: "filter".to_owned(),
            grpc_status: None,
        }
    }

    /// The answer where a plugin that must not be left out has no module.
    pub(crate) fn without_plugin() -> Self {
        Self::new(500, "").flags("NFCF")
    }

    /// The answer where a plugin has taken away what a message must have.
    #[cfg(feature = "wasm")]
    pub(crate) fn without_header(name: &str) -> Self {
        let (status, flags, of) = match name {
            ":status" => (502, "-", "response"),
            _ => (503, "DPE", "request"),
        };
        let details = format!("filter_removed_required_{of}_headers{{missing_required_header:_{name}}}");
        Self::new(status, details).flags(flags).body(format!("missing required header: {name}"))
    }

    /// The answer where no route can be looked for.
    #[cfg(feature = "wasm")]
    pub(crate) fn without_route() -> Self {
        Self::new(404, "route_not_found").flags("NR")
    }

    /// A request that the codec should not have let in.
    ///
    /// Where its end is may be unclear: nothing more is read from its connection.
    pub(crate) fn malformed(details: &'static str) -> Self {
        Self::refused(Refusal { status: 400, details })
    }

    /// A message that is not taken as HTTP; its connection ends with the answer.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        let mut reply = Self::new(refusal.status, refusal.details).flags("DPE");
        reply.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        reply
    }

    /// The response. gRPC clients learn of it by a status of their own, without a body.
    pub(crate) fn response(self, to_grpc: bool) -> Response<Body> {
        let mut response = Response::new(Body::Empty);
        *response.headers_mut() = self.headers;
        if to_grpc {
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            let grpc_status = self.grpc_status.unwrap_or_else(|| u32::from(grpc_status(self.status)));
            headers.insert("grpc-status", HeaderValue::from(grpc_status));
            if let Ok(message) = HeaderValue::try_from(percent_encoded(&self.body))
                && !message.is_empty()
            {
                headers.insert("grpc-message", message);
            }
            return response;
        }
        *response.status_mut() = self.status;
        if !self.body.is_empty() {
            response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain"));
            *response.body_mut() = Body::full(self.body);
        }
        response
    }
}

/// Who denies, in the words of Envoy's log under the names that Istio gives to rules; `None`: no policy allows.
pub(crate) fn denied_by(rule: Option<&RuleRef>) -> String {
    let rule = rule.and_then(|rule| {
        let (namespace, name) = rule.policy.split_once('/')?;
        Some(format!("ns[{namespace}]-policy[{name}]-rule[{}]", rule.rule?))
    });
    format!("rbac_access_denied_matched_policy[{}]", rule.as_deref().unwrap_or("none"))
}

/// Response flags and code details of a decision.
fn words(reply: &LocalReply) -> (&'static str, &'static str) {
    match reply.reason {
        // Who denies is said by whoever knows the rule.
        ReplyReason::Rbac => ("-", "rbac_access_denied"),
        ReplyReason::Jwt => ("UAEX", "jwt_authn_access_denied"),
        ReplyReason::Redirect | ReplyReason::DirectResponse => ("-", "direct_response"),
        ReplyReason::HttpsRedirect => ("-", "direct_response"),
        ReplyReason::Fault => ("FI", "fault_filter_abort"),
        ReplyReason::CorsPreflight => ("-", "cors_response"),
        ReplyReason::RateLimit => ("RL", "local_rate_limited"),
        ReplyReason::NoRoute | ReplyReason::NoVirtualHost => ("NR", "route_not_found"),
        ReplyReason::NoCluster => ("NC", "cluster_not_found"),
        ReplyReason::BadPath => ("-", "path_normalization_failed"),
        ReplyReason::BadAuthority => ("DPE", "invalid_authority"),
        ReplyReason::BadRequest => ("DPE", "http1.codec_error"),
        ReplyReason::Http10 => ("-", "low_version"),
    }
}

/// Words as logs have them.
pub(super) fn underscored(text: &str) -> String {
    text.chars().map(|character| if character.is_whitespace() { '_' } else { character }).collect()
}

/// The gRPC status of an HTTP status.
fn grpc_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        200 => 0,
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// `grpc-message` holds printable ASCII; all else, and `%`, is percent-encoded.
fn percent_encoded(text: &[u8]) -> String {
    use std::fmt::Write;
    text.iter().fold(String::with_capacity(text.len()), |mut made, &byte| {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            made.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(made, "%{byte:02X}");
        }
        made
    })
}
