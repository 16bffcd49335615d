//! Settings of the running proxy that no mesh object has: limits, patience, where to listen.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mesh_authz::jwks_store::JwksOptions;
use mesh_compile::proxy::listener::Direction;

/// The name that answers are given by where nothing else is set; by sidecars to their applications, `envoy` (T-473).
pub const DEFAULT_SERVER_NAME: &str = "istio-envoy";

/// Settings of a running proxy. Ours: what no object of the mesh says, in one place.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where it listens.
    pub listen: Listen,
    /// Bounds on what clients may make it hold.
    pub limits: Limits,
    /// How long it waits.
    pub patience: Patience,
    /// Whether answers name their decision in `x-mesh-decision`, so that it can be explained afterwards. For trusted
    /// clients only: it tells of the inside.
    pub name_decisions: bool,
    /// Whether the application in front of a sidecar may ask for retries and timeouts in headers of its requests
    /// (`x-envoy-max-retries` and so on, T-167). Istio's proxies take them off as they do here, unless istiod has
    /// `PILOT_SIDECAR_USE_REMOTE_ADDRESS` and a network that names the application's address.
    pub heed_application: bool,
    /// The `server` header of answers. [`DEFAULT_SERVER_NAME`]: as the configuration has it
    /// (`proxyHeaders.server`); `None`: none is set.
    pub server_name: Option<String>,
    /// Whether access logs that the configuration asks for (`MeshConfig.accessLogFile`, Telemetry) are written, besides
    /// those of the program's sinks. The configuration then names files of this machine.
    pub mesh_logs: bool,
    /// How often keys of `jwksUri` are fetched, and how long they count.
    pub keys: JwksOptions,
    /// Whether other processes may listen at the same addresses (`SO_REUSEPORT`): one version of the program then takes
    /// over from another that drains. Every one of them must say so.
    pub share_ports: bool,
    /// How often names of clusters are looked up; `None`: as the configuration has it (`MeshConfig.dnsRefreshRate`, one
    /// minute where that is not set).
    pub dns_refresh: Option<Duration>,
    /// What Wasm modules may take of the proxy.
    #[cfg(feature = "wasm")]
    pub wasm: super::wasm::WasmLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            limits: Limits::default(),
            patience: Patience::default(),
            name_decisions: false,
            heed_application: false,
            server_name: Some(DEFAULT_SERVER_NAME.to_owned()),
            mesh_logs: false,
            keys: JwksOptions::default(),
            share_ports: false,
            dns_refresh: None,
            #[cfg(feature = "wasm")]
            wasm: super::wasm::WasmLimits::default(),
        }
    }
}

/// Where a proxy listens. Ours: without redirection rules, ports of this machine stand for those of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Listen {
    /// At the addresses of the configuration's listeners; sidecars at their capture ports (15001, 15006) only, with
    /// the dialled address asked of the system (`SO_ORIGINAL_DST`).
    #[default]
    AsConfigured,
    /// At these addresses only, each standing for a port of the configuration.
    Mapped(Vec<PortMap>),
    /// Nowhere: connections are handed over by the program.
    Nowhere,
}

/// A local address that stands for a port of the mesh.
/// Ours: without redirection rules, ports of this machine stand for those of the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMap {
    /// Which traffic it is; `None`: as the proxy's kind has it (gateway, or outbound at sidecars).
    pub direction: Option<Direction>,
    /// The address that clients are held to have dialled; `None`: any.
    pub address: Option<IpAddr>,
    /// The port that clients are held to have dialled.
    pub port: u16,
    /// Where the proxy listens for it.
    pub local: SocketAddr,
}

impl PortMap {
    /// Reads `[in:|out:][ADDRESS:]PORT=LOCAL`, as in `80=127.0.0.1:18080` or `in:10.0.1.10:8080=127.0.0.1:18081`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (wanted, local) =
            text.split_once('=').ok_or_else(|| format!("`{text}`: expected PORT=ADDRESS:PORT"))?;
        let local = local.parse().map_err(|_| format!("`{local}` is no address with a port"))?;
        let (direction, wanted) = match wanted.split_once(':') {
            Some(("in", rest)) => (Some(Direction::Inbound), rest),
            Some(("out", rest)) => (Some(Direction::Outbound), rest),
            _ => (None, wanted),
        };
        if let Ok(port) = wanted.parse() {
            return Ok(Self { direction, address: None, port, local });
        }
        let dialled: SocketAddr =
            wanted.parse().map_err(|_| format!("`{wanted}` is neither a port nor an address with a port"))?;
        Ok(Self { direction, address: Some(dialled.ip()), port: dialled.port(), local })
    }
}

