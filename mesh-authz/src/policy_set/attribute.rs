//! What a field of a policy looks at, and how one of its values is compared with it.

use mesh_model::value::{IpBlock, PathTemplate};
use serde_json::Value;

use super::identity::IdentityPattern;
use super::request_principal::RequestPrincipal;

use crate::pattern::StringPattern;
use crate::request_header;
use crate::verdict::Facts;

/// What is looked at. The names of the API are kept: `source.ip`, `request.headers[x]`, `paths`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Attribute {
    /// The physical peer (S-136).
    SourceIp,
    /// The trusted client address (S-137).
    RemoteIp,
    /// The local address (S-142).
    DestinationIp,
    /// The port of the workload (S-143).
    DestinationPort,
    /// The server name of the handshake (S-144).
    Sni,
    /// The verified peer (S-131, S-133 to S-135).
    Identity,
    /// Issuer and subject of the token (S-138).
    RequestPrincipal,
    /// A claim by its path (S-139 to S-141).
    Claim(Vec<String>),
    /// A header by its lower-case name (S-132).
    Header(String),
    /// `:authority` (S-177).
    Host,
    /// `:method` (S-176).
    Method,
    /// The path without query (S-182).
    Path,
    /// Dynamic metadata of another filter (S-145). No filter of ours writes any, so it is always absent.
    FilterMetadata,
}

/// One value of a field, compiled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Pattern {
    /// An address block.
    Ip(IpBlock),
    /// A port.
    Port(u16),
    /// A string form.
    Text(StringPattern),
    /// A header or host that need only be there, even empty (S-132).
    Present,
    /// An identity form.
    Identity(IdentityPattern),
    /// Issuer and subject.
    RequestPrincipal(RequestPrincipal),
    /// A path template.
    Template(PathTemplate),
}

impl Attribute {
    /// Only requests have it; on TCP chains the field cannot be used (S-122 to S-126).
    pub(super) fn is_http_only(&self) -> bool {
        match self {
            Self::RequestPrincipal
            | Self::Claim(_)
            | Self::Header(_)
            | Self::Host
            | Self::Method
            | Self::Path => true,
            Self::SourceIp
            | Self::RemoteIp
            | Self::DestinationIp
            | Self::DestinationPort
            | Self::Sni
            | Self::Identity
            | Self::FilterMetadata => false,
        }
    }

    /// Whether a value of a field on this attribute fits. An absent attribute fits nothing (S-117).
    pub(super) fn fits(&self, pattern: &Pattern, facts: &Facts<'_>) -> bool {
        match (self, pattern) {
            (Self::SourceIp, Pattern::Ip(block)) => block.contains(facts.direct_ip),
            (Self::RemoteIp, Pattern::Ip(block)) => block.contains(facts.remote_ip),
            (Self::DestinationIp, Pattern::Ip(block)) => block.contains(facts.dst_ip),
            (Self::DestinationPort, Pattern::Port(port)) => *port == facts.dst_port,
            (Self::Sni, Pattern::Text(text)) => facts.sni.is_some_and(|sni| text.matches(sni.as_bytes())),
            (Self::Identity, Pattern::Identity(identity)) => {
                facts.peer.is_some_and(|peer| identity.matches(peer))
            }
            (Self::RequestPrincipal, Pattern::RequestPrincipal(principal)) => {
                facts.claims.is_some_and(|claims| principal.matches(claims))
            }
            (Self::Claim(path), Pattern::Text(text)) => {
                facts.claims.is_some_and(|claims| claim_fits(path, claims.payload(), text))
            }
            (Self::FilterMetadata, _) => false,
            _ => facts.request.is_some_and(|request| match (self, pattern) {
                // E-001: any one value; an absent header has none.
                (Self::Header(name), pattern) => request_header::any(request, name, |value| match pattern {
                    Pattern::Present => true,
                    Pattern::Text(text) => text.matches(value),
                    _ => false,
                }),
                (Self::Host | Self::Method, Pattern::Present) => true,
                (Self::Host, Pattern::Text(text)) => text.matches_ignoring_case(request.authority.as_bytes()),
                (Self::Method, Pattern::Text(text)) => text.matches(request.method.as_bytes()),
                (Self::Path, Pattern::Text(text)) => text.matches(path_of(request.path_only()).as_bytes()),
                (Self::Path, Pattern::Template(template)) => template.matches(path_of(request.path_only())),
                _ => false,
            }),
        }
    }

    /// What the request has, for explanations.
    pub(super) fn value_of(&self, facts: &Facts<'_>) -> String {
        const ABSENT: &str = "(absent)";
        let or_absent = |value: Option<String>| value.unwrap_or_else(|| ABSENT.to_owned());
        match self {
            Self::SourceIp => facts.direct_ip.to_string(),
            Self::RemoteIp => facts.remote_ip.to_string(),
            Self::DestinationIp => facts.dst_ip.to_string(),
            Self::DestinationPort => facts.dst_port.to_string(),
            Self::Sni => or_absent(facts.sni.map(str::to_owned)),
            Self::Identity => or_absent(facts.peer.map(str::to_owned)),
            Self::RequestPrincipal => or_absent(facts.claims.map(|claims| {
                let or_absent = |claim: Option<&str>| claim.unwrap_or(ABSENT).to_owned();
                format!("{}/{}", or_absent(claims.issuer()), or_absent(claims.subject()))
            })),
            Self::Claim(path) => or_absent(
                facts.claims.and_then(|claims| find_claim(path, claims.payload())).map(ToString::to_string),
            ),
            Self::FilterMetadata => ABSENT.to_owned(),
            Self::Header(name) => or_absent(facts.request.and_then(|request| {
                let values = request_header::values(request, name);
                let texts: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
                (!texts.is_empty()).then(|| texts.join(" | "))
            })),
            Self::Host => or_absent(facts.request.map(|request| request.authority.to_string())),
            Self::Method => or_absent(facts.request.map(|request| request.method.to_string())),
            Self::Path => or_absent(facts.request.map(|request| path_of(request.path_only()).to_owned())),
        }
    }
}

/// The path up to a fragment (S-182); a canonical path has none.
pub(super) fn path_of(path: &str) -> &str {
    path.split_once('#').map_or(path, |(path, _)| path)
}

/// The claim at a path of keys.
pub(super) fn find_claim<'c>(
    path: &[String],
    payload: &'c serde_json::Map<String, Value>,
) -> Option<&'c Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(payload.get(first)?, |value, key| value.as_object()?.get(key))
}

/// A string that fits, or a list with one (S-139 to S-141); numbers, booleans and objects never fit (S-160).
fn claim_fits(path: &[String], payload: &serde_json::Map<String, Value>, text: &StringPattern) -> bool {
    let fits = |value: &Value| value.as_str().is_some_and(|value| text.matches(value.as_bytes()));
    match find_claim(path, payload) {
        Some(Value::Array(values)) => values.iter().any(fits),
        Some(value) => fits(value),
        None => false,
    }
}
