//! Keeps the answer for every proxy current as objects change.
//!
//! Objects go in; a [`Delta`](crate::snapshot::Delta) says which answers about the mesh differ; units that asked such a
//! question are made anew when their proxy is asked for, all others stay where they are in memory. The oracle is
//! [`compile`](super::compile): the same configuration comes out, whatever the road.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mesh_authz::profile::Profile;
use mesh_model::config_set::{ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks};
use mesh_model::name::StringMap;
use mesh_model::object::ResourceKey;
use mesh_model::origin::Origin;

use super::class::Class;
use super::own::Own;
use super::update::{ProxyUpdate, Update};
use crate::proxy::ProxyConfig;
use crate::proxy_identity::{Families, INSTANCE_IPS, OWNER, Proxy, WORKLOAD_NAME};
use crate::snapshot::{Delta, MeshSnapshot};
use crate::view::{Kinship, settings_written};

/// The configuration of a mesh, and of every proxy that was asked for, kept up to date.
/// Ours: a change costs what depends on it; compiling all anew is the oracle that it is compared with.
///
/// ```
/// use std::sync::Arc;
///
/// use mesh_compile::compiler::Compiler;
/// use mesh_compile::proxy_identity::Proxy;
/// use mesh_model::config_set::Change;
/// use mesh_model::mesh_config::MeshConfig;
/// use mesh_model::yaml::{LoadOptions, load};
///
/// let text = |address: &str| format!(r#"{{"apiVersion": "v1", "kind": "Service",
///   "metadata": {{"name": "reviews", "namespace": "shop"}},
///   "spec": {{"clusterIP": "{address}", "ports": [{{"name": "http", "port": 80}}]}}}}"#);
/// let upsert = |text: &str| load("a.json", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert);
///
/// let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
/// compiler.apply(upsert(&text("10.0.0.1")));
/// let web: Proxy = serde_json::from_str(r#"{"type": "sidecar", "namespace": "shop", "name": "web-0"}"#)?;
/// let before = compiler.config_for(&web);
///
/// let update = compiler.apply(upsert(&text("10.0.0.2")));
/// assert_eq!(update.proxies.len(), 1);
/// let because: Vec<String> = update.proxies[0].because.iter().map(ToString::to_string).collect();
/// let wanted = "the service `reviews.shop.svc.cluster.local`: Service shop/reviews spec (a.json:3:3)";
/// assert!(because.iter().any(|reason| reason == wanted), "{because:?}");
/// let after = compiler.config_for(&web);
/// // The cluster does not know the address: it is the very same one.
/// let name = "outbound|80||reviews.shop.svc.cluster.local";
/// assert_eq!(before.clusters.get(name), after.clusters.get(name));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct Compiler {
    config: ConfigSet,
    options: ApplyOptions,
    snapshot: MeshSnapshot,
    classes: BTreeMap<ClassKey, Class>,
    /// Classes that differ in namespace and labels alone.
    families: BTreeMap<ClassKey, BTreeSet<ClassKey>>,
    /// What clients of namespaces see, in this revision of the mesh; `None`: nobody has looked.
    kinship: Option<Kinship>,
    proxies: BTreeMap<Proxy, (ClassKey, Own)>,
}

/// A class for a proxy that begins with what one of its family knows, preferably one with the same scope.
fn fork(
    classes: &mut BTreeMap<ClassKey, Class>,
    family: &BTreeSet<ClassKey>,
    snapshot: &MeshSnapshot,
    kinship: &Kinship,
    proxy: &Proxy,
) -> Option<Class> {
    let has_scope =
        |key: &&ClassKey| classes.get(key).is_some_and(|class| class.has_scope_of(snapshot, kinship, proxy));
    let chosen = family.iter().find(has_scope).or_else(|| family.first())?;
    let class = classes.get_mut(chosen)?;
    class.refresh(snapshot);
    class.fork(snapshot, kinship, proxy)
}

/// What proxies of one class have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ClassKey {
    /// Without name and account, and without address.
    proxy: Proxy,
    /// Nobody knows the families of a proxy without addresses: it dials gateways of both.
    families: Families,
    /// Settings in the annotation of the Pod.
    settings: Option<String>,
    /// Where addresses make a difference.
    address: Option<IpAddr>,
}

