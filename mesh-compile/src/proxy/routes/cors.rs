//! CORS policies (T-184).

use mesh_model::diagnostic::Report;
use mesh_model::networking::virtual_service::spec::{CorsPolicy as Written, UnmatchedPreflights};
use mesh_model::origin::Origin;

use super::matches::{report_pattern, text_match};
use crate::route_table::action::CorsPolicy;
use crate::route_table::matcher::TextMatch;

/// The policy that was written. An origin whose pattern is not RE2 allows nothing and is reported.
pub(super) fn convert(written: &Written, origin: &Origin, report: &mut Report) -> CorsPolicy {
    let Written {
        allow_origin,
        allow_origins,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age,
        allow_credentials,
        unmatched_preflights,
    } = written;
    let mut origins = Vec::new();
    for (index, allowed) in allow_origins.iter().enumerate() {
        match text_match(allowed) {
            Ok(text) => origins.extend(text),
            Err(problem) => report_pattern(
                &origin.child(&format!(".allowOrigins[{index}]")),
                allowed.text().unwrap_or_default(),
                &problem,
                report,
            ),
        }
    }
    if allow_origins.is_empty() {
        origins.extend(allow_origin.iter().map(|exact| TextMatch::Exact(exact.as_str().into())));
    }
    CorsPolicy {
        allow_origins: origins,
        allow_methods: allow_methods.join(",").into(),
        allow_headers: allow_headers.join(",").into(),
        expose_headers: expose_headers.join(",").into(),
        max_age: max_age.map(|age| (age.as_millis() / 1000).to_string()).unwrap_or_default().into(),
        allow_credentials: *allow_credentials,
        forward_unmatched_preflights: *unmatched_preflights != UnmatchedPreflights::Ignore,
    }
}
