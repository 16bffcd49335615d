//! What is known of the scope of a security object that cannot be read: its document, part by part, as far as it goes.
//!
//! A part that says nothing certain makes the scope wider, never narrower: whoever was meant is in it.

use super::authorization_policy::spec::Action;
use crate::document::{Document, Node, Value, snake_case};
use crate::name::StringMap;
use crate::object::{label_key_problem, label_value_problem};
use crate::part::{PolicyTargetReference, WorkloadSelector};

/// What could be read of where an object applies.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Scope {
    /// `None`: it has no selector, or it cannot be told which workloads are meant.
    pub(super) selector: Option<WorkloadSelector>,
    /// Empty: it has none, or they cannot be told.
    pub(super) target_refs: Vec<PolicyTargetReference>,
    /// Whether all of it was read.
    pub(super) is_certain: bool,
}

/// Reads the scope that a document's `spec` names.
pub(super) fn scope(document: &Document) -> Scope {
    let Some(spec) = field(document.root(), "spec") else {
        return Scope { is_certain: true, ..Scope::default() };
    };
    if !spec.is_map() {
        return Scope::default();
    }
    let selector = field(spec, "selector");
    let references = match (field(spec, "targetRefs"), field(spec, "targetRef")) {
        (None, None) => Some(Vec::new()),
        (Some(several), None) if several.is_list() => several.items().map(reference).collect(),
        (None, Some(single)) => reference(single).map(|single| vec![single]),
        _ => None,
    };
    match (selector, references) {
        (None, Some(target_refs)) => Scope { target_refs, selector: None, is_certain: true },
        (Some(selector), Some(references)) if references.is_empty() => match labels(selector) {
            Some(match_labels) => Scope {
                selector: Some(WorkloadSelector { match_labels }),
                target_refs: Vec::new(),
                is_certain: true,
            },
            None => Scope::default(),
        },
        // One of the two is one too many, and nobody knows which.
        _ => Scope::default(),
    }
}

/// A field that is set, in either of the spellings that are read.
fn field<'d>(node: Node<'d>, name: &str) -> Option<Node<'d>> {
    let found = node.get(name).or_else(|| node.get(&snake_case(name)));
    found.filter(|found| !found.is_null())
}

/// The labels of a selector. Those that cannot be read are left out, so that it takes more; `None`: none can be.
fn labels(selector: Node<'_>) -> Option<StringMap> {
    if !selector.is_map() {
        return None;
    }
    let Some(written) = field(selector, "matchLabels") else { return Some(StringMap::new()) };
    if !written.is_map() {
        return None;
    }
    let mut labels = StringMap::builder();
    let (mut read, mut all) = (0, 0);
    for entry in written.entries() {
        all += 1;
        // What no workload can carry was not meant.
        if let Some(value) = entry.value.as_str()
            && label_key_problem(entry.key).is_none()
            && label_value_problem(value).is_none()
        {
            read += 1;
            labels.add(entry.key, value);
        }
    }
    (read > 0 || all == 0).then(|| labels.finish())
}

/// A reference to something that policies can be attached to.
fn reference(node: Node<'_>) -> Option<PolicyTargetReference> {
    let text = |name| match field(node, name) {
        None => Some(String::new()),
        Some(found) => found.as_str().map(str::to_owned),
    };
    let found = PolicyTargetReference {
        group: text("group")?,
        kind: text("kind")?,
        name: text("name")?,
        namespace: text("namespace")?,
    };
    let is_known = matches!(
        (&*found.group, &*found.kind),
        ("gateway.networking.k8s.io", "Gateway" | "GatewayClass")
            | ("" | "core", "Service")
            | ("networking.istio.io", "ServiceEntry")
    );
    (is_known && !found.name.is_empty() && found.namespace.is_empty()).then_some(found)
}

