//! AuthorizationPolicy: the compiled policies of one workload.

use mesh_model::trace::Observer;

use crate::verdict::{Facts, Verdict};

/// The compiled policies of one workload, for HTTP or for TCP.
#[derive(Debug, Default)]
pub struct PolicySet {}

impl PolicySet {
    /// No policy: everything is allowed.
    pub fn decide<O: Observer>(&self, _: &Facts<'_>, _: &mut O) -> Verdict {
        Verdict { allowed: true, decided_by: None, external: Vec::new(), dry_run: Vec::new(), audited: Vec::new() }
    }
}
