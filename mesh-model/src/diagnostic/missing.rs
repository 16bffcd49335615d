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
    /// Pods by all labels of a selector, of one namespace or (`None`) of any.
    Pods {
        /// Their namespace.
        namespace: Option<String>,
        /// Labels that each of them has.
        labels: Vec<(String, String)>,
    },
}

impl Missing {
    /// An object by kind, namespace and name.
    pub fn object(kind: &str, namespace: &str, name: &str) -> Self {
        let text = str::to_owned;
        Self::Object(ResourceRef { kind: text(kind), namespace: text(namespace), name: text(name) })
    }

    /// Pods that have all of the labels, of one namespace or of any.
    pub fn pods<'l>(namespace: Option<&str>, labels: impl IntoIterator<Item = (&'l str, &'l str)>) -> Self {
        let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self::Pods { namespace: namespace.map(str::to_owned), labels }
    }
}
