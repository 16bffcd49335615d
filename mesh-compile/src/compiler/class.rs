//! What proxies of one kind, namespace and labels share: scope, outbound listeners and tables, clusters towards services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::origin::Origin;

use super::clusters::Clusters;
use super::hearing::Hearing;
use super::tables::TableWork;
use super::units::{Questions, Remembering, Routes, UnitKey};
use super::update::Because;
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy::cluster::Cluster;
use crate::proxy::clusters::ClusterCompiler;
use crate::proxy::listener::Listener;
use crate::proxy::outbound::{self, Exchanged, Listening, PortTables, Refreshed};
use crate::proxy_identity::{Proxy, ProxyKind};
use crate::registry::HostKey;
use crate::registry::service::Service;
use crate::route_table::RouteTable;
use crate::shared_map::SharedMap;
use crate::snapshot::{Delta, MeshSnapshot};
use crate::view::{Asked, Concern, Lookup, Recorder, Scope, View};

/// Units of a class, and what of them is out of date.
#[derive(Debug)]
pub(super) struct Class {
    /// One of the class; its address is looked at where [`depends_on_address`](Self::depends_on_address) says so.
    pub(super) proxy: Proxy,
    /// The settings that their Pods have in common.
    pub(super) settings: Option<String>,
    pub(super) scope: Arc<Scope>,
    pub(super) recorder: Recorder,
    pub(super) questions: Questions,
    pub(super) routes: Routes,
    pub(super) listening: Option<Arc<Heard>>,
    pub(super) listeners: Vec<Arc<Listener>>,
    pub(super) tables: Vec<PortTables>,
    pub(super) clusters: Clusters,
    pub(super) stale: Stale,
    /// Counts refreshes that did something.
    pub(super) revision: u64,
}

/// Listeners with the questions asked for them, but for those that [`UnitKey::Listeners`] remembers.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) listening: Listening,
    pub(super) asked: Asked,
    report: Report,
}

/// What is out of date.
#[derive(Debug, Default)]
pub(super) struct Stale {
    pub(super) scope: bool,
    /// The scope that is to be, where it is known.
    pub(super) prepared: Option<Scope>,
    pub(super) listeners: bool,
    pub(super) units: BTreeSet<UnitKey>,
    /// Hosts, in lower case, of services whose other names this proxy knows are not those that the tables have.
    pub(super) renamed: Vec<Arc<str>>,
    pub(super) rewritten: BTreeMap<HostKey, Arc<MergedVirtualService>>,
    /// Services that are other versions of what they were, by hostname.
    pub(super) services: BTreeMap<Arc<str>, Arc<Service>>,
    /// What came into the scope, went, or has another shape.
    pub(super) exchanged: Exchanged,
}

impl Stale {
    pub(super) fn is_empty(&self) -> bool {
        !self.scope
            && !self.listeners
            && self.units.is_empty()
            && self.renamed.is_empty()
            && self.rewritten.is_empty()
            && self.services.is_empty()
            && self.exchanged.is_empty()
    }
}

impl Class {
    /// A class with nothing compiled yet.
    pub(super) fn new(proxy: &Proxy, settings: Option<String>) -> Self {
        Self {
            proxy: proxy.clone(),
            settings,
            scope: Arc::default(),
            recorder: Recorder::default(),
            questions: Questions::default(),
            routes: Routes::default(),
            listening: None,
            listeners: Vec::new(),
            tables: Vec::new(),
            clusters: Clusters::default(),
            stale: Stale { scope: true, ..Stale::default() },
            revision: 0,
        }
    }

    pub(super) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn listeners(&self) -> &[Arc<Listener>] {
        &self.listeners
    }

