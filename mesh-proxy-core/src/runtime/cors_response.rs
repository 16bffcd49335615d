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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cors::simulation_test::{REQUESTS, is_allowed, policy, request};
    use crate::dice::SeededDice;

    fn lines(headers: &CorsHeaders) -> Vec<(String, String)> {
        let mut map = HeaderMap::new();
        map.insert("vary", HeaderValue::from_static("kept"));
        headers.apply(&mut map);
        assert_eq!(map.remove("vary"), Some(HeaderValue::from_static("kept")));
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let mut lines: Vec<_> = map.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        lines.sort();
        lines
    }

    /// What the rules say, one line each; empty ones are not sent.
    fn expected(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut lines: Vec<_> = lines
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (format!("access-control-{name}"), (*value).to_owned()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_hundred_thousand_answers_bear_what_the_rules_say() {
        let mut dice = SeededDice::new(45);
        for _ in 0..REQUESTS / 100 {
            let (policy, by_hand) = policy(&mut dice);
            let credentials = if policy.allow_credentials == Some(true) { "true" } else { "" };
            for _ in 0..100 {
                let (request, origin, _) = request(&mut dice);
                let answer = lines(&CorsHeaders::of(&policy, &request));
                let allowed = origin.filter(|origin| is_allowed(&by_hand, origin));
                let simple = allowed.map_or(Vec::new(), |origin| {
                    let exposed = ("expose-headers", &*policy.expose_headers);
                    expected(&[("allow-origin", origin), ("allow-credentials", credentials), exposed])
                });
                assert_eq!(answer, simple, "{policy:?} {request:?}");
                let Some(preflight) = cors::answer_preflight(&policy, &request) else { continue };
                let answer = lines(&CorsHeaders::of_preflight(&preflight, !credentials.is_empty()));
                let full = allowed.map_or(Vec::new(), |origin| {
                    expected(&[
                        ("allow-origin", origin),
                        ("allow-credentials", credentials),
                        ("allow-methods", &policy.allow_methods),
                        ("allow-headers", &policy.allow_headers),
                        ("max-age", &policy.max_age),
                    ])
                });
                assert_eq!(answer, full, "{policy:?} {request:?}");
            }
        }
    }
}
