//! What one proxy has for itself: a sidecar's side towards its workload, everything of a gateway but its clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::name::host_subset_of;
use mesh_model::origin::Origin;

use super::class::{Class, keep_clusters, keep_listeners};
use super::extras::{Extras, Patching};
use super::update::Because;
use crate::proxy::cluster::Cluster;
use crate::proxy::clusters::ClusterCompiler;
use crate::proxy::listener::Listener;
use crate::proxy::policies::CompiledPolicies;
use crate::proxy::{Fragment, ProxyConfig, gateway, inbound};
use crate::proxy_identity::{Proxy, ProxyKind};
use crate::route_table::RouteTable;
use crate::snapshot::{Delta, MeshSnapshot};
use crate::view::{Asked, Lookup, Recorder, View};

/// One proxy.
#[derive(Debug)]
pub(super) struct Own {
    asked: Asked,
    policies: Option<(CompiledPolicies, Asked)>,
    policies_stale: bool,
    listeners: Vec<Arc<Listener>>,
    tables: Vec<Arc<RouteTable>>,
    clusters: Vec<Arc<Cluster>>,
    /// What comes from resources about the proxy itself, and whether it is out of date.
    extras: (Extras, Asked),
    extras_stale: bool,
    patching: Patching,
    report: Report,
    is_stale: bool,
    /// The revision of the class that `config` was put together with.
    revision: u64,
    config: Option<Arc<ProxyConfig>>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            asked: Asked::default(),
            policies: None,
            policies_stale: true,
            listeners: Vec::new(),
            tables: Vec::new(),
            clusters: Vec::new(),
            extras: (Extras::default(), Asked::default()),
            extras_stale: true,
            patching: Patching::default(),
            report: Report::new(),
            is_stale: true,
            revision: 0,
            config: None,
        }
    }
}

