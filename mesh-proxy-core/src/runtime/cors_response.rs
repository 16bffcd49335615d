//! CORS headers of answers that are no preflight's (T-184).

use http::HeaderMap;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName,
    HeaderValue,
};
use mesh_compile::route_table::action::CorsPolicy;
use mesh_model::facts::RequestFacts;

use crate::cors;
use crate::decision::CorsAnswer;

/// What the answer to a request with an allowed origin carries.
#[derive(Debug, Clone, Default)]
pub(crate) struct CorsHeaders(Vec<(HeaderName, HeaderValue)>);

impl CorsHeaders {
    pub(crate) fn of(policy: &CorsPolicy, request: &RequestFacts<'_>) -> Self {
        let Some(origin) = request.headers.first("origin").filter(|origin| cors::allows(policy, origin))
        else {
            return Self::default();
        };
        let mut lines = Vec::new();
        push(&mut lines, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if policy.allow_credentials == Some(true) {
            push(&mut lines, ACCESS_CONTROL_ALLOW_CREDENTIALS, b"true");
        }
        push(&mut lines, ACCESS_CONTROL_EXPOSE_HEADERS, policy.expose_headers.as_bytes());
        Self(lines)
    }

    /// The answer to a preflight; credentials are the policy's.
    pub(crate) fn of_preflight(answer: &CorsAnswer, credentials: bool) -> Self {
        let mut lines = Vec::new();
        push(&mut lines, ACCESS_CONTROL_ALLOW_ORIGIN, answer.allow_origin.as_bytes());
        if credentials && !answer.allow_origin.is_empty() {
            push(&mut lines, ACCESS_CONTROL_ALLOW_CREDENTIALS, b"true");
        }
        push(&mut lines, ACCESS_CONTROL_ALLOW_METHODS, answer.allow_methods.as_bytes());
        push(&mut lines, ACCESS_CONTROL_ALLOW_HEADERS, answer.allow_headers.as_bytes());
        push(&mut lines, ACCESS_CONTROL_MAX_AGE, answer.max_age.as_bytes());
        Self(lines)
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Empty ones are not sent.
fn push(lines: &mut Vec<(HeaderName, HeaderValue)>, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value)
        && !value.is_empty()
    {
        lines.push((name, value));
    }
}
