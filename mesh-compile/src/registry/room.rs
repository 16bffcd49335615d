//! A bound on what configuration can be multiplied into.
//!
//! Hosts times addresses, selectors times workloads, addresses times ports: a short text may ask for more memory
//! than there is. Whatever goes beyond the room is left out, and said so once.

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::origin::Provenance;

use super::service::Service;

/// Room of one registry, in bytes: more than a million endpoints, or some hundred thousand services of one object.
const ROOM_BYTES: usize = 512 << 20;
/// What an endpoint takes; its labels are shared.
pub(super) const ENDPOINT_BYTES: usize = 320;
/// What a service takes beside its lists, its places in the registry's indexes included.
const SERVICE_BYTES: usize = 1200;
/// What an element of a list or a map takes beside its text.
const ELEMENT_BYTES: usize = 64;

/// What is left.
#[derive(Debug)]
pub(super) struct Room {
    left: usize,
    is_full: bool,
}

impl Room {
    pub(super) fn new() -> Self {
        Self::of(ROOM_BYTES)
    }

    pub(super) fn of(bytes: usize) -> Self {
        Self { left: bytes, is_full: false }
    }

    /// What is left, in bytes.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Whether something was left out.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Takes room for something that `object` defines; `false`, with a finding the first time: there is none.
    pub(super) fn take(&mut self, bytes: usize, object: &Arc<Provenance>, report: &mut Report) -> bool {
        if let Some(left) = self.left.checked_sub(bytes) {
            self.left = left;
            return true;
        }
        if !self.is_full {
            self.is_full = true;
            let message =
                "the configuration multiplies into more services and endpoints than there is room for";
            report.push(
                Diagnostic::new(Code::BudgetExceeded, Place::of(object, "spec"), message)
                    .help("what this object defines is left out in part, and so may be what comes after it"),
            );
        }
        false
    }
}

/// Roughly the bytes that a copy of a service takes.
pub(super) fn service_bytes(service: &Service) -> usize {
    let maps = [&service.labels, &service.selector].into_iter().flatten();
    let maps: usize = maps.map(|(key, value)| key.len() + value.len() + ELEMENT_BYTES).sum();
    let names = service.ports.iter().map(|port| &port.name).chain(&service.extra_identities);
    let names: usize = names.map(|name| name.len() + ELEMENT_BYTES).sum();
    let exports: usize = service.export_to.iter().map(|value| value.len() + ELEMENT_BYTES).sum();
    SERVICE_BYTES + maps + names + exports
}

/// Roughly the bytes that the aliases of a service take; their text is shared.
pub(super) fn alias_bytes(aliases: usize) -> usize {
    aliases.saturating_mul(ELEMENT_BYTES)
}
