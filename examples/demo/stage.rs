//! The stage: the shop's files with certificates, and its proxies.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mesh::proxy_core::runtime::files::Files;
use mesh::proxy_core::runtime::options::{Listen, PortMap};
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::config_source::ConfigSource;
use mesh::proxy_core::seam::dial::SystemDial;
use tokio::net::TcpListener;

use crate::authority::Authority;
use crate::service::Service;

pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// The configuration's files, removed with the value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// A copy of the bundled shop, with a certificate for its door.
    pub(crate) fn new(authority: &Authority) -> Result<Self, Problem> {
        let folder = Self(std::env::temp_dir().join(format!("mesh-demo-{}", std::process::id())));
        let config = folder.config();
        std::fs::create_dir_all(&config)?;
        let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
        for entry in std::fs::read_dir(shop)? {
            let path = entry?.path();
            if let (Some("yaml"), Some(name)) =
                (path.extension().and_then(|end| end.to_str()), path.file_name())
            {
                std::fs::copy(&path, config.join(name))?;
            }
        }
        let secret = authority.secret("istio-system", "shop-certificate", "shop.example.com")?;
        std::fs::write(config.join("50-secret.yaml"), secret)?;
        Ok(folder)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("config")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A proxy that runs, with its addresses in the order of its ports.
pub(crate) struct Running {
    pub(crate) proxy: Proxy,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

impl Running {
    /// Starts the proxy of a Pod, and follows the files. `elsewhere`: where addresses of the mesh are on this machine.
    async fn start(
        folder: &Folder,
        pod: &str,
        identity: PathBuf,
        ports: &[&str],
        elsewhere: &[(&str, SocketAddr)],
    ) -> Result<Self, Problem> {
        let mut files = Files::open(vec![folder.config()], None, pod, Some(identity))?;
        let loaded = files.load()?;
        let maps = ports.iter().map(|port| PortMap::parse(&format!("{port}=127.0.0.1:0")));
        let mut options = Options::default();
        options.listen = Listen::Mapped(maps.collect::<Result<_, _>>()?);
        options.name_decisions = true;
        let instead: BTreeMap<String, String> =
            elsewhere.iter().map(|(mesh, local)| ((*mesh).to_owned(), local.to_string())).collect();
        let proxy = Proxy::builder(options)
            .dial(SystemDial { instead })
            .certificates(files.certificates())
            .build(loaded.config);
        let addresses = proxy.listen().await?;
        let admin = proxy.administer(SocketAddr::from(([127, 0, 0, 1], 0)), None).await?;
        let following = proxy.clone();
        tokio::spawn(async move { following.follow(files).await });
        Ok(Self { proxy, addresses, admin })
    }

    pub(crate) fn address(&self, at: usize) -> Result<SocketAddr, Problem> {
        self.addresses.get(at).copied().ok_or_else(|| "there is no such port".into())
    }
}

/// All that runs.
pub(crate) struct Stage {
    pub(crate) gateway: Running,
    pub(crate) web: Running,
    pub(crate) reviews: [Running; 2],
}

impl Stage {
    pub(crate) async fn set(folder: &Folder, authority: &Authority) -> Result<Self, Problem> {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (one, two, web) = tokio::try_join!(
            TcpListener::bind(loopback),
            TcpListener::bind(loopback),
            TcpListener::bind(loopback)
        )?;
        let identity = |namespace: &str, account: &str| authority.identity(&folder.0, namespace, account);
        let (v1, v2) = ("10.0.1.21:9080", "10.0.2.22:9080");
        let reviews = [
            Running::start(
                folder,
                "sidecar:shop/reviews-v1-0",
                identity("shop", "reviews")?,
                &["in:10.0.1.21:9080"],
                &[(v1, one.local_addr()?)],
            )
            .await?,
            Running::start(
                folder,
                "sidecar:shop/reviews-v2-0",
                identity("shop", "reviews")?,
                &["in:10.0.2.22:9080"],
                &[(v2, two.local_addr()?)],
            )
            .await?,
        ];
        let [first, second] = &reviews;
        let (first, second) = (first.address(0)?, second.address(0)?);
        let web_sidecar = Running::start(
            folder,
            "sidecar:shop/web-0",
            identity("shop", "web")?,
            &["in:10.0.1.10:8080", "out:9080"],
            &[("10.0.1.10:8080", web.local_addr()?), (v1, first), (v2, second)],
        )
        .await?;
        let gateway = Running::start(
            folder,
            "gateway:istio-system/ingress-0",
            identity("istio-system", "ingress")?,
            &["8080", "8443"],
            &[("10.0.1.10:8080", web_sidecar.address(0)?), (v1, first), (v2, second)],
        )
        .await?;
        Service::Reviews("v1").serve(one);
        Service::Reviews("v2").serve(two);
        Service::Web(web_sidecar.address(1)?).serve(web);
        Ok(Self { gateway, web: web_sidecar, reviews })
    }

    /// Lets what is in flight finish.
    pub(crate) async fn drain(&self) {
        let [first, second] = &self.reviews;
        tokio::join!(
            self.gateway.proxy.drain(),
            self.web.proxy.drain(),
            first.proxy.drain(),
            second.proxy.drain()
        );
    }
}
