//! A proxy for one case, with an upstream that knows the cluster by which it was reached.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use mesh::compile::proxy::ProxyConfig;
use mesh::compile::proxy::cluster::{Cluster, ClusterEndpoint, Discovery, UpstreamTls};
use mesh::model::decode::Unknown;
use mesh::model::diagnostic::Report;
use mesh::model::mesh_config::{MeshConfig, read_bare};
use mesh::model::yaml::{LoadOptions, load};
use mesh::proxy_core::runtime::options::Listen;
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::certificate_source::{CertificateSource, Identity};
use mesh::proxy_core::seam::dial::{BoxIo, Dial, Dialled, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::ca::Ca;
use crate::fixture::config_with;
use crate::tls;
use crate::upstream::{Seen, Upstream};

/// The authority of everything on the stage.
pub static CA: LazyLock<Ca> = LazyLock::new(Ca::new);

static ISSUED: LazyLock<Mutex<HashMap<Vec<String>, Identity>>> = LazyLock::new(Mutex::default);

/// A certificate with these names; made once.
pub fn issue(names: &[String]) -> Identity {
    let mut issued = ISSUED.lock().unwrap();
    let names: Vec<String> = names.to_vec();
    issued
        .entry(names.clone())
        .or_insert_with(|| CA.issue(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        .clone()
}

/// Every certificate that is named is there.
#[derive(Debug)]
struct Everything;

impl CertificateSource for Everything {
    fn identity(&self, _name: &str) -> Option<Identity> {
        Some(issue(&["spiffe://cluster.local/ns/stage/sa/proxy".to_owned()]))
    }

    fn authorities(&self, _name: &str) -> Option<Vec<u8>> {
        Some(CA.pem())
    }

    fn version(&self) -> u64 {
        1
    }
}

/// What reached an upstream.
#[derive(Debug, Clone, Default)]
pub struct Reached {
    pub cluster: String,
    pub request: Option<Seen>,
}

pub struct Stage {
    pub proxy: Proxy,
    reached: Arc<Mutex<Vec<Reached>>>,
}

impl Stage {
    pub fn build(text: &str, mesh: &str, proxy: &str) -> Self {
        let defaults = MeshConfig::with_defaults();
        let loaded = load("mesh.yaml", mesh, &LoadOptions::default());
        let written = loaded
            .documents
            .first()
            .and_then(|document| read_bare(document, Unknown::Warning, &mut Report::new()));
        let mesh = match written {
            Some(written) => defaults.overlay(written),
            None => defaults,
        };
        let mut config = config_with(text, proxy, mesh);
        name_endpoints_after_clusters(&mut config);
        let reached = Arc::<Mutex<Vec<Reached>>>::default();
        let dial = StageDial { config: Arc::new(config.clone()), reached: Arc::clone(&reached) };
        let mut options = Options::default();
        options.listen = Listen::Nowhere;
        let proxy = Proxy::builder(options).dial(dial).certificates(Everything).build(config);
        Self { proxy, reached }
    }

    pub fn take(&self) -> Vec<Reached> {
        std::mem::take(&mut self.reached.lock().unwrap())
    }
}

fn name_endpoints_after_clusters(config: &mut ProxyConfig) {
    for (name, cluster) in config.clusters.clone().iter() {
        let mtls = cluster.endpoints.iter().any(|endpoint| endpoint.mtls);
        let endpoint = ClusterEndpoint { mtls, ..ClusterEndpoint::at(Arc::clone(name)) };
        let staged = Cluster {
            discovery: Discovery::Static,
            endpoints: vec![endpoint],
            localities: vec![("".into(), 0, 1)],
            limits: Default::default(),
            // A case with a millisecond would be about how busy this machine is.
            connect_timeout_ms: 10_000,
            ..(**cluster).clone()
        };
        config.clusters.insert(Arc::clone(name), Arc::new(staged));
    }
}

#[derive(Debug)]
struct StageDial {
    config: Arc<ProxyConfig>,
    reached: Arc<Mutex<Vec<Reached>>>,
}

impl Dial for StageDial {
    fn dial(&self, target: Target) -> Dialled<'_> {
        let cluster = target.address.to_string();
        let names = match self.config.clusters.get(&target.address).map(|cluster| &cluster.tls) {
            Some(UpstreamTls::Tls(context)) => context
                .sans
                .iter()
                .map(|san| san.trim_start_matches("exact:").to_owned())
                .chain([context.sni.to_string()])
                .filter(|name| !name.is_empty() && !name.contains('_'))
                .collect(),
            _ => Vec::new(),
        };
        let reached = Arc::clone(&self.reached);
        let is_proxied =
            self.config.clusters.get(&target.address).is_some_and(|cluster| cluster.proxy_protocol.is_some());
        Box::pin(async move {
            let (near, mut far) = UnixStream::pair()?;
            tokio::spawn(async move {
                if !is_proxied || take_proxy_header(&mut far).await.is_ok() {
                    upstream(Box::new(far), cluster, names, reached).await;
                }
            });
            Ok(Box::new(near) as BoxIo)
        })
    }
}

/// Reads the PROXY protocol header that the cluster's connections begin with; an error where there is none.
async fn take_proxy_header(stream: &mut UnixStream) -> std::io::Result<()> {
    let mut begin = [0; 16];
    stream.read_exact(&mut begin).await?;
    if begin.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
        let mut addresses = vec![0; usize::from(u16::from_be_bytes([begin[14], begin[15]]))];
        return stream.read_exact(&mut addresses).await.map(drop);
    }
    let mut line = begin.to_vec();
    while line.last() != Some(&b'\n') && line.len() < 108 {
        line.push(stream.read_u8().await?);
    }
    let is_one = line.starts_with(b"PROXY ") && line.ends_with(b"\r\n");
    if is_one { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// Grants a `CONNECT`.
async fn open_tunnel(stream: &mut BoxIo) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if !head.starts_with(b"CONNECT ") {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await
}

/// Ends TLS where there is some, answers requests, sends other bytes back.
async fn upstream(mut stream: BoxIo, cluster: String, names: Vec<String>, reached: Arc<Mutex<Vec<Reached>>>) {
    for _ in 0..3 {
        let mut first = [0; 1];
        if stream.read_exact(&mut first).await.is_err() {
            return;
        }
        let prefixed: BoxIo = Box::new(crate::upstream::Prefixed::new(first[0], stream));
        if first[0] == 22 {
            match tls::accept(prefixed, &names).await {
                Some(ended) => stream = ended,
                None => return,
            }
            continue;
        }
        if first[0] == b'C' {
            // No probe has a method that begins so: it is a proxy that asks for a tunnel.
            stream = prefixed;
            if open_tunnel(&mut stream).await.is_err() {
                return;
            }
            continue;
        }
        if !first[0].is_ascii_uppercase() {
            reached.lock().unwrap().push(Reached { cluster, request: None });
            let (mut read, mut write) = tokio::io::split(prefixed);
            let _ = tokio::io::copy(&mut read, &mut write).await;
            return;
        }
        let server = Upstream::unbound();
        let told = server.on_request(move |seen: &Seen| {
            let request = Some(seen.clone());
            reached.lock().unwrap().push(Reached { cluster: cluster.clone(), request });
        });
        told.serve(hyper_util::rt::TokioIo::new(prefixed), "upstream").await;
        return;
    }
}
