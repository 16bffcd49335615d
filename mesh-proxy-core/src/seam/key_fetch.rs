//! Who fetches the key sets that token rules name (`jwksUri`, and what an issuer's OpenID configuration names).

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use mesh_authz::jwks_store::{Fetch, FetchProblem};

/// The body of a successful answer, some time later. Ours: an answer may take its time without holding a thread.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchProblem>> + Send + 'a>>;

/// Fetches documents (S-288, S-293).
///
/// A contract: never more than [`Fetch::body_bytes_max`] is held; the caller keeps the time ([`Fetch::timeout_ms`]) and
/// drops the future when it is over. What was fetched before is the caller's to keep.
pub trait KeyFetch: Send + Sync + std::fmt::Debug {
    /// Fetches the document.
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Fetched<'a>;
}

/// Documents that the program holds, by their address. Ours: tests need no server for key sets.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<BTreeMap<String, Bytes>>);

impl InMemory {
    /// Takes a document in the place of one of this address.
    pub fn put(&self, url: impl Into<String>, body: impl Into<Bytes>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(url.into(), body.into());
    }
}

impl KeyFetch for InMemory {
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Fetched<'a> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&fetch.url).cloned();
        Box::pin(std::future::ready(found.ok_or(FetchProblem::Failed)))
    }
}

impl<T: KeyFetch + ?Sized> KeyFetch for std::sync::Arc<T> {
    fn fetch<'a>(&'a self, fetch: &'a Fetch) -> Fetched<'a> {
        (**self).fetch(fetch)
    }
}