/// Bounds on what clients may make a proxy hold. Ours: a client must not decide how much a proxy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once; more wait in the system's queue.
    pub connections: usize,
    /// Bytes of a request's headers, and of an HTTP/1 head as a whole (Envoy: 60 KiB).
    pub header_bytes: usize,
    /// Header lines of a request (Envoy: 100).
    pub headers: usize,
    /// HTTP/2 streams of a connection at once.
    pub streams: u32,
    /// Bytes of a request body that are kept so that it can be sent again.
    pub retry_bytes: usize,
    /// Bytes read before the protocol of a connection must be clear.
    pub first_bytes: usize,
    /// Memory of the process: near to the bound connections wait, requests are answered with 503 and connections cut.
    pub memory: Memory,
}

/// What bounds the memory of the process. Ours: a program knows whether it is alone in its container.
///
/// To shed load brings memory back where the allocator returns what was freed (mimalloc does); where it does not, the
/// process stays within the bound and goes on refusing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Nothing does.
    Unbounded,
    /// So many bytes of resident memory.
    Process(u64),
    /// What the process's control group may have, of either version (`memory.max`, `memory.limit_in_bytes`), with all
    /// that is counted against it; nothing where it has no bound. Looked up when the proxy is made, then followed.
    ControlGroup,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            header_bytes: 60 * 1024,
            headers: 100,
            streams: 100,
            retry_bytes: 64 * 1024,
            first_bytes: 64 * 1024,
            memory: Memory::Unbounded,
        }
    }
}

/// How long a proxy waits. Ours: a client must not decide how long a proxy waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patience {
    /// For the first bytes of a connection whose protocol must be detected; then they are taken as bytes.
    pub detection: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For the head of a request, from its first byte. Then 408.
    pub request_head: Duration,
    /// For the next request of an HTTP/1 connection, or its first (Envoy: one hour).
    pub idle: Duration,
    /// For a client to take anything more of what it is sent, where its window is full; zero: for ever (Envoy: five
    /// minutes, its stream idle timeout).
    pub stalled_write: Duration,
    /// For anything more of a request's body, before there is an answer; zero: for ever (Envoy: five minutes, its stream
    /// idle timeout). Then 408.
    pub request_body: Duration,
    /// For anything to happen on a TCP connection (Envoy: one hour).
    pub tcp_idle: Duration,
    /// For clients to go elsewhere once a drain began: so long connections are still taken, and answers of HTTP/1 end
    /// theirs (Istio's agent gives five seconds).
    pub drain_notice: Duration,
    /// For requests in flight after that; `None`: until the whole drain has taken as long as the configuration gives it
    /// (`terminationDrainDuration` of the proxy's settings, five seconds where that is not set; T-573).
    pub drain: Option<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            detection: Duration::from_secs(5),
            handshake: Duration::from_secs(15),
            request_head: Duration::from_secs(10),
            idle: Duration::from_secs(3600),
            stalled_write: Duration::from_secs(300),
            request_body: Duration::from_secs(300),
            tcp_idle: Duration::from_secs(3600),
            drain_notice: Duration::ZERO,
            drain: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_maps_name_a_port_or_an_address() {
        let plain = PortMap::parse("80=127.0.0.1:18080").unwrap();
        assert_eq!((plain.direction, plain.address, plain.port), (None, None, 80));
        let inbound = PortMap::parse("in:10.0.1.10:8080=127.0.0.1:1").unwrap();
        assert_eq!(inbound.direction, Some(Direction::Inbound));
        assert_eq!(inbound.address, Some("10.0.1.10".parse().unwrap()));
        let v6 = PortMap::parse("out:[::1]:8080=[::1]:1").unwrap();
        assert_eq!((v6.direction, v6.port), (Some(Direction::Outbound), 8080));
        for wrong in ["80", "x=127.0.0.1:1", "80=18080", "10.0.0.1=127.0.0.1:1"] {
            assert!(PortMap::parse(wrong).is_err(), "{wrong}");
        }
    }
}
