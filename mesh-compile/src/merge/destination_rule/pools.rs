//! The pools in which a client looks for the rule of a service (T-220, T-222).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::{host_matches, host_subset_of, is_wildcard, most_specific_match};
use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::object::Object;
use mesh_model::resolved::Level;
use smallvec::SmallVec;

use super::MergedDestinationRule;
use super::fold::fold_into;
use crate::export_to::{OWN_NAMESPACE, PUBLIC};

/// The rules that were found for a service; mostly one (T-224).
pub type Rules = SmallVec<[Arc<MergedDestinationRule>; 2]>;

/// Consolidated rules by where they are looked for (T-220, T-222).
#[derive(Debug, Clone, Default)]
pub struct DestinationRuleIndex {
    /// By namespace: rules usable by its own clients.
    local: BTreeMap<Arc<str>, Pool>,
    /// By namespace: rules that others may see.
    exported: BTreeMap<Arc<str>, Pool>,
    /// Rules of the root namespace that only it sees.
    root_private: Pool,
    root_namespace: Arc<str>,
    private_by_default: bool,
    /// Rules from policies of the Gateway API.
    made: Vec<MergedDestinationRule>,
    /// Namespaces and hosts of rules that hash.
    hashing: BTreeSet<(Arc<str>, String)>,
}

/// Rules by host; rules of different hosts never touch (T-228).
#[derive(Debug, Clone, Default)]
struct Pool {
    exact: BTreeMap<String, Vec<Arc<MergedDestinationRule>>>,
    wildcards: BTreeMap<String, Vec<Arc<MergedDestinationRule>>>,
}

impl DestinationRuleIndex {
    /// Sorts the rules into pools and folds those of one host, whatever the order they come in (T-005, T-222, T-226).
    ///
    /// `made` come from policies of the Gateway API: they have no age, so they come before those that are written.
    pub fn build(
        rules: &[Arc<Object<DestinationRule>>],
        made: Vec<MergedDestinationRule>,
        mesh: &MeshConfig,
    ) -> Self {
        let private_by_default =
            mesh.default_destination_rule_export_to().iter().any(|value| value == OWN_NAMESPACE);
        let root_namespace: Arc<str> = mesh.root_namespace().into();
        let drafts = Drafts::of(rules, made.clone(), private_by_default, &root_namespace);
        let pools = |drafts: BTreeMap<Arc<str>, Draft>| {
            drafts.into_iter().map(|(namespace, draft)| (namespace, draft.finish())).collect()
        };
        let mut index = Self {
            local: pools(drafts.local),
            exported: pools(drafts.exported),
            root_private: drafts.root_private.finish(),
            root_namespace,
            private_by_default,
            made,
            hashing: BTreeSet::new(),
        };
        let pools = index.local.values().chain(index.exported.values()).chain([&index.root_private]);
        let hashing = pools.flat_map(Pool::all).filter(|rule| rule.hashes());
        index.hashing = hashing.map(|rule| (Arc::clone(&rule.namespace), rule.spec.host.clone())).collect();
        index
    }

    /// Whether any rule hashes.
    pub(crate) fn hashes(&self) -> bool {
        !self.hashing.is_empty()
    }

    /// Whether the rule for a host that `host` covers may hash. A rule that does not may hide one that does.
    fn may_hash(&self, host: &str) -> bool {
        self.hashing.iter().any(|(_, other)| host_matches(other, host))
    }

    /// Folds the rules of one host of a namespace again: `rules` are all that are written there for it. Says whether a
    /// rule for that host hashes, before or after.
    pub(crate) fn fold_again(
        &mut self,
        namespace: &Arc<str>,
        host: &str,
        rules: &[Arc<Object<DestinationRule>>],
    ) -> bool {
        let is_of_host =
            |rule: &&MergedDestinationRule| rule.namespace == *namespace && rule.spec.host == host;
        let made = self.made.iter().filter(is_of_host).cloned().collect();
        let drafts = Drafts::of(rules, made, self.private_by_default, &self.root_namespace);
        let hashed = self.may_hash(host);
        let mut hashes = false;
        let mut put = |pool: &mut Pool, draft: Option<Draft>| {
            let new = draft.unwrap_or_default().finish();
            hashes |= new.all().any(|rule| rule.hashes());
            pool.replace(host, new);
        };
        let Drafts { mut local, mut exported, root_private } = drafts;
        put(self.local.entry(Arc::clone(namespace)).or_default(), local.remove(namespace));
        put(self.exported.entry(Arc::clone(namespace)).or_default(), exported.remove(namespace));
        if *namespace == self.root_namespace {
            put(&mut self.root_private, Some(root_private));
        }
        let key = (Arc::clone(namespace), host.to_owned());
        if hashes {
            self.hashing.insert(key);
        } else {
            self.hashing.remove(&key);
        }
        hashed || self.may_hash(host)
    }

