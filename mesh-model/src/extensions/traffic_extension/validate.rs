//! What Istio refuses or warns about in a TrafficExtension.

use super::spec::{ExtensionCode, TrafficExtension};
use crate::check::{Checker, Path, Problem, target_reference};
use crate::diagnostic::Report;
use crate::extensions::check::{Module, traffic};
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Longest Lua script, in bytes.
const SCRIPT_BYTES_MAX: usize = 65536;

/// Checks an object.
pub(super) fn validate(object: &Object<TrafficExtension>, report: &mut Report) {
    let TrafficExtension { selector, target_refs, matches, code, .. } = &object.spec;
    let found = &mut Checker::new(object, report);
    target_reference::attachment(found, &SPEC, selector.as_ref(), None, target_refs);
    match code {
        ExtensionCode::Unset => {
            found.find(&SPEC, Problem::missing("either `wasm` or `lua` is required").help("add one of them"));
        }
        ExtensionCode::Wasm(wasm) => {
            let module = Module {
                url: &wasm.url,
                sha256: &wasm.sha256,
                image_pull_secret: &wasm.image_pull_secret,
                plugin_name: &wasm.plugin_name,
                vm_config: wasm.vm_config.as_ref(),
            };
            module.check(found, &SPEC.field("wasm"));
        }
        ExtensionCode::Lua(lua) => {
            let parent = SPEC.field("lua");
            let at = parent.field("inlineCode");
            found.require(!lua.inline_code.is_empty(), &at, || {
                Problem::missing("`inlineCode` is required").help("add the script")
            });
            found.require(lua.inline_code.len() <= SCRIPT_BYTES_MAX, &at, || {
                Problem::invalid(format!("longer than {SCRIPT_BYTES_MAX} bytes"))
                    .help("shorten the script, or use a Wasm module")
            });
        }
    }
    traffic(found, &SPEC.field("match"), matches);
}
