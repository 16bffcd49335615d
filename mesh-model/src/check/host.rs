//! Hosts, addresses and names of services (T-022, T-047, T-415).

use std::net::{IpAddr, Ipv6Addr};

use super::{Checked, Problem, short};
use crate::diagnostic::Code;
use crate::name::{HostPattern, Hostname, is_dns_label};
use crate::value::IpBlock;

fn invalid(message: String) -> Problem {
    Problem::new(Code::InvalidHost, message)
        .help("use letters, digits, hyphens and dots; a `*` stands only at the front (`*.example.com`)")
}

/// [`invalid`] with the host that is left of `text` without what belongs to a URL.
fn not_a_host(text: &str, message: String) -> Problem {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => host,
    };
    let problem = invalid(message);
    if host.len() < text.len() && (HostPattern::parse(host).is_ok() || host == "*") {
        let what = if scheme.is_empty() { "a port or path" } else { "a scheme, port or path" };
        return problem.help(format!("write the host without {what}: `{}`", short(host)));
    }
    problem
}

/// A DNS name without a wildcard.
pub(crate) fn fqdn(text: &str) -> Checked {
    match Hostname::check(text) {
        Ok(()) => Ok(()),
        Err(error) => Err(not_a_host(text, format!("`{}` is not a host name: {error}", short(text)))),
    }
}

/// A DNS name whose first label may be a wildcard.
pub(crate) fn wildcard_domain(text: &str) -> Checked {
    match HostPattern::check(text) {
        Ok(()) => Ok(()),
        Err(error) => {
            Err(not_a_host(text, format!("`{}` is not a host name or wildcard: {error}", short(text))))
        }
    }
}

/// A host of a VirtualService on gateways: with SNI matches also `outbound_.PORT_._.HOST`, the name that proxies
/// announce to passthrough gateways.
pub(crate) fn gateway_domain(text: &str, has_sni_match: bool) -> Checked {
    if !has_sni_match || !text.starts_with("outbound_") || text.len() > 255 {
        return wildcard_domain(text);
    }
    let mut parts = text.split('_');
    let (_, port, _, host) = (parts.next(), parts.next(), parts.next(), parts.next());
    let has_digit = port.is_some_and(|port| port.bytes().any(|byte| byte.is_ascii_digit()));
    let has_letter = host.is_some_and(|host| host.bytes().any(|byte| byte.is_ascii_alphabetic()));
    if has_digit && has_letter {
        Ok(())
    } else {
        Err(invalid(format!("`{}` does not follow `outbound_.PORT_._.HOST`", short(text))))
    }
}

/// `*.example.com` is taken, `*example.com` and `a*.example.com` are not.
pub(crate) fn no_partial_wildcard(text: &str) -> Checked {
    if text.contains('*') && text != "*" && !text.starts_with("*.") {
        return Err(invalid(format!("`{}` has a wildcard for a part of a label", short(text)))
            .help("a wildcard stands for whole labels: `*.example.com`"));
    }
    Ok(())
}

/// Whether the text is an IP address as Go's `netip.ParseAddr` reads it: with a zone, where it is one of IPv6 and holds
/// none of IPv4.
pub(crate) fn is_address(text: &str) -> bool {
    match text.split_once('%') {
        Some((address, zone)) => {
            let address = address.parse::<Ipv6Addr>();
            !zone.is_empty() && address.is_ok_and(|address| address.to_ipv4_mapped().is_none())
        }
        None => text.parse::<IpAddr>().is_ok(),
    }
}

/// An IP address ([`is_address`]).
pub(crate) fn address(text: &str) -> Checked {
    if is_address(text) {
        return Ok(());
    }
    Err(Problem::invalid(format!("`{}` is not an IP address", short(text)))
        .help("write an address such as `10.0.0.1` or `2001:db8::1`"))
}

/// An IP address or a CIDR block.
pub(crate) fn subnet(text: &str) -> Checked {
    if !text.contains('/') {
        return address(text);
    }
    match text.parse::<IpBlock>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::invalid(format!("`{}` is not a CIDR block", short(text)))
            .help("write an address or a block such as `10.0.0.0/8`")),
    }
}

