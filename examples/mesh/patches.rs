//! What `mesh check` tells of EnvoyFilters: the parts that are not applied, for a proxy that each is meant for.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_compile::compiler::compile;
use mesh_compile::proxy_identity::{Proxy, ProxyKind};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::{Code, Report, Severity};
use mesh_model::name::{StringMap, labels_subset_of};
use mesh_model::networking::envoy_filter::spec::{EnvoyFilter, PatchContext};
use mesh_model::object::Object;

/// Proxies that are compiled: one for each kind of EnvoyFilter, and no more of them than anybody waits for.
const PROXIES_MAX: usize = 16;

/// Parts of EnvoyFilters that are not applied, as remarks: it is not known which of the proxies matter.
pub fn left_out(snapshot: &MeshSnapshot, config: &ConfigSet) -> Report {
    let mut report = Report::new();
    let mut asked: BTreeSet<Proxy> = BTreeSet::new();
    let mut told = BTreeSet::new();
    for filter in config.envoy_filters.iter() {
        for kind in kinds(&filter.spec) {
            let proxy = proxy_of(filter, kind, snapshot, config);
            if asked.len() >= PROXIES_MAX || !asked.insert(proxy.clone()) {
                continue;
            }
            let (_, findings) = compile(&View::new(snapshot, &proxy));
            for finding in findings.iter().filter(|finding| finding.code == Code::PatchNotApplied) {
                if told.insert((finding.at.clone(), finding.message.clone())) {
                    report.push(finding.clone().severity(Severity::Info));
                }
            }
        }
    }
    report
}

/// The kinds of proxies that a filter has patches for.
fn kinds(filter: &EnvoyFilter) -> BTreeSet<ProxyKind> {
    let contexts = filter
        .config_patches
        .iter()
        .map(|patch| patch.matches.as_ref().map(|matches| matches.context).unwrap_or_default());
    contexts
        .map(|context| match context {
            PatchContext::Gateway => ProxyKind::Gateway,
            _ => ProxyKind::Sidecar,
        })
        .collect()
}

/// A Pod that a filter selects, else one that is made up.
fn proxy_of(
    filter: &Object<EnvoyFilter>,
    kind: ProxyKind,
    snapshot: &MeshSnapshot,
    config: &ConfigSet,
) -> Proxy {
    let labels = filter.spec.workload_selector.as_ref().map(|it| it.labels.clone()).unwrap_or_default();
    let everywhere = &*filter.meta.namespace == snapshot.mesh.root_namespace();
    let pod = config.pods.iter().find(|pod| {
        (everywhere || pod.meta.namespace == filter.meta.namespace)
            && pod.meta.cluster == filter.meta.cluster
            && labels_subset_of(&labels, &pod.meta.labels)
    });
    let of_pod = |pod: &Arc<Object<_>>| {
        Proxy::of_pod_in(kind, &pod.meta.cluster, &pod.meta.namespace, &pod.meta.name, config)
    };
    pod.and_then(of_pod).unwrap_or_else(|| made_up(filter, kind, labels))
}

fn made_up(filter: &Object<EnvoyFilter>, kind: ProxyKind, labels: StringMap) -> Proxy {
    Proxy {
        kind,
        namespace: Arc::clone(&filter.meta.namespace),
        name: "any".into(),
        labels,
        ip: None,
        service_account: "default".into(),
        locality: "".into(),
        cluster_id: Arc::clone(&filter.meta.cluster),
        metadata: Default::default(),
    }
}
