//! Clusters towards services: every port, alone and with each subset (T-225, T-237, T-321).

use std::cell::OnceCell;
use std::sync::Arc;

use mesh_authz::peer::Mode;
use mesh_model::name::Protocol;
use mesh_model::networking::destination_rule::spec::Subset;
use mesh_model::origin::Origin;
use mesh_model::part::{ProxyProtocolVersion, TrafficPolicy};

use super::endpoints::{self, Selection};
use super::locality::{self, Labels, Preference};
use super::policy::{Policy, plain_passthrough};
use super::tls::{self, Auto, Peer};
use super::{Clusters, Context, connection_pool, load_balancer, names, outlier};
use crate::merge::destination_rule::MergedDestinationRule;
use crate::proxy::cluster::{Cluster, ClusterService, Discovery, LbPolicy, UpstreamTls};
use crate::proxy::origins::CLUSTER;
use crate::proxy::{places, settings};
use crate::registry::endpoint::Endpoint;
use crate::registry::service::{RegistryKind, Resolution, Service, ServicePort};
use crate::view::Lookup;

/// The clusters of a service in scope.
pub(super) fn compile(context: &Context<'_>, service: &Service, clusters: &mut Clusters) {
    if service.resolution == Resolution::Alias {
        return;
    }
    let rule = context.view.destination_rule(&service.hostname, &service.namespace);
    let identities = context.view.identities(service);
    for port in &service.ports {
        let (rule, known) = (rule.as_deref(), &OnceCell::new());
        let target = Target { service, port, known, rule, identities, naming: Naming::Mesh };
        if service.resolution == Resolution::DynamicDns && service.hostname.starts_with('*') {
            target.dynamic(context, clusters);
        } else {
            target.compile(context, clusters);
        }
    }
}

/// The clusters that `AUTO_PASSTHROUGH` gateways forward to: bytes as they are, to endpoints that speak mesh mTLS
/// (T-427, S-054, E-066).
pub(super) fn compile_sni(context: &Context<'_>, service: &Service, clusters: &mut Clusters) {
    if service.mesh_external {
        return;
    }
    let rule = context.view.destination_rule(&service.hostname, &service.namespace);
    for port in &service.ports {
        let (rule, known) = (rule.as_deref(), &OnceCell::new());
        let target = Target { service, port, known, rule, identities: &[], naming: Naming::Sni };
        target.compile(context, clusters);
    }
}

/// How clusters are called, and whether their connections are the proxy's own or passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// `outbound|PORT|SUBSET|HOST`.
    Mesh,
    /// `outbound_.PORT_.SUBSET_.HOST`; TLS is the client's.
    Sni,
}

/// A service port with everything its clusters share.
#[derive(Debug, Clone, Copy)]
struct Target<'t> {
    service: &'t Service,
    port: &'t ServicePort,
    /// Its endpoints, once somebody has asked for them.
    known: &'t OnceCell<Vec<Arc<Endpoint>>>,
    rule: Option<&'t MergedDestinationRule>,
    identities: &'t [String],
    naming: Naming,
}

/// A subset with the place it was written at.
#[derive(Debug, Clone, Copy)]
struct SubsetAt<'t> {
    subset: &'t Subset,
    origin: &'t Origin,
}

