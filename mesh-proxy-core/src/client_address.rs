//! The client's address as X-Forwarded-For tells it, where it is trusted (E-010, E-083, S-219 to S-221).

use std::net::IpAddr;

use mesh_compile::proxy::listener::HttpManager;
use mesh_model::facts::Headers;

/// The address that `remote.ip` means.
pub fn remote_address(manager: &HttpManager, peer: IpAddr, headers: &Headers<'_>) -> IpAddr {
    let hops = usize::try_from(manager.trusted_hops).unwrap_or(usize::MAX);
    // Positions count from the right, from 0.
    let position = if manager.use_remote_address { hops.checked_sub(1) } else { Some(hops) };
    position.and_then(|position| forwarded_address(headers, position)).unwrap_or(peer)
}

/// An entry of X-Forwarded-For counted from the right; entries that are no addresses count as positions (E-083).
fn forwarded_address(headers: &Headers<'_>, position: usize) -> Option<IpAddr> {
    let lines: Vec<&[u8]> = headers.values("x-forwarded-for").collect();
    let token = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')).nth(position)?;
    std::str::from_utf8(token).ok()?.trim().parse().ok()
}
