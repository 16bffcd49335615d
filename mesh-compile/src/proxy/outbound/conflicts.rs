//! What shares an address and port, and how (T-200).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::name::Protocol;
use mesh_model::origin::Origin;
use smallvec::SmallVec;

use super::chain::{Chain, Content, TableName};
use crate::proxy::listener::TcpProxy;

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
    /// Hostnames of the services that it is made for.
    pub(super) askers: SmallVec<[Arc<str>; 1]>,
    /// Whether nobody asked in vain, and nothing was told.
    pub(super) is_whole: bool,
}

impl Entry {
    /// The route tables that its chains use.
    pub(super) fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.chains.iter().filter_map(|chain| match &chain.content {
            Content::Http(table) => Some(table),
            Content::Tcp(_) => None,
        })
    }

    /// Adds chains; those whose conditions are taken are dropped, which is told where traffic is lost with them.
    fn merge(&mut self, incoming: Vec<Chain>, report: &mut Report) {
        for chain in incoming {
            match self.chains.iter().find(|existing| existing.conflicts_with(&chain)) {
                None => self.chains.push(chain),
                Some(existing) if leads_elsewhere(existing, &chain) => {
                    self.tell(&chain.origin, &existing.origin, report);
                }
                Some(_) => {}
            }
        }
    }

    /// Tells that a listener or chain is left out for the sake of another.
    pub(super) fn tell(&self, left_out: &Origin, taken_by: &Origin, report: &mut Report) {
        if left_out == taken_by || report.len() >= TOLD_MAX {
            return;
        }
        let message = format!("the connections to `{}:{}` are taken by {taken_by}", self.bind, self.port);
        let help = "give each service an address or a port of its own, or import one of them only";
        report.push(Diagnostic::new(Code::ListenerConflict, left_out, message).help(help));
    }
}

/// Findings beyond it would be read by nobody.
pub(super) const TOLD_MAX: usize = 1_000;

/// Whether bytes of one chain would go to other clusters by the other. HTTP shares its tables.
fn leads_elsewhere(one: &Chain, other: &Chain) -> bool {
    let (Content::Tcp(one), Content::Tcp(other)) = (&one.content, &other.content) else { return false };
    let clusters = |proxy: &TcpProxy| -> Vec<_> {
        proxy.destinations.iter().map(|destination| Arc::clone(&destination.cluster)).collect()
    };
    clusters(one) != clusters(other)
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
pub(super) fn enter(entries: &mut Entries, mut entry: Entry, meeting: Meeting, report: &mut Report) {
    let key = (Arc::clone(&entry.bind), entry.port);
    if let Some(existing) = entries.get_mut(&key) {
        let mut askers = std::mem::take(&mut existing.askers);
        askers.extend(entry.askers.drain(..).filter(|host| !existing.askers.contains(host)));
        entry.is_whole &= existing.is_whole;
        (existing.askers, existing.is_whole) = (askers, entry.is_whole);
    }
    match (meeting, entries.get_mut(&key)) {
        (Meeting::Nothing, _) => {}
        (Meeting::Replace, existing) | (_, existing @ None) => {
            if let Some(existing) = existing {
                entry.askers = std::mem::take(&mut existing.askers);
            }
            entries.insert(key, entry);
        }
        (Meeting::MergeSniffed, Some(existing)) => {
            existing.merge(entry.chains, report);
            existing.protocol = Protocol::Unsupported;
        }
        (Meeting::Merge, Some(existing)) => existing.merge(entry.chains, report),
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
