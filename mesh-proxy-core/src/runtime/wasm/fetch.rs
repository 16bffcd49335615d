//! Getting modules: files, HTTP, images of registries. Checked against their checksum, and kept by it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use ipnet::IpNet;
use mesh_model::extensions::traffic_extension::spec::{PullPolicy, WasmConfig};

use super::limits::WasmLimits;
use super::module::Refusal;
use super::oci::{Reference, Registry};
use crate::runtime::key_fetch::{OverHttp, Problem, Question};
use crate::runtime::tls::pins::sha256_hex;

/// Modules that are kept by their checksum.
const KEPT_MAX: usize = 16;

/// How modules are fetched. Ours: what a resource names is somebody else's word, and is not let lead anywhere.
///
/// Link-local addresses are never asked, and those of this machine only where it says so: a resource of some namespace
/// must not reach what listens beside the proxy. The same is asked of every redirect, and of the realm of a registry.
#[derive(Default)]
pub struct ModuleFetch {
    over: OnceLock<OverHttp>,
    allows_loopback: bool,
    secrets: BTreeMap<String, String>,
    /// Registries that are asked without TLS.
    plain: BTreeSet<String>,
    kept: Mutex<Vec<(String, Bytes)>>,
}

impl std::fmt::Debug for ModuleFetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What secrets say is never printed.
        f.debug_struct("ModuleFetch").field("secrets", &self.secrets.keys()).finish_non_exhaustive()
    }
}

impl ModuleFetch {
    /// Over HTTP as another way to speak it has it: other authorities, another resolver.
    pub fn over(http: OverHttp) -> Self {
        Self { over: OnceLock::from(http), ..Self::default() }
    }

    /// Lets addresses of this machine be asked.
    #[must_use]
    pub fn allow_loopback(mut self) -> Self {
        self.allows_loopback = true;
        self
    }

    /// Lets a registry, `HOST` or `HOST:PORT`, be asked without TLS.
    #[must_use]
    pub fn plain_registry(mut self, host: impl Into<String>) -> Self {
        self.plain.insert(host.into());
        self
    }

    /// What `imagePullSecret` names: `NAMESPACE/NAME` and the secret's `.dockerconfigjson`.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, docker_config: impl Into<String>) -> Self {
        self.secrets.insert(name.into(), docker_config.into());
        self
    }

    /// The bytes of a module.
    pub(super) async fn fetch(
        &self,
        namespace: &str,
        config: &WasmConfig,
        limits: &WasmLimits,
    ) -> Result<Vec<u8>, Refusal> {
        let wanted = config.sha256.as_str();
        let keeps = config.image_pull_policy != PullPolicy::Always && !wanted.is_empty();
        if keeps && let Some(kept) = self.kept(wanted) {
            return Ok(kept.to_vec());
        }
        let (scheme, rest) = config.url.split_once("://").unwrap_or(("oci", &config.url));
        let bytes = match scheme {
            "file" => read(Path::new(rest), limits.module_bytes).await?,
            "http" | "https" => self.get(&config.url, limits.module_bytes).await?,
            "oci" => {
                let image = Reference::parse(rest)?;
                let secret = self.secrets.get(&format!("{namespace}/{}", config.image_pull_secret));
                let is_plain = self.plain.contains(&image.host);
                let registry = Registry { http: self.http(), secret: secret.map(String::as_str), is_plain };
                let bytes = registry.pull(&image, wanted, limits).await?;
                if keeps {
                    self.keep(wanted.to_owned(), &bytes);
                }
                // The checksum is that of the manifest, which was compared.
                return Ok(bytes);
            }
            _ => return Err(Refusal::Fetch(format!("`{scheme}` is not spoken here"))),
        };
        let found = sha256_hex(&bytes).unwrap_or_default();
        if !wanted.is_empty() && found != wanted {
            return Err(Refusal::Checksum(found));
        }
        if keeps {
            self.keep(found, &bytes);
        }
        Ok(bytes)
    }

    async fn get(&self, url: &str, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let question = Question { url, accept: "*/*", authorization: None, bytes_max };
        let answer = self.http().ask(&question).await.map_err(|problem| refusal(&problem, bytes_max))?;
        if !answer.status.is_success() {
            return Err(Refusal::Fetch(format!("it answered {}", answer.status)));
        }
        Ok(answer.body.to_vec())
    }

    fn http(&self) -> &OverHttp {
        self.over.get_or_init(|| OverHttp::new().blocked(self.blocked()))
    }

    fn blocked(&self) -> Vec<IpNet> {
        let own = ["127.0.0.0/8", "::1/128", "0.0.0.0/8"];
        let own = own.iter().filter(|_| !self.allows_loopback);
        own.filter_map(|network| network.parse().ok()).collect()
    }

    fn kept(&self, sha256: &str) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(own, _)| own == sha256).map(|(_, bytes)| bytes.clone())
    }

    fn keep(&self, sha256: String, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(own, _)| *own != sha256);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((sha256, Bytes::copy_from_slice(bytes)));
    }
}

pub(super) fn refusal(problem: &Problem, bytes_max: usize) -> Refusal {
    match problem {
        Problem::TooLong => Refusal::TooLarge(bytes_max),
        Problem::Failed(why) => Refusal::Fetch(why.clone()),
    }
}

/// A file, no more of it than is allowed.
async fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        // A pipe or a device may never end.
        let told = |error: std::io::Error| Refusal::Fetch(error.to_string());
        if !std::fs::metadata(&path).map_err(told)?.is_file() {
            return Err(Refusal::Fetch("it is no file".to_owned()));
        }
        let file = std::fs::File::open(&path).map_err(told)?;
        let mut bytes = Vec::new();
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut bytes).map_err(told)?;
        if bytes.len() > bytes_max { Err(Refusal::TooLarge(bytes_max)) } else { Ok(bytes) }
    });
    reading.await.unwrap_or_else(|error| Err(Refusal::Fetch(error.to_string())))
}
