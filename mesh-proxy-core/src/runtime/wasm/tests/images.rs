//! Images of a registry: both kinds that have modules, logins, and registries that lead elsewhere.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mesh_model::extensions::traffic_extension::spec::WasmConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::limits;
use crate::runtime::tls::pins::sha256_hex;
use crate::runtime::wasm::fetch::ModuleFetch;
use crate::runtime::wasm::limits::WasmLimits;
use crate::runtime::wasm::module::Refusal;
use crate::runtime::wasm::oci::Reference;

const MODULE: &[u8] = b"\0asm and more";

/// A registry of fixed answers: by path, the head after `HTTP/1.1 ` and the body. What was asked is kept.
/// By path: the head after the version, and the body.
type Answers = BTreeMap<String, (String, Vec<u8>)>;

#[derive(Clone, Default)]
struct Registry {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let registry = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let answer = registry.answer(&text);
                let _ = stream.write_all(&answer).await;
            }
        });
        address
    }

    fn put(&self, path: impl Into<String>, head: impl Into<String>, body: impl Into<Vec<u8>>) {
        self.answers.lock().unwrap().insert(path.into(), (head.into(), body.into()));
    }

    /// Where `login` is asked for, a request without it gets the answer of `PATH!`.
    fn answer(&self, request: &str) -> Vec<u8> {
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(request.to_owned());
        let answers = self.answers.lock().unwrap();
        let refused =
            answers.get(&format!("{path}!")).filter(|_| !request.contains("authorization: Bearer right"));
        let (head, body) =
            refused.or(answers.get(&path)).cloned().unwrap_or(("404 Not Found\r\n".into(), Vec::new()));
        let mut answer = format!("HTTP/1.1 {head}content-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend(body);
        answer
    }

    /// Puts an image of one layer; the sha256 of its manifest.
    fn image(&self, media_type: &str, layer: &[u8]) -> String {
        let digest = format!("sha256:{}", sha256_hex(layer).unwrap());
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{}},"layers":[{{"mediaType":"{media_type}","digest":"{digest}"}}]}}"#
        );
        self.put("/v2/wasm/door/manifests/v1", "200 OK\r\n", manifest.clone());
        self.put(format!("/v2/wasm/door/blobs/{digest}"), "200 OK\r\n", layer);
        sha256_hex(manifest.as_bytes()).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn pull(modules: &ModuleFetch, address: SocketAddr, sha256: &str) -> Result<Vec<u8>, Refusal> {
    let config = WasmConfig {
        url: format!("oci://{address}/wasm/door:v1"),
        sha256: sha256.to_owned(),
        image_pull_secret: "login".to_owned(),
        ..WasmConfig::default()
    };
    modules.fetch("shop", &config, &WasmLimits { module_bytes: 4096, ..limits() }).await
}

fn modules(address: SocketAddr) -> ModuleFetch {
    ModuleFetch::default().allow_loopback().plain_registry(address.to_string())
}

/// A zipped tar archive of these files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, text) in files {
        let mut head = [0_u8; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        head[156] = b'0';
        tar.extend(head);
        tar.extend(*text);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zip.write_all(&tar).unwrap();
    zip.finish().unwrap()
}

