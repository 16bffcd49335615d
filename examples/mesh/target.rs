//! Which proxy is asked: a file, or a Pod of the configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mesh_compile::proxy_identity::{Proxy, ProxyKind};
use mesh_model::config_set::ConfigSet;

use crate::Unusable;
use crate::files::read;

/// Reads `proxy.json`, or finds the Pod that `sidecar:NAMESPACE/POD` names.
pub fn proxy(argument: &str, config: &ConfigSet) -> Result<Proxy, Unusable> {
    let unusable = |message: String| Unusable::Input { what: argument.to_owned(), message };
    let kind = match argument.split_once(':') {
        Some(("sidecar", pod)) => Some((ProxyKind::Sidecar, pod)),
        Some(("gateway", pod)) => Some((ProxyKind::Gateway, pod)),
        _ => None,
    };
    let Some((kind, pod)) = kind else {
        return serde_json::from_slice(&read(Path::new(argument))?)
            .map_err(|error| unusable(error.to_string()));
    };
    let (namespace, name) = pod.split_once('/').unwrap_or(("default", pod));
    let object = config
        .pods
        .iter()
        .find(|object| &*object.meta.namespace == namespace && &*object.meta.name == name)
        .ok_or_else(|| unusable(no_such_pod(namespace, config)))?;
    let node = object.spec.spec.node_name.clone();
    Ok(Proxy {
        kind,
        namespace: namespace.into(),
        name: name.into(),
        labels: object.meta.labels.clone(),
        ip: object.spec.status.pod_ip.parse().ok(),
        service_account: object.spec.spec.service_account_name.as_str().into(),
        locality: locality(&node, config),
        cluster_id: Arc::clone(&object.meta.cluster),
        metadata: BTreeMap::new(),
    })
}

fn no_such_pod(namespace: &str, config: &ConfigSet) -> String {
    let pods: Vec<&str> = config
        .pods
        .iter()
        .filter(|pod| &*pod.meta.namespace == namespace)
        .map(|pod| &*pod.meta.name)
        .take(12)
        .collect();
    if pods.is_empty() {
        let mut namespaces: Vec<&str> = config.pods.iter().map(|pod| &*pod.meta.namespace).collect();
        namespaces.dedup();
        return format!(
            "the configuration has no Pod in namespace `{namespace}`; Pods are in: {}",
            namespaces.join(", ")
        );
    }
    format!("no such Pod; namespace `{namespace}` has: {}", pods.join(", "))
}

/// `region/zone/subzone` of a node.
fn locality(node: &str, config: &ConfigSet) -> Arc<str> {
    let Some(node) = config.nodes.iter().find(|object| &*object.meta.name == node) else { return "".into() };
    let label = |name: &str| node.meta.labels.get(name).cloned().unwrap_or_default();
    let parts = [
        label("topology.kubernetes.io/region"),
        label("topology.kubernetes.io/zone"),
        label("topology.istio.io/subzone"),
    ];
    parts.join("/").trim_end_matches('/').into()
}
