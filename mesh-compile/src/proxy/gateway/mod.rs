//! A gateway: listeners from Gateway servers, route tables from the VirtualServices bound to them.

use mesh_model::diagnostic::Report;

use super::Fragment;
use crate::view::View;

/// Listeners and route tables of a gateway.
pub fn compile(view: &View<'_>) -> (Fragment, Report) {
    let _ = view;
    (Fragment::default(), Report::new())
}
