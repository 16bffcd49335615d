use mesh_model::object::Controller;

use super::*;

/// A Pod `web-7c9-x` with labels, made by a controller.
fn pod(labels: &str, controller: Option<(&str, &str)>) -> ObjectMeta {
    let labels = labels.split(' ').filter_map(|label| label.split_once('='));
    ObjectMeta {
        name: "web-7c9-x".into(),
        namespace: "shop".into(),
        labels: labels.collect(),
        controller: controller
            .map(|(kind, name)| Box::new(Controller { kind: kind.into(), name: name.into() })),
        ..ObjectMeta::default()
    }
}

#[test]
fn a_pod_is_called_after_what_made_it() {
    let name = |labels: &str, controller| {
        let (name, kind) = of_pod(&pod(labels, controller));
        format!("{name} {kind}")
    };
    let hash = "pod-template-hash=7c9";
    assert_eq!(name("", None), "web-7c9-x pod");
    assert_eq!(name(hash, Some(("ReplicaSet", "web-7c9"))), "web deployment");
    assert_eq!(name("", Some(("ReplicaSet", "web-7c9"))), "web-7c9 replicaset");
    assert_eq!(name(hash, Some(("ReplicaSet", "web-8d1"))), "web-8d1 replicaset");
    assert_eq!(name("rollouts-pod-template-hash=7c9", Some(("ReplicaSet", "web-7c9"))), "web rollout");
    assert_eq!(name("", Some(("StatefulSet", "db"))), "db statefulset");
    assert_eq!(name("", Some(("Job", "clean-27812345"))), "clean cronjob");
    assert_eq!(name("", Some(("Job", "clean-1234567"))), "clean-1234567 job");
    assert_eq!(name("", Some(("ReplicationController", "web-1"))), "web-1 replicationcontroller");
    assert_eq!(
        name("deploymentconfig=web", Some(("ReplicationController", "web-1"))),
        "web deploymentconfig"
    );
    assert_eq!(name("service.istio.io/workload-name=told", Some(("DaemonSet", "log"))), "told daemonset");
}

#[test]
fn a_workload_entry_is_called_after_its_group_or_its_label() {
    let name = |annotations: &[(&str, &str)], labels: &[(&str, &str)]| {
        let map = |pairs: &[(&str, &str)]| pairs.iter().copied().collect();
        let meta = ObjectMeta {
            name: "vm".into(),
            annotations: map(annotations),
            labels: map(labels),
            ..ObjectMeta::default()
        };
        of_workload_entry(&meta)
    };
    let label = (WORKLOAD_NAME, "told");
    assert_eq!(&*name(&[], &[]), "vm");
    assert_eq!(&*name(&[], &[label]), "told");
    assert_eq!(&*name(&[(GROUP, "vms")], &[label]), "vms");
}

#[test]
fn labels_name_the_service_and_its_revision() {
    let of = |labels: &[(&str, &str)]| {
        let labels = labels.iter().copied().collect();
        let names = WorkloadNames::of("w".into(), &"n".into(), &labels, &"c".into());
        format!(
            "{} {} {} {} {}",
            names.workload, names.namespace, names.service, names.revision, names.cluster
        )
    };
    assert_eq!(of(&[]), "w n w  c");
    assert_eq!(of(&[("app", "a"), ("version", "v1")]), "w n a v1 c");
    assert_eq!(of(&[("app", "a"), ("app.kubernetes.io/name", "b"), ("version", "latest")]), "w n b  c");
    let all = [
        ("service.istio.io/canonical-name", "c"),
        ("service.istio.io/canonical-revision", "2"),
        ("app", "a"),
    ];
    assert_eq!(of(&all), "w n c 2 c");
}
