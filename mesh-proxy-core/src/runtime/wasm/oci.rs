//! Modules from the registries of images: the manifest, then the layer that has the module.
// Facts: Istio's pkg/wasm/imagefetcher.go (which layers have a module); the OCI distribution and image specifications;
// Docker's token authentication.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::{StatusCode, Uri};
use serde::Deserialize;

use super::fetch::refusal;
use super::limits::WasmLimits;
use super::module::Refusal;
use crate::runtime::key_fetch::{Got, OverHttp, Question};
use crate::runtime::tls::pins::sha256_hex;

/// Manifests and tokens.
const TEXT_MAX: usize = 4 * 1024 * 1024;
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// The layer of an image that is a module and nothing else.
const MODULE_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// The file of an image that has a file system.
const MODULE_FILE: &str = "plugin.wasm";

/// A registry that is asked for an image.
pub(super) struct Registry<'r> {
    pub(super) http: &'r OverHttp,
    /// `.dockerconfigjson` of the pull secret.
    pub(super) secret: Option<&'r str>,
    /// Whether it is asked without TLS.
    pub(super) is_plain: bool,
}

/// The parts of a reference `HOST/REPOSITORY[:TAG][@DIGEST]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) host: String,
    repository: String,
    /// A tag or a digest.
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    layers: Vec<Part>,
    /// Of an index: one for each platform.
    #[serde(default)]
    manifests: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

impl Reference {
    /// Reads a reference; without a host it is Docker's registry, as everywhere.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path.to_owned()),
            Some(_) => ("registry-1.docker.io", name.to_owned()),
            None => ("registry-1.docker.io", format!("library/{name}")),
        };
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository.to_owned(), tag),
            None => (path.clone(), "latest"),
        };
        let version = digest.unwrap_or(tag);
        let is_plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-/:".contains(&it))
        };
        if !is_plain(host)
            || !is_plain(&repository)
            || !is_plain(version)
            || repository.split('/').any(|part| part.is_empty() || part == "..")
        {
            return Err(Refusal::Fetch(format!("`{text}` is no image")));
        }
        Ok(Self { host: host.to_owned(), repository, version: version.to_owned() })
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, repository, version } = self;
        write!(f, "{host} {repository} {version}")
    }
}

