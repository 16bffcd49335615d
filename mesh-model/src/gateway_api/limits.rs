//! How long lists may be: what the API server refuses is refused here too, so that nothing multiplies without bound.

use crate::diagnostic::{Code, Diagnostic, Place, Report};
use crate::object::Object;

/// `spec.parentRefs`.
pub(super) const PARENTS: usize = 32;
/// `spec.hostnames`.
pub(super) const HOSTNAMES: usize = 16;
/// `spec.rules`.
pub(super) const RULES: usize = 16;
/// Matches of all rules of a route.
pub(super) const MATCHES: usize = 128;
/// `backendRefs` and `filters` of a rule.
pub(super) const BACKENDS: usize = 16;
/// `spec.listeners`.
pub(super) const LISTENERS: usize = 64;

/// Reports a list that is too long.
pub(super) fn check<S>(object: &Object<S>, field: &str, length: usize, limit: usize, report: &mut Report) {
    if length > limit {
        let message = format!("{length} entries, at most {limit} are allowed");
        report.push(
            Diagnostic::new(Code::BadValue, Place::of(&object.provenance, field), message)
                .help("Gateway API refuses more: split the object"),
        );
    }
}