/// What follows `unix://`: an absolute path of a file, or an abstract socket `@name`.
pub(crate) fn unix_address(text: &str) -> Checked {
    if text.starts_with('@') || text.starts_with('/') && !text.ends_with('/') {
        return Ok(());
    }
    Err(Problem::invalid(format!("`unix://{}` is not an absolute path to a file", short(text)))
        .help("write `unix:///path/to/socket`"))
}

/// An address to listen at: an IP address, or a `unix://` path.
pub(crate) fn bind(text: &str) -> Checked {
    text.strip_prefix("unix://").map_or_else(|| address(text), unix_address)
}

/// A namespace in a reference.
pub(crate) fn namespace(text: &str) -> Checked {
    if is_dns_label(text) {
        return Ok(());
    }
    Err(Problem::new(Code::InvalidName, format!("`{}` is not a namespace", short(text)))
        .help("use lower-case letters, digits and hyphens; `.` is the own namespace, `*` all"))
}

/// The host of a Gateway's server: `host`, `namespace/host`, `./host` or `*/host` (T-415).
pub(crate) fn gateway_host(text: &str) -> Checked {
    let Some((owner, host)) = text.split_once('/').filter(|_| !text.contains("://")) else {
        return scoped_host(text, true);
    };
    if owner.is_empty() || host.is_empty() {
        return Err(invalid(format!("`{}` lacks the namespace or the host", short(text))));
    }
    if owner != "*" && owner != "." {
        namespace(owner)?;
    }
    scoped_host(host, true)
}

/// The host of a Sidecar's egress listener: `namespace/host` (T-372).
pub(crate) fn egress_host(text: &str) -> Checked {
    let Some((owner, host)) = text.split_once('/') else {
        return Err(invalid(format!("`{}` is not of the form `namespace/host`", short(text)))
            .help(format!("`*/{0}` for every namespace, `./{0}` for the own one", short(text))));
    };
    if owner.is_empty() || host.is_empty() {
        return Err(invalid(format!("`{}` lacks the namespace or the host", short(text))));
    }
    let name = owner.strip_prefix('~').unwrap_or(owner);
    if !["", "*", "."].contains(&name) {
        namespace(name)?;
    }
    scoped_host(host, false)
}

/// Gateways may name addresses, sidecars may not; neither takes short names (T-022).
fn scoped_host(host: &str, is_gateway: bool) -> Checked {
    if host != "*" && !host.contains('.') {
        return Err(invalid(format!("`{}` is a short name", short(host)))
            .help("write the full name, such as `reviews.default.svc.cluster.local`"));
    }
    if !(is_gateway && is_address(host)) {
        wildcard_domain(host)?;
    }
    no_partial_wildcard(host)
}

/// The service of an extension provider: `host` or `namespace/host`.
pub(crate) fn provider_service(text: &str) -> Checked {
    if text.is_empty() {
        return Err(
            Problem::missing("`service` is required").help("name the service as `host` or `namespace/host`")
        );
    }
    if text.contains('/') {
        return egress_host(text);
    }
    if is_address(text) { Ok(()) } else { fqdn(text) }
}

/// `host:port` or `[address]:port`.
pub(crate) fn host_and_port(text: &str) -> Checked {
    let Some((host, port)) = split_port(text) else {
        return Err(Problem::invalid(format!("`{}` is not of the form `host:port`", short(text)))
            .help("write it as `name.example.com:9411`"));
    };
    super::port::number_text(port)?;
    if is_address(host) { Ok(()) } else { fqdn(host) }
}

/// Splits as Go's `net.SplitHostPort`: an IPv6 address needs its brackets.
pub(crate) fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.contains(['[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

/// A trust domain.
pub(crate) fn trust_domain(text: &str) -> Checked {
    match crate::name::TrustDomain::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::invalid(format!("`{}` is not a trust domain: {error}", short(text)))
            .help("a trust domain is written like a DNS name, as in `cluster.local`")),
    }
}