    /// Hosts whose rules differ, and whether a rule for them hashes in either.
    pub(crate) fn differences(&self, new: &Self) -> BTreeMap<Arc<str>, bool> {
        let mut found = BTreeSet::new();
        let empty = Pool::default();
        let namespaces = |map: &BTreeMap<Arc<str>, Pool>| map.keys().cloned().collect::<BTreeSet<_>>();
        for (old, new) in [(&self.local, &new.local), (&self.exported, &new.exported)] {
            for namespace in namespaces(old).union(&namespaces(new)) {
                let pool = |map: &BTreeMap<Arc<str>, Pool>| map.get(namespace).unwrap_or(&empty).clone();
                pool(old).compare(&pool(new), &mut found);
            }
        }
        self.root_private.compare(&new.root_private, &mut found);
        let hashes = |host: &str| self.may_hash(host) || new.may_hash(host);
        found.into_iter().map(|host| (Arc::from(host.as_str()), hashes(&host))).collect()
    }

    /// The rules for a service, seen from a client's namespace: the first pool that has any decides (T-220).
    pub fn find(&self, client: &str, hostname: &str, service_namespace: &str) -> Rules {
        // The root namespace holds rules meant for everyone: its own clients do not let them hide those of the services.
        let own =
            if client == &*self.root_namespace { Some(&self.root_private) } else { self.local.get(client) };
        if let Some(found) = own.and_then(|pool| pool.find(hostname)) {
            return found.iter().cloned().collect();
        }
        let from_service = self.exported_by(service_namespace, hostname, client);
        if !from_service.is_empty() {
            return from_service;
        }
        self.exported_by(&self.root_namespace, hostname, client)
    }

    /// Every rule for a service that a client's namespace can use, pool after pool in the order in which they are asked,
    /// in each those for the most specific host first. What [`find`](Self::find) finds is the first pool's first host.
    pub fn find_all(&self, client: &str, hostname: &str, service_namespace: &str) -> Vec<(Level, Rules)> {
        let own =
            if client == &*self.root_namespace { Some(&self.root_private) } else { self.local.get(client) };
        let mut all: Vec<(Level, Rules)> = own
            .into_iter()
            .flat_map(|pool| pool.find_all(hostname))
            .map(|rules| (Level::Namespace, rules.iter().cloned().collect()))
            .collect();
        for (level, owner) in
            [(Level::ServiceNamespace, service_namespace), (Level::RootNamespace, &*self.root_namespace)]
        {
            let pool = self.exported.get(owner);
            for rules in pool.into_iter().flat_map(|pool| pool.find_all(hostname)) {
                let is_known = |rule: &MergedDestinationRule| {
                    all.iter().flat_map(|(_, rules)| rules).any(|it| it.is_of_same_object(rule))
                };
                let rules: Rules =
                    rules.iter().filter(|it| is_visible(it, client) && !is_known(it)).cloned().collect();
                if !rules.is_empty() {
                    all.push((level, rules));
                }
            }
        }
        all
    }

    /// Hosts of the rules that the clients of a namespace alone look at first.
    pub(crate) fn own_hosts(&self, client: &str) -> impl Iterator<Item = &str> {
        let own =
            if client == &*self.root_namespace { Some(&self.root_private) } else { self.local.get(client) };
        own.into_iter().flat_map(|pool| pool.exact.keys().chain(pool.wildcards.keys())).map(String::as_str)
    }

    /// Namespaces that exported rules name as those that may use them, with the hosts of these rules.
    pub(crate) fn named_viewers(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
        let rules = self.exported.values().flat_map(Pool::all);
        let named = rules.filter(|rule| !rule.export_to.is_empty() && !rule.export_to.contains(PUBLIC));
        named.flat_map(|rule| {
            rule.export_to.iter().map(|viewer| (viewer.as_str().into(), rule.spec.host.as_str().into()))
        })
    }

    /// Rules of `owner` for the most specific host, then without those not exported to `client` (T-221 (b)).
    fn exported_by(&self, owner: &str, hostname: &str, client: &str) -> Rules {
        let found = self.exported.get(owner).and_then(|pool| pool.find(hostname)).unwrap_or_default();
        found.iter().filter(|rule| is_visible(rule, client)).cloned().collect()
    }
}

/// Whether a rule of a pool of exported ones may be seen from a client's namespace.
fn is_visible(rule: &MergedDestinationRule, client: &str) -> bool {
    let export_to = &rule.export_to;
    export_to.is_empty() || export_to.contains(PUBLIC) || export_to.contains(client)
}

/// Pools while they are filled.
#[derive(Default)]
struct Drafts {
    local: BTreeMap<Arc<str>, Draft>,
    exported: BTreeMap<Arc<str>, Draft>,
    root_private: Draft,
}

