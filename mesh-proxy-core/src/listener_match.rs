//! Which listener takes a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::{Direction, Listener};
use mesh_model::facts::ConnectionFacts;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

/// The listener for a connection: bound to the dialled address and port, else to any address and that port (hidden
/// wholly by the former: E-064), else the virtual listener of the direction; `None`: nothing listens.
pub fn find<'c, O: Observer>(
    config: &'c ProxyConfig,
    direction: Direction,
    connection: &ConnectionFacts<'_>,
    observer: &mut O,
) -> Option<&'c Listener> {
    let winner = winner(config, direction, connection);
    if O::EXHAUSTIVE {
        tell(config, direction, connection, winner, observer);
    }
    winner
}

fn winner<'c>(
    config: &'c ProxyConfig,
    direction: Direction,
    connection: &ConnectionFacts<'_>,
) -> Option<&'c Listener> {
    let ConnectionFacts { dst_ip, dst_port, .. } = *connection;
    let bound_to = |address: IpAddr| {
        let mut found = config.listeners.bound_to(address, dst_port);
        found.find(|listener| is_reachable(listener, direction) && dst_port != 0)
    };
    // `0.0.0.0` takes IPv4; `::` takes both families, as dual-stack sockets do. The dialled family comes first.
    let any_v4 = || dst_ip.is_ipv4().then(|| bound_to(Ipv4Addr::UNSPECIFIED.into())).flatten();
    let any_v6 = || bound_to(Ipv6Addr::UNSPECIFIED.into());
    let found = bound_to(dst_ip).or_else(any_v4).or_else(any_v6);
    found.or_else(|| config.listeners.catch_all(direction).next()).map(|listener| &**listener)
}

/// Outbound connections are handed to whatever is bound to the dialled port, the inbound virtual listener included
/// (E-055); inbound ones only to inbound listeners, gateways have but their own.
fn is_reachable(listener: &Listener, direction: Direction) -> bool {
    match direction {
        Direction::Outbound => listener.direction != Direction::Gateway,
        Direction::Inbound => listener.direction == Direction::Inbound && !listener.catch_all,
        Direction::Gateway => listener.direction == Direction::Gateway,
    }
}

/// The candidates on the dialled port and the virtual listeners, and what became of them.
fn tell<O: Observer>(
    config: &ProxyConfig,
    direction: Direction,
    connection: &ConnectionFacts<'_>,
    winner: Option<&Listener>,
    observer: &mut O,
) {
    // The brackets of a socket address: `fd00::1:80` would leave it open where the port begins.
    let dialled = || SocketAddr::new(connection.dst_ip, connection.dst_port).to_string();
    for listener in &config.listeners {
        let wins = winner.is_some_and(|winner| std::ptr::eq(winner, &raw const **listener));
        let on_port = listener.port == connection.dst_port || listener.catch_all;
        let concerned = on_port && is_reachable(listener, direction);
        if !wins && !concerned {
            continue;
        }
        let outcome = if wins { Outcome::Won } else { Outcome::Lost };
        let bound = if listener.catch_all {
            "what no other listener takes".to_owned()
        } else {
            SocketAddr::new(listener.address, listener.port).to_string()
        };
        observer.note(|| {
            Step::new(Stage::Listener, outcome, format!("listener {}", listener.name))
                .because(Because::new("destination address", bound, dialled()))
                .origin(&listener.origin)
        });
    }
    if winner.is_none() {
        observer.note(|| {
            Step::new(Stage::Listener, Outcome::Lost, "no listener").because(Because::new(
                "destination address",
                "a listener",
                dialled(),
            ))
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mesh_model::origin::Origin;
    use proptest::prelude::*;

    use super::*;

    /// One listener after the other, as the rule reads.
    fn scan<'c>(
        config: &'c ProxyConfig,
        direction: Direction,
        connection: &ConnectionFacts<'_>,
    ) -> Option<&'c Listener> {
        let mut any_address: Option<&Listener> = None;
        let mut virtual_listener: Option<&Listener> = None;
        for listener in &config.listeners {
            if listener.catch_all && listener.direction == direction {
                virtual_listener = virtual_listener.or(Some(listener));
            }
            let is_on_port = listener.port != 0 && listener.port == connection.dst_port;
            if !is_reachable(listener, direction) || !is_on_port {
                continue;
            }
            if listener.address == connection.dst_ip {
                return Some(listener);
            }
            if takes_any(listener.address, connection.dst_ip) {
                any_address = Some(closer_family(any_address, listener, connection.dst_ip));
            }
        }
        any_address.or(virtual_listener)
    }

    fn takes_any(bound: IpAddr, dialled: IpAddr) -> bool {
        bound.is_unspecified() && (bound.is_ipv6() || dialled.is_ipv4())
    }

    fn closer_family<'c>(
        found: Option<&'c Listener>,
        candidate: &'c Listener,
        dialled: IpAddr,
    ) -> &'c Listener {
        match found {
            Some(found) if found.address.is_ipv4() == dialled.is_ipv4() => found,
            Some(found) if candidate.address.is_ipv4() != dialled.is_ipv4() => found,
            _ => candidate,
        }
    }

    const DIRECTIONS: [Direction; 3] = [Direction::Outbound, Direction::Inbound, Direction::Gateway];

    fn address(n: usize) -> IpAddr {
        ["0.0.0.0", "::", "10.0.0.1", "10.0.0.2", "fd00::1", "::ffff:10.0.0.1"][n % 6].parse().unwrap()
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_scan_finds(
            bound in proptest::collection::vec((0_usize..3, 0_usize..6, 0_u16..4, 0..8), 0..60),
            dialled in proptest::collection::vec((0_usize..3, 0_usize..6, 0_u16..4), 1..20),
        ) {
            let listener = |(direction, at, port, is_virtual)| {
                Arc::new(Listener {
                    name: "l".into(),
                    direction: DIRECTIONS[direction],
                    address: address(at),
                    port,
                    catch_all: is_virtual == 0,
                    binds_port: false,
                    http_inspector: false,
                    http10: false,
                    proxy_protocol: false,
                    buffer_bytes: None,
                    filter_chains: Vec::new(),
                    default_chain: None,
                    origin: Origin::built_in("test"),
                })
            };
            let listeners = bound.into_iter().map(listener).collect();
            let config = ProxyConfig { listeners, ..ProxyConfig::default() };
            for (direction, at, port) in dialled {
                let connection =
                    ConnectionFacts { src_ip: address(2), dst_ip: address(at), dst_port: port, tls: None, proxied_ip: None };
                let found = winner(&config, DIRECTIONS[direction], &connection);
                let expected = scan(&config, DIRECTIONS[direction], &connection);
                prop_assert_eq!(found.map(std::ptr::from_ref), expected.map(std::ptr::from_ref));
            }
        }
    }
}
