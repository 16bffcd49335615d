//! Header operations in the order in which they take effect (T-176 to T-179).

use std::sync::Arc;

use mesh_model::name::StringMap;
use mesh_model::part::{HeaderOperations, Headers};

use crate::route_table::action::{HeaderOp, HeaderOps};

/// The operations of one place (a route or a destination), both directions, with the authority they ask for.
#[derive(Debug, Default)]
pub(super) struct Levels {
    pub(super) request: Level,
    pub(super) response: Level,
    /// Value of `host` or `:authority` among the request's sets, else adds (T-179).
    pub(super) authority: Option<Arc<str>>,
}

/// The operations of one direction: removals take effect before everything else.
#[derive(Debug, Default)]
pub(super) struct Level {
    removals: Vec<HeaderOp>,
    changes: Vec<HeaderOp>,
}

impl Levels {
    pub(super) fn of(headers: Option<&Headers>) -> Self {
        let request = headers.and_then(|headers| headers.request.as_deref());
        let response = headers.and_then(|headers| headers.response.as_deref());
        let authority = request
            .and_then(|request| authority(&request.set).or_else(|| authority(&request.add)))
            .map(Arc::from);
        Self { request: Level::of(request), response: Level::of(response), authority }
    }

    /// Puts a single destination's operations behind the route's: one list, all removals first (T-177).
    pub(super) fn append(&mut self, destination: Self) {
        self.request.append(destination.request);
        self.response.append(destination.response);
    }
}

impl Level {
    fn of(operations: Option<&HeaderOperations>) -> Self {
        let Some(operations) = operations else { return Self::default() };
        let removals = operations
            .remove
            .iter()
            .filter(|name| !is_reserved(name))
            .map(|name| HeaderOp::Remove(lower(name)))
            .collect();
        let sets = writable(&operations.set).map(|(name, value)| HeaderOp::Set(name, value));
        let adds = writable(&operations.add).map(|(name, value)| HeaderOp::Add(name, value));
        Self { removals, changes: sets.chain(adds).collect() }
    }

    fn append(&mut self, next: Self) {
        self.removals.extend(next.removals);
        self.changes.extend(next.changes);
    }

    pub(super) fn into_ops(self) -> HeaderOps {
        let mut ops = self.removals;
        ops.extend(self.changes);
        HeaderOps { ops: ops.into() }
    }
}

/// Entries that are header operations, names in lower case, in byte order of the names as written.
fn writable(entries: &StringMap) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
    entries.iter().filter(|(name, _)| !is_reserved(name)).map(|(name, value)| (lower(name), Arc::from(value)))
}

/// Pseudo-headers and `host` cannot be changed by name (T-179).
fn is_reserved(name: &str) -> bool {
    name.starts_with(':') || name.eq_ignore_ascii_case("host")
}

fn authority(entries: &StringMap) -> Option<&str> {
    entries
        .iter()
        .rfind(|(name, _)| name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority"))
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

fn lower(name: &str) -> Arc<str> {
    name.to_ascii_lowercase().into()
}
