//! Workload identities (S-336).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` (S-336).
///
/// Like Istio, only the shape is checked: five parts, `ns` and `sa` in their places.
///
/// ```
/// # use mesh_model::name::SpiffeId;
/// let id: SpiffeId = "spiffe://cluster.local/ns/shop/sa/web".parse()?;
/// assert_eq!((id.trust_domain(), id.namespace(), id.service_account()), ("cluster.local", "shop", "web"));
/// # Ok::<(), mesh_model::name::SpiffeIdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    trust_domain: Arc<str>,
    namespace: Arc<str>,
    service_account: Arc<str>,
}

/// The text is not `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("identity is not of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`")]
pub struct SpiffeIdError;

impl SpiffeId {
    /// An identity from parts that hold no `/`.
    ///
    /// # Errors
    /// When a part holds a `/`.
    pub fn new(trust_domain: &str, namespace: &str, service_account: &str) -> Result<Self, SpiffeIdError> {
        if [trust_domain, namespace, service_account].iter().any(|part| part.contains('/')) {
            return Err(SpiffeIdError);
        }
        Ok(Self {
            trust_domain: trust_domain.into(),
            namespace: namespace.into(),
            service_account: service_account.into(),
        })
    }

    /// `cluster.local`.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The namespace of the workload.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The service account of the workload.
    pub fn service_account(&self) -> &str {
        &self.service_account
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        let mut parts = text.strip_prefix("spiffe://").ok_or(SpiffeIdError)?.split('/');
        let mut part = || parts.next();
        match (part(), part(), part(), part(), part(), part()) {
            (Some(trust_domain), Some("ns"), Some(namespace), Some("sa"), Some(service_account), None) => {
                Self::new(trust_domain, namespace, service_account)
            }
            _ => Err(SpiffeIdError),
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/ns/{}/sa/{}", self.trust_domain, self.namespace, self.service_account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_five_part_shape_is_an_identity() {
        let text = "spiffe://td/ns/a/sa/b";
        assert_eq!(text.parse::<SpiffeId>().map(|id| id.to_string()), Ok(text.to_owned()));
        for bad in [
            "",
            "td/ns/a/sa/b",
            "SPIFFE://td/ns/a/sa/b",
            "spiffe://td/ns/a/sa",
            "spiffe://td/ns/a/sa/b/c",
            "spiffe://td/ns/a/sa/b/",
            "spiffe://td/namespace/a/sa/b",
        ] {
            assert_eq!(bad.parse::<SpiffeId>(), Err(SpiffeIdError), "{bad}");
        }
    }
}
