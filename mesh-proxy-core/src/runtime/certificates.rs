//! Certificates from files: the workload's own directory, Secrets among the configuration, paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_model::document::Document;

use crate::seam::certificate_source::{CertificateSource, Identity};

/// Bundles of authorities that systems have.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Certificates of a directory and of Secrets. Clones share one content (T-432..T-434).
///
/// The directory holds `cert-chain.pem`, `key.pem` and `root-cert.pem`, or the names of a TLS Secret (`tls.crt`,
/// `tls.key`, `ca.crt`). Secrets are those of the proxy's own namespace.
#[derive(Debug, Clone)]
pub struct Certificates {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Option<PathBuf>,
    namespace: String,
    secrets: Mutex<BTreeMap<(String, String), Secret>>,
    version: AtomicU64,
}

/// Values of a Secret by key. Never printed.
#[derive(Clone, Default, PartialEq, Eq)]
struct Secret(BTreeMap<String, Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secret {
    fn first(&self, keys: &[&str]) -> Option<Vec<u8>> {
        keys.iter().find_map(|key| self.0.get(*key)).cloned()
    }
}

impl Certificates {
    /// The certificates of a proxy of `namespace`; `identity`: its directory.
    pub fn new(identity: Option<PathBuf>, namespace: impl Into<String>) -> Self {
        let inner = Inner {
            identity,
            namespace: namespace.into(),
            secrets: Mutex::default(),
            version: AtomicU64::new(1),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The directory of the workload's own certificate.
    pub fn directory(&self) -> Option<&Path> {
        self.inner.identity.as_deref()
    }

    /// Takes the Secrets among documents in the place of those before.
    pub fn take_secrets<'d>(&self, documents: impl IntoIterator<Item = &'d Document>) {
        let secrets = documents.into_iter().filter_map(secret).collect();
        let mut held = self.lock();
        if *held != secrets {
            *held = secrets;
            self.touch();
        }
    }

    /// Files may have changed: what was made of them is made again.
    pub fn touch(&self) {
        self.inner.version.fetch_add(1, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Secret>> {
        self.inner.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `kubernetes://NAME`, `kubernetes://NAMESPACE/NAME` of the own namespace, `kubernetes-gateway://NAMESPACE/NAME`.
    fn secret(&self, name: &str) -> Option<Secret> {
        let (namespace, name) = match name.split_once("://")? {
            ("kubernetes", name) => match name.split_once('/') {
                Some((namespace, _)) if namespace != self.inner.namespace => return None,
                Some((namespace, name)) => (namespace, name),
                None => (&*self.inner.namespace, name),
            },
            ("kubernetes-gateway", name) => name.split_once('/')?,
            _ => return None,
        };
        let secrets = self.lock();
        let of = |name: &str| secrets.get(&(namespace.to_owned(), name.to_owned())).cloned();
        // `NAME-cacert` may be a Secret of its own, or the authorities of the Secret `NAME`.
        of(name).or_else(|| of(name.strip_suffix("-cacert")?))
    }

    fn own(&self, names: &[&str]) -> Option<Vec<u8>> {
        let directory = self.directory()?;
        names.iter().find_map(|name| std::fs::read(directory.join(name)).ok())
    }
}

impl CertificateSource for Certificates {
    fn identity(&self, name: &str) -> Option<Identity> {
        if name == "default" {
            let chain = self.own(&["cert-chain.pem", "tls.crt"])?;
            return Some(Identity { chain, key: self.own(&["key.pem", "tls.key"])? });
        }
        if let Some(paths) = name.strip_prefix("file-cert:") {
            let (chain, key) = paths.split_once('~')?;
            return Some(Identity { chain: std::fs::read(chain).ok()?, key: std::fs::read(key).ok()? });
        }
        let secret = self.secret(name)?;
        Some(Identity { chain: secret.first(&["tls.crt", "cert"])?, key: secret.first(&["tls.key", "key"])? })
    }

    fn authorities(&self, name: &str) -> Option<Vec<u8>> {
        match name.strip_prefix("file-root:") {
            Some("system") => system_authorities(),
            Some(path) => std::fs::read(path).ok(),
            None if name == "ROOTCA" => self.own(&["root-cert.pem", "ca.crt"]),
            None => self.secret(name)?.first(&["ca.crt", "cacert"]),
        }
    }

    fn revocations(&self, name: &str) -> Option<Vec<u8>> {
        match name.strip_prefix("file-crl:") {
            Some(path) => std::fs::read(path).ok(),
            None if name == "ROOTCA" || name.starts_with("file-root:") => None,
            None => self.secret(name)?.first(&["ca.crl"]),
        }
    }

    fn version(&self) -> u64 {
        self.inner.version.load(Ordering::Acquire)
    }
}

/// The authorities that the system trusts, as PEM; `None`: it has no bundle where systems have one.
pub(crate) fn system_authorities() -> Option<Vec<u8>> {
    SYSTEM_ROOTS.iter().find_map(|path| std::fs::read(path).ok())
}

/// Namespace, name and values of a document that is a Secret.
fn secret(document: &Document) -> Option<((String, String), Secret)> {
    let root = document.root();
    let text = |path: &[&str]| {
        let mut node = root;
        for key in path {
            node = node.get(key)?;
        }
        node.as_str().map(str::to_owned)
    };
    if text(&["kind"])? != "Secret" || text(&["apiVersion"])? != "v1" {
        return None;
    }
    let namespace = text(&["metadata", "namespace"]).unwrap_or_else(|| "default".to_owned());
    let mut values = BTreeMap::new();
    for entry in root.get("data").iter().flat_map(|data| data.entries()) {
        if let Some(value) = entry.value.as_str().and_then(from_base64) {
            values.insert(entry.key.to_string(), value);
        }
    }
    for entry in root.get("stringData").iter().flat_map(|data| data.entries()) {
        if let Some(value) = entry.value.as_str() {
            values.insert(entry.key.to_string(), value.as_bytes().to_vec());
        }
    }
    Some(((namespace, text(&["metadata", "name"])?), Secret(values)))
}

/// Standard base64; white space between is let pass, as YAML folds long lines.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let packed: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(packed).ok()
}

#[cfg(test)]
mod tests {
    use mesh_model::yaml::{LoadOptions, load};

    use super::*;

    fn with(text: &str) -> Certificates {
        let certificates = Certificates::new(None, "edge");
        let loaded = load("secrets.yaml", text, &LoadOptions::default());
        certificates.take_secrets(loaded.documents.iter().map(|document| &**document));
        certificates
    }

    const SHOP: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: shop, namespace: edge}\n\
                        data: {tls.crt: YQ==, ca.crt: Yw==}\nstringData: {tls.key: b}\n";

    #[test]
    fn secrets_have_values_by_either_spelling() {
        let identity = with(SHOP).identity("kubernetes://shop").unwrap();
        assert_eq!((&*identity.chain, &*identity.key), (&b"a"[..], &b"b"[..]));
        assert_eq!(with(SHOP).authorities("kubernetes://shop-cacert").unwrap(), b"c");
        assert_eq!(with(SHOP).revocations("kubernetes://shop-cacert"), None);
        let with_list = format!("{SHOP}  ca.crl: d\n")
            .replace("stringData: {tls.key: b}\n", "stringData:\n  tls.key: b\n");
        assert_eq!(with(&with_list).revocations("kubernetes://shop-cacert").unwrap(), b"d");
    }

    #[test]
    fn secrets_of_other_namespaces_are_not_given_by_the_plain_name() {
        let other = SHOP.replace("edge", "other");
        assert_eq!(with(&other).identity("kubernetes://shop"), None);
        assert_eq!(with(&other).identity("kubernetes://other/shop"), None);
        assert!(with(&other).identity("kubernetes-gateway://other/shop").is_some());
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        assert!(!format!("{:?} {:?}", with(SHOP), with(SHOP).identity("kubernetes://shop")).contains("97"));
    }

    #[test]
    fn the_version_grows_with_changes_only() {
        let certificates = with(SHOP);
        let before = certificates.version();
        let loaded = load("secrets.yaml", SHOP, &LoadOptions::default());
        certificates.take_secrets(loaded.documents.iter().map(|document| &**document));
        assert_eq!(certificates.version(), before);
        certificates.take_secrets([]);
        assert!(certificates.version() > before);
    }
}
