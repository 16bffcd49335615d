//! Which filter chain of a listener takes a connection: Envoy's algorithm.
//!
//! The criteria are taken one after the other: destination port, destination address, server name, transport
//! protocol, application protocols. Each keeps the chains with its most specific fit and never goes back (T-189):
//! where a later criterion fits none of what is left, the answer is the default chain.

use std::borrow::Cow;
use std::net::IpAddr;

use mesh_compile::proxy::listener::{ChainMatch, Direction, FilterChain, Listener, Transport};
use mesh_model::facts::{ConnectionFacts, HttpVersion, RequestFacts};
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use crate::http_syntax::{is_http1_method, lower_case};

/// What the listener filters learn of a connection before a chain is chosen (T-189, T-199).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected<'a> {
    /// The dialled address.
    pub dst_ip: IpAddr,
    /// The dialled port.
    pub dst_port: u16,
    /// SNI, lower case (E-030); empty: none.
    pub server_name: Cow<'a, str>,
    /// TLS or not.
    pub transport: Transport,
    /// ALPN of the client, or what the HTTP inspector saw.
    pub application_protocols: Vec<Cow<'a, str>>,
}

impl<'a> Inspected<'a> {
    /// What the listener's filters see of a connection and its first bytes.
    pub fn new(
        listener: &Listener,
        connection: &'a ConnectionFacts<'_>,
        request: Option<&RequestFacts<'_>>,
    ) -> Self {
        let (transport, server_name, application_protocols) = match &connection.tls {
            Some(_) if !inspects_tls(listener, connection.dst_port) => {
                (Transport::RawBuffer, Cow::Borrowed(""), Vec::new())
            }
            Some(tls) => (
                Transport::Tls,
                lower_case(tls.sni.as_deref().unwrap_or_default()),
                tls.alpn.iter().map(|name| Cow::Borrowed(&**name)).collect(),
            ),
            None => (Transport::RawBuffer, Cow::Borrowed(""), sniffed(listener, request)),
        };
        Self {
            dst_ip: connection.dst_ip,
            dst_port: connection.dst_port,
            server_name,
            transport,
            application_protocols,
        }
    }
}

/// Whether TLS is told from other bytes. The inbound virtual listener does so port by port, where a chain of the port
/// asks for TLS; elsewhere a client hello is bytes like any other (S-033).
fn inspects_tls(listener: &Listener, port: u16) -> bool {
    if listener.direction != Direction::Inbound {
        return true;
    }
    let matches = || listener.filter_chains.iter().map(|chain| &chain.matches);
    let own = matches().any(|wanted| wanted.destination_port == Some(port)).then_some(port);
    matches().any(|wanted| wanted.destination_port == own && wanted.transport == Some(Transport::Tls))
}

/// What the HTTP inspector tells of plaintext bytes (T-199, E-050).
fn sniffed<'a>(listener: &Listener, request: Option<&RequestFacts<'_>>) -> Vec<Cow<'a, str>> {
    let Some(request) = request.filter(|_| listener.http_inspector) else { return Vec::new() };
    let protocol = match request.version {
        HttpVersion::Http2 => "h2c",
        _ if !is_http1_method(&request.method) => return Vec::new(),
        HttpVersion::Http11 => "http/1.1",
        HttpVersion::Http10 if listener.http10 => "http/1.0",
        HttpVersion::Http10 => return Vec::new(),
    };
    vec![Cow::Borrowed(protocol)]
}

/// A criterion, in Envoy's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Criterion {
    DestinationPort,
    DestinationAddress,
    ServerName,
    TransportProtocol,
    ApplicationProtocol,
}

const CRITERIA: [Criterion; 5] = [
    Criterion::DestinationPort,
    Criterion::DestinationAddress,
    Criterion::ServerName,
    Criterion::TransportProtocol,
    Criterion::ApplicationProtocol,
];

impl Criterion {
    /// How specifically a chain fits, greater is more; 0: it asks nothing; `None`: it does not fit.
    fn rank(self, wanted: &ChainMatch, got: &Inspected<'_>) -> Option<usize> {
        match self {
            Self::DestinationPort => match wanted.destination_port {
                None => Some(0),
                Some(port) => (port == got.dst_port).then_some(1),
            },
            Self::DestinationAddress => address_rank(wanted, got.dst_ip),
            Self::ServerName => server_name_rank(wanted, &got.server_name),
            Self::TransportProtocol => match wanted.transport {
                None => Some(0),
                Some(transport) => (transport == got.transport).then_some(1),
            },
            Self::ApplicationProtocol => application_protocol_rank(wanted, &got.application_protocols),
        }
    }

