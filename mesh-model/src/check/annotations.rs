//! Annotations that mean something on every Istio kind.

use super::{Checker, DRY_RUN, Path, Problem};
use crate::object::{Kind, Object};

/// Annotations that users may not write, and the one that asks to be refused.
const REFUSED: [&str; 3] = [
    "internal.istio.io/webhook-always-reject",
    "internal.istio.io/parent-namespace",
    "internal.istio.io/parents",
];

/// The kind that can be rehearsed.
const REHEARSED: &str = "AuthorizationPolicy";

/// Checks the annotations of an object of an Istio kind.
pub(crate) fn annotations<S: Kind>(found: &mut Checker<'_>, object: &Object<S>) {
    let metadata = Path::Root("metadata");
    let at = metadata.field("annotations");
    for name in REFUSED.iter().filter(|name| object.meta.annotations.contains_key(**name)) {
        found.find(
            &at.field(name),
            Problem::invalid(format!("`{name}` may not be set")).help("remove the annotation"),
        );
    }
    let is_rehearsal = object.meta.annotations.contains_key(DRY_RUN);
    found.require(!is_rehearsal || S::KIND == REHEARSED, &at.field(DRY_RUN), || {
        Problem::invalid(format!("`{DRY_RUN}` is for `{REHEARSED}` only")).help("remove the annotation")
    });
}