impl Drafts {
    fn of(
        rules: &[Arc<Object<DestinationRule>>],
        made: Vec<MergedDestinationRule>,
        private_by_default: bool,
        root_namespace: &Arc<str>,
    ) -> Self {
        let mut rules: Vec<_> = rules.iter().collect();
        rules.sort_by(|a, b| order(a).cmp(&order(b)));
        let mut drafts = Self::default();
        let (selecting, plain): (Vec<_>, Vec<_>) = rules
            .into_iter()
            .map(|object| MergedDestinationRule::single(object))
            .partition(MergedDestinationRule::has_selector);
        for rule in selecting.into_iter().chain(made).chain(plain) {
            let namespace = Arc::clone(&rule.namespace);
            if is_usable_at_home(&rule) {
                drafts.local.entry(Arc::clone(&namespace)).or_default().add(rule.clone());
            }
            if !is_private(&rule, private_by_default) {
                drafts.exported.entry(namespace).or_default().add(rule);
            } else if namespace == *root_namespace {
                drafts.root_private.add(rule);
            }
        }
        drafts
    }
}

impl Pool {
    fn all(&self) -> impl Iterator<Item = &Arc<MergedDestinationRule>> {
        self.exact.values().chain(self.wildcards.values()).flatten()
    }

    fn at(&self, host: &str) -> impl Iterator<Item = &Arc<MergedDestinationRule>> {
        [self.exact.get(host), self.wildcards.get(host)].into_iter().flatten().flatten()
    }

    /// Puts the rules of `new` for a host in place of its own.
    fn replace(&mut self, host: &str, new: Self) {
        self.exact.remove(host);
        self.wildcards.remove(host);
        self.exact.extend(new.exact);
        self.wildcards.extend(new.wildcards);
    }

    /// Collects the hosts that have other rules in `new`.
    fn compare(&self, new: &Self, found: &mut BTreeSet<String>) {
        let hosts: BTreeSet<&String> =
            [self, new].into_iter().flat_map(|pool| pool.exact.keys().chain(pool.wildcards.keys())).collect();
        for host in hosts {
            if !self.at(host).eq(new.at(host)) {
                found.insert(host.clone());
            }
        }
    }

    /// The rules of every host that covers a name, the most specific host first.
    fn find_all(&self, hostname: &str) -> Vec<&[Arc<MergedDestinationRule>]> {
        let mut covering: Vec<_> =
            self.wildcards.iter().filter(|(host, _)| host_subset_of(hostname, host)).collect();
        // They all end the name: the longer, the more specific.
        covering.sort_by_key(|(host, _)| std::cmp::Reverse(host.len()));
        let of_wildcards = covering.into_iter().map(|(_, rules)| rules);
        self.exact.get(hostname).into_iter().chain(of_wildcards).map(Vec::as_slice).collect()
    }

    fn find(&self, hostname: &str) -> Option<&[Arc<MergedDestinationRule>]> {
        most_specific_match(hostname, &self.exact, &self.wildcards).map(|(_, rules)| rules.as_slice())
    }
}

/// A pool while it is filled.
#[derive(Default)]
struct Draft {
    by_host: BTreeMap<String, Vec<MergedDestinationRule>>,
}

impl Draft {
    fn add(&mut self, rule: MergedDestinationRule) {
        fold_into(self.by_host.entry(rule.spec.host.clone()).or_default(), rule);
    }

    fn finish(self) -> Pool {
        let shared = |(host, rules): (String, Vec<MergedDestinationRule>)| {
            (host, rules.into_iter().map(Arc::new).collect::<Vec<_>>())
        };
        let (wildcards, exact) =
            self.by_host.into_iter().map(shared).partition(|(host, _)| is_wildcard(host));
        Pool { exact, wildcards }
    }
}

/// Rules with a workload selector first, then by age, name and namespace (T-005).
fn order(rule: &Object<DestinationRule>) -> (bool, (i64, &str, &str), &str) {
    (rule.spec.workload_selector.is_none(), rule.precedence(), &rule.meta.cluster)
}

/// Whether clients of its own namespace may use it (T-222).
fn is_usable_at_home(rule: &MergedDestinationRule) -> bool {
    let export_to = &rule.export_to;
    export_to.is_empty()
        || export_to.contains(PUBLIC)
        || export_to.contains(OWN_NAMESPACE)
        || export_to.contains(&*rule.namespace)
}

/// Whether no other namespace sees it; of the mesh's default only `.` counts (T-026, T-222).
fn is_private(rule: &MergedDestinationRule, private_by_default: bool) -> bool {
    let export_to = &rule.export_to;
    if export_to.is_empty() {
        return private_by_default;
    }
    export_to.len() == 1 && (export_to.contains(OWN_NAMESPACE) || export_to.contains(&*rule.namespace))
}
