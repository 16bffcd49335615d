//! Where certificates, keys and authorities come from.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A certificate chain with its key, both as PEM (S-336, S-339).
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The leaf first, then the authorities between it and the root.
    pub chain: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

/// Never prints the key.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("chain_bytes", &self.chain.len()).finish_non_exhaustive()
    }
}

/// Gives certificates by the names that configuration has for them (T-432, T-433).
///
/// A contract: what [`identity`](Self::identity) and [`authorities`](Self::authorities) say changes only together with
/// [`version`](Self::version); both may read files and are asked only when the version or the configuration is new.
pub trait CertificateSource: Send + Sync + std::fmt::Debug {
    /// `default` (the workload's own), `kubernetes://NAME`, `kubernetes-gateway://NAMESPACE/NAME`,
    /// `file-cert:CERT~KEY`; `None`: there is none.
    fn identity(&self, name: &str) -> Option<Identity>;

    /// Certificates of authorities as PEM: `ROOTCA` (the mesh's), `file-root:PATH`, `file-root:system`,
    /// `kubernetes://NAME-cacert`; `None`: there are none.
    fn authorities(&self, name: &str) -> Option<Vec<u8>>;

    /// Certificate revocation lists as PEM: `file-crl:PATH`, or those that belong to authorities, by the authorities' name
    /// (`ca.crl` of a Secret); `None`: there are none.
    fn revocations(&self, name: &str) -> Option<Vec<u8>> {
        let _ = name;
        None
    }

    /// Grows with every change.
    fn version(&self) -> u64;
}

/// Certificates given by the program. Ours: tests and programs with their own authority need no files.
#[derive(Debug, Default)]
pub struct InMemory {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    identities: BTreeMap<String, Identity>,
    authorities: BTreeMap<String, Vec<u8>>,
    revocations: BTreeMap<String, Vec<u8>>,
    version: u64,
}

impl InMemory {
    /// Takes an identity in the place of one of this name.
    pub fn put_identity(&self, name: impl Into<String>, identity: Identity) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.identities.insert(name.into(), identity);
        held.version += 1;
    }

    /// Takes revocation lists in the place of those of this name.
    pub fn put_revocations(&self, name: impl Into<String>, lists: impl Into<Vec<u8>>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.revocations.insert(name.into(), lists.into());
        held.version += 1;
    }

    /// Takes authorities in the place of those of this name.
    pub fn put_authorities(&self, name: impl Into<String>, pem: impl Into<Vec<u8>>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.authorities.insert(name.into(), pem.into());
        held.version += 1;
    }
}

impl CertificateSource for InMemory {
    fn identity(&self, name: &str) -> Option<Identity> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).identities.get(name).cloned()
    }

    fn authorities(&self, name: &str) -> Option<Vec<u8>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).authorities.get(name).cloned()
    }

    fn revocations(&self, name: &str) -> Option<Vec<u8>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).revocations.get(name).cloned()
    }

    fn version(&self) -> u64 {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).version
    }
}

impl<T: CertificateSource + ?Sized> CertificateSource for std::sync::Arc<T> {
    fn identity(&self, name: &str) -> Option<Identity> {
        (**self).identity(name)
    }

    fn authorities(&self, name: &str) -> Option<Vec<u8>> {
        (**self).authorities(name)
    }

    fn revocations(&self, name: &str) -> Option<Vec<u8>> {
        (**self).revocations(name)
    }

    fn version(&self) -> u64 {
        (**self).version()
    }
}
