//! CORS preflights (T-184, E-014, E-092).

use std::sync::Arc;

use mesh_compile::route_table::action::CorsPolicy;
use mesh_model::facts::RequestFacts;

use crate::decision::CorsAnswer;

/// The proxy's answer to a request that is a preflight; `None`: the request goes on.
///
/// A preflight is `OPTIONS` with an `origin` and an `access-control-request-method` that are not empty. One whose
/// origin is not allowed is answered without CORS headers, unless the policy sends such preflights upstream. The
/// policy's lists are sent as they are, `*` too.
pub fn answer_preflight(policy: &CorsPolicy, request: &RequestFacts<'_>) -> Option<CorsAnswer> {
    if request.method != "OPTIONS" {
        return None;
    }
    let origin = request.headers.first("origin").filter(|value| !value.is_empty())?;
    request.headers.first("access-control-request-method").filter(|value| !value.is_empty())?;
    if !allows(policy, origin) {
        return (!policy.forward_unmatched_preflights).then(CorsAnswer::default);
    }
    Some(CorsAnswer {
        allow_origin: text(origin),
        allow_methods: Arc::clone(&policy.allow_methods),
        allow_headers: Arc::clone(&policy.allow_headers),
        max_age: Arc::clone(&policy.max_age),
    })
}

/// A pattern that fits the text `*` allows every origin.
pub fn allows(policy: &CorsPolicy, origin: &[u8]) -> bool {
    policy.allow_origins.iter().any(|pattern| pattern.matches(b"*") || pattern.matches(origin))
}

fn text(value: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(value).into()
}

#[cfg(test)]
pub(crate) mod simulation_test;
