//! Identities that a service's servers may bear (T-286).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::name::SpiffeId;

use super::service::Service;
use super::{EndpointMap, HostKey, key_of};

/// The identities of every hostname and namespace, sorted. Where several services share them, what the youngest
/// of them adds counts.
pub(super) fn by_host(
    services: &[Arc<Service>],
    endpoints: &EndpointMap,
    trust_domain_aliases: &[String],
) -> BTreeMap<HostKey, Vec<String>> {
    let mut out = BTreeMap::new();
    for service in services {
        let key = key_of(service);
        let found = endpoints.get(&key).into_iter().flatten().map(|endpoint| &*endpoint.identity);
        let written = service.extra_identities.iter().map(|identity| &**identity);
        let names: BTreeSet<&str> = found.filter(|identity| !identity.is_empty()).chain(written).collect();
        let expanded: BTreeSet<String> =
            names.into_iter().flat_map(|name| in_all_trust_domains(name, trust_domain_aliases)).collect();
        out.insert(key, expanded.into_iter().collect());
    }
    out
}

/// An identity as it is and in every other trust domain; a name that is no mesh identity stays alone.
fn in_all_trust_domains(name: &str, aliases: &[String]) -> Vec<String> {
    let mut out = vec![name.to_owned()];
    if let Ok(identity) = name.parse::<SpiffeId>() {
        out.extend(aliases.iter().map(|trust_domain| {
            format!("spiffe://{trust_domain}/ns/{}/sa/{}", identity.namespace(), identity.service_account())
        }));
    }
    out
}
