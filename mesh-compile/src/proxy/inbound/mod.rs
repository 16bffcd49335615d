//! The server side of a sidecar: the virtual inbound listener and its chains per workload port.

use mesh_model::diagnostic::Report;

use super::Fragment;
use crate::view::View;

/// Inbound listener and route tables of a sidecar.
pub fn compile(view: &View<'_>) -> (Fragment, Report) {
    let _ = view;
    (Fragment::default(), Report::new())
}