impl Registry<'_> {
    /// The module of an image. `sha256`: of its manifest; empty: not compared.
    pub(super) async fn pull(
        &self,
        image: &Reference,
        sha256: &str,
        limits: &WasmLimits,
    ) -> Result<Vec<u8>, Refusal> {
        let mut authorization = self.basic(&image.host)?;
        let mut manifest = self.manifest(image, &image.version, &mut authorization).await?;
        if !sha256.is_empty() {
            check(&manifest, &format!("sha256:{sha256}"))?;
        }
        let mut read: Manifest = parse(&manifest)?;
        if let Some(own) = read.manifests.iter().find(|it| it.is_for_us()).or(read.manifests.first()) {
            manifest = self.manifest(image, &own.digest, &mut authorization).await?;
            read = parse(&manifest)?;
        }
        let layer = match read.layers.iter().find(|layer| layer.media_type == MODULE_LAYER) {
            Some(layer) => layer,
            // The last one has what was put in last.
            None => read.layers.last().ok_or_else(|| Refusal::Fetch("the image has no layers".to_owned()))?,
        };
        let bytes =
            self.part(image, "blobs", &layer.digest, "*/*", limits.module_bytes, &mut authorization).await?;
        check(&bytes, &layer.digest)?;
        if layer.media_type == MODULE_LAYER { Ok(bytes) } else { unpack(&bytes, limits.module_bytes) }
    }

    async fn manifest(
        &self,
        image: &Reference,
        version: &str,
        authorization: &mut Option<HeaderValue>,
    ) -> Result<Vec<u8>, Refusal> {
        let manifest = self.part(image, "manifests", version, MANIFESTS, TEXT_MAX, authorization).await?;
        if version.starts_with("sha256:") {
            check(&manifest, version)?;
        }
        Ok(manifest)
    }

    /// A manifest or a layer. Where the registry wants a token, one is asked for, once.
    async fn part(
        &self,
        image: &Reference,
        kind: &str,
        version: &str,
        accept: &str,
        bytes_max: usize,
        authorization: &mut Option<HeaderValue>,
    ) -> Result<Vec<u8>, Refusal> {
        let scheme = if self.is_plain { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{}/{kind}/{version}", image.host, image.repository);
        let mut got = self.ask(&url, accept, authorization.as_ref(), bytes_max).await?;
        if got.status == StatusCode::UNAUTHORIZED {
            *authorization = Some(self.token(image, &got).await?);
            got = self.ask(&url, accept, authorization.as_ref(), bytes_max).await?;
        }
        if !got.status.is_success() {
            return Err(Refusal::Fetch(format!("the registry answered {}", got.status)));
        }
        Ok(got.body.to_vec())
    }

    async fn ask(
        &self,
        url: &str,
        accept: &str,
        authorization: Option<&HeaderValue>,
        bytes_max: usize,
    ) -> Result<Got, Refusal> {
        let question = Question { url, accept, authorization, bytes_max };
        self.http.ask(&question).await.map_err(|problem| refusal(&problem, bytes_max))
    }

    /// A token of the realm that the registry names. The realm is somebody else's word (CVE of 2026-001): it is asked over
    /// TLS where the registry is, its address is judged like any other, and it gets the secret for its registry's sake
    /// only where it is of the same host or domain.
    async fn token(&self, image: &Reference, refused: &Got) -> Result<HeaderValue, Refusal> {
        let challenge =
            refused.headers.get(WWW_AUTHENTICATE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let no_token = || Refusal::Fetch("the registry lets nobody in".to_owned());
        let parameters =
            challenge.strip_prefix("Bearer ").or(challenge.strip_prefix("bearer ")).ok_or_else(no_token)?;
        let realm = parameter(parameters, "realm").ok_or_else(no_token)?;
        let uri: Uri = realm.parse().map_err(|_| no_token())?;
        if !(uri.scheme_str() == Some("https") || self.is_plain && uri.scheme_str() == Some("http")) {
            return Err(Refusal::Fetch("the registry's realm is not asked over TLS".to_owned()));
        }
        let scope = format!("repository:{}:pull", image.repository);
        let separator = if uri.query().is_some() { '&' } else { '?' };
        let service = parameter(parameters, "service").unwrap_or_default();
        let url = format!("{realm}{separator}service={}&scope={}", escaped(service), escaped(&scope));
        let is_near = uri.host().is_some_and(|host| is_near(host, &image.host));
        let secret = if is_near { self.basic(&image.host)? } else { None };
        let got = self.ask(&url, "application/json", secret.as_ref(), TEXT_MAX).await?;
        if !got.status.is_success() {
            return Err(Refusal::Fetch(format!("the registry's realm answered {}", got.status)));
        }
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let Token { token, access_token } = parse(&got.body)?;
        let token = token.or(access_token).ok_or_else(no_token)?;
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| no_token())
    }

    /// What the pull secret has for a registry.
    fn basic(&self, host: &str) -> Result<Option<HeaderValue>, Refusal> {
        #[derive(Deserialize)]
        struct DockerConfig {
            #[serde(default)]
            auths: std::collections::BTreeMap<String, Login>,
        }
        #[derive(Deserialize)]
        struct Login {
            auth: Option<String>,
            username: Option<String>,
            password: Option<String>,
        }
        let Some(secret) = self.secret else { return Ok(None) };
        let unreadable = || Refusal::Fetch("the pull secret cannot be read".to_owned());
        let config: DockerConfig = serde_json::from_str(secret).map_err(|_| unreadable())?;
        let is_own = |name: &str| {
            let name = name.trim_start_matches("https://").trim_start_matches("http://");
            let name = name.split('/').next().unwrap_or_default();
            name == host || host == "registry-1.docker.io" && name == "index.docker.io"
        };
        let Some((_, login)) = config.auths.iter().find(|(name, _)| is_own(name)) else { return Ok(None) };
        let auth = match (&login.auth, &login.username, &login.password) {
            (Some(auth), ..) => auth.clone(),
            (None, Some(name), Some(password)) => STANDARD.encode(format!("{name}:{password}")),
            _ => return Err(unreadable()),
        };
        let mut value = HeaderValue::try_from(format!("Basic {auth}")).map_err(|_| unreadable())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl Part {
    /// As Istio's agent picks of several platforms.
    fn is_for_us(&self) -> bool {
        self.platform.as_ref().is_some_and(|it| it.os == "linux" && it.architecture == "amd64")
    }
}

/// Whether two hosts are one, or of one registered name: `auth.docker.io` and `registry-1.docker.io`.
fn is_near(host: &str, registry: &str) -> bool {
    let registry = registry.rsplit_once(':').map_or(registry, |(name, _)| name);
    let domain = |name: &str| {
        let labels: Vec<&str> = name.rsplit('.').take(2).collect();
        (labels.len() == 2 && name.parse::<std::net::IpAddr>().is_err()).then(|| labels.join("."))
    };
    host == registry || domain(host).is_some_and(|own| domain(registry).as_ref() == Some(&own))
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::Fetch(format!("what came cannot be read: {error}")))
}

fn check(bytes: &[u8], digest: &str) -> Result<(), Refusal> {
    let found = sha256_hex(bytes).unwrap_or_default();
    if digest.strip_prefix("sha256:") == Some(&found) { Ok(()) } else { Err(Refusal::Checksum(found)) }
}

/// The value of a parameter of a challenge.
fn parameter<'c>(challenge: &'c str, name: &str) -> Option<&'c str> {
    challenge.split(',').find_map(|part| {
        let (own, value) = part.trim().split_once('=')?;
        (own.eq_ignore_ascii_case(name)).then(|| value.trim_matches('"'))
    })
}