    fn because(self, wanted: &ChainMatch, got: &Inspected<'_>) -> Because<'static> {
        let any = || "any".to_owned();
        match self {
            Self::DestinationPort => Because::new(
                "destination port",
                wanted.destination_port.map_or_else(any, |port| port.to_string()),
                got.dst_port.to_string(),
            ),
            Self::DestinationAddress => {
                Because::new("destination address", listed(&wanted.destinations), got.dst_ip.to_string())
            }
            Self::ServerName => Because::new(
                "server name",
                listed(&wanted.server_names),
                or_none(got.server_name.to_string()),
            ),
            Self::TransportProtocol => Because::new(
                "transport protocol",
                wanted.transport.map_or("any", transport_name),
                transport_name(got.transport),
            ),
            Self::ApplicationProtocol => Because::new(
                "application protocol",
                listed(&wanted.application_protocols),
                or_none(got.application_protocols.join(",")),
            ),
        }
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "any".to_owned();
    }
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tls => "tls",
        Transport::RawBuffer => "raw_buffer",
    }
}

/// The longest prefix wins.
fn address_rank(wanted: &ChainMatch, address: IpAddr) -> Option<usize> {
    if wanted.destinations.is_empty() {
        return Some(0);
    }
    wanted
        .destinations
        .iter()
        .filter(|range| range.contains(&address))
        .map(|range| usize::from(range.prefix_len()))
        .max()
}

/// Exact before the longest wildcard; a wildcard stands for at least one character before its dot.
fn server_name_rank(wanted: &ChainMatch, server_name: &str) -> Option<usize> {
    if wanted.server_names.is_empty() {
        return Some(0);
    }
    wanted.server_names.iter().filter_map(|name| one_server_name_rank(name, server_name)).max()
}

fn one_server_name_rank(wanted: &str, server_name: &str) -> Option<usize> {
    match wanted.strip_prefix('*') {
        Some("") => Some(0),
        Some(suffix) => {
            (server_name.len() > suffix.len() && server_name.ends_with(suffix)).then_some(suffix.len())
        }
        None => (wanted == server_name && !server_name.is_empty()).then_some(usize::MAX),
    }
}

/// The client's first protocol that some chain lists wins; a chain that lists none takes what no other does.
fn application_protocol_rank(wanted: &ChainMatch, offered: &[Cow<'_, str>]) -> Option<usize> {
    if wanted.application_protocols.is_empty() {
        return Some(0);
    }
    let position = offered
        .iter()
        .position(|protocol| wanted.application_protocols.iter().any(|listed| **listed == **protocol))?;
    Some(usize::MAX - position)
}

/// The chain for a connection; `None`: no chain fits and there is no default.
pub fn find<'c, O: Observer>(
    listener: &'c Listener,
    inspected: &Inspected<'_>,
    observer: &mut O,
) -> Option<&'c FilterChain> {
    let mut best = [None; CRITERIA.len()];
    let mut found = true;
    for (index, criterion) in CRITERIA.iter().enumerate() {
        let rank = listener
            .filter_chains
            .iter()
            .filter(|chain| lost_at(chain, inspected, best.get(..index).unwrap_or_default()).is_none())
            .filter_map(|chain| criterion.rank(&chain.matches, inspected))
            .max();
        found &= rank.is_some();
        if let Some(slot) = best.get_mut(index) {
            *slot = rank;
        }
        if !found {
            break;
        }
    }
    let winner = found
        .then(|| listener.filter_chains.iter().find(|chain| lost_at(chain, inspected, &best).is_none()))
        .flatten();
    if O::EXHAUSTIVE {
        tell(listener, inspected, &best, winner, observer);
    }
    winner.or(listener.default_chain.as_ref())
}

/// The first criterion at which a chain is not among the best.
fn lost_at(chain: &FilterChain, inspected: &Inspected<'_>, best: &[Option<usize>]) -> Option<Criterion> {
    CRITERIA
        .iter()
        .zip(best)
        .find(|(criterion, best)| {
            let rank = criterion.rank(&chain.matches, inspected);
            rank.is_none() || rank != **best
        })
        .map(|(criterion, _)| *criterion)
}

fn tell<O: Observer>(
    listener: &Listener,
    inspected: &Inspected<'_>,
    best: &[Option<usize>],
    winner: Option<&FilterChain>,
    observer: &mut O,
) {
    for chain in &listener.filter_chains {
        let wins = winner.is_some_and(|winner| std::ptr::eq(winner, chain));
        let lost_at = lost_at(chain, inspected, best);
        let outcome = if wins {
            Outcome::Won
        } else if lost_at.is_some() {
            Outcome::Lost
        } else {
            Outcome::NotAsked
        };
        observer.note(|| {
            let step = Step::new(Stage::Listener, outcome, format!("filter chain {}", chain.name))
                .origin(&chain.origin);
            match lost_at {
                Some(criterion) if !wins => step.because(criterion.because(&chain.matches, inspected)),
                _ => step,
            }
        });
    }
    if let Some(chain) = &listener.default_chain {
        let outcome = if winner.is_none() { Outcome::Won } else { Outcome::NotAsked };
        observer.note(|| {
            Step::new(Stage::Listener, outcome, format!("default filter chain {}", chain.name))
                .origin(&chain.origin)
        });
    }
}
