//! What telemetry calls a workload, and the names that stand for it.
//! Spec: istio/istio, pkg/kube/util.go (`GetWorkloadMetaFromPod`) and pkg/kube/labels (`CanonicalService`).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use mesh_model::name::StringMap;
use mesh_model::object::ObjectMeta;

/// Names another workload for telemetry, whatever made the Pod.
const WORKLOAD_NAME: &str = "service.istio.io/workload-name";
/// The WorkloadGroup that a WorkloadEntry was registered under by its proxy.
const GROUP: &str = "istio.io/autoRegistrationGroup";
const SERVICE_LABELS: [&str; 3] = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
const REVISION_LABELS: [&str; 3] =
    ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];

/// The names of the workload of an endpoint, as metrics and logs tell them. Empty: unknown.
/// Ours: what Istio writes into the metadata of endpoints (`workload;namespace;service;revision;cluster`).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadNames {
    /// The Deployment or whatever else made it; else its own name.
    pub workload: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its canonical service.
    pub service: Arc<str>,
    /// Its canonical revision; empty: `latest`.
    pub revision: Arc<str>,
    /// The cluster it is in.
    pub cluster: Arc<str>,
}

impl WorkloadNames {
    /// Those of a workload with labels.
    pub fn of(workload: Arc<str>, namespace: &Arc<str>, labels: &StringMap, cluster: &Arc<str>) -> Self {
        Self {
            service: canonical_service(labels).map_or_else(|| Arc::clone(&workload), Arc::from),
            revision: canonical_revision(labels).filter(|name| *name != "latest").unwrap_or_default().into(),
            workload,
            namespace: Arc::clone(namespace),
            cluster: Arc::clone(cluster),
        }
    }

    /// Those of what is only known to be in a cluster.
    pub fn in_cluster(cluster: &Arc<str>) -> Self {
        Self { cluster: Arc::clone(cluster), ..Self::default() }
    }
}

/// The service that a workload says it is part of; `None`: its labels do not say.
/// Spec: istio/istio, pkg/kube/labels, `CanonicalService`.
pub fn canonical_service(labels: &StringMap) -> Option<&str> {
    SERVICE_LABELS.iter().find_map(|key| labels.get(*key))
}

/// The revision of the service that a workload says it is of; `None`: its labels do not say.
/// Spec: istio/istio, pkg/kube/labels, `CanonicalService`.
pub fn canonical_revision(labels: &StringMap) -> Option<&str> {
    REVISION_LABELS.iter().find_map(|key| labels.get(*key))
}

/// The workload that a Pod is of, and its kind, in lower case: as its controller's name tells, as far as that is known.
pub(crate) fn of_pod(meta: &ObjectMeta) -> (Arc<str>, String) {
    let ObjectMeta { name, labels, controller, .. } = meta;
    let made_by = controller.as_deref().filter(|controller| !controller.name.is_empty());
    let (owner, kind) = match made_by {
        None => (&**name, "pod".to_owned()),
        Some(controller) => deployed(&controller.kind, &controller.name, labels),
    };
    (labels.get(WORKLOAD_NAME).unwrap_or(owner).into(), kind)
}

/// What stands behind the controller of a Pod.
fn deployed<'a>(kind: &str, name: &'a str, labels: &'a StringMap) -> (&'a str, String) {
    let without_hash = |label: &str| {
        let hash = labels.get(label).filter(|hash| !hash.is_empty())?;
        let rest = name.strip_suffix(hash)?;
        Some(rest.strip_suffix('-').unwrap_or(name))
    };
    let found = match kind {
        "ReplicaSet" => without_hash("pod-template-hash")
            .map(|name| (name, "deployment"))
            .or_else(|| without_hash("rollouts-pod-template-hash").map(|name| (name, "rollout"))),
        "ReplicationController" => labels
            .get("deploymentconfig")
            .filter(|name| !name.is_empty())
            .map(|name| (name, "deploymentconfig")),
        "Job" => without_time(name).map(|name| (name, "cronjob")),
        _ => None,
    };
    let (name, kind) =
        found.map_or_else(|| (name, kind.to_ascii_lowercase()), |(name, kind)| (name, kind.to_owned()));
    (name, kind)
}

/// The CronJob of a Job that is named after it and the time it was due: 8 to 10 digits.
fn without_time(job: &str) -> Option<&str> {
    let (name, time) = job.rsplit_once('-')?;
    let is_time = (8..=10).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
    (is_time && !name.is_empty()).then_some(name)
}

/// The name of a WorkloadEntry's workload.
pub(crate) fn of_workload_entry(meta: &ObjectMeta) -> Arc<str> {
    match meta.annotations.get(GROUP).or_else(|| meta.labels.get(WORKLOAD_NAME)) {
        Some(name) => name.into(),
        None => Arc::clone(&meta.name),
    }
}
