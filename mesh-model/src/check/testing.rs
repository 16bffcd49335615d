//! Test help: the problems of an object written as JSON.

use std::sync::Arc;

use serde_json::Value;

use super::Checker;
use crate::config_set::{Change, ConfigSet};
use crate::diagnostic::{Code, Diagnostic, Report, Severity};
use crate::document::{Document, Source, Span};
use crate::object::{Object, ObjectMeta};
use crate::origin::Provenance;

fn document(json: &Value) -> Arc<Document> {
    let source = Source { file: "a.yaml".into(), cluster: "Kubernetes".into() };
    Arc::new(Document::from_json(source, 0, json, Span::default()))
}

/// `code field` of every problem of an object of `kind` in namespace `default`.
pub(crate) fn problems(api_version: &str, kind: &str, spec: &Value) -> Vec<String> {
    let json = serde_json::json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "default"}, "spec": spec
    });
    problems_of(&json)
}

/// `code field` of every problem of a whole document. What becomes of the object is none of its own, and tests write null
/// for what is left out: that lenient reading warns of it is a matter of decoding.
pub(crate) fn problems_of(json: &Value) -> Vec<String> {
    let is_own = |found: &Diagnostic| {
        let is_of_decoding = found.code == Code::WrongType && found.severity == Severity::Warning;
        found.code != Code::FailsClosed && !is_of_decoding
    };
    let mut own = Report::new();
    let report = ConfigSet::new().apply([Change::Upsert(document(json))]).report;
    report.into_iter().filter(is_own).for_each(|found| own.push(found));
    lines(&own)
}

/// `code field` of every problem of a message that stands alone.
pub(crate) fn problems_of_message<S: crate::object::Kind>(json: &Value) -> Vec<String> {
    let mut report = Report::new();
    crate::mesh_config::read_bare::<S>(&document(json), crate::decode::Unknown::Error, &mut report);
    lines(&report)
}

/// `code field` of every problem that `check` finds in an object of `namespace`.
pub(crate) fn checked(namespace: &str, check: impl FnOnce(&mut Checker<'_>)) -> Vec<String> {
    let provenance = Arc::new(Provenance {
        kind: "Test",
        namespace: namespace.into(),
        name: "a".into(),
        document: document(&Value::Null),
        refused_at: None,
    });
    let object = Object { meta: ObjectMeta::default(), spec: (), provenance };
    let mut report = Report::new();
    check(&mut Checker::new(&object, &mut report));
    lines(&report)
}

fn lines(report: &Report) -> Vec<String> {
    report.iter().map(|found| format!("{} {}", found.code.as_str(), found.at.field)).collect()
}
