//! ReferenceGrants: who may refer to what in other namespaces (E-102).

use std::collections::BTreeMap;

use mesh_model::config_set::ConfigSet;
use mesh_model::gateway_api::{GROUP, GrantFrom, GrantTo};

use crate::registry::Registry;

/// Kinds of the Gateway API that may be let in.
const FROM: [&str; 6] = ["Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "ListenerSet"];
/// Kinds of the core group that may be opened.
const TO: [&str; 3] = ["ConfigMap", "Secret", "Service"];

/// Kind and namespace of who refers, kind and namespace of what is referred to.
type Pair = (String, String, String, String);

/// Everything that is granted.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// Names; `None`: all.
    by_pair: BTreeMap<Pair, Vec<Option<String>>>,
}

impl Grants {
    pub(super) fn read(config: &ConfigSet, registry: &Registry) -> Self {
        let mut grants = Self::default();
        for grant in config.reference_grants.iter() {
            if !registry.namespaces.is_discovered(&grant.meta.cluster, &grant.meta.namespace) {
                continue;
            }
            for from in grant.spec.spec.from.iter().filter(|from| is_known_source(from)) {
                for to in grant.spec.spec.to.iter().filter(|to| is_known_target(to)) {
                    let pair = (
                        from.kind.clone(),
                        from.namespace.clone(),
                        to.kind.clone(),
                        grant.meta.namespace.to_string(),
                    );
                    grants.by_pair.entry(pair).or_default().push(to.name.clone());
                }
            }
        }
        grants
    }

    /// Whether an object of `kind` in `namespace` may refer to one of the core group elsewhere.
    pub(super) fn allow(&self, kind: &str, namespace: &str, target: Target<'_>) -> bool {
        if target.namespace == namespace {
            return true;
        }
        let pair =
            (kind.to_owned(), namespace.to_owned(), target.kind.to_owned(), target.namespace.to_owned());
        let names = self.by_pair.get(&pair).map_or(&[][..], Vec::as_slice);
        names.iter().any(|name| name.as_deref().is_none_or(|name| name == target.name))
    }
}

/// What is referred to, of the core group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'t> {
    pub(super) kind: &'t str,
    pub(super) namespace: &'t str,
    pub(super) name: &'t str,
}

fn is_known_source(from: &GrantFrom) -> bool {
    from.group == GROUP && FROM.contains(&from.kind.as_str())
}

fn is_known_target(to: &GrantTo) -> bool {
    to.group.is_empty() && TO.contains(&to.kind.as_str())
}
