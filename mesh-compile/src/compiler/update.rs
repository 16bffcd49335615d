//! What a batch of changes did.

use std::collections::BTreeSet;
use std::fmt;

use mesh_model::diagnostic::Report;
use mesh_model::object::ResourceKey;
use mesh_model::origin::Origin;

use crate::proxy_identity::Proxy;
use crate::view::Lookup;

/// What became of a batch of changes. Ours: proxies that run what they ran keep their connections.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// What is wrong with the objects that were written, and with what was resolved again because of them.
    pub report: Report,
    /// Objects whose version in force is another.
    pub changed: BTreeSet<ResourceKey>,
    /// Proxies that may run something else now, of those that were asked for. All others run what they ran.
    pub proxies: Vec<ProxyUpdate>,
}

/// A proxy that a change concerns. Ours: that a proxy is concerned has to be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUpdate {
    /// Which one.
    pub proxy: Proxy,
    /// Each question whose answer changed, with the object through which it did.
    pub because: Vec<Because>,
}

/// Why a proxy is concerned. Ours: a question and the object that changed its answer are the whole explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// The question that was asked when the proxy's configuration was compiled.
    pub question: Lookup,
    /// The object that changed the answer.
    pub origin: Origin,
}

impl Because {
    pub(super) fn new(question: Lookup, origin: &Origin) -> Self {
        Self { question, origin: origin.clone() }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.question, self.origin)
    }
}
