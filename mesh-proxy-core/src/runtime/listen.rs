//! Sockets that take connections, and where their connections were going.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Direction;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::arrival::Arrival;
use super::options::{Listen, Options, PortMap};
use super::pressure::Metered;
use super::proxy::{Inner, Proxy};
use super::when_woken::WhenWoken;
use super::{keys, names, pressure};

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

/// A socket that takes connections.
#[derive(Debug)]
struct Open {
    wanted: Door,
    /// What it stands for now: a change of the configuration may change it.
    door: Arc<ArcSwap<Door>>,
    /// Cancelled once it is to take no more.
    closing: CancellationToken,
}

impl Proxy {
    /// Begins the proxy's own work (fetching keys, looking names up, letting ejected hosts in again), and listens as the
    /// options say, be it nowhere; the addresses, in the order of the configuration or of the port maps.
    ///
    /// Where it listens as configured, listeners that a later configuration adds are opened (tried again every second
    /// where the address is taken) and those that it no longer has are closed; connections stay as they are, and HTTP
    /// ones end with their next request where no listener takes them any more.
    ///
    /// # Errors
    /// An address cannot be listened on: the error names it.
    pub async fn listen(&self) -> io::Result<Vec<SocketAddr>> {
        let config = Arc::clone(&self.generation().config);
        let mut bound = Vec::new();
        for door in doors(&self.inner.options.listen, &config) {
            bound.push((bind(door, &self.inner.options).await?, door));
        }
        let places = Arc::new(Semaphore::new(self.inner.options.limits.connections));
        let (mut addresses, mut open) = (Vec::new(), Vec::new());
        for (listener, door) in bound {
            addresses.push(listener.local_addr()?);
            open.push(begin(&self.inner, listener, door, &places));
        }
        self.inner.tasks.spawn(keep(Arc::clone(&self.inner), open, places));
        self.inner.tasks.spawn(sweep(Arc::clone(&self.inner)));
        self.inner.tasks.spawn(keys::run(Arc::clone(&self.inner)));
        self.inner.tasks.spawn(names::run(Arc::clone(&self.inner)));
        #[cfg(feature = "wasm")]
        self.inner.tasks.spawn(super::wasm::run(Arc::clone(&self.inner)));
        pressure::watch(&self.inner.pressure);
        Ok(addresses)
    }
}

async fn bind(door: Door, options: &Options) -> io::Result<TcpListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", door.local));
    if options.share_ports {
        return bind_shared(door.local).map_err(named);
    }
    TcpListener::bind(door.local).await.map_err(named)
}

/// Connections that may wait to be taken.
const WAITING_MAX: u32 = 1024;

fn bind_shared(local: SocketAddr) -> io::Result<TcpListener> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(local)?;
    socket.listen(WAITING_MAX)
}

fn begin(proxy: &Arc<Inner>, listener: TcpListener, wanted: Door, places: &Arc<Semaphore>) -> Open {
    let open =
        Open { wanted, door: Arc::new(ArcSwap::from_pointee(wanted)), closing: proxy.closing.child_token() };
    let (door, closing) = (Arc::clone(&open.door), open.closing.clone());
    proxy.tasks.spawn(accept(Arc::clone(proxy), listener, door, closing, Arc::clone(places)));
    open
}

/// Opens and closes sockets as the configuration in force has them, until a drain begins.
async fn keep(proxy: Arc<Inner>, mut open: Vec<Open>, places: Arc<Semaphore>) {
    const AGAIN: Duration = Duration::from_secs(1);
    let mut is_all_open = true;
    loop {
        tokio::select! {
            () = proxy.draining.cancelled() => return,
            () = proxy.changed.notified() => {}
            () = tokio::time::sleep(AGAIN), if !is_all_open => {}
        }
        let wanted = doors(&proxy.options.listen, &proxy.live.load().config);
        if matches!(proxy.options.listen, Listen::Mapped(_)) {
            // Sockets are the options'; what they stand for is the configuration's.
            for (open, wanted) in open.iter().zip(wanted) {
                open.door.store(Arc::new(wanted));
            }
            continue;
        }
        open.retain(|open| {
            let stays = wanted.contains(&open.wanted);
            if !stays {
                tracing::info!(local = %open.wanted.local, "no longer listening");
                open.closing.cancel();
            }
            stays
        });
        let was_all_open = std::mem::replace(&mut is_all_open, true);
        for door in wanted {
            if open.iter().any(|open| open.wanted == door) {
                continue;
            }
            match bind(door, &proxy.options).await {
                Ok(listener) => {
                    tracing::info!(local = %door.local, "listening");
                    open.push(begin(&proxy, listener, door, &places));
                }
                Err(error) => {
                    is_all_open = false;
                    if was_all_open {
                        tracing::warn!(%error, "a listener of the configuration cannot be opened");
                    }
                }
            }
        }
    }
}

