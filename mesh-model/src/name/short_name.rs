//! Short service names become full ones (T-020).

use std::borrow::Cow;
use std::net::IpAddr;

/// The host that `host` means in a resource of `namespace`, in a cluster of DNS domain `domain` (T-020).
///
/// Anything with a dot is taken as a full name, also `reviews.default`; no registry is asked.
///
/// ```
/// # use mesh_model::name::resolve_short_name;
/// assert_eq!(resolve_short_name("reviews", "shop", "cluster.local"), "reviews.shop.svc.cluster.local");
/// assert_eq!(resolve_short_name("reviews.shop", "other", "cluster.local"), "reviews.shop");
/// assert_eq!(resolve_short_name("fd00::1", "shop", "cluster.local"), "fd00::1");
/// ```
pub fn resolve_short_name<'h>(host: &'h str, namespace: &str, domain: &str) -> Cow<'h, str> {
    if host.is_empty() || host == "*" || host.contains('.') || host.parse::<IpAddr>().is_ok() {
        return Cow::Borrowed(host);
    }
    let mut full = host.to_owned();
    if !namespace.is_empty() {
        full.push('.');
        full.push_str(namespace);
    }
    if !domain.is_empty() {
        full.push_str(".svc.");
        full.push_str(domain);
    }
    Cow::Owned(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_bare_name_is_kept() {
        for host in ["", "*", "*.com", "a.b", "10.0.0.1", "::1", "."] {
            assert_eq!(resolve_short_name(host, "ns", "cluster.local"), host);
        }
    }

    #[test]
    fn missing_parts_are_left_out() {
        assert_eq!(resolve_short_name("a", "", "d"), "a.svc.d");
        assert_eq!(resolve_short_name("a", "ns", ""), "a.ns");
        // A wildcard without a dot is completed like a name; only the lone star is not.
        assert_eq!(resolve_short_name("*a", "ns", "d"), "*a.ns.svc.d");
    }
}
