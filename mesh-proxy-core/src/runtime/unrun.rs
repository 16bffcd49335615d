//! Extensions that this build cannot run, on the way of traffic that may not go on without them.

use mesh_compile::proxy::extensions::{ChainKind, Extension, Extensions};
use mesh_model::extensions::traffic_extension::spec::{ExtensionCode, FailStrategy};

use super::connection::{Connection, Standing};

/// Whether one stands in the chain of a connection whose module must be there (`failStrategy`), and cannot be run: traffic
/// would pass what may be its only guard. Spec: Envoy, a filter without its configuration.
pub(crate) fn stands_in(connection: &Connection, standing: &Standing, chain: ChainKind) -> bool {
    let (direction, port) = (connection.arrival.direction, connection.facts.dst_port);
    let extensions = &standing.generation.config.extensions;
    !extensions.all.is_empty() && extensions.of_chain(direction, port, chain).any(must_run_and_cannot)
}

/// Says once of each extension that it is not run, and what becomes of its traffic.
pub(crate) fn tell(extensions: &Extensions, before: Option<&Extensions>) {
    let is_new = |it: &&Extension| {
        !before.is_some_and(|before| before.all.iter().any(|old| old.name == it.name && old.code == it.code))
    };
    for extension in extensions.all.iter().filter(|it| !is_run(it)).filter(is_new) {
        let refuses = must_run_and_cannot(extension);
        tracing::warn!(extension = &*extension.name, refuses, "an extension is not run by this build");
    }
}

fn is_run(extension: &Extension) -> bool {
    cfg!(feature = "wasm")
        && extension.chain == ChainKind::Http
        && matches!(extension.code, ExtensionCode::Wasm(_))
}

/// Scripts of Lua have no `failStrategy`, and one that fails lets its request pass.
fn must_run_and_cannot(extension: &Extension) -> bool {
    let ExtensionCode::Wasm(module) = &extension.code else { return false };
    module.fail_strategy != FailStrategy::FailOpen && !is_run(extension)
}