impl<'t> Target<'t> {
    /// The cluster of the port and those of its subsets.
    fn compile(&self, context: &Context<'_>, clusters: &mut Clusters) {
        if self.port.protocol == Protocol::Udp {
            return;
        }
        let written = Policy::top(self.rule, self.port.number);
        let top = written.clone().over_mesh(context.mesh.default_traffic_policy.as_ref());
        let found = discovery(self.service, context.sidecar);
        let settings = self.settings(context, found, None, &top);
        let template = self.template(&settings, found);
        let Some(whole) = self.filled(settings, context, found, None, &top, &written) else { return };
        let discovery = whole.discovery;
        clusters.add(whole);
        let Some(rule) = self.rule else { return };
        for (subset, origin) in rule.spec.subsets.iter().zip(&rule.subset_origins) {
            let at = Some(SubsetAt { subset, origin });
            let own_policy = subset.traffic_policy.as_deref();
            let cluster = match &template {
                Some(template) if own_policy.is_none() => {
                    let settings = self.of_template(template, context, SubsetAt { subset, origin }, &top);
                    self.filled(settings, context, discovery, at, &top, &written)
                }
                _ => {
                    // A subset of a cluster that PASSTHROUGH has changed stays one of the original destination (T-245).
                    let passes = plain_passthrough(own_policy);
                    let own = if passes { Discovery::OriginalDst } else { discovery };
                    let policy = top.under_subset(own_policy, origin, self.port.number);
                    let written = written.under_subset(own_policy, origin, self.port.number);
                    let settings = self.settings(context, own, at, &policy);
                    self.filled(settings, context, own, at, &policy, &written)
                }
            };
            clusters.list.extend(cluster);
        }
    }

    /// Everything of a cluster but its endpoints.
    fn settings(
        &self,
        context: &Context<'_>,
        discovery: Discovery,
        subset: Option<SubsetAt<'_>>,
        policy: &Policy<'_>,
    ) -> Cluster {
        let name = subset.map_or("", |at| at.subset.name.as_str());
        let mut cluster = self.start(context, discovery, name, subset);
        self.apply(&mut cluster, context, subset, policy);
        cluster
    }

    /// What the clusters of subsets that say nothing themselves have in common with that of the whole port; `None`:
    /// there are none, or a PASSTHROUGH makes a difference between them.
    fn template(&self, whole: &Cluster, found: Discovery) -> Option<Cluster> {
        let rule = self.rule?;
        let is_plain = whole.discovery == found && !plain_passthrough(rule.spec.traffic_policy.as_deref());
        let is_used = rule.spec.subsets.iter().any(|subset| subset.traffic_policy.is_none());
        // TLS names the cluster: each subset gets its own.
        (is_plain && is_used).then(|| Cluster { tls: UpstreamTls::Plaintext, ..whole.clone() })
    }

    /// The settings of a subset without a policy of its own: only its names are others.
    fn of_template(
        &self,
        template: &Cluster,
        context: &Context<'_>,
        at: SubsetAt<'_>,
        policy: &Policy<'_>,
    ) -> Cluster {
        let mut cluster = Cluster { name: self.name(&at.subset.name), ..template.clone() };
        cluster.origins.insert(CLUSTER, at.origin.clone());
        if self.naming == Naming::Mesh {
            let peer = self.peer(context, cluster.discovery, Some(at));
            tls::set(&mut cluster, policy, &peer, context);
        }
        cluster
    }

    /// The cluster with its endpoints, which are looked at by what the rule says (`written`), without what the mesh adds
    /// (E-070); `None` for a DNS cluster without any (T-238). `found` is how it would find them without its policy.
    fn filled(
        &self,
        mut cluster: Cluster,
        context: &Context<'_>,
        found: Discovery,
        subset: Option<SubsetAt<'_>>,
        policy: &Policy<'_>,
        written: &Policy<'_>,
    ) -> Option<Cluster> {
        let dns = matches!(found, Discovery::StrictDns | Discovery::LogicalDns);
        let selection = Selection {
            service: self.service,
            port: self.port,
            known: self.known,
            rule: self.rule,
            subset: subset.map_or("", |at| at.subset.name.as_str()),
            by_name: dns,
            only_mtls: self.naming == Naming::Sni,
        };
        let mut groups = Vec::new();
        if dns {
            groups = endpoints::groups(selection, written, context);
            if groups.is_empty() {
                return None;
            }
        }
        match cluster.discovery {
            Discovery::Eds => {
                let mut groups = endpoints::groups(selection, written, context);
                let preference = self.preference(written, context);
                let fails_over = written.outlier_detection.is_some();
                locality::apply_to_groups(
                    &mut groups,
                    preference.as_ref(),
                    &context.client(),
                    fails_over,
                    Labels::Known,
                );
                endpoints::store(&mut cluster, &groups);
            }
            Discovery::StrictDns | Discovery::LogicalDns => {
                let preference = self.preference(policy, context);
                let labels = if subset.is_some() { Labels::Unknown } else { Labels::Known };
                let fails_over = cluster.outlier.is_some();
                locality::apply_to_groups(
                    &mut groups,
                    preference.as_ref(),
                    &context.client(),
                    fails_over,
                    labels,
                );
                endpoints::store(&mut cluster, &groups);
            }
            Discovery::Static | Discovery::OriginalDst | Discovery::Custom => {}
        }
        Some(cluster)
    }

