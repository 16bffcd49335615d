//! What a finding says that there is none of.
//! Ours: who looks for it among the objects that were refused can tell a slip in a name from a mistake elsewhere.

use super::ResourceRef;

/// What a reference means and does not find. Ours: names only, as references have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// An object by kind, namespace and name.
    Object(ResourceRef),
    /// A service by its full host: a Service, or a ServiceEntry that lists the host.
    Host(String),
    /// A DestinationRule by the full host that it is for.
    Rule(String),
}

impl Missing {
    /// An object by kind, namespace and name.
    pub fn object(kind: &str, namespace: &str, name: &str) -> Self {
        let text = str::to_owned;
        Self::Object(ResourceRef { kind: text(kind), namespace: text(namespace), name: text(name) })
    }
}
