//! How names become addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use tokio::net::lookup_host;

/// Addresses of a name, some time later. Ours: an answer may take its time without holding a thread.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Looks names up (T-321, T-461).
///
/// A contract: addresses come in the order in which they are to be used; no address at all is an error. The caller keeps
/// the time, and what was good before.
pub trait Resolve: Send + Sync + std::fmt::Debug {
    /// The addresses of a host name.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The system's resolver. Ours: what is taken where a program brings nothing of its own.
#[derive(Debug, Clone, Default)]
pub struct SystemResolver {
    /// Names that are not looked up: they are left to whoever makes connections
    /// ([`SystemDial::instead`](super::dial::SystemDial::instead)).
    pub except: BTreeSet<String>,
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            if self.except.contains(host) {
                return some(Vec::new());
            }
            let addresses: Vec<IpAddr> = lookup_host((host, 0)).await?.map(|address| address.ip()).collect();
            some(addresses)
        })
    }
}

/// Names that the program knows: for tests, and for a mesh acted out on one machine.
/// Ours: a mesh on one machine needs names that no server knows.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<BTreeMap<String, Vec<IpAddr>>>);

impl InMemory {
    /// Gives a name these addresses; none: it does not exist.
    pub fn put(&self, host: impl Into<String>, addresses: impl Into<Vec<IpAddr>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.into(), addresses.into());
    }
}

impl Resolve for InMemory {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned();
        Box::pin(std::future::ready(some(known.unwrap_or_default())))
    }
}

impl<T: Resolve + ?Sized> Resolve for std::sync::Arc<T> {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        (**self).resolve(host)
    }
}

fn some(addresses: Vec<IpAddr>) -> io::Result<Vec<IpAddr>> {
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}
