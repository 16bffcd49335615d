//! Which proxy is asked: a file, or a Pod of the configuration.

use std::path::Path;

use mesh_compile::proxy_identity::{Proxy, ProxyKind};
use mesh_model::config_set::ConfigSet;

use crate::Unusable;
use crate::files::read;

/// Reads `proxy.json`, or finds the Pod that `sidecar:NAMESPACE/POD` or `sidecar:CLUSTER/NAMESPACE/POD` names.
pub fn proxy(argument: &str, config: &ConfigSet) -> Result<Proxy, Unusable> {
    let unusable = |message: String| Unusable::Input { what: argument.to_owned(), message };
    let kind = match argument.split_once(':') {
        Some(("sidecar", pod)) => Some((ProxyKind::Sidecar, pod)),
        Some(("gateway", pod)) => Some((ProxyKind::Gateway, pod)),
        _ => None,
    };
    let Some((kind, pod)) = kind else {
        if !Path::new(argument).exists() {
            let message = "no such file; a Pod of the configuration is named as `sidecar:NAMESPACE/POD` or `gateway:NAMESPACE/POD`";
            return Err(unusable(message.to_owned()));
        }
        return serde_json::from_slice(&read(Path::new(argument))?)
            .map_err(|error| unusable(error.to_string()));
    };
    let (namespace, name) = pod.split_once('/').unwrap_or(("default", pod));
    if let Some((namespace_there, name)) = name.split_once('/') {
        let found = Proxy::of_pod_in(kind, namespace, namespace_there, name, config);
        return found.ok_or_else(|| {
            unusable(format!("cluster `{namespace}` has no such Pod in namespace `{namespace_there}`"))
        });
    }
    let named = config.pods.iter().filter(|pod| &*pod.meta.namespace == namespace && &*pod.meta.name == name);
    let clusters: Vec<&str> = named.map(|pod| &*pod.meta.cluster).collect();
    if clusters.len() > 1 {
        let kind = argument.split(':').next().unwrap_or_default();
        return Err(unusable(format!(
            "clusters {} have such a Pod: name it as `{kind}:CLUSTER/{namespace}/{name}`",
            clusters.join(", ")
        )));
    }
    Proxy::of_pod(kind, namespace, name, config).ok_or_else(|| unusable(no_such_pod(namespace, config)))
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