/// Lets ejected hosts in again, closes upstream connections that nobody has used for long, and tells of certificates that
/// have expired.
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
        proxy.tls.tell_expired();
        let unused = proxy.retired.take_unused();
        if !unused.is_empty() {
            tokio::task::spawn_blocking(move || drop(unused));
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

/// Sidecars have one door for each direction and one for each listener with a socket of its own (`captureMode: NONE`),
/// gateways one for each listener.
fn configured(config: &ProxyConfig) -> Vec<Door> {
    let mut doors: Vec<Door> = Vec::new();
    for listener in &config.listeners {
        let door = Door {
            local: SocketAddr::new(listener.address, listener.port),
            direction: listener.direction,
            destination: if listener.catch_all { Destination::Redirected } else { Destination::Local },
        };
        if listener.binds_port && listener.port != 0 && !doors.contains(&door) {
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

/// Takes connections until a drain stops that or the socket is closed. An error of one is not the end of the others.
async fn accept(
    proxy: Arc<Inner>,
    listener: TcpListener,
    door: Arc<ArcSwap<Door>>,
    closing: CancellationToken,
    places: Arc<Semaphore>,
) {
    const PAUSE: Duration = Duration::from_millis(20);
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            () = proxy.pressure.takes_connections() => {}
        }
        let place = tokio::select! {
            () = closing.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let accepted = tokio::select! {
            () = closing.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => take(&proxy, stream, peer, **door.load(), place),
            Err(error) => {
                // No file descriptors left, most likely: let some connections end.
                tracing::warn!(%error, local = %door.load().local, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    if proxy.options.share_ports {
        leave(&proxy, &listener, **door.load(), &places).await;
    }
}

/// Takes what has come already, so that nobody who was let in by this socket is turned away with it. Who comes meanwhile
/// is told nothing by the system, and when it asks again another process has the port.
async fn leave(proxy: &Arc<Inner>, listener: &TcpListener, door: Door, places: &Arc<Semaphore>) {
    /// Handshakes that were begun have ended by then.
    const PATIENCE: Duration = Duration::from_millis(100);
    if let Err(error) = turn_away(listener) {
        tracing::debug!(%error, "connections that begin cannot be held off");
    }
    let until = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Ok((stream, peer))) = tokio::time::timeout_at(until, listener.accept()).await {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { return };
        let _ = let_all_in(&stream);
        take(proxy, stream, peer, door, place);
    }
}

/// Lets no connection begin any more, without telling anybody: those that have begun go on. (A queue of no length would
/// still take one, and break off others halfway.)
#[cfg(target_os = "linux")]
fn turn_away(listener: &TcpListener) -> io::Result<()> {
    use socket2::SockFilter;
    // Classic packet filter: what does not acknowledge anything, as only a first segment does, is dropped.
    const FLAGS: u32 = 13;
    const ACK: u32 = 0x10;
    let filter = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x45, 0, 1, ACK),
        SockFilter::new(0x06, 0, 0, u32::MAX),
        SockFilter::new(0x06, 0, 0, 0),
    ];
    socket2::SockRef::from(listener).attach_filter(&filter)
}

#[cfg(not(target_os = "linux"))]
fn turn_away(listener: &TcpListener) -> io::Result<()> {
    socket2::SockRef::from(listener).listen(0)
}

/// A connection that was let in meanwhile has the filter of its listener.
#[cfg(target_os = "linux")]
fn let_all_in(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).detach_filter()
}

#[cfg(not(target_os = "linux"))]
fn let_all_in(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Serves a connection by a task of its own.
fn take(proxy: &Arc<Inner>, stream: TcpStream, peer: SocketAddr, door: Door, place: OwnedSemaphorePermit) {
    let Some(arrival) = arrival(&stream, peer, door) else { return };
    let connection_proxy = Arc::clone(proxy);
    proxy.pressure.took_connection();
    let stream = Metered::new(stream, &proxy.pressure);
    proxy.tasks.spawn(async move {
        let (stop, pressure) = (connection_proxy.stop.clone(), Arc::clone(&connection_proxy.pressure));
        let dice = Arc::clone(&connection_proxy.dice);
        let ended = pin!(async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = pressure.is_cut(|| dice.roll()) => {}
            }
        });
        let ended = WhenWoken::new(ended);
        tokio::select! {
            biased;
            () = ended => {}
            () = super::connection::serve(connection_proxy, stream, arrival) => {}
        }
        drop(place);
    });
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
