//! What Istio refuses or warns about in a PeerAuthentication (S-064 to S-066).

use super::spec::PeerAuthentication;
use crate::check::{Checker, Path, Problem, port, selector};
use crate::diagnostic::Report;
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<PeerAuthentication>, report: &mut Report) {
    let policy = &object.spec;
    let found = &mut Checker::new(object, report);
    if let Some(workloads) = &policy.selector {
        selector::workload(found, &SPEC.field("selector"), workloads);
    }
    let at = SPEC.field("portLevelMtls");
    let is_written_empty = found.is_written_empty(&at);
    found.require(!is_written_empty, &at, || {
        Problem::invalid("no port is listed").help("remove `portLevelMtls`")
    });
    let selects = policy.selector.as_ref().is_some_and(|selector| !selector.match_labels.is_empty());
    found.require(selects || policy.port_level_mtls.is_empty(), &at, || {
        Problem::conflict("ports can be listed for selected workloads only")
            .help("name their labels in `selector`")
    });
    for number in policy.port_level_mtls.keys() {
        found.check(&at.field(&number.to_string()), port::number(*number));
    }
}