    /// The tables of outbound listeners.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Arc<RouteTable>> {
        let unknown = self.listening.iter().filter_map(|heard| heard.listening.unknown.as_ref());
        self.tables.iter().flat_map(PortTables::tables).chain(unknown)
    }

    pub(super) fn clusters(&self) -> &SharedMap<Arc<Cluster>> {
        &self.clusters.by_name
    }

    /// Whether what was compiled looks at the address of the proxy, which others of the class do not share.
    pub(super) fn depends_on_address(&self) -> bool {
        self.listening.as_ref().is_some_and(|heard| heard.asked.contains(&Lookup::OwnAddress))
    }

    /// What is wrong with the parts.
    pub(super) fn problems(&self, report: &mut Report) {
        for problems in self.listening.iter().map(|heard| &heard.report).chain(self.routes.problems()) {
            report.merge(problems.clone());
        }
    }

    /// Notes what a change puts out of date, and why.
    pub(super) fn hear(&mut self, snapshot: &MeshSnapshot, delta: &Delta) -> Vec<Because> {
        let mut because = Vec::new();
        if self.revision == 0 {
            return because;
        }
        self.hear_of_scope(snapshot, delta, &mut because);
        // How a proxy is set up is asked before anything else.
        for home in [&*self.proxy.namespace.clone(), snapshot.mesh.root_namespace()] {
            if let Some(origin) = delta.proxy_configs.get(home) {
                self.forget();
                because.push(Because::new(Lookup::ProxyConfig(home.into()), origin));
            }
        }
        for (host, change) in &delta.destination_rules {
            for question in self.questions.about_rules(host, change.hashes) {
                self.hear_of(&question, &change.origin, &mut because);
            }
            let listens = self.listening.as_ref().is_some_and(|heard| {
                heard.asked.iter().any(|question| {
                    matches!(question, Lookup::DestinationRule(asked) if mesh_model::name::host_subset_of(asked, host))
                })
            });
            if listens {
                self.stale.listeners = true;
                because.push(Because::new(Lookup::DestinationRule(Arc::clone(host)), &change.origin));
            }
        }
        for (host, origin) in &delta.endpoints {
            self.hear_of(&Lookup::Endpoints(Arc::clone(host)), origin, &mut because);
        }
        for (namespace, origin) in &delta.peer_authentications {
            self.hear_of(&Lookup::PeerAuthentication(Arc::clone(namespace)), origin, &mut because);
        }
        because
    }

    /// Puts what asked a question out of date.
    fn hear_of(&mut self, question: &Lookup, origin: &Origin, because: &mut Vec<Because>) {
        let units: Vec<_> = self.questions.units(question).cloned().collect();
        let listens = self.listening.as_ref().is_some_and(|heard| heard.asked.contains(question));
        if units.is_empty() && !listens {
            return;
        }
        self.stale.units.extend(units);
        self.stale.listeners |= listens;
        because.push(Because::new(question.clone(), origin));
    }

    fn hear_of_scope(&mut self, snapshot: &MeshSnapshot, delta: &Delta, because: &mut Vec<Because>) {
        let namespace = Arc::clone(&self.proxy.namespace);
        for home in [&*namespace, snapshot.mesh.root_namespace()] {
            let Some(origin) = delta.sidecars.get(home) else { continue };
            if !self.scope.has_sidecar_of(snapshot, &self.proxy) {
                self.stale.scope = true;
                because.push(Because::new(Lookup::Sidecar, origin));
            }
        }
        for (host, origin) in &delta.services {
            if self.scope.is_concerned_by_service(snapshot, &namespace, host) {
                if !self.rewrite_service(delta, host) && !self.exchange_service(snapshot, delta, host) {
                    self.stale.scope = true;
                }
                because.push(Because::new(Lookup::Service(Arc::clone(host)), origin));
            }
        }
        for change in &delta.virtual_services {
            let concern = self.scope.concern(&namespace, change.old.as_ref(), change.new.as_ref());
            let has_layer_four = [&change.old, &change.new]
                .into_iter()
                .flatten()
                .any(|it| !it.spec.tcp.is_empty() || !it.spec.tls.is_empty());
            let question = match (concern, &change.old, &change.new) {
                (Concern::Nothing, ..) => continue,
                (Concern::Rewritten, Some(old), Some(new)) if !self.stale.scope => {
                    Arc::make_mut(&mut self.scope).rewrite(old, new);
                    let name = (Arc::clone(&new.namespace), Arc::clone(&new.name));
                    self.stale.rewritten.insert(name.clone(), Arc::clone(new));
                    self.stale.listeners |= has_layer_four;
                    Lookup::VirtualService(name.0, name.1)
                }
                _ => {
                    if self.exchange_virtual_service(snapshot, change) {
                        self.stale.listeners |= has_layer_four;
                    } else {
                        self.stale.scope = true;
                    }
                    Lookup::Scope
                }
            };
            because.push(Because::new(question, &change.origin));
        }
    }

    /// Puts everything out of date; what comes out the same stays in its place all the same.
    pub(super) fn forget(&mut self) {
        self.routes = Routes::default();
        self.questions = Questions::default();
        // The scope may hold services already whose clusters nobody has made yet.
        let mut units = std::mem::take(&mut self.stale.units);
        units.retain(|unit| matches!(unit, UnitKey::Clusters(_)));
        units.extend(self.clusters.by_host.iter().map(|(host, _)| UnitKey::Clusters(Arc::clone(host))));
        self.stale = Stale { scope: true, units, ..Stale::default() };
    }

    /// Compiles what is out of date.
    pub(super) fn refresh(&mut self, snapshot: &MeshSnapshot) {
        if self.stale.is_empty() {
            return;
        }
        let mut stale = std::mem::take(&mut self.stale);
        let is_new = self.revision == 0;
        self.revision += 1;
        if stale.scope {
            let prepared = stale.prepared.take();
            let scope = Arc::new(prepared.unwrap_or_else(|| Scope::of(snapshot, &self.proxy)));
            for host in self.scope.differing_hosts(&scope) {
                let lower: Arc<str> = host.to_ascii_lowercase().into();
                for question in [Lookup::Service(Arc::clone(&host)), Lookup::Service(lower)] {
                    stale.units.extend(self.questions.units(&question).cloned());
                }
                stale.units.insert(UnitKey::Clusters(host));
            }
            self.scope = scope;
        }
        let Self {
            proxy,
            settings,
            scope,
            recorder,
            questions,
            routes,
            listening,
            listeners,
            tables,
            clusters,
            ..
        } = self;
        let view = View::of_class(snapshot, proxy, settings.as_deref(), Arc::clone(scope), recorder);

        let mut rewritten = stale.rewritten;
        let mut hosts = BTreeSet::new();
        let mut defaults = BTreeSet::new();
        let mut askers = BTreeSet::new();
        for unit in stale.units {
            match &unit {
                UnitKey::Routes(.., namespace, name) => {
                    let name = (Arc::clone(namespace), Arc::clone(name));
                    // What it was made from is not what it is to be made from where that was exchanged.
                    let is_exchanged = stale.exchanged.virtual_services.contains(&name);
                    if let Some(virtual_service) = routes.virtual_service(&unit)
                        && !is_exchanged
                    {
                        rewritten.entry(name).or_insert_with(|| Arc::clone(virtual_service));
                    }
                    routes.forget(&unit);
                }
                UnitKey::DefaultRoute(_, _, host, _) => {
                    routes.forget(&unit);
                    if !stale.services.contains_key(host) {
                        defaults.insert(Arc::clone(host));
                    }
                }
                UnitKey::Clusters(host) => {
                    hosts.insert(Arc::clone(host));
                }
                UnitKey::Listeners(host) => {
                    askers.insert(Arc::clone(host));
                }
            }
        }

        if proxy.kind == ProxyKind::Sidecar {
            let mut asks_for_others = is_new;
            let mut is_heard = false;
            if let Some(heard) = listening.as_mut()
                && !(stale.scope || stale.listeners || is_new)
            {
                let outcome = if askers.is_empty() {
                    Refreshed::Done
                } else {
                    let mut hearing = Hearing::of(recorder, Some(&askers));
                    recorder.begin();
                    let heard = Arc::make_mut(heard);
                    let outcome = heard.listening.refresh(&view, &askers, &mut hearing);
                    recorder.end().into_iter().for_each(|question| heard.asked.insert(question));
                    if outcome != Refreshed::Anew {
                        hearing.remember(askers.iter(), questions);
                        listeners.clone_from(&heard.listening.listeners);
                    }
                    outcome
                };
                is_heard = outcome != Refreshed::Anew;
                asks_for_others |= outcome == Refreshed::OtherTables;
            }
            if !is_heard {
                let mut hearing = Hearing::of(recorder, None);
                recorder.begin();
                let (new, report) = outbound::listen(&view, listeners, &mut hearing);
                let mut heard = Heard { listening: new, asked: recorder.end(), report };
                asks_for_others |= listening
                    .as_ref()
                    .is_none_or(|old| !old.listening.asks_for_same_tables(&heard.listening));
                if let (Some(old), Some(new)) = (
                    listening.as_ref().and_then(|old| old.listening.unknown.as_ref()),
                    &heard.listening.unknown,
                ) && old.is_same_as(new)
                {
                    heard.listening.unknown = Some(Arc::clone(old));
                }
                let before = listening.iter().flat_map(|old| old.listening.hosts());
                hearing.remember(before.chain(&askers), questions);
                listeners.clone_from(&heard.listening.listeners);
                *listening = Some(Arc::new(heard));
            }
            if let Some(heard) = listening.as_ref() {
                let work = TableWork {
                    everything: stale.scope,
                    asks_for_others,
                    renamed: &stale.renamed,
                    defaults: &defaults,
                    services: &stale.services,
                    exchanged: &stale.exchanged,
                    rewritten: &rewritten,
                };
                let mut cache = Remembering { routes, questions, recorder };
                work.refresh(&view, &heard.listening, tables, &mut cache);
            }
        }

        let compiler = ClusterCompiler::new(&view);
        if is_new {
            clusters.by_name = SharedMap::with_room(scope.services.len().saturating_mul(3));
        }
        for host in hosts {
            recorder.begin();
            let found = scope.service(&host).map(|service| compiler.of_service(service));
            let mut asked = recorder.end();
            let unit = UnitKey::Clusters(Arc::clone(&host));
            match found {
                Some(found) => {
                    asked.insert(Lookup::Service(Arc::clone(&host)));
                    questions.remember(&unit, asked);
                    clusters.replace(&host, found);
                }
                None => {
                    questions.forget(&unit);
                    clusters.replace(&host, Vec::new());
                }
            }
        }
        if stale.scope || is_new {
            clusters.set_fixed(compiler.fixed());
        }
        clusters.settle(scope);
    }
}

/// New clusters, those that are the same as old ones in their old place in memory; of two with one name the first.
pub(super) fn keep_clusters(old: &[Arc<Cluster>], new: Vec<Cluster>) -> Vec<Arc<Cluster>> {
    let mut kept: Vec<Arc<Cluster>> = Vec::with_capacity(new.len());
    for cluster in new {
        if kept.iter().any(|it| it.name == cluster.name) {
            continue;
        }
        let same = old.iter().find(|it| it.name == cluster.name && it.is_same_as(&cluster));
        kept.push(same.map_or_else(|| Arc::new(cluster), Arc::clone));
    }
    kept
}

/// New listeners, those that are the same as old ones in their old place in memory.
pub(super) fn keep_listeners(old: &[Arc<Listener>], new: Vec<Listener>) -> Vec<Arc<Listener>> {
    let mut by_name: BTreeMap<&str, &Arc<Listener>> = BTreeMap::new();
    for listener in old {
        by_name.entry(&listener.name).or_insert(listener);
    }
    let keep = |listener: Listener| {
        let same = by_name.get(&*listener.name).filter(|it| it.is_same_as(&listener));
        same.map_or_else(|| Arc::new(listener), |it| Arc::clone(it))
    };
    new.into_iter().map(keep).collect()
}
