//! How many workloads selectors select: what selects nobody, or everybody by being empty, is mostly a slip, and is seen
//! in a count before anybody looks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use mesh_model::config_set::{ConfigSet, Store};
use mesh_model::name::StringMap;
use mesh_model::object::{Kind, Object};

use super::pods::Pods;

/// The selectors of one kind's objects, counted by the Pods of all clusters.
/// Ours: Istio says of a single policy that it selects nobody, and counts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SelectorCounts {
    /// Objects that have a selector.
    pub written: usize,
    /// Of these, with an empty one, which takes every workload that the object can reach.
    pub empty: usize,
    /// Of these, with one that no workload fits.
    pub of_nobody: usize,
    /// The most workloads that one of them takes.
    pub most: usize,
}

/// Which workloads objects of a kind can select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those of their own namespace (S-004, T-370).
    Namespace,
    /// Those of their own namespace; from the root namespace those of all (S-070).
    Root,
    /// Those of all namespaces (T-400).
    Mesh,
}

/// The counts of every kind whose objects select workloads, by kind; a kind without selectors is left out.
pub(super) fn count(config: &ConfigSet, root_namespace: &str) -> BTreeMap<&'static str, SelectorCounts> {
    let pods = Pods::new(config.pods.iter().map(Arc::as_ref).collect());
    let mut counter = Counter { pods, root_namespace, known: HashMap::new(), counts: BTreeMap::new() };
    counter.add(&config.authorization_policies, Reach::Root, |spec| {
        spec.selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.request_authentications, Reach::Root, |spec| {
        spec.selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.peer_authentications, Reach::Namespace, |spec| {
        spec.selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.telemetries, Reach::Root, |spec| {
        spec.selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.wasm_plugins, Reach::Root, |spec| {
        spec.selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.traffic_extensions, Reach::Root, |spec| {
        spec.selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.proxy_configs, Reach::Namespace, |spec| {
        spec.selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.destination_rules, Reach::Namespace, |spec| {
        spec.workload_selector.as_ref().map(|selector| &selector.match_labels)
    });
    counter.add(&config.envoy_filters, Reach::Root, |spec| {
        spec.workload_selector.as_ref().map(|selector| &selector.labels)
    });
    counter.add(&config.sidecars, Reach::Namespace, |spec| {
        spec.workload_selector.as_ref().map(|selector| &selector.labels)
    });
    counter.add(&config.service_entries, Reach::Namespace, |spec| {
        spec.workload_selector.as_ref().map(|selector| &selector.labels)
    });
    counter.add(&config.gateways, Reach::Mesh, |spec| {
        Some(&spec.selector).filter(|selector| !selector.is_empty())
    });
    counter.counts
}

struct Counter<'c> {
    pods: Pods<'c>,
    root_namespace: &'c str,
    /// How many workloads a selector takes in a namespace, or in all; many objects select the same.
    known: HashMap<(Option<&'c str>, &'c StringMap), usize>,
    counts: BTreeMap<&'static str, SelectorCounts>,
}

impl<'c> Counter<'c> {
    fn add<S: Kind>(
        &mut self,
        store: &'c Store<S>,
        reach: Reach,
        selector: fn(&'c S) -> Option<&'c StringMap>,
    ) {
        for object in store.iter().map(Arc::as_ref) {
            if let Some(labels) = selector(&object.spec) {
                let taken = self.taken(object, reach, labels);
                let counts = self.counts.entry(S::KIND).or_default();
                counts.written += 1;
                counts.empty += usize::from(labels.is_empty());
                counts.of_nobody += usize::from(taken == 0);
                counts.most = counts.most.max(taken);
            }
        }
    }

    fn taken<S>(&mut self, object: &'c Object<S>, reach: Reach, labels: &'c StringMap) -> usize {
        let namespace = Some(&*object.meta.namespace).filter(|namespace| match reach {
            Reach::Namespace => true,
            Reach::Root => *namespace != self.root_namespace,
            Reach::Mesh => false,
        });
        let pods = &self.pods;
        *self.known.entry((namespace, labels)).or_insert_with(|| match namespace {
            // Nothing is asked of the Pods where the selector asks nothing.
            Some(namespace) if labels.is_empty() => pods.of(namespace).len(),
            Some(namespace) => pods.matching_in(namespace, labels).count(),
            None => pods.matching(labels).count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use mesh_model::config_set::{Change, ConfigSet};
    use mesh_model::mesh_config::MeshConfig;
    use mesh_model::yaml::{LoadOptions, load};

    use super::super::{Input, Options, analyze};
    use super::SelectorCounts;

    /// Pods `web` of a, a and b, `api` of the root namespace; objects of `kind` with the selectors of `at`.
    fn counts(api: &str, kind: &str, at: &[(&str, &str)]) -> Option<SelectorCounts> {
        let mut yaml = String::new();
        for (number, (namespace, app)) in
            [("a", "web"), ("a", "web"), ("b", "web"), ("istio-system", "api")].into_iter().enumerate()
        {
            writeln!(yaml, "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: {namespace}, labels: {{app: {app}, number: \"{number}\"}}}}").unwrap();
        }
        for (number, (namespace, spec)) in at.iter().enumerate() {
            writeln!(yaml, "---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: x{number}, namespace: {namespace}}}\nspec: {{{spec}}}").unwrap();
        }
        let loaded = load("test.yaml", &yaml, &LoadOptions::default());
        let mut config = ConfigSet::new();
        let applied = config.apply(loaded.documents.into_iter().map(Change::Upsert));
        assert!(!applied.report.has_errors(), "{:?}", applied.report);
        let analysis = analyze(&Input::new(&config, &MeshConfig::with_defaults()), &Options::default());
        analysis.selectors.get(kind).copied()
    }

    const WEB: &str = "selector: {matchLabels: {app: web}}";

    fn taken(written: usize, empty: usize, of_nobody: usize, most: usize) -> Option<SelectorCounts> {
        Some(SelectorCounts { written, empty, of_nobody, most })
    }

    #[test]
    fn a_policy_of_the_root_namespace_reaches_all_and_another_its_own() {
        let policies = |at: &[(&str, &str)]| counts("security.istio.io/v1", "AuthorizationPolicy", at);
        assert_eq!(policies(&[("a", "action: ALLOW")]), None);
        assert_eq!(policies(&[("a", WEB)]), taken(1, 0, 0, 2));
        assert_eq!(policies(&[("istio-system", WEB)]), taken(1, 0, 0, 3));
        assert_eq!(policies(&[("b", "selector: {}"), ("c", WEB), ("a", WEB)]), taken(3, 1, 1, 2));
        assert_eq!(policies(&[("istio-system", "selector: {}")]), taken(1, 1, 0, 4));
    }

    #[test]
    fn what_reaches_its_own_namespace_only_takes_nobody_elsewhere() {
        let peers = |at: &[(&str, &str)]| counts("security.istio.io/v1", "PeerAuthentication", at);
        assert_eq!(peers(&[("istio-system", WEB), ("b", WEB)]), taken(2, 0, 1, 1));
        let gateways = |at: &[(&str, &str)]| counts("networking.istio.io/v1", "Gateway", at);
        let servers = "servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [x.test]}]";
        assert_eq!(gateways(&[("c", &format!("selector: {{app: web}}, {servers}"))]), taken(1, 0, 0, 3));
        let both =
            "workloadSelector: {labels: {app: web, number: \"2\"}}, outboundTrafficPolicy: {mode: ALLOW_ANY}";
        let sidecars = |at: &[(&str, &str)]| counts("networking.istio.io/v1", "Sidecar", at);
        assert_eq!(sidecars(&[("a", both), ("b", both)]), taken(2, 0, 1, 1));
    }
}
