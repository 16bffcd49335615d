//! Fields of services that most of what is made for them points at, put into words once.

use std::sync::{Arc, LazyLock};

/// Ports of a service whose fields are known in words.
const PORTS: usize = 16;

static SPEC: LazyLock<Arc<str>> = LazyLock::new(|| "spec".into());
static FIRST: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| (0..PORTS).map(port_text).collect());

/// `spec`
pub(super) fn spec() -> Arc<str> {
    Arc::clone(&SPEC)
}

/// `spec.ports[index]`
pub(super) fn port(index: usize) -> Arc<str> {
    FIRST.get(index).map_or_else(|| port_text(index), Arc::clone)
}

fn port_text(index: usize) -> Arc<str> {
    format!("spec.ports[{index}]").into()
}