    /// Which endpoints are preferred.
    fn preference<'p>(&self, policy: &Policy<'p>, context: &Context<'p>) -> Option<Preference<'p>> {
        let preference = locality::preference(policy, self.service, context.mesh);
        if preference.as_ref().is_some_and(Preference::looks_at_labels) {
            context.view.asked(|| Lookup::OwnLabels);
        }
        preference
    }

    fn name(&self, subset: &str) -> Arc<str> {
        match self.naming {
            Naming::Mesh => names::outbound(self.port.number, subset, &self.service.hostname),
            Naming::Sni => names::sni(self.port.number, subset, &self.service.hostname),
        }
    }

    /// The cluster before any policy.
    fn start(
        &self,
        context: &Context<'_>,
        discovery: Discovery,
        subset: &str,
        at: Option<SubsetAt<'_>>,
    ) -> Cluster {
        let mut cluster = Cluster::bare(self.name(subset), discovery, LbPolicy::LeastRequest);
        cluster.mesh_external = self.service.mesh_external;
        cluster.service =
            ClusterService::in_name(&cluster.name).is_none().then(|| ClusterService::of(self.service));
        let service = Origin::written(&self.service.provenance, places::spec());
        cluster.origins.insert(CLUSTER, at.map_or_else(|| service.clone(), |at| at.origin.clone()));
        cluster.origins.insert("type", service.clone());
        cluster.origins.insert("endpoints", service);
        cluster.http.protocol = connection_pool::protocol_of_port(self.port.protocol, context.sidecar);
        let port = Origin::written(&self.service.provenance, places::port(self.port.index));
        cluster.origins.insert("http.protocol", port);
        match discovery {
            Discovery::StrictDns | Discovery::LogicalDns => {
                cluster.dns_family = Some(dns_family(self.service, context));
                cluster.dns_refresh_ms = settings::dns_refresh_ms(context.view);
            }
            Discovery::OriginalDst => cluster.port_override = port_override(self.service, self.port),
            Discovery::Eds | Discovery::Static | Discovery::Custom => {}
        }
        cluster
    }

    /// Every block of the policy but endpoints.
    fn apply(
        &self,
        cluster: &mut Cluster,
        context: &Context<'_>,
        subset: Option<SubsetAt<'_>>,
        policy: &Policy<'_>,
    ) {
        connection_pool::apply_h2_upgrade(cluster, policy, self.port.protocol, context.mesh);
        connection_pool::apply(cluster, policy, context.mesh);
        outlier::apply(cluster, policy, self.service);
        if cluster.discovery != Discovery::Custom {
            outlier::panic_off_by_default(cluster);
            let preference = locality::preference(policy, self.service, context.mesh);
            locality::apply_to_cluster(cluster, preference.as_ref());
            load_balancer::apply(cluster, policy);
        }
        if self.naming == Naming::Mesh {
            tls::apply(cluster, policy, &self.peer(context, cluster.discovery, subset), context);
            if let Some(block) = &policy.proxy_protocol {
                cluster.proxy_protocol = Some(match block.value.version {
                    ProxyProtocolVersion::V1 => "V1",
                    ProxyProtocolVersion::V2 => "V2",
                });
                cluster.origins.insert("proxy_protocol", block.origin());
            }
        }
        if cluster.discovery == Discovery::OriginalDst {
            cluster.lb = LbPolicy::ClusterProvided;
            let origin = || Origin::built_in("original destination (T-245)");
            cluster.origins.insert_first("lb", origin);
        }
    }

