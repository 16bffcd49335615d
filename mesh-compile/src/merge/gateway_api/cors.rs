//! The CORS filter.

use mesh_model::gateway_api::HttpCorsFilter;
use mesh_model::networking::virtual_service::spec::{CorsPolicy, UnmatchedPreflights};
use mesh_model::part::StringMatch;
use mesh_model::value::Duration;

/// What an origin looks like: scheme, host, perhaps a port.
const ANY_ORIGIN: &str = r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s?#]+$";

/// The policy; preflights that do not match are not forwarded.
pub(super) fn policy(written: &HttpCorsFilter) -> CorsPolicy {
    let HttpCorsFilter {
        allow_origins,
        allow_credentials,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age,
    } = written;
    CorsPolicy {
        allow_origins: allow_origins
            .iter()
            .filter(|origin| !origin.is_empty())
            .map(|text| origin(text))
            .collect(),
        allow_methods: allow_methods.clone(),
        allow_headers: allow_headers.clone(),
        expose_headers: expose_headers.clone(),
        max_age: (*max_age > 0).then(|| Duration::from_secs(i64::from(*max_age))),
        allow_credentials: allow_credentials.filter(|allowed| *allowed),
        unmatched_preflights: UnmatchedPreflights::Ignore,
        ..CorsPolicy::default()
    }
}

/// `*` alone is any origin; at the end it makes a prefix, elsewhere a pattern.
fn origin(text: &str) -> StringMatch {
    if text == "*" {
        return StringMatch::Regex(ANY_ORIGIN.to_owned());
    }
    match (text.matches('*').count(), text.strip_suffix('*')) {
        (0, _) => StringMatch::Exact(text.to_owned()),
        (1, Some(prefix)) => StringMatch::Prefix(prefix.to_owned()),
        _ => {
            let parts: Vec<String> = text.split('*').map(regex_syntax::escape).collect();
            StringMatch::Regex(format!("^{}$", parts.join(".*")))
        }
    }
}
