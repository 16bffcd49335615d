//! The proxy's own certificates: read, and watched for their end (T06).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;

use super::verify::Names;
use super::{Tls, material};
use crate::telemetry::certificate::Certificate;

/// A certificate that the proxy shows, and the last second in which it counts, since 1970.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) name: Arc<str>,
    pub(super) ends: i64,
    /// Its first URI SAN.
    pub(super) principal: Option<Arc<str>>,
    /// It itself.
    pub(super) certificate: Option<Arc<Certificate>>,
}

impl Tls {
    /// A certificate of the proxy's own with its key. One that has expired is shown all the same, as by Envoy: who is on
    /// the other side decides what it is worth.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub(super) fn own(&self, name: &str) -> Result<(Arc<CertifiedKey>, Shown), String> {
        let identity =
            self.source.identity(name).ok_or_else(|| format!("certificate `{name}` is not there"))?;
        let certified =
            material::certified(&identity, &self.provider).map_err(|error| format!("{name}: {error}"))?;
        let ends = certified.cert.first().and_then(|leaf| {
            let (_, leaf) = parse_x509_certificate(leaf).ok()?;
            Some(leaf.validity().not_after.timestamp())
        });
        let principal = certified.cert.first().and_then(|leaf| Names::of(leaf)?.principal());
        let leaf = certified.cert.first().map(|leaf| Arc::new(Certificate::new(leaf.clone().into_owned())));
        let ends = ends.unwrap_or(i64::MAX);
        let shown = Shown { name: name.into(), ends, principal, certificate: leaf };
        Ok((Arc::new(certified), shown))
    }

    /// Tells of certificates in use that have expired, once for each version of the certificates.
    pub(crate) fn tell_expired(&self) {
        let now = now();
        for (name, ends) in self.ends() {
            if ends < now {
                self.tell(
                    &format!("{name}: the certificate has expired"),
                    "it is shown until there is another",
                );
            }
        }
    }

    /// How long the certificates in use still count, in seconds, by name; negative: they have expired.
    pub(crate) fn lifetimes(&self) -> Vec<(Arc<str>, i64)> {
        let now = now();
        self.ends().into_iter().map(|(name, ends)| (name, ends.saturating_sub(now))).collect()
    }

    /// When the certificates in use end. Of one that nobody has asked for since the last change counts that it is there.
    fn ends(&self) -> BTreeMap<Arc<str>, i64> {
        let version = self.source.version();
        let mut all: Vec<(bool, Shown)> = Vec::new();
        let mut add = |kept: u64, shown: &[Shown]| {
            all.extend(shown.iter().map(|shown| (kept == version, shown.clone())));
        };
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.values().for_each(|kept| add(kept.version, &kept.made.shown));
        drop(servers);
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.values().for_each(|kept| add(kept.version, &kept.made.shown));
        drop(clients);
        let mut ends: BTreeMap<Arc<str>, i64> = BTreeMap::new();
        for (is_fresh, shown) in all {
            if is_fresh || self.source.identity(&shown.name).is_some() {
                let known = ends.entry(shown.name).or_insert(shown.ends);
                *known = shown.ends.min(*known);
            }
        }
        ends
    }
}

/// Certificates go by the calendar of the system.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
