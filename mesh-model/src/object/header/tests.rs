#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use serde_json::{Value as Json, json};

use super::*;
use crate::document::{Source, Span};

fn run(json: &Json) -> (Option<Header>, Vec<(&'static str, String)>) {
    let source = Source { file: "t.yaml".into(), cluster: "Kubernetes".into() };
    let mut report = Report::new();
    let document = Document::from_json(source, 0, json, Span::default());
    let header = read_meta(&Arc::new(document), &mut report);
    (header, report.iter().map(|finding| (finding.code.as_str(), finding.at.field.clone())).collect())
}

fn with_meta(meta: Json) -> (Option<Header>, Vec<(&'static str, String)>) {
    run(&json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": meta}))
}

fn one(code: &'static str, field: &str) -> Vec<(&'static str, String)> {
    vec![(code, field.to_owned())]
}

#[test]
fn a_head_is_read() {
    let (header, found) =
        with_meta(json!({"name": "a", "labels": {"app": "x"}, "annotations": {"k.io/a": "any text"},
        "creationTimestamp": "2020-01-01T00:00:01Z", "generation": 3, "resourceVersion": "7"}));
    let header = header.unwrap();
    assert_eq!(found, []);
    assert_eq!((header.group.as_str(), header.version.as_str()), ("networking.istio.io", "v1"));
    assert_eq!((&*header.meta.name, &*header.meta.namespace), ("a", "default"));
    assert_eq!((header.meta.created, header.meta.generation), (Some(1_577_836_801), Some(3)));
    let (core, _) = run(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}));
    let core = core.unwrap();
    assert_eq!((core.group.as_str(), &*core.meta.namespace), ("", ""));
}

#[test]
fn the_controller_of_a_pod_with_a_made_up_name_is_read() {
    let owner =
        |name: &str, controls: bool| json!({"kind": "ReplicaSet", "name": name, "controller": controls});
    let owners = json!([owner("a", false), owner("b", true), owner("c", true)]);
    let of = |kind: &str, meta: Json| {
        let (header, _) = run(&json!({"apiVersion": "v1", "kind": kind, "metadata": meta}));
        header.unwrap().meta.controller.map(|found| format!("{} {}", found.kind, found.name))
    };
    let made = json!({"name": "b-1", "generateName": "b-", "ownerReferences": owners});
    assert_eq!(of("Pod", made.clone()), Some("ReplicaSet b".to_owned()));
    assert_eq!(of("ConfigMap", made), None);
    assert_eq!(of("Pod", json!({"name": "b-1", "ownerReferences": owners})), None);
    assert_eq!(of("Pod", json!({"name": "b-1", "generateName": "b-", "ownerReferences": "b"})), None);
}

#[test]
fn y18_documents_that_are_no_resources_are_refused() {
    assert_eq!(run(&json!([1])), (None, one("not-a-resource", "")));
    assert_eq!(
        run(&json!({"kind": "A", "metadata": {"name": "a"}})),
        (None, one("not-a-resource", "apiVersion"))
    );
    assert_eq!(
        run(&json!({"apiVersion": "v1", "metadata": {"name": "a"}})),
        (None, one("not-a-resource", "kind"))
    );
    assert_eq!(run(&json!({"apiVersion": "v1", "kind": "A"})), (None, one("not-a-resource", "")));
    assert_eq!(with_meta(json!({})), (None, one("not-a-resource", "metadata.name")));
    assert_eq!(
        with_meta(json!({"generateName": "a-"})),
        (None, one("not-a-resource", "metadata.generateName"))
    );
}

#[test]
fn unknown_top_level_fields_of_istio_kinds_are_found() {
    let mut json =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "A", "metadata": {"name": "a"}, "hosts": []});
    let (header, found) = run(&json);
    assert!(header.is_some());
    assert_eq!(found, one("unknown-field", "hosts"));
    json["apiVersion"] = json!("v1");
    assert_eq!(run(&json).1, []);
}

#[test]
fn y16_labels_and_annotations_hold_strings() {
    assert_eq!(
        with_meta(json!({"name": "a", "labels": {"v": 1}})),
        (None, one("wrong-type", "metadata.labels.v"))
    );
    let found = with_meta(json!({"name": "a", "annotations": {"a.b/c": true}}));
    assert_eq!(found, (None, one("wrong-type", "metadata.annotations[\"a.b/c\"]")));
    assert_eq!(with_meta(json!({"name": "a", "labels": []})), (None, one("wrong-type", "metadata.labels")));
    assert_eq!(with_meta(json!({"name": 5})), (None, one("wrong-type", "metadata.name")));
    assert!(with_meta(json!({"name": "a", "labels": null})).0.is_some());
}

#[test]
fn creation_times_are_rfc3339() {
    assert_eq!(with_meta(json!({"name": "a", "creationTimestamp": null})).1, []);
    assert!(with_meta(json!({"name": "a", "creationTimestamp": "2020-01-01T02:00:01+02:00"})).0.is_some());
    for bad in [json!("yesterday"), json!("2020-01-01"), json!(5), json!("2020-01-01T00:00:00Z[UTC]")] {
        let found = with_meta(json!({"name": "a", "creationTimestamp": bad}));
        assert_eq!(found, (None, one("wrong-type", "metadata.creationTimestamp")), "{bad}");
    }
}

#[test]
fn y19_names_follow_kubernetes() {
    for good in ["a", "a.b-c", "1", &"a".repeat(63), &["a"; 127].join(".")] {
        assert_eq!(with_meta(json!({"name": good})).1, [], "{good}");
    }
    for bad in ["A", "a_b", "-a", "a-", "a..b", "a/b", ".a", "é", "a\u{200b}b", &"a".repeat(254)] {
        assert_eq!(with_meta(json!({"name": bad})), (None, one("invalid-name", "metadata.name")), "{bad}");
    }
    for bad in ["a.b", "A", &"a".repeat(64)] {
        let found = with_meta(json!({"name": "a", "namespace": bad}));
        assert_eq!(found, (None, one("invalid-name", "metadata.namespace")), "{bad}");
    }
    for (key, value, fits) in [
        ("app", "", true),
        ("a.b/C_d", "V-1.x", true),
        ("", "x", false),
        ("a/b/c", "x", false),
        ("A/b", "x", false),
        ("a", "-x", false),
        ("a", "x y", false),
        ("/a", "x", false),
        ("a/", "x", false),
    ] {
        assert_eq!(
            with_meta(json!({"name": "a", "labels": {key: value}})).0.is_some(),
            fits,
            "{key}={value}"
        );
    }
}
