//! Messages that stand in a file of their own, without `apiVersion` and `metadata`.

use std::sync::Arc;

use crate::decode::{DecodeOptions, Decoded, Unknown, decode_parts};
use crate::diagnostic::{Place, Report, ResourceRef};
use crate::document::{Document, Span, join_key};
use crate::object::{Kind, Object, ObjectMeta};
use crate::origin::Provenance;
use crate::yaml::{LoadOptions, load_within};

/// Decodes and validates a whole document as `S`, fields that it does not have by the choice of `unknown`: a [`MeshConfig`](super::MeshConfig), a
/// [`MeshNetworks`](super::MeshNetworks) or a [`ProxyConfig`](super::ProxyConfig).
/// API: mesh/v1alpha1 `MeshConfig`, `MeshNetworks` and `ProxyConfig`.
///
/// The message is given back although validation found errors, which are in the report; `None`: it cannot be read.
pub fn read_bare<S: Kind>(document: &Arc<Document>, unknown: Unknown, report: &mut Report) -> Option<S> {
    let cluster = Arc::clone(&document.source.cluster);
    read_named(document, ObjectMeta { cluster, ..ObjectMeta::default() }, unknown, report)
}

/// [`read_bare`] of the text under `key` of a ConfigMap's `data`, with the document that it makes. Findings have places in
/// the ConfigMap's file, and its name. `None`: there is no such text, or it cannot be read.
/// Spec: istiod reads `mesh` and `meshNetworks` of the ConfigMap `istio` (istio/istio, pilot/pkg/bootstrap/mesh.go).
pub fn read_in_config_map<S: Kind, M: Kind>(
    config_map: &Object<M>,
    key: &str,
    (options, unknown): (&LoadOptions, Unknown),
    report: &mut Report,
) -> Option<(Arc<Document>, S)> {
    let outer = &config_map.provenance.document;
    let value = outer.root().get("data").and_then(|data| data.get(key))?;
    let mut loaded = load_within(outer, value, options);
    let mut found = std::mem::take(&mut loaded.report);
    let document = loaded.documents.into_iter().next();
    let read = document.and_then(|document| {
        let message = read_named(&document, config_map.meta.clone(), unknown, &mut found)?;
        Some((document, message))
    });
    let field = join_key("data", key);
    found.amend(|mut finding| {
        let inner = std::mem::take(&mut finding.at.field);
        finding.at.field = if inner.is_empty() { field.clone() } else { format!("{field}.{inner}") };
        finding.at.resource = ResourceRef {
            kind: M::KIND.to_owned(),
            namespace: config_map.meta.namespace.to_string(),
            name: config_map.meta.name.to_string(),
        };
        Some(finding)
    });
    report.merge(found);
    read
}

fn read_named<S: Kind>(
    document: &Arc<Document>,
    meta: ObjectMeta,
    unknown: Unknown,
    report: &mut Report,
) -> Option<S> {
    let provenance = Arc::new(Provenance {
        kind: S::KIND,
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
        document: Arc::clone(document),
        refused_at: None,
    });
    let place = |path: &str, span: Span| {
        let place = Place::of(&provenance, path);
        if span.line > 0 { place.at(span) } else { place }
    };
    let options = DecodeOptions { protobuf: true, unknown };
    let object = |spec: S| Object { meta, spec, provenance: Arc::clone(&provenance) };
    match decode_parts::<S>(document.root(), "", options, &place, report) {
        Decoded::Whole(spec) => {
            let object = object(spec);
            S::validate(&object, report);
            Some(object.spec.placed(&provenance))
        }
        Decoded::Parts(spec, left_out) => {
            let mut others = Report::new();
            S::validate(&object(spec), &mut others);
            report.merge(left_out.standing(others));
            None
        }
        Decoded::Nothing => None,
    }
}