impl Own {
    /// Notes whether a change puts the parts out of date, and why. `of_class` is what the class was told.
    pub(super) fn hear(&mut self, proxy: &Proxy, delta: &Delta, of_class: &[Because]) -> Vec<Because> {
        // Also where it is out of date already: parts that still are as they were must hear of what changed for them.
        let mut because = Vec::new();
        let asked = |question: Lookup| self.asked.contains(&question).then_some(question);
        for (host, change) in &delta.destination_rules {
            let about = |question: &&Lookup| matches!(question, Lookup::DestinationRule(of) | Lookup::ConsistentHash(of) if host_subset_of(of, host));
            because
                .extend(self.asked.iter().filter(about).map(|it| Because::new(it.clone(), &change.origin)));
        }
        for (host, origin) in &delta.services {
            let question = Lookup::Service(Arc::clone(host));
            // Of policies: an external authorizer that is to be asked there.
            let is_policy = self.policies.as_ref().is_some_and(|(_, asked)| asked.contains(&question));
            self.policies_stale |= is_policy;
            if is_policy || self.asked.contains(&question) {
                because.push(Because::new(question, origin));
            }
        }
        for (host, origin) in &delta.endpoints {
            because.extend(asked(Lookup::Endpoints(Arc::clone(host))).map(|it| Because::new(it, origin)));
        }
        type ByNamespace<'d> = (&'d BTreeMap<Arc<str>, Origin>, fn(Arc<str>) -> Lookup);
        let lists: [ByNamespace<'_>; 3] = [
            (&delta.peer_authentications, Lookup::PeerAuthentication),
            (&delta.request_authentications, Lookup::RequestAuthentication),
            (&delta.authorization_policies, Lookup::AuthorizationPolicy),
        ];
        for (changed, question) in lists {
            for (namespace, origin) in changed {
                let question = question(Arc::clone(namespace));
                let is_policy = self.policies.as_ref().is_some_and(|(_, asked)| asked.contains(&question));
                self.policies_stale |= is_policy;
                if is_policy || self.asked.contains(&question) {
                    because.push(Because::new(question, origin));
                }
            }
        }
        // The Pod may also say how the proxy is set up, which is asked before anything else.
        let targets = delta.workloads.get(&proxy.namespace).or_else(|| delta.addresses.get(&proxy.ip?));
        if let Some(origin) = targets {
            because.push(Because::new(Lookup::Targets, origin));
            self.extras_stale = true;
        }
        if let (Some(origin), true) = (&delta.gateways, self.asked.contains(&Lookup::Gateways)) {
            because.push(Because::new(Lookup::Gateways, origin));
        }
        for change in &delta.virtual_services {
            let gateways = [&change.old, &change.new].into_iter().flatten().flat_map(|it| &it.spec.gateways);
            for gateway in gateways {
                if let Some(question) = asked(Lookup::GatewayRoutes(gateway.as_str().into())) {
                    because.push(Because::new(question, &change.origin));
                }
            }
        }
        self.hear_of_extras(delta, &mut because);
        because.dedup();
        let of_class = of_class.iter().any(|it| match &it.question {
            Lookup::Sidecar => self.asked.contains(&Lookup::Sidecar) || self.asked.contains(&Lookup::Scope),
            Lookup::Scope | Lookup::Service(_) => self.asked.contains(&Lookup::Scope),
            _ => false,
        });
        self.is_stale |= of_class || !because.is_empty();
        because
    }

    /// What became different for the parts that come from resources about the proxy itself.
    fn hear_of_extras(&mut self, delta: &Delta, because: &mut Vec<Because>) {
        type Questions<'d> = (&'d BTreeMap<Arc<str>, Origin>, fn(Arc<str>) -> Lookup);
        let lists: [Questions<'_>; 6] = [
            (&delta.peer_authentications, Lookup::PeerAuthentication),
            (&delta.telemetries, Lookup::Telemetry),
            (&delta.proxy_configs, Lookup::ProxyConfig),
            (&delta.extensions, Lookup::Extensions),
            (&delta.envoy_filters, Lookup::EnvoyFilters),
            (&delta.services, Lookup::Service),
        ];
        for (changed, question) in lists {
            for (name, origin) in changed {
                let question = question(Arc::clone(name));
                if self.extras.1.contains(&question) {
                    self.extras_stale = true;
                    let new = Because::new(question, origin);
                    if !because.contains(&new) {
                        because.push(new);
                    }
                }
            }
        }
    }

    pub(super) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Puts everything out of date.
    pub(super) fn forget(&mut self) {
        self.is_stale = true;
        self.extras_stale = true;
        self.policies = None;
    }

    /// What the proxy runs. The class must be up to date.
    pub(super) fn config(
        &mut self,
        snapshot: &MeshSnapshot,
        proxy: &Proxy,
        class: &Class,
    ) -> Arc<ProxyConfig> {
        if self.is_stale {
            self.compile(snapshot, proxy, class);
        } else if let Some(config) = &self.config
            && self.revision == class.revision()
        {
            return Arc::clone(config);
        }
        self.revision = class.revision();
        let new = self.assemble(class);
        let config = match self.config.take() {
            Some(old) if old.is_shared_with(&new) => old,
            _ => Arc::new(new),
        };
        Arc::clone(self.config.insert(config))
    }

    pub(super) fn problems(&self, report: &mut Report) {
        report.merge(self.report.clone());
        report.merge(self.patching.report().clone());
    }

    fn compile(&mut self, snapshot: &MeshSnapshot, proxy: &Proxy, class: &Class) {
        let recorder = Recorder::default();
        let view = View::with_reader(snapshot, proxy, Arc::clone(class.scope()), &recorder);
        let (policies, asked) = match self.policies.take() {
            Some(known) if !self.policies_stale => known,
            earlier => {
                recorder.begin();
                let policies = CompiledPolicies::compile(&view, earlier.map(|(policies, _)| policies));
                (policies, recorder.end())
            }
        };
        self.policies_stale = false;
        if self.extras_stale {
            recorder.begin();
            let extras = Extras::compile(&view).keep(&self.extras.0);
            self.extras = (extras, recorder.end());
            self.extras_stale = false;
        }
        recorder.begin();
        let compiler = ClusterCompiler::new(&view);
        let mut clusters = Vec::new();
        let (Fragment { listeners, route_tables }, report) = match proxy.kind {
            ProxyKind::Sidecar => {
                clusters = compiler.of_workload();
                inbound::compile_with(&view, policies.policies.clone())
            }
            ProxyKind::Gateway => {
                if gateway::forwards_by_name(&view) {
                    let services = &view.scope().services;
                    clusters =
                        services.iter().flat_map(|service| compiler.by_name_of_service(service)).collect();
                }
                gateway::compile_with(&view, &policies.policies)
            }
        };
        self.asked = recorder.end();
        self.report = view.problems().clone();
        policies.problems(&mut self.report);
        self.report.merge(report);
        self.policies = Some((policies, asked));
        self.listeners = keep_listeners(&self.listeners, listeners);
        self.clusters = keep_clusters(&self.clusters, clusters);
        let earlier = std::mem::take(&mut self.tables);
        self.tables = route_tables
            .into_iter()
            .map(|table| earlier.iter().find(|it| it.is_same_as(&table)).map_or(table, Arc::clone))
            .collect();
        self.is_stale = false;
    }

    fn assemble(&mut self, class: &Class) -> ProxyConfig {
        let mut config = ProxyConfig {
            listeners: class.listeners().iter().chain(&self.listeners).cloned().collect(),
            route_tables: BTreeMap::new(),
            clusters: class.clusters().clone(),
            ..ProxyConfig::default()
        };
        for table in class.tables().chain(&self.tables) {
            config.route_tables.insert(Arc::clone(&table.name), Arc::clone(table));
        }
        for cluster in &self.clusters {
            config.clusters.insert_first(Arc::clone(&cluster.name), Arc::clone(cluster));
        }
        self.extras.0.put_into(&mut config, &mut self.patching);
        config
    }
}
