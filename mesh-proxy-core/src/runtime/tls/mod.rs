//! TLS on both sides: configurations made from the tables and a certificate source, kept until either changes.

pub(crate) mod material;
mod pins;
pub(crate) mod server;
pub(crate) mod upstream;
mod verify;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;

use crate::seam::certificate_source::CertificateSource;

/// The most configurations that are kept of either side.
const KEPT_MAX: usize = 4096;
/// The most problems that are told of between two versions of the certificates.
const TOLD_MAX: usize = 256;

/// What TLS needs, shared by all connections.
#[derive(Debug)]
pub(crate) struct Tls {
    source: Box<dyn CertificateSource>,
    provider: Arc<CryptoProvider>,
    servers: Mutex<HashMap<String, Kept<rustls::ServerConfig>>>,
    clients: Mutex<HashMap<String, Kept<rustls::ClientConfig>>>,
    told: Mutex<Told>,
}

/// What the log says is missing, for a version of the certificates: every client would say it again.
#[derive(Debug, Default)]
struct Told {
    version: u64,
    problems: BTreeSet<String>,
}

/// A configuration, and the version of the certificates that it was made of.
#[derive(Debug)]
struct Kept<T> {
    version: u64,
    config: Arc<T>,
}

impl Tls {
    pub(crate) fn new(source: Box<dyn CertificateSource>) -> Self {
        Self {
            source,
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            servers: Mutex::default(),
            clients: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Whether a problem has not been told of yet.
    fn is_news(&self, problem: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.source.version();
        if told.version != version {
            *told = Told { version, problems: BTreeSet::new() };
        }
        told.problems.len() < TOLD_MAX && told.problems.insert(problem.to_owned())
    }
}

/// The kept configuration of a key where it is fresh, otherwise a new one. A rotation that does not work out (a key
/// that does not fit its certificate, a file half written) leaves the one before in use.
fn kept<T>(
    all: &Mutex<HashMap<String, Kept<T>>>,
    key: String,
    version: u64,
    make: impl FnOnce() -> Result<Arc<T>, String>,
) -> Result<Arc<T>, String> {
    let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = lock().get(&key).filter(|kept| kept.version == version) {
        return Ok(Arc::clone(&kept.config));
    }
    let made = make();
    let mut all = lock();
    match made {
        Ok(config) => {
            if all.len() >= KEPT_MAX {
                all.clear();
            }
            all.insert(key, Kept { version, config: Arc::clone(&config) });
            Ok(config)
        }
        Err(problem) => match all.get_mut(&key) {
            Some(before) => {
                tracing::warn!(problem, "new certificates cannot be used; those before stay");
                before.version = version;
                Ok(Arc::clone(&before.config))
            }
            None => Err(problem),
        },
    }
}