fn escaped(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(all, "%{byte:02X}");
        }
        all
    })
}

/// The file `plugin.wasm` of a layer, which is a tar archive, zipped or not.
fn unpack(layer: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    // What is small when it is zipped need not be small: no more of it is unzipped than a module may have.
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1 << 20);
    let mut archive = Vec::new();
    if layer.starts_with(&[0x1f, 0x8b]) {
        let unzipped = GzDecoder::new(layer).take(most).read_to_end(&mut archive);
        unzipped.map_err(|error| Refusal::Fetch(format!("the layer cannot be unzipped: {error}")))?;
    } else {
        archive.extend_from_slice(layer);
    }
    file_of(&archive)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Refusal::Fetch(format!("the image has no `{MODULE_FILE}`")))
}

/// A file of a tar archive: blocks of 512 bytes, the name at the beginning of its head, its length in octal at 124.
fn file_of(archive: &[u8]) -> Option<&[u8]> {
    const BLOCK: usize = 512;
    let mut at = 0_usize;
    loop {
        let head = archive.get(at..at.checked_add(BLOCK)?)?;
        let text = |from: usize, to: usize| {
            let field = head.get(from..to)?;
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            std::str::from_utf8(field.get(..end)?).ok()
        };
        let name = text(0, 100)?;
        if name.is_empty() {
            return None;
        }
        let length = usize::from_str_radix(text(124, 136)?.trim(), 8).ok()?;
        let begins = at.checked_add(BLOCK)?;
        let ends = begins.checked_add(length)?;
        if name.trim_start_matches("./") == MODULE_FILE && matches!(head.get(156), Some(0 | b'0')) {
            return archive.get(begins..ends);
        }
        at = ends.checked_next_multiple_of(BLOCK)?;
    }
}
