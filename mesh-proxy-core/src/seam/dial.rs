//! How a connection to an upstream address is made.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use mesh_compile::proxy::cluster::TcpKeepalive;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};

/// A byte stream in both directions. Ours: TCP, TLS, Unix sockets and pipes of a test are one to what uses them.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Any byte stream. Ours: TCP, TLS, Unix sockets and pipes of a test are one to what uses them.
pub type BoxIo = Box<dyn Io>;

/// A connection, made or failed, some time later. Ours: a connection may take its time without holding a thread.
pub type Dialled<'a> = Pin<Box<dyn Future<Output = io::Result<BoxIo>> + Send + 'a>>;

/// Where to, and how (T-321, T-323).
#[derive(Debug, Clone)]
pub struct Target {
    /// `10.0.0.1:80`, `[::1]:80`, `host:port`, or a Unix path (`/run/app.sock`, abstract: `@app`).
    pub address: Arc<str>,
    /// Local address to come from; `None`: the system chooses.
    pub source: Option<IpAddr>,
    /// TCP keep-alive; `None`: the system's.
    pub keepalive: Option<TcpKeepalive>,
    /// Where whoever dials may tell what the connection comes from.
    pub local: LocalAddress,
}

/// The local address of a connection, where whoever made it has told it. Clones tell of the same connection.
/// Ours: a byte stream has no address, and logs tell it (`%UPSTREAM_LOCAL_ADDRESS%`).
#[derive(Debug, Clone, Default)]
pub struct LocalAddress(Arc<OnceLock<SocketAddr>>);

impl LocalAddress {
    /// Tells it. What was told first counts.
    pub fn tell(&self, address: SocketAddr) {
        let _ = self.0.set(address);
    }

    /// What was told; `None`: nothing, or the connection has no address.
    pub fn get(&self) -> Option<SocketAddr> {
        self.0.get().copied()
    }
}

/// Makes connections. Called for every new upstream connection, with the connect timeout around it.
/// Ours: tests dial into the program itself, tunnels into a proxy.
pub trait Dial: Send + Sync + std::fmt::Debug {
    /// Connects.
    fn dial(&self, target: Target) -> Dialled<'_>;
}

/// TCP and Unix sockets of this machine; names are looked up by the system's resolver.
/// Ours: what is taken where a program brings nothing of its own.
#[derive(Debug, Default, Clone)]
pub struct SystemDial {
    /// Addresses that are reached elsewhere: a mesh acted out on one machine.
    pub instead: BTreeMap<String, String>,
}

impl Dial for SystemDial {
    fn dial(&self, target: Target) -> Dialled<'_> {
        let address = self.instead.get(&*target.address).map_or(&*target.address, String::as_str).to_owned();
        Box::pin(async move {
            if let Some(name) = address.strip_prefix('@') {
                return Ok(Box::new(UnixStream::connect(format!("\0{name}")).await?) as BoxIo);
            }
            if address.starts_with('/') {
                return Ok(Box::new(UnixStream::connect(address).await?) as BoxIo);
            }
            let stream = connect(&address, &target).await?;
            if let Ok(local) = stream.local_addr() {
                target.local.tell(local);
            }
            Ok(Box::new(stream) as BoxIo)
        })
    }
}

/// The addresses of a name one after the other, until one answers.
async fn connect(address: &str, target: &Target) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host(address).await? {
        match connect_to(address, target).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr, target: &Target) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = target.source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    if let Some(keepalive) = &target.keepalive {
        socket2::SockRef::from(&stream).set_tcp_keepalive(&socket_keepalive(keepalive))?;
    }
    Ok(stream)
}

fn socket_keepalive(wanted: &TcpKeepalive) -> socket2::TcpKeepalive {
    let seconds = |seconds: u32| std::time::Duration::from_secs(u64::from(seconds.max(1)));
    let mut keepalive = socket2::TcpKeepalive::new();
    if let Some(time) = wanted.time {
        keepalive = keepalive.with_time(seconds(time));
    }
    if let Some(interval) = wanted.interval {
        keepalive = keepalive.with_interval(seconds(interval));
    }
    match wanted.probes {
        Some(probes) => keepalive.with_retries(probes),
        None => keepalive,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn keep_alive_and_source_are_what_is_asked_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let keepalive = TcpKeepalive { time: Some(7200), interval: Some(75), probes: Some(3) };
        let target = Target {
            address: address.as_str().into(),
            source: "127.0.0.5".parse().ok(),
            keepalive: Some(keepalive),
            local: LocalAddress::default(),
        };
        let stream = connect(&address, &target).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip().to_string(), "127.0.0.5");
        let socket = socket2::SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7200));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(75));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        let plain = Target { source: None, keepalive: None, ..target };
        let stream = connect(&address, &plain).await.unwrap();
        assert!(!socket2::SockRef::from(&stream).keepalive().unwrap());
    }
}
