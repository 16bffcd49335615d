//! Services and endpoints are those of the whole mesh resolved at once.

use std::sync::Arc;

use super::{HOSTS, NAMESPACES};
use crate::snapshot::MeshSnapshot;

/// Services, endpoints, who sees them and where they are, as one revision has them.
pub(super) fn check(found: &MeshSnapshot, expected: &MeshSnapshot, what: &str) {
    let names = |snapshot: &MeshSnapshot| -> Vec<_> {
        let services = snapshot.registry.services.iter();
        services.map(|it| (Arc::clone(&it.hostname), Arc::clone(&it.default_address))).collect()
    };
    assert_eq!(names(found), names(expected), "services after {what}");
    assert_eq!(found.registry.services, expected.registry.services, "services after {what}");
    assert_eq!(found.registry.endpoints, expected.registry.endpoints, "endpoints after {what}");
    for service in &expected.registry.services {
        assert_eq!(found.registry.by_host(&service.hostname), expected.registry.by_host(&service.hostname));
        assert_eq!(found.registry.identities(service), expected.registry.identities(service));
    }
    for namespace in NAMESPACES {
        let seen = |snapshot: &MeshSnapshot| -> Vec<_> {
            snapshot.service_index.exported_to(namespace).cloned().collect()
        };
        assert_eq!(seen(found), seen(expected), "what {namespace} sees after {what}");
    }
    for host in HOSTS.iter().chain(&["three.ext"]) {
        assert_eq!(found.service_index.by_hostname(host), expected.service_index.by_hostname(host));
    }
    for ip in ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.9.0.1", "10.9.0.2"] {
        let ip = ip.parse().unwrap();
        assert_eq!(found.workloads.endpoints_at(ip), expected.workloads.endpoints_at(ip), "after {what}");
    }
}
