//! ServiceEntries with TCP ports and no address to tell them apart by.

use mesh_model::diagnostic::Code;
use mesh_model::networking::service_entry::spec::ServiceEntry;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::Findings;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let settings = &context.mesh.default_config().proxy_metadata;
    let is_on = |name: &str| settings.get(name).is_some_and(|value| value == "true");
    let is_allocated = is_on("ISTIO_META_DNS_CAPTURE")
        && (is_on("ISTIO_META_DNS_AUTO_ALLOCATE") || is_on("PILOT_ENABLE_IP_AUTOALLOCATE"));
    if is_allocated {
        return;
    }
    for entry in context.objects(&context.config.service_entries) {
        if !entry.spec.addresses.is_empty() || has_address(entry) {
            continue;
        }
        for (index, port) in entry.spec.ports.iter().enumerate() {
            if !port.protocol.is_empty() && !port.protocol.eq_ignore_ascii_case("TCP") {
                continue;
            }
            let message =
                format!("TCP port {} has no address, so that it captures every address", port.number);
            let help = "set `addresses`, or let the mesh allocate them (`ISTIO_META_DNS_CAPTURE` and automatic allocation)";
            found.add(entry, &format!("spec.ports[{index}]"), Code::AddressesRequired, message, help);
        }
    }
}

/// Whether the control plane has allocated one.
fn has_address(entry: &Object<ServiceEntry>) -> bool {
    let status = entry.document().status();
    status.and_then(|status| status.get("addresses")).is_some_and(|addresses| !addresses.items().is_empty())
}
