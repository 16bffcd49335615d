//! What Istio refuses or warns about in a WasmPlugin.

use super::spec::WasmPlugin;
use crate::check::{Checker, Path, target_reference};
use crate::diagnostic::Report;
use crate::extensions::check::{Module, traffic};
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<WasmPlugin>, report: &mut Report) {
    let WasmPlugin { selector, target_ref, target_refs, url, sha256, image_pull_secret, .. } = &object.spec;
    let WasmPlugin { plugin_name, vm_config, matches, .. } = &object.spec;
    let found = &mut Checker::new(object, report);
    target_reference::attachment(found, &SPEC, selector.as_ref(), target_ref.as_ref(), target_refs);
    let module = Module { url, sha256, image_pull_secret, plugin_name, vm_config: vm_config.as_ref() };
    module.check(found, &SPEC);
    traffic(found, &SPEC.field("match"), matches);
}
