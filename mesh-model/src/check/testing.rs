//! Test help: the problems of an object written as JSON.

use std::sync::Arc;

use serde_json::Value;

use crate::config_set::{Change, ConfigSet};
use crate::document::{Document, Node, Source, Span};

/// `code field` of every problem of an object of `kind` in namespace `default`.
pub(crate) fn problems(api_version: &str, kind: &str, spec: &Value) -> Vec<String> {
    let json = serde_json::json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "default"}, "spec": spec
    });
    problems_of(&json)
}

/// `code field` of every problem of a whole document.
pub(crate) fn problems_of(json: &Value) -> Vec<String> {
    let source = Source { file: "a.yaml".into(), cluster: "Kubernetes".into() };
    let document = Document { source, index: 0, root: Node::from_json(json, Span::default()) };
    let applied = ConfigSet::new().apply([Change::Upsert(Arc::new(document))]);
    applied.report.iter().map(|found| format!("{} {}", found.code.as_str(), found.at.field)).collect()
}
