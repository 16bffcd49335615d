//! What can be written in a rule: fields of sources and operations, `when` keys, and how their values are read.

use mesh_model::security::authorization_policy::spec;

use super::attribute::Attribute;

/// How a field's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Ip,
    Port,
    Text,
    /// A header: a lone star asks for presence.
    Header,
    Principal,
    Namespace,
    ServiceAccount,
    TrustDomain,
    RequestPrincipal,
    Path,
}

/// A field as written: its name, its place below the rule, what it looks at, and its values.
pub(super) struct Written<'s> {
    pub(super) name: &'s str,
    pub(super) place: Place,
    pub(super) reading: Reading,
    pub(super) attribute: Attribute,
    pub(super) values: &'s [String],
    pub(super) not_values: &'s [String],
}

/// Where a field stands below its rule; spelled out only where something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Source(usize),
    Operation(usize),
    Condition(usize),
}

impl Written<'_> {
    /// The field path, with the rule's in front.
    pub(super) fn path(&self, rule: usize) -> String {
        match self.place {
            Place::Source(at) => format!("spec.rules[{rule}].from[{at}].source.{}", self.name),
            Place::Operation(at) => format!("spec.rules[{rule}].to[{at}].operation.{}", self.name),
            Place::Condition(at) => format!("spec.rules[{rule}].when[{at}]"),
        }
    }
}

/// The attribute of a `when` key and how its values are read; `Err`: the brackets are wrong, and what they should name.
pub(super) fn when_key(key: &str) -> Option<(Reading, Result<Attribute, &'static str>)> {
    Some(match key {
        "source.ip" => (Reading::Ip, Ok(Attribute::SourceIp)),
        "remote.ip" => (Reading::Ip, Ok(Attribute::RemoteIp)),
        "destination.ip" => (Reading::Ip, Ok(Attribute::DestinationIp)),
        "destination.port" => (Reading::Port, Ok(Attribute::DestinationPort)),
        "connection.sni" => (Reading::Text, Ok(Attribute::Sni)),
        "source.namespace" => (Reading::Namespace, Ok(Attribute::Identity)),
        "source.principal" => (Reading::Principal, Ok(Attribute::Identity)),
        "source.serviceAccount" => (Reading::ServiceAccount, Ok(Attribute::Identity)),
        "source.trustDomain" => (Reading::TrustDomain, Ok(Attribute::Identity)),
        "request.auth.principal" => (Reading::RequestPrincipal, Ok(Attribute::RequestPrincipal)),
        "request.auth.audiences" => (Reading::Text, Ok(Attribute::Claim(vec!["aud".to_owned()]))),
        "request.auth.presenter" => (Reading::Text, Ok(Attribute::Claim(vec!["azp".to_owned()]))),
        _ => {
            if let Some(rest) = key.strip_prefix("request.headers") {
                let name = in_brackets(rest).map(|name| Attribute::Header(name.to_ascii_lowercase()));
                (Reading::Header, name.ok_or("a header"))
            } else if let Some(rest) = key.strip_prefix("request.auth.claims") {
                (Reading::Text, claim_path(rest).map(Attribute::Claim).ok_or("a claim"))
            } else if let Some(rest) = key.strip_prefix("experimental.envoy.filters.") {
                let named = rest.strip_suffix(']').unwrap_or(rest).contains('[');
                (Reading::Text, named.then_some(Attribute::FilterMetadata).ok_or("a metadata key"))
            } else {
                return None;
            }
        }
    })
}

fn in_brackets(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

/// `[a][b]` is a path; what is not a clean row of brackets is one key between the outermost (S-151).
fn claim_path(text: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let key = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
        match key {
            Some((key, after)) if !key.contains('[') => {
                keys.push(key.to_owned());
                rest = after;
            }
            _ => return in_brackets(text).map(|key| vec![key.to_owned()]),
        }
    }
    Some(keys)
}

pub(super) fn source_fields(source: &spec::Source, at: usize) -> [Written<'_>; 7] {
    let spec::Source {
        principals,
        not_principals,
        request_principals,
        not_request_principals,
        namespaces,
        not_namespaces,
        service_accounts,
        not_service_accounts,
        trust_domains,
        not_trust_domains,
        ip_blocks,
        not_ip_blocks,
        remote_ip_blocks,
        not_remote_ip_blocks,
    } = source;
    let field = |name, reading, attribute, values, not_values| Written {
        name,
        place: Place::Source(at),
        reading,
        attribute,
        values,
        not_values,
    };
    [
        field("principals", Reading::Principal, Attribute::Identity, principals, not_principals),
        field(
            "requestPrincipals",
            Reading::RequestPrincipal,
            Attribute::RequestPrincipal,
            request_principals,
            not_request_principals,
        ),
        field(
            "serviceAccounts",
            Reading::ServiceAccount,
            Attribute::Identity,
            service_accounts,
            not_service_accounts,
        ),
        field("trustDomains", Reading::TrustDomain, Attribute::Identity, trust_domains, not_trust_domains),
        field("namespaces", Reading::Namespace, Attribute::Identity, namespaces, not_namespaces),
        field("remoteIpBlocks", Reading::Ip, Attribute::RemoteIp, remote_ip_blocks, not_remote_ip_blocks),
        field("ipBlocks", Reading::Ip, Attribute::SourceIp, ip_blocks, not_ip_blocks),
    ]
}

pub(super) fn operation_fields(operation: &spec::Operation, at: usize) -> [Written<'_>; 4] {
    let spec::Operation { hosts, not_hosts, ports, not_ports, methods, not_methods, paths, not_paths } =
        operation;
    let field = |name, reading, attribute, values, not_values| Written {
        name,
        place: Place::Operation(at),
        reading,
        attribute,
        values,
        not_values,
    };
    [
        field("hosts", Reading::Header, Attribute::Host, hosts, not_hosts),
        field("methods", Reading::Header, Attribute::Method, methods, not_methods),
        field("paths", Reading::Path, Attribute::Path, paths, not_paths),
        field("ports", Reading::Port, Attribute::DestinationPort, ports, not_ports),
    ]
}