    fn peer(&self, context: &Context<'_>, discovery: Discovery, subset: Option<SubsetAt<'_>>) -> Peer<'t> {
        let name = subset.map_or("", |at| at.subset.name.as_str());
        // Whole-cluster TLS looks at the block of the cluster's own level only (E-074).
        let plain = match subset {
            Some(at) => at.subset.traffic_policy.as_deref(),
            None => self.rule.and_then(|rule| rule.spec.traffic_policy.as_deref()),
        };
        let sni = (discovery != Discovery::Custom)
            .then(|| names::sni(self.port.number, name, &self.service.hostname));
        Peer {
            identities: self.identities,
            sni,
            auto: self.auto_mtls(context, plain),
            mesh_external: self.service.mesh_external,
            service_entry: self.service.registry == RegistryKind::External,
            rule_has_selector: self.rule.is_some_and(|rule| rule.spec.workload_selector.is_some()),
        }
    }

    /// Whether mesh mTLS is used where the rule says nothing, and who decided (S-046 to S-048).
    fn auto_mtls(&self, context: &Context<'_>, plain: Option<&TrafficPolicy>) -> Auto {
        if self.service.mesh_external {
            return Auto::off(Origin::built_in("no mTLS outside the mesh (T-289)"));
        }
        if !context.mesh.enable_auto_mtls() {
            return Auto::off(Origin::built_in("MeshConfig enableAutoMtls (T-457)"));
        }
        if self.service.is_passthrough() || plain_passthrough(plain) {
            let endpoints = context.view.endpoints_anywhere(self.service, self.port);
            if endpoints.is_empty() || endpoints.iter().any(|endpoint| !endpoint.mtls) {
                return Auto::off(Origin::built_in("no mTLS unless every endpoint speaks it (T-285)"));
            }
        }
        context.view.asked_peers_of(&self.service.namespace);
        let (mode, origin) = context.peers.of_namespace(&self.service.namespace);
        let origin = origin.clone().unwrap_or_else(|| Origin::built_in("auto mTLS (T-284)"));
        Auto { on: *mode != Mode::Disable, origin }
    }

    /// A wildcard host that is looked up at request time: no endpoints, no subsets (T-321).
    fn dynamic(&self, context: &Context<'_>, clusters: &mut Clusters) {
        let served =
            matches!(self.port.protocol, Protocol::Http | Protocol::Tls | Protocol::Grpc | Protocol::Http2);
        if !served {
            return;
        }
        let policy =
            Policy::top(self.rule, self.port.number).over_mesh(context.mesh.default_traffic_policy.as_ref());
        let mut cluster = self.start(context, Discovery::Custom, "", None);
        cluster.lb = LbPolicy::ClusterProvided;
        let target = Target { identities: &[], ..*self };
        target.apply(&mut cluster, context, None, &policy);
        clusters.add(cluster);
    }
}

/// How the endpoints of a service are found; gateways know no original destination (T-306, T-321).
fn discovery(service: &Service, sidecar: bool) -> Discovery {
    match service.resolution {
        Resolution::Dns if service.logical_dns => Discovery::LogicalDns,
        Resolution::Dns => Discovery::StrictDns,
        Resolution::DnsRoundRobin => Discovery::LogicalDns,
        Resolution::Passthrough if sidecar => Discovery::OriginalDst,
        Resolution::Passthrough | Resolution::ClientSide | Resolution::DynamicDns | Resolution::Alias => {
            Discovery::Eds
        }
    }
}

/// The family of the proxy's own address; racing connections try both.
fn dns_family(service: &Service, context: &Context<'_>) -> &'static str {
    if service.race_connections {
        "ALL"
    } else if context.proxy.families().is_v6_only() {
        "V6_ONLY"
    } else {
        "V4_ONLY"
    }
}

/// `targetPort` of a ServiceEntry without resolution replaces the port that the client dialled (T-321).
fn port_override(service: &Service, port: &ServicePort) -> Option<u16> {
    let entry = service.registry == RegistryKind::External && service.is_passthrough();
    port.target_port.filter(|_| entry)
}
