//! One cluster's objects, indexed for look-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::config_set::{ConfigSet, Store};
use mesh_model::kubernetes::Namespace;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::StringMap;
use mesh_model::object::Object;

use super::hosts::Hosts;
use super::in_mesh;
use super::pods::Pods;
use super::services::Services;
use super::{Completeness, Input, Networks};

/// Namespaces of Kubernetes itself, which Istio leaves alone (istio/istio `pkg/kube/inject`, `IgnoredNamespaces`).
const LEFT_ALONE: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// What the analyzers look at.
pub(super) struct Context<'a> {
    /// All objects of all clusters.
    pub(super) config: &'a ConfigSet,
    /// The mesh configuration over its defaults.
    pub(super) mesh: &'a MeshConfig,
    /// The networks of the mesh.
    pub(super) networks: Option<Networks<'a>>,
    /// Whether what is not in the input does not exist.
    pub(super) completeness: Completeness,
    /// The clusters that objects come from.
    pub(super) clusters: &'a BTreeSet<Arc<str>>,
    /// The cluster whose objects [`objects`](Self::objects) gives.
    pub(super) cluster: &'a str,
    /// Its Pods.
    pub(super) pods: Pods<'a>,
    /// Those of its Pods that have a sidecar or are in ambient mode.
    pub(super) mesh_pods: Pods<'a>,
    /// Hosts of services, of all clusters.
    pub(super) hosts: Hosts<'a>,
    /// Its services by what they select.
    pub(super) services: Services<'a>,
    /// Its namespaces by name.
    pub(super) namespaces: BTreeMap<&'a str, &'a Object<Namespace>>,
}

/// Clusters that any object comes from; one at least.
pub(super) fn clusters(config: &ConfigSet) -> BTreeSet<Arc<str>> {
    let mut clusters = BTreeSet::new();
    config.each_object(&mut |_, meta| {
        if !clusters.contains(&meta.cluster) {
            clusters.insert(Arc::clone(&meta.cluster));
        }
    });
    if clusters.is_empty() {
        clusters.insert(Arc::from("Kubernetes"));
    }
    clusters
}

impl<'a> Context<'a> {
    /// Indexes the objects of one cluster.
    pub(super) fn new(
        input: &Input<'a>,
        completeness: Completeness,
        clusters: &'a BTreeSet<Arc<str>>,
        cluster: &'a str,
    ) -> Self {
        let config = input.config;
        let namespaces: BTreeMap<_, _> =
            of_cluster(&config.namespaces, cluster).map(|object| (&*object.meta.name, object)).collect();
        let pods: Vec<_> = of_cluster(&config.pods, cluster).filter(|pod| is_looked_at(pod)).collect();
        let in_mesh = |pod: &&'a Object<_>| {
            let namespace = namespaces.get(&*pod.meta.namespace).copied();
            in_mesh::pod_is_in_mesh(pod, namespace) || in_mesh::pod_is_ambient(pod)
        };
        let mesh_pods: Vec<_> = pods.iter().copied().filter(in_mesh).collect();
        Self {
            config,
            mesh: input.mesh,
            networks: input.networks,
            completeness,
            clusters,
            cluster,
            pods: Pods::new(pods),
            mesh_pods: Pods::new(mesh_pods),
            hosts: Hosts::new(config),
            services: Services::new(of_cluster(&config.services, cluster)),
            namespaces,
        }
    }

    /// The objects of a kind, of this cluster, in order of namespace and name.
    pub(super) fn objects<S: 'a>(
        &self,
        store: &'a Store<S>,
    ) -> impl Iterator<Item = &'a Object<S>> + use<'a, S> {
        of_cluster(store, self.cluster).filter(|object| is_looked_at(object))
    }

    /// Whether a selector means Istio's own ingress gateway, which is not in the files that are checked.
    pub(super) fn is_elsewhere(&self, selector: &StringMap) -> bool {
        let ingress = [("istio".to_owned(), "ingressgateway".to_owned())].into();
        self.completeness == Completeness::Partial && *selector == ingress
    }

    /// Whether the input can be asked about a kind of the running cluster: it has an object of it, or is complete.
    pub(super) fn knows(&self, kind: &str) -> bool {
        if self.completeness == Completeness::Complete {
            return true;
        }
        match kind {
            "Pod" => !self.pods.is_empty(),
            "Namespace" => !self.namespaces.is_empty(),
            "Service" => !self.config.services.is_empty() || !self.config.service_entries.is_empty(),
            "MutatingWebhookConfiguration" => !self.config.mutating_webhooks.is_empty(),
            "IngressClass" => of_cluster(&self.config.ingress_classes, self.cluster).next().is_some(),
            "Secret" => of_cluster(&self.config.secrets, self.cluster).next().is_some(),
            _ => true,
        }
    }
}

fn of_cluster<'a, S: 'a>(
    store: &'a Store<S>,
    cluster: &'a str,
) -> impl Iterator<Item = &'a Object<S>> + use<'a, S> {
    store.iter().map(Arc::as_ref).filter(move |object| &*object.meta.cluster == cluster)
}

fn is_looked_at<S>(object: &Object<S>) -> bool {
    let namespace =
        if object.provenance.kind == "Namespace" { &object.meta.name } else { &object.meta.namespace };
    !LEFT_ALONE.contains(&&**namespace)
}
