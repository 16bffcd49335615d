//! The client side of a sidecar: outbound listeners, their filter chains, and the route tables they use.

use mesh_model::diagnostic::Report;

use super::Fragment;
use crate::view::View;

/// Outbound listeners and route tables of a sidecar.
pub fn compile(view: &View<'_>) -> (Fragment, Report) {
    let _ = view;
    (Fragment::default(), Report::new())
}