impl ClassKey {
    /// What those have in common that may begin with what others of them know.
    fn family(&self) -> Self {
        let mut proxy = Proxy { namespace: "".into(), labels: StringMap::default(), ..self.proxy.clone() };
        for of_workload in [WORKLOAD_NAME, OWNER] {
            proxy.metadata.remove(of_workload);
        }
        Self { proxy, ..self.clone() }
    }

    fn of(snapshot: &MeshSnapshot, proxy: &Proxy) -> Self {
        let mut shared = Proxy { name: "".into(), service_account: "".into(), ip: None, ..proxy.clone() };
        shared.metadata.remove(INSTANCE_IPS);
        Self {
            proxy: shared,
            families: proxy.families(),
            settings: settings_written(snapshot, proxy).map(str::to_owned),
            address: None,
        }
    }
}

impl Compiler {
    /// An empty mesh. `mesh` is the configuration over its defaults.
    pub fn new(mesh: Arc<MeshConfig>) -> Self {
        Self::with_options(mesh, ApplyOptions::default())
    }

    /// The same with a choice of how documents are taken in.
    pub fn with_options(mesh: Arc<MeshConfig>, options: ApplyOptions) -> Self {
        let config = ConfigSet::new();
        let (snapshot, _) = MeshSnapshot::resolve(&config, mesh);
        let (classes, families, proxies) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { config, options, snapshot, classes, families, kinship: None, proxies }
    }

    /// The objects in force.
    pub fn config(&self) -> &ConfigSet {
        &self.config
    }

    /// The mesh as a whole.
    pub fn snapshot(&self) -> &MeshSnapshot {
        &self.snapshot
    }

