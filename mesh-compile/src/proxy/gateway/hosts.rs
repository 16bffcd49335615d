//! Hosts of servers: namespaces before them, server names, and what they have in common with VirtualServices
//! (T-415 to T-417, T-421, E-030).

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::name::{host_intersection, host_matches};

/// `./host` gets the Gateway's namespace, `*/host` loses it, `*/*` stands alone for everything (T-415).
pub(super) fn sanitize(hosts: &[String], namespace: &str) -> Vec<String> {
    let mut sanitized = Vec::with_capacity(hosts.len());
    for host in hosts {
        match host.split_once('/') {
            Some((".", name)) => sanitized.push(format!("{namespace}/{name}")),
            Some(("*", "*")) => return vec!["*".to_owned()],
            Some(("*", name)) => sanitized.push(name.to_owned()),
            _ => sanitized.push(host.clone()),
        }
    }
    sanitized
}

/// The host behind a namespace.
pub(super) fn without_namespace(host: &str) -> &str {
    host.split_once('/').map_or(host, |(_, name)| name)
}

/// Server names as a chain matches them: lower case, sorted, once each; none where `*` is among them (T-421, E-030).
pub(super) fn server_names<'h>(hosts: impl Iterator<Item = &'h str>) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = hosts.map(|host| host.to_ascii_lowercase().into()).collect();
    if names.iter().any(|name| &**name == "*") {
        return Vec::new();
    }
    names.sort();
    names.dedup();
    names
}

/// The hosts of a server that VirtualServices of `namespace` may use (T-415).
fn usable<'h>(server_hosts: &'h [String], namespace: &str) -> impl Iterator<Item = &'h str> {
    server_hosts.iter().filter_map(move |host| match host.split_once('/') {
        Some((required, name)) => (required == namespace || required == "*").then_some(name),
        None => Some(host.as_str()),
    })
}

/// What a server and a VirtualService of `namespace` have in common, in order of the server's hosts, once each (T-416).
pub(super) fn intersection<'h>(
    server_hosts: &'h [String],
    hosts: &'h [String],
    namespace: &str,
) -> Vec<&'h str> {
    let mut common = Vec::new();
    let mut seen = BTreeSet::new();
    for server_host in usable(server_hosts, namespace) {
        for host in hosts {
            if let Some(narrower) = host_intersection(server_host, host)
                && seen.insert(narrower)
            {
                common.push(narrower);
            }
        }
    }
    common
}

/// Whether a VirtualService of `namespace` overlaps with a server (T-425, T-426).
pub(super) fn overlap(server_hosts: &[String], hosts: &[String], namespace: &str) -> bool {
    usable(server_hosts, namespace)
        .any(|server_host| hosts.iter().any(|host| host_matches(server_host, host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(|host| (*host).to_owned()).collect()
    }

    #[test]
    fn t_415_namespaces_before_hosts_are_resolved() {
        let hosts = owned(&["a.com", "./b.com", "*/c.com", "prod/d.com"]);
        assert_eq!(sanitize(&hosts, "ns"), ["a.com", "ns/b.com", "c.com", "prod/d.com"]);
        assert_eq!(sanitize(&owned(&["a.com", "*/*", "./b.com"]), "ns"), ["*"]);
    }

    #[test]
    fn t_416_the_narrower_of_two_hosts_is_bound() {
        let server = owned(&["*.com", "prod/x.org"]);
        assert_eq!(
            intersection(&server, &owned(&["a.com", "*.com", "x.org"]), "prod"),
            ["a.com", "*.com", "x.org"]
        );
        assert_eq!(intersection(&server, &owned(&["x.org"]), "dev"), Vec::<&str>::new());
        assert_eq!(intersection(&owned(&["a.com"]), &owned(&["*.com", "*"]), "dev"), ["a.com"]);
        assert!(intersection(&owned(&["A.com"]), &owned(&["a.com"]), "dev").is_empty());
    }

    #[test]
    fn t_421_a_star_leaves_no_condition_on_server_names() {
        assert!(server_names(["a.com", "*"].into_iter()).is_empty());
        let names: Vec<_> = server_names(["B.com", "*.a.com", "b.com"].into_iter());
        assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["*.a.com", "b.com"]);
    }
}
