//! Host and route look-up as the rules read: one candidate after the other. Slow, and the measure of the indexes.
//! Hosts are T-035, routes T-115.

use std::sync::Arc;

use mesh_model::facts::RequestFacts;
use serde_json::{Map, Value};

use super::host_index::{DomainShape, canonical_host};
use super::predicate::Subject;
use super::{Route, RouteTable, VirtualHost};

/// The virtual host for an authority (T-035, T-036, E-008).
pub fn virtual_host<'t>(table: &'t RouteTable, authority: &str) -> Option<&'t Arc<VirtualHost>> {
    let host = canonical_host(authority);
    let mut best: Option<((u8, usize), &Arc<VirtualHost>)> = None;
    for candidate in &table.virtual_hosts {
        for domain in &candidate.domains {
            let rank = rank(&domain.to_ascii_lowercase(), &host);
            if rank > best.map(|(rank, _)| rank) {
                best = rank.map(|rank| (rank, candidate));
            }
        }
    }
    best.map(|(_, host)| host)
}

/// How well a domain fits a host; a greater rank wins.
fn rank(domain: &str, host: &str) -> Option<(u8, usize)> {
    match DomainShape::of(domain) {
        DomainShape::Exact(name) => (name == host).then_some((3, 0)),
        DomainShape::Suffix(text) => {
            (host.len() > text.len() && host.ends_with(text)).then_some((2, text.len()))
        }
        DomainShape::Prefix(text) => {
            (host.len() > text.len() && host.starts_with(text)).then_some((1, text.len()))
        }
        DomainShape::Any => Some((0, 0)),
    }
}

/// The first route all of whose predicates hold.
pub fn find<'t>(
    host: &'t VirtualHost,
    request: &RequestFacts<'_>,
    claims: Option<&Map<String, Value>>,
) -> Option<&'t Route> {
    let subject = Subject::new(request, claims);
    host.routes.iter().find(|route| subject.check(&route.matcher).is_ok())
}
