//! What shares an address and port, and how (T-200).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::name::Protocol;
use mesh_model::origin::Origin;

use super::chain::{Chain, Content, TableName};

/// Where a listener listens: an address or Unix path, and a port (0 with a path).
pub(super) type Key = (Arc<str>, u16);

/// Everything that asked for a listener, by address and port.
pub(super) type Entries = BTreeMap<Key, Entry>;

/// A listener while it is put together.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) bind: Arc<str>,
    /// Further addresses (dual stack).
    pub(super) more_binds: Vec<Arc<str>>,
    pub(super) port: u16,
    /// A socket of its own (T-376).
    pub(super) binds_port: bool,
    pub(super) protocol: Protocol,
    /// Declared by a Sidecar listener with a port: nothing of a catch-all listener is added (E-052).
    pub(super) locked: bool,
    pub(super) chains: Vec<Chain>,
    pub(super) origin: Origin,
}

impl Entry {
    /// The route tables that its chains use.
    pub(super) fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.chains.iter().filter_map(|chain| match &chain.content {
            Content::Http(table) => Some(table),
            Content::Tcp(_) => None,
        })
    }

    /// Adds chains; those whose conditions are taken are dropped.
    fn merge(&mut self, incoming: Vec<Chain>) {
        for chain in incoming {
            if !self.chains.iter().any(|existing| existing.conflicts_with(&chain)) {
                self.chains.push(chain);
            }
        }
    }
}

/// How an incoming listener meets an existing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meeting {
    /// It is the first, or takes the other's place.
    Replace,
    /// Chains are merged, and HTTP is told from the rest by its bytes from now on.
    MergeSniffed,
    /// Chains are merged.
    Merge,
    /// The incoming one adds nothing.
    Nothing,
}

/// What becomes of an incoming listener for HTTP (`is_http`), bytes, or either (undeclared).
pub(super) fn meet(incoming: Protocol, existing: Option<Protocol>) -> Meeting {
    let Some(existing) = existing else { return Meeting::Replace };
    let meeting = match (kind(incoming), kind(existing)) {
        (Kind::Http, Kind::Tcp) => Meeting::MergeSniffed,
        (Kind::Http, _) => return Meeting::Nothing,
        (Kind::Tcp, Kind::Http) => Meeting::MergeSniffed,
        (Kind::Tcp, _) => Meeting::Merge,
        (Kind::Auto, Kind::Http) => Meeting::Replace,
        (Kind::Auto, Kind::Tcp) => Meeting::MergeSniffed,
        (Kind::Auto, Kind::Auto) => Meeting::Merge,
    };
    // Server-first protocols would stall under inspection: they share with their like only.
    let server_first = |protocol| matches!(protocol, Protocol::Mongo | Protocol::MySql);
    if (server_first(incoming) || server_first(existing)) && incoming != existing {
        return Meeting::Nothing;
    }
    meeting
}

/// Enters a listener into the map.
pub(super) fn enter(entries: &mut Entries, entry: Entry, meeting: Meeting) {
    let key = (Arc::clone(&entry.bind), entry.port);
    match (meeting, entries.get_mut(&key)) {
        (Meeting::Nothing, _) => {}
        (Meeting::Replace, _) | (_, None) => {
            entries.insert(key, entry);
        }
        (Meeting::MergeSniffed, Some(existing)) => {
            existing.merge(entry.chains);
            existing.protocol = Protocol::Unsupported;
        }
        (Meeting::Merge, Some(existing)) => existing.merge(entry.chains),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Tcp,
    Auto,
}

fn kind(protocol: Protocol) -> Kind {
    if protocol.is_http() {
        Kind::Http
    } else if protocol.is_tcp() {
        Kind::Tcp
    } else {
        Kind::Auto
    }
}
