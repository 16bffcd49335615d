//! Sockets that take connections, and where their connections were going.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Direction;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::arrival::Arrival;
use super::options::{Listen, PortMap};
use super::proxy::{Inner, Proxy};
use super::{keys, names};

/// How the destination of an accepted connection is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// It is this one.
    Fixed(SocketAddr),
    /// The local address of the socket.
    Local,
    /// Asked of the system, which redirected the connection.
    Redirected,
}

/// A socket to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Door {
    local: SocketAddr,
    direction: Direction,
    destination: Destination,
}

impl Proxy {
    /// Begins the proxy's own work (fetching keys, looking names up, letting ejected hosts in again), and listens as the
    /// options say, be it nowhere; the addresses, in the order of the configuration or of the port maps.
    ///
    /// Listeners that a later configuration adds are not opened: start with the ports that will be needed.
    ///
    /// # Errors
    /// An address cannot be listened on: the error names it.
    pub async fn listen(&self) -> io::Result<Vec<SocketAddr>> {
        let config = Arc::clone(&self.generation().config);
        let mut bound = Vec::new();
        for door in doors(&self.inner.options.listen, &config) {
            let listener = TcpListener::bind(door.local)
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", door.local)))?;
            bound.push((listener, door));
        }
        let places = Arc::new(Semaphore::new(self.inner.options.limits.connections));
        let mut addresses = Vec::new();
        for (listener, door) in bound {
            addresses.push(listener.local_addr()?);
            let accepting = accept(Arc::clone(&self.inner), listener, door, Arc::clone(&places));
            self.inner.tasks.spawn(accepting);
        }
        self.inner.tasks.spawn(sweep(Arc::clone(&self.inner)));
        self.inner.tasks.spawn(keys::run(Arc::clone(&self.inner)));
        self.inner.tasks.spawn(names::run(Arc::clone(&self.inner)));
        Ok(addresses)
    }
}

/// Lets ejected hosts in again and closes upstream connections that nobody has used for long.
async fn sweep(proxy: Arc<Inner>) {
    const EVERY: Duration = Duration::from_secs(1);
    loop {
        tokio::select! {
            () = proxy.draining.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        for cluster in proxy.live.load().clusters.values() {
            cluster.sweep();
        }
    }
}

fn doors(listen: &Listen, config: &ProxyConfig) -> Vec<Door> {
    match listen {
        Listen::Nowhere => Vec::new(),
        Listen::Mapped(maps) => maps.iter().map(|map| mapped(map, config)).collect(),
        Listen::AsConfigured => configured(config),
    }
}

/// Sidecars have one door for each direction, gateways one for each listener.
fn configured(config: &ProxyConfig) -> Vec<Door> {
    let mut doors: Vec<Door> = Vec::new();
    for listener in &config.listeners {
        let door = Door {
            local: SocketAddr::new(listener.address, listener.port),
            direction: listener.direction,
            destination: if listener.catch_all { Destination::Redirected } else { Destination::Local },
        };
        let is_open = listener.catch_all || listener.direction == Direction::Gateway;
        if is_open && listener.port != 0 && !doors.contains(&door) {
            doors.push(door);
        }
    }
    doors
}

fn mapped(map: &PortMap, config: &ProxyConfig) -> Door {
    let is_gateway = config.listeners.iter().any(|listener| listener.direction == Direction::Gateway);
    let direction =
        map.direction.unwrap_or(if is_gateway { Direction::Gateway } else { Direction::Outbound });
    let of_port = config
        .listeners
        .iter()
        .find(|listener| listener.direction == direction && listener.port == map.port)
        .map(|listener| listener.address)
        .filter(|address| !address.is_unspecified());
    let address = map.address.or(of_port).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Door { local: map.local, direction, destination: Destination::Fixed(SocketAddr::new(address, map.port)) }
}

/// Takes connections until a drain begins. An error of one is not the end of the others.
async fn accept(proxy: Arc<Inner>, listener: TcpListener, door: Door, places: Arc<Semaphore>) {
    const PAUSE: Duration = Duration::from_millis(20);
    loop {
        let place = tokio::select! {
            () = proxy.draining.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let accepted = tokio::select! {
            () = proxy.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // No file descriptors left, most likely: let some connections end.
                tracing::warn!(%error, local = %door.local, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(arrival) = arrival(&stream, peer, door) else { continue };
        let connection_proxy = Arc::clone(&proxy);
        proxy.tasks.spawn(async move {
            let stop = connection_proxy.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = super::connection::serve(connection_proxy, stream, arrival) => {}
            }
            drop(place);
        });
    }
}

fn arrival(stream: &TcpStream, peer: SocketAddr, door: Door) -> Option<Arrival> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let destination = match door.destination {
        Destination::Fixed(address) => address,
        Destination::Local => stream.local_addr().ok()?,
        Destination::Redirected => redirected(stream).or_else(|| stream.local_addr().ok())?,
    };
    Some(Arrival { direction: door.direction, peer, destination })
}

/// The address that was dialled before netfilter redirected the connection; `None`: it was not redirected.
fn redirected(stream: &TcpStream) -> Option<SocketAddr> {
    let socket = socket2::SockRef::from(stream);
    let original = match stream.local_addr().ok()? {
        SocketAddr::V4(_) => socket.original_dst_v4(),
        SocketAddr::V6(_) => socket.original_dst_v6().or_else(|_| socket.original_dst_v4()),
    };
    original.ok()?.as_socket()
}
