//! TLS on both sides: configurations made from the tables and a certificate source, kept until either changes.

pub(crate) mod material;
mod own;
pub(crate) mod pins;
pub(crate) mod server;
pub(crate) mod upstream;
mod verify;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;

use self::own::Shown;
use super::prelude;
use crate::seam::certificate_source::CertificateSource;
use crate::telemetry::certificate::Certificate;

/// The most configurations that are kept of either side.
const KEPT_MAX: usize = 4096;
/// The most problems that are told of between two versions of the certificates.
const TOLD_MAX: usize = 256;

/// What TLS needs, shared by all connections.
#[derive(Debug)]
pub(crate) struct Tls {
    source: Box<dyn CertificateSource>,
    /// Whether workloads are told of before bytes.
    exchanges: bool,
    provider: Arc<CryptoProvider>,
    servers: Mutex<AllKept<rustls::ServerConfig>>,
    clients: Mutex<AllKept<rustls::ClientConfig>>,
    told: Mutex<Told>,
    problems: AtomicU64,
}

type AllKept<T> = HashMap<String, Kept<T>>;

/// What the log says is wrong, for a version of the certificates: every client would say it again.
#[derive(Debug, Default)]
struct Told {
    version: u64,
    problems: BTreeSet<String>,
}

/// A configuration, and the version of the certificates that it was made of.
#[derive(Debug)]
struct Kept<T> {
    version: u64,
    made: Made<T>,
}

/// Who the proxy is under a configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    /// URI SAN of its certificate; `None`: none.
    pub(crate) principal: Option<Arc<str>>,
    /// Its certificate; `None`: none.
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// A configuration, and the proxy's own certificates that it shows.
#[derive(Debug)]
struct Made<T> {
    config: Arc<T>,
    shown: Vec<Shown>,
}

impl Tls {
    /// `exchanges`: whether workloads may be told of before bytes ([`prelude`]).
    pub(crate) fn new(source: Box<dyn CertificateSource>, exchanges: bool) -> Self {
        Self {
            source,
            exchanges,
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            servers: Mutex::default(),
            clients: Mutex::default(),
            told: Mutex::default(),
            problems: AtomicU64::new(0),
        }
    }

    /// Problems with certificates that were told of since the start.
    pub(crate) fn problems(&self) -> u64 {
        self.problems.load(Ordering::Relaxed)
    }

    /// Tells of a problem, and what comes of it, once for each version of the certificates.
    fn tell(&self, problem: &str, outcome: &str) {
        if self.is_news(problem) {
            self.problems.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(problem, outcome, "a certificate is not as it should be");
        }
    }

    fn is_news(&self, problem: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.source.version();
        if told.version != version {
            *told = Told { version, problems: BTreeSet::new() };
        }
        told.problems.len() < TOLD_MAX && told.problems.insert(problem.to_owned())
    }

    /// The kept configuration of a key, with who the proxy is under it, where it is fresh, otherwise a new one. A rotation that does not work out (a key
    /// that does not fit its certificate, a file half written, a certificate that has expired in the place of one that has
    /// not) leaves the one before in use. `without`: what comes of a problem where there is none before.
    fn kept<T>(
        &self,
        all: &Mutex<AllKept<T>>,
        key: String,
        without: &str,
        make: impl FnOnce() -> Result<Made<T>, String>,
    ) -> Result<(Arc<T>, Own), String> {
        let version = self.source.version();
        let lock = || all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().get(&key).filter(|kept| kept.version == version) {
            return Ok(kept.made.shared());
        }
        let made = make();
        let mut all = lock();
        let made = match (made, all.get_mut(&key)) {
            (Ok(made), before) => match before.and_then(|before| made.is_worse_than(before)) {
                None => Ok(made),
                Some((problem, before)) => Err((problem, Some(before))),
            },
            (Err(problem), before) => Err((problem, before)),
        };
        match made {
            Ok(made) => {
                if all.len() >= KEPT_MAX {
                    all.clear();
                }
                let shared = made.shared();
                all.insert(key, Kept { version, made });
                Ok(shared)
            }
            Err((problem, Some(before))) => {
                self.tell(&problem, "the one before stays in use");
                before.version = version;
                Ok(before.made.shared())
            }
            Err((problem, None)) => {
                self.tell(&problem, without);
                Err(problem)
            }
        }
    }
}

impl Tls {
    /// The protocols of a list that are spoken here.
    fn spoken<'a>(&self, alpn: &'a [Arc<str>]) -> impl Iterator<Item = &'a str> {
        let exchanges = self.exchanges;
        alpn.iter().map(|name| &**name).filter(move |name| exchanges || *name != prelude::ALPN)
    }
}

impl<T> Made<T> {
    /// The configuration, and who the proxy is under it.
    fn shared(&self) -> (Arc<T>, Own) {
        let principal = self.shown.iter().find_map(|shown| shown.principal.clone());
        let certificate = self.shown.iter().find_map(|shown| shown.certificate.clone());
        (Arc::clone(&self.config), Own { principal, certificate })
    }

    /// Why what was made before is to be preferred, where it is.
    fn is_worse_than<'b>(&self, before: &'b mut Kept<T>) -> Option<(String, &'b mut Kept<T>)> {
        let now = own::now();
        let ended = self.shown.iter().find(|shown| shown.ends < now)?;
        let is_better = before.made.shown.iter().all(|shown| shown.ends >= now);
        is_better.then(|| (format!("{}: the new certificate has expired", ended.name), before))
    }
}