#[test]
fn references_name_a_host_a_repository_and_a_version() {
    let parse = |text: &str| Reference::parse(text).map(|it| it.to_string());
    assert_eq!(parse("reg.example/a/b").unwrap(), "reg.example a/b latest");
    assert_eq!(parse("reg.example:5000/a:v1").unwrap(), "reg.example:5000 a v1");
    assert_eq!(parse("reg.example/a:v1@sha256:00ff").unwrap(), "reg.example a sha256:00ff");
    assert_eq!(parse("istio/door").unwrap(), "registry-1.docker.io istio/door latest");
    assert_eq!(parse("docker.io/door:2").unwrap(), "registry-1.docker.io door 2");
    assert_eq!(parse("door").unwrap(), "registry-1.docker.io library/door latest");
    for wrong in ["", "reg.example/", "reg.example/a b", "reg.example/../x", "reg.example/a:b?c", "a\r\nb"] {
        assert!(Reference::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn both_kinds_of_images_have_their_module() {
    let registry = Registry::default();
    let address = registry.start().await;
    let sha256 = registry.image("application/vnd.module.wasm.content.layer.v1+wasm", MODULE);
    assert_eq!(pull(&modules(address), address, &sha256).await.unwrap(), MODULE);
    let layer = archive(&[("./other.txt", b"text"), ("plugin.wasm", MODULE)]);
    let sha256 = registry.image("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer);
    let own = modules(address);
    assert_eq!(pull(&own, address, &sha256).await.unwrap(), MODULE);
    registry.asked();
    assert_eq!(pull(&own, address, &sha256).await.unwrap(), MODULE);
    assert!(registry.asked().is_empty(), "known by its checksum");
    let empty = archive(&[("other.txt", b"text")]);
    registry.image("application/vnd.oci.image.layer.v1.tar+gzip", &empty);
    assert!(matches!(pull(&own, address, "").await, Err(Refusal::Fetch(_))));
}

#[tokio::test]
async fn w05_an_image_of_another_checksum_or_too_large_is_refused() {
    let registry = Registry::default();
    let address = registry.start().await;
    let found = registry.image("application/vnd.module.wasm.content.layer.v1+wasm", MODULE);
    let other = sha256_hex(b"other").unwrap();
    assert_eq!(pull(&modules(address), address, &other).await, Err(Refusal::Checksum(found)));
    // A layer that is not what the manifest says.
    let digest = sha256_hex(MODULE).unwrap();
    registry.put(format!("/v2/wasm/door/blobs/sha256:{digest}"), "200 OK\r\n", b"\0asm and less".to_vec());
    assert!(matches!(pull(&modules(address), address, "").await, Err(Refusal::Checksum(_))));
    // One that is small only as long as it is zipped.
    let bomb = archive(&[("plugin.wasm", &vec![0; 4 << 20])]);
    assert!(bomb.len() < 8192, "{}", bomb.len());
    registry.image("application/vnd.oci.image.layer.v1.tar+gzip", &bomb);
    assert!(pull(&modules(address), address, "").await.is_err());
}

#[tokio::test]
async fn a_registry_that_wants_a_token_gets_one_with_the_secret() {
    let registry = Registry::default();
    let address = registry.start().await;
    registry.image("application/vnd.module.wasm.content.layer.v1+wasm", MODULE);
    let challenge = format!(
        "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://{address}/token\",service=\"reg\"\r\n"
    );
    registry.put("/v2/wasm/door/manifests/v1!", challenge, Vec::new());
    registry.put(
        "/token?service=reg&scope=repository%3Awasm%2Fdoor%3Apull",
        "200 OK\r\n",
        br#"{"token":"right"}"#.to_vec(),
    );
    let secret = format!(r#"{{"auths":{{"{address}":{{"username":"ann","password":"pass"}}}}}}"#);
    let own = modules(address).secret("shop/login", secret);
    assert_eq!(pull(&own, address, "").await.unwrap(), MODULE);
    let token = registry.asked().into_iter().find(|it| it.starts_with("GET /token")).unwrap();
    assert!(token.contains("authorization: Basic YW5uOnBhc3M="), "{token}");
}

/// B-83: the realm is the registry's word.
#[tokio::test]
async fn w05_the_realm_of_a_registry_leads_to_no_address_that_is_not_asked() {
    for realm in
        ["http://169.254.169.254/token", "https://169.254.169.254/token", "http://[fe80::1]/", "file:///x"]
    {
        let registry = Registry::default();
        let address = registry.start().await;
        let challenge =
            format!("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"{realm}\",service=\"reg\"\r\n");
        registry.put("/v2/wasm/door/manifests/v1!", challenge, Vec::new());
        let secret = format!(r#"{{"auths":{{"{address}":{{"auth":"YW5uOnBhc3M="}}}}}}"#);
        let own = modules(address).secret("shop/login", secret);
        assert!(matches!(pull(&own, address, "").await, Err(Refusal::Fetch(_))), "{realm}");
        assert_eq!(registry.asked().len(), 1, "{realm}");
    }
    // Another host that may be asked gets no secret.
    let (registry, elsewhere) = (Registry::default(), Registry::default());
    let (address, other) = (registry.start().await, elsewhere.start().await);
    let realm = format!("http://localhost:{}/token", other.port());
    let challenge =
        format!("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"{realm}\",service=\"reg\"\r\n");
    registry.put("/v2/wasm/door/manifests/v1!", challenge, Vec::new());
    let secret = format!(r#"{{"auths":{{"{address}":{{"auth":"YW5uOnBhc3M="}}}}}}"#);
    let _ = pull(&modules(address).secret("shop/login", secret), address, "").await;
    assert!(elsewhere.asked().iter().all(|it| !it.contains("Basic")));
}