/// Whether a policy was only ever meant to be told of: `AUDIT`, or a dry run.
pub(super) fn enforces_nothing(document: &Document) -> bool {
    let root = document.root();
    let action = field(root, "spec").and_then(|spec| spec.get("action")).map(Node::value);
    let is_audit = match action {
        Some(Value::String(name)) => name == Action::Audit.as_str(),
        Some(Value::Integer(number)) => i64::try_from(number) == Ok(Action::Audit.number().into()),
        _ => false,
    };
    let annotations = field(root, "metadata").and_then(|metadata| metadata.get("annotations"));
    let is_dry_run = annotations.and_then(|all| all.get(crate::check::DRY_RUN)).is_some_and(|written| {
        match written.value() {
            // Without its quotes it is refused, but there is no doubt about what it says.
            Value::Bool(flag) => flag,
            Value::String(text) => matches!(text, "1" | "t" | "T" | "TRUE" | "true" | "True"),
            _ => false,
        }
    });
    is_audit || is_dry_run
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values read best where they are written")]

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::document::{Source, Span};

    fn document(json: &Json) -> Document {
        let source = Source { file: "t.yaml".into(), cluster: "Kubernetes".into() };
        Document::from_json(source, 0, json, Span::default())
    }

    fn of(spec: Json) -> Scope {
        scope(&document(&json!({ "spec": spec })))
    }

    #[test]
    fn a_scope_that_can_be_read_is_kept() {
        assert!(of(json!({"rules": 5})).is_certain);
        assert!(scope(&document(&json!({}))).is_certain, "no `spec`: everywhere, for certain");
        for spelling in ["matchLabels", "match_labels"] {
            let scope = of(json!({"selector": {spelling: {"app": "web"}}, "rules": 5}));
            let selector = scope.selector.unwrap_or_default();
            assert_eq!(selector.match_labels.get("app"), Some("web"), "{spelling}");
        }
        let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"});
        for spec in [json!({"targetRefs": [gateway]}), json!({"targetRef": gateway})] {
            let scope = of(spec);
            assert!(scope.is_certain);
            assert_eq!(scope.target_refs.first().map(|it| it.name.as_str()), Some("edge"));
        }
    }

    #[test]
    fn labels_that_no_workload_can_carry_make_the_selector_wider() {
        let scope = of(json!({"selector": {"matchLabels": {"app": "web", "version": 2, "team": "a*"}}}));
        let selector = scope.selector.unwrap_or_default();
        let labels: Vec<_> = selector.match_labels.iter().collect();
        assert_eq!(labels, [("app", "web")]);
        for labels in
            [json!({"app": "web*"}), json!({"app": 1}), json!({"a b": "x"}), json!("app=web"), json!([])]
        {
            assert_eq!(of(json!({"selector": {"matchLabels": labels}})), Scope::default(), "{labels}");
        }
    }

    #[test]
    fn what_says_nothing_certain_is_everywhere() {
        let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"});
        for spec in [
            json!([]),
            json!("x"),
            json!({"selector": "app=web"}),
            json!({"selector": {"matchLabels": {"app": "web"}}, "targetRefs": [gateway]}),
            json!({"targetRef": gateway, "targetRefs": [gateway]}),
            json!({"targetRefs": gateway}),
            json!({"targetRefs": [gateway, {"kind": "Gateway", "name": "edge"}]}),
            json!({"targetRefs": [{"group": "apps", "kind": "Deployment", "name": "web"}]}),
            json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": 5}]}),
            json!({"targetRefs": [{"kind": "Service", "name": "web", "namespace": "other"}]}),
        ] {
            assert_eq!(of(spec.clone()), Scope::default(), "{spec}");
        }
    }

    #[test]
    fn what_was_meant_as_a_rehearsal_enforces_nothing() {
        let dry_run =
            |value: Json| json!({"metadata": {"annotations": {"istio.io/dry-run": value}}, "spec": 5});
        assert!(enforces_nothing(&document(&json!({"spec": {"action": "AUDIT", "rules": 5}}))));
        assert!(enforces_nothing(&document(&json!({"spec": {"action": 2, "rules": 5}}))));
        assert!(enforces_nothing(&document(&dry_run(json!("true")))));
        assert!(enforces_nothing(&document(&dry_run(json!(true)))));
        for value in [json!("yes"), json!("false"), json!(false), json!(1), json!(null)] {
            assert!(!enforces_nothing(&document(&dry_run(value.clone()))), "{value}");
        }
        for action in [json!("audit"), json!("DENY"), json!(1), json!(null)] {
            assert!(!enforces_nothing(&document(&json!({"spec": {"action": action}}))), "{action}");
        }
    }
}
