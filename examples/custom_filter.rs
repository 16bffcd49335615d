//! A proxy with a filter and a load balancer of your own: no fork, two small traits.
//! `cargo run --features demo --example custom_filter` runs it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use mesh::Mesh;
use mesh::proxy_core::cluster::host::Host;
use mesh::proxy_core::cluster::load_balancer::{LoadBalancer, Pick, WeightedHost};
use mesh::proxy_core::runtime::options::{Listen, PortMap};
use mesh::proxy_core::runtime::{Options, Proxy};
use mesh::proxy_core::seam::dial::SystemDial;
use mesh::proxy_core::seam::filter::{Filter, RequestHead};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MESH: &str = include_str!("shop/20-workloads-shop.yaml");

/// Sends robots away, and says on every answer that it was here.
#[derive(Debug)]
struct NoRobots;

impl Filter for NoRobots {
    fn request(&self, request: &mut RequestHead<'_>) -> Option<Response<String>> {
        let is_robot = request.headers.get("user-agent")?.to_str().ok()?.contains("bot");
        is_robot.then(|| Response::new(format!("{} is not for robots\n", request.path)))
    }

    fn response(&self, _: StatusCode, headers: &mut HeaderMap) {
        headers.insert("x-filtered", http::HeaderValue::from_static("no-robots"));
    }
}

/// Always the host with the largest address.
#[derive(Debug)]
struct Largest(Vec<WeightedHost>);

fn largest(hosts: Vec<WeightedHost>) -> Box<dyn LoadBalancer> {
    Box::new(Largest(hosts))
}

impl LoadBalancer for Largest {
    fn pick(&self, _: &mut Pick<'_>) -> Option<&Arc<Host>> {
        self.0.iter().map(|weighted| &weighted.host).max_by_key(|host| &host.endpoint.address)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = MESH.replace("    security.istio.io/tlsMode: istio\n", ""); // no authority here: plaintext
    let (mesh, _) = Mesh::from_texts([("shop.yaml", &*text)]);
    let (config, _) = mesh.proxy_config(&mesh.sidecar("shop", "web-0").ok_or("no such Pod")?);
    let mut options = Options::default();
    options.listen = Listen::Mapped(vec![PortMap::parse("9080=127.0.0.1:0")?]);
    let (v1, v2) = (service("version 1").await?, service("version 2").await?);
    let instead = [("10.0.1.21:9080", v1), ("10.0.2.22:9080", v2)];
    let proxy = Proxy::builder(options)
        .dial(SystemDial { instead: instead.map(|(mesh, at)| (mesh.to_owned(), at.to_string())).into() })
        .filter(NoRobots)
        .balancer(|cluster| cluster.name.contains("reviews").then(|| Arc::new(largest) as _))
        .build(config);
    let address = *proxy.listen().await?.first().ok_or("no address")?;
    for (agent, expected) in [("curl", "version 2"), ("friendly-bot", "not for robots")] {
        let answer = ask(address, agent).await?;
        println!("-- as {agent}\n{answer}\n");
        answer.contains(expected).then_some(()).ok_or("another answer was expected")?;
    }
    proxy.drain().await;
    Ok(())
}

async fn ask(address: SocketAddr, agent: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /reviews/7 HTTP/1.1\r\nhost: reviews:9080\r\nuser-agent: {agent}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A server that says one thing.
async fn service(says: &'static str) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 2048]).await;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{says}",
                says.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok(address)
}
