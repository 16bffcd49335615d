//! Messages that stand in a file of their own, without `apiVersion` and `metadata`.

use std::sync::Arc;

use crate::decode::{DecodeOptions, Decoded, Unknown, decode_parts};
use crate::diagnostic::{Place, Report};
use crate::document::{Document, Span};
use crate::object::{Kind, Object, ObjectMeta};
use crate::origin::Provenance;

/// Decodes and validates a whole document as `S`, fields that it does not have by the choice of `unknown`: a [`MeshConfig`](super::MeshConfig), a
/// [`MeshNetworks`](super::MeshNetworks) or a [`ProxyConfig`](super::ProxyConfig).
/// API: mesh/v1alpha1 `MeshConfig`, `MeshNetworks` and `ProxyConfig`.
///
/// The message is given back although validation found errors, which are in the report; `None`: it cannot be read.
pub fn read_bare<S: Kind>(document: &Arc<Document>, unknown: Unknown, report: &mut Report) -> Option<S> {
    let meta = ObjectMeta { cluster: Arc::clone(&document.source.cluster), ..ObjectMeta::default() };
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
