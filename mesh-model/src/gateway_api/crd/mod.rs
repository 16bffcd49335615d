//! What the API server asks of the Gateway API's resources before Istio sees them: the schemas of the CRDs and their rules.
//!
//! Istio has no webhook for these kinds, so what the schemas refuse is all that is refused. `facts.tsv` holds what they ask
//! of single fields, `rules` what they say in CEL of several fields together. Values that the cluster would put in where
//! nothing is written (`default` in the table) are put in before a rule looks.
//!
//! Source: the CRDs of the Gateway API v1.6, experimental channel (`config/crd/experimental`), and the
//! `+kubebuilder:validation` marks of its types (`apis/v1`).

mod facts;
mod pattern;
mod rules;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use facts::types;
#[cfg(feature = "schema")]
pub(crate) use facts::{Bounds, Field, Holds, fields_of};

use crate::check::{Checker, Path};
use crate::diagnostic::Report;
use crate::document::Node;
use crate::object::{Kind, Object};

/// Finds everything that the CRD of a kind would refuse.
pub(super) fn check<S: Kind>(object: &Object<S>, report: &mut Report) {
    let root = object.provenance.document.root();
    let version = root.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
    let mut checker = Checker::new(object, report);
    walk::Walk { check: &mut checker, is_alpha: version.ends_with("/v1alpha2") }.message(
        root,
        S::KIND,
        &Path::Root(""),
    );
}