    /// Takes in documents and removals. A document that turns bad leaves the last good version in force.
    ///
    /// Proxies are named, not compiled: that is done when they are asked for.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Update {
        let changes: Vec<Change> = changes.into_iter().collect();
        let mut origins: BTreeMap<ResourceKey, Origin> = BTreeMap::new();
        for change in &changes {
            if let Change::Remove(key) = change
                && let Some(provenance) = self.config.provenance(key)
            {
                origins.insert(key.clone(), Origin::written(&provenance, ""));
            }
        }
        let applied = self.config.apply_with(changes, self.options);
        for key in &applied.changed {
            if let Some(provenance) = self.config.provenance(key) {
                origins.insert(key.clone(), Origin::written(&provenance, ""));
            }
        }
        self.kinship = None;
        let (delta, problems) = self.snapshot.update(&self.config, &applied.changed, &origins);
        let mut report = applied.report;
        report.merge(problems);
        let proxies = if delta.is_empty() { Vec::new() } else { self.hear(&delta) };
        Update { report, changed: applied.changed, proxies }
    }

    /// Replaces the mesh configuration (over its defaults): every proxy may be concerned.
    pub fn set_mesh_config(&mut self, mesh: Arc<MeshConfig>) -> Report {
        let (snapshot, report) = MeshSnapshot::resolve(&self.config, mesh);
        self.snapshot = snapshot.with_profile(self.snapshot.profile);
        self.forget_all();
        report
    }

    /// Takes another reading of policies and token rules: every proxy may be concerned.
    pub fn set_profile(&mut self, profile: Profile) {
        if self.snapshot.profile != profile {
            self.snapshot.profile = profile;
            self.forget_all();
        }
    }

    fn forget_all(&mut self) {
        self.kinship = None;
        self.classes.values_mut().for_each(Class::forget);
        self.proxies.values_mut().for_each(|(_, own)| own.forget());
    }

    /// Replaces the networks of the mesh (MeshNetworks): what they change is found out as for changes of objects.
    pub fn set_mesh_networks(&mut self, networks: Arc<MeshNetworks>) -> Update {
        if self.config.mesh_networks == networks {
            return Update::default();
        }
        self.config.mesh_networks = networks;
        self.kinship = None;
        let (delta, report) = self.snapshot.resolve_again(&self.config, &Origin::built_in("MeshNetworks"));
        let proxies = if delta.is_empty() { Vec::new() } else { self.hear(&delta) };
        Update { report, proxies, ..Update::default() }
    }

    /// What a proxy runs. As long as nothing that it runs changes, it is the same in memory; so are listeners, tables
    /// and clusters that are the same in two revisions.
    pub fn config_for(&mut self, proxy: &Proxy) -> Arc<ProxyConfig> {
        let before = self.proxies.get(proxy).map(|(key, _)| key.clone());
        let config = self.refresh(proxy);
        if let Some(before) = before
            && self.proxies.get(proxy).is_some_and(|(key, _)| *key != before)
        {
            self.forget_unused(before);
        }
        config
    }

    fn refresh(&mut self, proxy: &Proxy) -> Arc<ProxyConfig> {
        let Self { snapshot, classes, families, kinship, proxies, .. } = self;
        let (key, own) =
            proxies.entry(proxy.clone()).or_insert_with(|| (ClassKey::of(snapshot, proxy), Own::default()));
        if own.is_stale() {
            let new = ClassKey::of(snapshot, proxy);
            if (ClassKey { address: key.address, ..new.clone() }) != *key {
                *key = new;
            }
        }
        let shared = ClassKey { address: None, ..key.clone() };
        if !classes.contains_key(&shared) {
            let family = families.entry(shared.family()).or_default();
            if !family.is_empty() {
                let kinship = kinship.get_or_insert_with(|| Kinship::of(snapshot));
                if let Some(class) = fork(classes, family, snapshot, kinship, proxy) {
                    classes.insert(shared.clone(), class);
                }
            }
            family.insert(shared.clone());
        }
        let class = classes.entry(shared.clone()).or_insert_with(|| Class::new(proxy, key.settings.clone()));
        class.refresh(snapshot);
        let is_apart = class.depends_on_address() && class.proxy().ip != proxy.ip;
        let wanted = ClassKey { address: proxy.ip.filter(|_| is_apart), ..shared };
        if wanted != *key {
            *key = wanted;
            own.forget();
        }
        let Some(class) = (if is_apart {
            let class = classes.entry(key.clone()).or_insert_with(|| Class::new(proxy, key.settings.clone()));
            class.refresh(snapshot);
            Some(&*class)
        } else {
            classes.get(key)
        }) else {
            return Arc::default();
        };
        own.config(snapshot, proxy, class)
    }

    /// What is wrong with what a proxy runs, as far as only this proxy has it.
    pub fn problems_of(&mut self, proxy: &Proxy) -> Report {
        self.config_for(proxy);
        let mut report = Report::new();
        if let Some((key, own)) = self.proxies.get(proxy) {
            if let Some(class) = self.classes.get(key) {
                class.problems(&mut report);
            }
            own.problems(&mut report);
        }
        report
    }

    /// The proxies that were asked for.
    pub fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.proxies.keys()
    }

    /// How many kinds of proxies there are among them: those of one kind share what they run towards others.
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Forgets a proxy that is gone.
    pub fn forget(&mut self, proxy: &Proxy) {
        if let Some((key, _)) = self.proxies.remove(proxy) {
            self.forget_unused(key);
        }
    }

    /// Forgets a class that no proxy is of any more.
    fn forget_unused(&mut self, key: ClassKey) {
        let shared = ClassKey { address: None, ..key.clone() };
        for unused in [key, shared] {
            let is_used = |(other, _): &(ClassKey, Own)| {
                *other == unused
                    || (unused.address.is_none() && ClassKey { address: None, ..other.clone() } == unused)
            };
            if !self.proxies.values().any(is_used) {
                self.classes.remove(&unused);
                let family = unused.family();
                let others = self.families.get_mut(&family);
                if others.is_some_and(|others| others.remove(&unused) && others.is_empty()) {
                    self.families.remove(&family);
                }
            }
        }
    }

    /// The scope that a proxy's class has.
    #[cfg(test)]
    pub(super) fn scope_of(&self, proxy: &Proxy) -> Option<&Arc<crate::view::Scope>> {
        let (key, _) = self.proxies.get(proxy)?;
        self.classes.get(key).map(Class::scope)
    }

    fn hear(&mut self, delta: &Delta) -> Vec<ProxyUpdate> {
        let of_classes: BTreeMap<&ClassKey, _> =
            self.classes.iter_mut().map(|(key, class)| (key, class.hear(&self.snapshot, delta))).collect();
        let nothing = Vec::new();
        let mut updates = Vec::new();
        for (proxy, (key, own)) in &mut self.proxies {
            let of_class = of_classes.get(key).unwrap_or(&nothing);
            let mut because = own.hear(proxy, delta, of_class);
            because.extend(of_class.iter().filter(|it| !because.contains(it)).cloned().collect::<Vec<_>>());
            if !because.is_empty() {
                updates.push(ProxyUpdate { proxy: proxy.clone(), because });
            }
        }
        updates
    }
}
